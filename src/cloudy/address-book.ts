// The address book: the one place that knows where a peer may be, from whom that is known and when, and what worked. An address is a hint, the key is
// the peer: whoever is reached proves it.
import { isIP } from 'node:net'
import { type Change, readAddresses, updateAddresses } from './address-file.js'
import type { CallingCard } from './calling-card.js'
import type { Fingerprint } from './fingerprint.js'
import {
  type AddressSource,
  byWorth,
  isHost,
  isKept,
  isSamePlace,
  type KnownAddress,
  keyed,
  keyOf,
  MAX_ADDRESSES,
  MAX_PEOPLE,
  SOURCES,
} from './known-address.js'
import { type Lane, race } from './race.js'
import { isOnLink, isOwn, isPort, kindOf } from './reachability/address.js'

export type { AddressSource, KnownAddress } from './known-address.js'

export interface AddressBookOptions {
  /**
   * A JSON file for the addresses that were typed or that worked; without one, all are forgotten with the process. Several processes may have one: each
   * adds to it what it learns, and knows what the others added when it opens it next.
   */
  readonly path?: string | undefined
  /** Milliseconds since 1970; the clock by default. */
  readonly now?: (() => number) | undefined
  /** Only addresses of this machine are dialled: for tests and demonstrations. */
  readonly loopbackOnly?: boolean | undefined
  /** Whether an address is on one of our links; by the interfaces of this machine by default. */
  readonly onLink?: ((address: string) => boolean) | undefined
  /** Whether an address is one of this machine; by its interfaces by default. */
  readonly isOwn?: ((address: string) => boolean) | undefined
  /** Told when the file cannot be written. */
  onError?(error: unknown): void
}

export interface DialOptions<T> {
  readonly signal?: AbortSignal | undefined
  /** Gives back what was reached too late. */
  discard(loser: T): void
  /** Milliseconds between the starts of attempts; 250 by default. */
  readonly stagger?: number | undefined
}

/** Addresses of one peer that are dialled at a time, and of those the ones of a link that somebody else told us. */
export const MAX_DIALLED = 8
const MAX_TOLD = 4

export class AddressBook {
  readonly #options: AddressBookOptions
  readonly #now: () => number
  readonly #onLink: (address: string) => boolean
  readonly #isOwn: (address: string) => boolean
  /** The one that was changed last is the last. */
  readonly #people = new Map<Fingerprint, readonly KnownAddress[]>()
  /** Of the newest card of each key, those heard of last at the end. They count until that card expires (in seconds): a clock that was ahead mutes nobody for longer. */
  readonly #sequences = new Map<Fingerprint, { readonly sequence: number; readonly expires: number }>()
  /** Of whom the file does not say yet what we know. */
  readonly #unwritten = new Map<Fingerprint, Change>()
  #written: Promise<void> = Promise.resolve()

  private constructor(options: AddressBookOptions) {
    this.#options = options
    const clock = options.now ?? Date.now
    // What the file may hold.
    this.#now = () => Math.max(0, Math.floor(clock()))
    this.#onLink = options.onLink ?? ((address) => isOnLink(address))
    this.#isOwn = options.isOwn ?? ((address) => isOwn(address))
  }

  /**
   * Opens the book.
   * @throws Error when its file is not one: nothing in it is believed then, and it is left as it is
   */
  static async open(options: AddressBookOptions = {}): Promise<AddressBook> {
    const book = new AddressBook(options)
    if (options.path !== undefined)
      for (const [person, addresses] of await readAddresses(options.path)) book.#people.set(person, addresses)
    return book
  }

