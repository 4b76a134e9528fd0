// Certificates of the judge: self-signed X.509 v3 as Cloudy asks for, and in each part otherwise where a case wants it.
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { TlsCredentials } from '../../harness/connection.js'
import { bitString, context, der, integer, NOTHING, NULL, octetString, oid, sequence, set, utf8 } from './der.js'
import { ec, type Key, signed } from './keys.js'

const DAY = 86_400_000

/** What may be chosen, or wrong, about a certificate. */
export interface CertificateParts {
  readonly nickname?: string
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** [0] around the version; NOTHING makes it version 1. */
  readonly version?: Buffer
  readonly serial?: Buffer
  readonly issuer?: Buffer
  readonly subject?: Buffer
  /** AlgorithmIdentifier inside of what is signed. */
  readonly algorithm?: Buffer
  readonly extensions?: readonly Buffer[]
  /** Who signs it instead. */
  readonly signer?: Key
}

/** A certificate of the key. */
export function certificateOf(key: Key, parts: CertificateParts = {}): Buffer {
  const { nickname = 'Judge', notBefore = new Date(Date.now() - DAY), notAfter = new Date(Date.now() + 7300 * DAY) } = parts
  const { signer = key, extensions = [basicConstraints(), keyUsage(0x80), subjectKey(key)] } = parts
  const name = distinguishedName(nickname)
  const body = sequence(
    parts.version ?? context(0, integer(2)),
    parts.serial ?? integer(Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
    parts.algorithm ?? signer.algorithm,
    parts.issuer ?? name,
    sequence(time(notBefore), time(notAfter)),
    parts.subject ?? name,
    key.spki,
    extensions.length === 0 ? NOTHING : context(3, sequence(...extensions)),
  )
  return sequence(body, signer.algorithm, bitString(signed(signer, body)))
}

/** A distinguished name; of `''` it has an organisation and no common name. */
export function distinguishedName(text: string): Buffer {
  const [type, value] = text === '' ? ['2.5.4.10', 'Nameless'] : ['2.5.4.3', text]
  return sequence(set(sequence(oid(type), utf8(value))))
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  const generalized = date.getUTCFullYear() >= 2050
  return der(generalized ? 0x18 : 0x17, Buffer.from(generalized ? digits : digits.slice(2)))
}

const CRITICAL = Buffer.from('0101ff', 'hex')
const extension = (id: string, critical: boolean, value: Buffer) =>
  sequence(oid(id), critical ? CRITICAL : NOTHING, octetString(value))
const basicConstraints = () => extension('2.5.29.19', true, sequence())
const keyUsage = (bits: number) => extension('2.5.29.15', true, der(0x03, Buffer.of(bits === 0x80 ? 7 : 5), Buffer.of(bits)))
const subjectKey = (key: Key) => extension('2.5.29.14', false, octetString(key.identifier))

/** Certificates that break a rule of RFC 5280 or of Cloudy, by what is wrong with them. */
export const WRONG_CERTIFICATES: Readonly<Record<string, (key: Key) => Buffer>> = {
  'signed by another key': (key) => certificateOf(key, { signer: ec() }),
  'another issuer': (key) => certificateOf(key, { issuer: distinguishedName('Somebody Else') }),
  'no name at all': (key) => certificateOf(key, { issuer: sequence(), subject: sequence() }),
  'version 1': (key) => certificateOf(key, { version: NOTHING, extensions: [] }),
  'version 2': (key) => certificateOf(key, { version: context(0, integer(1)), extensions: [] }),
  'a negative serial number': (key) => certificateOf(key, { serial: integer(Buffer.of(0x80)) }),
  'serial number 0': (key) => certificateOf(key, { serial: integer(0) }),
  'another algorithm inside': (key) => certificateOf(key, { algorithm: sequence(oid('1.2.840.10045.4.3.3')) }),
  'an algorithm with parameters': (key) => certificateOf(key, { algorithm: sequence(oid('1.2.840.10045.4.3.2'), NULL) }),
  'an extension twice': (key) => certificateOf(key, { extensions: [basicConstraints(), basicConstraints()] }),
  'a critical extension that nobody knows': (key) =>
    certificateOf(key, { extensions: [basicConstraints(), extension('1.3.6.1.4.1.99999.1', true, NULL)] }),
  'a key that may not sign': (key) => certificateOf(key, { extensions: [basicConstraints(), keyUsage(0x20)] }),
}

/** A key and a certificate of it. */
export interface Person {
  readonly key: Key
  readonly certificate: Buffer
}

/** Somebody whom nobody has met. */
export function somebody(key: Key = ec(), parts: CertificateParts = {}): Person {
  return { key, certificate: certificateOf(key, parts) }
}

/** With which they speak TLS. */
export function credentialsOf({ key, certificate }: Person): Required<Pick<TlsCredentials, 'key' | 'cert'>> {
  const lines = (certificate.toString('base64').match(/.{1,64}/g) ?? []).join('\n')
  return {
    key: key.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  }
}
