// Whom to believe of those who show a card on the link: sightings in, people out. No network, no timer, and a clock that is given.
//
// A card is believed when everything in it holds, it is announced from where it says, and it is not older than one that was seen of the same key.
// To verify costs time, so it is done so often a second and no more, for each source and in all, and once for each card.
import { createHash } from 'node:crypto'
import { isIPv6, SocketAddress } from 'node:net'
import { type CallingCard, MAX_CARD_ADDRESSES, verifyCard } from '../calling-card.js'
import type { Fingerprint } from '../fingerprint.js'
import { ObjectError, type ObjectReason } from '../object-error.js'
import { CLOCK_TOLERANCE, timeText } from '../signed-object.js'
import { Allowance } from './allowance.js'
import { isLinkLocal } from './interfaces.js'
import type { Sighting } from './sightings.js'

/** Verifications: of what one source announces, and of all. One takes about 0.6 ms. */
export const VERIFICATIONS = { each: { perSecond: 10, atOnce: 20 }, all: { perSecond: 40, atOnce: 100 } } as const
/** Sightings that wait for their verification; of one source, and in all. */
export const MAX_WAITING_EACH = 64
export const MAX_WAITING = 1024
/** People that are seen at a time, and of these, whom one source announced: keys are free, so there must be a bound. */
export const MAX_SEEN = 1024
export const MAX_SEEN_EACH = 64
/** Outcomes of verifications that are kept, and reasons. */
export const MAX_OUTCOMES = 2048
/** Keys whose highest sequence number is kept until the card expires: more than can be verified in that time. */
export const MAX_SEQUENCES = 32_768
/** Places where one person is seen: several interfaces, and old names of the service. */
export const MAX_PLACES = 16
/** Reasons told in a second; whoever shows thousands of bad cards fills no log. */
const COMPLAINTS = { each: { perSecond: 2, atOnce: 10 }, all: { perSecond: 10, atOnce: 50 } } as const
/** Milliseconds until those that wait are looked at again. */
const LOOK_AGAIN = 100
/** Reasons that are right by one clock and wrong by another, and clocks are set. */
const UNTIMELY: readonly string[] = ['expired', 'from-future'] satisfies ObjectReason[]
/** Cards that have expired, or will have been issued, are looked at again: so many at a time, after so many milliseconds. */
const UNTIMELY_AT_ONCE = 8
const UNTIMELY_INTERVAL = 1000
/** Milliseconds for which the addresses of this machine are what they were: to ask the system for each sighting would cost more than to judge it. */
const OWN_INTERVAL = 1000

/** Somebody whose card is believed. Seen is not met: only TLS proves that they are there. */
export interface Seen {
  readonly card: CallingCard
  /** Where the announcement says they are, and the card does not deny; an address that is valid on one link only comes with its interface. */
  readonly addresses: readonly string[]
  /** The name of the service. */
  readonly instance: string
  /** Since when, in milliseconds since 1970. */
  readonly since: number
}

export interface NeighboursOptions {
  /** Our own key, whose cards are not news. */
  readonly self?: Fingerprint | undefined
  /** Milliseconds since 1970. */
  now(): number
  /** Tells apart the addresses of this machine as they are now: by announcing one, only somebody on this machine is found there. Asked for once a second. */
  ownAddresses(): (address: string) => boolean
  onAppeared?(seen: Seen): void
  /** Somebody shows a newer card, or is at other addresses. */
  onChanged?(seen: Seen, before: Seen): void
  /** Somebody said goodbye, fell silent, or their card expired. */
  onGone?(seen: Seen): void
  /** A card that is not believed, and why. The name is the network's; not every case of many is told. */
  onIgnored?(instance: string, reason: string): void
}

interface Person {
  seen: Seen
  /** What brought the card. */
  sighting: Sighting
  /** By whose announcement they were seen first. */
  readonly source: string
  /** Service and interface, and the addresses announced there. */
  readonly places: Map<string, readonly string[]>
}

/** `error` where it was one of the rules. */
type Outcome = { readonly card: CallingCard } | { readonly reason: string; readonly error?: ObjectError }

