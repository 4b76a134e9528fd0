// A peer that breaks the rules, or vanishes, at every point: everything that waits is told, nothing is thrown at nobody.
import { describe, expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { attach, type Profile, ReplyError, type Session } from './index.js'
import { RawPeer, rawPair, rawStart, soon, turns } from './test-kit-peer.js'
import { duplexPair, sessionPair } from './testing.js'

/** Every promise that a session of ours gives, pending. */
async function everything(peer: RawPeer, session: Session): Promise<Record<string, Promise<unknown>>> {
  const starting = session.start('u:x')
  await peer.expect(/<start [\s\S]*END\r\n/)
  peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
  const channel = await starting
  const other = session.start('u:x')
  await peer.expect(/<start [\s\S]*END\r\n/)
  peer.say(peer.management('RPY 2', `<profile uri='u:x' />`))
  const closing = (await other).close()
  const answering = channel.send('answers')
  const replying = channel.send('replies')
  const streaming = channel.send({ body: endless() })
  await peer.expect(/MSG 1 2 /)
  peer.say(peer.frame('ANS 1 0', '\r\na', 0) + peer.frame('ANS 1 0 *', '\r\nb', 1))
  const answers = answering[Symbol.asyncIterator]()
  await answers.next()
  const half = (await answers.next()).value!
  return {
    start: session.start('u:y'),
    close: closing,
    release: session.release(),
    answer: answers.next(),
    half: half.text(),
    reply: replying.reply(),
    request: streaming.reply(),
    sent: streaming.sent,
    closed: session.closed,
    'channel closed': channel.closed,
  }
}

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield Buffer.alloc(10_000)
}

/** How each of them ended. */
async function ends(promises: Record<string, Promise<unknown>>): Promise<Record<string, unknown>> {
  const ended: Record<string, unknown> = {}
  for (const [name, promise] of Object.entries(promises)) {
    ended[name] = await soon(promise).then(
      (value) => (value === 'pending' ? value : 'resolved'),
      (error) => error.code,
    )
  }
  return ended
}

const CLOSED = 'BEEP_ERR_CLOSED'
const ALL_TOLD = {
  start: CLOSED,
  close: 'resolved',
  release: CLOSED,
  answer: CLOSED,
  half: CLOSED,
  reply: CLOSED,
  request: CLOSED,
  sent: CLOSED,
  closed: 'resolved',
  'channel closed': 'resolved',
}

