// A Cloudy peer: an identity that listens, shows its card on the link, believes the cards of others once verified, and meets them by TLS.
import { networkInterfaces } from 'node:os'
import { connect, type Listener, listen, type Profile, type Session } from '../beep/index.js'
import { startTls, tls } from '../profiles/index.js'
import { Acquaintances } from './acquaintances.js'
import { AddressBook, type KnownAddress } from './address-book.js'
import { type Availability, CARD_RENEWAL, KEY_TOO_LARGE, signCard } from './calling-card.js'
import type { IdentityCertificate } from './certificate.js'
import { type Advertisement, advertise, defaultHost } from './discovery/bonjour.js'
import type { Seen } from './discovery/neighbours.js'
import { type Watch, watchNeighbours } from './discovery/watch.js'
import { Encounters } from './encounters.js'
import type { Fingerprint } from './fingerprint.js'
import { Friend } from './friend.js'
import { Guests } from './guests.js'
import type { Identity } from './identity.js'
import { ObjectStore } from './object-store.js'
import { certificates } from './profiles/certificates.js'
import { type FilesOptions, files } from './profiles/files.js'
import { type ObjectsOptions, objects } from './profiles/objects.js'
import { personOf, verifyKey } from './profiles/person.js'
import type { Lane } from './race.js'
import { PortMapper, type PortMapperOptions, type Reachability } from './reachability/port-mapper.js'
import { Gate, SESSION_LIMITS, type Trust } from './trust.js'
import { Untuned } from './untuned.js'

export type { Seen } from './discovery/neighbours.js'

export interface PeerOptions {
  readonly identity: Identity
  /** A directory for files that are received. */
  readonly downloads: string
  /**
   * Milliseconds that whoever connects may take until the session is tuned to TLS; 30,000 by default, 0 for ever. Beyond 256 of them the oldest gives
   * way, however long it has been there.
   */
  readonly tuningTimeout?: number | undefined
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
  /** Where people may be; by default a book of this run. */
  readonly addressBook?: AddressBook | undefined
  /**
   * Asks the router for a port to the world, and shows it in the card. Done by default unless `loopbackOnly`; `false` asks for none. A peer that is
   * reachable is so for everybody who knows the address.
   */
  readonly reachability?:
    | Omit<PortMapperOptions, 'internalPort' | 'onMapped' | 'onChanged' | 'onLost' | 'onProblem' | 'onError'>
    | false
    | undefined
  /** The world reaches us by another address or port than before, or not at all, and why. */
  onReachability?(reachability: Reachability): void
  readonly onFile?: Pick<FilesOptions, 'offered' | 'progress' | 'received'> | undefined
  onError?(error: unknown): void
}

/** What a card says of its owner. */
interface State {
  readonly availability: Availability
  readonly status: string
}

/** Milliseconds between looks for objects that expired, for guests who are silent, and at the age of the card. */
const LOOK_INTERVAL = 1000
/** Seconds until a renewal of the card that failed is tried again: well before the card expires. */
const RENEWAL_REST = 30
/** Milliseconds that a stranger may take for the handshake of TLS. */
const HANDSHAKE_TIMEOUT = 10_000
const LOOPBACK = '127.0.0.1'

export class Peer implements AsyncDisposable {
  readonly identity: Identity
  /** The objects that are kept and told to those who may ask: what others gave, and what is put there. */
  readonly store: ObjectStore
  readonly #acquaintances = new Acquaintances()
  readonly #guests: Guests
  readonly #options: PeerOptions
  readonly #now: () => number
  readonly #profiles: readonly Profile[]
  readonly #encounters: Encounters
  #book!: AddressBook
  #mapper: PortMapper | undefined
  #listener!: Listener
  /** Undefined, as the card, for a key that is too large. */
  #advertisement: Advertisement | undefined
  #watch!: Watch
  #card: Uint8Array | undefined
  #sequence = 0
  /** When the card was signed, by its own clock; while renewals fail, as if it had been so that the next is due in a while. */
  #signed = 0
  #state: State
  /** Cards are signed one at a time. */
  #signing: Promise<void> = Promise.resolve()
  #looking: NodeJS.Timeout | undefined
  /** Sessions that we dialled; the listener knows the others. */
  readonly #dialled = new Set<Session>()
  /** Aborts when we close: nobody is met any more. */
  readonly #closing = new AbortController()

