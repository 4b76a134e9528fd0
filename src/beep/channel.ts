// A channel as users hold it: requests of ours go out as exchanges, requests of the peer go to the handler of its profile.
import { type Pending, serve } from './dispatch.js'
import type { Event } from './engine/events.js'
import type { OutgoingMessage } from './engine/outbox.js'
import { Queue } from './engine/queue.js'
import type { TrafficCounts } from './engine/traffic.js'
import { ClosedError, type CloseReason, ProtocolError } from './errors.js'
import { type Exchange, OutboundExchange } from './exchange.js'
import type { Gathering } from './gathering.js'
import { MAX_EMPTY_ANSWERS, MAX_REPLIES, MAX_SESSION_REPLIES } from './limits.js'
import type { LiveSession } from './live-session.js'
import { InboundMessage, type Message, type Outgoing, type Receiving } from './message.js'
import { letGo, type Sending, sendMessage } from './outbound.js'
import type { HandlerContext, Profile } from './profile.js'
import { onAbort } from './promises.js'
import type { Session } from './session.js'

export interface RequestOptions {
  /** Stops the waiting; the reply, should it come, is drained. A MSG of which nothing has left is not sent at all. */
  readonly signal?: AbortSignal | undefined
}

export interface CloseOptions {
  /** Reply code, 100..599; 200 by default. */
  readonly code?: number | undefined
  /** For people. */
  readonly text?: string | undefined
  /** Stops the waiting. */
  readonly signal?: AbortSignal | undefined
}

/** One channel of a session (RFC 3080 §2.3). */
export interface Channel {
  /** 1..2147483647: odd when the initiator started it (§2.3.1.2). */
  readonly number: number
  /** The URI of its profile. */
  readonly profileUri: string
  readonly session: Session
  /** What the peer put in its `<profile>` reply, decoded; undefined when it started the channel or said nothing. */
  readonly initial: Buffer | undefined
  /**
   * While several channels have something to send, those of higher priority go first and the rest wait; among equals it goes round
   * (RFC 3081 §3.1.4). 0 by default.
   * @throws RangeError for what is no number
   */
  priority: number
  /** What passed on this channel; it goes on counting. */
  readonly traffic: TrafficCounts
  /** Octets that the peer may still send, that came and were not taken, and that we may still send (RFC 3081 §3.1). */
  readonly windows: { readonly receivable: number; readonly unread: number; readonly sendable: number }
  /**
   * Sends a MSG and waits for its one reply. As everything that gives a promise, it never throws at once.
   * @throws ReplyError for ERR, ClosedError when the session or channel ends first, TypeError as `reply()` of an exchange does, or what `send` throws
   */
  request(body: Outgoing, options?: RequestOptions): Promise<Message>
  /**
   * Sends a MSG and gives its exchange: replies of any style.
   * @throws at once: ClosedError when the channel takes no MSG any more, TypeError when `body` is none or its headers are not lawful, the reason of
   *   a signal that has aborted
   */
  send(body: Outgoing, options?: RequestOptions): Exchange
  /** Closes the channel once every MSG has been acknowledged (§2.3.1.3). @throws ReplyError when the peer refuses */
  close(options?: CloseOptions): Promise<void>
  /** Resolves, never rejects, once the channel is closed. */
  readonly closed: Promise<CloseReason>
}

/** Why handlers should come to an end before their channel does. */
function asked(): DOMException {
  return new DOMException('The peer asks to close the channel', 'AbortError')
}

/** What handlers of one channel are given. */
class Context implements HandlerContext {
  readonly #channel: OpenChannel

  constructor(channel: OpenChannel) {
    this.#channel = channel
  }

  get signal(): AbortSignal {
    return this.#channel.signal
  }
}

export class OpenChannel implements Channel, Receiving {
  readonly number: number
  readonly profileUri: string
  readonly session: LiveSession
  readonly initial: Buffer | undefined
  readonly traffic: TrafficCounts
  /** What serves MSGs of the peer; undefined when we only ask. */
  readonly profile: Profile | undefined
  /** Of ours, those whose reply is not complete, in the order in which they began: replies come in that order (§2.6.1). */
  readonly #exchanges = new Queue<OutboundExchange>()
  /** MSGs whose handler has not begun. */
  readonly #waiting = new Queue<Pending>()
  /** The MSG in its handler's hands. */
  #serving: Pending | undefined
  /** The MSG that is coming in. */
  #arriving: InboundMessage | undefined
  /** The last reply that was queued. */
  #replied: OutgoingMessage | undefined
  /** The next handler waits until replies have left. */
  #resting = false
  /** Made when a handler asks for its signal. */
  #abort: AbortController | undefined
  /** The peer has asked to close the channel, and has no answer yet. */
  #leaving = false
  #context: Context | undefined
  #priority = 0
  #reason: CloseReason | undefined
  #closed: Promise<CloseReason> | undefined
  #resolveClosed: ((reason: CloseReason) => void) | undefined

