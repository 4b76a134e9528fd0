// Public keys: the one encoding each may have, and the fingerprint by which a key is named.
//
// A fingerprint is the SHA-256 of the SubjectPublicKeyInfo. In print it has 56 characters of base32 (RFC 4648 §6, lower case) in groups of
// four: 52 for the 32 octets and four check characters. Read as a number in base 32, all 56 together are a multiple of 1048573, the largest
// prime below 32^4. One wrong character changes the number by d·32^i with 0 < d < 32, two characters that changed places by d·32^i·(32^j − 1):
// the prime divides neither, so each such error is found, in the check characters too. Of all other errors one in a million passes.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { sha256 } from './crypto.js'
import { BIT_STRING, type Element, equalOctets, INTEGER, inside, readElement, SEQUENCE } from './der.js'
import { ObjectError } from './object-error.js'

/** A fingerprint in print, as `formatFingerprint` makes it: two are of the same key exactly when they are equal. */
export type Fingerprint = string

/** A public key that passed `canonicalKey`. */
export interface PublicKey {
  /** SubjectPublicKeyInfo. */
  readonly der: Uint8Array
  readonly algorithm: 'P-256' | 'RSA'
  /** Bits of the curve or of the modulus. */
  readonly bits: number
  readonly fingerprint: Fingerprint
  /** For `isSignedBy`. */
  readonly key: KeyObject
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const GROUP = 4
const OCTETS = 32
/** Characters for the octets (the last has four bits to spare, all zero), and in all. */
const CHARACTERS = 52
const CHECK = 4
const PRIME = 1_048_573n

/** Prints the 32 octets of a fingerprint. */
export function formatFingerprint(octets: Uint8Array): Fingerprint {
  if (octets.length !== OCTETS) throw new RangeError(`A fingerprint has ${OCTETS} octets; got ${octets.length}`)
  const number = BigInt(`0x${Buffer.from(octets).toString('hex')}`) << 24n
  const check = (PRIME - (number % PRIME)) % PRIME
  return (toBase32(number + check).match(/.{4}/g) ?? []).join('-')
}

/**
 * The 32 octets of a fingerprint as a person may have typed it: either case, any spaces or hyphens.
 * @throws RangeError that says what is wrong
 */
export function parseFingerprint(text: string): Uint8Array {
  if (text.length > 4 * CHARACTERS) throw new RangeError('This is too long for a fingerprint')
  const characters = text.toLowerCase().replace(/[\s-]/g, '')
  const digits = Array.from(characters, (character) => ALPHABET.indexOf(character))
  if (digits.includes(-1)) throw new RangeError('A fingerprint consists of the letters a to z and the digits 2 to 7')
  if (digits.length !== CHARACTERS + CHECK)
    throw new RangeError(
      `A fingerprint has ${(CHARACTERS + CHECK) / GROUP} groups of ${GROUP} characters; here are ${digits.length} characters`,
    )
  const number = digits.reduce((sum, digit) => sum * 32n + BigInt(digit), 0n)
  if (number % PRIME !== 0n)
    throw new RangeError('The check characters do not fit: a character is wrong, or two have changed places')
  const value = number >> 24n
  const octets = Buffer.from(value.toString(16).padStart(2 * OCTETS, '0'), 'hex')
  if (formatFingerprint(octets).replaceAll('-', '') !== characters)
    throw new RangeError('The check characters do not fit: this is not a fingerprint')
  return new Uint8Array(octets)
}

/** Whether `text` is a fingerprint exactly as it is printed. */
export function isFingerprint(text: string): boolean {
  try {
    return formatFingerprint(parseFingerprint(text)) === text
  } catch {
    return false
  }
}

/** The octets of the fingerprint, which are the SubjectKeyIdentifier too (RFC 7093 §2, method 4): in CMS and X.509 a signer is named by its fingerprint. */
export function keyIdentifier(key: PublicKey): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sha256(key.der))
}

