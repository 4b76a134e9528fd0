// Signed objects: what verifies, that nothing else does, and that OpenSSL and pkijs see the same in them.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { fromBER } from 'asn1js'
import { Certificate, ContentInfo, SignedData } from 'pkijs'
import { testWith } from '../../test/needs.js'
import { readCms, signedAttributes, writeCms } from './cms.js'
import { sha256, usualCrypto } from './crypto.js'
import { element, inside, readElement, SEQUENCE, SET, sequence } from './der.js'
import { engineOver } from './encrypted-key.js'
import { Identity } from './identity.js'
import type { Json } from './json.js'
import { REASONS } from './object-error.js'
import { SIGN, type SignedObject, signObject, type VerifyOptions, verifyObject } from './signed-object.js'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const SECONDS = NOW / 1000

let folder: string
let alice: Identity
let bob: Identity
let note: SignedObject
let small: SignedObject
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-object-'))
  alice = await Identity.generate({ nickname: 'Alice' })
  bob = await Identity.generate({ nickname: 'Bob' })
  note = await alice.sign({ text: 'grüezi' }, { type: 'example/note', lifetime: 21_600, to: bob.fingerprint, now: NOW })
  small = await signObject(alice, { type: 'cloudy/test', issued: SECONDS, expires: SECONDS + 60, value: [1] }, 'key')
})
afterAll(() => rm(folder, { recursive: true }))

const reasonOf = (octets: Uint8Array, options: Partial<VerifyOptions> = {}) => {
  try {
    verifyObject(octets, { now: NOW, ...options })
    return 'verified'
  } catch (error) {
    return (error as { reason?: string }).reason ?? error
  }
}

/** Signs any content, as a signer would who keeps to no rule but that of the signature. */
async function signContent(content: string | Uint8Array, options: { without?: 'certificate' } = {}): Promise<Uint8Array> {
  const octets = Buffer.from(content)
  const messageDigest = sha256(octets)
  const signature = await alice[SIGN](signedAttributes(messageDigest))
  const certificate = options.without === 'certificate' ? undefined : alice.certificate.der
  return writeCms({ content: octets, messageDigest, signature, certificate }, alice.publicKey)
}
const envelope = (changes: { [name: string]: Json | undefined }) =>
  JSON.stringify({ type: 'example/note', issued: SECONDS, expires: SECONDS + 60, value: 1, ...changes })

describe('a signed object', () => {
  test('says who signed what, for whom and for how long', () => {
    const read = verifyObject(note.octets, { now: NOW })
    expect(read).toEqual(note)
    expect(read).toMatchObject({ type: 'example/note', issued: SECONDS, expires: SECONDS + 21_600, to: bob.fingerprint })
    expect(read.value).toEqual({ text: 'grüezi' })
    expect(read.signer).toMatchObject({ fingerprint: alice.fingerprint, certificate: { nickname: 'Alice' } })
    expect(verifyObject(small.octets, { now: NOW }).signer).toMatchObject({
      fingerprint: alice.fingerprint,
      certificate: undefined,
    })
  })

  test('is told apart by its signer and content, not by its signature', async () => {
    const again = await alice.sign({ text: 'grüezi' }, { type: 'example/note', lifetime: 21_600, to: bob.fingerprint, now: NOW })
    expect(Buffer.from(again.octets).equals(note.octets)).toBe(false)
    expect(again.digest).toBe(note.digest)
    const renewed = await alice.renew({ nickname: 'A.' })
    const other = await renewed.sign(
      { text: 'grüezi' },
      { type: 'example/note', lifetime: 21_600, to: bob.fingerprint, now: NOW },
    )
    expect(other.digest).toBe(note.digest)
    const bobs = await bob.sign({ text: 'grüezi' }, { type: 'example/note', lifetime: 21_600, to: bob.fingerprint, now: NOW })
    expect(bobs.digest).not.toBe(note.digest)
  })

  test('does not change when the octets it was read from do', () => {
    const octets = new Uint8Array(note.octets)
    const read = verifyObject(octets, { now: NOW })
    octets.fill(0)
    expect(read).toEqual(note)
  })
})

