// Signed objects that are kept and passed on, in memory: bounded in all and by whom they are from, each for its lifetime only.
import { Wake } from '../beep/wake.js'
import type { Fingerprint } from './fingerprint.js'
import { inOrder, matches, type ObjectQuery } from './object-query.js'
import type { SignedObject } from './signed-object.js'
import type { Keep } from './trust.js'

export interface StoreLimits {
  readonly maxObjects: number
  /** What all objects together take as they travel, in octets. */
  readonly maxOctets: number
  /** Objects that one key has signed. */
  readonly maxObjectsOfSigner: number
  readonly maxOctetsOfSigner: number
  /** Subscriptions at a time. */
  readonly maxSubscriptions: number
  /** Objects that wait in one subscription for whoever reads it. */
  readonly maxQueue: number
}

export const STORE_LIMITS: StoreLimits = {
  maxObjects: 16_384,
  maxOctets: 67_108_864,
  maxObjectsOfSigner: 4096,
  maxOctetsOfSigner: 33_554_432,
  maxSubscriptions: 256,
  maxQueue: 256,
}

/** Digests that are remembered after their object has come, so that it is told once; the oldest go first. */
export const MAX_DIGESTS = 65_536

/** What is kept of an object: enough to find it and to pass it on. What it says is in its octets; parsed, it may take many times as much. */
export interface Kept extends Pick<SignedObject, 'type' | 'issued' | 'expires' | 'to' | 'digest' | 'octets'> {
  /** Fingerprint. */
  readonly signer: Fingerprint
}

/** What the store looks at in a verified object. */
export interface Storable extends Omit<Kept, 'signer'> {
  readonly signer: Pick<SignedObject['signer'], 'fingerprint'>
}

/** Who gave an object, and how much of theirs is kept. */
export interface Giver extends Keep {
  readonly fingerprint: Fingerprint
}

/** What became of an object: it was kept; it is there already; there is no room; it has expired. */
export type Outcome = 'kept' | 'known' | 'full' | 'expired'

interface Sum {
  objects: number
  octets: number
}

interface Entry {
  readonly object: Kept
  readonly giver: Fingerprint | undefined
}

export interface StoreOptions {
  /** Milliseconds since 1970. */
  now(): number
  readonly limits?: Partial<StoreLimits> | undefined
}

export class ObjectStore {
  readonly #now: () => number
  readonly #limits: StoreLimits
  readonly #entries = new Map<string, Entry>()
  /** All of them `inOrder`. */
  #ordered: Kept[] = []
  readonly #all: Sum = { objects: 0, octets: 0 }
  readonly #bySigner = new Map<Fingerprint, Sum>()
  readonly #byGiver = new Map<Fingerprint, Sum>()
  /** Digests of objects that came, kept or not, and when they expire. */
  readonly #digests = new Map<string, number>()
  readonly #subscriptions = new Set<Subscription>()
  /** Nothing expires before this, in seconds. */
  #nextExpiry = Number.POSITIVE_INFINITY

  constructor(options: StoreOptions) {
    this.#now = options.now
    this.#limits = { ...STORE_LIMITS, ...options.limits }
  }

  get size(): number {
    this.sweep()
    return this.#all.objects
  }

  /** Octets of all that is kept. */
  get octets(): number {
    this.sweep()
    return this.#all.octets
  }

