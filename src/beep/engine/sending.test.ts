// RFC 3080 §2.2 for what the engine sends: sizes, numbers, and one message after the other; and sequence numbers near 2^32.
import { describe, expect, test } from '@jest/globals'
import {
  advanceTo,
  ask,
  BX,
  channelOf,
  expectTermination,
  heard,
  I1,
  L1,
  messages,
  type Peer,
  readFrames,
  reply,
} from './test-kit.js'

describe('what is sent', () => {
  test('R3080-2.2.1.1-12 the numbers of messages of 10, 0 and 5 octets', () => {
    const { engine } = I1()
    for (const size of [10, 0, 5]) engine.send(1, 'MSG', 0, 0, [new Uint8Array(size)])
    expect(readFrames(heard(engine)).map((frame) => frame.seqno)).toEqual([0, 10, 10])
  })

  test('R3080-2.2-05 R3080-2.2.1.1-13 a large message is cut; every frame but the last says that more follows', () => {
    const { engine } = I1({ frameSize: 1000 })
    engine.send(1, 'MSG', 0, 0, [new Uint8Array(3500)])
    const frames = readFrames(heard(engine))
    expect(frames.map((frame) => [frame.more, frame.seqno, frame.payload.length])).toEqual([
      [true, 0, 1000],
      [true, 1000, 1000],
      [true, 2000, 1000],
      [false, 3000, 500],
    ])
  })

  test('R3080-2.2.1.1-11 a message that was begun is finished, if with an empty frame', () => {
    const { engine } = I1()
    const message = engine.send(1, 'MSG')
    engine.write(message, new Uint8Array(5))
    expect(heard(engine)).toMatch(/^MSG 1 0 \* 0 5\r\n/)
    ask(engine)
    expect(engine.pending).toBe(false)
    engine.end(message)
    expect(heard(engine)).toBe('MSG 1 0 . 5 0\r\nEND\r\nMSG 1 1 . 5 2\r\n\r\nEND\r\n')
  })

  test('R3080-2.2.1.1-18 R3080-2.2.1.1-39 T54 a reply waits for the end of our half-sent MSG', () => {
    const peer = I1()
    const message = peer.engine.send(1, 'MSG')
    peer.engine.write(message, new Uint8Array(5))
    peer.heard()
    peer.say('MSG', 1, 0, '\r\n')
    reply(peer.engine, 'RPY')
    expect(peer.heard()).toEqual([])
    peer.engine.end(message)
    expect(peer.heard().map((frame) => frame.word)).toEqual(['MSG', 'RPY'])
  })

  test('R3080-2.2.1.1-06 300 MSGs without a reply have 300 numbers', () => {
    const { engine } = I1()
    for (let count = 0; count < 300; count++) ask(engine)
    const numbers = readFrames(heard(engine)).map((frame) => frame.msgno)
    expect(new Set(numbers).size).toBe(300)
  })

  test('R3080-2.2.1.1-16 R3080-2.2.1-09 parallel answers never mix on the wire, and their numbers are in range', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    const [first, second] = [0, 1].map((ansno) => peer.engine.send(1, 'ANS', 0, ansno))
    peer.engine.write(second!, new Uint8Array(3))
    peer.engine.write(first!, new Uint8Array(2))
    expect(peer.heard().map(({ ansno, more }) => [ansno, more])).toEqual([[0, true]])
    peer.engine.end(first!)
    peer.engine.end(second!)
    expect(peer.heard().map(({ ansno, more }) => [ansno, more])).toEqual([
      [0, false],
      [1, false],
    ])
    for (const ansno of [2147483648, -1, 0.5]) expect(() => reply(peer.engine, 'ANS', 0, '', ansno)).toThrow(RangeError)
    expect(peer.heard()).toEqual([])
  })

  test('R3080-2.2.1.1-32 NUL is sent empty, and cannot be given a payload', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    expect(() => peer.engine.send(1, 'NUL', 0, 0, [new Uint8Array(2)])).toThrow(TypeError)
    const nul = peer.engine.send(1, 'NUL', 0)
    peer.engine.write(nul, new Uint8Array(2))
    expect(heard(peer.engine)).toBe('NUL 1 0 . 0 0\r\nEND\r\n')
  })
})