describe('nothing else verifies', () => {
  test('no bit can be another', () => {
    const { octets } = note
    // Bits inside the certificate are the matter of its own test; here one of each octet will do.
    const start = Buffer.from(octets).indexOf(alice.certificate.der)
    const end = start + alice.certificate.der.length
    const flipped = new Uint8Array(octets)
    const reasons = new Set<unknown>()
    for (let at = 0; at < octets.length; at++)
      for (const bit of at >= start && at < end ? [at % 8] : [0, 1, 2, 3, 4, 5, 6, 7]) {
        flipped[at]! ^= 1 << bit
        reasons.add(reasonOf(flipped))
        flipped[at]! ^= 1 << bit
      }
    for (const reason of reasons) expect(Object.keys(REASONS)).toContain(reason)
    expect(reasonOf(flipped)).toBe('verified')
  })

  test('no octet can be missing, none can follow', () => {
    for (let length = 0; length < small.octets.length; length++)
      expect(reasonOf(small.octets.subarray(0, length))).toBe('malformed')
    for (const more of [Buffer.of(0), Buffer.from('0500', 'hex'), small.octets])
      expect(reasonOf(Buffer.concat([small.octets, more]))).toBe('malformed')
  })

  test('the size is looked at first', () => {
    expect(reasonOf(new Uint8Array(65_537))).toBe('oversized')
    expect(reasonOf(note.octets, { maxSize: note.octets.length - 1 })).toBe('oversized')
    expect(reasonOf(note.octets, { maxSize: note.octets.length })).toBe('verified')
  })

  test('there is one signer, with one certificate', () => {
    const members = () => inside(inside(inside(readElement(note.octets, SEQUENCE), SEQUENCE)[1], 0xa0)[0], SEQUENCE)
    const [version, digests, encapsulated, certificates, signers] = members()
    const type = inside(readElement(note.octets, SEQUENCE), SEQUENCE)[0]!.octets
    const wrap = (...parts: Uint8Array[]) => sequence(type, element(0xa0, sequence(...parts)))
    const parts = [version!.octets, digests!.octets, encapsulated!.octets]
    expect(reasonOf(wrap(...parts, certificates!.octets, signers!.octets))).toBe('verified')
    const twice = element(SET, signers!.content, signers!.content)
    expect(reasonOf(wrap(...parts, certificates!.octets, twice))).toBe('signers')
    expect(reasonOf(wrap(...parts, certificates!.octets, element(SET)))).toBe('signers')
    const both = element(0xa0, alice.certificate.der, bob.certificate.der)
    expect(reasonOf(wrap(...parts, both, signers!.octets))).toBe('signers')
    expect(reasonOf(wrap(...parts, element(0xa0), signers!.octets))).toBe('envelope')
    expect(reasonOf(wrap(...parts, certificates!.octets, element(0xa1), signers!.octets))).toBe('not-canonical')
    const unsigned = inside(readElement(signers!.octets, SET), SET)[0]!
    const extended = element(SET, sequence(unsigned.content, element(0xa1)))
    expect(reasonOf(wrap(...parts, certificates!.octets, extended))).toBe('not-canonical')
  })

  test('the certificate is the signer’s', () => {
    const parts = readCms(note.octets)
    expect(reasonOf(writeCms({ ...parts, certificate: bob.certificate.der }, bob.publicKey))).toBe('signature')
    expect(reasonOf(writeCms({ ...parts, certificate: bob.certificate.der }, alice.publicKey))).toBe('not-canonical')
    expect(reasonOf(writeCms({ ...parts, content: Buffer.from(envelope({})) }, alice.publicKey))).toBe('signature')
    expect(reasonOf(writeCms({ ...parts, signature: new Uint8Array(64) }, alice.publicKey))).toBe('signature')
  })

  test('only the expected key, recipient and type are accepted', () => {
    expect(reasonOf(note.octets, { signerKey: alice.publicKey.der })).toBe('verified')
    expect(reasonOf(note.octets, { signerKey: bob.publicKey.der })).toBe('key')
    expect(reasonOf(note.octets, { recipient: bob.fingerprint })).toBe('verified')
    expect(reasonOf(note.octets, { recipient: alice.fingerprint })).toBe('recipient')
    expect(reasonOf(small.octets, { recipient: alice.fingerprint })).toBe('verified')
    expect(reasonOf(note.octets, { type: 'example/note' })).toBe('verified')
    expect(reasonOf(note.octets, { type: 'example/other' })).toBe('type')
  })

  test('it lives from issued to expires', () => {
    const at = (seconds: number, options: Partial<VerifyOptions> = {}) =>
      reasonOf(note.octets, { now: new Date((SECONDS + seconds) * 1000), ...options })
    expect(at(-120)).toBe('verified')
    expect(at(-121)).toBe('from-future')
    expect(at(21_599)).toBe('verified')
    expect(at(21_600)).toBe('expired')
    expect(at(0, { maxLifetime: 21_599 })).toBe('lifetime')
    expect(() => verifyObject(note.octets, { now: Number.NaN })).toThrow(RangeError)
  })

  test.each([
    ['a name twice', envelope({}).replace('{', '{"value":2,'), 'json'],
    ['no JSON', 'hello', 'json'],
    ['another kind of JSON', '[1]', 'envelope'],
    ['no type', envelope({ type: undefined }), 'envelope'],
    ['a type in upper case', envelope({ type: 'Example/note' }), 'envelope'],
    ['no value', envelope({ value: undefined }), 'envelope'],
    ['one member too many', envelope({ more: 1 }), 'envelope'],
    ['a key beside the certificate', envelope({ key: 'AAAA' }), 'envelope'],
    ['a date as text', envelope({ issued: '2026-05-01' }), 'envelope'],
    ['a fraction of a second', envelope({ issued: SECONDS + 0.5 }), 'envelope'],
    ['a name instead of a fingerprint', envelope({ to: 'Bob' }), 'envelope'],
    ['the end before the beginning', envelope({ expires: SECONDS - 60 }), 'lifetime'],
    ['a life of a hundred years', envelope({ expires: SECONDS + 3_155_760_000 }), 'lifetime'],
    ['nothing wrong', envelope({}), 'verified'],
    ['white space where it likes', envelope({}).replace('{', ' {\n '), 'verified'],
  ])('content with %s, properly signed', async (_, content, reason) => {
    expect(reasonOf(await signContent(content))).toBe(reason)
  })

  test('content that is not UTF-8, properly signed', async () => {
    const octets = Buffer.from(envelope({ value: 'X' }))
    octets[octets.indexOf('"X"') + 1] = 0xff
    expect(reasonOf(await signContent(octets))).toBe('json')
  })

  test('without a certificate the key in the content is the signer’s, in its one encoding', async () => {
    const keyed = (key: Uint8Array) =>
      signContent(envelope({ key: Buffer.from(key).toString('base64') }), { without: 'certificate' })
    expect(reasonOf(await keyed(alice.publicKey.der))).toBe('verified')
    expect(reasonOf(await keyed(bob.publicKey.der))).toBe('not-canonical')
    expect(reasonOf(await keyed(new Uint8Array(10)))).toBe('key-encoding')
    expect(reasonOf(await signContent(envelope({}), { without: 'certificate' }))).toBe('envelope')
    const unpadded = Buffer.from(alice.publicKey.der).toString('base64').replace(/=+$/, '')
    expect(reasonOf(await signContent(envelope({ key: unpadded }), { without: 'certificate' }))).toBe('envelope')
    const modulus = element(0x02, Buffer.of(0), Buffer.alloc(4096, 0xc5))
    const bits = element(0x03, Buffer.of(0), sequence(modulus, Buffer.from('0203010001', 'hex')))
    const huge = sequence(Buffer.from('300d06092a864886f70d0101010500', 'hex'), bits)
    expect(reasonOf(await keyed(huge))).toBe('key-modulus')
  })
})

