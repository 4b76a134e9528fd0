// Self-signed X.509 v3 certificates: a key in the form that TLS and CMS ask for. Nobody believes anything in one but the key.
import { BitString, fromBER, Integer, OctetString, Utf8String } from 'asn1js'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
  TimeType,
} from 'pkijs'
import { isSignedBy, type Keys, sign, signatureAlgorithm, type WebCrypto } from './crypto.js'
import { BIT_STRING, type Element, element, equalOctets, inside, readElement, SEQUENCE, SET, sequence } from './der.js'
import { canonicalKey, type Fingerprint, keyIdentifier, type PublicKey } from './fingerprint.js'
import { ObjectError } from './object-error.js'
import { MAX_NICKNAME, sanitise } from './text.js'

/** Largest certificate read, in octets. Ours take some 500 (P-256) to 1,300 (RSA-4096); others may say more about themselves. */
export const MAX_CERTIFICATE = 8192
/** Name in a certificate whose owner gave none: a common name may not be empty. */
export const NO_NICKNAME = 'unnamed'

const DAY = 86_400_000
/** A new certificate is valid from the day before, since clocks differ, and for twenty years: no identity ends because a date has passed. */
const BACKDATED = DAY
const VALIDITY = 7305 * DAY

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

export interface CertificateOptions {
  readonly nickname: string
  /** By default the clock's. */
  readonly now?: Date | number | undefined
  /** By default one day before now. */
  readonly notBefore?: Date
  /** By default some twenty years after `notBefore`. */
  readonly notAfter?: Date
}

/** Makes a certificate for the key and signs it with the key. */
export async function makeCertificate(keys: Keys, options: CertificateOptions): Promise<IdentityCertificate> {
  const publicKey = canonicalKey(keys.publicKeyDer)
  const notBefore = options.notBefore ?? new Date(Number(options.now ?? Date.now()) - BACKDATED)
  const notAfter = options.notAfter ?? new Date(notBefore.getTime() + VALIDITY)
  if (!(notBefore.getTime() <= notAfter.getTime())) throw new RangeError('A certificate has to be valid for some time')
  const name = commonName(sanitise(options.nickname, MAX_NICKNAME) || NO_NICKNAME)
  const algorithm = signatureAlgorithm(publicKey.algorithm)
  const certificate = new Certificate({
    version: 2,
    serialNumber: serialNumber(keys.webCrypto),
    signature: new AlgorithmIdentifier({ schema: own(algorithm) }),
    issuer: name,
    notBefore: time(notBefore),
    notAfter: time(notAfter),
    subject: name,
    subjectPublicKeyInfo: new PublicKeyInfo({ schema: own(publicKey.der) }),
    extensions: extensions(publicKey),
  })
  const signed = new Uint8Array(certificate.encodeTBS().toBER())
  const signature = await sign(keys, signed)
  return readCertificate(sequence(signed, algorithm, element(BIT_STRING, Buffer.of(0), signature)))
}

/** DER of our own as pkijs wants it. What strangers sent is never given to it: it takes much for DER that is not. */
function own(der: Uint8Array): ReturnType<typeof fromBER>['result'] {
  return fromBER(new Uint8Array(der)).result
}

/**
 * Reads a certificate, from TLS or from an object. It has to be X.509 v3 with a canonical key and properly signed with that very key; the
 * dates are reported, not judged: a person is a key, and what lives shortly has its own dates.
 * @throws ObjectError
 */
export function readCertificate(der: Uint8Array): IdentityCertificate {
  if (der.length === 0 || der.length > MAX_CERTIFICATE)
    throw new ObjectError('oversized', `a certificate of ${der.length} octets`)
  const copy = new Uint8Array(der)
  const [signed, outerAlgorithm, bits, ...more] = inside(readElement(copy, SEQUENCE), SEQUENCE)
  const [version, , innerAlgorithm, , validity, subject, keyInfo] = inside(signed, SEQUENCE)
  if (version === undefined || !equalOctets(version.octets, VERSION_3))
    throw new ObjectError('certificate', 'it is not version 3')
  if (keyInfo === undefined || bits?.tag !== BIT_STRING || bits.content[0] !== 0 || more.length > 0)
    throw new ObjectError('malformed')
  const publicKey = canonicalKey(keyInfo.octets)
  const algorithm = signatureAlgorithm(publicKey.algorithm)
  for (const named of [outerAlgorithm, innerAlgorithm])
    if (named === undefined || !equalOctets(named.octets, algorithm))
      throw new ObjectError('certificate', 'its algorithm is not the one of its key')
  if (!isSignedBy(publicKey.key, signed!.octets, bits.content.subarray(1))) throw new ObjectError('signature')
  const [notBefore, notAfter] = inside(validity, SEQUENCE).map(readTime)
  if (notBefore === undefined || notAfter === undefined || notBefore > notAfter)
    throw new ObjectError('certificate', 'its dates are not dates')
  const { fingerprint, der: publicKeyDer } = publicKey
  const nickname = sanitise(readCommonName(subject), MAX_NICKNAME)
  return { der: copy, fingerprint, publicKeyDer, publicKey, nickname, notBefore, notAfter }
}

/** Version 3 as it stands in a certificate: [0] around the INTEGER 2. */
const VERSION_3 = Buffer.from('a003020102', 'hex')

const TIMES: { readonly [tag: number]: RegExp } = {
  23: /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
  24: /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
}

/** UTCTime or GeneralizedTime, in the form of RFC 5280 §4.1.2.5. */
function readTime({ tag, content }: Element): Date | undefined {
  const [, year, month, day, hour, minute, second] = TIMES[tag]?.exec(Buffer.from(content).toString('latin1')) ?? []
  if (year === undefined) return undefined
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

/** 16 random octets, the top bit clear since INTEGER is signed, the next bit set so that none leads with zeros. */
function serialNumber(webCrypto: WebCrypto): Integer {
  const valueHex = webCrypto.getRandomValues(new Uint8Array(16))
  valueHex[0] = (valueHex[0]! & 0x7f) | 0x40
  return new Integer({ valueHex })
}

/** Whole seconds; UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
function time(date: Date): Time {
  const value = new Date(Math.floor(date.getTime() / 1000) * 1000)
  return new Time({ value, type: value.getUTCFullYear() < 2050 ? TimeType.UTCTime : TimeType.GeneralizedTime })
}

function commonName(value: string): RelativeDistinguishedNames {
  return new RelativeDistinguishedNames({
    typesAndValues: [new AttributeTypeAndValue({ type: '2.5.4.3', value: new Utf8String({ value }) })],
  })
}

/** TLS 1.3 and CMS only sign, with RSA too, so digitalSignature is all that the key is for. */
function extensions(key: PublicKey): Extension[] {
  const extension = (extnID: string, critical: boolean, value: { toBER(): ArrayBuffer }) =>
    new Extension({ extnID, critical, extnValue: value.toBER() })
  return [
    extension('2.5.29.19', true, new BasicConstraints({ cA: false }).toSchema()),
    extension('2.5.29.15', true, new BitString({ valueHex: new Uint8Array([0x80]), unusedBits: 7 })),
    extension('2.5.29.37', false, new ExtKeyUsage({ keyPurposes: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] }).toSchema()),
    extension('2.5.29.14', false, new OctetString({ valueHex: keyIdentifier(key) })),
  ]
}
