// Two engines, the applications above them, and the wire between: everything at random pace, everything written down, and an
// accountant who reads the wire and knows of windows only what RFC 3081 says.
import { expect } from '@jest/globals'
import { DEFAULT_LIMITS, type Limits } from '../limits.js'
import type { Keyword } from '../wire/frame.js'
import { Engine } from './engine.js'
import type { Event } from './events.js'
import type { OutgoingMessage } from './outbox.js'
import { advanceTo, channelOf, E, octets, readFrames, text } from './test-kit.js'

/** A message on its way out, and what it is made of. */
interface Writing {
  readonly message: OutgoingMessage
  body: string
}

/** A MSG of this side. */
interface Asked extends Writing {
  /** The reply as it came. */
  style: Keyword | undefined
  readonly arrived: string[]
  done: boolean
}

/** A MSG of the other side. */
interface Served {
  readonly msgno: number
  body: string
  complete: boolean
  /** The reply as it was given. */
  style: Keyword | undefined
  readonly given: Writing[]
  answered: boolean
}

interface Line {
  readonly number: number
  asked: Asked[]
  readonly served: Served[]
  /** Pieces of messages that are coming in, by keyword, number and answer. */
  readonly coming: Map<string, string>
  unread: number
  closed: boolean
  /** The other side asked to close it, and we have not decided, or have agreed and may change our mind. */
  asksToClose: 'undecided' | 'agreed' | undefined
}

function check(fact: boolean, otherwise: string): void {
  if (!fact) throw new Error(otherwise)
}

/** What is left of the windows of one side, by what it sent and what was delivered to it. */
class Accountant {
  readonly #base: (channel: number) => number
  readonly #maxWindow: number
  /** By channel: the next octet that this side sends, and the edge that it must not pass. */
  readonly next = new Map<number, number>()
  readonly edge = new Map<number, number>()
  /** By channel: what this side granted. */
  readonly #granted = new Map<number, { ackno: number; edge: number }>()

  constructor(base: (channel: number) => number, maxWindow: number) {
    this.#base = base
    this.#maxWindow = maxWindow
  }

  /** Numbers here do not wrap: they are counted from where the channel begins. */
  #offset(channel: number, seqno: number): number {
    return (seqno - this.#base(channel) + 2 ** 32) % 2 ** 32
  }

  /** This side sends `wire`: whole frames. @returns the SEQ frames among them and where each ends */
  sent(wire: string, other: Accountant): { channel: number; edge: number; end: number }[] {
    const granted: { channel: number; edge: number; end: number }[] = []
    let end = 0
    for (const frame of readFrames(wire)) {
      const { channel, payload, word, more } = frame
      const offset = this.#offset(channel, frame.seqno)
      if (word === 'SEQ') {
        end += `SEQ ${channel} ${frame.seqno} ${frame.window}\r\n`.length
        const before = this.#granted.get(channel) ?? { ackno: 0, edge: 4096 }
        const edge = offset + frame.window
        check(offset >= before.ackno, 'SEQ goes back')
        check(offset <= (other.next.get(channel) ?? 0), 'SEQ acknowledges what was not sent')
        check(edge > before.edge, 'SEQ moves nothing')
        check(frame.window <= this.#maxWindow, 'SEQ grants more than the limit')
        this.#granted.set(channel, { ackno: offset, edge })
        granted.push({ channel, edge, end })
        continue
      }
      const next = this.next.get(channel) ?? 0
      check(offset === next, 'a frame has the wrong seqno')
      check(next + payload.length <= (this.edge.get(channel) ?? 4096), 'a frame does not fit the window')
      check(word !== 'NUL' || (payload === '' && !more), 'NUL is not empty')
      this.next.set(channel, next + payload.length)
      const header = `${word} ${channel} ${frame.msgno} . ${frame.seqno} ${payload.length}${word === 'ANS' ? ` ${frame.ansno}` : ''}\r\n`
      end += header.length + payload.length + 5
    }
    return granted
  }
}

let bodies = 0
function bodyOf(size: number): string {
  const mark = `#${++bodies};`
  return mark.repeat(Math.ceil(size / mark.length)).slice(0, size)
}

export class Side {
  readonly engine: Engine
  readonly lines = new Map<number, Line>()
  readonly #start: number
  readonly accountant: Accountant
  other!: Side
  /** Octets on their way to this side, and how many have come in all. */
  #wire: Buffer[] = []
  #delivered = 0
  #onTheWay = 0
  #grants: { channel: number; edge: number; end: number }[] = []
  starts: number[] = []
  writings: Writing[] = []
  released = false

