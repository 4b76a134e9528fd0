// A session at work: the engine's events become channels, promises and handlers; what is said is written at once or when the turn ends.
import { Buffer } from 'node:buffer'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { Answers } from './answers.js'
import { type Channel, OpenChannel } from './channel.js'
import { noteEnd, noteError, noteOctets, noteSession, watched } from './diagnostics.js'
import { Driver, type DriverEvents } from './driver.js'
import type { Role } from './engine/core.js'
import { Engine } from './engine/engine.js'
import type { Event, Greeting } from './engine/events.js'
import type { TrafficCounts } from './engine/traffic.js'
import { ClosedError, type CloseReason, type ProtocolError, ReplyError } from './errors.js'
import { Gathering } from './gathering.js'
import { GREETING_TIMEOUT, MAX_EVENTS, MAX_MESSAGE, RELEASE_TIMEOUT } from './limits.js'
import type { InboundMessage } from './message.js'
import { Writers } from './outbound.js'
import type { Profile } from './profile.js'
import { type Deferred, deferred, isPromise, within } from './promises.js'
import { Questions } from './questions.js'
import type { Session, SessionOptions, StartOptions } from './session.js'
import { Timers } from './timers.js'
import { type TakeOver, type TuningStart, tune } from './tuning.js'
import { Turn, type TurnWork } from './turn.js'
import { Wake } from './wake.js'

export class LiveSession implements Session, DriverEvents, TurnWork {
  readonly role: Role
  readonly engine: Engine
  readonly channels = new Map<number, OpenChannel>()
  readonly maxMessage: number
  readonly options: SessionOptions
  readonly #transport: Duplex
  readonly driver: Driver
  readonly #greeted = deferred<void>()
  /** The greeting of the peer is in, and the application has seen the session. */
  #up = false
  readonly questions = new Questions(this)
  readonly #answers = new Answers(this)
  readonly writers = new Writers(this)
  readonly gathering = new Gathering()
  /** Messages that hold views of chunks of this turn. */
  readonly #kept: InboundMessage[] = []
  readonly #turn = new Turn(this)
  /** A tuning message is being handled: nothing behind it may be parsed. */
  #held = false
  /** Events are being handled. */
  #pumping = false
  /** Roused when octets have come or left: whoever waits for a change looks again. */
  readonly moved = new Wake()
  readonly timers = new Timers(this)
  #reason: CloseReason<Session> | undefined
  #closed: Deferred<CloseReason<Session>> | undefined

  constructor(transport: Duplex, role: Role, options: SessionOptions) {
    this.role = role
    this.#transport = transport
    this.options = options
    this.maxMessage = options.maxMessage ?? MAX_MESSAGE
    this.engine = new Engine(role, options)
    this.driver = new Driver(transport, this.engine, this)
    const { localize = [], features = [], idleTimeout = 0 } = options
    this.engine.greet({ profiles: this.served().map(({ uri }) => uri), localize, features })
    this.schedule()
    this.timers.begin(idleTimeout)
  }

  // What the user does

  get greeting(): Greeting {
    return this.engine.greeting!
  }

  get serverName(): string | undefined {
    return this.engine.serverName
  }

  get traffic(): TrafficCounts {
    return this.engine.traffic()
  }

  get tls(): TLSSocket | undefined {
    return this.#transport instanceof TLSSocket ? this.#transport : undefined
  }

