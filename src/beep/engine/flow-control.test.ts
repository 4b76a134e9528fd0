// RFC 3081: windows in both directions, SEQ frames, and who may speak next.
import { describe, expect, test } from '@jest/globals'
import type { Rule } from '../errors.js'
import {
  advanceTo,
  ask,
  asking,
  BX,
  channelOf,
  consume,
  E,
  expectTermination,
  I,
  I1,
  L,
  L1,
  messages,
  octets,
  Peer,
  reply,
} from './test-kit.js'
import { ReceiveWindow, SendWindow } from './window.js'

const WINDOW = 'rfc3081/3.1.2/window'
const ACKNO = 'rfc3081/3.1.3/ackno'
const UNKNOWN = 'rfc3081/3.1.3/channel-unknown'

const cut = (peer: Peer): string[] =>
  peer.heard().map(({ more, seqno, payload }) => `${more ? '*' : '.'} ${seqno} ${payload.length}`)

/** I1 that has sent `size` octets of a MSG which is not at its end. */
function sending(size: number): Peer & { usable: () => number } {
  const peer = I1()
  const message = peer.engine.send(1, 'MSG')
  peer.engine.write(message, new Uint8Array(size))
  peer.raw('SEQ 1 0 8192\r\n')
  expect(peer.heard().reduce((sum, { payload }) => sum + payload.length, 0)).toBe(size)
  return Object.assign(peer, { usable: () => message.channel.sending.usable })
}

describe('what the peer may send', () => {
  test.each<[id: string, make: () => Peer, wire: string, rule: Rule]>([
    ['R3081-3.1.1-01 a first frame that does not begin at 0', L1, 'MSG 1 0 . 1 1\r\naEND\r\n', 'rfc3080/2.2.1.2/seqno'],
    ['R3081-3.1.2-06 4097 octets, on the header', L1, 'MSG 1 0 . 0 4097\r\n', WINDOW],
    ['R3081-3.1.2-06 2048 and 2049', L1, `MSG 1 0 * 0 2048\r\n${'x'.repeat(2048)}END\r\nMSG 1 0 . 2048 2049\r\n`, WINDOW],
    ['R3081-3.1.2-06 on channel 0', L, 'MSG 0 1 . 52 4097\r\n', WINDOW],
    ['RIMP-03 T29 2 GiB, on the header', L1, 'MSG 1 0 . 0 2147483647\r\n', WINDOW],
    ['R3081-3.1.3-10 R3081-3.1.3-09 a SEQ for no channel', L, 'SEQ 9 0 4096\r\n', UNKNOWN],
    ['R3081-3.1.3-18 a SEQ for a channel that does not exist yet', startedByPeer, 'SEQ 1 0 4096\r\n', UNKNOWN],
    ['R3081-3.1.3-11 a SEQ for octets that were never sent', () => sending(100), 'SEQ 1 101 4096\r\n', ACKNO],
    ['R3081-3.1.3-11 the same, half the numbers away', I1, 'SEQ 1 2147483648 4096\r\n', ACKNO],
  ])('%s', (_id, make, wire, rule) => {
    expectTermination(make, wire, rule)
  })

  function startedByPeer(): Peer {
    const peer = L()
    peer.manage('MSG', 1, `<start number='1'><profile uri='${E}' /></start>`)
    peer.engine.accept(1, E)
    return peer
  }

  test('R3081-3.1.1-02 R3081-3.1-01 4096 octets at once, or in 4096 frames: headers do not count', () => {
    expect(messages(L1().say('MSG', 1, 0, 'x'.repeat(4096)))).toHaveLength(1)
    const peer = L1()
    for (let count = 0; count < 4096; count++) peer.say('MSG', 1, 0, 'x', true)
    expect(messages(peer.say('MSG', 1, 0))).toHaveLength(1)
    expect(peer.say('MSG', 1, 1, 'x')).toMatchObject([{ type: 'terminated', error: { rule: WINDOW } }])
  })

  test('R3081-3.1.2-07 T17 frames without payload are accepted at window 0', () => {
    const peer = asking(2)
    peer.say('RPY', 1, 0, '\r\n'.padEnd(4096, 'x'), true)
    expect(peer.say('RPY', 1, 0)).toMatchObject([{ type: 'data', last: true }])
    expect(peer.say('NUL', 1, 1)).toMatchObject([{ keyword: 'NUL', last: true }])
  })

  test('R3081-3-02 each channel has a window of its own', () => {
    const peer = L1({}, 3)
    peer.say('MSG', 1, 0, 'x'.repeat(4096))
    expect(messages(peer.say('MSG', 3, 0, 'x'.repeat(4096)))).toHaveLength(1)
  })

  test('R3081-3.1-02 the right edge of a window is modulo 2^32', () => {
    const peer = L1()
    advanceTo(channelOf(peer.engine, 1), 4294967290)
    expect(messages(peer.raw(`MSG 1 0 . 4294967290 4096\r\n${'x'.repeat(4096)}END\r\n`))).toHaveLength(1)
    expect(peer.raw('MSG 1 1 . 4090 1\r\n')).toMatchObject([{ error: { rule: WINDOW } }])
  })
})

