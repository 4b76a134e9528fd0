// A Cloudy peer: an identity that listens, shows its card on the link, believes the cards of others once verified, and meets them by TLS.
import { networkInterfaces } from 'node:os'
import { connect, type Listener, listen, type Profile, type Session } from '../beep/index.js'
import { startTls, tls } from '../profiles/index.js'
import { Acquaintances } from './acquaintances.js'
import { type Availability, CARD_RENEWAL, signCard } from './calling-card.js'
import type { IdentityCertificate } from './certificate.js'
import { type Advertisement, advertise, defaultHost } from './discovery/bonjour.js'
import type { Seen } from './discovery/neighbours.js'
import { type Watch, watchNeighbours } from './discovery/watch.js'
import type { Fingerprint } from './fingerprint.js'
import { Friend } from './friend.js'
import type { Identity } from './identity.js'
import { ObjectStore } from './object-store.js'
import { certificates } from './profiles/certificates.js'
import { type FilesOptions, files } from './profiles/files.js'
import { type ObjectsOptions, objects } from './profiles/objects.js'
import { personOf, verifyKey } from './profiles/person.js'
import { toSeconds } from './signed-object.js'
import { Gate, type Trust } from './trust.js'

export type { Seen } from './discovery/neighbours.js'

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

/** Milliseconds between looks for objects that expired. */
const EXPIRY_INTERVAL = 1000
const LOOPBACK = '127.0.0.1'

export class Peer implements AsyncDisposable {
  readonly identity: Identity
  /** The objects that are kept and told to those who may ask: what others gave, and what is put there. */
  readonly store: ObjectStore
  readonly #acquaintances = new Acquaintances()
  readonly #options: PeerOptions
  readonly #now: () => number
  readonly #profiles: readonly Profile[]
  #listener!: Listener
  #advertisement!: Advertisement
  #watch!: Watch
  #card!: Uint8Array
  #sequence = 0
  #state: { readonly availability: Availability; readonly status: string }
  #timers: NodeJS.Timeout[] = []

  private constructor(options: PeerOptions) {
    this.#options = options
    this.identity = options.identity
    this.#now = options.now ?? Date.now
    this.#state = { availability: options.availability ?? 'available', status: options.status ?? '' }
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
    const onAddresses = () => void this.#renew().catch(onError)
    this.#advertisement = await advertise({
      instance,
      host,
      port: this.port,
      card: this.#card,
      loopbackOnly,
      onError,
      onAddresses,
    })
    const onSeen = (seen: Seen) => this.#options.onSeen?.(seen)
    this.#watch = await watchNeighbours({
      self: this.fingerprint,
      now: this.#now,
      loopbackOnly,
      onError,
      onAppeared: onSeen,
      onChanged: onSeen,
      onGone: (seen) => this.#options.onGone?.(seen),
      onIgnored: (name, reason) => this.#options.onIgnored?.(name, reason),
    })
    this.#every(CARD_RENEWAL * 1000, () => void this.#renew().catch(onError))
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
    return this.#watch.seen
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

  /**
   * Shows another state, and with it what one likes to say about it: those who watch see a card that has changed.
   * @param status at most `MAX_STATUS` characters
   */
  async setState(availability: Availability, status = ''): Promise<void> {
    this.#state = { availability, status }
    await this.#renew()
  }

  /** Says goodbye, releases all sessions and stops listening. */
  async close(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
    await this.#watch?.stop()
    await this.#advertisement?.withdraw()
    this.store.close()
    await this.#listener?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // Cards

  async #renew(): Promise<void> {
    const signing = this.#signCard(this.#advertisement.host)
    const sequence = this.#sequence
    const card = await signing
    if (sequence !== this.#sequence) return // a newer one is being signed
    this.#card = card
    await this.#advertisement.update(card)
  }

  #signCard(host: string): Promise<Uint8Array> {
    const { availability, status } = this.#state
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
