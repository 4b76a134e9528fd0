// What the tests of the wire and the engine share: a naive codec as oracle, a peer that is played by hand, and two engines joined.
import { Buffer } from 'node:buffer'
import { expect } from '@jest/globals'
import type { Rule } from '../errors.js'
import type { Limits } from '../limits.js'
import type { Keyword } from '../wire/frame.js'
import type { Channel } from './channel.js'
import type { Role } from './core.js'
import { Engine } from './engine.js'
import type { Event } from './events.js'

/** A profile that the engine under test serves. */
export const E = 'http://example.com/beep/echo'
/** The entity headers of channel 0. */
export const BX = 'Content-Type: application/beep+xml\r\n\r\n'
export const GREETING_52 = `RPY 0 0 . 0 52\r\n${BX}<greeting />\r\nEND\r\n`
export const GREETING_110 = `RPY 0 0 . 0 110\r\n${BX}<greeting>\r\n   <profile uri='http://iana.org/beep/TLS' />\r\n</greeting>\r\nEND\r\n`

export const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1')
export const octets = (value: string): Buffer => Buffer.from(value, 'latin1')

// The oracle: frames as strings, octet for octet latin1, read by regular expressions from the whole.

export interface Frame {
  readonly word: Keyword | 'SEQ'
  readonly channel: number
  readonly msgno: number
  readonly more: boolean
  readonly seqno: number
  readonly ansno: number
  readonly payload: string
  readonly window: number
}

const DATA =
  /^(MSG|RPY|ERR|ANS|NUL) (0|[1-9]\d{0,9}) (0|[1-9]\d{0,9}) ([.*]) (0|[1-9]\d{0,9}) (0|[1-9]\d{0,9})(?: (0|[1-9]\d{0,9}))?\r\n/
const SEQ = /^SEQ (0|[1-9]\d{0,9}) (0|[1-9]\d{0,9}) (0|[1-9]\d{0,9})\r\n/
const NONE: Frame = { word: 'MSG', channel: 0, msgno: 0, more: false, seqno: 0, ansno: 0, payload: '', window: 0 }

/** The first frame of `wire` and what follows it; undefined when it does not begin with a whole frame. */
export function readFrame(wire: string): { frame: Frame; rest: string } | undefined {
  const seq = SEQ.exec(wire)
  if (seq !== null) {
    const [head, channel, seqno, window] = seq
    const frame: Frame = { ...NONE, word: 'SEQ', channel: Number(channel), seqno: Number(seqno), window: Number(window) }
    return frame.channel >= 2 ** 31 || frame.seqno >= 2 ** 32 || frame.window >= 2 ** 31
      ? undefined
      : { frame, rest: wire.slice(head.length) }
  }
  const data = DATA.exec(wire)
  if (data === null) return undefined
  const [head, word, channel, msgno, more, seqno, size, ansno] = data
  if ((word === 'ANS') !== (ansno !== undefined)) return undefined
  if (Number(channel) >= 2 ** 31 || Number(msgno) >= 2 ** 31 || Number(seqno) >= 2 ** 32) return undefined
  if (Number(size) >= 2 ** 31 || Number(ansno ?? 0) >= 2 ** 32) return undefined
  const end = head.length + Number(size)
  if (wire.slice(end, end + 5) !== 'END\r\n') return undefined
  const frame: Frame = {
    word: word as Keyword,
    channel: Number(channel),
    msgno: Number(msgno),
    more: more === '*',
    seqno: Number(seqno),
    ansno: Number(ansno ?? 0),
    payload: wire.slice(head.length, end),
    window: 0,
  }
  return { frame, rest: wire.slice(end + 5) }
}

/** Every frame of `wire`, which must hold whole frames and nothing else. */
export function readFrames(wire: string): Frame[] {
  const frames: Frame[] = []
  for (let rest = wire; rest !== ''; ) {
    const found = readFrame(rest)
    if (found === undefined) throw new Error(`No frame: ${JSON.stringify(rest.slice(0, 80))}`)
    frames.push(found.frame)
    rest = found.rest
  }
  return frames
}

export function writeFrame({ word, channel, msgno, more, seqno, ansno, payload, window }: Frame): string {
  if (word === 'SEQ') return `SEQ ${channel} ${seqno} ${window}\r\n`
  const last = word === 'ANS' ? ` ${ansno}` : ''
  return `${word} ${channel} ${msgno} ${more ? '*' : '.'} ${seqno} ${payload.length}${last}\r\n${payload}END\r\n`
}