  private constructor(options: PeerOptions) {
    this.#options = options
    this.identity = options.identity
    this.#now = options.now ?? Date.now
    this.#state = { availability: options.availability ?? 'available', status: options.status ?? '' }
    this.store = new ObjectStore({ now: this.#now })
    const { certificate: own, fingerprint: self } = options.identity
    const acquaintances = this.#acquaintances
    const trustOf = options.trustOf ?? ((each: Fingerprint) => acquaintances.trustOf(each))
    const gate = new Gate({ trustOf, now: this.#now })
    this.#guests = new Guests({ trustOf })
    this.#encounters = new Encounters({ self })
    const receive = (received: Parameters<ObjectsOptions['receive']>[0]) => {
      // What is announced on the link is newer.
      if (received.kind === 'card' && !this.#watch?.seen.has(received.card.fingerprint)) this.#book.learn(received.card)
      return options.onReceived?.(received)
    }
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
    const { identity, loopbackOnly = false, port = 0, addressBook } = this.#options
    this.#book = addressBook ?? (await AddressBook.open({ loopbackOnly, now: this.#now }))
    const handshakeTimeout = HANDSHAKE_TIMEOUT
    const profile = tls({ ...this.#credentials(), handshakeTimeout, verify: (certificate) => void verifyKey(certificate) })
    const untuned = new Untuned(this.#options.tuningTimeout)
    this.#listener = await listen({
      ...SESSION_LIMITS,
      port,
      ...(loopbackOnly ? { host: LOOPBACK } : {}),
      profiles: [profile, ...this.#profiles],
      onSession: (session) => {
        if (session.tls === undefined) {
          untuned.add(session)
          return
        }
        const person = personOf(session)
        if (!this.#guests.admit(person.fingerprint, session)) return
        this.#acquaintances.meet(person, session)
        // Where both dialled at once and ours stays, theirs is about to be released: it is no news.
        if (this.#encounters.begin(person.fingerprint, session, 'them') === session) this.#options.onFriend?.(person, session)
      },
    })
    const host = defaultHost()
    await this.#signCard(host, this.#state).catch((error: unknown) => {
      // The key is all that matters: whoever has it from elsewhere may dial us.
      if ((error as { readonly code?: unknown }).code !== KEY_TOO_LARGE) throw error
      this.#options.onError?.(error)
    })
    const onError = (error: Error) => this.#options.onError?.(error)
    const onAddresses = () => void this.#renew().catch(onError)
    if (this.#card !== undefined)
      this.#advertisement = await advertise({
        instance: identity.nickname,
        host,
        port: this.port,
        card: this.#card,
        loopbackOnly,
        onError,
        onAddresses,
      })
    const onSeen = (seen: Seen) => {
      this.#book.learn(seen.card, seen.addresses)
      this.#options.onSeen?.(seen)
    }
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
    const look = () => {
      this.store.sweep()
      this.#guests.look()
      // By the clock that the card is dated with, which may be set, or have gone on while we slept.
      const now = this.#now()
      const age = now - this.#signed
      if (age >= 0 && age < CARD_RENEWAL * 1000) return
      this.#signed = now - (CARD_RENEWAL - RENEWAL_REST) * 1000 // so it is tried again, should this fail
      void this.#renew().catch(onError)
    }
    this.#looking = setInterval(look, LOOK_INTERVAL).unref()
    await this.#openPort()
  }

  /** Has the router let the world in, if it does; the card says so as soon as it is true, and no longer. */
  async #openPort(): Promise<void> {
    const { loopbackOnly = false, reachability = loopbackOnly ? false : {}, onError } = this.#options
    if (reachability === false) return
    const tell = () => this.#options.onReachability?.(mapper.reachability)
    const changed = () => {
      tell()
      void this.#renew().catch((error) => onError?.(error))
    }
    const told = {
      onMapped: changed,
      onChanged: changed,
      onLost: changed,
      onProblem: tell,
      onError: (error: unknown) => onError?.(error),
    }
    const mapper = new PortMapper({ ...reachability, ...told, internalPort: this.port })
    this.#mapper = mapper
    await mapper.start()
  }

  // What the user does

  get fingerprint(): Fingerprint {
    return this.identity.fingerprint
  }

  /** The port it listens on. */
  get port(): number {
    return this.#listener.address.port
  }

  /** Whether others can see us by our card. With a key that is too large for one (RSA of 3072 bits) they cannot, and have to know where we are. */
  get advertised(): boolean {
    return this.#card !== undefined
  }

  /** Our card as it is now: CMS in DER. @throws TypeError when we have none, since our key is too large: see `advertised` */
  get card(): Uint8Array {
    if (this.#card === undefined) throw new TypeError('This peer has no card: its key is too large for one')
    return this.#card
  }

  /** Whose cards are believed now, by key. */
  get nearby(): ReadonlyMap<Fingerprint, Seen> {
    return this.#watch.seen
  }

  /** Where people may be: what was typed by hand goes in here, too. */
  get addressBook(): AddressBook {
    return this.#book
  }

  /** How the world can reach us through the router; undefined when it is not asked. */
  get reachability(): Reachability | undefined {
    return this.#mapper?.reachability
  }

  /**
   * Dials a peer where the address book says it may be: BEEP in clear, TLS with certificates on both sides, a new session. The peer that is dialled is
   * a key. When they dial us at the same time, there is one session in the end, and it is that of the friend on both sides.
   * @param whom somebody who is seen, or the fingerprint of somebody whose address is known
   * @throws WrongKeyError when TLS proves another key: nothing was sent; AggregateError when none of several addresses leads to them; Error when this
   *   peer closes meanwhile
   */
  async meet(whom: Seen | Fingerprint, signal?: AbortSignal): Promise<Friend> {
    const fingerprint = typeof whom === 'string' ? whom : whom.card.fingerprint
    if (typeof whom !== 'string') this.#book.learn(whom.card, whom.addresses)
    const reach = (address: KnownAddress, lane: Lane) => this.#reach(fingerprint, address, lane)
    const discard = (loser: Session) => loser.terminate(new Error('Another address was faster'))
    const closing = this.#closing.signal
    const wanted = signal === undefined ? closing : AbortSignal.any([closing, signal])
    const session = await this.#book.dial(fingerprint, reach, { discard, signal: wanted })
    this.#dialled.add(session)
    void session.closed.then(() => this.#dialled.delete(session))
    const person = personOf(session)
    this.#acquaintances.meet(person, session)
    let friend: Friend | undefined
    const stays = this.#encounters.begin(fingerprint, session, 'us', (to) => friend?.moveTo(to))
    friend = new Friend({
      session: stays,
      person,
      identity: this.identity,
      now: this.#now,
      acquaintances: this.#acquaintances,
    })
    return friend
  }

  /** One address: a session in which TLS has proved the key, or none at all. */
  async #reach(fingerprint: Fingerprint, { host, port }: KnownAddress, { signal, connected }: Lane): Promise<Session> {
    const clear = await connect({ ...SESSION_LIMITS, host, port, profiles: this.#profiles, signal })
    connected()
    const onAbort = () => clear.terminate(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const verify = (certificate: Parameters<typeof verifyKey>[0]) => void verifyKey(certificate, fingerprint)
      return await startTls(clear, { ...this.#credentials(), verify })
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /**
   * Shows another state, and with it what one likes to say about it: those who watch see a card that has changed.
   * @param status at most `MAX_STATUS` characters
   */
  async setState(availability: Availability, status = ''): Promise<void> {
    await this.#renew({ availability, status })
  }

  /** Says goodbye, releases all sessions and stops listening. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('This peer is closed: it meets nobody any more'))
    clearInterval(this.#looking)
    const closed = this.#mapper?.stop()
    await this.#watch?.stop()
    await this.#advertisement?.withdraw()
    await closed
    await this.#book?.flush()
    this.store.close()
    await Promise.all([...this.#dialled].map((session) => session[Symbol.asyncDispose]()))
    await this.#listener?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // Cards

  /** Shows a card that is signed now. @param state another than before, which holds once it is signed */
  async #renew(state?: State): Promise<void> {
    const advertisement = this.#advertisement
    if (advertisement === undefined) return
    // One after the other: each begins with what the last one has left.
    const signing = this.#signing.then(() => this.#signCard(advertisement.host, state ?? this.#state))
    this.#signing = signing.catch(() => {})
    await signing
    // The newest, which may be another by now.
    await advertisement.update(this.card)
  }

  /** What the card says holds only once it is signed: of one that does not fit nothing stays, so the next is not about that. */
  async #signCard(host: string, state: State): Promise<void> {
    const now = this.#now()
    // It grows across restarts too, without having been kept: nobody changes a card every millisecond.
    this.#sequence = Math.max(this.#sequence + 1, Math.floor(now))
    const { nickname } = this.identity
    const mapping = this.#mapper?.reachability.mapping
    const external = mapping && { address: mapping.externalAddress, port: mapping.externalPort }
    const fields = { nickname, host, port: this.port, external, ...state, sequence: this.#sequence }
    for (let addresses = this.#ownAddresses(); ; addresses = addresses.slice(0, -1)) {
      try {
        this.#card = await signCard(this.identity, { ...fields, addresses }, { now })
        this.#signed = now
        this.#state = state
        return
      } catch (error) {
        // A long status and many addresses do not fit together: the announcement has the addresses of the link in any case.
        const hopeless =
          !(error instanceof RangeError) || addresses.length === 0 || ('code' in error && error.code === KEY_TOO_LARGE)
        if (hopeless) throw error
      }
    }
  }

  #ownAddresses(): string[] {
    if (this.#options.loopbackOnly) return [LOOPBACK]
    const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
    return all
      .filter((each) => !each.internal && !each.address.startsWith('fe80'))
      .map((each) => each.address)
      .slice(0, 8)
  }

  #credentials() {
    return { key: this.identity.privateKeyPem(), cert: this.identity.certificatePem(), minVersion: 'TLSv1.3' as const }
  }
}
