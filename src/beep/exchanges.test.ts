// Exchanges as users see them: the three styles, what handlers may do wrong, and their order.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { type Message, type Profile, type Reply, ReplyError } from './index.js'
import { deferred } from './promises.js'
import { rawPair, rawStart, soon, turns } from './test-kit-peer.js'
import { channelTo, failing, streamOf } from './test-kit-served.js'
import { sessionPair } from './testing.js'

async function collect(answers: AsyncIterable<Message>): Promise<string[]> {
  const texts: string[] = []
  for await (const answer of answers) texts.push(await answer.text())
  return texts
}

describe('styles (§2.1.1)', () => {
  test('R3080-2.1.1-01 R3080-2.1.1-02 R3080-2.1.1-03 return, throw and yield are RPY, ERR and ANS … NUL', async () => {
    const { session, peer } = await rawPair('listener', {
      profiles: [
        { uri: 'u:one', message: () => 'yes' },
        {
          uri: 'u:no',
          message: () => {
            throw new ReplyError(554, 'no & never')
          },
        },
        {
          uri: 'u:many',
          async *message() {
            yield 'a'
            yield 'b'
          },
        },
        { uri: 'u:none', async *message() {} },
      ],
    })
    await rawStart(peer, 1, 'u:one', 1)
    await rawStart(peer, 3, 'u:no', 2)
    await rawStart(peer, 5, 'u:many', 3)
    await rawStart(peer, 7, 'u:none', 4)
    for (const channel of [1, 3, 5, 7]) {
      peer.say(peer.frame(`MSG ${channel} 0`, '\r\nx'))
      await turns(1)
    }
    await peer.expect(/RPY 1 0 \. 0 5\r\n\r\nyesEND\r\n/)
    await peer.expect(/ERR 3 0 \. 0 \d+\r\n[\s\S]*<error code='554' xml:lang='en'>no &amp; never<\/error>END\r\n/)
    await peer.expect(/ANS 5 0 \. 0 3 0\r\n\r\naEND\r\nANS 5 0 \. 3 3 1\r\n\r\nbEND\r\nNUL 5 0 \. 6 0\r\nEND\r\n/)
    await peer.expect(/NUL 7 0 \. 0 0\r\nEND\r\n/)
    session.terminate()
  })

  test('R3080-2.1.1-03 reply() of a one-to-many exchange is a TypeError, and the channel goes on', async () => {
    const { channel, initiator } = await channelTo(async function* (message) {
      if ((await message.text()) === 'many') yield 'a'
    })
    await expect(channel.request('many')).rejects.toThrow(TypeError)
    await expect(channel.request('none')).rejects.toThrow(TypeError)
    expect(await collect(channel.send('many'))).toEqual(['a'])
    await initiator.release()
  })

  test('an RPY may be iterated, and is taken once', async () => {
    const { channel, initiator } = await channelTo((message) => message)
    expect(await collect(channel.send('hi'))).toEqual(['hi'])
    const exchange = channel.send('hi')
    await (await exchange.reply()).text()
    await expect(exchange.reply()).rejects.toThrow(/taken already/)
    await initiator.release()
  })

  test('of two who ask for the next answer at once each is given one, and nobody is told of an end before it', async () => {
    const { channel, initiator } = await channelTo(async function* () {
      for (let n = 0; n < 4; n++) {
        await turns()
        yield String(n)
      }
    })
    const answers = channel.send('x')[Symbol.asyncIterator]()
    const texts = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const { value } = await answers.next()
        return value?.text()
      }),
    )
    expect(texts.toSorted()).toEqual(['0', '1', '2', '3', undefined, undefined])
    await initiator.release()
  })

  test('of those who await a reply and iterate at once one is given it, and nobody waits for ever', async () => {
    const { channel, initiator } = await channelTo((message) => message)
    const exchange = channel.send('hello')
    const [reply, iterated] = await Promise.all([exchange.reply(), soon(collect(exchange))])
    expect([await reply.text(), iterated]).toEqual(['hello', []])
    await initiator.release()
  })

  test('R3080-2.6.1-04 a reply of many answers ends before the next reply begins', async () => {
    const { session, peer } = await rawPair('listener', {
      profiles: [
        {
          uri: 'u:x',
          message: async (message) => {
            if ((await message.text()) === 'one') return 'single'
            return (async function* () {
              yield 'a'
              await turns(2)
              yield 'b'
            })()
          },
        },
      ],
    })
    await rawStart(peer, 1, 'u:x')
    peer.say(peer.frame('MSG 1 0', '\r\nmany') + peer.frame('MSG 1 1', '\r\none'))
    await peer.expect(/ANS 1 0 [\s\S]*ANS 1 0 [\s\S]*NUL 1 0 [\s\S]*RPY 1 1 /)
    session.terminate()
  })

  test('R3080-2.7-02 R3080-2.7-04 a MSG where nothing is served gets ERR', async () => {
    const { initiator, listener } = await sessionPair({}, { profiles: [{ uri: 'u:x' }] })
    const channel = await initiator.start('u:x')
    await expect(channel.request('?')).rejects.toMatchObject({ replyCode: 550 })
    await expect([...listener.channels.values()][0]!.request('?')).rejects.toMatchObject({ replyCode: 550 })
    await initiator.release()
  })

  test('R3080-2.7-03 message numbers are per direction', async () => {
    const { session, peer } = await rawPair('listener', { profiles: [{ uri: 'u:x', message: (message) => message }] })
    await rawStart(peer, 1, 'u:x')
    const asked = session.channels.get(1)!.request('mine')
    await peer.expect(/MSG 1 0 /)
    peer.say(peer.frame('MSG 1 0', '\r\nyours') + peer.frame('RPY 1 0', '\r\nreply'))
    await peer.expect(/RPY 1 0 \. \d+ 7\r\n\r\nyoursEND/)
    expect(await (await asked).text()).toBe('reply')
    session.terminate()
  })
})