describe('sequence numbers near 2^32', () => {
  function at(seqno: number, make = L1): Peer {
    const peer = make()
    advanceTo(channelOf(peer.engine, 1), seqno)
    return peer
  }

  test.each<[id: string, seqno: number, wire: string, expected: string[]]>([
    [
      'R3080-2.2.1.2-03 T07 the modulus is 2^32',
      4294967290,
      'MSG 1 0 . 4294967290 10\r\n0123456789END\r\nMSG 1 1 . 4 1\r\nzEND\r\n',
      ['1 MSG 0 0 0123456789', '1 MSG 1 0 z'],
    ],
    [
      'R3080-2.2.1.2-05 the octet after 4294967295 is 0',
      4294967295,
      'MSG 1 0 * 4294967295 1\r\naEND\r\nMSG 1 0 . 0 1\r\nbEND\r\n',
      ['1 MSG 0 0 ab'],
    ],
    [
      'T06 numbers beyond 2^31',
      2147483640,
      'MSG 1 0 * 2147483640 16\r\n0123456789012345END\r\nMSG 1 0 . 2147483656 1\r\nbEND\r\n',
      ['1 MSG 0 0 0123456789012345b'],
    ],
  ])('%s', (_id, seqno, wire, expected) => {
    expect(messages(at(seqno).raw(wire))).toEqual(expected)
  })

  test('T07 a modulus of 2^32 - 1 is a gap', () => {
    expectTermination(
      () => at(4294967290),
      'MSG 1 0 . 4294967290 10\r\n0123456789END\r\nMSG 1 1 . 5 1\r\nzEND\r\n',
      'rfc3080/2.2.1.2/seqno',
    )
  })

  test('R3080-2.2.1.2-04 what is in flight across 2^32 is counted', () => {
    const peer = at(4294967286, I1)
    const channel = channelOf(peer.engine, 1)
    peer.engine.send(1, 'MSG', 0, 0, [new Uint8Array(20)])
    expect(peer.heard()).toMatchObject([{ seqno: 4294967286 }])
    peer.raw('SEQ 1 4294967286 100\r\n')
    expect(channel.sending).toMatchObject({ next: 10, usable: 80 })
  })
})

describe('both directions', () => {
  test('R3080-2.2.1.2-02 R3080-2.2.1.2-08 each begins at 0 and counts for itself', () => {
    const peer = L1()
    peer.engine.send(1, 'MSG', 0, 0, [new Uint8Array(100)])
    expect(peer.heard()).toMatchObject([{ seqno: 0 }])
    expect(messages(peer.raw('MSG 1 0 . 0 1\r\naEND\r\n'))).toEqual(['1 MSG 0 0 a'])
  })

  test('R3080-2-03 R3080-2.1-01 several channels are active together, and either peer may ask', () => {
    const peer = L1({}, 3, 5)
    for (const number of [1, 3, 5]) peer.say('MSG', number, 0, '\r\n')
    for (const number of [5, 3, 1]) reply(peer.engine, 'RPY', 0, '', 0, number)
    for (const number of [1, 3, 5]) ask(peer.engine, '', number)
    const frames = peer.heard()
    expect(frames.map(({ word, channel }) => `${word} ${channel}`).sort()).toEqual(
      ['MSG', 'RPY'].flatMap((word) => [1, 3, 5].map((number) => `${word} ${number}`)),
    )
    for (const number of [1, 3, 5]) expect(peer.say('RPY', number, 0, '\r\n')).toMatchObject([{ keyword: 'RPY', last: true }])
  })

  test('R3080-2.2.1-13 SEQ is a frame of this transport and is processed', () => {
    const peer = I1()
    expect(peer.raw('SEQ 1 0 8192\r\n')).toEqual([])
    expect(channelOf(peer.engine, 1).sending.usable).toBe(8192)
  })

  test('R3080-2.2.1.1-13 what channel 0 says has exact sizes', () => {
    const peer = L1()
    peer.manage('MSG', 2, '<close')
    expect(peer.heard()).toMatchObject([{ word: 'ERR', payload: expect.stringContaining(`${BX}<error `) }])
  })
})
