// A service on all links: its name claimed, announced, kept up to date, defended, given up to somebody who has a better right to it, withdrawn.
import { setTimeout as wait } from 'node:timers/promises'
import type { Link } from './link.js'
import type { Links } from './links.js'
import { claimName, isFree } from './name-claim.js'
import { type DnsRecord, folded, type Packet, saysTheSame, TYPE } from './records.js'

/** Lifetimes in seconds (RFC 6762 §10): of what names a host or is on one, and of everything else. */
const HOST_TTL = 120
const OTHER_TTL = 4500
/** Between two announcements of one change (RFC 6762 §8.3), and the least between two contradictions, in milliseconds. */
const SECOND = 1000
/** Conflicts within so many milliseconds that are gone into; whoever makes more of them wants to keep us busy (RFC 6762 §8.1). */
const MAX_CONFLICTS = 15
const CONFLICTS_WITHIN = 10_000
/** How long to wait when every name was taken. */
const PATIENCE = 5000
/** Before we probe for a name that was ours: the other hears of the conflict, too, and falls silent. */
const TRUCE = 150
/** Texts of ours that are recognised: one that is late, or comes back by a reflector, is no conflict. */
const MAX_OWN_TEXTS = 8

export interface Service {
  readonly wish: string
  readonly host: string
  readonly port: number
  readonly txt: readonly Buffer[]
}

type State = 'probing' | 'announced'

export class Announcement {
  readonly #links: Links
  readonly #service: Service
  readonly #states = new Map<Link, State>()
  readonly #registered = new Map<Link, readonly DnsRecord[]>()
  readonly #timers = new Map<Link, NodeJS.Timeout>()
  readonly #ended = new AbortController()
  #txt: readonly Buffer[]
  #ownTexts: DnsRecord[] = []
  #instance = ''
  #number = 1
  #conflicts: number[] = []
  #contradicted = Number.NEGATIVE_INFINITY
  /** What probes does so one after the other: a name is claimed once. */
  #turn: Promise<void> = Promise.resolve()

  constructor(links: Links, service: Service) {
    this.#links = links
    this.#service = service
    this.#txt = service.txt
  }

  get instance(): string {
    return this.#instance
  }