  constructor(session: LiveSession, number: number, uri: string, profile: Profile | undefined, initial: Buffer | undefined) {
    this.session = session
    this.number = number
    this.profileUri = uri
    this.profile = profile
    this.initial = initial
    this.traffic = session.engine.traffic(number)
  }

  // What the user does

  request(body: Outgoing, options?: RequestOptions): Promise<Message> {
    try {
      return this.send(body, options).reply()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  send(body: Outgoing, { signal }: RequestOptions = {}): Exchange {
    const { message, pumped } = this.#sending(body, signal)
    const exchange = new OutboundExchange(message, this.session.writers)
    this.#exchanges.push(exchange)
    if (pumped === undefined && signal === undefined) return exchange
    const undo = (error: Error) => {
      if (message.started) exchange.abandon(error)
      else {
        this.#exchanges.remove(exchange)
        exchange.cancel(error)
      }
    }
    pumped?.catch(undo)
    if (signal !== undefined) {
      const stop = () => {
        if (this.session.writers.withdraw(message)) this.session.writers.drop(message)
        undo(signal.reason as Error)
      }
      // It may abort while the body is looked at for the first time.
      if (signal.aborted) stop()
      else exchange.onEnd = onAbort(signal, stop)
    }
    return exchange
  }

  /** A body that cannot be sent is let go of. */
  #sending(body: Outgoing, signal: AbortSignal | undefined): Sending {
    try {
      signal?.throwIfAborted()
      if (this.#reason !== undefined) throw new ClosedError(`Channel ${this.number} is closed`, this.#reason)
      if (!this.session.engine.maySend(this.number))
        throw this.session.closing(`Channel ${this.number} is being closed and takes no MSG`)
      return sendMessage(this.session, this.number, 'MSG', 0, 0, body)
    } catch (error) {
      letGo(body)
      throw error
    }
  }

  async close({ code = 200, text = '', signal }: CloseOptions = {}): Promise<void> {
    // It may be closed already, and that event not taken: its number may be another channel's by then.
    this.session.pump()
    if (this.#reason !== undefined) return
    await this.session.questions.close(this.number, code, text, signal)
  }

  get priority(): number {
    return this.#priority
  }

  set priority(priority: number) {
    if (typeof priority !== 'number' || Number.isNaN(priority)) throw new RangeError(`A priority is a number; got ${priority}`)
    this.#priority = priority
    if (!this.over) this.session.engine.prioritise(this.number, priority)
  }

  get windows(): { readonly receivable: number; readonly unread: number; readonly sendable: number } {
    return this.over ? { receivable: 0, unread: 0, sendable: 0 } : this.session.engine.windows(this.number)
  }

  get closed(): Promise<CloseReason> {
    this.#closed ??= new Promise((resolve) => {
      if (this.#reason === undefined) this.#resolveClosed = resolve
      else resolve(this.#reason)
    })
    return this.#closed
  }

  get over(): boolean {
    return this.#reason !== undefined
  }

  // What handlers are given

  get context(): HandlerContext {
    this.#context ??= new Context(this)
    return this.#context
  }

  /** Made when a handler asks for it. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#reason !== undefined) this.#abort.abort(new ClosedError(`Channel ${this.number} is closed`, this.#reason))
    else if (this.#leaving) this.#abort.abort(asked())
    return this.#abort.signal
  }

  /** A MSG of ours has no whole reply yet. */
  get asks(): boolean {
    return this.#exchanges.length > 0
  }

  // What its messages need

  get maxMessage(): number {
    return this.session.maxMessage
  }

  get gathering(): Gathering {
    return this.session.gathering
  }

  credit(octets: number): void {
    // Another channel may have the number by now.
    if (this.over) return
    this.session.engine.consume(this.number, octets)
    this.session.schedule()
  }

  // What the session tells

  /** A message begins. @returns whether it has been dealt with: nobody goes on with it later */
  message(event: Extract<Event, { type: 'message' }>): boolean {
    const message = new InboundMessage(event.headers, event.overhead, this)
    let done = false
    if (event.octets.length > 0 || event.last) message.arrive(event.octets, event.last)
    if (event.keyword === 'MSG') {
      this.#arriving = event.last ? undefined : message
      if (event.last) this.#hold()
      this.#waiting.push({ msgno: event.msgno, message })
      this.serve()
      done = event.last && this.#serving === undefined && this.#waiting.length === 0
    } else {
      const exchange = this.#exchangeOf(event.msgno)
      if (exchange === undefined) message.discard()
      else {
        exchange.arrive(event.keyword, event.ansno, message, event.last)
        if (exchange.free > MAX_EMPTY_ANSWERS) {
          const detail = `${MAX_EMPTY_ANSWERS} without an octet wait to be taken`
          this.session.broken(new ProtocolError('limits/answers', detail))
        }
        if (event.last && event.keyword !== 'ANS') this.#exchanges.remove(exchange)
      }
    }
    if (message.unsettled) this.session.keep(message)
    return done
  }

  /** More of a message. */
  data(event: Extract<Event, { type: 'data' }>): void {
    let message: InboundMessage | undefined
    if (event.keyword === 'MSG') {
      message = this.#arriving
      message?.arrive(event.octets, event.last)
      if (event.last) {
        this.#arriving = undefined
        this.#hold()
      }
    } else {
      const exchange = this.#exchangeOf(event.msgno)
      message = exchange?.more(event.ansno, event.octets, event.last)
      if (message === undefined) this.credit(event.octets.length)
      if (exchange !== undefined && event.last && event.keyword !== 'ANS') this.#exchanges.remove(exchange)
    }
    if (message?.unsettled) this.session.keep(message)
  }

  /**
   * The MSGs of a channel are processed in order (§2.6.1): the next one when the reply to the last has been given, and when not too much of
   * the replies waits for a peer that asks and does not read (RIMP-12).
   */
  serve(): void {
    while (this.#serving === undefined) {
      if (this.#resting) return
      if (this.#crowded()) {
        this.#resting = true
        void this.session.moved.wait().then(() => {
          this.#resting = false
          this.serve()
        })
        return
      }
      const pending = this.#waiting.shift()
      if (pending === undefined) return
      this.#serving = pending
      const done = this.#handle(pending)
      if (done === undefined) {
        this.#serving = undefined
        this.#letGo()
      } else {
        done.then(
          () => this.#served(),
          (error) => this.session.failed(error),
        )
      }
    }
  }

  /** A fault of ours, or of what a handler gave us, ends no more than the session. */
  #handle(pending: Pending): Promise<void> | undefined {
    try {
      return serve(this, pending)
    } catch (error) {
      this.session.failed(error)
      return undefined
    }
  }

  /** Mostly it is the oldest. */
  #exchangeOf(msgno: number): OutboundExchange | undefined {
    return this.#exchanges.find((exchange) => exchange.msgno === msgno)
  }

  /** A reply is on its way. */
  replied(message: OutgoingMessage): void {
    this.#replied = message
  }

  /** Two peers that ask each other on one channel must not wait for each other: then only what is beyond all measure counts. */
  #crowded(): boolean {
    if (this.session.engine.replies > MAX_SESSION_REPLIES) return true
    const last = this.#replied
    if (last === undefined || last.sent) return false
    return last.channel.waiting > (this.asks ? this.session.maxMessage : MAX_REPLIES)
  }

  /** Nothing may stand behind a tuning message (§3.1.3.1): what does is not looked at until the handler has decided. */
  #hold(): void {
    if (this.profile?.tuning) this.session.hold()
  }

  #letGo(): void {
    if (this.profile?.tuning) this.session.letGo()
  }

  #served(): void {
    this.#serving = undefined
    this.#letGo()
    this.serve()
  }

  /** The peer asks to close it, or the session: handlers that take long should come to an end, those that begin now too. */
  askedToClose(): void {
    this.#leaving = true
    this.#abort?.abort(asked())
  }

  /** The close was refused: handlers that begin now have all their time. */
  stays(): void {
    this.#leaving = false
    if (this.#abort?.signal.aborted) this.#abort = undefined
  }

  /** It is over: nothing that waits on it will happen. */
  end(reason: CloseReason): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#waiting.clear()
    this.#resolveClosed?.(reason)
    // An error is dear, and mostly there is nobody to be told.
    if (this.#exchanges.length === 0 && this.#serving === undefined && this.#abort === undefined) return
    const error = new ClosedError(`Channel ${this.number} ended`, reason)
    for (const exchange of this.#exchanges.clear()) exchange.fail(error)
    this.#serving?.message.fail(error)
    this.#abort?.abort(error)
  }
}
