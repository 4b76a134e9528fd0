// Makes the certificates that certificate.ts reads. Loaded when one is made: pkijs takes a while to load, and most runs of a program only read.
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
import { FIRST_GENERALIZED, type IdentityCertificate, readCertificate } from './certificate.js'
import { type Keys, sign, signatureAlgorithm, type WebCrypto } from './crypto.js'
import { BIT_STRING, element, sequence } from './der.js'
import { canonicalKey, keyIdentifier, type PublicKey } from './fingerprint.js'
import { MAX_NICKNAME, NO_NICKNAME, sanitise } from './text.js'

/** Years that UTCTime and GeneralizedTime can say. */
const FIRST_YEAR = 1950
const LAST_YEAR = 9999

const DAY = 86_400_000
/** A new certificate is valid from the day before, since clocks differ, and for twenty years: no identity ends because a date has passed. */
const BACKDATED = DAY
const VALIDITY = 7305 * DAY

export interface CertificateOptions {
  readonly nickname: string
  /** By default the clock's. */
  readonly now?: Date | number | undefined
  /** By default one day before now. */
  readonly notBefore?: Date
  /** By default some twenty years after `notBefore`. */
  readonly notAfter?: Date
}

/**
 * Makes a certificate for the key and signs it with the key.
 * @throws RangeError when the dates are none
 */
export async function makeCertificate(keys: Keys, options: CertificateOptions): Promise<IdentityCertificate> {
  const publicKey = canonicalKey(keys.publicKeyDer)
  const notBefore = options.notBefore ?? new Date(Number(options.now ?? Date.now()) - BACKDATED)
  const notAfter = options.notAfter ?? new Date(notBefore.getTime() + VALIDITY)
  if (!(notBefore.getTime() <= notAfter.getTime())) throw new RangeError('A certificate has to be valid for some time')
  if (notBefore.getUTCFullYear() < FIRST_YEAR || notAfter.getUTCFullYear() > LAST_YEAR)
    throw new RangeError(`The dates of a certificate lie in the years ${FIRST_YEAR} to ${LAST_YEAR}`)
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

/** 16 random octets, the top bit clear since INTEGER is signed, the next bit set so that none leads with zeros. */
function serialNumber(webCrypto: WebCrypto): Integer {
  const valueHex = webCrypto.getRandomValues(new Uint8Array(16))
  valueHex[0] = (valueHex[0]! & 0x7f) | 0x40
  return new Integer({ valueHex })
}

/** Whole seconds; UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
function time(date: Date): Time {
  const value = new Date(Math.floor(date.getTime() / 1000) * 1000)
  return new Time({ value, type: value.getUTCFullYear() < FIRST_GENERALIZED ? TimeType.UTCTime : TimeType.GeneralizedTime })
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
