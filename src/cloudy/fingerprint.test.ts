// Fingerprints: what the check characters find. Keys: each has one encoding, and everything else is refused by name.
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { element, sequence } from './der.js'
import { canonicalKey, formatFingerprint, isFingerprint, keyIdentifier, parseFingerprint } from './fingerprint.js'

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

describe('a fingerprint in print', () => {
  test('is read as it was printed, however it is typed', () => {
    fc.assert(
      fc.property(hash, (octets) => {
        const text = formatFingerprint(octets)
        expect(text).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{4}){13}$/)
        expect(Array.from(parseFingerprint(text))).toEqual(Array.from(octets))
        expect(Array.from(parseFingerprint(` ${text.toUpperCase().replaceAll('-', ' ')}\n`))).toEqual(Array.from(octets))
        expect(isFingerprint(text)).toBe(true)
        expect(isFingerprint(text.replaceAll('-', ''))).toBe(false)
      }),
    )
  })

  test('has base32 of the octets in front (RFC 4648)', () => {
    expect(formatFingerprint(new Uint8Array(32))).toBe(Array.from({ length: 14 }, () => 'aaaa').join('-'))
    expect(formatFingerprint(new Uint8Array(32).fill(0xff))).toMatch(/^(7777-){12}777q-/)
  })

  test('shows every wrong character', () => {
    const text = formatFingerprint(Uint8Array.from({ length: 32 }, (_, index) => index * 7)).replaceAll('-', '')
    for (let at = 0; at < text.length; at++)
      for (const other of ALPHABET)
        if (other !== text[at]) expect(isReadable(text.slice(0, at) + other + text.slice(at + 1))).toBe(false)
  })

  test('shows any two characters that have changed places', () => {
    fc.assert(
      fc.property(hash, (octets) => {
        const text = formatFingerprint(octets).replaceAll('-', '')
        for (let a = 0; a < text.length - 1; a++) {
          const b = a + 1
          if (text[a] !== text[b]) expect(isReadable(text.slice(0, a) + text[b] + text[a] + text.slice(b + 1))).toBe(false)
        }
      }),
      { numRuns: 20 },
    )
    // Of any two, near or far: 32^distance is never 1 modulo the prime of the check.
    for (let distance = 1, power = 32n; distance < 56; distance++, power = (power * 32n) % 1_048_573n) expect(power).not.toBe(1n)
  })

  test.each([
    ['', 'characters'],
    ['abcd', 'here are 4'],
    ['0', 'letters a to z'],
    ['a'.repeat(1000), 'too long'],
    [`${'a'.repeat(55)}b`, 'do not fit'],
    // The prime itself, at the place of the four spare bits: a multiple, yet not of 32 octets.
    [`${'a'.repeat(52)}7775`, 'do not fit'],
  ])('%j is refused, and why', (text, why) => {
    expect(() => parseFingerprint(text)).toThrow(why)
    expect(() => parseFingerprint(text)).toThrow(RangeError)
  })

  function isReadable(text: string): boolean {
    try {
      parseFingerprint(text)
      return true
    } catch {
      return false
    }
  }
})

const spki = (pair: { publicKey: { export(options: { format: 'der'; type: 'spki' }): Buffer } }) =>
  pair.publicKey.export({ format: 'der', type: 'spki' })
