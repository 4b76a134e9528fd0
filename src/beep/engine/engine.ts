// The protocol without the network: octets in, events out; commands in, octets out. No socket, clock, promise, logger or callback.
import { ProtocolError } from '../errors.js'
import { BATCH, completeLimits, HIGH_WATER, type Limits, MAX_BACKLOG, MAX_NUMBER } from '../limits.js'
import { isReplyCode } from '../reply-code.js'
import type { ProfileElement } from '../wire/elements.js'
import type { Keyword } from '../wire/frame.js'
import type { Channel } from './channel.js'
import { ChannelZero } from './channel-zero.js'
import { Core, type Role } from './core.js'
import type { Event, Greeting } from './events.js'
import type { Owed } from './exchange.js'
import { OutgoingMessage } from './outbox.js'
import { Receiver } from './receiver.js'
import type { TrafficCounts } from './traffic.js'

/** Where the session is in its life. */
export type EngineState = 'greeting' | 'open' | 'releasing' | 'released' | 'terminated'

/** What `start` asks for besides the profiles. */
export interface StartWords {
  /** The name of the server that is meant (RFC 3080 §2.3.1.2). */
  readonly serverName?: string | undefined
  /** The initialization message is a tuning message: nothing is sent after it until `resume()` (§3.1.3.1). */
  readonly hush?: boolean
}

/**
 * One BEEP session. Feed it with `receive()`, take what happened with `nextEvent()` and what to send with `transmit()`.
 * Nothing that a peer says makes it throw; a command at the wrong time is a mistake of the caller: TypeError or RangeError.
 */
export class Engine {
  readonly #core: Core
  readonly #management: ChannelZero
  readonly #receiver: Receiver
  /** We have said that we are not available. */
  #refused = false

  /** @param limits see `Limits`; defaults for what is left out */
  constructor(role: Role, limits: Partial<Limits> = {}) {
    this.#core = new Core(role, completeLimits(limits))
    this.#management = new ChannelZero(this.#core)
    this.#receiver = new Receiver(this.#core, this.#management)
    this.#core.management = this.#management
  }

  get role(): Role {
    return this.#core.role
  }

