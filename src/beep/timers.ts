// The clocks of a session: one ends it when nothing comes, one says credit that is too small for a SEQ of its own.
import { CREDIT_DELAY } from './limits.js'
import type { LiveSession } from './live-session.js'
import { after, isForEver } from './promises.js'

export class Timers {
  /** Octets came since the last look. */
  heard = true
  readonly #session: LiveSession
  #idle: NodeJS.Timeout | undefined
  #crediting: NodeJS.Timeout | undefined

  constructor(session: LiveSession) {
    this.#session = session
  }

  /** @param idleTimeout milliseconds without an octet that end the session */
  begin(idleTimeout: number): void {
    if (!isForEver(idleTimeout)) this.#idle = setInterval(() => this.#look(idleTimeout), idleTimeout).unref()
  }

  /** What there was to say has been said, but for small credit: a peer may wait for it (RFC 3081 §3.1.2). */
  flushed(): void {
    if (this.#crediting !== undefined || !this.#session.engine.keepsCredit || this.#session.over) return
    this.#crediting = after(CREDIT_DELAY, this.#credit)
  }

  /** The session is over. */
  end(): void {
    clearInterval(this.#idle)
    clearTimeout(this.#crediting)
  }

  #look(milliseconds: number): void {
    if (!this.heard) this.#session.terminate(new Error(`Nothing came from the peer for ${milliseconds} ms`))
    this.heard = false
  }

  readonly #credit = (): void => {
    this.#crediting = undefined
    this.#session.engine.sayCredit()
    this.#session.schedule()
  }
}