export class Neighbours {
  readonly #options: NeighboursOptions
  readonly #people = new Map<Fingerprint, Person>()
  readonly #seen = new Map<Fingerprint, Seen>()
  readonly #bySource = new Map<string, number>()
  readonly #sequences = new Map<Fingerprint, { sequence: number; expires: number }>()
  readonly #outcomes = new Map<string, Outcome>()
  readonly #verifications = new Allowance(VERIFICATIONS.each, VERIFICATIONS.all)
  readonly #complaints = new Allowance(COMPLAINTS.each, COMPLAINTS.all)
  /** Why what is shown at a place is not believed: said once for as long as it stays so. */
  readonly #reasons = new Map<string, string>()
  /** By source, then by service; a source that was served goes behind the others. */
  readonly #waiting = new Map<string, Map<string, Sighting>>()
  #waitingCount = 0
  /** By place, what is not believed because of the time alone; what was looked at last is at the end. */
  readonly #untimely = new Map<string, Sighting>()
  #lookedAgain = Number.NEGATIVE_INFINITY
  #isOwn: (address: string) => boolean = () => false
  #lookedAtOurs = Number.NEGATIVE_INFINITY

  constructor(options: NeighboursOptions) {
    this.#options = options
  }

  /** Whose cards are believed now, by key. */
  get seen(): ReadonlyMap<Fingerprint, Seen> {
    return this.#seen
  }