describe('handlers that err (RIMP-08)', () => {
  let noted: unknown[] = []
  const note = (notice: unknown) => noted.push(notice)
  beforeEach(() => {
    noted = []
    subscribe('beep:error', note)
  })
  afterEach(() => void unsubscribe('beep:error', note))

  const wrongs: readonly [what: string, message: (message: Message) => unknown][] = [
    [
      'throws before it returns',
      () => {
        throw new Error('secret')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('secret')
      },
    ],
    ['rejects with nothing', () => Promise.reject()],
    ['returns nothing', () => undefined],
    ['returns null', async () => null],
    ['returns a number', () => 42],
    ['returns an array', () => ['a']],
    [
      'returns a sync generator',
      function* () {
        yield 'a'
      },
    ],
    ['returns a body of null', () => ({ body: null })],
    ['returns an unlawful header', () => ({ body: 'x', headers: { 'a b': 'c' } })],
    ['returns a stream of numbers', () => ({ body: streamOf(5) })],
    ['returns a stream of undefined', () => ({ body: streamOf(undefined) })],
    ['returns a stream of array buffers', () => ({ body: streamOf(new ArrayBuffer(8)) })],
    ['yields nothing a body can be', () => streamOf(7)],
    ['throws before its first answer', () => failing('secret')],
    ['returns a stream that fails at once', () => ({ body: failing('secret') })],
    ['takes the body twice', async (message) => `${await message.text()}${await message.text()}`],
    [
      'returns the request after taking it',
      async (message) => {
        await message.text()
        return message
      },
    ],
  ]
  test.each(wrongs)('RIMP-08 one that %s gives ERR 451 and the channel goes on', async (_what, wrong) => {
    let first = true
    const { channel, initiator } = await channelTo(((message: Message) => {
      if (!first) return 'fine'
      first = false
      return wrong(message)
    }) as NonNullable<Profile['message']>)
    await expect(collect(channel.send('x'))).rejects.toMatchObject({ code: 'BEEP_ERR_REPLY', replyCode: 451, text: '' })
    expect(await (await channel.request('x')).text()).toBe('fine')
    await initiator.release()
  })

  test('a handler that throws after its first answer ends the session: NUL would say that all is well (A15)', async () => {
    const { channel, listener } = await channelTo(async function* () {
      yield 'a'
      throw new Error('later')
    })
    await expect(collect(channel.send('x'))).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(await listener.closed).toMatchObject({ kind: 'terminated', by: 'us', error: { cause: { message: 'later' } } })
    expect(noted).toEqual([{ session: listener, error: expect.objectContaining({ cause: new Error('later') }) }])
  })

  test('a reply that fails after part of it has left ends the session', async () => {
    const { channel, listener } = await channelTo(() => ({
      body: (async function* () {
        yield Buffer.alloc(100_000)
        throw new Error('disk')
      })(),
    }))
    const reply = await channel.request('x')
    await expect(reply.bytes()).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(await listener.closed).toMatchObject({ kind: 'terminated', by: 'us' })
    expect(noted).toEqual([{ session: listener, error: expect.objectContaining({ cause: new Error('disk') }) }])
  })

  test('a message of another channel may be passed on', async () => {
    const far = await channelTo((message) => message)
    const near = await channelTo(async (message) => far.channel.request({ body: message, contentType: 'text/x-relayed' }))
    const reply = await near.channel.request('through')
    expect(reply.contentType).toBe('text/x-relayed')
    expect(await reply.text()).toBe('through')
    await near.initiator.release()
    await far.initiator.release()
  })

  test.each([1, 2])(
    'an echo of headers that we may not send is refused, come in %i frames, and the channel goes on',
    async (frames) => {
      const { session, peer } = await rawPair('listener', { profiles: [echo] })
      await rawStart(peer, 1, ECHO)
      const odd = `X-Name: \u00e9\r\n\r\n`
      if (frames === 1) peer.say(peer.frame('MSG 1 0', `${odd}ab`))
      else peer.say(peer.frame('MSG 1 0 *', `${odd}a`) + peer.frame('MSG 1 0', 'b'))
      await peer.expect(/ERR 1 0 [\s\S]*?code='451'[\s\S]*?END\r\n/)
      peer.say(peer.frame('MSG 1 1', '\r\nstill here'))
      await peer.expect(/RPY 1 1 [\s\S]*?still here/)
      session.terminate()
    },
  )

  test.each<[string, (message: Message) => Reply]>([
    ['with unlawful headers', (body) => ({ body, headers: { 'no token': 'x' } })],
    ['after its channel has ended', (message) => message],
  ])('a message that was to be passed on %s is let go: where it came from all goes on', async (what, reply) => {
    const far = await channelTo(async (message) => ((await message.text()) === 'large' ? Buffer.alloc(3_000_000) : 'small'))
    const asked = deferred<void>()
    const may = deferred<void>()
    const near = await channelTo(async () => {
      const message = await far.channel.request('large')
      asked.resolve()
      await may.promise
      return reply(message)
    })
    const request = near.channel.request('x').catch((error: unknown) => error)
    await asked.promise
    if (what.startsWith('after')) {
      near.initiator.terminate()
      await near.listener.closed
    }
    may.resolve()
    await request
    expect(await (await far.channel.request('x')).text()).toBe('small')
    near.initiator.terminate()
    await far.initiator.release()
  })

  test('a refusal of another peer may be passed on', async () => {
    const far = await channelTo(() => {
      throw new ReplyError(534, 'too far', { lang: 'en-GB' })
    })
    const near = await channelTo(() => far.channel.request('x'))
    await expect(near.channel.request('x')).rejects.toMatchObject({ replyCode: 534, text: 'too far', lang: 'en-GB' })
    await near.initiator.release()
    await far.initiator.release()
  })

  test('what is still read when the handler has ended is refused, not left waiting', async () => {
    let reading: Promise<unknown> | undefined
    const { session, peer } = await rawPair('listener', {
      profiles: [
        {
          uri: 'u:x',
          message: async (message) => {
            reading = soon(message.text())
            reading.catch(() => {})
            await turns(1)
            throw new ReplyError(550)
          },
        },
      ],
    })
    await rawStart(peer, 1, 'u:x')
    peer.say(peer.frame('MSG 1 0 *', '\r\nbegun'))
    await peer.expect(/ERR 1 0 /)
    await expect(reading!).rejects.toThrow(/discarded/)
    session.terminate()
  })
})

