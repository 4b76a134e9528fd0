// Sessions that others began and that TLS has given a key, by whose they are. Keys are free, so each has few, all who are trusted the same have as
// many together as the table of trust says, and whoever is trusted more finds the places of others neither taken nor in the way.
import type { Session } from '../beep/index.js'
import type { Fingerprint } from './fingerprint.js'
import { type Places, RIGHTS, type Rights, type Trust } from './trust.js'

type Guest = Pick<Session, 'closed' | 'terminate' | 'traffic'>

interface Visit {
  readonly fingerprint: Fingerprint
  /** Frames that passed until the last look. */
  frames: number
  /** When the last look saw that some had. */
  moved: number
}

export interface GuestsOptions {
  trustOf(fingerprint: Fingerprint): Trust
  /** Milliseconds; the process's monotonic clock by default. */
  readonly now?: (() => number) | undefined
}

export class Guests {
  readonly #trustOf: (fingerprint: Fingerprint) => Trust
  readonly #now: () => number
  /** Those that have been silent for longest first. */
  readonly #visits = new Map<Guest, Visit>()

  constructor({ trustOf, now = () => performance.now() }: GuestsOptions) {
    this.#trustOf = trustOf
    this.#now = now
  }

  /**
   * A session has begun, and TLS has proved their key. Of those whose place it needs, the one that has been silent for longest ends.
   * @returns whether they may stay
   */
  admit(fingerprint: Fingerprint, session: Guest): boolean {
    this.look()
    const trust = this.#trustOf(fingerprint)
    const places = placesOf(trust)
    if (places === undefined) {
      session.terminate(new Error('There is no place for them here'))
      return false
    }
    this.#makeRoom(places.ofKey, (other) => other.fingerprint === fingerprint)
    this.#makeRoom(places.together, (other) => this.#trustOf(other.fingerprint) === trust)
    this.#visits.set(session, { fingerprint, frames: passed(session), moved: this.#now() })
    void session.closed.then(() => this.#visits.delete(session))
    return true
  }

  /** Sees who has said or heard something since the last look, and ends the sessions of those who have been silent for too long, or may not stay. */
  look(): void {
    const now = this.#now()
    for (const [session, visit] of [...this.#visits]) {
      const frames = passed(session)
      const places = placesOf(this.#trustOf(visit.fingerprint))
      if (places === undefined) this.#end(session, 'There is no place for them here any more')
      else if (frames !== visit.frames) {
        this.#visits.delete(session)
        this.#visits.set(session, { ...visit, frames, moved: now })
      } else if (places.silence !== undefined && now - visit.moved >= places.silence * 1000)
        this.#end(session, `Nothing was said for ${places.silence} s`)
    }
    this.#count()
  }

  /** What one thinks of people changes while they are here: all who are trusted the same have no more places for that. */
  #count(): void {
    const those = new Map<Trust, Guest[]>()
    for (const [session, { fingerprint }] of this.#visits) {
      const trust = this.#trustOf(fingerprint)
      const others = those.get(trust)
      if (others === undefined) those.set(trust, [session])
      else others.push(session)
    }
    for (const [trust, sessions] of those) {
      const beyond = sessions.length - (placesOf(trust)?.together ?? 0)
      for (const session of sessions.slice(0, Math.max(0, beyond)))
        this.#end(session, 'It had been silent for longest of too many')
    }
  }

  #makeRoom(most: number, counts: (visit: Visit) => boolean): void {
    const those = [...this.#visits].filter(([, visit]) => counts(visit))
    for (const [session] of those.slice(0, Math.max(0, those.length + 1 - most)))
      this.#end(session, 'It had been silent for longest when its place was needed')
  }

  #end(session: Guest, why: string): void {
    this.#visits.delete(session)
    session.terminate(new Error(why))
  }
}

function placesOf(trust: Trust): Places | undefined {
  const rights: Rights = RIGHTS[trust]
  return rights.sessions
}

/** In either direction: somebody who only reads is not silent. */
function passed({ traffic }: Guest): number {
  return traffic.framesReceived + traffic.framesSent
}
