// Signed objects: a JSON envelope (type, issued, expires, to, value) inside CMS. What is verified are the very octets that were carried,
// so nothing has to be put into a canonical form first; `cms.ts` has the profile.
import { type IdentityCertificate, parseCertificate } from './certificate.js'
import { readCms, signedAttributes, writeCms } from './cms.js'
import { isSignedBy, sha256 } from './crypto.js'
import { equalOctets } from './der.js'
import { canonicalKey, type Fingerprint, isFingerprint, type PublicKey } from './fingerprint.js'
import { type Json, parseJson } from './json.js'
import { ObjectError } from './object-error.js'

/** Largest object, in octets, unless the receiver says otherwise. Files are not objects; their manifests are. */
export const MAX_OBJECT = 65_536
/** Longest time from issued to expires, in seconds, unless the receiver says otherwise: ten years, for what people say of each other. */
export const MAX_LIFETIME = 315_360_000
/** How far ahead of ours the clock of a signer may be, in seconds. */
export const CLOCK_TOLERANCE = 120
/** Types that begin like this are the project's own: `Identity.sign` refuses them. */
export const RESERVED_TYPE = 'cloudy/'

const MAX_TYPE = 64
const TYPE = /^[a-z0-9][a-z0-9.+-]*(?:\/[a-z0-9][a-z0-9.+-]*)+$/
/** The last second that can be written, of the year 9999. */
export const LAST_SECOND = 253_402_300_799
/** What is said of a key itself stays true: it may live up to the last second. */
const LASTING = ['cloudy/acceptance', 'cloudy/succession', 'cloudy/revocation']

/** What is said, and to whom, and for how long. */
export interface Envelope {
  /** Lower case, with a slash: `example/note`. */
  readonly type: string
  /** Seconds since 1970, as in all envelopes: one notation, no time zones, no fractions. */
  readonly issued: number
  readonly expires: number
  /** Fingerprint of the only one it is meant for: it is worth nothing to anybody else. */
  readonly to?: Fingerprint | undefined
  readonly value: Json
}

/** A verified object. */
export interface SignedObject extends Envelope {
  readonly signer: {
    readonly fingerprint: Fingerprint
    readonly publicKeyDer: Uint8Array
    /** Absent when the object carries the key instead, as cards do. */
    readonly certificate?: IdentityCertificate | undefined
  }
  /** By which objects are told apart: SHA-256 over the signer's SubjectPublicKeyInfo and the signed content, in hexadecimal. Of one content there can be many signatures. */
  readonly digest: string
  /** The object as it was carried and may be passed on. */
  readonly octets: Uint8Array
}

/** Key of the method with which a signer signs octets. It stays inside: whoever has it can sign reserved types. */
export const SIGN = Symbol('sign')

/** Who signs: an `Identity` does. */
export interface Signer {
  readonly publicKey: PublicKey
  readonly certificate: IdentityCertificate
  [SIGN](octets: Uint8Array): Promise<Uint8Array>
}

export interface VerifyOptions {
  /** The time at which it has to be valid; a number is in milliseconds. */
  readonly now: Date | number
  readonly maxSize?: number | undefined
  /** In seconds. */
  readonly maxLifetime?: number | undefined
  /** SubjectPublicKeyInfo of the only signer that is accepted. */
  readonly signerKey?: Uint8Array | undefined
  /** Ours: an object to somebody else is refused. Without it `to` is for the caller to judge. */
  readonly recipient?: Fingerprint | undefined
  readonly type?: string | undefined
  /** It need not hold at that time: for whoever passes over what does not, and has to know what that was. See `wrongTime`. */
  readonly anyTime?: boolean | undefined
}

/**
 * Signs an envelope of any type. The object carries the signer's certificate, or, to be small, only its key, inside what is signed.
 * @throws ObjectError when nobody could accept the outcome: the value is not strict JSON, it is too large, the lifetime is not one
 */
export async function signObject(
  signer: Signer,
  envelope: Envelope,
  carry: 'certificate' | 'key' = 'certificate',
): Promise<SignedObject> {
  const { type, issued, expires, to, value } = envelope
  const key = carry === 'key' ? toBase64(signer.publicKey.der) : undefined
  const content = Buffer.from(JSON.stringify({ type, issued, expires, to, key, value }))
  if (content.length > MAX_OBJECT) throw new ObjectError('oversized', `${content.length} octets`)
  const messageDigest = sha256(content)
  const signature = await signer[SIGN](signedAttributes(messageDigest))
  const certificate = carry === 'certificate' ? signer.certificate.der : undefined
  return verifyObject(writeCms({ content, messageDigest, signature, certificate }, signer.publicKey), { now: issued * 1000 })
}

/**
 * Believes an object, or throws. Everything is checked: size, encoding, the one signer, its key, the envelope, its times, the signature.
 * @throws ObjectError with the reason
 */
export function verifyObject(octets: Uint8Array, options: VerifyOptions): SignedObject {
  const { claimed, prove } = readObject(octets, options)
  prove()
  return claimed
}

