// Successions and revocations: both keys sign, whatever is bent is refused by name, and OpenSSL sees the same signatures.
import { execFileSync } from 'node:child_process'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { testWith } from '../../test/needs.js'
import { Identity } from './identity.js'
import type { Json } from './json.js'
import { LAST_SECOND, type SignedObject, signObject, verifyObject } from './signed-object.js'
import { acceptSuccession, MAX_STATEMENT, revoke, succeed, verifyKeyStatement } from './succession.js'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const SECONDS = NOW / 1000
const now = NOW

let old: Identity
let next: Identity
let mallory: Identity
let acceptance: SignedObject
let succession: SignedObject
beforeAll(async () => {
  old = await Identity.generate({ nickname: 'Alice' })
  next = await Identity.generate({ nickname: 'Alice, again' })
  mallory = await Identity.generate({ nickname: 'Mallory' })
  acceptance = await acceptSuccession(next, old.fingerprint, { now })
  succession = await succeed(old, acceptance.octets, { now })
})

const reasonOf = (octets: Uint8Array, at: Date | number = NOW) => {
  try {
    return verifyKeyStatement(octets, { now: at }).kind
  } catch (error) {
    return (error as { reason?: string }).reason ?? error
  }
}
/** What a signer who keeps to no rule could sign. */
const sign = async (signer: Identity, type: string, value: Json, more: { to?: string } = {}) =>
  (await signObject(signer, { type, issued: SECONDS, expires: LAST_SECOND, value, ...more })).octets
const base64 = (octets: Uint8Array) => Buffer.from(octets).toString('base64')

describe('a succession', () => {
  test('names the key that takes the place of another, for ever', () => {
    const told = { kind: 'succession', key: old.fingerprint, successor: next.fingerprint, successorKeyDer: next.publicKey.der }
    expect(verifyKeyStatement(succession.octets, { now })).toMatchObject(told)
    expect(reasonOf(succession.octets, Date.parse('9999-01-01'))).toBe('succession')
    expect(reasonOf(succession.octets, NOW - 121_000)).toBe('from-future')
    expect(succession.octets.length).toBeLessThan(2600)
  })

  test('goes from any kind of key to any other', async () => {
    const rsa = await Identity.generate({ nickname: 'Alice', algorithm: 'RSA-3072' })
    for (const [from, to] of [
      [rsa, next],
      [old, rsa],
    ] as const) {
      const { octets } = await succeed(from, (await acceptSuccession(to, from.fingerprint, { now })).octets, { now })
      expect(verifyKeyStatement(octets, { now })).toMatchObject({ key: from.fingerprint, successor: to.fingerprint })
      expect(octets.length).toBeLessThan(MAX_STATEMENT)
    }
  })

  test('cannot be made with what the new key has not agreed to', async () => {
    const stolen = await acceptSuccession(next, mallory.fingerprint, { now })
    await expect(succeed(old, stolen.octets, { now })).rejects.toMatchObject({ reason: 'statement' })
    await expect(succeed(old, succession.octets, { now })).rejects.toMatchObject({ reason: 'type' })
    const bent = new Uint8Array(acceptance.octets)
    bent[bent.length - 1]! ^= 1
    await expect(succeed(old, bent, { now })).rejects.toMatchObject({ reason: 'signature' })
    await expect(acceptSuccession(next, next.fingerprint, { now })).rejects.toThrow(RangeError)
    await expect(acceptSuccession(next, 'Alice', { now })).rejects.toThrow(RangeError)
  })

  test('does not verify with an octet altered', () => {
    const flipped = new Uint8Array(succession.octets)
    // That every bit of an object counts is shown in signed-object.test.ts; here it is that both objects are looked at, from end to end.
    for (let at = 0; at < flipped.length; at += 7) {
      flipped[at]! ^= 1 << (at % 8)
      expect(() => verifyKeyStatement(flipped, { now })).toThrow(expect.objectContaining({ code: 'CLOUDY_ERR_OBJECT' }))
      flipped[at]! ^= 1 << (at % 8)
    }
    expect(reasonOf(flipped)).toBe('succession')
  })

  test('signed by others than the two keys is none', async () => {
    const value = { successor: next.fingerprint, acceptance: base64(acceptance.octets) }
    expect(reasonOf(await sign(old, 'cloudy/succession', value))).toBe('succession')
    expect(reasonOf(await sign(mallory, 'cloudy/succession', value))).toBe('statement')
    const own = await sign(mallory, 'cloudy/acceptance', { predecessor: old.fingerprint })
    expect(reasonOf(await sign(old, 'cloudy/succession', { ...value, acceptance: base64(own) }))).toBe('statement')
    const bent = new Uint8Array(acceptance.octets)
    bent[bent.length - 1]! ^= 1
    expect(reasonOf(await sign(old, 'cloudy/succession', { ...value, acceptance: base64(bent) }))).toBe('signature')
  })

  test('to itself is none', async () => {
    const itself = await sign(old, 'cloudy/acceptance', { predecessor: old.fingerprint })
    const value = { successor: old.fingerprint, acceptance: base64(itself) }
    expect(reasonOf(await sign(old, 'cloudy/succession', value))).toBe('statement')
  })

  test.each<[string, (whole: { [name: string]: Json }) => Json, string]>([
    ['no successor', ({ acceptance }) => ({ acceptance: acceptance! }), 'statement'],
    ['no acceptance', ({ successor }) => ({ successor: successor! }), 'statement'],
    ['one member more', (whole) => ({ ...whole, more: 1 }), 'statement'],
    ['a list', () => [], 'statement'],
    ['an acceptance that is a number', (whole) => ({ ...whole, acceptance: 1 }), 'statement'],
    ['an acceptance that is not base64', (whole) => ({ ...whole, acceptance: `${whole.acceptance}\n` }), 'statement'],
    ['an acceptance of nothing', (whole) => ({ ...whole, acceptance: '' }), 'malformed'],
    ['an acceptance too large', (whole) => ({ ...whole, acceptance: 'A'.repeat(22_000) }), 'oversized'],
    ['itself as acceptance', (whole) => ({ ...whole, acceptance: base64(succession.octets) }), 'type'],
  ])('with %s is none', async (_, bend, reason) => {
    const whole = { successor: next.fingerprint, acceptance: base64(acceptance.octets) }
    expect(reasonOf(await sign(old, 'cloudy/succession', bend(whole)))).toBe(reason)
  })
})

