// Exchanges as the engine keeps them: the three styles (RFC 3080 §2.1.1), their order (§2.6.1), early refusals (§2.6.3), both directions (§2.7).
import { describe, expect, test } from '@jest/globals'
import {
  ask,
  asking,
  channelOf,
  consume,
  drain,
  expectTermination,
  heard,
  I,
  I1,
  L1,
  messages,
  octets,
  reply,
} from './test-kit.js'

const said = (frames: readonly { word: string; channel: number; msgno: number; more: boolean }[]): string[] =>
  frames.map(({ word, channel, msgno, more }) => `${word} ${channel} ${msgno} ${more ? '*' : '.'}`)

describe('the three styles', () => {
  test('R3080-2.1.1-01 R3080-2.1.1-02 one RPY, or one ERR', () => {
    for (const keyword of ['RPY', 'ERR'] as const) {
      const peer = L1()
      peer.say('MSG', 1, 0, '\r\n')
      reply(peer.engine, keyword)
      expect(said(peer.heard())).toEqual([`${keyword} 1 0 .`])
      expect(() => reply(peer.engine, keyword)).toThrow(RangeError)
      expect(peer.engine.outstanding).toBe(0)
    }
  })

  test('R3080-2.1.1-03 no answer or several, then NUL', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    peer.say('MSG', 1, 1, '\r\n')
    reply(peer.engine, 'NUL', 0)
    for (const ansno of [0, 1]) reply(peer.engine, 'ANS', 1, '', ansno)
    reply(peer.engine, 'NUL', 1)
    expect(said(peer.heard())).toEqual(['NUL 1 0 .', 'ANS 1 1 .', 'ANS 1 1 .', 'NUL 1 1 .'])
    expect(peer.engine.outstanding).toBe(0)
  })

  test.each([
    ['ANS', 'RPY'],
    ['ANS', 'ERR'],
    ['RPY', 'ANS'],
    ['RPY', 'NUL'],
    ['ERR', 'RPY'],
    ['NUL', 'ANS'],
  ] as const)('R3080-2.1.1-04 after %s no %s: it throws and nothing leaves', (first, second) => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    reply(peer.engine, first)
    expect(said(peer.heard())).toEqual([`${first} 1 0 .`])
    expect(() => reply(peer.engine, second)).toThrow()
    expect(peer.engine.transmit()).toEqual([])
  })

  test('R3080-2.1.1-04 a NUL that was taken back does not make an ERR after answers lawful', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    reply(peer.engine, 'ANS')
    peer.heard()
    expect(peer.engine.withdraw(reply(peer.engine, 'NUL'))).toBe(true)
    expect(() => reply(peer.engine, 'ERR')).toThrow(TypeError)
    reply(peer.engine, 'NUL')
    expect(said(peer.heard())).toEqual(['NUL 1 0 .'])
  })

  test('a reply of which nothing has left may be taken back and given in another style', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    expect(peer.engine.withdraw(reply(peer.engine, 'RPY'))).toBe(true)
    expect(peer.engine.withdraw(reply(peer.engine, 'ANS'))).toBe(true)
    reply(peer.engine, 'ERR')
    expect(said(peer.heard())).toEqual(['ERR 1 0 .'])
  })
})

