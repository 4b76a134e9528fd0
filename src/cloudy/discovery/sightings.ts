// What multicast DNS answers say about the services on the link: records and the time in, sightings out. No network, no clock, no timer.
// Every table here is bounded, because anyone on the link may say anything.
import {
  type AddressRecord,
  type DnsRecord,
  folded,
  isName,
  MAX_LABEL,
  type PlaceRecord,
  type PointerRecord,
  type Question,
  type TextRecord,
} from './records.js'
import { cardFromTxt } from './txt-record.js'

/** Services held at a time: a link with more peers than that is a flood. */
export const MAX_SERVICES = 1024
/** Services held that one source told of first. */
export const MAX_SERVICES_EACH = 64
/** Of these a source may be sure: when the table is full, somebody new displaces the newest service of a source that has more. */
const FAIR_SHARE = 8
/** Addresses held for one service. */
export const MAX_ADDRESSES = 16
/** Longest lifetime believed, whatever a record says: the 75 minutes that RFC 6762 §10 recommends. */
const MAX_TTL = 4_500_000
/** What is left of a record after its goodbye (RFC 6762 §10.1). Its owner is asked once more meanwhile, and so can contradict a forged one. */
const GOODBYE = 1000
/** A service of which only the name is known must tell the rest within this time; it would hold a place of the table otherwise. */
const COMPLETE_WITHIN = 10_000
/** Questions about incomplete services: at most so many each, so far apart; packets so far apart, with so many questions. */
const MAX_ASKS = 3
const ASK_AGAIN = 1000
const ASK_GAP = 20
const MAX_QUESTIONS = 16
/** Intervals between questions for the whole type: they double (RFC 6762 §5.2). */
const FIRST_INTERVAL = 1000
const LAST_INTERVAL = 3_600_000
/** Parts of its lifetime after which a record is asked for again (RFC 6762 §5.2); each browser adds up to 2 % of its own. */
const REFRESH = [0.8, 0.85, 0.9, 0.95]
const NEVER = Number.POSITIVE_INFINITY

/** A service as it was announced. Nothing in it is verified, and its texts are not fit for a terminal. */
export interface Sighting {
  /** Name of the instance: a label to tell services apart, not a person. */
  readonly instance: string
  /** Host name, as in `host.local`. */
  readonly host: string
  /** Addresses of the host, sorted; may be empty. */
  readonly addresses: readonly string[]
  readonly port: number
  /** The card's DER, not verified. */
  readonly card: Uint8Array
  /** Address from which the announcement came. */
  readonly source: string
  /** Interface on which it was heard. */
  readonly via: string
}

export type SightingEvent =
  /** A service is new, or something in it has changed. */
  | { readonly kind: 'seen'; readonly sighting: Omit<Sighting, 'via'> }
  /** A service that was seen said goodbye, or its records expired. */
  | { readonly kind: 'gone'; readonly instance: string }
  /** Something was left out, and why; said once for as long as it stays so. */
  | { readonly kind: 'ignored'; readonly instance: string; readonly reason: string }

interface Life {
  ttl: number
  expires: number
}

interface Address {
  readonly type: 'A' | 'AAAA'
  readonly heard: number
  expires: number
}

interface Entry {
  readonly instance: string
  /** Who told of it first, on whose account it is. */
  readonly teller: string
  readonly fqdn: string
  readonly created: number
  /** Of the pointer, the place and the text: the service is gone with the first of them. */
  readonly lives: { ptr: Life; srv?: Life; txt?: Life }
  srv?: { readonly port: number; readonly target: string; readonly key: string }
  card?: Uint8Array
  source: string
  readonly addresses: Map<string, Address>
  /** Why the last TXT record was left out. */
  complaint?: string
  asks: number
  refreshes: number
  reported?: Omit<Sighting, 'via'>
  /** What follows from the above, worked out when it changes, so that a full table costs little. */
  expires: number
  addressExpires: number
  refreshAt: number
  askAt: number
  wanted: readonly Question[]
}

