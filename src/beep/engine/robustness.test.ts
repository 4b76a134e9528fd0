// Against a peer that means no good: limits, the end of the transport in the middle, garbage, and valid sessions with an octet changed.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { runs } from '../test-kit-runs.js'
import type { Engine } from './engine.js'
import type { Event } from './events.js'
import {
  ask,
  asking,
  BX,
  channelOf,
  consume,
  data,
  drain,
  E,
  expectTermination,
  feed,
  I,
  I1,
  L,
  L1,
  messages,
  normalized,
  octets,
  type Peer,
  reply,
  text,
} from './test-kit.js'

describe('limits', () => {
  const refusals = (peer: Peer) =>
    peer.heard().flatMap(({ word, payload }) => (word === 'ERR' ? [/<error code='(\d+)'/.exec(payload)?.[1]] : []))

  test('RIMP-05 frames without payload that follow one another are bounded, on every kind of message', () => {
    const limits = { maxEmptyFrames: 10 }
    for (const [make, wire] of [
      [() => L1(limits), 'MSG 1 0 * 0 0\r\nEND\r\n'],
      [() => asking(1, limits), 'RPY 1 0 * 0 0\r\nEND\r\n'],
      [() => asking(1, limits), 'ANS 1 0 * 0 0 7\r\nEND\r\n'],
    ] as const) {
      expect(messages(feed(make().engine, wire.repeat(10)))).toEqual([])
      expectTermination(make, wire.repeat(11), 'limits/empty-frames')
    }
    const peer = L1(limits)
    for (let count = 0; count < 50; count++) peer.say('MSG', 1, 0, count % 10 === 9 ? 'x' : '', true)
    expect(messages(peer.say('MSG', 1, 0))).toEqual(['1 MSG 0 0 xxxxx'])
  })

  test('RIMP-07 unanswered MSGs are bounded, on a channel and in a session', () => {
    const wire = Array.from({ length: 5 }, (_, msgno) => `MSG 1 ${msgno} . 0 0\r\nEND\r\n`)
    expect(messages(feed(L1({ maxUnanswered: 4 }).engine, wire.slice(0, 4).join('')))).toHaveLength(4)
    expectTermination(() => L1({ maxUnanswered: 4 }), wire.join(''), 'limits/unanswered')
    const channels = Array.from({ length: 11 }, (_, index) => 2 * index + 3)
    const many = channels.map((number) => `MSG ${number} 0 . 0 0\r\nEND\r\n`).join('')
    expectTermination(() => L1({ maxUnanswered: 1 }, ...channels), many, 'limits/unanswered')
  })

  test('RIMP-07 answers in progress are bounded', () => {
    const wire = Array.from({ length: 5 }, (_, ansno) => `ANS 1 0 * 0 0 ${ansno}\r\nEND\r\n`)
    expect(feed(asking(1, { maxAnswers: 4 }).engine, wire.slice(0, 4).join(''))).toEqual([])
    expectTermination(() => asking(1, { maxAnswers: 4 }), wire.join(''), 'limits/answers')
  })

  test('RIMP-06 a message of channel 0 that is too long: a MSG is answered with ERR, a reply ends the session', () => {
    const peer = L({ maxManagement: 1000 })
    peer.manage('MSG', 1, `<start number='1'>${' '.repeat(2000)}`)
    expect(refusals(peer)).toEqual(['500'])
    expect(peer.manage('MSG', 2, `<start number='1'><profile uri='${E}' /></start>`)).toMatchObject([{ type: 'start' }])
    const asked = I({ maxManagement: 1000 })
    asked.engine.start([{ uri: E }])
    asked.heard()
    expect(asked.manage('RPY', 1, `<profile uri='${E}' />${' '.repeat(2000)}`)).toMatchObject([
      { type: 'terminated', error: { rule: 'limits/management' } },
    ])
  })

  test('RIMP-06 who raises the limit of channel 0 is given messages up to it', () => {
    const start = `<start number='1'><profile uri='${E}' />${' '.repeat(300_000)}</start>`
    const events = []
    const peer = L({ maxManagement: 400_000 })
    for (let at = 0; at < start.length; at += 4000) {
      const last = at + 4000 >= start.length
      events.push(...peer.say('MSG', 0, 1, (at === 0 ? BX : '') + start.slice(at, at + 4000), !last))
      peer.heard()
    }
    expect(events).toMatchObject([{ type: 'start', channel: 1 }])
  })

  test('RIMP-06 T42 billion laughs, and nesting without end', () => {
    const laughs = `<!DOCTYPE l [<!ENTITY a "ha">${'<!ENTITY b "&a;&a;&a;&a;&a;">'.repeat(20)}]><start number='&b;' />`
    for (const xml of [laughs, '<a>'.repeat(1000)]) {
      const peer = L()
      peer.manage('MSG', 1, xml)
      expect(refusals(peer)).toEqual(['500'])
    }
  })

  test('RIMP-12 replies to a peer that opens no window are bounded by what it may leave unanswered', () => {
    const peer = L1({ maxUnanswered: 50 })
    let count = 0
    for (; peer.engine.state === 'open' && count < 1000; count++) {
      const events = peer.say('MSG', 1, count, '\r\n')
      consume(peer.engine, events)
      if (events[0]?.type === 'message') reply(peer.engine, 'RPY', count, 'x'.repeat(998))
      peer.heard()
    }
    expect(count).toBeLessThan(60)
    expect(peer.engine.state).toBe('terminated')
  })
})