  constructor(role: 'initiator' | 'listener', limits: Partial<Limits>, start: number) {
    this.engine = new Engine(role, limits)
    this.#start = start
    this.accountant = new Accountant((channel) => (channel === 0 ? 0 : start), limits.maxWindow ?? DEFAULT_LIMITS.maxWindow)
    this.engine.greet({ profiles: [E] })
  }

  // The wire

  transmit(budget: number): boolean {
    const wire = Buffer.concat(this.engine.transmit(budget))
    if (wire.length === 0) return false
    const grants = this.accountant.sent(text(wire), this.other.accountant)
    for (const grant of grants) this.other.#grants.push({ ...grant, end: this.other.#onTheWay + grant.end })
    this.other.#wire.push(wire)
    this.other.#onTheWay += wire.length
    return true
  }

  /** Lets `size` of the octets that are on their way arrive, as one chunk. */
  deliver(size: number): boolean {
    const all = Buffer.concat(this.#wire)
    const chunk = all.subarray(0, size)
    this.#wire = all.length > size ? [all.subarray(size)] : []
    if (chunk.length === 0) return false
    this.#delivered += chunk.length
    while (this.#grants[0] !== undefined && this.#grants[0].end <= this.#delivered) {
      const { channel, edge } = this.#grants.shift()!
      this.accountant.edge.set(channel, edge)
    }
    this.engine.receive(Uint8Array.from(chunk))
    return true
  }

  pull(count: number): boolean {
    let any = false
    for (let pulled = 0; pulled < count; pulled++) {
      const event = this.engine.nextEvent()
      if (event === undefined) return any
      any = true
      this.#told(event)
    }
    return any
  }

  // What the engine tells

  #line(number: number): Line {
    const line = this.lines.get(number)
    if (line === undefined || line.closed) throw new Error(`An event for channel ${number}, which is not open`)
    return line
  }

  #opened(number: number): void {
    this.lines.set(number, { number, asked: [], served: [], coming: new Map(), unread: 0, closed: false, asksToClose: undefined })
    if (this.#start > 0) advanceTo(channelOf(this.engine, number), this.#start)
  }

  #told(event: Event): void {
    switch (event.type) {
      case 'start':
        this.starts.push(event.channel)
        break
      case 'started':
        this.#opened(event.channel)
        break
      case 'close':
        if (event.channel === 0) this.engine.agree(0)
        else this.#line(event.channel).asksToClose = 'undecided'
        break
      case 'crossed':
        if (event.channel !== 0) this.#line(event.channel).asksToClose = 'agreed'
        break
      case 'closed':
        if (event.channel === 0) this.released = true
        else this.#line(event.channel).closed = true
        break
      case 'message':
      case 'data':
        this.#arrived(event)
        break
      case 'terminated':
      case 'refused':
        throw event.error ?? new Error('The session ended')
    }
  }