describe('the credit that we give', () => {
  test('R3081-3.1.3-01 R3081-3.1.3-03 T22 6000 octets go through a window of 4096 as they are taken', () => {
    const peer = L1()
    const message = '\r\n'.padEnd(6000, 'x')
    consume(peer.engine, peer.say('MSG', 1, 0, message.slice(0, 4096), true))
    expect(peer.heard()).toMatchObject([{ word: 'SEQ', channel: 1, seqno: 4096 }])
    expect(peer.say('MSG', 1, 0, message.slice(4096))).toMatchObject([{ type: 'data', last: true }])
  })

  test('R3081-3.1.4-05 R3081-3.1.4-08 what is not taken is not credited', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, 'x'.repeat(4096))
    expect(peer.heard()).toEqual([])
  })

  test('R3081-3.1.4-03 T27 one SEQ at half a window, no sooner, and none that moves nothing', () => {
    const peer = L1()
    consume(peer.engine, peer.say('MSG', 1, 0, '\r\n'.padEnd(2047, 'x'), true))
    expect(peer.heard()).toEqual([])
    consume(peer.engine, peer.say('MSG', 1, 0, 'x', true))
    expect(peer.heard()).toMatchObject([{ word: 'SEQ', seqno: 2048, window: 4096 }])
    peer.engine.consume(1, 0)
    expect(peer.heard()).toEqual([])
  })

  test('R3081-3.1.4-04 several debts are one SEQ, and it covers all', () => {
    const peer = L1()
    for (let count = 0; count < 4; count++) consume(peer.engine, peer.say('MSG', 1, 0, '\r\n'.padEnd(1000, 'x'), true))
    expect(peer.heard()).toMatchObject([{ word: 'SEQ', seqno: 4000 }])
  })

  test('R3081-3.1.1-03 T27 none at birth', () => {
    expect(L1().heard()).toEqual([])
    expect(I1().heard()).toEqual([])
  })

  test('a window grows while the reader keeps up, up to its limit and that of the session', () => {
    for (const [limits, largest] of [
      [{ maxWindow: 20_000 }, 20_000],
      [{ maxSessionWindow: 5000 }, 9096],
      [{ maxWindow: 4096 }, 4096],
    ] as const) {
      const peer = L1(limits)
      let room = 4096
      let before = 4096
      for (let turn = 0; turn < 12; turn++) {
        consume(peer.engine, peer.say('MSG', 1, 0, '\r\n'.padEnd(room, 'x'), true))
        for (const { seqno, window } of peer.heard()) {
          expect(seqno + window).toBeGreaterThan(before)
          before = seqno + window
          room = window
        }
      }
      expect(room).toBe(largest)
    }
  })

  test('what a closed channel had grown by is there for others', () => {
    const peer = L1({ maxSessionWindow: 4096 }, 3)
    const fill = (channel: number) => {
      consume(peer.engine, peer.say('MSG', channel, 0, '\r\n'.padEnd(4096, 'x')))
      reply(peer.engine, 'RPY', 0, '', 0, channel)
      return peer.heard().find(({ word }) => word === 'SEQ')?.window
    }
    expect([fill(1), fill(3)]).toEqual([8192, 4096])
    peer.manage('MSG', 9, "<close number='1' code='200' />")
    peer.engine.agree(1)
    peer.heard()
    expect(fill(3)).toBe(8192)
  })

  test('R3081-3.1.4-10 R3081-3.1.4-11 T28 the right edge never moves left, and T19 it is counted from ackno', () => {
    const window = new ReceiveWindow()
    window.arrive(3000)
    window.consume(2500, 65_536, { left: 0 })
    expect(window.seq()).toEqual({ ackno: 3000, window: 3596 })
    expect(window).toMatchObject({ room: 3596, unread: 500 })
    expect(() => window.consume(501, 65_536, { left: 0 })).toThrow(RangeError)
    expect(() => window.consume(-1, 65_536, { left: 0 })).toThrow(RangeError)
  })

  test('entity headers that are larger than the window still arrive, and everything is credited exactly once', () => {
    const peer = L1()
    const payload = `X: ${'y'.repeat(10_000)}\r\n\r\nbody`
    let at = 0
    for (let room = 4096; at < payload.length; ) {
      const size = Math.min(room, 997, payload.length - at)
      consume(peer.engine, peer.say('MSG', 1, 0, payload.slice(at, at + size), at + size < payload.length))
      at += size
      room -= size
      for (const { seqno, window } of peer.heard()) room = seqno + window - at
      expect(room).toBeGreaterThan(0)
    }
    expect(channelOf(peer.engine, 1).receiving.unread).toBe(0)
  })

  test('a body that was taken for headers at first is credited exactly once', () => {
    const peer = L1()
    for (const piece of ['not', '-a-', 'header', '\x01', ' but a body']) consume(peer.engine, peer.say('MSG', 1, 0, piece, true))
    consume(peer.engine, peer.say('MSG', 1, 0))
    expect(channelOf(peer.engine, 1).receiving.unread).toBe(0)
    for (const piece of ['half', '-a-', 'header']) consume(peer.engine, peer.say('MSG', 1, 1, piece, true))
    consume(peer.engine, peer.say('MSG', 1, 1))
    expect(channelOf(peer.engine, 1)).toMatchObject({ prepaid: 0, receiving: { unread: 0 } })
  })

  test('channel 0 withholds credit from a peer that asks and never reads', () => {
    const peer = L()
    // It shuts its window at once.
    peer.raw('SEQ 0 0 0\r\n')
    let room = 4096 - 52
    let asked = 0
    while (asked < 1000) {
      const wire = `${BX}<close number='7' code='200' />`
      if (wire.length > room) break
      peer.manage('MSG', ++asked, "<close number='7' code='200' />")
      room -= wire.length
      for (const frame of peer.heard()) {
        expect(frame.word).toBe('SEQ')
        room = frame.seqno + frame.window - (52 + asked * wire.length)
      }
    }
    expect(asked).toBeGreaterThan(256)
    expect(asked).toBeLessThan(500)
    expect(peer.engine.state).toBe('open')
  })
})