  /** How much is kept: for tests of what a flood can do. */
  get sizes() {
    const { size: people } = this.#people
    const places = [...this.#people.values()].reduce((sum, person) => sum + person.places.size, 0)
    const [waiting, untimely] = [this.#waitingCount, this.#untimely.size]
    return { people, places, waiting, untimely, sequences: this.#sequences.size, outcomes: this.#outcomes.size }
  }

  /** A service was seen, or something in it changed. */
  sighted(sighting: Sighting): void {
    const digest = createHash('sha256').update(sighting.card).digest('base64')
    const place = placeOf(sighting)
    this.#unwait(sighting.source, place)
    this.#untimely.delete(place)
    const outcome = this.#outcomes.get(digest) ?? this.#verify(sighting, digest)
    if (outcome === undefined) this.#wait(sighting)
    else this.#judge(sighting, outcome)
  }

  /** A service is not there any more. */
  left(gone: Pick<Sighting, 'instance' | 'via'>): void {
    const place = placeOf(gone)
    this.#reasons.delete(place)
    this.#untimely.delete(place)
    for (const source of [...this.#waiting.keys()]) this.#unwait(source, place)
    for (const person of [...this.#people.values()]) {
      if (!person.places.delete(place)) continue
      if (person.places.size === 0) this.#forget(person)
      else this.#update(person, {})
    }
  }

  /** A service, or what it says, was left out before it came here. */
  ignored(instance: string, reason: string): void {
    if (this.#complaints.take(reason, this.#options.now())) this.#options.onIgnored?.(instance, reason)
  }

  /** Forgets who has expired, and verifies what waits. To be called when `due()` has come, or about so. */
  tick(): void {
    const now = this.#options.now()
    this.#lookAgain(now)
    for (const person of [...this.#people.values()]) if (person.seen.card.expires * 1000 <= now) this.#expire(person)
    for (const [key, { expires }] of this.#sequences) if (expires * 1000 <= now) this.#sequences.delete(key)
    while (this.#verifications.isLeft(now)) {
      let served = false
      for (const [source, services] of [...this.#waiting]) {
        const [first] = services.values()
        if (first === undefined || !this.#verifications.isLeft(now)) break
        const before = this.#waitingCount
        this.#waiting.delete(source)
        this.#waiting.set(source, services)
        this.sighted(first)
        served ||= this.#waitingCount < before
      }
      if (!served) break
    }
  }

  /** When `tick` will have something to do, in milliseconds since 1970. */
  due(): number {
    if (this.#waitingCount > 0) return this.#options.now() + LOOK_AGAIN
    let due = this.#untimely.size > 0 ? this.#options.now() + UNTIMELY_INTERVAL : Number.POSITIVE_INFINITY
    for (const { seen } of this.#people.values()) due = Math.min(due, seen.card.expires * 1000)
    for (const { expires } of this.#sequences.values()) due = Math.min(due, expires * 1000)
    return due
  }

  // Cards

  /** @returns undefined when it has to wait */
  #verify(sighting: Sighting, digest: string): Outcome | undefined {
    const now = this.#options.now()
    if (!this.#verifications.take(sighting.source, now)) return undefined
    const outcome = verify(sighting.card, now)
    if (!isUntimely(outcome)) keep(this.#outcomes, digest, outcome)
    return outcome
  }

  #judge(sighting: Sighting, outcome: Outcome): void {
    if (isUntimely(outcome)) this.#keepUntimely(sighting)
    if ('reason' in outcome) this.#complain(sighting, outcome.reason)
    else this.#judgeCard(sighting, outcome.card)
  }

  #judgeCard(sighting: Sighting, card: CallingCard): void {
    if (card.fingerprint === this.#options.self) return
    const now = this.#options.now()
    const newest = this.#sequences.get(card.fingerprint)
    const isFromHere = card.host.toLowerCase() === sighting.host.toLowerCase() && card.port === sighting.port
    const addresses = isFromHere ? addressesOf(this.#withoutOurs(sighting), card) : undefined
    const untimely = untimelinessOf(card, now)
    if (untimely !== undefined) this.#judge(sighting, untimely)
    else if (addresses === undefined) this.#complain(sighting, ELSEWHERE)
    else if (newest !== undefined && card.sequence < newest.sequence)
      this.#complain(sighting, new ObjectError('replayed').message)
    else this.#believe(sighting, card, addresses)
  }

  /**
   * What somebody on another machine announces, without addresses of this one: we would dial ourselves, past a firewall that trusts whoever is here.
   * Two peers on one machine find each other all the same, since they hear each other from an address of it.
   */
  #withoutOurs(sighting: Sighting): Sighting {
    this.#lookAtOurs()
    if (this.#isOwn(sighting.source)) return sighting
    return { ...sighting, addresses: sighting.addresses.filter((address) => !this.#isOwn(address)) }
  }

  #lookAtOurs(): void {
    const now = this.#options.now()
    if (Math.abs(now - this.#lookedAtOurs) < OWN_INTERVAL) return
    this.#lookedAtOurs = now
    this.#isOwn = this.#options.ownAddresses()
  }

  #believe(sighting: Sighting, card: CallingCard, addresses: readonly string[]): void {
    const place = placeOf(sighting)
    this.#reasons.delete(place)
    const { fingerprint, sequence, expires } = card
    const known = this.#people.get(fingerprint)
    if (known === undefined && !this.#hasRoom(sighting)) return
    this.#sequences.set(fingerprint, { sequence, expires: Math.max(expires, this.#sequences.get(fingerprint)?.expires ?? 0) })
    if (known === undefined) this.#welcome(sighting, card, addresses)
    else {
      if (known.places.has(place) || makeRoom(known.places, addresses)) known.places.set(place, addresses)
      known.sighting = sighting
      this.#update(known, { card, instance: sighting.instance })
    }
  }

  #welcome(sighting: Sighting, card: CallingCard, addresses: readonly string[]): void {
    const { instance, source } = sighting
    const seen = { card, addresses, instance, since: this.#options.now() }
    this.#people.set(card.fingerprint, { seen, sighting, source, places: new Map([[placeOf(sighting), addresses]]) })
    this.#seen.set(card.fingerprint, seen)
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1)
    this.#options.onAppeared?.(seen)
  }

  #hasRoom(sighting: Sighting): boolean {
    if ((this.#bySource.get(sighting.source) ?? 0) >= MAX_SEEN_EACH)
      this.#complain(sighting, `more than ${MAX_SEEN_EACH} people are seen at its address`)
    else if (this.#people.size >= MAX_SEEN || this.#sequences.size >= MAX_SEQUENCES)
      this.#complain(sighting, `more than ${MAX_SEEN} people are seen`)
    else return true
    return false
  }

  #update(person: Person, { card = person.seen.card, instance = person.seen.instance }: Partial<Seen>): void {
    const before = person.seen
    const addresses = [...new Set([...person.places.values()].flat())]
    if (card.digest === before.card.digest && addresses.join() === before.addresses.join()) return
    person.seen = { card, addresses, instance, since: before.since }
    this.#seen.set(card.fingerprint, person.seen)
    this.#options.onChanged?.(person.seen, before)
  }

  #forget({ seen, source }: Person): void {
    this.#people.delete(seen.card.fingerprint)
    this.#seen.delete(seen.card.fingerprint)
    const left = (this.#bySource.get(source) ?? 1) - 1
    if (left === 0) this.#bySource.delete(source)
    else this.#bySource.set(source, left)
    this.#options.onGone?.(seen)
  }

  /** They are gone; but the clock may have been set ahead, and be set right again. */
  #expire(person: Person): void {
    this.#forget(person)
    const place = placeOf(person.sighting)
    if (!person.places.has(place)) return
    this.#keepUntimely(person.sighting)
    // That they are gone is told, and why is no news.
    const outcome = untimelinessOf(person.seen.card, this.#options.now())
    if (outcome !== undefined) keep(this.#reasons, place, outcome.reason)
  }

  #complain(sighting: Sighting, reason: string): void {
    const { instance, source } = sighting
    const place = placeOf(sighting)
    if (this.#reasons.get(place) === reason) return
    keep(this.#reasons, place, reason)
    if (this.#complaints.take(source, this.#options.now())) this.#options.onIgnored?.(instance, reason)
  }

  // Waiting

  #keepUntimely(sighting: Sighting): void {
    if (this.#untimely.size >= MAX_WAITING) return
    const sameSource = [...this.#untimely.values()].filter(({ source }) => source === sighting.source)
    if (sameSource.length < MAX_WAITING_EACH) this.#untimely.set(placeOf(sighting), sighting)
  }

  /** Judges anew what was untimely, whichever way the clock went since. */
  #lookAgain(now: number): void {
    if (Math.abs(now - this.#lookedAgain) < UNTIMELY_INTERVAL) return
    this.#lookedAgain = now
    for (const sighting of [...this.#untimely.values()].slice(0, UNTIMELY_AT_ONCE)) this.sighted(sighting)
  }

  #wait(sighting: Sighting): void {
    const services = this.#waiting.get(sighting.source) ?? new Map<string, Sighting>()
    if (this.#waitingCount >= MAX_WAITING || services.size >= MAX_WAITING_EACH) return
    services.set(placeOf(sighting), sighting)
    this.#waiting.set(sighting.source, services)
    this.#waitingCount += 1
  }

  #unwait(source: string, place: string): void {
    const services = this.#waiting.get(source)
    if (services?.delete(place)) this.#waitingCount -= 1
    if (services?.size === 0) this.#waiting.delete(source)
  }
}

const ELSEWHERE = new ObjectError('card', 'it is announced from elsewhere').message

/** A clock that is set right makes a card of yesterday or tomorrow one of today. */
function isUntimely(outcome: Outcome): boolean {
  return 'reason' in outcome && outcome.error !== undefined && UNTIMELY.includes(outcome.error.reason)
}

/** Why a card that was good once is not by the clock as it is now. */
function untimelinessOf({ issued, expires }: CallingCard, now: number): Extract<Outcome, { reason: string }> | undefined {
  const seconds = Math.floor(now / 1000)
  const isFuture = issued > seconds + CLOCK_TOLERANCE
  if (!isFuture && expires > seconds) return undefined
  const error = isFuture ? new ObjectError('from-future', timeText(issued)) : new ObjectError('expired', timeText(expires))
  return { reason: error.message, error }
}

function verify(octets: Uint8Array, now: number): Outcome {
  try {
    return { card: verifyCard(octets, { now }) }
  } catch (error) {
    if (error instanceof ObjectError) return { reason: error.message, error }
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Of two services with one name, on two interfaces, each is its own. */
function placeOf({ instance, via }: Pick<Sighting, 'instance' | 'via'>): string {
  return `${via} ${instance}`
}

/** Whether there is room for one place more. Anybody may announce a stranger's card without addresses, under many names: such a place gives way to one that has some. */
function makeRoom(places: Person['places'], addresses: readonly string[]): boolean {
  if (places.size < MAX_PLACES) return true
  const empty = addresses.length === 0 ? undefined : [...places].find(([, each]) => each.length === 0)
  return empty !== undefined && places.delete(empty[0])
}

/**
 * The addresses of an announcement that the card names, too. Not all of them are in a card that is full, and none in one that names none; otherwise
 * somebody who announces a stranger's card with an address of their own is not believed.
 */
function addressesOf({ addresses, via }: Sighting, card: CallingCard): readonly string[] | undefined {
  const signed = new Set(card.addresses.map(canonical))
  const both = addresses.filter((address) => signed.has(canonical(address)))
  if (both.length > 0 || addresses.length === 0) return both
  if (signed.size > 0 && signed.size < MAX_CARD_ADDRESSES) return undefined
  return addresses.map((address) => (isLinkLocal(address) ? `${address}%${via}` : address))
}

/** An address in the one form that equal addresses have. */
function canonical(address: string): string {
  return new SocketAddress({ address, family: isIPv6(address) ? 'ipv6' : 'ipv4' }).address
}

/** Keeps the newest of what is worth keeping. */
function keep<Value>(all: Map<string, Value>, key: string, value: Value): void {
  all.delete(key)
  all.set(key, value)
  if (all.size > MAX_OUTCOMES) all.delete(all.keys().next().value!)
}
