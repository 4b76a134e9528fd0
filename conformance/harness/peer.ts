// What a case holds: a peer of the target that speaks by hand, octet by octet where it wants to, and knows enough of BEEP to get to the point.
import { Buffer } from 'node:buffer'
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { type Connection, show, type TlsCredentials } from './connection.js'
import { type Element, escapeXml } from './element.js'
import { Failure, Unsupported } from './failure.js'
import { Ledger } from './ledger.js'
import { bodyOf, elementOf } from './payload.js'
import { type DataFrame, type Fault, type Heard, type SeqFrame, told } from './reader.js'
import type { Ending, Role } from './results.js'

export { bodyOf, elementOf } from './payload.js'

/** The header of messages on channel 0, exactly as strict peers want it. */
export const BEEP_XML = 'Content-Type: application/beep+xml\r\n\r\n'
/** A profile that no target has. */
export const NOWHERE = 'http://example.org/profiles/nowhere'

/** A whole message as it was heard. */
export interface Reply {
  readonly keyword: 'RPY' | 'ERR' | 'NUL'
  readonly msgno: number
  /** All of it: entity headers, empty line, body. */
  readonly payload: Buffer
  readonly frames: readonly DataFrame[]
  /** The answers of a one-to-many exchange, in the order of their last frames. */
  readonly answers: readonly { readonly ansno: number; readonly payload: Buffer }[]
}

/** A reply on channel 0. */
export interface Answer {
  readonly keyword: 'RPY' | 'ERR'
  readonly msgno: number
  readonly element: Element
  readonly payload: Buffer
}

/** A MSG of the target. */
export interface Asked {
  readonly channel: number
  readonly msgno: number
  readonly payload: Buffer
}

/** How a frame may differ from the one that is due. */
export interface Wrong {
  readonly ansno?: number
  readonly seqno?: number
  readonly size?: number
  readonly trailer?: string
}

export class Peer {
  readonly connection: Connection
  /** Which end the target is. */
  readonly target: Role
  /** The profile that echoes. */
  readonly profile: string
  /** Opens one more connection to the target, which ends with the case. @throws Unreachable */
  readonly another: () => Promise<Peer>
  /** Whether data that is heard is credited by SEQ; a case that wants the target to run out of window sets it to false. */
  credits = true
  /** Every SEQ that was heard. */
  readonly seqs: SeqFrame[] = []
  /** The target's greeting, once heard. */
  greeting: Element | undefined
  readonly #ledger = new Ledger()
  /** Requests on data channels whose first frames we sent, as `1 0`. */
  readonly #begun = new Set<string>()
  #msgno = 0
  #channel: number

  constructor(connection: Connection, target: Role, profile: string, another: () => Promise<Peer> = alone) {
    this.connection = connection
    this.another = another
    this.target = target
    this.profile = profile
    this.#channel = target === 'listener' ? 1 : 2
    connection.onHeard((heard) => this.#hear(heard))
  }

  // What goes out

  /** Writes octets as they are; text is written as Latin-1. */
  write(octets: Uint8Array | string): this {
    this.connection.write(octets)
    return this
  }

  /**
   * A frame, the seqno and the size that are due behind what `head` says: `send('MSG 1 0 .', 'hello')`, `send('ANS 1 0 *', 'a', { ansno: 3 })`.
   * `wrong` replaces parts. The target's window is not looked at.
   */
  send(head: string, payload: Uint8Array | string = '', wrong: Wrong = {}): this {
    return this.write(this.frame(head, payload, wrong))
  }

  /** The octets of that frame; sequence numbers go on as if it had been sent. */
  frame(head: string, payload: Uint8Array | string = '', wrong: Wrong = {}): Buffer {
    const octets = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload)
    const channel = Number(head.split(' ')[1])
    const seqno = wrong.seqno ?? this.due(channel)
    this.#ledger.sent(head, seqno, octets.length)
    if (/^MSG [1-9][0-9]* [0-9]+ \*$/.test(head)) this.#begun.add(head.slice(4, -2))
    const ansno = wrong.ansno === undefined ? '' : ` ${wrong.ansno}`
    const header = `${head} ${seqno} ${wrong.size ?? octets.length}${ansno}\r\n`
    return Buffer.concat([Buffer.from(header, 'latin1'), octets, Buffer.from(wrong.trailer ?? 'END\r\n', 'latin1')])
  }

