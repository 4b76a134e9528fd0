// A session as users hold it: the engine's events become channels, promises and handlers; commands wake the driver at the end of the turn.
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { type Channel, OpenChannel } from './channel.js'
import { noteEnd, noteError, noteOctets, noteSession, watched } from './diagnostics.js'
import { Driver } from './driver.js'
import type { Role } from './engine/core.js'
import { Engine } from './engine/engine.js'
import type { Event, Greeting } from './engine/events.js'
import type { OutgoingMessage } from './engine/outbox.js'
import { ClosedError, type CloseReason, ProtocolError, ReplyError } from './errors.js'
import { type Limits, MAX_MESSAGE } from './limits.js'
import type { InboundMessage } from './message.js'
import { type Profile, Tuning } from './profile.js'
import { abortable, type Deferred, deferred, isPromise } from './promises.js'
import { Wake } from './wake.js'
import { formatElement, type ProfileElement } from './wire/elements.js'

export interface SessionOptions extends Partial<Limits> {
  /** What this peer serves. Handlers exist before the peer can speak. */
  readonly profiles?: readonly Profile[] | undefined
  /** Largest message that `bytes()`, `text()` and `json()` gather, in octets; 16 MiB by default. */
  readonly maxMessage?: number | undefined
  /** Languages that we would like diagnostics in, most desirable first (RFC 3080 §2.3.1.1). */
  readonly localize?: readonly string[] | undefined
  /** Optional features that we offer (§5.2): registered names, or names that begin with `x-`. */
  readonly features?: readonly string[] | undefined
  /** Milliseconds that the greeting of the peer may take; 30,000 by default. */
  readonly greetingTimeout?: number | undefined
  /** Milliseconds that `await using` gives a release before it terminates; 5,000 by default. */
  readonly releaseTimeout?: number | undefined
  /** Milliseconds that a close or release asked by the peer may be held back by unfinished exchanges, before it is refused with 550; 30,000 by default. */
  readonly settleTimeout?: number | undefined
  /** Told of each session that begins: the one that was accepted or opened, and each that follows a tuning. */
  onSession?(session: Session): void
}

export interface StartOptions {
  /** An initialization message, at most 4096 octets as character data (§2.3.1.2). */
  readonly initial?: string | Uint8Array | undefined
  /** The desired server name; the first successful start decides (§2.3.1.2). */
  readonly serverName?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** A BEEP session (RFC 3080 §2). */
export interface Session extends AsyncDisposable {
  readonly role: Role
  /** What the peer said it offers. */
  readonly greeting: Greeting
  readonly channels: ReadonlyMap<number, Channel>
  /** The server name that the first successful start of the peer asked for (§2.3.1.2). */
  readonly serverName: string | undefined
  /** The TLS socket below this session, when there is one. */
  readonly tls: TLSSocket | undefined
  /**
   * Asks the peer for a channel. Several profiles are proposed together; `channel.profileUri` tells which was taken. A `Profile` also
   * serves what the peer asks on that channel, as do those of the session's options.
   * @throws ReplyError when the peer declines, ClosedError when the session ends first
   */
  start(profile: string | Profile | readonly (string | Profile)[], options?: StartOptions): Promise<Channel>
  /** Asks the peer to release the session (§2.4). @throws ReplyError when it refuses */
  release(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Ends the session now. */
  terminate(error?: Error): void
  /** For tuning profiles (§3): asks for `uri`, and with the answer that `check` lets pass hands the transport over. */
  tune(
    uri: string,
    initial: string,
    check: (reply: Buffer | undefined) => void,
    takeOver: (transport: Duplex) => Promise<Duplex>,
  ): Promise<Session>
  /** Resolves, never rejects, once the session is over. */
  readonly closed: Promise<CloseReason<Session>>
}

/** A start of ours that the peer has not answered. */
interface Starting extends Deferred<OpenChannel> {
  readonly profiles: readonly Profile[]
  readonly tuning: boolean
}

const DEFAULTS = { greetingTimeout: 30_000, releaseTimeout: 5000, settleTimeout: 30_000 }

export class LiveSession implements Session {
  readonly role: Role
  readonly engine: Engine
  readonly channels = new Map<number, OpenChannel>()
  readonly maxMessage: number
  readonly #options: SessionOptions
  readonly #transport: Duplex
  readonly #driver: Driver
  readonly #greeted = deferred<void>()
  readonly #starting = new Map<number, Starting>()
  readonly #closing = new Map<number, Deferred<void>>()
  readonly #settling = new Map<number, NodeJS.Timeout>()
  /** Messages whose writer waits. */
  readonly #drains = new Map<OutgoingMessage, Deferred<void>>()
  /** Messages that hold views of chunks of this turn. */
  #kept: InboundMessage[] = []
  #scheduled = false
  /** A tuning message is being handled: nothing behind it may be parsed. */
  #held = false
  /** Roused when octets have left. */
  readonly #wrote = new Wake()
  #reason: CloseReason<Session> | undefined
  #closed: Deferred<CloseReason<Session>> | undefined