describe('what we may send', () => {
  test('R3081-3.1.2-01 R3081-3.1.2-02 R3080-2.2-05 T23 10,000 octets are cut to what the window allows', () => {
    const peer = I1()
    peer.engine.send(1, 'MSG', 0, 0, [new Uint8Array(10_000)])
    expect(cut(peer)).toEqual(['* 0 4096'])
    expect(peer.heard()).toEqual([])
    peer.raw('SEQ 1 4096 1\r\n')
    expect(cut(peer)).toEqual(['* 4096 1'])
    peer.raw('SEQ 1 4097 10000\r\n')
    expect(cut(peer)).toEqual(['. 4097 5903'])
  })

  test('R3081-3.1.2-07 T17 NUL and the empty end of a message leave at window 0', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    reply(peer.engine, 'ANS', 0, 'x'.repeat(4094))
    peer.heard()
    peer.raw('SEQ 1 4096 0\r\n')
    reply(peer.engine, 'NUL')
    expect(peer.heard()).toMatchObject([{ word: 'NUL', seqno: 4096 }])
  })

  test.each<[id: string, size: number, wire: string, usable: number]>([
    ['R3081-3.1.2-08 what is in flight is subtracted', 4096, 'SEQ 1 2048 4096\r\n', 2048],
    ['R3081-3.1.3-04 T19 the window counts from ackno', 3300, 'SEQ 1 3000 3144\r\n', 2844],
    ['R3081-3.1.3-12 an ackno that goes back is ignored (A07)', 1000, 'SEQ 1 1000 4096\r\nSEQ 1 500 9000\r\n', 4096],
    ['R3081-3.1.3-13 a SEQ that says nothing new', 0, 'SEQ 1 0 8192\r\nSEQ 1 0 8192\r\n', 8192],
    ['R3081-3.1.3-15 the largest window', 0, 'SEQ 1 0 2147483647\r\n', 2147483647],
    ['R3081-3.1.4-10 T20 a window that shrank below what is in flight', 6000, 'SEQ 1 0 4096\r\n', 0],
  ])('%s', (_id, size, wire, usable) => {
    const peer = sending(size)
    expect(peer.raw(wire)).toEqual([])
    expect(peer.usable()).toBe(usable)
  })

  test('T21 an edge beyond 2^32 is larger than one before it', () => {
    const window = new SendWindow()
    for (let step = 0; step < 4; step++) {
      window.sent(2 ** 30 - (step === 3 ? 6 : 0))
      expect(window.update(window.next, 5)).toBe(true)
    }
    expect(window).toMatchObject({ next: 4294967290, usable: 5 })
    expect(window.update(4294967290, 4096)).toBe(true)
    window.sent(100)
    expect(window).toMatchObject({ next: 94, usable: 3996 })
    expect(window.update(95, 4096)).toBe(false)
    expect(window.update(4294967289, 1)).toBe(true)
    expect(window.usable).toBe(3996)
    expect(window.update(94, 4096)).toBe(true)
    expect(window.usable).toBe(4096)
  })

  test('R3081-3.1.3-14 R3081-3.1.4-12 window 0 stops payload, and nothing probes', () => {
    const peer = sending(4096)
    peer.raw('SEQ 1 4096 0\r\n')
    ask(peer.engine)
    expect(peer.engine.pending).toBe(false)
    expect(peer.engine.transmit()).toEqual([])
    peer.raw('SEQ 1 4096 2\r\n')
    expect(peer.engine.transmit()).toEqual([])
  })

  test('R3081-3.1.3-16 a SEQ inside a message of its channel', () => {
    const wire = 'MSG 1 0 * 0 1\r\naEND\r\nSEQ 1 0 4096\r\nMSG 1 0 . 1 1\r\nbEND\r\n'
    expect(messages(L1().raw(wire))).toEqual(['1 MSG 0 0 ab'])
  })

  test('R3081-3.1.3-17 a SEQ for channel 0 before the greetings', () => {
    const peer = new Peer('initiator')
    peer.engine.greet({})
    peer.heard()
    expect(peer.raw('SEQ 0 0 8192\r\n')).toEqual([])
    expect(peer.manage('RPY', 0, '<greeting />')).toMatchObject([{ type: 'greeting' }])
    for (let count = 0; count < 16; count++) peer.engine.start([{ uri: `u:${'x'.repeat(600)}` }])
    expect(peer.heard().reduce((sum, { payload }) => sum + payload.length, 50)).toBe(8192)
  })

  test('R3081-3.1.3-19 T26 a late SEQ for a closed channel is ignored, and we send none after ok', () => {
    const peer = L1()
    const [event] = peer.say('MSG', 1, 0, '\r\n'.padEnd(4096, 'x'))
    reply(peer.engine, 'RPY')
    peer.heard()
    peer.manage('MSG', 2, "<close number='1' code='200' />")
    consume(peer.engine, [event!])
    peer.engine.agree(1)
    expect(peer.heard().map(({ word, channel }) => `${word} ${channel}`)).toEqual(['RPY 0'])
    consume(peer.engine, [event!])
    expect(peer.engine.nextEvent()).toMatchObject({ type: 'closed', channel: 1 })
    expect(peer.raw('SEQ 1 4 4096\r\nSEQ 1 42 4096\r\n')).toEqual([])
    expect(peer.engine).toMatchObject({ state: 'open', pending: false })
  })
})

