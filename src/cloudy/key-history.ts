// What has become of keys: the successions and revocations that were heard of, and the answer for each key. The answer depends on what was
// heard, never on the order in which it was.
import type { Fingerprint } from './fingerprint.js'
import type { KeyChange } from './succession.js'

/** Keys with something said of them. Whoever feeds a history decides whose statements matter: keys are free. */
export const MAX_CHANGED_KEYS = 4096
/** Successions that are followed from one key on. */
export const MAX_SUCCESSIONS = 16

/** What a key is now. */
export type KeyState =
  /** Nothing else is known: it stands for itself. */
  | { readonly state: 'current' }
  /** `successor` stands for it, the last of a line. */
  | { readonly state: 'succeeded'; readonly successor: Fingerprint }
  /** It is compromised, or `key`, which had taken its place, is. Final. */
  | { readonly state: 'revoked'; readonly key: Fingerprint; readonly since: number }
  /** Its line of successors forks, runs in a circle or does not end at `key`: nobody stands for it until people have compared words again. */
  | { readonly state: 'unclear'; readonly key: Fingerprint; readonly why: 'fork' | 'circle' | 'length' }

/** What was said of one key. */
interface Entry {
  /** Undefined unless it is revoked; the earliest time given. */
  readonly since?: number
  /** At most two: one is a succession, two are a fork, and more would say nothing else. */
  readonly successors: readonly Fingerprint[]
}

const NOTHING: Entry = { successors: [] }

export class KeyHistory {
  readonly #entries = new Map<Fingerprint, Entry>()

  /** Number of keys of which something was said, up to `MAX_CHANGED_KEYS`. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * Learns a verified statement.
   * @returns false when there is no room for a further key: then it was not learned
   */
  add(change: KeyChange): boolean {
    if (!this.#entries.has(change.key) && this.#entries.size >= MAX_CHANGED_KEYS) return false
    this.#entries.set(change.key, learn(this.#entries.get(change.key) ?? NOTHING, change))
    return true
  }

  /** What has become of a key, along the line of its successors. */
  stateOf(fingerprint: Fingerprint): KeyState {
    const passed = new Set<Fingerprint>()
    for (let key = fingerprint; ; ) {
      const { since, successors } = this.#entries.get(key) ?? NOTHING
      if (since !== undefined) return { state: 'revoked', key, since }
      if (successors.length > 1) return { state: 'unclear', key, why: 'fork' }
      const [next] = successors
      if (next === undefined) return key === fingerprint ? { state: 'current' } : { state: 'succeeded', successor: key }
      passed.add(key)
      if (passed.has(next)) return { state: 'unclear', key, why: 'circle' }
      if (passed.size > MAX_SUCCESSIONS) return { state: 'unclear', key, why: 'length' }
      key = next
    }
  }
}

function learn(before: Entry, change: KeyChange): Entry {
  if (change.kind === 'revocation') return { ...before, since: Math.min(change.since, before.since ?? change.since) }
  const { successors } = before
  if (successors.length > 1 || successors.includes(change.successor)) return before
  return { ...before, successors: [...successors, change.successor] }
}