describe('order', () => {
  test('R3080-2.6.1-01 ten MSGs leave without a reply, with ten numbers', () => {
    const { engine } = I1()
    for (let count = 0; count < 10; count++) ask(engine)
    expect(heard(engine).match(/MSG 1 \d \. \d+ 2\r\n/g)).toHaveLength(10)
  })

  test('R3080-2.6.1-02 MSGs are told in the order in which they came', () => {
    const peer = L1()
    const wire = [3, 1, 2].map((msgno) => peer.frame('MSG', 1, msgno, '\r\n')).join('')
    expect(messages(peer.raw(wire))).toEqual(['1 MSG 3 0 ', '1 MSG 1 0 ', '1 MSG 2 0 '])
  })

  test('R3080-2.6.1-03 T53 replies leave in the order of the requests: another order is refused', () => {
    const peer = L1()
    for (const msgno of [0, 1, 2]) peer.say('MSG', 1, msgno, '\r\n')
    expect(() => reply(peer.engine, 'RPY', 1)).toThrow(RangeError)
    for (const msgno of [0, 1, 2]) reply(peer.engine, 'RPY', msgno)
    expect(said(peer.heard())).toEqual(['RPY 1 0 .', 'RPY 1 1 .', 'RPY 1 2 .'])
  })

  test('R3080-2.6.1-03 a reply cannot be taken back when a later one waits behind it', () => {
    const peer = L1()
    for (const msgno of [0, 1]) peer.say('MSG', 1, msgno, '\r\n')
    const first = reply(peer.engine, 'RPY', 0)
    reply(peer.engine, 'RPY', 1)
    expect(peer.engine.withdraw(first)).toBe(false)
    expect(said(peer.heard())).toEqual(['RPY 1 0 .', 'RPY 1 1 .'])
  })

  test('R3080-2.6.1-03 the last of several replies that wait can be taken back, and is due again', () => {
    const peer = L1()
    for (const msgno of [0, 1]) peer.say('MSG', 1, msgno, '\r\n')
    reply(peer.engine, 'RPY', 0)
    expect(peer.engine.withdraw(reply(peer.engine, 'RPY', 1))).toBe(true)
    reply(peer.engine, 'ERR', 1)
    expect(said(peer.heard())).toEqual(['RPY 1 0 .', 'ERR 1 1 .'])
  })

  test('R3080-2.6.1-03 what was taken back is due before what is younger, though that was tried meanwhile', () => {
    const peer = L1()
    for (const msgno of [0, 1]) peer.say('MSG', 1, msgno, '\r\n')
    const first = reply(peer.engine, 'RPY', 0)
    expect(() => reply(peer.engine, 'RPY', 7)).toThrow(/is for MSG 1, not 7/)
    expect(peer.engine.withdraw(first)).toBe(true)
    expect(() => reply(peer.engine, 'RPY', 1)).toThrow(/is for MSG 0, not 1/)
    for (const msgno of [0, 1]) reply(peer.engine, 'RPY', msgno)
    expect(said(peer.heard())).toEqual(['RPY 1 0 .', 'RPY 1 1 .'])
  })

  test('R3080-2.6.1-04 a one-to-many reply ends with NUL before the next reply', () => {
    const peer = L1()
    for (const msgno of [0, 1]) peer.say('MSG', 1, msgno, '\r\n')
    reply(peer.engine, 'ANS', 0)
    expect(() => reply(peer.engine, 'RPY', 1)).toThrow(RangeError)
    reply(peer.engine, 'NUL', 0)
    reply(peer.engine, 'RPY', 1)
    expect(said(peer.heard())).toEqual(['ANS 1 0 .', 'NUL 1 0 .', 'RPY 1 1 .'])
  })

  test('R3080-2.6.1-05 a reply that overtakes an older one ends the session (A16)', () => {
    expectTermination(() => asking(3), 'RPY 1 2 . 0 1\r\nbEND\r\n', 'rfc3080/2.6.1/reply-order')
    expectTermination(() => asking(2), 'ANS 1 0 . 0 1 0\r\naEND\r\nRPY 1 1 . 1 1\r\nbEND\r\n', 'rfc3080/2.6.1/reply-order')
  })

  test('R3080-2.6.2-01 requests on different channels are outstanding together', () => {
    const peer = L1({}, 3)
    ask(peer.engine, '', 1)
    ask(peer.engine, '', 3)
    expect(said(peer.heard())).toEqual(['MSG 1 0 .', 'MSG 3 0 .'])
  })

  test('R3080-2.6.2-02 R3080-2.5.2-01 there is no order between channels', () => {
    const peer = L1({}, 3)
    peer.raw('MSG 1 0 . 0 7\r\n\r\nblockEND\r\nMSG 3 0 . 0 6\r\n\r\nfastEND\r\n')
    reply(peer.engine, 'RPY', 0, '', 0, 3)
    expect(said(peer.heard())).toEqual(['RPY 3 0 .'])
  })

  test('R3080-2.6.2-03 a channel that nobody reads stalls no other, nor channel 0', () => {
    const peer = L1({}, 3)
    peer.say('MSG', 1, 0, 'x'.repeat(4096))
    peer.say('MSG', 3, 0, '\r\n')
    reply(peer.engine, 'RPY', 0, '', 0, 3)
    peer.manage('MSG', 9, "<close number='3' code='200' />")
    peer.heard()
    peer.engine.agree(3)
    expect(said(peer.heard())).toEqual(['RPY 0 9 .'])
  })
})

