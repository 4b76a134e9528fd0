// A session at work: the engine's events become channels, promises and handlers; what is said is written when the turn ends.
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { Answers } from './answers.js'
import { type Channel, OpenChannel } from './channel.js'
import { noteEnd, noteError, noteOctets, noteSession, watched } from './diagnostics.js'
import { Driver } from './driver.js'
import type { Role } from './engine/core.js'
import { Engine } from './engine/engine.js'
import type { Event, Greeting } from './engine/events.js'
import type { TrafficCounts } from './engine/traffic.js'
import { ClosedError, type CloseReason, type ProtocolError, ReplyError } from './errors.js'
import { MAX_MESSAGE } from './limits.js'
import type { InboundMessage } from './message.js'
import { Writers } from './outbound.js'
import type { Profile } from './profile.js'
import { type Deferred, deferred, isPromise, within } from './promises.js'
import type { Session, SessionOptions, StartOptions } from './session.js'
import { type TuningStart, tune } from './tuning.js'
import { Wake } from './wake.js'
import type { ProfileElement } from './wire/elements.js'

/** A start of ours that the peer has not answered. */
interface Starting extends Deferred<OpenChannel> {
  readonly profiles: readonly Profile[]
  readonly tuning: boolean
}

const GREETING_TIMEOUT = 30_000
const START_TIMEOUT = 30_000
const CLOSE_TIMEOUT = 60_000
export const RELEASE_TIMEOUT = 5000

export class LiveSession implements Session {
  readonly role: Role
  readonly engine: Engine
  readonly channels = new Map<number, OpenChannel>()
  readonly maxMessage: number
  readonly options: SessionOptions
  readonly #transport: Duplex
  readonly driver: Driver
  readonly #greeted = deferred<void>()
  readonly #starting = new Map<number, Starting>()
  readonly #closing = new Map<number, Deferred<void>>()
  readonly #answers = new Answers(this)
  readonly writers = new Writers(this)
  /** Messages that hold views of chunks of this turn. */
  #kept: InboundMessage[] = []
  #scheduled = false
  /** A tuning message is being handled: nothing behind it may be parsed. */
  #held = false
  /** Roused when octets have come or left: whoever waits for a change looks again. */
  readonly moved = new Wake()
  #idle: NodeJS.Timeout | undefined
  /** Octets came since the last look. */
  #heard = true
  #reason: CloseReason<Session> | undefined
  #closed: Deferred<CloseReason<Session>> | undefined

