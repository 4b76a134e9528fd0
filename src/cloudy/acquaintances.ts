// Whose key TLS proved in this run: who was met before is remembered, and their certificates are known.
import type { Session } from '../beep/index.js'
import type { IdentityCertificate } from './certificate.js'
import type { Fingerprint } from './fingerprint.js'
import type { Trust } from './trust.js'

/** People that are remembered; whoever was met longest ago is forgotten first. Keys are free. */
export const MAX_ACQUAINTANCES = 4096

export class Acquaintances {
  /** Whose certificates are known, those met last at the end. */
  readonly #certificates = new Map<Fingerprint, IdentityCertificate>()
  readonly #remembered = new Set<Fingerprint>()

  /** TLS has proved their key on this session. They are remembered from its end on: within the first they are strangers. */
  meet(person: IdentityCertificate, session: Pick<Session, 'closed'>): void {
    const { fingerprint } = person
    const known = this.#certificates.get(fingerprint)
    this.#certificates.delete(fingerprint)
    this.#certificates.set(fingerprint, known ?? person)
    for (const oldest of this.#certificates.keys()) {
      if (this.#certificates.size <= MAX_ACQUAINTANCES) break
      this.#certificates.delete(oldest)
      this.#remembered.delete(oldest)
    }
    void session.closed.then(() => this.#certificates.has(fingerprint) && this.#remembered.add(fingerprint))
  }

  /** They showed the certificate of their identity, of the key that TLS proved: it takes the place of an older one. */
  learn(certificate: IdentityCertificate): void {
    const { fingerprint, notBefore } = certificate
    const known = this.#certificates.get(fingerprint)
    if (known !== undefined && known.notBefore <= notBefore) this.#certificates.set(fingerprint, certificate)
  }

  certificateOf(fingerprint: Fingerprint): IdentityCertificate | undefined {
    return this.#certificates.get(fingerprint)
  }

  trustOf(fingerprint: Fingerprint): Trust {
    return this.#remembered.has(fingerprint) ? 'remembered' : 'stranger'
  }
}
