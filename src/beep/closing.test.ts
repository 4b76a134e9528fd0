// Closes of channels (RFC 3080 §2.3.1.3), as users see them and as they look on the wire.
import { describe, expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { type Channel, type Profile, ReplyError } from './index.js'
import { deferred } from './promises.js'
import { asking, close, manual, serving } from './test-kit-closing.js'
import { rawPair, rawStart, soon, turns } from './test-kit-peer.js'
import { sessionPair } from './testing.js'

describe('we close a channel (§2.3.1.3)', () => {
  test('R3080-2.3.1.3-01 R3080-2.3.1.3-02 <close> names number and code', async () => {
    const { session, peer, channel } = await asking()
    const closing = channel.close({ code: 550, text: 'no more' })
    await peer.expect(/MSG 0 2 \. \d+ \d+\r\n[\s\S]*<close number='1' code='550' xml:lang='en'>no more<\/close>END\r\n/)
    peer.say(peer.management('RPY 2', '<ok />'))
    await closing
    expect(await channel.closed).toEqual({ kind: 'released', by: 'us' })
    expect(session.channels.size).toBe(0)
    await channel.close()
    session.terminate()
  })

  test('R3080-2.3.1.3-07 it is said once every request has been answered', async () => {
    const { session, peer, channel } = await asking()
    const asked = channel.request('x')
    await peer.expect(/MSG 1 0 /)
    const closing = channel.close()
    await turns(5)
    expect(peer.heard).not.toContain('<close')
    peer.say(peer.frame('RPY 1 0 *', '\r\na') + peer.frame('RPY 1 0 .', 'b'))
    await peer.expect(/<close number='1'/)
    peer.say(peer.management('RPY 2', '<ok />'))
    await closing
    expect(await (await asked).text()).toBe('ab')
    session.terminate()
  })

  test('R3080-2.3.1.3-09 meanwhile no MSG is taken', async () => {
    const { session, peer, channel } = await asking()
    const closing = channel.close()
    await peer.expect(/<close/)
    expect(() => channel.send('late')).toThrow(expect.objectContaining({ code: 'BEEP_ERR_CLOSED' }))
    await expect(channel.request('late')).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    peer.say(peer.management('RPY 2', '<ok />'))
    await closing
    expect(peer.heard).not.toMatch(/MSG 1 /)
    session.terminate()
  })

  test('R3080-2.3.1.3-10 refused, it is as before', async () => {
    const { session, peer, channel } = await asking()
    const closing = channel.close()
    await peer.expect(/<close/)
    peer.say(peer.management('ERR 2', `<error code='550'>still working</error>`))
    await expect(closing).rejects.toMatchObject({ replyCode: 550, text: 'still working' })
    channel.request('again').catch(() => {})
    await peer.expect(/MSG 1 0 \. 0 7\r\n\r\nagainEND/)
    session.terminate()
  })

  test('R3080-2.3.1.3-11 until <ok/> the requests of the peer are served', async () => {
    const { session, peer } = await rawPair('initiator', { profiles: [{ ...echo, uri: 'u:x' }] }, ['u:x'])
    const starting = session.start('u:x')
    await peer.expect(/<start [\s\S]*END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
    const channel = await starting
    const closing = channel.close()
    await peer.expect(/<close/)
    peer.say(peer.frame('MSG 1 0', '\r\nlate'))
    await peer.expect(/RPY 1 0 \. 0 6\r\n\r\nlateEND/)
    peer.say(peer.management('RPY 2', '<ok />'))
    await closing
    session.terminate()
  })

  test('a code that is none is refused, and the channel can be closed all the same', async () => {
    const { initiator } = await sessionPair({}, { profiles: [echo] })
    const channel = await initiator.start(ECHO)
    await expect(channel.close({ code: 42 })).rejects.toThrow(RangeError)
    expect(await soon(channel.close())).toBeUndefined()
    await initiator.release()
  })

  test('a close that nobody answers takes closeTimeout', async () => {
    const { session, channel } = await asking({ closeTimeout: 30 })
    await expect(channel.close()).rejects.toMatchObject({ code: 'BEEP_ERR_TIMEOUT' })
    session.terminate()
  })

  test('<ok/> while we owe a reply: what the handler says then goes nowhere, and harms nothing', async () => {
    const { asked, profile } = manual()
    const { session, peer } = await rawPair('initiator', { profiles: [profile] }, ['u:x'])
    const starting = session.start('u:x')
    await peer.expect(/<start [\s\S]*END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
    const channel = await starting
    peer.say(peer.frame('MSG 1 0', '\r\nq'))
    await turns()
    const closing = channel.close()
    await peer.expect(/<close/)
    peer.say(peer.management('RPY 2', '<ok />'))
    await closing
    asked[0]!.answer('too late')
    await turns()
    const again = session.start('u:x')
    await peer.expect(/<start [\s\S]*END\r\n/)
    peer.say(peer.management('RPY 3', `<profile uri='u:x' />`))
    expect((await again).number).toBe(3)
    session.terminate()
  })
})

describe('the peer closes a channel (§2.3.1.3)', () => {
  test('R3080-2.3.1.3-06 one that does not exist is ERR', async () => {
    const { session, peer } = await serving({ uri: 'u:x' })
    close(peer, 2, 7)
    await peer.expect(/ERR 0 2 [\s\S]*<error code='553'/)
    session.terminate()
  })

  test('R3080-2.3.1.3-12 the profile may refuse', async () => {
    const { session, peer, channel } = await serving({
      uri: 'u:x',
      message: (message) => message,
      close: (_channel, { code }) => {
        throw new ReplyError(550, `not with ${code}`)
      },
    })
    close(peer, 2, 1)
    await peer.expect(/ERR 0 2 [\s\S]*<error code='550' xml:lang='en'>not with 200<\/error>END/)
    peer.say(peer.frame('MSG 1 0', '\r\nstill'))
    await peer.expect(/RPY 1 0 \. 0 7\r\n\r\nstillEND/)
    expect(await soon(channel.closed, 10)).toBe('pending')
    session.terminate()
  })

  test('R3080-2.3.1.3-13 R3080-2.3.1.3-14 R3080-2.3.1.3-21 our requests are sent and answered before <ok/>', async () => {
    const { session, peer, channel } = await serving({ uri: 'u:x' })
    const replies = [channel.request('a'), channel.request('b')]
    close(peer, 2, 1)
    await peer.expect(/MSG 1 0 [\s\S]*MSG 1 1 [\s\S]*END\r\n/)
    peer.say(peer.frame('RPY 1 0', '\r\nA') + peer.frame('RPY 1 1 *', '\r\nB'))
    await turns(4)
    expect(peer.heard).not.toContain('<ok')
    peer.say(peer.frame('RPY 1 1 .', 'B'))
    await peer.expect(/RPY 0 2 [\s\S]*<ok \/>END/)
    expect(await Promise.all(replies.map(async (each) => (await each).text()))).toEqual(['A', 'BB'])
    session.terminate()
  })

  test('R3080-2.3.1.3-13 a request that is taken back no longer holds up <ok/>', async () => {
    const { session, peer, channel } = await serving({ uri: 'u:x' })
    channel
      .send(Buffer.alloc(5000))
      .reply()
      .catch(() => {})
    await peer.expect(/MSG 1 0 \* /)
    peer.say(peer.frame('ERR 1 0', '\r\nno'))
    await peer.expect(/MSG 1 0 \. 4096 0\r\nEND\r\n/)
    const abort = new AbortController()
    const stuck = channel.request('x', { signal: abort.signal })
    await turns()
    close(peer, 2, 1)
    await turns()
    expect(peer.heard).not.toContain('<ok')
    abort.abort(new Error('enough'))
    // Between the end of a channel and its event, closing it is no mistake.
    await channel.close()
    await expect(stuck).rejects.toThrow('enough')
    await peer.expect(/RPY 0 2 [\s\S]*<ok \/>END/)
    expect(await channel.closed).toEqual({ kind: 'released', by: 'peer' })
    session.terminate()
  })

  test('R3080-2.3.1.3-15 R3080-2.3.1.3-16 replies that we owe stand before <ok/>', async () => {
    const { asked, profile } = manual()
    const { session, peer } = await serving(profile)
    peer.say(peer.frame('MSG 1 0', '\r\nslow') + peer.frame('MSG 1 1', '\r\nslower'))
    close(peer, 2, 1)
    await turns(4)
    expect(peer.heard).not.toContain('<ok')
    expect(asked[0]!.signal.aborted).toBe(true)
    asked[0]!.answer('1')
    await turns(2)
    // A handler that begins now is told as well.
    expect(asked[1]!.signal.aborted).toBe(true)
    asked[1]!.answer('2')
    await peer.expect(/RPY 1 0 [\s\S]*RPY 1 1 [\s\S]*RPY 0 2 [\s\S]*<ok \/>END/)
    session.terminate()
  })

  test('R3080-2.3.1.3-17 R3080-2.3.1.3-18 whoever started it; and its number begins anew', async () => {
    const { session, peer, channel } = await serving({ uri: 'u:x', message: (message) => message })
    peer.say(peer.frame('MSG 1 0', '\r\nold'))
    await peer.expect(/RPY 1 0 /)
    const late = channel.send('x')
    await peer.expect(/MSG 1 0 /)
    peer.say(peer.frame('RPY 1 0', '\r\nunread'))
    const unread = await late.reply()
    close(peer, 2, 1)
    await peer.expect(/<ok \/>END/)
    peer.forget(1)
    await rawStart(peer, 1, 'u:x', 3)
    // What is left of the old channel is nothing to the new one.
    expect(await unread.text()).toBe('unread')
    await channel.close()
    expect(() => channel.send('x')).toThrow(/closed/)
    peer.say(peer.frame('MSG 1 0', '\r\nnew'))
    await peer.expect(/RPY 1 0 \. 0 5\r\n\r\nnewEND/)
    session.terminate()
  })

  test('R3080-2.3.1.3-18 octets of an old channel that are read late are not credited to the new one', async () => {
    const { session, peer, channel } = await serving({ uri: 'u:x', message: (message) => message })
    const exchange = channel.send('x')
    await peer.expect(/MSG 1 0 /)
    peer.say(peer.frame('ANS 1 0', `\r\n${'a'.repeat(1000)}`, 0) + peer.frame('NUL 1 0'))
    await turns()
    close(peer, 2, 1)
    await peer.expect(/<ok \/>END/)
    peer.forget(1)
    await rawStart(peer, 1, 'u:x', 3)
    let size = 0
    for await (const answer of exchange) size += (await answer.bytes()).length
    expect(size).toBe(1000)
    session.terminate()
  })

  test('R3080-2.3.1.3-18 a handler of an old channel cannot answer on the new one', async () => {
    const { asked, profile } = manual()
    const { session, peer } = await rawPair('initiator', { profiles: [profile] })
    // The peer is the listener here: its channels are even.
    await rawStart(peer, 2, 'u:x')
    peer.say(peer.frame('MSG 2 0', '\r\nold'))
    await turns()
    const closing = session.channels.get(2)!.close()
    await peer.expect(/<close number='2'/)
    // Against §2.3.1.3: the reply is still owed.
    peer.say(peer.management('RPY 1', '<ok />'))
    await closing
    peer.forget(2)
    await rawStart(peer, 2, 'u:x', 2)
    peer.say(peer.frame('MSG 2 0', '\r\nnew'))
    await turns()
    asked[0]!.answer('for the old')
    await turns()
    asked[1]!.answer('for the new')
    expect(await peer.expect(/RPY 2 0 [\s\S]*?END/)).toContain('for the new')
    session.terminate()
  })

  test('R3080-2.3.1.3-23 what never ends is refused with 550 after settleTimeout, and goes on', async () => {
    const { asked, profile } = manual()
    const { session, peer } = await serving(profile, { settleTimeout: 30 })
    peer.say(peer.frame('MSG 1 0', '\r\nslow'))
    close(peer, 2, 1)
    await peer.expect(/ERR 0 2 [\s\S]*<error code='550' xml:lang='en'>still working/)
    asked[0]!.answer('at last')
    await peer.expect(/RPY 1 0 /)
    peer.say(peer.frame('MSG 1 1', '\r\nnext'))
    await turns()
    // The refused close is forgotten.
    expect(asked[1]!.signal.aborted).toBe(false)
    session.terminate()
  })

  test.each([
    ['a close handler that never ends is refused with 550, too', false],
    ['and one that ends too late changes nothing', true],
  ])('%s', async (_what, ends) => {
    const slept = deferred<void>()
    const { session, peer } = await serving(
      { uri: 'u:x', message: (message) => message, close: () => slept.promise },
      { settleTimeout: 30 },
    )
    close(peer, 2, 1)
    await peer.expect(/ERR 0 2 [\s\S]*<error code='550'/)
    if (ends) slept.resolve()
    await turns()
    peer.say(peer.frame('MSG 1 0', '\r\nstill'))
    await peer.expect(/RPY 1 0 /)
    session.terminate()
  })
})

test('a close of ours that comes too late closes no other channel that has the number by now', async () => {
  const opened: Channel[] = []
  const closing = deferred<void>()
  const profiles: Profile[] = [
    { uri: 'u:x', open: (channel) => void opened.push(channel), message: () => 'still here' },
    {
      uri: 'u:closer',
      message() {
        opened[0]!.close().then(closing.resolve, closing.reject)
        return 'done'
      },
    },
  ]
  const { session, peer } = await rawPair('listener', { profiles })
  await rawStart(peer, 1, 'u:x', 1)
  await rawStart(peer, 3, 'u:closer', 2)
  peer.say(
    peer.frame('MSG 3 0', '\r\nclose it') +
      peer.management('MSG 3', "<close number='1' code='200' />") +
      peer.management('MSG 4', "<start number='1'><profile uri='u:x' /></start>"),
  )
  await peer.expect(/RPY 0 4 [\s\S]*<profile uri='u:x' \/>END\r\n/)
  await closing.promise
  expect([...session.channels.keys()]).toEqual([3, 1])
  peer.say(peer.frame('MSG 1 0', '\r\n?'))
  await peer.expect(/RPY 1 0 [\s\S]*still here/)
  expect(peer.heard).not.toContain("<close number='1'")
})