/** The services of one type. Hand it every response; let `expire` and `questions` follow each time, and again when `due()` has come. */
export class SightingTable {
  readonly #type: string
  readonly #suffix: string
  readonly #jitter: number
  readonly #entries = new Map<string, Entry>()
  readonly #told = new Map<string, number>()
  #interval = FIRST_INTERVAL
  #nextQuery = Number.NEGATIVE_INFINITY
  #lastQuery = Number.NEGATIVE_INFINITY
  #lastAsk = Number.NEGATIVE_INFINITY
  #full = false

  /** @param type for instance `_cloudy._tcp.local` */
  constructor(type: string, random: () => number = Math.random) {
    this.#type = folded(type)
    this.#suffix = `.${this.#type}`
    this.#jitter = random() * 0.02
  }

  /** Takes the records of one response in. */
  receive(records: readonly DnsRecord[], now: number, source: string): SightingEvent[] {
    const events: SightingEvent[] = []
    const touched = new Set<Entry>()
    const touch = (entry: Entry | undefined) => entry !== undefined && touched.add(entry)
    const told = { now, source, events, refused: false }
    for (const record of records) if (record.type === 'PTR') touch(this.#pointer(record, told))
    for (const record of records) {
      if (record.type !== 'SRV' && record.type !== 'TXT') continue
      const entry = this.#entries.get(folded(record.name))
      if (entry === undefined) continue
      touch(entry)
      if (record.type === 'SRV') readPlace(entry, record, now)
      else readCard(entry, record, now, source, events)
    }
    const addresses = addressesOf(records)
    for (const entry of addresses.size === 0 ? touched : this.#entries.values()) {
      const ofHost = addresses.get(entry.srv?.key ?? '')
      if (ofHost === undefined) continue
      touch(entry)
      readAddresses(entry, ofHost, now)
    }
    for (const entry of touched) {
      this.#settle(entry)
      report(entry, events)
    }
    return events
  }

  /** Forgets what has expired. */
  expire(now: number): SightingEvent[] {
    const events: SightingEvent[] = []
    for (const [key, entry] of this.#entries) {
      if (entry.expires <= now) {
        this.#full = false
        this.#remove(key, entry, events)
      } else if (entry.addressExpires <= now) {
        for (const [address, { expires }] of entry.addresses) if (expires <= now) entry.addresses.delete(address)
        this.#settle(entry)
        report(entry, events)
      }
    }
    return events
  }

  /** What is to be asked now, in one query; what is returned counts as asked. */
  questions(now: number): Question[] {
    const questions: Question[] = []
    let whole = now >= this.#nextQuery
    if (whole) {
      this.#nextQuery = now + this.#interval
      this.#interval = Math.min(this.#interval * 2, LAST_INTERVAL)
    }
    const mayAsk = now >= this.#lastAsk + ASK_GAP
    for (const entry of this.#entries.values()) {
      if (now >= entry.refreshAt) {
        while (now >= this.#refreshAt(entry)) entry.refreshes += 1
        this.#settle(entry)
        whole ||= now - this.#lastQuery >= FIRST_INTERVAL
      }
      if (!mayAsk || now < entry.askAt || questions.length + entry.wanted.length > MAX_QUESTIONS) continue
      questions.push(...entry.wanted)
      entry.asks += 1
      entry.askAt = entry.asks < MAX_ASKS ? now + ASK_AGAIN : NEVER
    }
    if (questions.length > 0) this.#lastAsk = now
    if (whole) {
      this.#lastQuery = now
      questions.unshift({ name: this.#type, type: 'PTR' })
    }
    return questions
  }

  /** The time at which `expire` or `questions` will have something to do. */
  due(): number {
    let due = this.#nextQuery
    for (const { expires, addressExpires, refreshAt, askAt } of this.#entries.values())
      due = Math.min(due, expires, addressExpires, refreshAt, Math.max(askAt, this.#lastAsk + ASK_GAP))
    return due
  }

  /** Starts over with the questions for the whole type: the network is another one. */
  restart(): void {
    this.#interval = FIRST_INTERVAL
    this.#nextQuery = Number.NEGATIVE_INFINITY
  }

  /** Forgets everything: the link is no more. */
  clear(): SightingEvent[] {
    const events: SightingEvent[] = []
    for (const [key, entry] of this.#entries) this.#remove(key, entry, events)
    return events
  }

  #remove(key: string, { instance, teller, reported }: Entry, events: SightingEvent[]): void {
    this.#entries.delete(key)
    const left = (this.#told.get(teller) ?? 1) - 1
    if (left === 0) this.#told.delete(teller)
    else this.#told.set(teller, left)
    if (reported !== undefined) events.push({ kind: 'gone', instance })
  }

  #pointer(record: PointerRecord, telling: Telling): Entry | undefined {
    const { now, source, events } = telling
    if (folded(record.name) !== this.#type) return undefined
    const key = folded(record.data)
    if (!key.endsWith(this.#suffix)) return undefined
    const instance = record.data.slice(0, -this.#suffix.length)
    const known = this.#entries.get(key)
    if (known !== undefined) {
      known.lives.ptr = lifeOf(record.ttl, now)
      known.refreshes = 0
      return known
    }
    if (record.ttl === 0) return undefined
    const octets = Buffer.byteLength(instance)
    if (octets === 0 || octets > MAX_LABEL)
      events.push({ kind: 'ignored', instance, reason: `an instance name has 1 to ${MAX_LABEL} octets, not ${octets}` })
    else if (!telling.refused && this.#hasRoom(telling)) {
      const entry = newEntry(instance, record, now, source)
      this.#entries.set(key, entry)
      this.#told.set(source, (this.#told.get(source) ?? 0) + 1)
      return entry
    } else {
      telling.refused = true
      if (!this.#full) events.push({ kind: 'ignored', instance, reason: 'there are too many services' })
      this.#full = true
    }
    return undefined
  }

  /** Whether a source may tell of one more service. When the table is full, the newest of the source that has most makes room. */
  #hasRoom({ source, events }: Telling): boolean {
    const own = this.#told.get(source) ?? 0
    if (own >= MAX_SERVICES_EACH) return false
    if (this.#entries.size < MAX_SERVICES) return true
    const [most, count] = [...this.#told].reduce((a, b) => (b[1] > a[1] ? b : a))
    if (count <= Math.max(own + 1, FAIR_SHARE)) return false
    const [key, entry] = [...this.#entries].findLast(([, { teller }]) => teller === most)!
    this.#remove(key, entry, events)
    return true
  }

  /** Works out what follows from what is known of a service. */
  #settle(entry: Entry): void {
    const { ptr, srv, txt } = entry.lives
    const complete = srv !== undefined && txt !== undefined
    entry.expires = Math.min(
      ptr.expires,
      srv?.expires ?? NEVER,
      txt?.expires ?? NEVER,
      complete ? NEVER : entry.created + COMPLETE_WITHIN,
    )
    entry.addressExpires = Math.min(NEVER, ...[...entry.addresses.values()].map(({ expires }) => expires))
    entry.refreshAt = this.#refreshAt(entry)
    entry.wanted = missing(entry)
    if (entry.wanted.length === 0 || entry.asks >= MAX_ASKS) entry.askAt = NEVER
    else if (entry.askAt === NEVER) entry.askAt = Number.NEGATIVE_INFINITY
  }

  #refreshAt({ refreshes, lives: { ptr, srv, txt } }: Entry): number {
    const part = REFRESH[refreshes]
    if (part === undefined || srv === undefined || txt === undefined) return NEVER
    const left = 1 - part - this.#jitter
    return Math.min(ptr.expires - ptr.ttl * left, srv.expires - srv.ttl * left, txt.expires - txt.ttl * left)
  }
}

/** A response that is being read. */
interface Telling {
  readonly now: number
  readonly source: string
  readonly events: SightingEvent[]
  /** There was no room for one of its services, so there is none for the others. */
  refused: boolean
}

function newEntry(instance: string, pointer: PointerRecord, now: number, source: string): Entry {
  return {
    instance,
    fqdn: pointer.data,
    created: now,
    lives: { ptr: lifeOf(pointer.ttl, now) },
    teller: source,
    source,
    addresses: new Map(),
    asks: 0,
    refreshes: 0,
    expires: now,
    addressExpires: NEVER,
    refreshAt: NEVER,
    askAt: now,
    wanted: [],
  }
}

function lifeOf(seconds: number, now: number): Life {
  const ttl = seconds === 0 ? GOODBYE : Math.min(seconds * 1000, MAX_TTL)
  return { ttl, expires: now + ttl }
}

function readPlace(entry: Entry, { data, ttl }: PlaceRecord, now: number): void {
  entry.lives.srv = lifeOf(ttl, now)
  entry.refreshes = 0
  if (ttl > 0) entry.srv = { port: data.port, target: data.target, key: folded(data.target) }
}

/** A TXT record without a card leaves the card that was there, so that a forged one cannot hide it. */
function readCard(entry: Entry, { data, ttl }: TextRecord, now: number, source: string, events: SightingEvent[]): void {
  try {
    if (ttl > 0) {
      entry.card = cardFromTxt(data)
      entry.source = source
      delete entry.complaint
    }
    entry.lives.txt = lifeOf(ttl, now)
    entry.refreshes = 0
  } catch (error) {
    const reason = (error as Error).message
    if (entry.complaint !== reason) events.push({ kind: 'ignored', instance: entry.instance, reason })
    entry.complaint = reason
  }
}

/** Addresses of the host of a service. Those that are said to be all of their kind outlive the older ones (RFC 6762 §10.2). */
function readAddresses({ addresses }: Entry, records: readonly AddressRecord[], now: number): void {
  for (const { type, data, ttl } of records)
    if (addresses.has(data) || (ttl > 0 && addresses.size < MAX_ADDRESSES))
      addresses.set(data, { type, heard: now, expires: lifeOf(ttl, now).expires })
  for (const address of addresses.values())
    if (address.heard < now - GOODBYE && records.some(({ type, flush }) => flush && type === address.type))
      address.expires = Math.min(address.expires, now + GOODBYE)
}

function addressesOf(records: readonly DnsRecord[]): Map<string, AddressRecord[]> {
  const all = new Map<string, AddressRecord[]>()
  for (const record of records) {
    if (record.type !== 'A' && record.type !== 'AAAA') continue
    const key = folded(record.name)
    const list = all.get(key) ?? []
    if (list.length < MAX_ADDRESSES) list.push(record)
    all.set(key, list)
  }
  return all
}

/** Reports the service when it is complete and not as it was reported last. */
function report(entry: Entry, events: SightingEvent[]): void {
  const { instance, srv, card, source, addresses, reported } = entry
  if (srv === undefined || card === undefined) return
  const sighting = { instance, host: srv.target, addresses: [...addresses.keys()].sort(), port: srv.port, card, source }
  if (reported !== undefined && sameSighting(reported, sighting)) return
  entry.reported = sighting
  events.push({ kind: 'seen', sighting })
}

function sameSighting(a: Omit<Sighting, 'via'>, b: Omit<Sighting, 'via'>): boolean {
  const sameAddresses =
    a.addresses.length === b.addresses.length && a.addresses.every((address, at) => address === b.addresses[at])
  return a.host === b.host && a.port === b.port && sameAddresses && Buffer.compare(a.card, b.card) === 0
}

/** Questions for what the service has not told. A dot inside the instance name cannot be encoded, so such a service is not asked. */
function missing({ instance, fqdn, srv, card, complaint, addresses }: Entry): Question[] {
  const questions: Question[] = []
  if (!instance.includes('.') && isName(fqdn)) {
    if (srv === undefined) questions.push({ name: fqdn, type: 'SRV' })
    if (card === undefined && complaint === undefined) questions.push({ name: fqdn, type: 'TXT' })
  }
  if (srv !== undefined && addresses.size === 0 && isName(srv.target))
    questions.push({ name: srv.target, type: 'A' }, { name: srv.target, type: 'AAAA' })
  return questions
}
