// Self-signed X.509 v3 certificates: a key in the form that TLS and CMS ask for. Nobody believes anything in one but the key. Here they are read;
// self-signed.ts makes them.
import { isSignedBy, signatureAlgorithm } from './crypto.js'
import { BIT_STRING, type Element, equalOctets, INTEGER, inside, OCTET_STRING, readElement, SEQUENCE, SET } from './der.js'
import { canonicalKey, type Fingerprint, type PublicKey } from './fingerprint.js'
import { ObjectError } from './object-error.js'
import { MAX_NICKNAME, sanitise } from './text.js'

/** Largest certificate read, in octets. Ours take some 500 (P-256) to 1,300 (RSA-4096); others may say more about themselves. */
export const MAX_CERTIFICATE = 8192
/** Longest serial number, in octets (RFC 5280 §4.1.2.2). */
const MAX_SERIAL = 20
/** First year that is written as GeneralizedTime. */
export const FIRST_GENERALIZED = 2050
/** [3], with the extensions inside. */
const CONTEXT_3 = 0xa3

/** What is read from a certificate. */
export interface IdentityCertificate {
  readonly der: Uint8Array
  readonly fingerprint: Fingerprint
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array
  readonly publicKey: PublicKey
  /** What the owner calls itself, sanitised; `''` when it has no common name. Anyone may call itself anything. */
  readonly nickname: string
  readonly notBefore: Date
  readonly notAfter: Date
}

/**
 * Reads a certificate, from TLS or from an object. It has to be X.509 v3 with a canonical key, name itself as its issuer, keep to the rules of
 * RFC 5280 for its fields, and be signed with that very key; the dates are reported, not judged: a person is a key, and what lives shortly
 * has its own dates.
 * @throws ObjectError
 */
export function readCertificate(der: Uint8Array): IdentityCertificate {
  const { certificate, prove } = parseCertificate(der)
  prove()
  return certificate
}

/** A certificate whose signature has not been looked at. */
export interface ClaimedCertificate {
  readonly certificate: IdentityCertificate
  /** @throws ObjectError when the certificate is not signed with its own key */
  prove(): void
}

/**
 * All of `readCertificate` but the signature, which costs most and therefore comes last.
 * @throws ObjectError
 */
export function parseCertificate(der: Uint8Array): ClaimedCertificate {
  if (der.length === 0 || der.length > MAX_CERTIFICATE)
    throw new ObjectError('oversized', `a certificate of ${der.length} octets`)
  const copy = new Uint8Array(der)
  const [signed, outerAlgorithm, bits, ...more] = inside(readElement(copy, SEQUENCE), SEQUENCE)
  const [version, serial, innerAlgorithm, issuer, validity, subject, keyInfo, extensions, ...others] = inside(signed, SEQUENCE)
  if (version === undefined || !equalOctets(version.octets, VERSION_3))
    throw new ObjectError('certificate', 'it is not version 3')
  if (keyInfo === undefined || bits?.tag !== BIT_STRING || bits.content[0] !== 0 || more.length > 0)
    throw new ObjectError('malformed')
  if (!isSerialNumber(serial!))
    throw new ObjectError('certificate', 'its serial number is not a positive one of at most 20 octets')
  if (issuer!.content.length === 0 || !equalOctets(issuer!.octets, subject!.octets))
    throw new ObjectError('certificate', 'it does not name itself as its issuer')
  const [notBefore, notAfter, ...dates] = inside(validity, SEQUENCE).map(readTime)
  if (notBefore === undefined || notAfter === undefined || dates.length > 0 || notBefore > notAfter)
    throw new ObjectError('certificate', 'its dates are not dates')
  if (others.length > 0 || (extensions !== undefined && extensions.tag !== CONTEXT_3))
    throw new ObjectError('certificate', 'it has a field that is not allowed')
  if (extensions !== undefined) checkExtensions(extensions)
  const nickname = sanitise(readCommonName(subject), MAX_NICKNAME)
  const publicKey = canonicalKey(keyInfo.octets)
  const algorithm = signatureAlgorithm(publicKey.algorithm)
  for (const named of [outerAlgorithm, innerAlgorithm])
    if (named === undefined || !equalOctets(named.octets, algorithm))
      throw new ObjectError('certificate', 'its algorithm is not the one of its key')
  const { fingerprint, der: publicKeyDer } = publicKey
  return {
    certificate: { der: copy, fingerprint, publicKeyDer, publicKey, nickname, notBefore, notAfter },
    prove: () => {
      if (!isSignedBy(publicKey.key, signed!.octets, bits.content.subarray(1))) throw new ObjectError('signature')
    },
  }
}

