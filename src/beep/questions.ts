// What we ask on channel 0, and what becomes of it: starts (RFC 3080 §2.3.1.2), closes and releases (§2.3.1.3, §2.4).
import type { OpenChannel } from './channel.js'
import type { Event } from './engine/events.js'
import type { CloseReason, ReplyError } from './errors.js'
import { CLOSE_TIMEOUT, START_TIMEOUT } from './limits.js'
import type { LiveSession } from './live-session.js'
import type { Profile } from './profile.js'
import { type Deferred, deferred, within } from './promises.js'
import type { StartOptions } from './session.js'
import type { ProfileElement } from './wire/elements.js'

/** A start of ours that the peer has not answered. */
interface Starting extends Deferred<OpenChannel> {
  readonly profiles: readonly Profile[]
  readonly tuning: boolean
}

export class Questions {
  readonly #session: LiveSession
  readonly #starting = new Map<number, Starting>()
  readonly #closing = new Map<number, Deferred<void>>()

  constructor(session: LiveSession) {
    this.#session = session
  }

  // Starts

  async start(profile: string | Profile | readonly (string | Profile)[], options: StartOptions): Promise<OpenChannel> {
    const { initial, serverName, signal } = options
    signal?.throwIfAborted()
    const proposed = Array.isArray(profile) ? (profile as readonly (string | Profile)[]) : [profile as string | Profile]
    const content = initial === undefined ? undefined : Buffer.from(initial)
    const elements = proposed.map((each) => ({ uri: typeof each === 'string' ? each : each.uri, content }))
    const profiles = proposed.filter((each): each is Profile => typeof each !== 'string')
    const { promise } = this.ask(elements, serverName, profiles, false)
    try {
      return await within(this.#session.options.startTimeout ?? START_TIMEOUT, 'The answer to a start', promise, signal)
    } catch (error) {
      // Nobody waits any more: a channel that comes all the same is closed again.
      promise.then((channel) => channel.close()).catch(() => {})
      throw error
    }
  }

  /** Asks for a channel. */
  ask(elements: readonly ProfileElement[], serverName: string | undefined, profiles: readonly Profile[], tuning: boolean) {
    const session = this.#session
    session.assertAlive('The session is over')
    if (this.#closing.has(0) || session.engine.state === 'releasing') throw session.closing('The session is being released')
    const number = session.engine.start(elements, { serverName, hush: tuning })
    const { promise, resolve, reject } = deferred<OpenChannel>()
    this.#starting.set(number, { promise, resolve, reject, profiles, tuning })
    session.schedule()
    return { number, promise }
  }

  started({ channel: number, uri, content }: Extract<Event, { type: 'started' }>): void {
    const session = this.#session
    const starting = this.#starting.get(number)!
    this.#starting.delete(number)
    const profile = [...starting.profiles, ...session.served()].find((each) => each.uri === uri)
    const channel = session.open(number, uri, profile, content)
    // Nothing behind the answer to a tuning message is parsed before it has been judged.
    if (starting.tuning) session.hold()
    starting.resolve(channel)
  }

  declined(number: number, error: ReplyError): void {
    const starting = this.#starting.get(number)!
    this.#starting.delete(number)
    if (starting.tuning) this.#session.resume()
    starting.reject(error)
  }

  // Closes and the release

  async close(number: number, code: number, text: string, signal: AbortSignal | undefined): Promise<void> {
    const session = this.#session
    signal?.throwIfAborted()
    session.assertAlive('The session is over')
    let closing = this.#closing.get(number)
    if (closing === undefined) {
      session.engine.close(number, code, text)
      closing = deferred()
      this.#closing.set(number, closing)
      session.schedule()
    }
    await within(session.options.closeTimeout ?? CLOSE_TIMEOUT, 'The answer to a close', closing.promise, signal)
  }

  /** Whether a close of ours is under way. */
  get closing(): boolean {
    return this.#closing.size > 0
  }

  closed(number: number): void {
    this.#closing.get(number)?.resolve()
    this.#closing.delete(number)
  }

  closeRefused(number: number, error: ReplyError): void {
    this.#closing.get(number)?.reject(error)
    this.#closing.delete(number)
  }

  /** The session is over. @param error makes what those are told who wait in vain */
  end(reason: CloseReason, error: () => Error): void {
    for (const starting of this.#starting.values()) starting.reject(error())
    for (const [number, closing] of this.#closing) {
      // With the session every channel is closed; but a release that was not agreed upon is none.
      if (number !== 0 || reason.kind === 'released') closing.resolve()
      else closing.reject(error())
    }
  }
}
