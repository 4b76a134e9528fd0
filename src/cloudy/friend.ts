// Somebody we dialled and whose key TLS has proved: what one does together with them.
import type { Channel, Session } from '../beep/index.js'
import type { IdentityCertificate } from './certificate.js'
import type { Fingerprint } from './fingerprint.js'
import type { Identity } from './identity.js'
import { type Manifest, sendFile } from './profiles/files.js'
import { give } from './profiles/objects.js'
import { FILES, OBJECTS } from './profiles/uris.js'

export class Friend implements AsyncDisposable {
  readonly session: Session
  /** The certificate whose key TLS proved. */
  readonly person: IdentityCertificate
  readonly #identity: Identity
  readonly #now: () => number
  #objects: Promise<Channel> | undefined

  constructor(session: Session, person: IdentityCertificate, identity: Identity, now: () => number) {
    this.session = session
    this.person = person
    this.#identity = identity
    this.#now = now
  }

  get fingerprint(): Fingerprint {
    return this.person.fingerprint
  }

  /** Gives a signed object. @returns the digest by which they know it. @throws ReplyError when they refuse it */
  async give(octets: Uint8Array): Promise<string> {
    this.#objects ??= this.session.start(OBJECTS)
    return give(await this.#objects, octets)
  }

  /**
   * Offers a file and sends it. @returns what was confirmed
   * @param progress told how many octets have been read for sending
   */
  async sendFile(path: string, progress?: (octets: number) => void): Promise<Manifest> {
    const channel = await this.session.start(FILES)
    try {
      const options = { now: this.#now(), ...(progress === undefined ? {} : { progress }) }
      return await sendFile(channel, path, this.#identity, this.fingerprint, options)
    } finally {
      await channel.close().catch(() => {})
    }
  }

  /** Parts in good order (RFC 3080 §2.4). */
  release(): Promise<void> {
    return this.session.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]()
  }
}
