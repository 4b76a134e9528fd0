// RSA identities do all that those on P-256 do, except that the larger ones do not fit a TXT record.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { testWith } from '../../test/needs.js'
import { type CardFields, signCard, verifyCard } from './calling-card.js'
import { MAX_CARD } from './discovery/txt-record.js'
import { Identity } from './identity.js'
import { verifyObject } from './signed-object.js'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const FIELDS: CardFields = {
  nickname: 'Alice',
  host: 'alice.local',
  port: 10288,
  addresses: ['192.168.1.20'],
  availability: 'available',
  status: 'at home',
  sequence: 1,
}

testWith('openssl')(
  'an RSA-2048 identity',
  async () => {
    const alice = await Identity.generate({ nickname: 'Alice', algorithm: 'RSA-2048' })
    expect(alice.publicKey).toMatchObject({ algorithm: 'RSA', bits: 2048 })
    const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: alice.certificatePem() }).toString()
    expect(text).toContain('Signature Algorithm: sha256WithRSAEncryption')

    const folder = await mkdtemp(join(tmpdir(), 'cloudy-rsa-'))
    await alice.save(join(folder, 'alice.pem'))
    const loaded = await Identity.load(join(folder, 'alice.pem'))
    await rm(folder, { recursive: true })
    expect(loaded.fingerprint).toBe(alice.fingerprint)

    const { octets } = await loaded.sign({ text: 'hello' }, { type: 'example/note', lifetime: 60, now: NOW })
    expect(verifyObject(octets, { now: NOW })).toMatchObject({
      value: { text: 'hello' },
      signer: { fingerprint: alice.fingerprint },
    })
    const seen = execFileSync('openssl', ['cms', '-verify', '-inform', 'DER', '-binary', '-noverify'], {
      input: octets,
      stdio: 'pipe',
    })
    expect(JSON.parse(seen.toString()).value).toEqual({ text: 'hello' })

    const card = await signCard(alice, FIELDS, { now: NOW })
    expect(card.length).toBeLessThanOrEqual(MAX_CARD)
    expect(verifyCard(card, { now: NOW })).toMatchObject({ nickname: 'Alice', fingerprint: alice.fingerprint })
    const flipped = new Uint8Array(card)
    for (let at = 0; at < card.length; at++) {
      flipped[at]! ^= 1 << (at % 8)
      expect(() => verifyCard(flipped, { now: NOW })).toThrow(expect.objectContaining({ code: 'CLOUDY_ERR_OBJECT' }))
      flipped[at]! ^= 1 << (at % 8)
    }
  },
  30_000,
)

test('an RSA-3072 identity signs objects, and is not advertised', async () => {
  const alice = await Identity.generate({ nickname: 'Alice', algorithm: 'RSA-3072' })
  const { octets } = await alice.sign({ text: 'hello' }, { type: 'example/note', lifetime: 60, now: NOW })
  expect(verifyObject(octets, { now: NOW }).signer.fingerprint).toBe(alice.fingerprint)
  await expect(signCard(alice, FIELDS, { now: NOW })).rejects.toThrow(/RSA key of 3072 bits cannot be advertised/)
  await expect(signCard(alice, FIELDS, { now: NOW })).rejects.toMatchObject({ code: 'CLOUDY_ERR_KEY_TOO_LARGE' })
}, 30_000)