describe('ends', () => {
  test('RIMP-04 R3081-2-07 the transport ends inside a frame: its message is never complete, and nothing is said', () => {
    const peer = L1()
    const before = peer.raw('MSG 1 0 . 0 5\r\nhel')
    expect(peer.engine.unread).toBe(true)
    peer.engine.receiveEnd()
    expect(messages([...before, ...drain(peer.engine)])).toEqual([])
    expect(peer.engine).toMatchObject({ state: 'terminated', pending: false })
    expect(peer.engine.transmit()).toEqual([])
  })

  test('RIMP-09 after we terminate nothing that came before it is told, and nothing is said', () => {
    const peer = L1()
    peer.engine.receive(octets('MSG 1 0 . 0 1\r\naEND\r\nMSG 1 1 . 1 1\r\nbEND\r\n'))
    expect(peer.engine.nextEvent()).toMatchObject({ type: 'message', msgno: 0 })
    ask(peer.engine)
    peer.engine.terminate()
    expect(drain(peer.engine)).toEqual([{ type: 'terminated', by: 'us', error: undefined }])
    expect(peer.engine.transmit()).toEqual([])
    peer.engine.terminate()
    peer.engine.resume()
    expect(feed(peer.engine, 'MSG 1 2 . 2 1\r\ncEND\r\n')).toEqual([])
    expect(peer.engine.pending).toBe(false)
  })

  test('RIMP-10 nothing behind a frame that breaks a rule is processed', () => {
    const wire = 'MSG 1 0 . 0 1\r\naEND\r\nMSG 9 0 . 0 1\r\nbEND\r\nMSG 1 1 . 1 1\r\ncEND\r\n'
    const before = expectTermination(L1, wire, 'rfc3080/2.2.1.1/channel-unknown')
    expect(messages(before)).toEqual(['1 MSG 0 0 a'])
  })

  test('R3080-2.2.1.1-33 replies that were queued are dropped', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    reply(peer.engine, 'RPY')
    peer.raw('\r\n')
    expect(peer.engine.transmit()).toEqual([])
    expect(peer.engine.pending).toBe(false)
  })

  test('commands at the wrong time are mistakes of the caller', () => {
    const { engine } = I1()
    for (const command of [
      () => engine.accept(3, E),
      () => engine.decline(3, 550),
      () => engine.agree(1),
      () => engine.agree(0),
      () => engine.agree(5),
      () => engine.refuse(1, 550),
      () => engine.close(5),
      () => engine.send(5, 'MSG'),
      () => engine.send(1, 'RPY', 0),
      () => engine.consume(1, 1),
    ]) {
      expect(command).toThrow(/./)
      try {
        command()
      } catch (error) {
        expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
      }
    }
    expect(engine.transmit()).toEqual([])
    expect(engine.state).toBe('open')
  })
})

// Garbage