describe('ERR before the request is complete', () => {
  test('R3080-2.6.3-01 only ERR leaves early; RPY, ANS and NUL are held', () => {
    for (const keyword of ['RPY', 'ANS', 'NUL', 'ERR'] as const) {
      const peer = L1()
      peer.say('MSG', 1, 3, '\r\nhe', true)
      reply(peer.engine, keyword, 3)
      expect(said(peer.heard())).toEqual(keyword === 'ERR' ? ['ERR 1 3 .'] : [])
      peer.say('MSG', 1, 3, 'llo')
      expect(said(peer.heard())).toEqual(keyword === 'ERR' ? [] : [`${keyword} 1 3 .`])
    }
  })

  test('R3080-2.6.3-02 T52 what still comes of that request is ignored, and its end too', () => {
    const peer = L1()
    peer.say('MSG', 1, 3, '\r\na', true)
    reply(peer.engine, 'ERR', 3)
    peer.heard()
    expect(peer.say('MSG', 1, 3, 'b', true)).toEqual([])
    expect(peer.engine.outstanding).toBe(1)
    expect(peer.say('MSG', 1, 3, 'c')).toEqual([])
    expect(peer.engine.outstanding).toBe(0)
    expect(messages(peer.say('MSG', 1, 3, '\r\nd'))).toEqual(['1 MSG 3 0 d'])
  })

  test('R3080-2.6.3-03 what is ignored counts, and is credited: 10,000 more octets flow', () => {
    const peer = L1()
    consume(peer.engine, peer.say('MSG', 1, 3, '\r\na', true))
    reply(peer.engine, 'ERR', 3)
    let granted = 4096
    for (let sent = 3; sent < 10_003; sent += 1000) {
      expect(sent + 1000).toBeLessThanOrEqual(granted)
      expect(peer.say('MSG', 1, 3, 'x'.repeat(1000), true)).toEqual([])
      for (const frame of peer.heard()) if (frame.word === 'SEQ') granted = frame.seqno + frame.window
    }
    expect(peer.say('MSG', 1, 3)).toEqual([])
  })

  test('R3080-2.6.3-03 so is what looks like the beginning of a message in a later frame of it, where the refusal came before the first octet', () => {
    const peer = L1()
    expect(peer.raw('MSG 1 3 * 0 3\r\n')).toEqual([])
    reply(peer.engine, 'ERR', 3)
    expect(peer.raw('abcEND\r\nMSG 1 3 . 3 5\r\n\r\nabcEND\r\n')).toEqual([])
    expect(peer.engine.windows(1)).toMatchObject({ unread: 0 })
  })

  test('R3080-2.6.3-04 T52 we end the request that was refused with one empty frame', () => {
    const peer = asking(6)
    const message = peer.engine.send(1, 'MSG')
    peer.engine.write(message, new Uint8Array(500))
    peer.heard()
    for (let msgno = 0; msgno < 6; msgno++) peer.say('RPY', 1, msgno, '\r\n')
    peer.engine.write(message, new Uint8Array(300))
    expect(peer.say('ERR', 1, 6, '\r\nno')).toMatchObject([{ keyword: 'ERR', last: true }])
    expect(peer.engine.write(message, new Uint8Array(300))).toBe(true)
    peer.engine.end(message)
    expect(heard(peer.engine)).toBe('MSG 1 6 . 512 0\r\nEND\r\n')
    expect(peer.engine.transmit()).toEqual([])
    expect(peer.engine.outstanding).toBe(0)
  })

  test('R3080-2.6.3-04 the empty frame needs no window, and comes at the first frame of a long ERR', () => {
    const peer = I1()
    const message = peer.engine.send(1, 'MSG')
    peer.engine.write(message, new Uint8Array(100_000))
    peer.heard()
    expect(peer.engine.write(message, new Uint8Array(1))).toBe(false)
    const events = peer.say('ERR', 1, 0, '\r\nn', true)
    expect(events).toMatchObject([{ type: 'drain' }, { type: 'message', last: false }])
    expect(heard(peer.engine)).toBe('MSG 1 0 . 4096 0\r\nEND\r\n')
    expect(peer.say('ERR', 1, 0, 'o')).toMatchObject([{ type: 'data', last: true }])
    expect(peer.engine.outstanding).toBe(0)
  })

  test('R3080-2.6.3-05 an early RPY is accepted, and our MSG goes on (A17)', () => {
    const peer = I1()
    const message = peer.engine.send(1, 'MSG')
    peer.engine.write(message, new Uint8Array(5))
    peer.heard()
    expect(messages(peer.say('RPY', 1, 0, '\r\nyes'))).toEqual(['1 RPY 0 0 yes'])
    expect(peer.engine.outstanding).toBe(2)
    peer.engine.write(message, new Uint8Array(5))
    peer.engine.end(message)
    expect(peer.heard()).toMatchObject([{ word: 'MSG', more: false, seqno: 5 }])
    expect(peer.engine.outstanding).toBe(0)
  })

  test('R3080-2.6.3-06 when the last frame has been sent nothing more is due', () => {
    const peer = asking(1)
    peer.raw('ERR 1 0 . 0 4\r\n\r\nnoEND\r\n')
    expect(peer.engine.transmit()).toEqual([])
  })

  test('R3080-2.6.3-07 T16 the number is in use until the reply is complete and the last frame is out', () => {
    const peer = I1()
    const message = peer.engine.send(1, 'MSG')
    peer.engine.write(message, new Uint8Array(5000))
    peer.heard()
    peer.say('ERR', 1, 0, '\r\nno')
    expect(ask(peer.engine).msgno).not.toBe(0)
    expect(said(peer.heard())).toEqual(['MSG 1 0 .'])
  })

  test('an ERR that is on its way cannot be taken back: octets of its request may be gone', () => {
    const peer = L1()
    peer.say('MSG', 1, 3, '\r\na', true)
    const refusal = reply(peer.engine, 'ERR', 3)
    peer.say('MSG', 1, 3, 'b', true)
    expect(peer.engine.withdraw(refusal)).toBe(false)
    expect(said(peer.heard())).toEqual(['ERR 1 3 .'])
  })
})