  /** Resolves once the greeting of the peer is in. */
  async ready(signal?: AbortSignal): Promise<void> {
    const { greetingTimeout = GREETING_TIMEOUT } = this.options
    try {
      await within(greetingTimeout, 'The greeting of the peer (RFC 3080 §2.3.1.1)', this.#greeted.promise, signal)
    } catch (error) {
      this.terminate(error as Error)
      throw error
    }
  }

  start(profile: string | Profile | readonly (string | Profile)[], options: StartOptions = {}): Promise<Channel> {
    return this.questions.start(profile, options)
  }

  async release({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    // It may be released already, and that event not taken.
    this.pump()
    if (this.#reason?.kind === 'released') return
    await this.questions.close(0, 200, '', signal)
  }

  terminate(error?: Error): void {
    if (this.#reason !== undefined) return
    this.engine.terminate()
    this.end({ kind: 'terminated', by: 'us', ...(error === undefined ? {} : { error }) })
  }

  get closed(): Promise<CloseReason<Session>> {
    if (this.#closed === undefined) {
      this.#closed = deferred()
      if (this.#reason !== undefined) this.#closed.resolve(this.#reason)
    }
    return this.#closed.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { releaseTimeout = RELEASE_TIMEOUT } = this.options
    try {
      await within(releaseTimeout, 'A release', this.release())
    } catch (error) {
      this.terminate(error as Error)
    }
  }

  tune(uri: string, ready: TuningStart, check: (reply: Buffer | undefined) => void, takeOver: TakeOver): Promise<Session> {
    return tune(this, uri, ready, check, takeOver)
  }

  // What channels, handlers, bodies and tunings need

  get over(): boolean {
    return this.#reason !== undefined
  }

  /** Something has been said: it is written when the turn ends. */
  schedule(): void {
    if (this.#reason === undefined) this.#turn.schedule()
  }

  /** The message holds views of a chunk: at the end of the turn it must let go of what is small. */
  keep(message: InboundMessage): void {
    this.#kept.push(message)
    this.schedule()
  }

  /** Calls a function of the user that has no say: what it throws, or rejects with, ends nothing. */
  tell(call: () => unknown): void {
    try {
      const told = call()
      if (isPromise(told)) told.then(undefined, (error) => noteError(this, error))
    } catch (error) {
      noteError(this, error)
    }
  }

  /** What the peer is told of an exception: a ReplyError speaks for itself, anything else is a mistake of ours it need not read (RIMP-08). */
  refusal(error: unknown): ReplyError {
    if (error instanceof ReplyError) return error
    if (error instanceof RangeError && 'code' in error && error.code === 'BEEP_ERR_TOO_LARGE')
      return new ReplyError(554, 'the message is too long')
    noteError(this, error)
    return new ReplyError(451)
  }

  closing(what: string): ClosedError {
    return new ClosedError(what, this.#reason ?? { kind: 'released', by: this.questions.closing ? 'us' : 'peer' })
  }

  /** Something went wrong on our side that no peer is to blame for. */
  failed(error: unknown): void {
    noteError(this, error)
    this.terminate(error instanceof Error ? error : new Error('What was thrown is no Error', { cause: error }))
  }

  /** A tuning message is being handled: nothing behind it is parsed. */
  hold(): void {
    this.#held = true
  }

  /** The tuning was refused: everything goes on as before (§3.1.3.2). */
  resume(): void {
    this.engine.resume()
    this.letGo()
  }

  /** What stands behind the message is parsed. */
  letGo(): void {
    this.#held = false
    this.driver.resume()
    // What answers at once is asked for the next by whoever asked it, not by itself.
    if (!this.#pumping) this.pump()
    this.schedule()
  }

  /** The session that follows a tuning: the same role, the same profiles, everything else anew (§3). */
  successor(transport: Duplex): LiveSession {
    return new LiveSession(transport, this.role, this.options)
  }

  /** @throws ClosedError when the session is over */
  assertAlive(what: string): void {
    if (this.#reason !== undefined) throw new ClosedError(what, this.#reason)
  }

  /** The peer broke a rule outside of what the engine reads. */
  broken(error: ProtocolError): void {
    this.#held = false
    this.engine.fail(error)
    this.pump()
  }

  // What the driver tells of the transport

  received(octets: Uint8Array): void {
    if (watched()) noteOctets(this, this.role === 'initiator' ? 'listener' : 'initiator', octets)
    this.timers.heard = true
    this.#turn.received(octets.length, this.#held)
  }

  sending(octets: Uint8Array): void {
    if (watched()) noteOctets(this, this.role, octets)
  }

  wrote(): void {
    if (this.engine.eventful) this.pump()
    this.moved.rouse()
  }

  ended(error: Error | undefined): void {
    if (this.#reason !== undefined) return
    this.pump()
    // An <ok/> that is due makes it a release, whether the peer still reads it or not (§2.4, A24).
    if (!this.#held) this.driver.flush()
    if (this.over) return
    this.engine.receiveEnd()
    this.end({ kind: 'terminated', by: 'peer', ...(error === undefined ? {} : { error }) })
  }

  // What a turn is made of

  take(): boolean {
    const more = this.pump(MAX_EVENTS)
    // It may not be parsed, and nothing that is kept is without a bound.
    if (this.#held && this.engine.unread) this.driver.pause()
    this.moved.rouse()
    if (this.engine.pending) this.schedule()
    return more
  }

  write(): void {
    if (this.#kept.length > 0) {
      // Emptied one by one, the array keeps its room.
      for (let message = this.#kept.pop(); message !== undefined; message = this.#kept.pop())
        if (message.unsettled) message.settle()
    }
    this.driver.flush()
    this.timers.flushed()
  }

  /**
   * Handles what has happened. While a tuning message is handled, that is what was parsed before it, and what comes of our own writing.
   * @param most so many events. @returns whether that was too few
   */
  pump(most = Number.POSITIVE_INFINITY): boolean {
    const outermost = !this.#pumping
    this.#pumping = true
    let handled = 0
    while (handled < most && this.#reason === undefined && (!this.#held || this.engine.eventful)) {
      const event = this.engine.nextEvent()
      if (event === undefined) break
      this.#handle(event)
      handled++
    }
    if (outermost) this.#pumping = false
    return handled === most
  }

  #handle(event: Event): void {
    switch (event.type) {
      case 'message':
        if (this.channels.get(event.channel)?.message(event)) return
        break
      case 'data':
        this.channels.get(event.channel)?.data(event)
        break
      case 'drain':
        this.writers.drain(event.message)
        break
      case 'greeting':
        // Before anything that stands behind the greeting is handled: the application may keep state by session.
        noteSession(this)
        this.tell(() => this.options.onSession?.(this))
        this.#up = true
        this.#greeted.resolve()
        break
      case 'refused':
        this.end({ kind: 'refused', error: event.error })
        break
      case 'start':
        this.#answers.start(event)
        break
      case 'started':
        this.questions.started(event)
        break
      case 'declined':
        this.questions.declined(event.channel, event.error)
        break
      case 'close':
        this.#answers.close(event)
        break
      case 'crossed':
        this.#answers.crossed(event.channel)
        break
      case 'closed':
        this.#channelClosed(event.channel, event.by)
        break
      case 'closeRefused':
        this.questions.closeRefused(event.channel, event.error)
        break
      case 'terminated': {
        const { by, error } = event
        if (error !== undefined) noteError(this, error)
        this.end({ kind: 'terminated', by, ...(error === undefined ? {} : { error }) })
      }
    }
    this.#turn.goesOn = true
  }

  // Profiles and channels

  /** The profiles that are served on this session as it is now. */
  served(): readonly Profile[] {
    return (this.options.profiles ?? []).filter((profile) => {
      let available = false
      this.tell(() => {
        available = profile.available?.(this) ?? true
      })
      return available
    })
  }

  open(number: number, uri: string, profile: Profile | undefined, content: Uint8Array | undefined): OpenChannel {
    const channel = new OpenChannel(this, number, uri, profile, content === undefined ? undefined : Buffer.from(content))
    this.channels.set(number, channel)
    return channel
  }

  // Closes and the release

  #channelClosed(number: number, by: 'us' | 'peer'): void {
    this.#answers.settled(number)
    if (number === 0) {
      this.end({ kind: 'released', by })
      return
    }
    this.questions.closed(number)
    const channel = this.channels.get(number)
    this.channels.delete(number)
    channel?.end({ kind: 'released', by })
    this.writers.dropClosed()
  }

  /** However it came: everything that waits is told, and the transport is closed as the end demands. */
  end(reason: CloseReason<Session>): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    // An error is dear, and mostly there is nobody to be told.
    const error = () => (reason.kind === 'refused' ? reason.error : new ClosedError('The session ended', reason))
    if (!this.#up) this.#greeted.reject(error())
    this.questions.end(reason, error)
    this.#answers.end()
    this.timers.end()
    for (const channel of this.channels.values()) channel.end(reason)
    this.writers.end()
    this.moved.rouse()
    if (reason.kind === 'released' || reason.kind === 'refused') this.driver.end(this.options.releaseTimeout ?? RELEASE_TIMEOUT)
    else if (reason.kind === 'terminated') this.driver.abort()
    noteEnd(this, reason)
    this.#closed?.resolve(reason)
  }
}