/** A data frame; what is left out is 0, `.` and empty. */
export function data(word: Keyword, frame: Partial<Frame> = {}): string {
  return writeFrame({ ...NONE, ...frame, word })
}

// Engines

/** Everything that the engine has to tell now. */
export function drain(engine: Engine): Event[] {
  const events: Event[] = []
  for (let event = engine.nextEvent(); event !== undefined; event = engine.nextEvent()) events.push(event)
  return events
}

/** Everything that the engine has to say now. */
export function heard(engine: Engine): string {
  return text(Buffer.concat(engine.transmit(Number.POSITIVE_INFINITY)))
}

/** Feeds `wire` in pieces of `size` octets, or at once. */
export function feed(engine: Engine, wire: string, size = wire.length): Event[] {
  const events: Event[] = []
  for (let at = 0; at < wire.length; at += size) {
    engine.receive(octets(wire.slice(at, at + size)))
    events.push(...drain(engine))
  }
  return events
}

/** An engine under test, and a peer who says exactly what a test wants and keeps count of its own sequence numbers. */
export class Peer {
  readonly engine: Engine
  readonly #next = new Map<number, number>()

  constructor(role: Role, limits: Partial<Limits> = {}) {
    this.engine = new Engine(role, limits)
  }

  /** Octets as they stand. */
  raw(wire: string): Event[] {
    return feed(this.engine, wire)
  }

  /** A frame with the sequence number that is due. */
  say(word: Keyword, channel: number, msgno: number, payload = '', more = false, ansno = 0): Event[] {
    return this.raw(this.frame(word, channel, msgno, payload, more, ansno))
  }

  /** The same, not yet said. */
  frame(word: Keyword, channel: number, msgno: number, payload = '', more = false, ansno = 0): string {
    const seqno = this.#next.get(channel) ?? 0
    this.#next.set(channel, (seqno + payload.length) % 2 ** 32)
    return data(word, { channel, msgno, payload, more, ansno, seqno })
  }

  /** A message of channel 0. */
  manage(word: Keyword, msgno: number, xml: string): Event[] {
    return this.say(word, 0, msgno, BX + xml)
  }

  /** The channel begins anew. */
  forget(channel: number): void {
    this.#next.delete(channel)
  }

  /** What the engine has to say, as frames. */
  heard(): Frame[] {
    return readFrames(heard(this.engine))
  }
}

/** State L of the catalogue: a listener, greetings done; the next octet of the peer on channel 0 is 52. */
export function L(limits?: Partial<Limits>): Peer {
  const peer = new Peer('listener', limits)
  peer.engine.greet({ profiles: [E] })
  peer.manage('RPY', 0, '<greeting />\r\n')
  peer.heard()
  return peer
}

/** State I: an initiator, greetings done; the next octet of the peer on channel 0 is 110. */
export function I(limits?: Partial<Limits>): Peer {
  const peer = new Peer('initiator', limits)
  peer.engine.greet({})
  peer.manage('RPY', 0, "<greeting>\r\n   <profile uri='http://iana.org/beep/TLS' />\r\n</greeting>\r\n")
  peer.heard()
  return peer
}

/** L with channel 1 open, and others if asked; both directions at 0. */
export function L1(limits?: Partial<Limits>, ...others: number[]): Peer {
  const peer = L(limits)
  for (const [index, number] of [1, ...others].entries()) {
    peer.manage('MSG', index + 1, `<start number='${number}'><profile uri='${E}' /></start>`)
    peer.engine.accept(number, E)
    peer.heard()
  }
  return peer
}

/** I with channel 1 open; both directions at 0. */
export function I1(limits?: Partial<Limits>): Peer {
  const peer = I(limits)
  peer.engine.start([{ uri: E }])
  peer.heard()
  peer.manage('RPY', 1, `<profile uri='${E}' />`)
  return peer
}

/** I1 with `count` MSGs of ours outstanding on channel 1, 0 and up, each an empty line. */
export function asking(count = 1, limits?: Partial<Limits>): Peer {
  const peer = I1(limits)
  for (let sent = 0; sent < count; sent++) ask(peer.engine)
  peer.heard()
  return peer
}