describe('who may speak next', () => {
  test('R3081-3.1.4-02 R3081-3.1.4-01 T54 channels take turns, and frames have the size that was asked for', () => {
    const peer = L1({ frameSize: 973 }, 3)
    for (const number of [1, 3]) {
      peer.raw(`SEQ ${number} 0 200000\r\n`)
      peer.engine.send(number, 'MSG', 0, 0, [new Uint8Array(100_000)])
    }
    const frames = peer.heard()
    expect(frames.every(({ payload }) => payload.length <= 973)).toBe(true)
    expect(frames.map(({ channel }) => channel)).toEqual(frames.map((_, index) => (index % 2 === 0 ? 1 : 3)))
  })

  test('R3081-3.1.4-06 T24 SEQ goes first, also when data is blocked by the window', () => {
    const peer = L1()
    peer.engine.send(1, 'MSG', 0, 0, [new Uint8Array(10_000)])
    consume(peer.engine, peer.say('MSG', 1, 0, '\r\n'.padEnd(4096, 'x')))
    expect(peer.heard().map(({ word }) => word)).toEqual(['SEQ', 'MSG'])
    consume(peer.engine, peer.say('MSG', 1, 1, '\r\n'.padEnd(4096, 'x')))
    expect(peer.heard().map(({ word }) => word)).toEqual(['SEQ'])
  })

  test('channel 0 goes before data, and a budget ends behind a whole frame', () => {
    const peer = L1({ frameSize: 1000 })
    peer.engine.send(1, 'MSG', 0, 0, [new Uint8Array(3000)])
    peer.engine.start([{ uri: E }])
    const parts = [1, 1, 1, 1, 1].map(() => Buffer.concat(peer.engine.transmit(1)).toString('latin1'))
    expect(parts.map((part) => part.slice(0, 7).trim())).toEqual(['MSG 0 1', 'MSG 1 0', 'MSG 1 0', 'MSG 1 0', ''])
    expect(parts.slice(0, 4).every((part) => part.endsWith('END\r\n'))).toBe(true)
  })

  test('a message that is too much for now says so, and says when there is room', () => {
    const peer = I1()
    const message = peer.engine.send(1, 'MSG')
    expect(peer.engine.write(message, new Uint8Array(70_000))).toBe(false)
    expect(peer.engine.backlog(message)).toBe(true)
    peer.heard()
    expect(peer.raw('SEQ 1 4096 10000\r\n')).toEqual([])
    peer.heard()
    expect(peer.engine.nextEvent()).toEqual({ type: 'drain', message })
    expect(peer.engine.backlog(message)).toBe(false)
  })

  test('RIMP-12 once all replies together are too much, each waits until nothing of it is queued', () => {
    const channels = Array.from({ length: 17 }, (_, index) => 2 * index + 3)
    const peer = L1({}, ...channels)
    for (const channel of [1, ...channels]) peer.say('MSG', channel, 0, '\r\n')
    const message = peer.engine.send(1, 'RPY')
    expect(peer.engine.write(message, new Uint8Array(100))).toBe(true)
    const mebibyte = new Uint8Array(1_048_576)
    for (const channel of channels) peer.engine.send(channel, 'RPY', 0, 0, [mebibyte])
    expect(peer.engine.write(message, new Uint8Array(5000))).toBe(false)
    // Our own requests wait for themselves only.
    const request = peer.engine.send(3, 'MSG')
    expect(peer.engine.write(request, new Uint8Array(5000))).toBe(true)
    peer.heard()
    peer.raw('SEQ 1 4096 500\r\n')
    peer.heard()
    expect(peer.engine.nextEvent()).toBeUndefined()
    peer.raw('SEQ 1 4596 4096\r\n')
    peer.heard()
    expect(peer.engine.nextEvent()).toEqual({ type: 'drain', message })
    expect(peer.engine.write(message, new Uint8Array(0))).toBe(true)
    expect(peer.engine.write(message, new Uint8Array(1))).toBe(false)
  })

  test('after a tuning message nothing leaves, not even SEQ, until it is resumed', () => {
    const peer = I()
    peer.engine.start([{ uri: E, content: octets('<ready />') }], { hush: true })
    peer.engine.start([{ uri: E }])
    expect(peer.heard()).toHaveLength(1)
    expect(peer.engine).toMatchObject({ silent: true, pending: false })
    peer.say('RPY', 0, 1, `${BX}${' '.repeat(3000)}<profile uri='${E}'>`, true)
    expect(peer.engine.transmit()).toEqual([])
    expect(peer.say('RPY', 0, 1, 'no</profile>')).toMatchObject([{ type: 'started' }])
    peer.engine.resume()
    expect(peer.heard().map(({ word }) => word)).toEqual(['SEQ', 'MSG'])
  })

  test('a tuning message that was refused before it had left whole asks for no silence', () => {
    const peer = I()
    peer.engine.start([{ uri: E, content: octets('a'.repeat(4000)) }], { hush: true })
    expect(cut(peer)).toEqual(['* 50 4046'])
    expect(peer.manage('ERR', 1, "<error code='550' />")).toMatchObject([{ type: 'declined' }])
    expect(cut(peer)).toEqual(['. 4096 0'])
    expect(peer.engine.silent).toBe(false)
  })
})
