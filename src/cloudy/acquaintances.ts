// Whose key TLS proved in this run: who was met before is remembered, and their certificates are known.
import type { Session } from '../beep/index.js'
import type { IdentityCertificate } from './certificate.js'
import type { Fingerprint } from './fingerprint.js'
import type { Trust } from './trust.js'

/** People that are known, but for those who are connected; of the others whoever was met longest ago is forgotten first. Keys are free. */
export const MAX_ACQUAINTANCES = 4096

export class Acquaintances {
  /** Whose certificates are known, those met last at the end. */
  readonly #certificates = new Map<Fingerprint, IdentityCertificate>()
  readonly #remembered = new Set<Fingerprint>()
  /** How many sessions they have. */
  readonly #connected = new Map<Fingerprint, number>()

  /** TLS has proved their key on this session. They are remembered from its end on: within the first they are strangers. */
  meet(person: IdentityCertificate, session: Pick<Session, 'closed'>): void {
    const { fingerprint } = person
    const known = this.#certificates.get(fingerprint)
    this.#certificates.delete(fingerprint)
    this.#certificates.set(fingerprint, known ?? person)
    this.#connected.set(fingerprint, (this.#connected.get(fingerprint) ?? 0) + 1)
    this.#forget()
    void session.closed.then(() => {
      const left = this.#connected.get(fingerprint)! - 1
      if (left > 0) this.#connected.set(fingerprint, left)
      else this.#connected.delete(fingerprint)
      this.#remembered.add(fingerprint)
      this.#forget()
    })
  }

  /** Makes room, never by whoever is connected: their rights would end in the midst of what they do. */
  #forget(): void {
    if (this.#certificates.size <= MAX_ACQUAINTANCES) return
    for (const oldest of this.#certificates.keys()) {
      if (this.#connected.has(oldest)) continue
      this.#certificates.delete(oldest)
      this.#remembered.delete(oldest)
      return
    }
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