const p256 = spki(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
const RSA = Buffer.from('300d06092a864886f70d0101010500', 'hex')

/** An RSA key as it is encoded, with any modulus: nothing has to be computed for that. */
function rsa(modulus: Uint8Array, options: { exponent?: Buffer; algorithm?: Buffer } = {}): Buffer {
  const { exponent = Buffer.of(1, 0, 1), algorithm = RSA } = options
  const key = sequence(element(0x02, Buffer.of(0), modulus), element(0x02, exponent))
  return sequence(algorithm, element(0x03, Buffer.of(0), key))
}
const modulus = (bits: number) => Buffer.alloc(bits / 8, 0xc5)

describe('canonicalKey', () => {
  test('accepts P-256, and RSA of 2048 to 4096 bits', () => {
    const key = canonicalKey(p256)
    expect(key).toMatchObject({ algorithm: 'P-256', bits: 256 })
    expect(key.fingerprint).toBe(formatFingerprint(keyIdentifier(key)))
    for (const bits of [2048, 2056, 3072, 4096])
      expect(canonicalKey(rsa(modulus(bits)))).toMatchObject({ algorithm: 'RSA', bits })
  })

  const point = createPublicKey({ key: p256, format: 'der', type: 'spki' }).export({ format: 'jwk' })
  const compressed = Buffer.concat([
    Buffer.from('3039301306072a8648ce3d020106082a8648ce3d03010703220002', 'hex'),
    Buffer.from(point.x!, 'base64url'),
  ])
  const hybrid = Buffer.from(p256)
  hybrid[26] = 0x06 | (p256.at(-1)! & 1)
  const offCurve = Buffer.from(p256)
  offCurve[90]! ^= 1
  const longLength = Buffer.concat([Buffer.of(0x30, 0x81, 0x59), p256.subarray(2)])
  const even = modulus(2048)
  even[255] = 2

  test.each([
    ['nothing', Buffer.alloc(0), 'key-encoding'],
    ['garbage', Buffer.from('not a key'), 'key-encoding'],
    ['Ed25519', spki(generateKeyPairSync('ed25519')), 'key-algorithm'],
    ['P-384', spki(generateKeyPairSync('ec', { namedCurve: 'P-384' })), 'key-curve'],
    ['secp256k1', spki(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), 'key-curve'],
    ['a compressed point', compressed, 'key-point'],
    ['a hybrid point', hybrid, 'key-point'],
    ['a point off the curve', offCurve, 'key-point'],
    ['octets after a point', Buffer.concat([p256, Buffer.of(0)]), 'key-encoding'],
    ['a length that is not the shortest', longLength, 'key-encoding'],
    ['RSA-1024', rsa(modulus(1024)), 'key-modulus'],
    ['a modulus of 4104 bits', rsa(modulus(4104)), 'key-modulus'],
    ['a huge modulus', rsa(modulus(65_536 * 4)), 'key-modulus'],
    ['a modulus with its top bit clear', rsa(Buffer.concat([Buffer.of(0x45), modulus(2040)])), 'key-modulus'],
    ['an even modulus', rsa(even), 'key-modulus'],
    ['exponent 3', rsa(modulus(2048), { exponent: Buffer.of(3) }), 'key-exponent'],
    ['exponent 65539', rsa(modulus(2048), { exponent: Buffer.of(1, 0, 3) }), 'key-exponent'],
    ['no parameters', rsa(modulus(2048), { algorithm: Buffer.from('300b06092a864886f70d010101', 'hex') }), 'key-parameters'],
    ['octets after RSA', Buffer.concat([rsa(modulus(2048)), Buffer.of(0)]), 'key-encoding'],
    ['a third element', sequence(p256.subarray(2), element(0x05)), 'key-encoding'],
    ['a point with unused bits', Buffer.concat([p256.subarray(0, 25), Buffer.of(1), p256.subarray(26)]), 'key-encoding'],
    ['a point one octet short', sequence(p256.subarray(2, 23), element(0x03, p256.subarray(25, 90))), 'key-point'],
    ['a padded modulus', rsa(Buffer.concat([Buffer.of(0), modulus(2048)])), 'key-modulus'],
  ])('refuses %s', (_, key, reason) => {
    expect(() => canonicalKey(key)).toThrow(expect.objectContaining({ reason }))
  })

  test('refuses a key of which any bit of the form is another', () => {
    for (let at = 0; at < 27; at++)
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(p256)
        flipped[at]! ^= 1 << bit
        expect(() => canonicalKey(flipped)).toThrow(expect.objectContaining({ code: 'CLOUDY_ERR_OBJECT' }))
      }
  })
})