  /** The seqno that is due next from us on a channel. */
  due(channel: number): number {
    return this.#ledger.due(channel)
  }

  /** A SEQ frame (RFC 3081 §3.1.3). */
  seq(channel: number, ackno: number, window: number): this {
    this.#ledger.credited(channel, ackno, window)
    return this.write(`SEQ ${channel} ${ackno} ${window}\r\n`)
  }

  /** Octets that were received on a channel: the ackno of an honest SEQ. */
  received(channel: number): number {
    return this.#ledger.received(channel)
  }

  /** How many octets the target has room for on a channel. */
  room(channel: number): number {
    return this.#ledger.room(channel)
  }

  /** A frame of channel 0: `manage('MSG 1', "<close number='1' code='200' />")`. The element is written as UTF-8. */
  manage(head: string, element: string, headers = BEEP_XML): this {
    const [keyword, msgno] = head.split(' ')
    return this.send(`${keyword} 0 ${msgno} .`, Buffer.from(headers + element))
  }

  /** The next message number on channel 0. */
  next(): number {
    return ++this.#msgno
  }

  /** A whole message, cut into frames of at most `cut` octets as the target's window allows. `payload` begins with entity headers or CR LF. */
  async message(
    channel: number,
    msgno: number,
    payload: Uint8Array | string,
    cut = INITIAL_WINDOW,
    keyword = 'MSG',
  ): Promise<void> {
    const octets = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload)
    let at = 0
    do {
      if (octets.length > 0 && !(await this.connection.until(() => this.room(channel) > 0)))
        throw new Failure(
          `no SEQ opened the window of channel ${channel} within ${this.connection.patience} ms; ${octets.length - at} octets wait`,
          'timeout',
        )
      if (this.connection.ending !== 'open')
        throw new Failure(
          `the target ended the connection (${this.connection.ending}) inside ${keyword} ${channel} ${msgno} of ours: ${at} of its ${octets.length} octets were sent`,
        )
      const end = Math.min(octets.length, at + Math.min(cut, Math.max(1, this.room(channel))))
      this.send(`${keyword} ${channel} ${msgno} ${end < octets.length ? '*' : '.'}`, octets.subarray(at, end))
      at = end
    } while (at < octets.length)
  }

  // What comes in

  /** The first data frame that matches. */
  async take(matches: (frame: DataFrame) => boolean, what: string): Promise<DataFrame> {
    return this.connection.take((heard): heard is DataFrame => heard.kind === 'data' && matches(heard), what)
  }

  /** A whole reply to our MSG. */
  async reply(channel: number, msgno: number): Promise<Reply> {
    const what = `the reply to MSG ${msgno} on channel ${channel}`
    const frames: DataFrame[] = []
    const pieces: Buffer[] = []
    const growing = new Map<number, Buffer[]>()
    const answers: { ansno: number; payload: Buffer }[] = []
    for (;;) {
      const frame = await this.take((each) => each.keyword !== 'MSG' && each.channel === channel && each.msgno === msgno, what)
      frames.push(frame)
      if (frame.keyword === 'ANS') {
        const ansno = frame.ansno ?? 0
        growing.set(ansno, [...(growing.get(ansno) ?? []), frame.payload])
        if (!frame.more) answers.push({ ansno, payload: Buffer.concat(growing.get(ansno)!) })
        if (!frame.more) growing.delete(ansno)
        continue
      }
      pieces.push(frame.payload)
      if (!frame.more)
        return { keyword: frame.keyword as Reply['keyword'], msgno, payload: Buffer.concat(pieces), frames, answers }
    }
  }

  /** A whole reply on channel 0 and its element. */
  async answer(msgno: number): Promise<Answer> {
    const { keyword, payload } = await this.reply(0, msgno)
    if (keyword === 'NUL') throw new Failure(`NUL came on channel 0 as the reply to MSG ${msgno}`)
    return { keyword, msgno, payload, element: elementOf(payload) }
  }

  /** Asks on channel 0 and gives the answer. */
  async ask(element: string): Promise<Answer> {
    const msgno = this.next()
    this.manage(`MSG ${msgno}`, element)
    return this.answer(msgno)
  }

  /** The next MSG of the target on a channel, whole. */
  async asked(channel: number): Promise<Asked> {
    const pieces: Buffer[] = []
    for (;;) {
      const frame = await this.take(
        (each) => each.keyword === 'MSG' && each.channel === channel,
        `a MSG of the target on channel ${channel}`,
      )
      pieces.push(frame.payload)
      if (!frame.more) return { channel, msgno: frame.msgno, payload: Buffer.concat(pieces) }
    }
  }

  // The way to the point

  /** Sends our greeting, in which we offer `profiles`, and awaits the target's. */
  async greet(profiles: readonly string[] = [this.profile], attributes = ''): Promise<Element> {
    const offered = profiles.map((uri) => `<profile uri='${escapeXml(uri)}' />`).join('')
    this.manage('RPY 0', `<greeting${attributes}>${offered}</greeting>`)
    return this.greeted()
  }

  /** Awaits the target's greeting. */
  async greeted(): Promise<Element> {
    const { keyword, element } = await this.answer(0)
    if (keyword !== 'RPY' || element.name !== 'greeting')
      throw new Failure(`expected the greeting; ${keyword} with <${element.name}> came`)
    this.greeting = element
    return element
  }

  /** The profiles that the target offers. */
  get offered(): readonly string[] {
    return (this.greeting?.children ?? []).filter(({ name }) => name === 'profile').map(({ attributes }) => attributes.uri ?? '')
  }

  /** Asks for a channel. */
  start(number: number | string, ...uris: readonly string[]): Promise<Answer> {
    const profiles = uris.map((uri) => `<profile uri='${escapeXml(uri)}' />`).join('')
    return this.ask(`<start number='${number}'>${profiles}</start>`)
  }

  /** The next number that we may give to a channel (§2.3.1.2). */
  number(): number {
    const number = this.#channel
    this.#channel += 2
    return number
  }

  /** An open channel on the profile that echoes: started by us, or, when the target is an initiator, started by it. Greets first if need be. */
  async channel(): Promise<number> {
    if (this.greeting === undefined) await this.greet()
    return this.target === 'listener' ? this.#startChannel() : this.#acceptChannel()
  }

  async #startChannel(): Promise<number> {
    const number = this.number()
    const { keyword, element } = await this.start(number, this.profile)
    if (keyword !== 'RPY' || element.name !== 'profile')
      throw new Failure(
        `expected channel ${number} with ${this.profile}; ${keyword} with <${element.name}> came (${element.attributes.code ?? ''} ${element.text.trim()})`,
      )
    return number
  }

  async #acceptChannel(): Promise<number> {
    const { msgno, payload } = await this.asked(0)
    const element = elementOf(payload)
    if (element.name !== 'start') throw new Failure(`expected <start> of the target; <${element.name}> came`)
    const uris = element.children.map(({ attributes }) => attributes.uri)
    if (!uris.includes(this.profile)) throw new Unsupported(`the target starts ${uris.join(', ')}, not ${this.profile}`)
    this.manage(`RPY ${msgno}`, `<profile uri='${escapeXml(this.profile)}' />`)
    return Number(element.attributes.number)
  }

  /** Has a body echoed. @throws Failure unless exactly it comes back */
  async echo(channel: number, msgno: number, body: Uint8Array | string = 'hello'): Promise<Reply> {
    const octets = typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.from(body)
    await this.message(channel, msgno, Buffer.concat([Buffer.from('\r\n'), octets]))
    return this.echoed(channel, msgno, octets)
  }

  /** Awaits the echo of a body. */
  async echoed(channel: number, msgno: number, body: Uint8Array | string): Promise<Reply> {
    const octets = typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.from(body)
    const reply = await this.reply(channel, msgno)
    if (reply.keyword !== 'RPY') throw new Failure(`expected RPY; ${reply.keyword} came: ${show(reply.payload)}`)
    const came = bodyOf(reply.payload)
    if (!came.equals(octets))
      throw new Failure(`expected the ${octets.length} octets of the body back; ${came.length} came: ${show(came)}`)
    return reply
  }

  // What is expected

  /**
   * The target ends the session and says nothing in reaction (§2.2.1.1). SEQ frames and its own MSGs are no reaction, nor are the replies it owed before,
   * given as `RPY 1 0`.
   */
  async expectTermination(owed: readonly string[] = []): Promise<string> {
    const before = this.connection.heardAtWrite
    const already = this.connection.count - this.connection.heard.length
    const how = await this.connection.ended()
    const since = this.connection.heard.slice(Math.max(0, before - already))
    for (const heard of since) {
      if (heard.kind === 'seq') continue
      if (heard.kind === 'garbage') throw new Failure(`the target wrote ${show(heard.octets)} before it ended the session`)
      const name = `${heard.keyword} ${heard.channel} ${heard.msgno}`
      // A request may be refused before it is whole (§2.6.3), and before the target has seen what is wrong.
      const refused = heard.keyword === 'ERR' && this.#begun.has(`${heard.channel} ${heard.msgno}`)
      if (heard.keyword !== 'MSG' && !owed.includes(name) && !refused)
        throw new Failure(`the target ended the session, but answered first: ${name}: ${show(heard.payload)}`)
    }
    return how === 'reset' ? 'the target reset the connection' : 'the target closed the connection'
  }

  /** The session works: a start of a profile that no one has is answered. What was sent before has been handled by then. */
  async expectAlive(): Promise<void> {
    if (this.greeting === undefined) await this.greet()
    const { keyword, element } = await this.start(this.number(), NOWHERE)
    if (keyword !== 'ERR') throw new Failure(`${keyword} with <${element.name}> came for a start of ${NOWHERE}`)
  }

  /** The answer is a refusal with one of the codes. */
  expectError({ keyword, element }: Answer, codes: readonly number[] = []): string {
    if (keyword !== 'ERR') throw new Failure(`expected ERR; ${keyword} with <${element.name}> came`)
    if (element.name !== 'error') throw new Failure(`expected <error>; <${element.name}> came`)
    const code = Number(element.attributes.code)
    if (codes.length > 0 && !codes.includes(code))
      throw new Failure(`expected code ${codes.join(' or ')}; ${element.attributes.code} came`)
    return `refused with ${element.attributes.code}`
  }

  /** What the target sent that no peer may send. */
  get faults(): readonly Fault[] {
    return [...this.connection.reader.faults, ...this.#ledger.faults]
  }

  /** What the implementer of the target should know beside what a case says that failed: what it did wrong before, or else what may be why. */
  remarks(ending: Ending | undefined): readonly string[] {
    const [fault] = this.faults
    return fault === undefined ? this.#ledger.remarks(ending) : [told(fault)]
  }

  /** Channel `number` was closed: both sides count anew. */
  forget(number: number): void {
    this.connection.reader.forget(number)
    this.#ledger.forget(number)
  }

  /** TLS from here on; both sides count anew and greet anew (§3.1). */
  async tune(role: 'client' | 'server', credentials: TlsCredentials): Promise<void> {
    await this.connection.tune(role, credentials)
    this.connection.heard.length = 0
    this.#ledger.restart()
    this.greeting = undefined
    this.#msgno = 0
    this.#channel = this.target === 'listener' ? 1 : 2
  }

  #hear(heard: Heard): void {
    if (heard.kind === 'garbage') return
    this.#ledger.heard(heard)
    if (heard.kind === 'seq') {
      if (this.seqs.length < 10_000) this.seqs.push(heard)
      return
    }
    // At half a window, as one who has taken everything; what was too much is known, and need not stop the rest.
    if (this.credits && this.#ledger.left(heard.channel) <= INITIAL_WINDOW / 2)
      this.#credit(heard.channel, this.#ledger.received(heard.channel))
  }

  #credit(channel: number, ackno: number): void {
    const { heardAtWrite } = this.connection
    // It is no deed of the case: what the target said since its last one still counts as a reaction to that.
    this.seq(channel, ackno, INITIAL_WINDOW).connection.heardAtWrite = heardAtWrite
  }
}

async function alone(): Promise<never> {
  throw new Unsupported('this takes more than one connection')
}