describe('a revocation', () => {
  test('ends a key, for ever, and may be made long before', async () => {
    const { octets } = await revoke(old, { now })
    expect(verifyKeyStatement(octets, { now })).toMatchObject({ kind: 'revocation', key: old.fingerprint, since: 0 })
    expect(reasonOf(octets, Date.parse('9999-01-01'))).toBe('revocation')
    const dated = await revoke(old, { now, since: NOW - 86_400_000 })
    expect(verifyKeyStatement(dated.octets, { now })).toMatchObject({ since: SECONDS - 86_400 })
    await expect(revoke(old, { now, since: NOW + 1000 })).rejects.toThrow(RangeError)
  })

  test.each<[string, Json, string]>([
    ['a time', { since: SECONDS }, 'revocation'],
    ['no time', {}, 'statement'],
    ['a time to come', { since: SECONDS + 1 }, 'statement'],
    ['a time before time', { since: -1 }, 'statement'],
    ['a fraction', { since: 0.5 }, 'statement'],
    ['a text', { since: '2026' }, 'statement'],
    ['one member more', { since: 0, more: 0 }, 'statement'],
  ])('with %s', async (_, value, expected) => {
    expect(reasonOf(await sign(old, 'cloudy/revocation', value))).toBe(expected)
  })

  test('is for everybody, with a certificate, and of its type', async () => {
    expect(reasonOf(await sign(old, 'cloudy/revocation', { since: 0 }, { to: next.fingerprint }))).toBe('statement')
    expect(reasonOf((await old.sign({ since: 0 }, { type: 'example/revocation', lifetime: 60, now })).octets)).toBe('type')
    expect(reasonOf(acceptance.octets)).toBe('type')
    const envelope = { type: 'cloudy/revocation', issued: SECONDS, expires: LAST_SECOND, value: { since: 0 } }
    expect(reasonOf((await signObject(old, envelope, 'key')).octets)).toBe('statement')
    expect(reasonOf(new Uint8Array(MAX_STATEMENT + 1))).toBe('oversized')
  })
})

describe('what is said of keys', () => {
  test('alone may live longer than ten years', async () => {
    const envelope = { type: 'cloudy/relationship', issued: SECONDS, expires: LAST_SECOND, value: {} }
    await expect(signObject(old, envelope)).rejects.toMatchObject({ reason: 'lifetime' })
    expect(verifyObject((await revoke(old, { now })).octets, { now }).expires).toBe(LAST_SECOND)
    expect(() => verifyObject(succession.octets, { now, maxLifetime: 600 })).toThrow(
      expect.objectContaining({ reason: 'lifetime' }),
    )
  })

  testWith('openssl')('has signatures that OpenSSL verifies', async () => {
    for (const { octets } of [acceptance, succession, await revoke(old, { now })]) {
      const args = ['cms', '-verify', '-inform', 'DER', '-binary', '-noverify']
      const seen = execFileSync('openssl', args, { input: octets, stdio: 'pipe' }).toString()
      expect(JSON.parse(seen).value).toEqual(verifyObject(octets, { now }).value)
    }
  })
})
