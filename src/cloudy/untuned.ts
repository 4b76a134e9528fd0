// Sessions of strangers that are not tuned to TLS yet. In clear they are of no use here, so each has little time, and all together have few places.
import { after } from '../beep/promises.js'
import type { Session } from '../beep/session.js'

/** Sessions at a time that are not tuned; one more has the oldest give way. Who means it tunes within a few ways there and back. */
export const MAX_UNTUNED = 256
/** Milliseconds that a session may take until it is tuned. */
const TUNING_TIMEOUT = 30_000

export class Untuned {
  /** The oldest first. */
  readonly #sessions = new Set<Session>()
  readonly #timeout: number

  /** @param timeout milliseconds, 0 for ever */
  constructor(timeout = TUNING_TIMEOUT) {
    this.#timeout = timeout
  }

  /** A session has begun in clear: it ends unless it is tuned in time, or when its place is needed. */
  add(session: Session): void {
    const [oldest] = this.#sessions
    if (oldest !== undefined && this.#sessions.size >= MAX_UNTUNED) {
      this.#sessions.delete(oldest)
      oldest.terminate(new Error('The session was not tuned to TLS when its place was needed'))
    }
    this.#sessions.add(session)
    const timer = after(this.#timeout, () => session.terminate(new Error('The session was not tuned to TLS in time')))
    void session.closed.then(() => {
      clearTimeout(timer)
      this.#sessions.delete(session)
    })
  }
}
