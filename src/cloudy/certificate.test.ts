// Certificates: what other programs see in ours, and what is refused in those of others.
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { testWith } from '../../test/needs.js'
import { type IdentityCertificate, MAX_CERTIFICATE, readCertificate } from './certificate.js'
import { generateKeys, type Keys, sign, signatureAlgorithm } from './crypto.js'
import { element, inside, readElement, SEQUENCE, sequence } from './der.js'
import { makeCertificate } from './self-signed.js'

const openssl = (args: string[], input: Uint8Array) => execFileSync('openssl', args, { input }).toString()

let keys: Keys
let certificate: IdentityCertificate
beforeAll(async () => {
  keys = await generateKeys('P-256')
  certificate = await makeCertificate(keys, { nickname: 'Zoë' })
})

describe('makeCertificate', () => {
  testWith('openssl')('makes what OpenSSL understands', () => {
    const text = openssl(['x509', '-inform', 'DER', '-noout', '-text', '-nameopt', 'utf8'], certificate.der)
    for (const line of [
      'Version: 3 (0x2)',
      'Signature Algorithm: ecdsa-with-SHA256',
      'Subject: CN=Zoë',
      'NIST CURVE: P-256',
      'X509v3 Basic Constraints: critical\n                CA:FALSE',
      'X509v3 Key Usage: critical\n                Digital Signature\n',
      'TLS Web Server Authentication, TLS Web Client Authentication',
      'X509v3 Subject Key Identifier',
    ])
      expect(text).toContain(line)
    const x509 = new X509Certificate(certificate.der)
    expect(x509.verify(x509.publicKey)).toBe(true)
    expect(BigInt(`0x${x509.serialNumber}`) >> 126n).toBe(1n)
  })

  test('is read again', () => {
    expect(readCertificate(certificate.der)).toEqual(certificate)
    expect(certificate.nickname).toBe('Zoë')
    expect(Buffer.from(certificate.publicKeyDer).equals(keys.publicKeyDer)).toBe(true)
  })

  test('cuts fractions of seconds, and changes to GeneralizedTime with the year 2050', async () => {
    const made = await makeCertificate(keys, {
      nickname: 'x',
      notBefore: new Date('2049-12-31T23:59:59.999Z'),
      notAfter: new Date('2050-01-01T00:00:00.500Z'),
    })
    expect(made.notBefore.toISOString()).toBe('2049-12-31T23:59:59.000Z')
    expect(made.notAfter.toISOString()).toBe('2050-01-01T00:00:00.000Z')
    const ascii = Buffer.from(made.der).toString('latin1')
    expect(ascii).toContain('\x17\r491231235959Z\x18\x0f20500101000000Z')
  })

  test('has a name, whatever the nickname', async () => {
    expect((await makeCertificate(keys, { nickname: '' })).nickname).toBe('unnamed')
    expect((await makeCertificate(keys, { nickname: '\x1b[2Jx\u202e' })).nickname).toBe('x')
    expect(Array.from((await makeCertificate(keys, { nickname: 'n'.repeat(1000) })).nickname)).toHaveLength(64)
  })

  test('refuses to be valid for no time', async () => {
    const notBefore = new Date('2030-01-01')
    await expect(makeCertificate(keys, { nickname: 'x', notBefore, notAfter: new Date('2029-01-01') })).rejects.toThrow(
      RangeError,
    )
  })
})

describe('readCertificate', () => {
  test('refuses a certificate of which any octet is another, and outside the signed part any bit', () => {
    const signed = inside(readElement(certificate.der, SEQUENCE), SEQUENCE)[0]!.octets.length + 4
    for (let at = 0; at < certificate.der.length; at++)
      for (const bit of at >= 4 && at < signed ? [at % 8] : [0, 1, 2, 3, 4, 5, 6, 7]) {
        const flipped = new Uint8Array(certificate.der)
        flipped[at]! ^= 1 << bit
        expect(() => readCertificate(flipped)).toThrow(expect.objectContaining({ code: 'CLOUDY_ERR_OBJECT' }))
      }
  })

  test('refuses what is too large before it reads it', () => {
    expect(() => readCertificate(new Uint8Array(MAX_CERTIFICATE + 1))).toThrow(expect.objectContaining({ reason: 'oversized' }))
    expect(() => readCertificate(new Uint8Array(0))).toThrow(expect.objectContaining({ reason: 'oversized' }))
  })

  test('refuses octets after its end', () => {
    expect(() => readCertificate(Buffer.concat([certificate.der, Buffer.of(0)]))).toThrow(
      expect.objectContaining({ reason: 'malformed' }),
    )
  })

  test('refuses a certificate signed with another key', async () => {
    const other = await generateKeys('P-256')
    const stolen = await makeCertificate(other, { nickname: 'x' })
    const [signed, algorithm] = inside(readElement(certificate.der, SEQUENCE), SEQUENCE)
    const [, , signature] = inside(readElement(stolen.der, SEQUENCE), SEQUENCE)
    const mixed = sequence(signed!.octets, algorithm!.octets, signature!.octets)
    expect(() => readCertificate(mixed)).toThrow(expect.objectContaining({ reason: 'signature' }))
  })

  test('refuses another algorithm and another version, though properly signed', async () => {
    const fields = inside(inside(readElement(certificate.der, SEQUENCE), SEQUENCE)[0], SEQUENCE).map(({ octets }) => octets)
    const resigned = async (changed: Uint8Array[], algorithm = signatureAlgorithm('P-256')) => {
      const signed = sequence(...changed)
      return sequence(signed, algorithm, element(0x03, Buffer.of(0), await sign(keys, signed)))
    }
    expect(readCertificate(await resigned(fields)).fingerprint).toBe(certificate.fingerprint)
    const outer = await resigned(fields, signatureAlgorithm('RSA'))
    expect(() => readCertificate(outer)).toThrow(expect.objectContaining({ reason: 'certificate' }))
    const inner = await resigned(fields.with(2, signatureAlgorithm('RSA')))
    expect(() => readCertificate(inner)).toThrow(expect.objectContaining({ reason: 'certificate' }))
    for (const version of ['a003020101', 'a003020103']) {
      const other = await resigned(fields.with(0, Buffer.from(version, 'hex')))
      expect(() => readCertificate(other)).toThrow(expect.objectContaining({ reason: 'certificate' }))
    }
  })
})