describe('what is taken back', () => {
  test('a MSG of which nothing has left is not sent at all', () => {
    const { engine } = I1()
    const message = ask(engine)
    expect(engine.withdraw(message)).toBe(true)
    expect(engine.withdraw(message)).toBe(false)
    expect(engine.write(message, octets('x'))).toBe(true)
    expect(engine.transmit()).toEqual([])
    expect(engine.outstanding).toBe(0)
  })

  test('a MSG that was begun stays', () => {
    const { engine } = I1()
    const message = engine.send(1, 'MSG')
    engine.write(message, octets('x'))
    heard(engine)
    expect(engine.withdraw(message)).toBe(false)
    engine.end(message)
    expect(heard(engine)).toBe('MSG 1 0 . 1 0\r\nEND\r\n')
  })

  test('a stream that never runs dry does not keep what has left', async () => {
    const { engine } = I1({ frameSize: 4096 })
    engine.receive(octets('SEQ 1 0 2147483647\r\n'))
    drain(engine)
    const message = engine.send(1, 'MSG')
    engine.write(message, octets('\r\n'))
    const memory: WeakRef<ArrayBuffer>[] = []
    for (let piece = 0; piece < 20; piece++) {
      const body = new Uint8Array(4096)
      memory.push(new WeakRef(body.buffer))
      engine.write(message, body)
      engine.transmit(1)
    }
    const { setFlagsFromString } = await import('node:v8')
    const { runInNewContext } = await import('node:vm')
    setFlagsFromString('--expose-gc')
    await new Promise((resolve) => setImmediate(resolve))
    runInNewContext('gc')()
    expect(memory.filter((piece) => piece.deref() !== undefined).length).toBeLessThan(5)
  })
})

describe('peer to peer (§2.7)', () => {
  test('R3080-2.7-03 our MSG 0 and theirs are two messages', () => {
    const peer = asking(1)
    expect(messages(peer.raw('MSG 1 0 . 0 1\r\nqEND\r\nRPY 1 0 . 1 1\r\nrEND\r\n'))).toEqual(['1 MSG 0 0 q', '1 RPY 0 0 r'])
    reply(peer.engine, 'RPY')
    expect(said(peer.heard())).toEqual(['RPY 1 0 .'])
  })

  test('R3080-2.7-01 R3080-2.1-02 an initiator is asked for a channel and to close it, as a listener is', () => {
    const peer = I()
    const start = `<start number='2'><profile uri='http://example.com/beep/echo' /></start>`
    expect(peer.manage('MSG', 1, start)).toMatchObject([{ type: 'start', channel: 2 }])
    peer.engine.accept(2, 'http://example.com/beep/echo')
    expect(said(peer.heard())).toEqual(['RPY 0 1 .'])
    expect(peer.manage('MSG', 2, "<close number='2' code='200' />")).toMatchObject([{ type: 'close', channel: 2 }])
    peer.engine.agree(2)
    expect(said(peer.heard())).toEqual(['RPY 0 2 .'])
    expect(() => channelOf(peer.engine, 2)).toThrow(RangeError)
  })
})