  /** All that is known of a peer, in the order in which it would be tried, also what may not be dialled from here. */
  addressesOf(fingerprint: Fingerprint): readonly KnownAddress[] {
    return inOrder(this.#people.get(fingerprint) ?? [], this.#onLink)
  }

  /**
   * What is dialled, in order: where they were last, what was typed, the link (IPv6 and IPv4 in turn), the public address. What others told us is
   * dialled on the link only, but for the one public address; never loopback nor multicast, nor this machine unless it is announced by it.
   */
  dialable(fingerprint: Fingerprint): readonly KnownAddress[] {
    const allowed = this.addressesOf(fingerprint).filter((address) => this.#mayDial(address))
    let told = 0
    return allowed.filter(({ source }) => source === 'typed' || source === 'public' || told++ < MAX_TOLD).slice(0, MAX_DIALLED)
  }

  /** An address that our user typed. @throws RangeError when it cannot be one */
  type(fingerprint: Fingerprint, place: { readonly host: string; readonly port: number }): void {
    if (!isHost(place.host) || !isPort(place.port))
      throw new RangeError('An address is a host name or IP address, and a port from 1 to 65535')
    this.#learn(fingerprint, [{ ...place, source: 'typed', learnt: this.#now() }], [])
    this.#save(fingerprint, 'changed')
  }

  /**
   * What a verified card says, and the announcement that brought it, if one did: it takes the place of what the last card said, unless that was newer
   * and still holds.
   */
  learn(
    card: Pick<CallingCard, 'fingerprint' | 'addresses' | 'port' | 'external' | 'sequence' | 'expires'>,
    announced: readonly string[] = [],
  ): void {
    // Anybody may bring an older one again.
    const newest = this.#sequences.get(card.fingerprint)
    if (newest !== undefined && this.#holds(newest) && card.sequence < newest.sequence) return
    this.#sequences.delete(card.fingerprint)
    this.#sequences.set(card.fingerprint, { sequence: card.sequence, expires: Math.max(card.expires, newest?.expires ?? 0) })
    if (this.#sequences.size > MAX_PEOPLE) this.#forgetSequences()
    const learnt = this.#now()
    const { port, external } = card
    const at = (source: AddressSource) => (host: string) => ({ host, port, source, learnt })
    const fresh: KnownAddress[] = [...announced.map(at('link')), ...card.addresses.map(at('card'))]
    if (external !== undefined) fresh.push({ host: external.address, port: external.port, source: 'public', learnt })
    this.#learn(card.fingerprint, fresh, ['link', 'card', 'public'])
  }

  /** Forgets a peer. */
  forget(fingerprint: Fingerprint): void {
    this.#sequences.delete(fingerprint)
    this.#people.delete(fingerprint)
    // Another process may know them, too.
    this.#save(fingerprint, 'forgotten')
  }

  /**
   * Dials a peer: its addresses one shortly after the other, until the first succeeds; the others are stopped, and what they reach all the same is given back.
   * @param attempt has to prove the key, or fail
   * @throws what the attempt threw when there was one; AggregateError that tells what became of each address
   */
  async dial<T>(
    fingerprint: Fingerprint,
    attempt: (address: KnownAddress, lane: Lane) => Promise<T>,
    options: DialOptions<T>,
  ): Promise<T> {
    const addresses = this.dialable(fingerprint)
    if (addresses.length === 0) throw new Error(`No address of ${fingerprint} is known that may be dialled from here`)
    const attempts = addresses.map((address) => async (lane: Lane) => ({ address, reached: await attempt(address, lane) }))
    try {
      const won = await race(attempts, { ...options, discard: ({ reached }) => options.discard(reached) })
      this.#worked(fingerprint, won.address)
      return won.reached
    } catch (error) {
      options.signal?.throwIfAborted()
      throw error instanceof AggregateError ? explain(fingerprint, addresses, error.errors) : error
    }
  }

  /** Resolves once all that was learnt is in the file, or cannot be written a second time, either: `onError` was told of the first. */
  flush(): Promise<void> {
    this.#written = this.#written.then(() => this.#write()).catch(() => {})
    return this.#written
  }

  /** Makes room: what has expired goes first. */
  #forgetSequences(): void {
    for (const [key, newest] of this.#sequences) if (!this.#holds(newest)) this.#sequences.delete(key)
    if (this.#sequences.size <= MAX_PEOPLE) return
    this.#sequences.delete(this.#leastOf(this.#sequences.keys()))
  }

  #holds({ expires }: { readonly expires: number }): boolean {
    return expires * 1000 > this.#now()
  }

  #mayDial({ host, source }: KnownAddress): boolean {
    const [address = '', zone] = host.split('%')
    const kind = kindOf(address)
    if (this.#options.loopbackOnly) return kind === 'loopback'
    if (kind === 'multicast' || kind === 'unspecified') return false
    if (source === 'typed') return true
    if (kind === 'loopback' || kind === 'none') return false
    // It would go past a firewall that trusts whoever is on this machine. Who announces it on the link is here, too: neighbours.ts sees to that.
    if (source !== 'link' && this.#isOwn(address)) return false
    // Without the interface, a link-local address is on any link and on none.
    if (kind === 'link-local' && isIP(address) === 6) return zone !== undefined && source === 'link'
    return this.#onLink(address) || (source === 'public' && kind === 'public')
  }

  /** @param replaced sources of which only what is fresh, or worked, is kept */
  #learn(fingerprint: Fingerprint, fresh: readonly KnownAddress[], replaced: readonly AddressSource[]): void {
    const known = new Map((this.#people.get(fingerprint) ?? []).map(keyed))
    const kept = [...known.values()].filter(({ source, worked }) => worked !== undefined || !replaced.includes(source))
    const addresses = new Map(kept.map(keyed))
    const told = new Set<string>()
    for (const address of fresh) {
      const place = keyOf(address)
      // Of one place that is told twice, the first source counts; and what was typed stays so, whoever says the same.
      if (told.has(place)) continue
      told.add(place)
      const before = known.get(place)
      const source = before?.source === 'typed' ? before.source : address.source
      addresses.set(place, { ...address, source, ...(before?.worked === undefined ? {} : { worked: before.worked }) })
    }
    this.#put(fingerprint, [...addresses.values()])
  }

  #worked(fingerprint: Fingerprint, { host, port }: KnownAddress): void {
    const worked = this.#now()
    const known = this.#people.get(fingerprint) ?? []
    this.#put(
      fingerprint,
      known.map((each) => (isSamePlace(each, { host, port }) ? { ...each, worked } : each)),
    )
    this.#save(fingerprint, 'changed')
  }

  #put(fingerprint: Fingerprint, addresses: readonly KnownAddress[]): void {
    this.#people.delete(fingerprint)
    if (addresses.length === 0) return
    this.#people.set(fingerprint, addresses.toSorted(byWorth).slice(0, MAX_ADDRESSES))
    if (this.#people.size > MAX_PEOPLE) this.#people.delete(this.#leastOf(this.#people.keys()))
  }

  /**
   * Who makes room: somebody who is only told of, else somebody who was seen on the link, else anybody; of those the one of whom nothing was heard for
   * longest. Keys are free, so strangers, and whom they tell of, push out strangers alone.
   */
  #leastOf(people: Iterable<Fingerprint>): Fingerprint {
    const all = [...people]
    const known = (person: Fingerprint) => this.#people.get(person) ?? []
    const told = all.find((person) => !known(person).some((each) => isKept(each) || each.source === 'link'))
    return told ?? all.find((person) => !known(person).some(isKept)) ?? all[0]!
  }

  #save(fingerprint: Fingerprint, change: Change): void {
    const { path, onError } = this.#options
    if (path === undefined) return
    this.#note(fingerprint, change)
    this.#written = this.#written.then(() => this.#write()).catch((error) => onError?.(error))
  }

  /** Whoever was forgotten is so until that is written, though something may be learnt anew. */
  #note(fingerprint: Fingerprint, change: Change): void {
    if (this.#unwritten.get(fingerprint) !== 'forgotten') this.#unwritten.set(fingerprint, change)
  }

  /** What changed goes into what the file says now: another process may have the same book. */
  async #write(): Promise<void> {
    const { path } = this.#options
    const changes = [...this.#unwritten]
    if (path === undefined || changes.length === 0) return
    this.#unwritten.clear()
    try {
      await updateAddresses(path, changes, (person) => this.#people.get(person) ?? [])
    } catch (error) {
      for (const [person, change] of changes) this.#note(person, change)
      throw error
    }
  }
}

// Order

/** Latest success first, then what was typed, then the link, then the world; in the last two IPv6 and IPv4 in turn, so that a family that leads nowhere costs one wait (RFC 8305 §4). */
function inOrder(addresses: readonly KnownAddress[], onLink: (address: string) => boolean): KnownAddress[] {
  const worked = addresses.filter((each) => each.worked !== undefined).sort((a, b) => b.worked! - a.worked!)
  const others = addresses.filter((each) => each.worked === undefined).sort((a, b) => b.learnt - a.learnt)
  const typed = others.filter(({ source }) => source === 'typed')
  const told = others
    .filter(({ source }) => source !== 'typed')
    .sort((a, b) => SOURCES.indexOf(a.source) - SOURCES.indexOf(b.source))
  const near = (each: KnownAddress) => onLink(each.host.split('%')[0]!)
  return [...worked, ...typed, ...inTurn(told.filter(near)), ...inTurn(told.filter((each) => !near(each)))]
}

function inTurn(addresses: readonly KnownAddress[]): KnownAddress[] {
  const six = addresses.filter((each) => familyOf(each) === 6)
  const four = addresses.filter((each) => familyOf(each) !== 6)
  const length = Math.max(six.length, four.length)
  return Array.from({ length }, (_, at) => [six[at], four[at]])
    .flat()
    .filter((each) => each !== undefined)
}

function familyOf({ host }: KnownAddress): number {
  return isIP(host.split('%')[0]!)
}

/** Another key is an answer, where everything else is a bad line: it is what is told. */
function explain(fingerprint: Fingerprint, addresses: readonly KnownAddress[], errors: readonly unknown[]): unknown {
  const wrongKey = errors.find((error) => error instanceof Error && error.name === 'WrongKeyError')
  if (wrongKey !== undefined || errors.length === 1) return wrongKey ?? errors[0]
  const told = addresses.map(
    ({ host, port }, at) => `${host} port ${port}: ${errors[at] instanceof Error ? errors[at].message : errors[at]}`,
  )
  return new AggregateError(errors, `${fingerprint} was not reached. ${told.join('; ')}`)
}
