// Two implementations of WebCrypto do the same behind one interface: @peculiar/webcrypto, and Node's own.
import { webcrypto, X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { signCard, verifyCard } from './calling-card.js'
import { type KeyKind, usualCrypto, type WebCrypto } from './crypto.js'
import { Identity } from './identity.js'
import { verifyObject } from './signed-object.js'

const PECULIAR = await usualCrypto()
const NODE = webcrypto as WebCrypto
const NOTE = { type: 'example/note', lifetime: 60 }
const CARD = { nickname: 'Alice', host: 'a.local', port: 1, availability: 'away', sequence: 0 } as const

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-web-crypto-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe.each<[string, WebCrypto, WebCrypto]>([
  ['@peculiar/webcrypto', PECULIAR, NODE],
  ['Node’s WebCrypto', NODE, PECULIAR],
])('%s', (name, own, other) => {
  test.each<KeyKind>(['P-256', 'RSA-2048'])('makes, keeps, renews and uses an identity on %s', async (algorithm) => {
    const alice = await Identity.generate({ nickname: 'Alice', algorithm, webCrypto: own })
    const x509 = new X509Certificate(alice.certificate.der)
    expect(x509.verify(x509.publicKey)).toBe(true)
    const path = join(folder, `${algorithm} of ${basename(name)}.pem`)
    await alice.save(path, { passphrase: 'pass wörd' })

    const loaded = await Identity.load(path, { passphrase: 'pass wörd', webCrypto: other })
    expect(loaded.privateKeyPem()).toBe(alice.privateKeyPem())
    expect(loaded.certificatePem()).toBe(alice.certificatePem())
    for (const each of [alice, loaded, await loaded.renew({ nickname: 'A.' })]) {
      const { octets } = await each.sign({ text: 'hello' }, NOTE)
      expect(verifyObject(octets, { now: Date.now() }).signer.fingerprint).toBe(alice.fingerprint)
      const card = verifyCard(await signCard(each, CARD, { now: Date.now() }), { now: Date.now() })
      expect(card.fingerprint).toBe(alice.fingerprint)
    }
  })

  test('knows a passphrase that is not the one', async () => {
    const path = join(folder, `${basename(name)}.pem`)
    await (await Identity.generate({ webCrypto: own })).save(path, { passphrase: 'right' })
    await expect(Identity.load(path, { passphrase: 'wrong', webCrypto: own })).rejects.toMatchObject({ reason: 'passphrase' })
    await expect(Identity.load(path, { passphrase: 'wrong', webCrypto: other })).rejects.toMatchObject({ reason: 'passphrase' })
  })
})