describe('ERR before the request is complete (§2.6.3)', () => {
  test('R3080-2.6.3-01 R3080-2.6.3-02 R3080-2.6.3-03 the rest of the request is ignored and credited', async () => {
    const served: string[] = []
    const { session, peer } = await rawPair('listener', {
      profiles: [
        {
          uri: 'u:x',
          message: async (message) => {
            if (message.contentType === 'text/bad') throw new ReplyError(554)
            served.push(await message.text())
            return 'ok'
          },
        },
      ],
    })
    await rawStart(peer, 1, 'u:x')
    peer.say(peer.frame('MSG 1 0 *', `Content-Type: text/bad\r\n\r\n${'x'.repeat(1000)}`))
    await peer.expect(/ERR 1 0 /)
    peer.say(peer.frame('MSG 1 0 *', 'y'.repeat(3000)))
    await peer.expect(/SEQ 1 \d+ \d+\r\n/)
    peer.say(peer.frame('MSG 1 0 .', 'y'.repeat(3000)) + peer.frame('MSG 1 1', '\r\nnext'))
    await peer.expect(/RPY 1 1 /)
    expect(served).toEqual(['next'])
    session.terminate()
  })

  test('R3080-2.6.3-04 a stream that is refused early ends with one empty frame and is read no further', async () => {
    const { session, peer } = await rawPair('initiator', {}, ['u:x'])
    const starting = session.start('u:x')
    await peer.expect(/<start [\s\S]*END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
    const channel = await starting
    let closed = false
    const body = (async function* () {
      try {
        for (;;) yield Buffer.alloc(1000)
      } finally {
        closed = true
      }
    })()
    const exchange = channel.send({ body })
    await peer.expect(/MSG 1 0 \* 0 /)
    peer.say(peer.frame('ERR 1 0', '\r\nno'))
    await peer.expect(/MSG 1 0 \. 4096 0\r\nEND\r\n/)
    await expect(exchange.reply()).rejects.toMatchObject({ replyCode: 550, text: 'no' })
    await turns()
    expect(closed).toBe(true)
    await exchange.sent
    session.terminate()
  })
})

test('R3080-2.6.1-02 handlers of one channel run one after the other, in the order of the requests', async () => {
  const log: string[] = []
  const { channel, initiator } = await channelTo(async (message) => {
    const text = await message.text()
    log.push(`+${text}`)
    await turns(1)
    log.push(`-${text}`)
    return text
  })
  await Promise.all(['1', '2', '3'].map(async (each) => (await channel.request(each)).text()))
  expect(log).toEqual(['+1', '-1', '+2', '-2', '+3', '-3'])
  await initiator.release()
})

test('R3080-2.6.2-02 a channel that is busy holds up no other', async () => {
  const { initiator } = await sessionPair(
    {},
    { profiles: [{ uri: 'u:slow', message: () => new Promise<string>(() => {}) }, echo] },
  )
  const slow = await initiator.start('u:slow')
  const fast = await initiator.start(ECHO)
  slow.request('x').catch(() => {})
  expect(await (await fast.request('fast')).text()).toBe('fast')
  initiator.terminate()
})
