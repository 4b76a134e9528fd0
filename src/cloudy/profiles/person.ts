// Who is at the other end: the key that TLS proved (never what a card or a name says), and the rule that Cloudy speaks inside TLS only.
import type { X509Certificate } from 'node:crypto'
import { type Profile, ReplyError, type Session } from '../../beep/index.js'
import { peerCertificate, whenTuned } from '../../profiles/index.js'
import { type IdentityCertificate, readCertificate } from '../certificate.js'
import type { Fingerprint } from '../fingerprint.js'
import { ObjectError } from '../object-error.js'

/** Another key than the one that was dialled: it is not them. */
export class WrongKeyError extends Error {
  override readonly name = 'WrongKeyError'
  readonly code = 'CLOUDY_ERR_WRONG_KEY'
  readonly expected: Fingerprint
  readonly proved: Fingerprint

  constructor(expected: Fingerprint, proved: Fingerprint) {
    super(`This is not the peer that was dialled: expected the key ${expected}, TLS proved ${proved}. Nothing was sent`)
    this.expected = expected
    this.proved = proved
  }
}

/** Judges a certificate shown in TLS: its key is lawful and, when one is expected, that one. Dates and names do not matter: the key is the person. */
export function verifyKey(certificate: X509Certificate, expected?: Fingerprint): IdentityCertificate {
  const read = readCertificate(certificate.raw)
  if (expected !== undefined && read.fingerprint !== expected) throw new WrongKeyError(expected, read.fingerprint)
  return read
}

const people = new WeakMap<Session, IdentityCertificate>()

/**
 * The certificate whose key TLS proved on this session.
 * @throws ReplyError 530 when there is none
 */
export function personOf(session: Session): IdentityCertificate {
  const known = people.get(session)
  if (known !== undefined) return known
  const certificate = peerCertificate(session)
  if (certificate === undefined) throw new ReplyError(530, 'this needs TLS with a certificate')
  const person = verifyKey(certificate)
  people.set(session, person)
  return person
}

/** A profile of Cloudy: offered inside TLS only, to whoever has proved a key. */
export function forPeople(profile: Profile): Profile {
  return whenTuned(profile)
}

/** What a refused object is answered with: 550 when its time is over, else 553. */
export function asReply(error: unknown): unknown {
  if (!(error instanceof ObjectError)) return error
  return new ReplyError(error.reason === 'expired' ? 550 : 553, error.message, { cause: error })
}