export function ask(engine: Engine, body = '', channel = 1) {
  return engine.send(channel, 'MSG', 0, 0, [octets(`\r\n${body}`)])
}

export function reply(engine: Engine, keyword: Keyword, msgno = 0, body = '', ansno = 0, channel = 1) {
  return engine.send(channel, keyword, msgno, ansno, keyword === 'NUL' ? [] : [octets(`\r\n${body}`)])
}

/** Credits the bodies of `events`, as an application that takes everything at once. */
export function consume(engine: Engine, events: readonly Event[]): void {
  for (const event of events) {
    if (event.type === 'message') engine.consume(event.channel, event.overhead + event.octets.length)
    else if (event.type === 'data') engine.consume(event.channel, event.octets.length)
  }
}

/** Messages as they came, their pieces joined: those that are complete, or all. */
export function messages(events: readonly Event[], incomplete = false): string[] {
  const found = new Map<string, string>()
  const order: string[] = []
  for (const event of events) {
    if (event.type !== 'message' && event.type !== 'data') continue
    const key = `${event.channel} ${event.keyword} ${event.msgno} ${event.ansno}`
    const so = event.type === 'message' ? '' : found.get(key)!
    found.set(key, so + text(event.octets))
    if (event.last) {
      order.push(`${key} ${found.get(key)}`)
      found.delete(key)
    }
  }
  if (incomplete) for (const [key, value] of found) order.push(`${key} ${value}…`)
  return order
}

/** Events without what depends on where chunks were cut: adjacent pieces of one message are one. */
export function normalized(events: readonly Event[]): unknown[] {
  const result: { key?: string; body?: string; last?: boolean; headers?: unknown; event?: unknown }[] = []
  for (const event of events) {
    if (event.type === 'terminated') result.push({ event: [event.by, event.error?.message] })
    else if (event.type === 'message' || event.type === 'data') {
      const key = `${event.channel} ${event.keyword} ${event.msgno} ${event.ansno}`
      const before = result.at(-1)
      if (event.type === 'data' && before?.key === key && before.last === false) {
        before.body += text(event.octets)
        before.last = event.last
      } else if (event.type === 'data' && event.octets.length === 0 && !event.last) continue
      else {
        const headers = event.type === 'message' ? [...event.headers] : undefined
        result.push({ key, body: text(event.octets), last: event.last, headers })
      }
    } else result.push({ event })
  }
  return result
}

/**
 * `wire` ends the session by `rule` and nothing is said to it, whether it comes at once or octet by octet.
 * @returns what happened before
 */
export function expectTermination(make: () => Peer, wire: string, rule: Rule): Event[] {
  const seen = [wire.length, 1].map((size) => {
    const { engine } = make()
    const events = feed(engine, wire, size)
    expect(events.at(-1)).toMatchObject({ type: 'terminated', by: 'us', error: { rule } })
    expect(engine.transmit()).toEqual([])
    expect(engine.pending).toBe(false)
    expect(engine.state).toBe('terminated')
    return events
  })
  expect(normalized(seen[1]!)).toEqual(normalized(seen[0]!))
  return seen[0]!.slice(0, -1)
}

/** Moves octets until neither engine has anything to say; gives the events of each. */
export function run(i: Engine, l: Engine): { i: Event[]; l: Event[] } {
  const seen = { i: [] as Event[], l: [] as Event[] }
  for (let moved = true; moved; ) {
    moved = false
    for (const [from, to, events] of [
      [i, l, seen.l],
      [l, i, seen.i],
    ] as const) {
      for (const part of from.transmit()) {
        moved = true
        to.receive(part)
      }
      const told = drain(to)
      moved ||= told.length > 0
      events.push(...told)
    }
  }
  return seen
}

/** The channel as the engine sees it. */
export function channelOf(engine: Engine, number: number): Channel {
  const message = engine.send(number, 'MSG')
  engine.withdraw(message)
  return message.channel
}

/** Moves a channel on which nothing has been said yet to where `seqno` is the next octet of both directions. */
export function advanceTo({ receiving, sending }: Channel, seqno: number): void {
  for (let left = seqno; left > 0; ) {
    const step = Math.min(left, 2 ** 30)
    left -= step
    receiving.arrive(step)
    receiving.consume(step, 4096, { left: 0 })
    receiving.seq()
    sending.sent(step)
    sending.update(sending.next, 4096)
  }
}