  constructor(transport: Duplex, role: Role, options: SessionOptions) {
    this.role = role
    this.#transport = transport
    this.#options = options
    this.maxMessage = options.maxMessage ?? MAX_MESSAGE
    this.engine = new Engine(role, options)
    this.#driver = new Driver(transport, this.engine, {
      received: (octets) => this.#received(octets),
      sending: (octets) => watched() && noteOctets(this, this.role, octets),
      wrote: () => this.#pump(),
      ended: (error) => this.#transportEnded(error),
    })
    const profiles = this.#served().map((profile) => profile.uri)
    const { localize = [], features = [] } = options
    this.engine.greet({ profiles, localize, features })
    this.schedule()
  }

  // What the user does

  get greeting(): Greeting {
    return this.engine.greeting!
  }

  get serverName(): string | undefined {
    return this.engine.serverName
  }

  get tls(): TLSSocket | undefined {
    return this.#transport instanceof TLSSocket ? this.#transport : undefined
  }

  /** Resolves once the greeting of the peer is in. */
  async ready(signal?: AbortSignal): Promise<void> {
    const { greetingTimeout = DEFAULTS.greetingTimeout } = this.#options
    const timer = setTimeout(
      () => this.terminate(new Error(`The peer sent no greeting within ${greetingTimeout} ms (RFC 3080 §2.3.1.1)`)),
      greetingTimeout,
    )
    try {
      await abortable(this.#greeted.promise, signal)
    } catch (error) {
      this.terminate(error as Error)
      throw error
    } finally {
      clearTimeout(timer)
    }
    noteSession(this)
    this.#options.onSession?.(this)
  }

  async start(profile: string | Profile | readonly (string | Profile)[], options: StartOptions = {}): Promise<Channel> {
    const { initial, serverName, signal } = options
    signal?.throwIfAborted()
    const proposed = Array.isArray(profile) ? (profile as readonly (string | Profile)[]) : [profile as string | Profile]
    const content = initial === undefined ? {} : { content: Buffer.from(initial) }
    const elements = proposed.map((each) => ({ uri: typeof each === 'string' ? each : each.uri, ...content }))
    const profiles = proposed.filter((each): each is Profile => typeof each !== 'string')
    const { number, promise } = this.#start(elements, serverName, profiles, false)
    try {
      return await abortable(promise, signal)
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
    this.#end({ kind: 'terminated', by: 'us', ...(error === undefined ? {} : { error }) })
  }

  get closed(): Promise<CloseReason<Session>> {
    if (this.#closed === undefined) {
      this.#closed = deferred()
      if (this.#reason !== undefined) this.#closed.resolve(this.#reason)
    }
    return this.#closed.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { releaseTimeout = DEFAULTS.releaseTimeout } = this.#options
    try {
      await this.release({ signal: AbortSignal.timeout(releaseTimeout) })
    } catch (error) {
      this.terminate(error as Error)
    }
  }

  async tune(
    uri: string,
    initial: string,
    check: (reply: Buffer | undefined) => void,
    takeOver: (transport: Duplex) => Promise<Duplex>,
  ): Promise<Session> {
    await this.#outstanding(0)
    const channel = await this.#start([{ uri, content: Buffer.from(initial) }], undefined, [], true).promise
    try {
      check(channel.initial)
    } catch (error) {
      this.#resume()
      await channel.close()
      throw error
    }
    return this.#handOver(takeOver)
  }

  // What channels, handlers and bodies need

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

  /** Resolves when there is room to write more of the message; also when the session ends. */
  async drained(message: OutgoingMessage): Promise<void> {
    if (!message.waiting || this.over) return
    let waiting = this.#drains.get(message)
    if (waiting === undefined) {
      waiting = deferred()
      this.#drains.set(message, waiting)
    }
    await waiting.promise
  }

  /** Resolves when the message has left whole. @throws ClosedError when the session ends first */
  async sent(message: OutgoingMessage): Promise<void> {
    while (!message.sent) {
      if (this.#reason !== undefined) throw new ClosedError('The message was not sent', this.#reason)
      this.engine.notify(message)
      await this.drained(message)
    }
  }

  words(code: number, text: string, lang: string | undefined): { code: number; text: string; lang?: string } {
    return this.engine.words(code, text, lang)
  }

  closing(what: string): ClosedError {
    return new ClosedError(what, this.#reason ?? { kind: 'released', by: 'us' })
  }

  async close(number: number, code: number, text: string, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (this.#reason !== undefined) throw new ClosedError('The session is over', this.#reason)
    let closing = this.#closing.get(number)
    if (closing === undefined) {
      closing = deferred()
      this.#closing.set(number, closing)
      this.engine.close(number, code, text)
      this.schedule()
    }
    await abortable(closing.promise, signal)
  }

  /** Something went wrong on our side that no peer is to blame for. */
  failed(error: unknown): void {
    noteError(this, error)
    this.terminate(error instanceof Error ? error : new Error(String(error)))
  }

  // Tuning (RFC 3080 §3)

  /**
   * The answer to a tuning message is the last word in clear: it leaves once everything outstanding has ended (§3.1.3.1), then the
   * transport changes hands.
   * @param own what is outstanding because of the tuning message itself
   * @param reply queues the answer, after which nothing may be sent; undefined when it could not be drained
   */
  async answerTuning(tuning: Tuning, own: number, reply: (what: string | undefined) => void): Promise<void> {
    this.#held = true
    const { settleTimeout = DEFAULTS.settleTimeout } = this.#options
    try {
      await abortable(this.#outstanding(own), AbortSignal.timeout(settleTimeout))
    } catch {
      reply(undefined)
      this.#resume()
      return
    }
    reply(tuning.reply)
    this.schedule()
    while (!this.engine.silent && !this.over) await this.#wrote.wait()
    await this.#driver.flushed()
    await this.#handOver(tuning.takeOver)
  }

  /** Resolves when no more than `count` exchanges, queued messages and questions are outstanding. */
  async #outstanding(count: number): Promise<void> {
    while (this.engine.outstanding > count) {
      if (this.#reason !== undefined) throw new ClosedError('The session ended before it could be tuned', this.#reason)
      await this.#wrote.wait()
    }
  }

  /** The tuning was refused: everything goes on as before (§3.1.3.2). */
  #resume(): void {
    this.#held = false
    this.engine.resume()
    this.#pump()
    this.schedule()
  }

  /** All channels are closed without a word (§3.1.3.2); the transport goes to the tuning profile and comes back as that of a new session. */
  async #handOver(takeOver: (transport: Duplex) => Promise<Duplex>): Promise<Session> {
    if (this.#reason !== undefined) throw new ClosedError('The session ended before it could be tuned', this.#reason)
    if (this.engine.unread) {
      this.engine.fail(new ProtocolError('rfc3080/3.1.3/injected'))
      this.#held = false
      this.#pump()
      throw new ClosedError('The session could not be tuned', this.#reason!)
    }
    const transport = this.#driver.detach()
    try {
      const next = new LiveSession(await takeOver(transport), this.role, this.#options)
      this.#end({ kind: 'tuned', next })
      await next.ready()
      return next
    } catch (error) {
      transport.destroy()
      this.#end({ kind: 'terminated', by: 'us', error: error as Error })
      throw error
    }
  }

  // What the transport brings

  #received(octets: Uint8Array): void {
    if (watched()) noteOctets(this, this.role === 'initiator' ? 'listener' : 'initiator', octets)
    this.#pump()
    if (this.engine.pending) this.schedule()
  }

  #transportEnded(error: Error | undefined): void {
    if (this.#reason !== undefined) return
    this.#pump()
    if (this.#reason !== undefined) return
    this.engine.receiveEnd()
    this.#end({ kind: 'terminated', by: 'peer', ...(error === undefined ? {} : { error }) })
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    if (this.#kept.length > 0) {
      for (const message of this.#kept) if (message.unsettled) message.settle()
      this.#kept = []
    }
    this.#driver.flush()
    this.#wrote.rouse()
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
        this.#drains.get(event.message)?.resolve()
        this.#drains.delete(event.message)
        break
      case 'greeting':
        this.#greeted.resolve()
        break
      case 'refused':
        this.#end({ kind: 'refused', error: event.error })
        break
      case 'start':
        this.#startAsked(event)
        break
      case 'started':
        this.#started(event)
        break
      case 'declined':
        this.#declined(event.channel, event.error)
        break
      case 'close':
        this.#closeAsked(event)
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
        this.#end({ kind: 'terminated', by, ...(error === undefined ? {} : { error }) })
      }
    }
  }

  // Starts

  /** The profiles that are served on this session as it is now. */
  #served(): readonly Profile[] {
    return (this.#options.profiles ?? []).filter((profile) => profile.available?.(this) ?? true)
  }

  #start(elements: readonly ProfileElement[], serverName: string | undefined, profiles: readonly Profile[], tuning: boolean) {
    if (this.#reason !== undefined) throw new ClosedError('The session is over', this.#reason)
    const number = this.engine.start(elements, { serverName, hush: tuning })
    const starting: Starting = { ...deferred<OpenChannel>(), profiles, tuning }
    this.#starting.set(number, starting)
    this.schedule()
    return { number, promise: starting.promise }
  }

  #started({ channel: number, uri, content }: Extract<Event, { type: 'started' }>): void {
    const starting = this.#starting.get(number)!
    this.#starting.delete(number)
    const profile = [...starting.profiles, ...this.#served()].find((each) => each.uri === uri)
    const channel = this.#open(number, uri, profile, content)
    // Nothing behind the answer to a tuning message is parsed before it has been judged.
    if (starting.tuning) this.#held = true
    starting.resolve(channel)
  }

  #declined(number: number, error: ReplyError): void {
    const starting = this.#starting.get(number)!
    this.#starting.delete(number)
    if (starting.tuning) this.#resume()
    starting.reject(error)
  }

  /** Each proposed profile is examined in turn (§2.3.1.2, T55). */
  #startAsked({ channel: number, profiles, serverName }: Extract<Event, { type: 'start' }>): void {
    const served = this.#served()
    const proposed = profiles.find((each) => served.some((profile) => profile.uri === each.uri))
    if (proposed === undefined) {
      this.#decline(number, new ReplyError(550, 'all requested profiles are unsupported'))
      return
    }
    const profile = served.find((each) => each.uri === proposed.uri)!
    const initial = proposed.content === undefined ? undefined : Buffer.from(proposed.content)
    try {
      const answer = profile.start?.({ session: this, number, serverName, initial })
      if (isPromise(answer))
        answer.then((what) => this.#accept(number, profile, what)).catch((error) => this.#decline(number, error))
      else this.#accept(number, profile, answer)
    } catch (error) {
      this.#decline(number, error)
    }
  }

  #accept(number: number, profile: Profile, answer: string | Uint8Array | Tuning | undefined): void {
    if (this.#reason !== undefined) return
    if (answer instanceof Tuning) {
      const reply = (what: string | undefined) => {
        const content = what ?? formatElement({ name: 'error', ...this.words(450, 'exchanges are outstanding', undefined) })
        this.engine.accept(number, profile.uri, Buffer.from(content), what !== undefined)
        this.#open(number, profile.uri, profile, undefined)
      }
      this.answerTuning(answer, 0, reply).catch((error) => noteError(this, error))
      return
    }
    this.engine.accept(number, profile.uri, answer === undefined ? undefined : Buffer.from(answer))
    const channel = this.#open(number, profile.uri, profile, undefined)
    this.schedule()
    profile.open?.(channel)
  }

  #decline(number: number, error: unknown): void {
    if (this.#reason !== undefined) return
    const known = error instanceof ReplyError ? error : undefined
    if (known === undefined) noteError(this, error)
    const { replyCode, text, lang } = known ?? new ReplyError(451)
    this.engine.decline(number, replyCode, text, lang)
    this.schedule()
  }

  #open(number: number, uri: string, profile: Profile | undefined, content: Uint8Array | undefined): OpenChannel {
    const channel = new OpenChannel(this, number, uri, profile, content === undefined ? undefined : Buffer.from(content))
    this.channels.set(number, channel)
    return channel
  }

  // Closes and the release

  #closeAsked({ channel: number, code, text }: Extract<Event, { type: 'close' }>): void {
    if (number === 0) {
      for (const channel of this.channels.values()) channel.askedToClose()
      this.#agree(0)
      return
    }
    const channel = this.channels.get(number)!
    channel.askedToClose()
    try {
      const answer = channel.profile?.close?.(channel, { code, text })
      if (isPromise(answer)) answer.then(() => this.#agree(number)).catch((error) => this.#refuse(number, error))
      else this.#agree(number)
    } catch (error) {
      this.#refuse(number, error)
    }
  }

  /** `<ok/>` follows once everything has been sent and answered; what never ends is refused after a while. */
  #agree(number: number): void {
    if (this.#reason !== undefined) return
    const { settleTimeout = DEFAULTS.settleTimeout } = this.#options
    const late = () => this.#refuse(number, new ReplyError(550, 'still working'))
    this.#settling.set(number, setTimeout(late, settleTimeout).unref())
    this.engine.agree(number)
    this.schedule()
  }

  #refuse(number: number, error: unknown): void {
    if (this.#reason !== undefined) return
    this.#settled(number)
    const known = error instanceof ReplyError ? error : undefined
    if (known === undefined) noteError(this, error)
    const { replyCode, text, lang } = known ?? new ReplyError(451)
    this.engine.refuse(number, replyCode, text, lang)
    this.schedule()
  }

  #settled(number: number): void {
    clearTimeout(this.#settling.get(number))
    this.#settling.delete(number)
  }

  #channelClosed(number: number, by: 'us' | 'peer'): void {
    this.#settled(number)
    if (number === 0) {
      this.#end({ kind: 'released', by })
      return
    }
    this.#closing.get(number)?.resolve()
    this.#closing.delete(number)
    const channel = this.channels.get(number)
    this.channels.delete(number)
    channel?.end({ kind: 'released', by })
  }

  /** However it came: everything that waits is told, and the transport is closed as the end demands. */
  #end(reason: CloseReason<Session>): void {
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
    for (const timer of this.#settling.values()) clearTimeout(timer)
    for (const channel of this.channels.values()) channel.end(reason)
    for (const waiting of this.#drains.values()) waiting.resolve()
    this.#wrote.rouse()
    if (reason.kind === 'released' || reason.kind === 'refused')
      this.#driver.end(this.#options.releaseTimeout ?? DEFAULTS.releaseTimeout)
    else if (reason.kind === 'terminated') this.#driver.abort()
    noteEnd(this, reason)
    this.#closed?.resolve(reason)
  }
}