  #arrived(event: Extract<Event, { type: 'message' | 'data' }>): void {
    const { channel, keyword, msgno, ansno, last } = event
    const line = this.#line(channel)
    line.unread += event.octets.length + (event.type === 'message' ? event.overhead : 0)
    if (keyword === 'MSG') {
      if (event.type === 'message')
        line.served.push({ msgno, body: '', complete: false, style: undefined, given: [], answered: false })
      const served = line.served.at(-1)!
      expect([served.msgno, served.complete]).toEqual([msgno, false])
      served.body += text(event.octets)
      served.complete = last
      return
    }
    const asked = line.asked.find((each) => each.message.msgno === msgno && !each.done && each.message.started)!
    const key = `${keyword} ${msgno} ${ansno}`
    const body = (event.type === 'message' ? '' : line.coming.get(key)!) + text(event.octets)
    line.coming.set(key, body)
    asked.style = keyword === 'NUL' ? (asked.style ?? 'NUL') : keyword
    if (!last) return
    line.coming.delete(key)
    if (keyword === 'NUL') expect(body).toBe('')
    else asked.arrived.push(body)
    asked.done = keyword !== 'ANS'
  }

  // What the application does; each does nothing where it may not be done

  open(): Line[] {
    return [...this.lines.values()].filter((line) => !line.closed)
  }

  start(): void {
    if (this.lines.size < 5) this.engine.start([{ uri: E }])
  }

  decide(index: number, yes: boolean): void {
    const [number] = this.starts.splice(index % Math.max(1, this.starts.length), 1)
    if (number === undefined) return
    if (!yes) this.engine.decline(number, 550)
    else {
      this.engine.accept(number, E)
      this.#opened(number)
    }
  }

  ask(line: Line | undefined, size: number, whole: boolean): void {
    if (line === undefined || !this.engine.maySend(line.number)) return
    const asked = { ...this.#send(line, 'MSG', 0, 0, size, whole), style: undefined, arrived: [], done: false }
    if (!whole) this.writings.push(asked)
    line.asked.push(asked)
  }

  reply(line: Line | undefined, style: 'RPY' | 'ERR' | 'ANS' | 'NUL', size: number, whole: boolean): void {
    const served = line?.served.find((each) => !each.answered)
    if (line === undefined || served === undefined) return
    if (served.style === 'ANS' && (style === 'RPY' || style === 'ERR')) return
    if (style === 'NUL') this.engine.send(line.number, 'NUL', served.msgno)
    else {
      const writing = this.#send(line, style, served.msgno, served.given.length, size, whole)
      served.given.push(writing)
      if (!whole) this.writings.push(writing)
    }
    served.style ??= style
    served.answered = style !== 'ANS'
    // What still comes of it is ignored.
    if (style === 'ERR') served.complete = true
  }

  #send(line: Line, keyword: Keyword, msgno: number, ansno: number, size: number, whole: boolean): Writing {
    const body = bodyOf(size)
    if (whole) return { message: this.engine.send(line.number, keyword, msgno, ansno, [octets('\r\n'), octets(body)]), body }
    const message = this.engine.send(line.number, keyword, msgno, ansno)
    for (const piece of ['\r', '\n', body]) this.engine.write(message, octets(piece))
    return { message, body }
  }

  write(index: number, size: number): void {
    const writing = this.writings[index % Math.max(1, this.writings.length)]
    if (writing === undefined || writing.message.ended) return
    const more = bodyOf(size)
    this.engine.write(writing.message, octets(more))
    writing.body += more
  }

  end(index: number): void {
    const [writing] = this.writings.splice(index % Math.max(1, this.writings.length), 1)
    if (writing !== undefined) this.engine.end(writing.message)
  }

  withdraw(line: Line | undefined): void {
    const asked = line?.asked.at(-1)
    if (line === undefined || asked === undefined || !this.engine.withdraw(asked.message)) return
    line.asked = line.asked.filter((each) => each !== asked)
    this.writings = this.writings.filter((each) => each !== asked)
  }

  consume(line: Line | undefined, share: number): void {
    if (line === undefined) return
    const taken = Math.ceil(line.unread * share)
    this.engine.consume(line.number, taken)
    line.unread -= taken
  }

  close(line: Line | undefined): void {
    if (line !== undefined && this.#stands(line)) this.engine.close(line.number)
  }

  /** Whether the engine has the channel: its end may have come and not been told yet. */
  #stands(line: Line): boolean {
    try {
      this.engine.withdraw(this.engine.send(line.number, 'MSG'))
    } catch (error) {
      if (error instanceof RangeError) return false
    }
    return true
  }

  decideClose(line: Line | undefined, yes: boolean): void {
    if (line?.asksToClose === undefined || !this.#stands(line)) return
    if (!yes) {
      this.engine.refuse(line.number, 550)
      line.asksToClose = undefined
    } else if (line.asksToClose === 'undecided') {
      line.asksToClose = 'agreed'
      this.engine.agree(line.number)
    }
  }

  /** Finishes everything that was begun and answers everything. @returns whether there was anything to do */
  settle(): boolean {
    let busy = this.writings.length > 0 || this.starts.length > 0
    while (this.writings.length > 0) this.end(0)
    while (this.starts.length > 0) this.decide(0, true)
    for (const line of this.open()) {
      busy ||= line.unread > 0 || line.asksToClose === 'undecided' || line.served.some((each) => !each.answered)
      this.consume(line, 1)
      while (line.served.some((each) => !each.answered))
        this.reply(line, line.served.find((each) => !each.answered)?.style === 'ANS' ? 'NUL' : 'RPY', 50, true)
      this.decideClose(line, true)
    }
    for (let moved = true; moved; busy ||= moved)
      moved = [this.transmit(10_000), this.deliver(7000), this.pull(1000)].includes(true)
    return busy
  }
}

/** Everything that one side asked on `line` is what the other served, in order and once, and so are the replies. */
export function compare(asker: Line, server: Line | undefined): void {
  expect(server?.served.length ?? 0).toBe(asker.asked.length)
  for (const [index, asked] of asker.asked.entries()) {
    const served = server!.served[index]!
    // A request that was refused early is not there to its end.
    if (served.style === 'ERR') expect(asked.body.startsWith(served.body)).toBe(true)
    else expect(served.body === asked.body).toBe(true)
    expect([served.complete, served.answered, asked.done]).toEqual([true, true, true])
    expect(asked.style).toBe(served.style)
    expect(asked.arrived).toEqual(served.given.map(({ body }) => body))
  }
}