  get state(): EngineState {
    if (this.#core.over !== undefined) return this.#core.over
    if (this.greeting === undefined) return 'greeting'
    return this.#core.zero.state === 'open' ? 'open' : 'releasing'
  }

  /** What the peer said it is, once its greeting is in. */
  get greeting(): Greeting | undefined {
    return this.#management.greeting
  }

  /** The server name that the first successful start of the peer asked for (RFC 3080 §2.3.1.2). */
  get serverName(): string | undefined {
    return this.#management.serverName
  }

  /** The server name that holds when a start that asks for `asked` succeeds: the first one that did has fixed it, be it that there is none (§2.3.1.2, A21). */
  serverNameFor(asked: string | undefined): string | undefined {
    return this.#management.peerStarted ? this.#management.serverName : asked
  }

  /**
   * What is outstanding in either direction: exchanges of data channels, messages queued there, our questions and messages on channel 0.
   * The peer's questions on channel 0 do not count: a tuning message may be one, and is answered when the rest is quiet (§3.1.3.1).
   */
  get outstanding(): number {
    const { load, zero } = this.#core
    return load.asked + load.owed + load.queued + zero.exchanges.asked + zero.outbox.length
  }

  /** Whether a MSG of ours, a queued one or one of channel 0 too, has no complete reply. */
  get asking(): boolean {
    const { zero, channels } = this.#core
    return asks(zero) || [...channels.values()].some(asks)
  }

  /** Nothing leaves: a tuning message was said, or the session is over. */
  get silent(): boolean {
    return this.#core.scheduler.silent
  }

  /** The text of a diagnostic with its language, which goes unsaid when it is the peer's first choice (RFC 3080 §2.3.1.5). */
  words(code: number, text: string, lang?: string): { code: number; text: string; lang?: string } {
    return this.#management.words(code, text, lang)
  }

  /** What passed, in the whole session or on one channel; it goes on counting. */
  traffic(number?: number): TrafficCounts {
    return (number === undefined ? this.#core : this.#core.existing(number)).traffic
  }

  /** The windows of a channel, in octets: what the peer may still send, what has come and was not consumed, what we may still send. */
  windows(number: number): { readonly receivable: number; readonly unread: number; readonly sendable: number } {
    const { receiving, sending } = this.#core.existing(number)
    return { receivable: receiving.room, unread: receiving.unread, sendable: sending.usable }
  }

  /** Channels of higher priority send before those of lower; 0 is where all begin (RFC 3081 §3.1.4). */
  prioritise(number: number, priority: number): void {
    this.#core.existing(number).priority = priority
  }

  // From and to the network

  /** Appends octets. They are read in place: they must not be written to afterwards. */
  receive(octets: Uint8Array): void {
    if (this.#core.over === undefined) this.#receiver.receive(octets)
  }

  /** The transport ended. Without a release that is an abnormal end (RFC 3081 §2). */
  receiveEnd(): void {
    if (this.#core.over === undefined) this.#core.terminate('peer', undefined)
  }

  /** Whether octets were received that belong to no frame read so far. */
  get unread(): boolean {
    return !this.#receiver.betweenFrames
  }

  /** Whether something has happened that `nextEvent` would give without parsing. */
  get eventful(): boolean {
    return this.#core.hasEvent
  }

  /** The next event, or undefined when more octets are needed. Parses no further than that. */
  nextEvent(): Event | undefined {
    try {
      // To a peer that is refused nobody listens, its greeting is ignored (§2.4).
      return this.#core.takeEvent() ?? (this.#refused ? undefined : this.#receiver.next())
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.fail(error)
      return this.#core.takeEvent()
    }
  }

  /** Whether `transmit` would give octets. */
  get pending(): boolean {
    return this.#core.scheduler.pending
  }

  /**
   * The next octets to write, in order: about `budget` of them, never ending inside a frame. Empty when there is nothing to say,
   * no window to say it in, or when silence is due.
   */
  transmit(budget = BATCH): readonly Uint8Array[] {
    return this.#core.scheduler.transmit(budget)
  }

  // Channel management

  /** Says what we are. Both peers do so at once (RFC 3080 §2.3.1.1). */
  greet(greeting: Partial<Greeting>): void {
    this.#management.greet(greeting)
  }

  /** Says that we are not available, instead of a greeting (§2.3.1.5); the session is over once that has been sent. */
  refuseSession(code: number, text = ''): void {
    checkCode(code)
    this.#management.refuseSession(code, text)
    this.#refused = true
  }

  /** Asks for a channel with one of `profiles`. @returns its number */
  start(profiles: readonly ProfileElement[], words: StartWords = {}): number {
    if (this.greeting === undefined) throw new TypeError('A channel can be started once the greeting of the peer is in')
    if (profiles.length === 0) throw new RangeError('A start proposes at least one profile (RFC 3080 §2.3.1.2)')
    return this.#management.start(profiles, words.serverName, words.hush ?? false)
  }

  /** Gives the peer the channel that a `start` event asked for. With `hush`, `content` is a tuning message and nothing follows it. */
  accept(channel: number, uri: string, content?: Uint8Array, hush = false): void {
    this.#management.accept(channel, uri, content, hush)
  }

  decline(channel: number, code: number, text = '', lang?: string): void {
    checkCode(code)
    this.#management.decline(channel, code, text, lang)
  }

  /** Closes a channel, or with 0 releases the session, once every MSG of ours has been acknowledged (§2.3.1.3). No MSG can be sent meanwhile. */
  close(channel: number, code = 200, text = '', lang?: string): void {
    checkCode(code)
    this.#management.close(this.#core.existing(channel), code, text, lang)
  }

  /** Grants what a `close` event asked for; `closed` follows once everything has been sent and answered. */
  agree(channel: number): void {
    this.#management.agree(this.#core.existing(channel))
  }

  /** Whether the peer asks to close the channel, or with 0 to release the session, and has no answer yet. */
  closeAsked(channel: number): boolean {
    return this.#management.pendingClose(channel) !== undefined
  }

  refuse(channel: number, code: number, text = '', lang?: string): void {
    checkCode(code)
    this.#management.refuse(this.#core.existing(channel), code, text, lang)
  }

  // Messages

  /** Whether a MSG may be sent on the channel now: it is open, and nobody is closing it or the session. */
  maySend(number: number): boolean {
    const channel = this.#core.channels.get(number)
    return channel !== undefined && this.#takesRequest(channel)
  }

  #takesRequest(channel: Channel): boolean {
    return this.#core.over === undefined && speaks(channel) && speaks(this.#core.zero)
  }

  /**
   * Queues a message: a MSG, or a reply to the oldest MSG of the peer that has not been answered whole (§2.6.1).
   * @param msgno the number of the MSG that a reply is for; for a MSG the engine chooses it
   * @param payload entity headers and body: the array is the engine's from then on. When given, the message is complete; without, it is written with
   *   `write` and `end`
   * @throws RangeError or TypeError when the message may not be sent
   */
  send(number: number, keyword: Keyword, msgno = 0, ansno = 0, payload?: Uint8Array[]): OutgoingMessage {
    const channel = this.#core.existing(number)
    if (channel === this.#core.zero) throw new RangeError('Channel 0 carries channel management only (RFC 3080 §2.3)')
    if (keyword === 'NUL' && payload?.some((piece) => piece.length > 0))
      throw new TypeError('NUL has no payload, not even the empty line of an entity (RFC 3080 §2.2.1.1)')
    const message = keyword === 'MSG' ? this.#request(channel) : reply(channel, keyword, msgno, ansno)
    if (payload !== undefined) message.complete(payload)
    else if (keyword === 'NUL') message.ended = true
    this.#core.queue(message)
    return message
  }

  /** The message that was sent last is a tuning message: once it has left, nothing is sent until `resume()` (§3.1.3.1). */
  hushAfter(message: OutgoingMessage): void {
    message.afterwards = () => {
      this.#core.scheduler.silent = true
    }
  }

  /** @returns false when the writer should wait for the `drain` event of the message */
  write(message: OutgoingMessage, octets: Uint8Array): boolean {
    if (message.ended) return true
    message.write(octets)
    message.channel.count(message, octets.length)
    this.#core.scheduler.touch(message.channel)
    message.waiting = this.#core.pressed(message)
    return !message.waiting
  }

  /** Octets of replies that wait to be sent on all data channels together. */
  get replies(): number {
    return this.#core.load.replies
  }

  /** Whether so many octets more of the channel would leave with what is written next. */
  leaves(number: number, octets: number): boolean {
    const { waiting, sending } = this.#core.existing(number)
    return waiting === 0 && sending.usable >= octets && !this.pending
  }

  /** Whether so much waits to be sent that whoever makes messages after this one should wait for its `drain` event. */
  backlog(message: OutgoingMessage): boolean {
    const { channel, sent } = message
    const much = channel.waiting >= HIGH_WATER || channel.outbox.length >= MAX_BACKLOG || this.#core.pressed(message)
    message.waiting = much && !sent
    return message.waiting
  }

  /** The message is complete. */
  end(message: OutgoingMessage): void {
    message.ended = true
    this.#core.scheduler.touch(message.channel)
  }

  /**
   * Takes back a message of which nothing has left; a reply may then be given in another style.
   * @returns false when it is too late: no frame of the protocol says "never mind"
   */
  withdraw(message: OutgoingMessage): boolean {
    const { owed, keyword } = message
    // After an early ERR, frames of the request may have been passed over already (§2.6.3).
    if (owed?.ignored || !message.channel.withdraw(message)) return false
    if (owed !== undefined) {
      if (keyword === 'ANS') owed.answers--
      else message.channel.exchanges.reopen(owed)
      if (owed.answers === 0) owed.style = undefined
    }
    this.#core.scheduler.touch(message.channel)
    this.#core.progress(message.channel)
    return true
  }

  /** The application has taken `octets` of the bodies that came on the channel: credit for the peer (RFC 3081 §3.1.3). */
  consume(number: number, octets: number): void {
    const channel = this.#core.channels.get(number)
    if (channel !== undefined) this.#core.credit(channel, octets)
  }

  /** Whether there is credit that `transmit` does not say yet, because it is less than half a window (RFC 3081 §3.1.4). */
  get keepsCredit(): boolean {
    return this.#core.keepsCredit
  }

  /** Says it all the same, with the next `transmit`: a peer may wait for a window that takes its next message whole (RFC 3081 §3.1.2). */
  sayCredit(): void {
    this.#core.sayCredit()
  }

  // The end

  /** A tuning message was answered with an error: what was held back may leave (§3.1.3.2). */
  resume(): void {
    if (this.#core.over === undefined) this.#core.scheduler.silent = false
  }

  /** Ends the session now; nothing more is sent or parsed. */
  terminate(): void {
    if (this.#core.over === undefined) this.#core.terminate('us', undefined)
  }

  /** Ends the session because of a rule that the peer broke. */
  fail(error: ProtocolError): void {
    if (this.#core.over === undefined) this.#core.terminate('us', error)
  }

  #request(channel: Channel): OutgoingMessage {
    if (!this.#takesRequest(channel))
      throw new TypeError(`Channel ${channel.number} is being closed: it takes no MSG (RFC 3080 §2.3.1.3)`)
    return new OutgoingMessage('MSG', channel, channel.exchanges.allot(), 0, undefined)
  }
}

function asks({ exchanges, outbox }: Channel): boolean {
  return exchanges.unreplied || outbox.hasRequest
}

function speaks(channel: Channel): boolean {
  return channel.closeWanted === undefined && (channel.state === 'open' || channel.state === 'asked')
}

/** A reply to `msgno`, in order and in one of the three styles (§2.1.1): they never mix. */
function reply(channel: Channel, keyword: Exclude<Keyword, 'MSG'>, msgno: number, ansno: number): OutgoingMessage {
  const owed: Owed | undefined = channel.exchanges.due
  if (owed === undefined || owed.incoming.msgno !== msgno) {
    throw new RangeError(
      `The next reply on channel ${channel.number} is for MSG ${owed?.incoming.msgno ?? 'none'}, not ${msgno} (RFC 3080 §2.6.1)`,
    )
  }
  if (owed.style === 'ANS' && (keyword === 'RPY' || keyword === 'ERR')) {
    throw new TypeError(`${keyword} cannot follow ${owed.style} in one reply (RFC 3080 §2.1.1)`)
  }
  if (keyword === 'ANS' && !(Number.isInteger(ansno) && ansno >= 0 && ansno <= MAX_NUMBER))
    throw new RangeError(`An answer number is 0..${MAX_NUMBER} (RFC 3080 §2.2.1); got ${ansno}`)
  // The NUL that ends answers leaves the style what it was: without it, only another NUL or answer may come.
  owed.style ??= keyword
  if (keyword === 'ANS') owed.answers++
  owed.answered = keyword !== 'ANS'
  owed.ignored = keyword === 'ERR' && !owed.complete
  return new OutgoingMessage(keyword, channel, msgno, ansno, owed)
}

function checkCode(code: number): void {
  if (!isReplyCode(code)) throw new RangeError(`A reply code has three digits, the first 1 to 5 (RFC 3080 §7.1); got ${code}`)
}
