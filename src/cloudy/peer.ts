// A Cloudy peer: an identity that listens, shows its card on the link, believes the cards of others once verified, and meets them by TLS.
import { networkInterfaces } from 'node:os'
import { connect, type Listener, listen, type Profile, type Session } from '../beep/index.js'
import { startTls, tls } from '../profiles/index.js'
import { Acquaintances } from './acquaintances.js'
import { type Availability, CARD_RENEWAL, type CallingCard, signCard, verifyCard } from './calling-card.js'
import type { IdentityCertificate } from './certificate.js'
import { type Advertisement, advertise, type Browse, browse, defaultHost, type Sighting } from './discovery/bonjour.js'
import type { Fingerprint } from './fingerprint.js'
import { Friend } from './friend.js'
import type { Identity } from './identity.js'
import { ObjectError } from './object-error.js'
import { ObjectStore } from './object-store.js'
import { certificates } from './profiles/certificates.js'
import { type FilesOptions, files } from './profiles/files.js'
import { type ObjectsOptions, objects } from './profiles/objects.js'
import { personOf, verifyKey } from './profiles/person.js'
import { toSeconds } from './signed-object.js'
import { Gate, type Trust } from './trust.js'

/** Somebody whose card is believed. Seen is not met: only TLS proves that they are there. */
export interface Seen {
  readonly card: CallingCard
  /** Where the announcement says they are. */
  readonly addresses: readonly string[]
  /** The name of the service, to recognise its goodbye. */
  readonly instance: string
}

export interface PeerOptions {
  readonly identity: Identity
  /** A directory for files that are received. */
  readonly downloads: string
  /** Nothing leaves the machine: for tests and demonstrations. */
  readonly loopbackOnly?: boolean | undefined
  /** 0..65535; a free one by default. */
  readonly port?: number | undefined
  readonly availability?: Availability | undefined
  readonly status?: string | undefined
  /** Milliseconds since 1970; the clock by default. */
  readonly now?: (() => number) | undefined
  /** A card that is believed is new or says something new. */
  onSeen?(seen: Seen): void
  /** Somebody said goodbye, fell silent, or their card expired. */
  onGone?(seen: Seen): void
  /** A card that is not believed, and why. The name is the network's. */
  onIgnored?(instance: string, reason: string): void
  /** Somebody met us: TLS has proved their key. */
  onFriend?(person: IdentityCertificate, session: Session): void
  /** What somebody is to us; by default whoever was met before in this run is remembered, and everybody else a stranger. */
  readonly trustOf?: ((fingerprint: Fingerprint) => Trust) | undefined
  readonly onReceived?: ObjectsOptions['receive'] | undefined
  readonly onFile?: Pick<FilesOptions, 'offered' | 'progress' | 'received'> | undefined
  onError?(error: unknown): void
}

/** People that are seen at a time: keys are free, so there must be a bound. */
const MAX_SEEN = 1024
/** Milliseconds between looks for cards that expired. */
const EXPIRY_INTERVAL = 1000
const LOOPBACK = '127.0.0.1'

export class Peer implements AsyncDisposable {
  readonly identity: Identity
  /** The objects that are kept and told to those who may ask: what others gave, and what is put there. */
  readonly store: ObjectStore
  readonly #acquaintances = new Acquaintances()
  readonly #options: PeerOptions
  readonly #now: () => number
  readonly #seen = new Map<Fingerprint, Seen>()
  readonly #profiles: readonly Profile[]
  #listener!: Listener
  #advertisement!: Advertisement
  #browse!: Browse
  #card!: Uint8Array
  #sequence = 0
  #timers: NodeJS.Timeout[] = []