/** Both roles, before and after the greetings, with exchanges of both directions under way. */
const MAKERS: readonly (() => Peer)[] = [
  L,
  I,
  () => L1({}, 3),
  () => {
    const peer = asking(3)
    peer.engine.start([{ uri: E }])
    peer.engine.send(1, 'MSG')
    peer.heard()
    return peer
  },
  () => {
    const peer = L1()
    ask(peer.engine)
    peer.heard()
    peer.engine.close(0)
    return peer
  },
  () => {
    const peer = I1()
    peer.engine.close(1)
    peer.heard()
    return peer
  },
]

const word = fc.constantFrom('MSG', 'RPY', 'ERR', 'ANS', 'NUL')
const xml = fc.constantFrom(
  `<start number='2'><profile uri='${E}' /></start>`,
  `<start number='3'><profile uri='${E}' /></start>`,
  "<close number='1' code='200' />",
  "<close number='0' code='200' />",
  `<profile uri='${E}' />`,
  '<ok />',
  "<error code='550'>no</error>",
  '<greeting />',
  '<start',
)
/** A frame that is well formed; its sequence number is put right when it is said. */
const utterance = fc.oneof(
  fc.record({
    word,
    channel: fc.constantFrom(0, 1, 1, 3),
    msgno: fc.nat(4),
    more: fc.boolean(),
    ansno: fc.nat(2),
    payload: fc.constantFrom('', '\r\n', '\r\nhello', 'A: b', '\r', 'x'),
  }),
  fc.record({
    word,
    channel: fc.constant(0),
    msgno: fc.nat(4),
    more: fc.constant(false),
    ansno: fc.constant(0),
    payload: xml.map((each) => BX + each),
  }),
)
type Utterance = typeof utterance extends fc.Arbitrary<infer T> ? T : never