/** An object whose signatures have not been looked at: to be refused for further reasons, never to be believed before `prove` has returned. */
export interface ClaimedObject {
  readonly claimed: SignedObject
  /** @throws ObjectError when a signature does not hold */
  prove(): void
}

/**
 * All of `verifyObject` but the signatures, which cost most: whoever has further rules checks those in between.
 * @throws ObjectError with the reason
 */
export function readObject(octets: Uint8Array, options: VerifyOptions): ClaimedObject {
  const maxSize = options.maxSize ?? MAX_OBJECT
  if (octets.length > maxSize) throw new ObjectError('oversized', `${octets.length} octets, ${maxSize} allowed`)
  const own = new Uint8Array(octets)
  const parts = readCms(own)
  const { key: keyText, ...envelope } = readEnvelope(parseJson(parts.content), parts.certificate === undefined)
  checkEnvelope(envelope, options)
  const certified = parts.certificate === undefined ? undefined : parseCertificate(parts.certificate)
  const key = certified?.certificate.publicKey ?? canonicalKey(fromBase64(keyText))
  if (!equalOctets(writeCms(parts, key), own)) throw new ObjectError('not-canonical')
  if (options.signerKey !== undefined && !equalOctets(options.signerKey, key.der)) throw new ObjectError('key')
  if (!equalOctets(sha256(parts.content), parts.messageDigest)) throw new ObjectError('signature', 'its digest is another')
  const claimed = {
    ...envelope,
    signer: { fingerprint: key.fingerprint, publicKeyDer: key.der, certificate: certified?.certificate },
    digest: Buffer.from(sha256(key.der, parts.content)).toString('hex'),
    octets: own,
  }
  const prove = () => {
    certified?.prove()
    if (!isSignedBy(key.key, signedAttributes(parts.messageDigest), parts.signature)) throw new ObjectError('signature')
  }
  return { claimed, prove }
}

/** `now` in whole seconds since 1970. */
export function toSeconds(now: Date | number): number {
  const seconds = Math.floor(Number(now) / 1000)
  if (!(seconds >= 0 && seconds <= LAST_SECOND)) throw new RangeError('This is not a time')
  return seconds
}

/** A time in seconds since 1970 as text, such as `2026-05-01T12:00:00Z`. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000', '')
}

/** Whether an application may sign objects of this type. */
export function isOpenType(type: string): boolean {
  return type.length <= MAX_TYPE && TYPE.test(type) && !type.startsWith(RESERVED_TYPE)
}

function readEnvelope(json: Json, withKey: boolean): Envelope & { key: string } {
  if (!isObject(json)) throw new ObjectError('envelope')
  const { type, issued, expires, to, key = '', value, ...rest } = json
  if (typeof type !== 'string' || type.length > MAX_TYPE || !TYPE.test(type)) throw new ObjectError('envelope', 'type')
  if (!isTime(issued) || !isTime(expires)) throw new ObjectError('envelope', 'issued, expires')
  if (to !== undefined && (typeof to !== 'string' || !isFingerprint(to))) throw new ObjectError('envelope', 'to')
  if (typeof key !== 'string' || (key !== '') !== withKey) throw new ObjectError('envelope', 'key')
  if (value === undefined) throw new ObjectError('envelope', 'value')
  if (Object.keys(rest).length > 0) throw new ObjectError('envelope', 'another member')
  return { type, issued, expires, to, key, value }
}

function checkEnvelope(envelope: Envelope, options: VerifyOptions): void {
  const now = toSeconds(options.now)
  const lifetime = envelope.expires - envelope.issued
  const longest = options.maxLifetime ?? (LASTING.includes(envelope.type) ? LAST_SECOND : MAX_LIFETIME)
  if (options.type !== undefined && envelope.type !== options.type) throw new ObjectError('type')
  if (lifetime <= 0 || lifetime > longest) throw new ObjectError('lifetime', `${lifetime} seconds`)
  const wrong = options.anyTime === true ? undefined : wrongTime(envelope, now)
  if (wrong !== undefined) throw new ObjectError(wrong, timeText(wrong === 'expired' ? envelope.expires : envelope.issued))
  if (options.recipient !== undefined && envelope.to !== undefined && envelope.to !== options.recipient)
    throw new ObjectError('recipient')
}

/** Why an object does not hold at a time, in seconds since 1970, if it does not. */
export function wrongTime({ issued, expires }: Envelope, now: number): 'from-future' | 'expired' | undefined {
  if (issued > now + CLOCK_TOLERANCE) return 'from-future'
  return expires <= now ? 'expired' : undefined
}

/** Whether a JSON value is an object, not an array. */
export function isObject(json: Json | undefined): json is { readonly [name: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function isTime(json: Json | undefined): json is number {
  return typeof json === 'number' && Number.isInteger(json) && json >= 0 && json <= LAST_SECOND
}

function toBase64(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64')
}

function fromBase64(text: string): Uint8Array {
  const octets = Buffer.from(text, 'base64')
  if (toBase64(octets) !== text) throw new ObjectError('envelope', 'key')
  return octets
}