describe('others see the same', () => {
  const cms = async (octets: Uint8Array, ...args: string[]) => {
    const path = join(folder, 'object.der')
    await writeFile(path, octets)
    return execFileSync('openssl', ['cms', '-verify', '-inform', 'DER', '-in', path, '-binary', '-noverify', ...args], {
      stdio: 'pipe',
    })
  }

  testWith('openssl')('OpenSSL verifies an object with its certificate', async () => {
    expect(JSON.parse((await cms(note.octets)).toString()).value).toEqual({ text: 'grüezi' })
    const wrong = writeCms({ ...readCms(note.octets), content: Buffer.from(envelope({})) }, alice.publicKey)
    await expect(cms(wrong)).rejects.toThrow()
  })

  testWith('openssl')('OpenSSL verifies an object without one when it is given', async () => {
    const path = join(folder, 'alice.pem')
    await writeFile(path, alice.certificatePem())
    expect(JSON.parse((await cms(small.octets, '-certfile', path)).toString()).value).toEqual([1])
    await expect(cms(small.octets)).rejects.toThrow()
  })

  test('pkijs reads it, writes the same octets and finds the signature good', async () => {
    const info = new ContentInfo({ schema: fromBER(new Uint8Array(note.octets)).result })
    const signedData = new SignedData({ schema: info.content })
    info.content = signedData.toSchema()
    expect(Buffer.from(info.toSchema().toBER()).equals(note.octets)).toBe(true)
    const [certificate] = signedData.certificates ?? []
    const [signer] = signedData.signerInfos
    if (!(certificate instanceof Certificate) || signer?.signedAttrs === undefined) throw new Error('it has another structure')
    const { subjectPublicKeyInfo } = certificate
    const signed = signer.signedAttrs.encodedValue
    const engine = engineOver(await usualCrypto())
    expect(await engine.verifyWithPublicKey(signed, signer.signature, subjectPublicKeyInfo, signer.signatureAlgorithm)).toBe(true)
  })
})