/** What the application does meanwhile: whatever is lawful, chosen by a number. */
function act(engine: Engine, events: readonly Event[], choice: number): void {
  for (const event of events) {
    if (event.type === 'start') {
      if (choice % 3 === 0) engine.accept(event.channel, event.profiles[0]!.uri)
      else if (choice % 3 === 1) engine.decline(event.channel, 550)
    } else if (event.type === 'close') {
      if (choice % 3 === 0) engine.agree(event.channel)
      else if (choice % 3 === 1) engine.refuse(event.channel, 550)
    } else if (event.type === 'message' && event.keyword === 'MSG' && choice % 2 === 0) {
      try {
        reply(engine, choice % 4 === 0 ? 'RPY' : 'ERR', event.msgno, '', 0, event.channel)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
    }
  }
  if (choice % 5 > 0) engine.transmit()
}

/** Whether it ended lawfully: at most one `terminated`, the last of all, after which nothing is said or told. */
function checkEnd(engine: Engine, events: readonly Event[]): void {
  const ends = events.filter((event) => event.type === 'terminated')
  expect(ends.length).toBeLessThanOrEqual(1)
  if (ends.length === 0) return
  expect(events.at(-1)).toBe(ends[0])
  expect(engine.transmit()).toEqual([])
  expect(feed(engine, 'MSG 1 0 . 0 0\r\nEND\r\n')).toEqual([])
}

/** What was told and not taken never is more than the windows. */
function checkMemory(events: readonly Event[]): void {
  const unread = new Map<number, number>()
  for (const event of events) {
    if (event.type !== 'message' && event.type !== 'data') continue
    const overhead = event.type === 'message' ? event.overhead : 0
    unread.set(event.channel, (unread.get(event.channel) ?? 0) + overhead + event.octets.length)
  }
  for (const octets of unread.values()) expect(octets).toBeLessThanOrEqual(4096)
}

describe('properties', () => {
  const maker = fc.constantFrom(...MAKERS)

  test('octets of any kind end in events or in one termination, in bounded memory, and never in an exception', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 30 }).map(text),
      fc.constantFrom('MSG ', 'RPY 0 1 . ', 'SEQ ', '1 ', '0 ', '. ', '* ', '\r\n', 'END\r\n', BX, '<ok />', 'SEQ 1 0 9999\r\n'),
    )
    fc.assert(
      fc.property(maker, fc.array(piece, { maxLength: 20 }), (make, pieces) => {
        const { engine } = make()
        const events = feed(engine, pieces.join(''), 9)
        checkEnd(engine, events)
        checkMemory(events)
      }),
      runs(400),
    )
  })

  test('frames in any order, while the application answers: the same, and cutting them anyhow changes nothing', () => {
    const play = (make: () => Peer, frames: readonly Utterance[], choices: readonly number[], size: number) => {
      const peer = make()
      const events: Event[] = []
      for (const [index, { word, channel, msgno, payload, more, ansno }] of frames.entries()) {
        const told = feed(peer.engine, peer.frame(word, channel, msgno, payload, more, ansno), size)
        act(peer.engine, told, choices[index % choices.length]!)
        events.push(...told, ...drain(peer.engine))
      }
      checkEnd(peer.engine, events)
      checkMemory(events)
      return normalized(events)
    }
    fc.assert(
      fc.property(
        maker,
        fc.array(utterance, { maxLength: 25 }),
        fc.array(fc.nat(60), { minLength: 1, maxLength: 10 }),
        fc.integer({ min: 1, max: 30 }),
        (make, frames, choices, size) => {
          // Decisions are made when a frame is in, so that every cut meets the same engine.
          expect(play(make, frames, choices, size)).toEqual(play(make, frames, choices, 10_000))
        },
      ),
      runs(500),
    )
  })

  test('RIMP-01 a lawful session with an octet changed, added or left out: the same events, however it is cut', () => {
    const lawful = [
      data('MSG', { channel: 1, msgno: 0, more: true, payload: 'Content-Ty' }),
      data('MSG', { channel: 3, msgno: 5, payload: '\r\nother' }),
      data('MSG', { channel: 1, msgno: 0, seqno: 10, payload: 'pe: text/plain\r\n\r\nhi' }),
      'SEQ 1 0 4096\r\n',
      data('RPY', { channel: 1, msgno: 0, seqno: 30, payload: '\r\nhello' }),
      data('ANS', { channel: 1, msgno: 1, seqno: 37, more: true, ansno: 0, payload: '\r' }),
      data('ANS', { channel: 1, msgno: 1, seqno: 38, ansno: 1, payload: '\r\nb' }),
      data('ANS', { channel: 1, msgno: 1, seqno: 41, ansno: 0, payload: '\na' }),
      data('NUL', { channel: 1, msgno: 1, seqno: 43 }),
      'SEQ 3 0 4096\r\n',
      data('ERR', { channel: 1, msgno: 2, seqno: 43, payload: '\r\nno' }),
    ].join('')
    const make = () => {
      const peer = L1({}, 3)
      for (let count = 0; count < 3; count++) ask(peer.engine)
      peer.heard()
      return peer
    }
    const all = messages(feed(make().engine, lawful))
    expect(all).toEqual([
      '3 MSG 5 0 other',
      '1 MSG 0 0 hi',
      '1 RPY 0 0 hello',
      '1 ANS 1 1 b',
      '1 ANS 1 0 a',
      '1 NUL 1 0 ',
      '1 ERR 2 0 no',
    ])
    const edit = fc.tuple(
      fc.nat(),
      fc.constantFrom('change', 'insert', 'delete', 'none'),
      fc.oneof(
        fc.constantFrom(...' .*01\r\n'),
        fc.nat(255).map((octet) => String.fromCharCode(octet)),
      ),
    )
    fc.assert(
      fc.property(edit, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 }), ([at, how, to], sizes) => {
        const place = at % lawful.length
        const insert = how === 'insert' || how === 'change' ? to : ''
        const wire =
          how === 'none' ? lawful : lawful.slice(0, place) + insert + lawful.slice(how === 'insert' ? place : place + 1)
        const whole = make()
        const cut = make()
        const expected = normalized(feed(whole.engine, wire))
        const events: Event[] = []
        for (let at = 0, turn = 0; at < wire.length; turn++) {
          const size = sizes[turn % sizes.length]!
          events.push(...feed(cut.engine, wire.slice(at, at + size)))
          at += size
        }
        expect(normalized(events)).toEqual(expected)
        expect(normalized(feed(make().engine, wire, 1))).toEqual(expected)
        checkEnd(cut.engine, events)
      }),
      runs(300),
    )
  })

  test('RIMP-02 memory of the channel itself: what is not consumed is exactly what was told', () => {
    const peer = L1()
    const events = peer.say('MSG', 1, 0, 'A: b\r\n\r\nbody', true)
    expect(channelOf(peer.engine, 1).receiving.unread).toBe(12)
    consume(peer.engine, events)
    expect(channelOf(peer.engine, 1).receiving.unread).toBe(0)
  })
})
