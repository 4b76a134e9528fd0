// Sessions by whose they are. Two peers that dial each other at once end with one session: both keep the one that was initiated by the peer with the
// smaller fingerprint, and the initiator of the other releases it when its exchanges have ended.
import { ReplyError, type Session } from '../beep/index.js'
import type { Fingerprint } from './fingerprint.js'

/** Milliseconds within which two sessions count as dialled at once: longer than a dialling takes, even by a slow line. */
const AT_ONCE = 5000
/** A release that is refused because exchanges have not ended is tried again after so many milliseconds, so often. */
const RETRY = 30_000
const MAX_RETRIES = 20

export type Initiator = 'us' | 'them'

type Releasable = Pick<Session, 'closed' | 'release'>

interface Encounter<S> {
  readonly session: S
  readonly initiator: Initiator
  readonly since: number
  /** Told when another session takes its place. */
  readonly moved?: ((to: S) => void) | undefined
  /** The one that took its place. */
  follows?: Encounter<S>
  /** Those whose place it took. */
  readonly followers: Set<Encounter<S>>
}

export interface EncountersOptions {
  readonly self: Fingerprint
  /** Milliseconds; the process's monotonic clock by default. */
  readonly now?: (() => number) | undefined
}

export class Encounters<S extends Releasable = Session> {
  readonly #self: Fingerprint
  readonly #now: () => number
  readonly #alive = new Map<Fingerprint, Set<Encounter<S>>>()

  constructor({ self, now = () => performance.now() }: EncountersOptions) {
    this.#self = self
    this.#now = now
  }

  /**
   * A session has begun, and TLS has proved their key.
   * @param moved called when another session takes its place later
   * @returns the session to go on with: this one, or the other that stays
   */
  begin(fingerprint: Fingerprint, session: S, initiator: Initiator, moved?: (to: S) => void): S {
    const encounter: Encounter<S> = { session, initiator, since: this.#now(), moved, followers: new Set() }
    const others = this.#alive.get(fingerprint) ?? new Set()
    const crossing = [...others].filter((other) => other.initiator !== initiator && isAtOnce(other, encounter))
    others.add(encounter)
    this.#alive.set(fingerprint, others)
    void session.closed.then(() => this.#end(fingerprint, encounter))
    // They may have got here by several addresses, and keep the session that answered first. An older one answered them late or never.
    const other = crossing.at(-1)
    if (other === undefined) return session
    const stays: Initiator = this.#self < fingerprint ? 'us' : 'them'
    const [winner, losers] = initiator === stays ? [encounter, crossing] : [other, [encounter]]
    for (const loser of losers) {
      follow(loser, winner)
      if (loser.initiator === 'us') void retire(loser.session)
    }
    return winner.session
  }

  #end(fingerprint: Fingerprint, encounter: Encounter<S>): void {
    const others = this.#alive.get(fingerprint)
    others?.delete(encounter)
    if (others?.size === 0) this.#alive.delete(fingerprint)
    // They gave it back and kept another that they dialled at the same time.
    const next = [...(others ?? [])].findLast((other) => other.initiator === encounter.initiator && isAtOnce(other, encounter))
    if (next !== undefined) for (const follower of encounter.followers) follow(follower, next)
  }
}

function isAtOnce(a: { readonly since: number }, b: { readonly since: number }): boolean {
  return Math.abs(a.since - b.since) < AT_ONCE
}

/** Tells whoever goes on in the place of a session that this is another one. */
function follow<S>(follower: Encounter<S>, winner: Encounter<S>): void {
  follower.follows?.followers.delete(follower)
  follower.follows = winner
  winner.followers.add(follower)
  follower.moved?.(winner.session)
}

/** Releases a session; the other end may have exchanges in it that have to end first (RFC 3080 §2.4). */
async function retire(session: Releasable): Promise<void> {
  for (let retries = 0; retries < MAX_RETRIES; retries++) {
    try {
      return await session.release()
    } catch (error) {
      if (!(error instanceof ReplyError)) return // it is over already
      await new Promise((resolve) => setTimeout(resolve, RETRY).unref())
    }
  }
}
