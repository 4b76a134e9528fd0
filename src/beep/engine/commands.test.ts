// Commands of the application: what they refuse and in what words, and that taking a message back leaves no trace of it.
import { describe, expect, test } from '@jest/globals'
import { MAX_NUMBER } from '../limits.js'
import { ask, asking, consume, I, I1, L1, messages, type Peer, reply } from './test-kit.js'

/** L1 with MSGs of the peer that are to be answered. */
function owing(count = 1): Peer {
  const peer = L1()
  for (let msgno = 0; msgno < count; msgno++) consume(peer.engine, peer.say('MSG', 1, msgno, '\r\n'))
  return peer
}

describe('what may not be sent', () => {
  test('anything but channel management on channel 0', () => {
    expect(() => I1().engine.send(0, 'MSG')).toThrow('Channel 0 carries channel management only (RFC 3080 §2.3)')
  })

  test('a payload in NUL, but for one of no octet', () => {
    const { engine } = owing()
    const one = new Uint8Array(1)
    expect(() => engine.send(1, 'NUL', 0, 0, [new Uint8Array(0), one])).toThrow('NUL has no payload')
    engine.send(1, 'NUL', 0, 0, [new Uint8Array(0)])
    expect(() => engine.send(1, 'NUL', 0)).toThrow('for MSG none, not 0')
  })

  test('a reply out of order', () => {
    expect(() => reply(L1().engine, 'RPY')).toThrow('The next reply on channel 1 is for MSG none, not 0 (RFC 3080 §2.6.1)')
    expect(() => reply(owing(2).engine, 'RPY', 1)).toThrow('The next reply on channel 1 is for MSG 0, not 1 (RFC 3080 §2.6.1)')
  })

  test('RPY or ERR after an answer', () => {
    const { engine } = owing()
    reply(engine, 'ANS')
    for (const keyword of ['RPY', 'ERR'] as const)
      expect(() => reply(engine, keyword)).toThrow(`${keyword} cannot follow ANS in one reply (RFC 3080 §2.1.1)`)
    reply(engine, 'ANS')
    reply(engine, 'NUL')
  })

  test('an answer number beyond 2147483647; a reply that is no answer has none', () => {
    const { engine } = owing(2)
    expect(() => reply(engine, 'ANS', 0, '', MAX_NUMBER + 1)).toThrow(
      'An answer number is 0..2147483647 (RFC 3080 §2.2.1); got 2147483648',
    )
    reply(engine, 'ANS', 0, '', MAX_NUMBER)
    reply(engine, 'NUL', 0, '', -1)
    reply(engine, 'RPY', 1, '', -1)
  })

  test('a MSG where there is no channel, or no session', () => {
    const { engine } = I1()
    expect([engine.maySend(1), engine.maySend(0), engine.maySend(3)]).toEqual([true, false, false])
    engine.terminate()
    expect(engine.maySend(1)).toBe(false)
    expect(() => ask(engine)).toThrow('Channel 1 is being closed: it takes no MSG (RFC 3080 §2.3.1.3)')
  })
})

describe('what is taken back', () => {
  test('does not wait to be sent, and takes nothing more', () => {
    const { engine } = owing()
    const message = engine.send(1, 'RPY')
    engine.write(message, new Uint8Array(100))
    expect(engine.replies).toBe(100)
    engine.withdraw(message)
    expect([engine.replies, engine.outstanding]).toEqual([0, 1])
    expect(engine.write(message, new Uint8Array(100_000))).toBe(true)
    expect(engine.replies).toBe(0)
  })

  test('a request is not waited for: the release is said', () => {
    const peer = I1()
    peer.engine.withdraw(peer.engine.send(1, 'MSG'))
    peer.engine.close(0)
    expect(peer.heard()).toMatchObject([{ word: 'MSG', channel: 0 }])
  })

  test('a reply is not taken for a request: the release still waits for ours', () => {
    const peer = asking(1)
    peer.say('MSG', 1, 0, '\r\n')
    peer.engine.withdraw(reply(peer.engine, 'RPY'))
    peer.engine.close(0)
    expect(peer.heard()).toEqual([])
    peer.say('RPY', 1, 0, '\r\n')
    expect(peer.heard()).toMatchObject([{ word: 'MSG', channel: 0 }])
  })
})

test('what has left does not count as backlog', () => {
  const peer = owing()
  for (let ansno = 0; ansno < 300; ansno++) reply(peer.engine, 'ANS', 0, 'x'.repeat(18), ansno)
  expect(peer.engine.backlog(reply(peer.engine, 'ANS', 0, '', 300))).toBe(true)
  // The window lets 204 of them leave.
  peer.heard()
  expect(peer.engine.backlog(reply(peer.engine, 'ANS', 0, '', 301))).toBe(false)
})

test('a message of several frames is counted once, in either direction', () => {
  const peer = I1()
  peer.say('MSG', 1, 0, '\r\n', true)
  peer.say('MSG', 1, 0, 'a', true)
  expect(peer.engine.traffic(1)).toMatchObject({ framesReceived: 2, messagesReceived: 0, octetsReceived: 3 })
  expect(messages(peer.say('MSG', 1, 0, 'b'))).toHaveLength(1)
  expect(peer.engine.traffic(1)).toMatchObject({ framesReceived: 3, messagesReceived: 1, octetsReceived: 4 })
  const message = peer.engine.send(1, 'MSG')
  peer.engine.write(message, new Uint8Array(5))
  peer.heard()
  expect(peer.engine.traffic(1)).toMatchObject({ framesSent: 1, messagesSent: 0, octetsSent: 5 })
  peer.engine.end(message)
  peer.heard()
  expect(peer.engine.traffic(1)).toMatchObject({ framesSent: 2, messagesSent: 1, octetsSent: 5 })
})

test('the language of a refusal is told', () => {
  const peer = I()
  peer.engine.start([{ uri: 'u:x' }])
  peer.heard()
  expect(peer.manage('ERR', 1, "<error code='550' xml:lang='fr'>non</error>")).toMatchObject([
    { type: 'declined', error: { replyCode: 550, text: 'non', lang: 'fr' } },
  ])
})