  private constructor(options: PeerOptions) {
    this.#options = options
    this.identity = options.identity
    this.#now = options.now ?? Date.now
    this.store = new ObjectStore({ now: this.#now })
    const { certificate: own, fingerprint: self } = options.identity
    const acquaintances = this.#acquaintances
    const gate = new Gate({ trustOf: options.trustOf ?? ((each) => acquaintances.trustOf(each)), now: this.#now })
    const receive = (received: Parameters<ObjectsOptions['receive']>[0]) => options.onReceived?.(received)
    this.#profiles = [
      certificates({ gate, own, acquaintances }),
      objects({ gate, self, now: this.#now, store: this.store, receive }),
      files({ ...options.onFile, gate, self, now: this.#now, directory: options.downloads }),
    ]
  }

  /** Listens, shows the card and begins to look for others. */
  static async start(options: PeerOptions): Promise<Peer> {
    const peer = new Peer(options)
    try {
      await peer.#start()
    } catch (error) {
      await peer.close().catch(() => {})
      throw error
    }
    return peer
  }

  async #start(): Promise<void> {
    const { identity, loopbackOnly = false, port = 0 } = this.#options
    const profile = tls({ ...this.#credentials(), verify: (certificate) => void verifyKey(certificate) })
    this.#listener = await listen({
      port,
      ...(loopbackOnly ? { host: LOOPBACK } : {}),
      profiles: [profile, ...this.#profiles],
      onSession: (session) => {
        if (session.tls === undefined) return
        const person = personOf(session)
        this.#acquaintances.meet(person, session)
        this.#options.onFriend?.(person, session)
      },
    })
    const host = defaultHost()
    this.#card = await this.#signCard(host)
    const onError = (error: Error) => this.#options.onError?.(error)
    const instance = identity.nickname
    this.#advertisement = await advertise({ instance, host, port: this.port, card: this.#card, loopbackOnly, onError })
    this.#browse = await browse({
      loopbackOnly,
      onError,
      onSeen: (sighting) => this.#look(sighting),
      onGone: (gone) => this.#forget((seen) => seen.instance === gone),
      onIgnored: (name, reason) => this.#options.onIgnored?.(name, reason),
    })
    this.#every(CARD_RENEWAL * 1000, () => void this.#renew().catch(onError))
    this.#every(EXPIRY_INTERVAL, () => this.#forget((seen) => seen.card.expires * 1000 <= this.#now()))
    this.#every(EXPIRY_INTERVAL, () => this.store.sweep())
  }

  // What the user does

  get fingerprint(): Fingerprint {
    return this.identity.fingerprint
  }

  /** The port it listens on. */
  get port(): number {
    return this.#listener.address.port
  }

  /** Our card as it is now: CMS in DER. */
  get card(): Uint8Array {
    return this.#card
  }

  /** Whose cards are believed now, by key. */
  get nearby(): ReadonlyMap<Fingerprint, Seen> {
    return this.#seen
  }

  /**
   * Dials the owner of a card: BEEP in clear, TLS with certificates on both sides, a new session. The peer that is dialled is a key.
   * @throws WrongKeyError when TLS proves another key than the card's: nothing was sent
   */
  async meet(seen: Seen, signal?: AbortSignal): Promise<Friend> {
    const { card } = seen
    let failure: unknown = new Error(`The card of ${card.fingerprint} names no address that we may dial`)
    for (const host of this.#dialable(seen)) {
      try {
        const clear = await connect({ host, port: card.port, profiles: this.#profiles, signal })
        const verify = (certificate: Parameters<typeof verifyKey>[0]) => void verifyKey(certificate, card.fingerprint)
        const session = await startTls(clear, { ...this.#credentials(), verify })
        const person = personOf(session)
        this.#acquaintances.meet(person, session)
        return new Friend({ session, person, identity: this.identity, now: this.#now, acquaintances: this.#acquaintances })
      } catch (error) {
        failure = error
        // Another key is an answer, not a bad line.
        if (error instanceof Error && error.name === 'WrongKeyError') break
      }
    }
    throw failure
  }

  /** Says goodbye, releases all sessions and stops listening. */
  async close(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
    await this.#browse?.stop()
    await this.#advertisement?.withdraw()
    this.store.close()
    await this.#listener?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // Cards

  /** A card is believed when everything in it holds and it is announced from where it says (design of the card, §2). */
  #look(sighting: Sighting): void {
    const { instance, host, port, addresses } = sighting
    try {
      const card = verifyCard(sighting.card, { now: this.#now() })
      if (card.fingerprint === this.fingerprint) return
      if (card.host.toLowerCase() !== host.toLowerCase() || card.port !== port)
        throw new ObjectError('card', 'it is announced from elsewhere')
      const before = this.#seen.get(card.fingerprint)
      if (before !== undefined && card.sequence < before.card.sequence) throw new ObjectError('replayed')
      if (before === undefined && this.#seen.size >= MAX_SEEN) throw new Error(`more than ${MAX_SEEN} people are seen`)
      const seen = { card, addresses, instance }
      this.#seen.set(card.fingerprint, seen)
      if (before?.card.digest !== card.digest) this.#options.onSeen?.(seen)
    } catch (error) {
      this.#options.onIgnored?.(instance, error instanceof Error ? error.message : String(error))
    }
  }

  #forget(matches: (seen: Seen) => boolean): void {
    for (const [fingerprint, seen] of this.#seen) {
      if (!matches(seen)) continue
      this.#seen.delete(fingerprint)
      this.#options.onGone?.(seen)
    }
  }

  async #renew(): Promise<void> {
    this.#card = await this.#signCard(this.#advertisement.host)
    await this.#advertisement.update(this.#card)
  }

  #signCard(host: string): Promise<Uint8Array> {
    const { availability = 'available', status = '' } = this.#options
    const now = this.#now()
    // It grows across restarts too, without having been kept.
    this.#sequence = Math.max(this.#sequence + 1, toSeconds(now))
    const { nickname } = this.identity
    const fields = {
      nickname,
      host,
      port: this.port,
      addresses: this.#ownAddresses(),
      availability,
      status,
      sequence: this.#sequence,
    }
    return signCard(this.identity, fields, { now })
  }

  #ownAddresses(): string[] {
    if (this.#options.loopbackOnly) return [LOOPBACK]
    const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
    return all
      .filter((each) => !each.internal && !each.address.startsWith('fe80'))
      .map((each) => each.address)
      .slice(0, 8)
  }

  /** A card cannot make us dial ourselves: loopback only when that is where we live. */
  #dialable({ addresses }: Seen): readonly string[] {
    const loopback = (address: string) => address.startsWith('127.') || address === '::1'
    return addresses.filter((address) => loopback(address) === (this.#options.loopbackOnly ?? false)).slice(0, 4)
  }

  #credentials() {
    return { key: this.identity.privateKeyPem(), cert: this.identity.certificatePem(), minVersion: 'TLSv1.3' as const }
  }

  #every(milliseconds: number, action: () => void): void {
    this.#timers.push(setInterval(action, milliseconds).unref())
  }
}
