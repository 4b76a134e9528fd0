// Calling cards: small enough for TXT, believed for ten minutes, and refused for every reason there is.
import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { CARD_LIFETIME, type CardFields, signCard, verifyCard } from './calling-card.js'
import { MAX_CARD } from './discovery/txt-record.js'
import { Identity } from './identity.js'
import type { Json } from './json.js'
import { REASONS } from './object-error.js'
import { signObject } from './signed-object.js'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const SECONDS = NOW / 1000
const FIELDS = {
  nickname: 'Alice',
  host: 'alice.local',
  port: 10288,
  addresses: ['192.168.1.20', 'fe80::1'],
  availability: 'available',
  status: 'at home',
  sequence: 7,
} as const satisfies CardFields

let alice: Identity
let card: Uint8Array
beforeAll(async () => {
  alice = await Identity.generate({ nickname: 'Alice' })
  card = await signCard(alice, FIELDS, { now: NOW })
})

const reasonOf = (der: Uint8Array, options: { now?: Date | number; lastSequence?: number } = {}) => {
  try {
    verifyCard(der, { now: NOW, ...options })
    return 'verified'
  } catch (error) {
    return (error as { reason?: string }).reason ?? error
  }
}

describe('a card', () => {
  test('says who is where, and in which state', () => {
    expect(verifyCard(card, { now: NOW })).toMatchObject({
      ...FIELDS,
      fingerprint: alice.fingerprint,
      issued: SECONDS,
      expires: SECONDS + CARD_LIFETIME,
    })
  })

  test('takes some 645 octets', () => {
    expect(card.length).toBeGreaterThan(600)
    expect(card.length).toBeLessThan(690)
  })

  test('may say where the router lets the world in', async () => {
    const external = { address: '203.0.113.9', port: 40_000 }
    expect(verifyCard(await signCard(alice, { ...FIELDS, external }, { now: NOW }), { now: NOW }).external).toEqual(external)
    expect(verifyCard(card, { now: NOW })).not.toHaveProperty('external')
  })

  test('shows no text that is not fit to be shown', async () => {
    const value = { ...FIELDS, nickname: 'A\u202elice\x1b[2J', status: 'a\nb' }
    const { octets } = await signObject(alice, { type: 'cloudy/card', issued: SECONDS, expires: SECONDS + 600, value }, 'key')
    expect(verifyCard(octets, { now: NOW })).toMatchObject({ nickname: 'Alice', status: 'a b' })
  })

  test('fits, or says that it does not', async () => {
    const full = {
      ...FIELDS,
      nickname: 'n'.repeat(64),
      status: 's'.repeat(140),
      addresses: Array.from({ length: 8 }, (_, n) => `2001:db8::${n}`),
    }
    expect((await signCard(alice, full, { now: NOW })).length).toBeLessThanOrEqual(MAX_CARD)
    await expect(signCard(alice, { ...full, status: '🙂'.repeat(140) }, { now: NOW })).rejects.toThrow(
      /shorten the status or the nickname, or give fewer addresses$/,
    )
    // The same fits with a smaller key.
    const rsa = await Identity.generate({ algorithm: 'RSA-2048' })
    await expect(signCard(rsa, full, { now: NOW })).rejects.toThrow(
      /shorten the status.*; with an identity on P-256 there is more room$/,
    )
  })
})

describe('nothing else is a card', () => {
  test('no bit can be another', () => {
    const flipped = new Uint8Array(card)
    const reasons = new Set<unknown>()
    for (let at = 0; at < card.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        flipped[at]! ^= 1 << bit
        reasons.add(reasonOf(flipped))
        flipped[at]! ^= 1 << bit
      }
    for (const reason of reasons) expect(Object.keys(REASONS)).toContain(reason)
    expect(reasonOf(flipped)).toBe('verified')
  })

  test('garbage is refused, and nothing but refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), (garbage) => {
        expect(['malformed', 'oversized']).toContain(reasonOf(garbage))
      }),
    )
  })

  test('it lives ten minutes', () => {
    const at = (seconds: number) => reasonOf(card, { now: (SECONDS + seconds) * 1000 })
    expect(at(-121)).toBe('from-future')
    expect(at(-120)).toBe('verified')
    expect(at(599)).toBe('verified')
    expect(at(600)).toBe('expired')
  })

  test('an older card does not come back', () => {
    expect(reasonOf(card, { lastSequence: 6 })).toBe('verified')
    expect(reasonOf(card, { lastSequence: 7 })).toBe('verified')
    expect(reasonOf(card, { lastSequence: 8 })).toBe('replayed')
  })

  test('octets that follow, or more than there is room for', () => {
    expect(reasonOf(Buffer.concat([card, Buffer.of(0)]))).toBe('malformed')
    expect(reasonOf(new Uint8Array(MAX_CARD + 1))).toBe('oversized')
  })

  test('an object of another type, with a certificate, of a longer life or addressed', async () => {
    const card = { type: 'cloudy/card', issued: SECONDS, expires: SECONDS + 600, value: FIELDS }
    const sign = async (changes: object, carry: 'key' | 'certificate' = 'key') =>
      reasonOf((await signObject(alice, { ...card, ...changes }, carry)).octets)
    expect(await sign({})).toBe('verified')
    expect(await sign({}, 'certificate')).toBe('card')
    expect(await sign({ type: 'example/card' })).toBe('type')
    expect(await sign({ expires: SECONDS + 601 })).toBe('lifetime')
    expect(await sign({ to: alice.fingerprint })).toBe('card')
  })

  test.each<[string, { [name: string]: Json | undefined }]>([
    ['no nickname', { nickname: undefined }],
    ['a nickname of 65 characters', { nickname: 'n'.repeat(65) }],
    ['a status of 141 characters', { status: 's'.repeat(141) }],
    ['no host', { host: '' }],
    ['a host that is none', { host: 'alice.local\n' }],
    ['a host with a path', { host: '../alice' }],
    ['port 0', { port: 0 }],
    ['port 65536', { port: 65_536 }],
    ['a port as text', { port: '10288' }],
    ['nine addresses', { addresses: Array.from({ length: 9 }, () => '10.0.0.1') }],
    ['a name as address', { addresses: ['alice.local'] }],
    ['an address with a zone', { addresses: ['fe80::1%eth0'] }],
    ['addresses that are no list', { addresses: '10.0.0.1' }],
    ['another state', { availability: 'dancing' }],
    ['a negative sequence number', { sequence: -1 }],
    ['a sequence number beyond 2^53', { sequence: 2 ** 53 }],
    ['an external address without port', { external: { address: '203.0.113.9' } }],
    ['null as external address', { external: null }],
    ['one member too many', { more: 1 }],
  ])('a card with %s', async (_, changes) => {
    const value = { ...FIELDS, ...changes } as unknown as Json
    const { octets } = await signObject(alice, { type: 'cloudy/card', issued: SECONDS, expires: SECONDS + 600, value }, 'key')
    expect(reasonOf(octets)).toBe('card')
    if (!('more' in changes || 'nickname' in changes || 'status' in changes))
      await expect(signCard(alice, { ...FIELDS, ...changes } as unknown as CardFields, { now: NOW })).rejects.toThrow(RangeError)
  })
})
