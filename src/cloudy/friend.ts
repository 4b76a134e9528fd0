// Somebody we dialled and whose key TLS has proved: what one does together with them.
import type { Channel, Session } from '../beep/index.js'
import { abortable } from '../beep/promises.js'
import type { Acquaintances } from './acquaintances.js'
import type { IdentityCertificate } from './certificate.js'
import type { Fingerprint } from './fingerprint.js'
import type { Identity } from './identity.js'
import type { ObjectQuery } from './object-query.js'
import { type Asker, askObjects, closed, type Following, followObjects } from './profiles/asking.js'
import { askCertificates, startCertificates } from './profiles/certificates.js'
import { type Manifest, sendFile } from './profiles/files.js'
import { endSubscriptions, give } from './profiles/objects.js'
import { CERTIFICATES, FILES, OBJECTS } from './profiles/uris.js'
import type { SignedObject } from './signed-object.js'

export interface FriendOptions {
  readonly session: Session
  /** The certificate whose key TLS proved. */
  readonly person: IdentityCertificate
  /** Ours. */
  readonly identity: Identity
  /** Milliseconds since 1970. */
  now(): number
  /** Who learns the certificate that they show. */
  readonly acquaintances?: Pick<Acquaintances, 'learn'> | undefined
}

/** How long one waits for a friend, who may take their time. */
export interface Patience {
  /** Ends the waiting with its reason. */
  readonly signal?: AbortSignal | undefined
}

export class Friend implements AsyncDisposable {
  /** The certificate whose key TLS proved. */
  readonly person: IdentityCertificate
  readonly #options: FriendOptions
  #session: Session
  readonly #channels = new Map<string, Promise<Channel>>()

  constructor(options: FriendOptions) {
    this.#session = options.session
    this.person = options.person
    this.#options = options
  }

  get fingerprint(): Fingerprint {
    return this.person.fingerprint
  }

  /** It is another one when both dialled at once: then the one that stays takes the place of ours. */
  get session(): Session {
    return this.#session
  }

  /** Goes on in another session with the same peer; what has begun ends in the old one. */
  moveTo(session: Session): void {
    this.#session = session
    this.#channels.clear()
  }

  /** Gives a signed object. @returns the digest by which they know it. @throws ReplyError when they refuse it */
  async give(octets: Uint8Array, { signal }: Patience = {}): Promise<string> {
    const channel = this.#channel(OBJECTS, () => this.session.start(OBJECTS))
    return give(await abortable(channel, signal), octets, signal)
  }

  /**
   * Asks for certificates; those that they know, and may tell us, come one by one. Both sides show their own first.
   * @param fingerprints at most 64
   * @throws ReplyError when they refuse, 535 when they show a certificate of another key than TLS proved; ObjectError when they tell what was
   *   not asked for
   */
  async *certificates(
    fingerprints: readonly Fingerprint[],
    { signal }: Patience = {},
  ): AsyncGenerator<IdentityCertificate, void, void> {
    const { identity, acquaintances } = this.#options
    const channel = this.#channel(CERTIFICATES, async () => {
      const started = await startCertificates(this.session, identity.certificate)
      acquaintances?.learn(started.certificate)
      return started.channel
    })
    yield* askCertificates(await abortable(channel, signal), fingerprints, signal)
  }

  /**
   * Asks for the objects that they keep, by time of issue, verified.
   * @throws ReplyError when they refuse, ObjectError when they tell what does not hold or was not asked for, or nothing without end
   */
  query(query: ObjectQuery, { signal }: Patience = {}): AsyncGenerator<SignedObject, void, void> {
    return askObjects(this.session, query, this.#asker, signal)
  }

  /**
   * Follows the objects that come to them from now on, verified; what is there already is for a query.
   * Its signal ends it; so does leaving the iteration.
   * @returns once they have begun. The iteration ends when they end it, which they do before they release the session; it throws ReplyError 450
   *   when we did not keep up or had our share: then there is more than was told
   */
  subscribe(query: ObjectQuery, { signal }: Patience = {}): Promise<Following> {
    return followObjects(this.session, query, this.#asker, signal)
  }

  /**
   * Offers a file and sends it. @returns what was confirmed
   * Octets that are on their way when the signal aborts end the session: nothing can take them back.
   * @param progress told how many octets have been read for sending
   */
  async sendFile(path: string, progress?: (octets: number) => void, { signal }: Patience = {}): Promise<Manifest> {
    const channel = await this.session.start(FILES, { signal })
    try {
      const { identity, now } = this.#options
      const options = { now: now(), signal, ...(progress === undefined ? {} : { progress }) }
      return await sendFile(channel, path, identity, this.fingerprint, options)
    } finally {
      await closed(channel, signal)
    }
  }

  /** Parts in good order (RFC 3080 §2.4). */
  release(): Promise<void> {
    endSubscriptions(this.session)
    return this.session.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    endSubscriptions(this.session)
    await this.session[Symbol.asyncDispose]()
  }

  get #asker(): Asker {
    return { self: this.#options.identity.fingerprint, now: this.#options.now }
  }

  /** The channel for what is asked again and again; when it was declined, or is closed, the next one who needs it tries anew. */
  async #channel(uri: string, start: () => Promise<Channel>): Promise<Channel> {
    const known = this.#channels.get(uri)
    if (known !== undefined) return known
    const starting = start()
    this.#channels.set(uri, starting)
    const forget = () => this.#channels.get(uri) === starting && this.#channels.delete(uri)
    starting.then((channel) => channel.closed.then(forget), forget)
    return starting
  }
}
