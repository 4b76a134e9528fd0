// Keys of the judge, those that Cloudy knows and others, in the one encoding of each and in others; and fingerprints.
import { Buffer } from 'node:buffer'
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { bitString, contentOf, integer, NULL, oid, sequence } from './der.js'

/** Who signs something. */
export interface Key {
  /** SubjectPublicKeyInfo, as it is shown. */
  readonly spki: Buffer
  readonly privateKey: KeyObject
  /** AlgorithmIdentifier of its signatures. */
  readonly algorithm: Buffer
  /** SHA-256 of the SubjectPublicKeyInfo: the SubjectKeyIdentifier. */
  readonly identifier: Buffer
  readonly fingerprint: string
}

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
const RSA_SHA256 = sequence(oid('1.2.840.113549.1.1.11'), NULL)
const ED25519 = sequence(oid('1.3.101.112'))
const RSA = oid('1.2.840.113549.1.1.1')
const EC = oid('1.2.840.10045.2.1')
const P256 = oid('1.2.840.10045.3.1.7')

export function ec(namedCurve = 'prime256v1'): Key {
  return keyOf(generateKeyPairSync('ec', { namedCurve }), ECDSA_SHA256)
}

/** Made once: it takes long. */
export const rsa = memo((bits: number, publicExponent: number) =>
  keyOf(generateKeyPairSync('rsa', { modulusLength: bits, publicExponent }), RSA_SHA256),
)

export function ed25519(): Key {
  return keyOf(generateKeyPairSync('ed25519'), ED25519)
}

function keyOf({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }, algorithm: Buffer): Key {
  return withSpki({ privateKey, algorithm }, publicKey.export({ format: 'der', type: 'spki' }))
}

/** The same key, shown otherwise. */
export function withSpki({ privateKey, algorithm }: Pick<Key, 'privateKey' | 'algorithm'>, spki: Buffer): Key {
  const identifier = sha256(spki)
  return { spki, privateKey, algorithm, identifier, fingerprint: fingerprintOf(identifier) }
}

/** A signature with SHA-256 as CMS and X.509 carry it; of Ed25519 its own. */
export function signed(key: Pick<Key, 'privateKey'>, octets: Uint8Array): Buffer {
  return sign(key.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', octets, key.privateKey)
}

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const PRIME = 1_048_573n

/** 32 octets in print: 52 characters of base32 and four that check them. */
export function fingerprintOf(octets: Uint8Array): string {
  const number = BigInt(`0x${Buffer.from(octets).toString('hex')}`) << 24n
  let rest = number + ((PRIME - (number % PRIME)) % PRIME)
  let text = ''
  for (let left = 56; left > 0; left--, rest /= 32n) text = ALPHABET[Number(rest % 32n)]! + text
  return (text.match(/.{4}/g) ?? []).join('-')
}

/** Keys that nobody has to know, and keys in encodings that nobody has to read, by what is wrong with them. */
export const WRONG_KEYS: Readonly<Record<string, () => Key>> = {
  'p-384': () => ec('secp384r1'),
  secp256k1: () => ec('secp256k1'),
  ed25519,
  'point-compressed': () => pointed((x, y) => Buffer.concat([Buffer.of(2 + (y.at(-1)! % 2)), x])),
  'point-hybrid': () => pointed((x, y) => Buffer.concat([Buffer.of(6 + (y.at(-1)! % 2)), x, y])),
  'point-off-curve': () => pointed((x, y) => Buffer.concat([Buffer.of(4), x, y.subarray(0, -1), Buffer.of(y.at(-1)! ^ 1)])),
  'rsa-1024': () => rsa(1024, 65_537),
  'rsa-exponent-3': () => rsa(2048, 3),
  'rsa-without-parameters': () => remade((modulus) => sequence(sequence(RSA), bitString(rsaKey(modulus)))),
  'rsa-even': () => remade((modulus) => rsaSpki(Buffer.concat([modulus.subarray(0, -1), Buffer.of(0)]))),
  'rsa-32768': () => remade(() => rsaSpki(Buffer.concat([Buffer.of(0), Buffer.alloc(4096, 0xff)]))),
}

function pointed(point: (x: Buffer, y: Buffer) => Buffer): Key {
  const key = ec()
  const octets = key.spki.subarray(-64)
  return withSpki(key, sequence(sequence(EC, P256), bitString(point(octets.subarray(0, 32), octets.subarray(32)))))
}

function remade(spki: (modulus: Buffer) => Buffer): Key {
  const key = rsa(2048, 65_537)
  const { n = '' } = key.privateKey.export({ format: 'jwk' })
  return withSpki(key, spki(Buffer.concat([Buffer.of(0), Buffer.from(n, 'base64url')])))
}

function rsaKey(modulus: Buffer): Buffer {
  return sequence(integer(modulus), integer(Buffer.of(1, 0, 1)))
}

function rsaSpki(modulus: Buffer): Buffer {
  return sequence(sequence(RSA, NULL), bitString(rsaKey(modulus)))
}

/** An AlgorithmIdentifier with NULL where there have to be no parameters. */
export function withNull(algorithm: Buffer): Buffer {
  return sequence(contentOf(algorithm), NULL)
}

function memo<A extends readonly unknown[], T>(make: (...args: A) => T): (...args: A) => T {
  const made = new Map<string, T>()
  return (...args) => {
    const name = args.join()
    const known = made.get(name) ?? make(...args)
    made.set(name, known)
    return known
  }
}