describe('a session that dies with everything pending', () => {
  const ways: readonly [how: string, end: (peer: RawPeer, session: Session) => void][] = [
    ['the peer ends the transport', (peer) => void peer.stream.end()],
    ['the transport fails', (peer) => void peer.stream.destroy()],
    ['the peer breaks a rule', (peer) => void peer.say('FOO\r\n')],
    ['we terminate it', (_peer, session) => session.terminate()],
    ['we terminate it with a reason', (_peer, session) => session.terminate(new Error('enough'))],
  ]
  test.each(ways)('R3081-2-07 when %s, each promise is told and none waits', async (_how, end) => {
    const { session, peer } = await rawPair('initiator')
    const promises = await everything(peer, session)
    for (const promise of Object.values(promises)) promise.catch(() => {})
    end(peer, session)
    expect(await ends(promises)).toEqual(ALL_TOLD)
  })

  test('promises that nobody asked for reject nobody', async () => {
    const unheard: unknown[] = []
    const onUnheard = (reason: unknown) => unheard.push(reason)
    process.on('unhandledRejection', onUnheard)
    const { session, peer } = await rawPair('initiator')
    const starting = session.start('u:x')
    await peer.expect(/<start [\s\S]*END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
    const channel = await starting
    channel.send('x')
    channel.send({ body: endless() })
    const signal = AbortSignal.timeout(5)
    channel.send('y', { signal })
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    session.terminate()
    await turns(5)
    process.off('unhandledRejection', onUnheard)
    expect(unheard).toEqual([])
  })

  test('a handler that works on is told by its signal, its message and its silence', async () => {
    const seen: string[] = []
    const profile: Profile = {
      uri: 'u:x',
      message: async (message, _channel, { signal }) => {
        signal.addEventListener('abort', () => seen.push('signal'))
        await message.text().catch((error) => seen.push(error.code))
        return 'to nobody'
      },
    }
    const { session, peer } = await rawPair('listener', { profiles: [profile] })
    await rawStart(peer, 1, 'u:x')
    peer.say(peer.frame('MSG 1 0 *', '\r\nbegun'))
    await turns()
    peer.stream.destroy()
    await session.closed
    await turns()
    expect(seen.sort()).toEqual([CLOSED, 'signal'])
  })
})

test('RIMP-04 a peer that vanishes at every octet: nothing is delivered that is not whole, and every session ends', async () => {
  const says = (peer: RawPeer) => [
    peer.management('RPY 0', '<greeting />') + peer.management('MSG 1', `<start number='1'><profile uri='u:x' /></start>`),
    // Only once the channel is there.
    peer.frame('MSG 1 0', '\r\nhello') + peer.management('MSG 2', `<close number='1' code='200' />`),
  ]
  const whole: string[] = []
  const message: Profile['message'] = async (each) => {
    const text = await each.text()
    whole.push(text)
    return text
  }
  const { length } = says(new RawPeer(duplexPair()[0])).join('')
  for (let at = 0; at < length; at += 3) {
    const [ours, theirs] = duplexPair()
    const peer = new RawPeer(theirs)
    const session = attach(ours, 'listener', { profiles: [{ uri: 'u:x', message }] })
    const [before = '', after = ''] = says(peer)
    peer.say(before.slice(0, at))
    await turns(1)
    peer.say(after.slice(0, Math.max(0, at - before.length)))
    peer.stream.end()
    const end = session.then((each) => each.closed).catch((error) => error.reason)
    expect(await soon(end)).toMatchObject({ kind: 'terminated', by: 'peer' })
  }
  expect(new Set(whole)).toEqual(new Set(['hello']))
})

describe('what users give us may throw', () => {
  const broken = () => {
    throw new Error('mine')
  }
  const rejecting = async () => {
    throw new Error('mine')
  }
  test.each([
    ['onSession', { profiles: [echo], onSession: broken }],
    ['onSession, later', { profiles: [echo], onSession: rejecting }],
    ['available', { profiles: [{ uri: 'u:y', available: broken }, echo] }],
    ['open', { profiles: [{ ...echo, open: broken }] }],
    ['open, later', { profiles: [{ ...echo, open: rejecting as () => void }] }],
  ])('%s: the session goes on', async (_what, options) => {
    const { initiator } = await sessionPair({}, options)
    const channel = await initiator.start(ECHO)
    expect(await (await channel.request('x')).text()).toBe('x')
    await initiator.release()
  })

  test.each([
    ['throws', broken, 451],
    ['rejects', rejecting, 451],
    [
      'refuses',
      () => {
        throw new ReplyError(504, 'no \0 & <no>', { lang: 'en' })
      },
      504,
    ],
    ['returns a number', () => 7 as unknown as string, 451],
    ['returns null', async () => null as unknown as string, 451],
    ['returns too much', () => 'x'.repeat(5000), 451],
  ] as const)('a start handler that %s declines the channel', async (_what, start, replyCode) => {
    const { initiator } = await sessionPair({}, { profiles: [{ uri: 'u:x', start }, echo] })
    await expect(initiator.start('u:x')).rejects.toMatchObject({ replyCode })
    expect(await (await (await initiator.start(ECHO)).request('x')).text()).toBe('x')
    await initiator.release()
  })

  test.each([
    ['throws', broken],
    ['rejects', rejecting],
  ])('a close handler that %s refuses with 451', async (_what, close) => {
    const { initiator } = await sessionPair({}, { profiles: [{ ...echo, close }] })
    const channel = await initiator.start(ECHO)
    await expect(channel.close()).rejects.toMatchObject({ replyCode: 451 })
    expect(await (await channel.request('x')).text()).toBe('x')
    initiator.terminate()
  })
})

describe('the end is the end', () => {
  test('RIMP-09 a handler that terminates the session sees no more of the chunk', async () => {
    const seen: string[] = []
    const { session, peer } = await rawPair('listener', {
      profiles: [
        {
          uri: 'u:x',
          message: (message, channel) => {
            seen.push(message.contentType)
            channel.session.terminate()
            return 'x'
          },
        },
      ],
    })
    await rawStart(peer, 1, 'u:x')
    const before = peer.heard.length
    peer.say(peer.frame('MSG 1 0', '\r\na') + peer.frame('MSG 1 1', '\r\nb'))
    await peer.end()
    expect(seen.length).toBe(1)
    expect(peer.heard.length).toBe(before)
    expect(await session.closed).toMatchObject({ kind: 'terminated', by: 'us' })
  })

  test('RIMP-10 behind a violation nothing of the chunk is looked at, and nothing is said', async () => {
    let served = 0
    const { session, peer } = await rawPair('listener', {
      profiles: [
        {
          uri: 'u:x',
          message: () => {
            served++
            return 'x'
          },
        },
      ],
    })
    await rawStart(peer, 1, 'u:x')
    const before = peer.heard.length
    peer.say(`MSG 1 0 . 9 1\r\nxEND\r\n${peer.frame('MSG 1 0', '\r\nb')}`)
    await peer.end()
    expect([served, peer.heard.length]).toEqual([0, before])
    expect(await session.closed).toMatchObject({ kind: 'terminated', by: 'us', error: { rule: 'rfc3080/2.2.1.2/seqno' } })
  })

  test('RIMP-06 XML that would explode is refused at once', async () => {
    const { session, peer } = await rawPair('listener')
    const lol = '<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><start number="1">&b;</start>'
    peer.say(peer.management('MSG 1', lol))
    await peer.expect(/ERR 0 1 [\s\S]*<error code='500'/)
    peer.say(peer.management('MSG 2', '<a>'.repeat(300)))
    await peer.expect(/ERR 0 2 [\s\S]*<error code='500'/)
    session.terminate()
  })

  test('RIMP-07 channels beyond the limit are declined', async () => {
    const { session, peer } = await rawPair('listener', { profiles: [echo], maxChannels: 3 })
    for (let n = 1; n <= 3; n++) await rawStart(peer, 2 * n - 1, ECHO, n)
    peer.say(peer.management('MSG 4', `<start number='7'><profile uri='${ECHO}' /></start>`))
    await peer.expect(/ERR 0 4 [\s\S]*<error code='550'/)
    session.terminate()
  })

  test('RIMP-07 requests without an octet are counted', async () => {
    const { session, peer } = await rawPair('listener', {
      profiles: [{ uri: 'u:x', message: () => new Promise<string>(() => {}) }],
      maxUnanswered: 100,
    })
    await rawStart(peer, 1, 'u:x')
    for (let n = 0; n < 101; n++) peer.say(peer.frame(`MSG 1 ${n}`))
    expect(await soon(session.closed)).toMatchObject({ error: { rule: 'limits/unanswered' } })
  })

  test('RIMP-11 frames of several channels do not mix', async () => {
    const { session, peer } = await rawPair('listener', { profiles: [echo] })
    for (let n = 1; n <= 3; n++) await rawStart(peer, 2 * n - 1, ECHO, n)
    for (let n = 1; n <= 3; n++) peer.say(peer.frame(`MSG ${2 * n - 1} 0`, `\r\n${String(n).repeat(3000)}`))
    for (let n = 1; n <= 3; n++) await peer.expect(new RegExp(`RPY ${2 * n - 1} 0 \\. 0 3002\\r\\n\\r\\n${n}{3000}END\\r\\n`))
    session.terminate()
  })

  test('idleTimeout ends a session whose peer is silent', async () => {
    const { session } = await rawPair('listener', { idleTimeout: 20 })
    expect(await soon(session.closed)).toMatchObject({ kind: 'terminated', by: 'us', error: { message: /20 ms/ } })
  })
})