  /**
   * Keeps an object, and tells those who wait for such. Nothing that still holds is thrown out for it.
   * @param giver whose it counts as; without one it is our own doing
   */
  put(object: Storable, giver?: Giver): Outcome {
    const outcome = this.admits(object, giver)
    if (outcome !== 'kept') return outcome
    const { type, issued, expires, to, digest, octets, signer } = object
    const kept: Kept = { type, issued, expires, to, digest, octets, signer: signer.fingerprint }
    this.#entries.set(digest, { object: kept, giver: giver?.fingerprint })
    this.#ordered.splice(this.#place(kept), 0, kept)
    this.#count(kept, giver?.fingerprint, 1)
    this.#nextExpiry = Math.min(this.#nextExpiry, expires)
    this.note(object)
    for (const subscription of this.#subscriptions) if (mayHave(kept, subscription)) subscription.offer(kept)
    return 'kept'
  }

  /** What `put` would make of it now. */
  admits(object: Storable, giver?: Giver): Outcome {
    this.sweep()
    if (object.expires <= this.#seconds()) return 'expired'
    if (this.#entries.has(object.digest)) return 'known'
    const { maxObjects, maxOctets, maxObjectsOfSigner, maxOctetsOfSigner } = this.#limits
    const share = giver?.share ?? 1
    const size = object.octets.length
    const fits =
      hasRoom(this.#all, size, maxObjects * share, maxOctets * share) &&
      hasRoom(this.#bySigner.get(object.signer.fingerprint), size, maxObjectsOfSigner, maxOctetsOfSigner) &&
      (giver === undefined || hasRoom(this.#byGiver.get(giver.fingerprint), size, giver.objects, giver.octets))
    return fits ? 'kept' : 'full'
  }

  /** Remembers that an object has come, whether it is kept or not. */
  note(object: Pick<Storable, 'digest' | 'expires'>): void {
    this.#digests.delete(object.digest)
    this.#digests.set(object.digest, object.expires)
    for (const oldest of this.#digests.keys()) {
      if (this.#digests.size <= MAX_DIGESTS) break
      this.#digests.delete(oldest)
    }
  }

  /** Whether the object of this digest has come before. Once expired it is refused anyway. */
  knows(digest: string): boolean {
    return this.#digests.has(digest)
  }

  /**
   * Those that are asked for, in order. An object with an addressee is for that one alone.
   * @param asker fingerprint of who is told; without one it is ourselves, who may see all
   * @param limit how many at most
   */
  stored(query: ObjectQuery, asker: Fingerprint | undefined, limit = Number.POSITIVE_INFINITY): Kept[] {
    this.sweep()
    const found: Kept[] = []
    for (
      let at = this.#place({ issued: query.since ?? 0, digest: '' });
      at < this.#ordered.length && found.length < limit;
      at++
    ) {
      const object = this.#ordered[at]!
      if (mayHave(object, { query, asker })) found.push(object)
    }
    return found
  }

  /** Everything that is asked for and comes from now on; undefined when there are too many subscriptions. */
  subscribe(query: ObjectQuery, asker: Fingerprint | undefined): Subscription | undefined {
    if (this.#subscriptions.size >= this.#limits.maxSubscriptions) return undefined
    const subscription = new Subscription(query, asker, this.#limits.maxQueue, () => this.#subscriptions.delete(subscription))
    this.#subscriptions.add(subscription)
    return subscription
  }

  /** Drops what has expired. Nothing expired is told even if nobody calls this; but it takes room until somebody does. */
  sweep(): void {
    const now = this.#seconds()
    if (now < this.#nextExpiry) return
    this.#nextExpiry = Number.POSITIVE_INFINITY
    this.#ordered = this.#ordered.filter((object) => {
      if (object.expires > now) {
        this.#nextExpiry = Math.min(this.#nextExpiry, object.expires)
        return true
      }
      const { giver } = this.#entries.get(object.digest)!
      this.#entries.delete(object.digest)
      this.#count(object, giver, -1)
      return false
    })
    for (const [digest, expires] of this.#digests) if (expires <= now) this.#digests.delete(digest)
  }

  /** Ends all subscriptions. */
  close(): void {
    for (const subscription of this.#subscriptions) subscription.end()
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000)
  }

  /** Where something is in the order, or would be. */
  #place(what: Pick<Kept, 'issued' | 'digest'>): number {
    let low = 0
    let high = this.#ordered.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (inOrder(this.#ordered[middle]!, what) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #count(object: Kept, giver: Fingerprint | undefined, sign: 1 | -1): void {
    add(this.#all, object, sign)
    addTo(this.#bySigner, object.signer, object, sign)
    if (giver !== undefined) addTo(this.#byGiver, giver, object, sign)
  }
}

/** Objects that come, as they come; whoever does not keep up is told so, at the end. */
export class Subscription implements AsyncIterable<Kept>, Disposable {
  readonly query: ObjectQuery
  readonly asker: Fingerprint | undefined
  /** It ended because its reader did not keep up: there is more than was told. */
  missed = false
  readonly #maxQueue: number
  readonly #onEnd: () => void
  readonly #wake = new Wake()
  #queue: Kept[] = []
  #ended = false

  constructor(query: ObjectQuery, asker: Fingerprint | undefined, maxQueue: number, onEnd: () => void) {
    this.query = query
    this.asker = asker
    this.#maxQueue = maxQueue
    this.#onEnd = onEnd
  }

  offer(object: Kept): void {
    if (this.#queue.length < this.#maxQueue) this.#queue.push(object)
    else {
      this.missed = true
      this.#stop()
    }
    this.#wake.rouse()
  }

  /** No more is told. */
  end(): void {
    this.#queue = []
    this.#stop()
    this.#wake.rouse()
  }

  [Symbol.dispose](): void {
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Kept, void, void> {
    for (;;) {
      const object = this.#queue.shift()
      if (object !== undefined) yield object
      else if (this.#ended) return
      else await this.#wake.wait()
    }
  }

  #stop(): void {
    this.#ended = true
    this.#onEnd()
  }
}

function mayHave(object: Kept, { query, asker }: Pick<Subscription, 'query' | 'asker'>): boolean {
  return matches(query, object) && (asker === undefined || object.to === undefined || object.to === asker)
}

function hasRoom(sum: Sum | undefined, size: number, maxObjects: number, maxOctets: number): boolean {
  return (sum?.objects ?? 0) + 1 <= maxObjects && (sum?.octets ?? 0) + size <= maxOctets
}

function add(sum: Sum, object: Kept, sign: 1 | -1): void {
  sum.objects += sign
  sum.octets += sign * object.octets.length
}

function addTo(sums: Map<Fingerprint, Sum>, key: Fingerprint, object: Kept, sign: 1 | -1): void {
  const sum = sums.get(key) ?? { objects: 0, octets: 0 }
  add(sum, object, sign)
  if (sum.objects === 0) sums.delete(key)
  else sums.set(key, sum)
}