/**
 * Accepts a SubjectPublicKeyInfo only in the one encoding that its key may have, so that a key has one fingerprint: an uncompressed point on
 * P-256, or RSA of 2048 to 4096 bits (a multiple of 8) with exponent 65537 and NULL parameters. All of that is seen before anything is computed.
 * @throws ObjectError whose reason starts with `key-`
 */
export function canonicalKey(der: Uint8Array): PublicKey {
  const octets = new Uint8Array(der)
  const [algorithm, bits] = pair(octets)
  const [identifier, parameters = NOTHING, ...more] = strictly(() => inside(algorithm, SEQUENCE))
  if (identifier === undefined || more.length > 0) throw new ObjectError('key-encoding')
  if (bits.tag !== BIT_STRING || bits.content[0] !== 0) throw new ObjectError('key-encoding')
  const key = bits.content.subarray(1)
  if (equalOctets(identifier.octets, RSA_OID)) {
    if (!equalOctets(parameters.octets, NULL)) throw new ObjectError('key-parameters')
    return { algorithm: 'RSA', bits: modulusBits(key), ...importKey(octets, 'key-encoding') }
  }
  if (!equalOctets(identifier.octets, EC_OID)) throw new ObjectError('key-algorithm')
  if (!equalOctets(parameters.octets, P256_OID)) throw new ObjectError('key-curve')
  if (key.length !== 65 || key[0] !== 0x04) throw new ObjectError('key-point')
  return { algorithm: 'P-256', bits: 256, ...importKey(octets, 'key-point') }
}

const EC_OID = Buffer.from('06072a8648ce3d0201', 'hex')
const P256_OID = Buffer.from('06082a8648ce3d030107', 'hex')
const RSA_OID = Buffer.from('06092a864886f70d010101', 'hex')
/** Parameters that are not there. */
const NOTHING: Element = { tag: 0, content: new Uint8Array(0), octets: new Uint8Array(0) }
const NULL = Buffer.from('0500', 'hex')
const EXPONENT = Buffer.from('0203010001', 'hex')

/** An RSAPublicKey has its modulus, an odd number with its top bit set, and one exponent. */
function modulusBits(key: Uint8Array): number {
  const [modulus, exponent] = pair(key)
  if (!equalOctets(exponent.octets, EXPONENT)) throw new ObjectError('key-exponent')
  const [zero, first = 0] = modulus.content
  const length = modulus.content.length - 1
  if (modulus.tag !== INTEGER || zero !== 0 || first < 0x80 || modulus.content.at(-1)! % 2 === 0)
    throw new ObjectError('key-modulus')
  if (length < 256 || length > 512) throw new ObjectError('key-modulus', `it has ${8 * length}`)
  return 8 * length
}

/** The two elements of a SEQUENCE that has no others. */
function pair(octets: Uint8Array): [Element, Element] {
  const [first, second, ...more] = strictly(() => inside(readElement(octets, SEQUENCE), SEQUENCE))
  if (first === undefined || second === undefined || more.length > 0) throw new ObjectError('key-encoding')
  return [first, second]
}

function strictly<T>(reading: () => T): T {
  try {
    return reading()
  } catch (cause) {
    throw new ObjectError('key-encoding', '', { cause })
  }
}

function importKey(octets: Uint8Array, reason: 'key-point' | 'key-encoding'): Pick<PublicKey, 'der' | 'fingerprint' | 'key'> {
  try {
    const key = createPublicKey({ key: Buffer.from(octets), format: 'der', type: 'spki' })
    return { der: octets, fingerprint: formatFingerprint(sha256(octets)), key }
  } catch (cause) {
    throw new ObjectError(reason, '', { cause })
  }
}

function toBase32(number: bigint): string {
  let text = ''
  for (let rest = number, left = CHARACTERS + CHECK; left > 0; left--, rest >>= 5n) text = ALPHABET[Number(rest & 31n)]! + text
  return text
}