/** Version 3 as it stands in a certificate: [0] around the INTEGER 2. */
const VERSION_3 = Buffer.from('a003020102', 'hex')

/** RFC 5280 §4.1.2.2. */
function isSerialNumber({ tag, content }: Element): boolean {
  const [first = 0x80, second = 0] = content
  if (tag !== INTEGER || content.length > MAX_SERIAL || first >= 0x80) return false
  return first !== 0 || second >= 0x80
}

/** OIDs as they stand in a certificate. */
const BASIC_CONSTRAINTS = Buffer.from('0603551d13', 'hex')
const KEY_USAGE = Buffer.from('0603551d0f', 'hex')
const EXTENDED_KEY_USAGE = Buffer.from('0603551d25', 'hex')
/** The only extensions that may be critical: a critical one that is not understood makes a certificate useless (RFC 5280 §4.2). */
const UNDERSTOOD = [BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE]
const TRUE = Buffer.from('0101ff', 'hex')

/** Well-formed, none twice (RFC 5280 §4.2), and the key may sign. What else they say is nobody's concern. */
function checkExtensions(field: Element): void {
  const [list, ...more] = inside(field, CONTEXT_3)
  const extensions = inside(list, SEQUENCE)
  if (extensions.length === 0 || more.length > 0) throw new ObjectError('malformed')
  const seen = new Set<string>()
  for (const extension of extensions) {
    const parts = inside(extension, SEQUENCE)
    const [identifier, value] = [parts[0], parts.at(-1)]
    const critical = parts.length === 3
    if (identifier === undefined || value?.tag !== OCTET_STRING || parts.length < 2 || parts.length > 3)
      throw new ObjectError('malformed')
    if (critical && !equalOctets(parts[1]!.octets, TRUE)) throw new ObjectError('malformed')
    const name = Buffer.from(identifier.octets).toString('hex')
    if (seen.has(name)) throw new ObjectError('certificate', 'an extension stands twice')
    seen.add(name)
    if (critical && !UNDERSTOOD.some((known) => equalOctets(known, identifier.octets)))
      throw new ObjectError('certificate', 'it has a critical extension that is not understood')
    if (equalOctets(identifier.octets, KEY_USAGE) && !maySign(value.content))
      throw new ObjectError('certificate', 'its key may not sign')
  }
}

/** Whether a KeyUsage has the bit digitalSignature. */
function maySign(keyUsage: Uint8Array): boolean {
  const { content } = readElement(keyUsage, BIT_STRING)
  return content.length > 1 && content[1]! >= 0x80
}

const TIMES: { readonly [tag: number]: RegExp } = {
  23: /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
  24: /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
}

/** UTCTime up to 2049, GeneralizedTime from 2050 on, in whole seconds (RFC 5280 §4.1.2.5). */
function readTime({ tag, content }: Element): Date | undefined {
  const [, year, month, day, hour, minute, second] = TIMES[tag]?.exec(Buffer.from(content).toString('latin1')) ?? []
  if (year === undefined || (year.length === 4 && Number(year) < FIRST_GENERALIZED)) return undefined
  const century = year.length === 4 ? '' : Number(year) < 50 ? '20' : '19'
  const text = `${century}${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const date = new Date(text)
  return !Number.isNaN(date.getTime()) && date.toISOString() === text ? date : undefined
}

const COMMON_NAME = Buffer.from('0603550403', 'hex')
/** UTF8String, PrintableString, IA5String: strings of which UTF-8 is the encoding or a superset. */
const STRINGS = [0x0c, 0x13, 0x16]

/** The first common name; `''` when there is none, or in an encoding nobody uses any more. */
function readCommonName(subject: Element | undefined): string {
  const attributes = inside(subject, SEQUENCE).flatMap((names) => inside(names, SET))
  for (const attribute of attributes) {
    const [type, value] = inside(attribute, SEQUENCE)
    if (type === undefined || value === undefined) throw new ObjectError('malformed')
    if (equalOctets(type.octets, COMMON_NAME)) return STRINGS.includes(value.tag) ? new TextDecoder().decode(value.content) : ''
  }
  return ''
}