  constructor(transport: Duplex, role: Role, options: SessionOptions) {
    this.role = role
    this.#transport = transport
    this.options = options
    this.maxMessage = options.maxMessage ?? MAX_MESSAGE
    this.engine = new Engine(role, options)
    this.driver = new Driver(transport, this.engine, {
      received: (octets) => this.#received(octets),
      sending: (octets) => watched() && noteOctets(this, this.role, octets),
      wrote: () => {
        this.#pump()
        this.moved.rouse()
      },
      ended: (error) => this.#transportEnded(error),
    })
    const profiles = this.served().map((profile) => profile.uri)
    const { localize = [], features = [] } = options
    this.engine.greet({ profiles, localize, features })
    this.schedule()
    const { idleTimeout = 0 } = options
    if (idleTimeout > 0) this.#idle = setInterval(() => this.#checkIdle(idleTimeout), idleTimeout).unref()
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

  async start(profile: string | Profile | readonly (string | Profile)[], options: StartOptions = {}): Promise<Channel> {
    const { initial, serverName, signal } = options
    signal?.throwIfAborted()
    const proposed = Array.isArray(profile) ? (profile as readonly (string | Profile)[]) : [profile as string | Profile]
    const content = initial === undefined ? {} : { content: Buffer.from(initial) }
    const elements = proposed.map((each) => ({ uri: typeof each === 'string' ? each : each.uri, ...content }))
    const profiles = proposed.filter((each): each is Profile => typeof each !== 'string')
    const { number, promise } = this.ask(elements, serverName, profiles, false)
    try {
      return await within(this.options.startTimeout ?? START_TIMEOUT, 'The answer to a start', promise, signal)
    } catch (error) {
      // Nobody waits any more: a channel that comes all the same is closed again.
      if (this.#starting.has(number)) promise.then((channel) => channel.close()).catch(() => {})
      throw error
    }
  }

  async release({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#reason?.kind === 'released') return
    await this.close(0, 200, '', signal)
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
      await this.release({ signal: AbortSignal.timeout(releaseTimeout) })
    } catch (error) {
      this.terminate(error as Error)
    }
  }

  tune(
    uri: string,
    ready: TuningStart,
    check: (reply: Buffer | undefined) => void,
    takeOver: (transport: Duplex) => Promise<Duplex>,
  ): Promise<Session> {
    return tune(this, uri, ready, check, takeOver)
  }

  // What channels, handlers, bodies and tunings need

  get over(): boolean {
    return this.#reason !== undefined
  }

  /** What was said in this turn is written when it ends: many small messages are one write. */
  schedule(): void {
    if (this.#scheduled || this.#reason !== undefined) return
    this.#scheduled = true
    setImmediate(this.#flush)
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
    return new ClosedError(what, this.#reason ?? { kind: 'released', by: this.#closing.size > 0 ? 'us' : 'peer' })
  }

  async close(number: number, code: number, text: string, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (this.#reason !== undefined) throw new ClosedError('The session is over', this.#reason)
    let closing = this.#closing.get(number)
    if (closing === undefined) {
      this.engine.close(number, code, text)
      closing = deferred()
      this.#closing.set(number, closing)
      this.schedule()
    }
    await within(this.options.closeTimeout ?? CLOSE_TIMEOUT, 'The answer to a close', closing.promise, signal)
  }

  /** Something went wrong on our side that no peer is to blame for. */
  failed(error: unknown): void {
    noteError(this, error)
    this.terminate(error instanceof Error ? error : new Error(String(error)))
  }

  /** A tuning message is being handled: nothing behind it is parsed. */
  hold(): void {
    this.#held = true
  }

  /** The tuning was refused: everything goes on as before (§3.1.3.2). */
  resume(): void {
    this.#held = false
    this.engine.resume()
    this.#pump()
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
    this.#pump()
  }

  // What the transport brings

  #received(octets: Uint8Array): void {
    if (watched()) noteOctets(this, this.role === 'initiator' ? 'listener' : 'initiator', octets)
    this.#heard = true
    this.#pump()
    this.moved.rouse()
    if (this.engine.pending) this.schedule()
  }

  #checkIdle(milliseconds: number): void {
    if (!this.#heard) this.terminate(new Error(`Nothing came from the peer for ${milliseconds} ms`))
    this.#heard = false
  }

  #transportEnded(error: Error | undefined): void {
    if (this.#reason !== undefined) return
    this.#pump()
    // An <ok/> that is due makes it a release, whether the peer still reads it or not (§2.4, A24).
    if (!this.#held) this.driver.flush()
    if (this.over) return
    this.engine.receiveEnd()
    this.end({ kind: 'terminated', by: 'peer', ...(error === undefined ? {} : { error }) })
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    if (this.#kept.length > 0) {
      for (const message of this.#kept) if (message.unsettled) message.settle()
      this.#kept = []
    }
    this.driver.flush()
  }

  #pump(): void {
    while (!this.#held && this.#reason === undefined) {
      const event = this.engine.nextEvent()
      if (event === undefined) return
      this.#handle(event)
    }
  }

  #handle(event: Event): void {
    switch (event.type) {
      case 'message':
        this.channels.get(event.channel)?.message(event)
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
        this.#greeted.resolve()
        break
      case 'refused':
        this.end({ kind: 'refused', error: event.error })
        break
      case 'start':
        this.#answers.start(event)
        break
      case 'started':
        this.#started(event)
        break
      case 'declined':
        this.#declined(event.channel, event.error)
        break
      case 'close':
        this.#answers.close(event)
        break
      case 'closed':
        this.#channelClosed(event.channel, event.by)
        break
      case 'closeRefused':
        this.#closing.get(event.channel)?.reject(event.error)
        this.#closing.delete(event.channel)
        break
      case 'terminated': {
        const { by, error } = event
        if (error !== undefined) noteError(this, error)
        this.end({ kind: 'terminated', by, ...(error === undefined ? {} : { error }) })
      }
    }
  }

  // Starts

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

  /** Asks for a channel. */
  ask(elements: readonly ProfileElement[], serverName: string | undefined, profiles: readonly Profile[], tuning: boolean) {
    this.assertAlive('The session is over')
    if (this.#closing.has(0) || this.engine.state === 'releasing') throw this.closing('The session is being released')
    const number = this.engine.start(elements, { serverName, hush: tuning })
    const starting: Starting = { ...deferred<OpenChannel>(), profiles, tuning }
    this.#starting.set(number, starting)
    this.schedule()
    return { number, promise: starting.promise }
  }

  #started({ channel: number, uri, content }: Extract<Event, { type: 'started' }>): void {
    const starting = this.#starting.get(number)!
    this.#starting.delete(number)
    const profile = [...starting.profiles, ...this.served()].find((each) => each.uri === uri)
    const channel = this.open(number, uri, profile, content)
    // Nothing behind the answer to a tuning message is parsed before it has been judged.
    if (starting.tuning) this.#held = true
    starting.resolve(channel)
  }

  #declined(number: number, error: ReplyError): void {
    const starting = this.#starting.get(number)!
    this.#starting.delete(number)
    if (starting.tuning) this.resume()
    starting.reject(error)
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
    this.#closing.get(number)?.resolve()
    this.#closing.delete(number)
    const channel = this.channels.get(number)
    this.channels.delete(number)
    channel?.end({ kind: 'released', by })
  }

  /** However it came: everything that waits is told, and the transport is closed as the end demands. */
  end(reason: CloseReason<Session>): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    const error = reason.kind === 'refused' ? reason.error : new ClosedError('The session ended', reason)
    this.#greeted.reject(error)
    for (const starting of this.#starting.values()) starting.reject(error)
    for (const [number, closing] of this.#closing) {
      // With the session every channel is closed; but a release that was not agreed upon is none.
      if (number !== 0 || reason.kind === 'released') closing.resolve()
      else closing.reject(error)
    }
    this.#answers.end()
    clearInterval(this.#idle)
    for (const channel of this.channels.values()) channel.end(reason)
    this.writers.end()
    this.moved.rouse()
    if (reason.kind === 'released' || reason.kind === 'refused') this.driver.end(this.options.releaseTimeout ?? RELEASE_TIMEOUT)
    else if (reason.kind === 'terminated') this.driver.abort()
    noteEnd(this, reason)
    this.#closed?.resolve(reason)
  }
}