  /**
   * Claims a name and announces it. Whoever says that every name is theirs keeps nobody from listening and dialling: it is reported, and tried again for
   * as long as it takes.
   */
  async begin(): Promise<void> {
    try {
      await this.#claim(1)
    } catch (error) {
      if (this.#ended.signal.aborted) throw error
      this.#links.report(error as Error)
      this.#takeTurn(() => wait(PATIENCE, undefined, this.#waiting).then(() => this.#claimAtLast(1)))
    }
    this.#links.on('opened', (link) => this.#takeTurn(() => this.#settle(link)))
    this.#links.on('changed', (link) => this.#renew(link))
    this.#links.on('closed', (link) => this.#forget(link))
    this.#links.on('response', (packet, _from, link) => this.#hear(packet, link))
    // What has gone or come meanwhile.
    for (const link of this.#states.keys()) if (this.#links.all.get(link.interface.name) !== link) this.#forget(link)
    for (const link of this.#links.all.values()) if (!this.#states.has(link)) this.#takeTurn(() => this.#settle(link))
  }

  /** Puts another text in place; whoever watches sees a change. */
  async update(txt: readonly Buffer[]): Promise<void> {
    this.#txt = txt
    await Promise.all([...this.#states.keys()].map((link) => this.#renew(link)))
  }

  /** Says goodbye. */
  async end(): Promise<void> {
    this.#ended.abort()
    await this.#turn
    await Promise.all([...this.#states].map(([link]) => this.#leave(link, 'goodbye')))
  }

  // Names

  async #claim(first: number): Promise<void> {
    const links = [...this.#links.all.values()]
    for (const link of links) this.#states.set(link, 'probing')
    const records = (instance: string) => this.#ownRecords(instance)
    const claim = { wish: this.#service.wish, records, signal: this.#ended.signal }
    const { instance, number } = await claimName(this.#links, claim, first)
    this.#instance = instance
    this.#number = number
    await Promise.all(links.map((link) => this.#announce(link)))
  }

  /** A link has come, or somebody there says that our name is theirs: it is probed for there, and without success given up everywhere. */
  async #settle(link: Link, patience = 0): Promise<void> {
    if (this.#links.all.get(link.interface.name) !== link) return
    this.#states.set(link, 'probing')
    if (await isFree(link, this.#ownRecords(this.#instance), this.#ended.signal, patience)) return this.#announce(link)
    // On this link the name is another's: no goodbye there, it would be theirs.
    await Promise.all([...this.#states.keys()].map((each) => this.#leave(each, each === link ? 'silence' : 'goodbye')))
    return this.#claimAtLast(this.#number + 1)
  }

  async #claimAtLast(first: number): Promise<void> {
    for (;;) {
      try {
        return await this.#claim(first)
      } catch (error) {
        if (this.#ended.signal.aborted) throw error
        this.#links.report(error as Error)
        await wait(PATIENCE, undefined, this.#waiting)
      }
    }
  }

  get #waiting() {
    return { ref: false, signal: this.#ended.signal }
  }

  #takeTurn(action: () => Promise<void>): void {
    this.#turn = this.#turn.then(action).catch((error) => {
      if (!this.#ended.signal.aborted) this.#links.report(error)
    })
  }

  /** Contradicts a goodbye that we did not say, or a lifetime much shorter than ours (RFC 6762 §6.6), and goes into the claim of another owner of our name (RFC 6762 §9). */
  #hear({ answers, additionals }: Packet, link: Link): void {
    if (this.#states.get(link) !== 'announced') return
    const fqdn = folded(`${this.#instance}.${TYPE}`)
    const about = [...answers, ...additionals].filter(
      (record) => folded(record.type === 'PTR' ? record.data : record.name) === fqdn,
    )
    const now = performance.now()
    if (about.some((record) => record.ttl > 0 && this.#isAnothers(record))) this.#contest(link, now)
    else if (about.some(({ ttl }) => ttl < HOST_TTL / 2) && now - this.#contradicted >= SECOND) {
      this.#contradicted = now
      void this.#say(link)
    }
  }

  #isAnothers(record: DnsRecord): boolean {
    if (record.type === 'SRV') return !saysTheSame(record, this.#place(this.#instance))
    return record.type === 'TXT' && !this.#ownTexts.some((own) => saysTheSame(record, own))
  }

  #contest(link: Link, now: number): void {
    this.#conflicts = this.#conflicts.filter((each) => each > now - CONFLICTS_WITHIN)
    if (this.#conflicts.length >= MAX_CONFLICTS) return
    this.#conflicts.push(now)
    this.#links.report(new Error('Another peer on this network announces our service name'))
    // Said once more, so that the other hears of the conflict, too; then both probe, and the order of their records decides.
    void this.#say(link)
    this.#fallSilent(link)
    this.#takeTurn(() => this.#settle(link, TRUCE))
  }

  // Records

  #place(instance: string): DnsRecord {
    const { port, host } = this.#service
    return { name: `${instance}.${TYPE}`, type: 'SRV', ttl: HOST_TTL, flush: true, data: { port, target: host } }
  }

  #text(instance: string): DnsRecord {
    return { name: `${instance}.${TYPE}`, type: 'TXT', ttl: OTHER_TTL, flush: true, data: this.#txt }
  }

  /** What only the owner of a name may have. */
  #ownRecords(instance: string): DnsRecord[] {
    return [this.#text(instance), this.#place(instance)]
  }

  #allRecords({ interface: { addresses } }: Link): DnsRecord[] {
    const pointer = { name: TYPE, type: 'PTR', ttl: OTHER_TTL, data: `${this.#instance}.${TYPE}` } as const
    const type = { name: '_services._dns-sd._udp.local', type: 'PTR', ttl: OTHER_TTL, data: TYPE } as const
    return [
      pointer,
      ...this.#ownRecords(this.#instance),
      ...addresses.map((each) => addressRecord(this.#service.host, each)),
      type,
    ]
  }

  // Links

  async #announce(link: Link): Promise<void> {
    if (this.#ended.signal.aborted || this.#links.all.get(link.interface.name) !== link) return
    this.#states.set(link, 'announced')
    await this.#renew(link)
  }

  /** Announces twice what holds at this moment. */
  async #renew(link: Link): Promise<void> {
    if (this.#states.get(link) !== 'announced') return
    link.unregister(this.#registered.get(link) ?? [])
    const records = this.#allRecords(link)
    const text = this.#text(this.#instance)
    this.#ownTexts = [text, ...this.#ownTexts.filter((own) => !saysTheSame(own, text))].slice(0, MAX_OWN_TEXTS)
    link.register(records)
    this.#registered.set(link, records)
    clearTimeout(this.#timers.get(link))
    this.#timers.set(link, setTimeout(() => void this.#say(link), SECOND).unref())
    await this.#say(link)
  }

  async #say(link: Link): Promise<void> {
    const records = this.#registered.get(link)
    // The type is told to those who ask for types.
    if (records !== undefined) await link.say(records.filter(({ data }) => data !== TYPE))
  }

  async #leave(link: Link, how: 'goodbye' | 'silence'): Promise<void> {
    const records = this.#registered.get(link) ?? []
    this.#fallSilent(link)
    // A goodbye is for what is ours alone: not for the type, nor for a host name that others of this process use too.
    const own = records.filter(({ name, type }) => folded(name) === TYPE || type === 'SRV' || type === 'TXT')
    if (how === 'goodbye' && own.length > 0) await link.say(own.map((record) => ({ ...record, ttl: 0 })))
  }

  #fallSilent(link: Link): void {
    clearTimeout(this.#timers.get(link))
    link.unregister(this.#registered.get(link) ?? [])
    this.#registered.delete(link)
    this.#states.set(link, 'probing')
  }

  #forget(link: Link): void {
    clearTimeout(this.#timers.get(link))
    for (const map of [this.#states, this.#registered, this.#timers]) map.delete(link)
  }
}

function addressRecord(host: string, address: string): DnsRecord {
  return { name: host, type: address.includes(':') ? 'AAAA' : 'A', ttl: HOST_TTL, flush: true, data: address }
}
