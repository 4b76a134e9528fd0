// Identities: saved and loaded, encrypted, renewed, and what they will not sign.
import { execFileSync } from 'node:child_process'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { testWith } from '../../test/needs.js'
import { Identity } from './identity.js'
import { verifyObject } from './signed-object.js'

let folder: string
let alice: Identity
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-identity-'))
  alice = await Identity.generate({ nickname: 'Alice' })
})
afterAll(() => rm(folder, { recursive: true }))

describe('a saved identity', () => {
  test('is loaded as it was, from a file that only its owner can read', async () => {
    const path = join(folder, 'plain.pem')
    await alice.save(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const loaded = await Identity.load(path)
    expect(loaded.fingerprint).toBe(alice.fingerprint)
    expect(loaded.nickname).toBe('Alice')
    expect(loaded.privateKeyPem()).toBe(alice.privateKeyPem())
    expect(loaded.certificatePem()).toBe(alice.certificatePem())
    const object = await loaded.sign('hello', { type: 'example/note', lifetime: 60 })
    expect(verifyObject(object.octets, { now: Date.now() }).signer.fingerprint).toBe(alice.fingerprint)
  })

  test('takes the place of the old file, and leaves nothing beside it', async () => {
    const path = join(folder, 'again.pem')
    await alice.save(path)
    const bob = await Identity.generate({ nickname: 'Bob' })
    await bob.save(path)
    expect((await Identity.load(path)).fingerprint).toBe(bob.fingerprint)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    await expect(alice.save(join(folder, 'no', 'such', 'folder.pem'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(alice.save(folder)).rejects.toThrow()
    expect(
      (await readdir(join(folder, '..'))).filter((name) => name.endsWith('.tmp') && name.includes('cloudy-identity-')),
    ).toEqual([])
  })

  test('does not take the place of one when it is told so', async () => {
    const path = join(folder, 'once.pem')
    await alice.save(path, { replace: false })
    const before = await readFile(path)
    const bob = await Identity.generate({ nickname: 'Bob' })
    await expect(bob.save(path, { replace: false })).rejects.toMatchObject({ code: 'EEXIST' })
    expect(await readFile(path)).toEqual(before)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('is described without its passphrase', async () => {
    const path = join(folder, 'described.pem')
    await alice.save(path)
    expect(await Identity.describe(path)).toEqual({ certificate: alice.certificate, encrypted: false })
    await alice.save(path, { passphrase: 'secret' })
    expect(await Identity.describe(path)).toEqual({ certificate: alice.certificate, encrypted: true })
  })

  test('is refused when others can read it, as a whole or not at all', async () => {
    const path = join(folder, 'open.pem')
    await writeFile(path, alice.privateKeyPem() + alice.certificatePem())
    await chmod(path, 0o644)
    await expect(Identity.load(path)).rejects.toMatchObject({ code: 'CLOUDY_ERR_IDENTITY', reason: 'permissions' })
  })

  test('that is none is not said to be one that others may read', async () => {
    const path = join(folder, 'letter.txt')
    await writeFile(path, 'Dear Ada')
    await chmod(path, 0o644)
    for (const none of [path, folder]) await expect(Identity.load(none)).rejects.toMatchObject({ reason: 'malformed' })
  })

  test('that somebody else has changed since it was read is left as it is', async () => {
    const path = join(folder, 'shared.pem')
    await alice.save(path)
    const here = await Identity.load(path)
    const there = await Identity.load(path)
    await here.save(path, { passphrase: 'new' })
    const renewed = await there.renew({ nickname: 'Alicia' })
    await expect(renewed.save(path)).rejects.toMatchObject({ code: 'CLOUDY_ERR_IDENTITY', reason: 'changed' })
    expect((await Identity.load(path, { passphrase: 'new' })).nickname).toBe(alice.nickname)
    await here.save(path)
    await (await here.renew({ nickname: 'Alicia' })).save(path)
    expect((await Identity.load(path)).nickname).toBe('Alicia')
  })

  test('through a symbolic link takes the place of the file, and the link stays one: no old key is left', async () => {
    const there = join(folder, 'there')
    const real = join(there, 'real.pem')
    const path = join(folder, 'link.pem')
    await mkdir(there)
    await alice.save(real)
    await symlink(join('there', 'real.pem'), path)
    await (await Identity.load(path)).save(path, { passphrase: 'secret' })
    expect((await lstat(path)).isSymbolicLink()).toBe(true)
    expect(await Identity.describe(real)).toMatchObject({ encrypted: true })
    expect((await stat(real)).mode & 0o777).toBe(0o600)
    expect(await readdir(there)).toEqual(['real.pem'])
    const bob = await Identity.generate({ nickname: 'Bob' })
    await expect(bob.save(path, { replace: false })).rejects.toMatchObject({ code: 'EEXIST' })
  })

  test('is one file however it is named', async () => {
    const path = join(folder, 'named.pem')
    const link = join(folder, 'name.pem')
    await alice.save(path)
    await symlink(path, link)
    for (const other of [link, relative(process.cwd(), path), `${folder}/./named.pem`]) {
      const here = await Identity.load(other)
      const there = await Identity.load(path)
      await (await there.renew()).save(path)
      await expect(here.save(path)).rejects.toMatchObject({ reason: 'changed' })
      await expect(here.save(other)).rejects.toMatchObject({ reason: 'changed' })
    }
    const here = await Identity.load(path)
    await rm(path)
    await expect(here.save(relative(process.cwd(), path))).rejects.toMatchObject({ reason: 'changed' })
  })

  test('that two save at the same time is what one of them saved; the other hears that it was changed', async () => {
    const path = join(folder, 'both.pem')
    await alice.save(path)
    for (let round = 0; round < 8; round++) {
      const loaded = await Promise.all(
        [1, 2, 3].map((n) => Identity.load(path).then((each) => each.renew({ nickname: `${round} ${n}` }))),
      )
      const outcomes = await Promise.allSettled(loaded.map((each) => each.save(path)))
      const saved = loaded.filter((_, at) => outcomes[at]?.status === 'fulfilled')
      expect(saved.map(({ nickname }) => nickname)).toEqual([(await Identity.load(path)).nickname])
      for (const each of outcomes) if (each.status === 'rejected') expect(each.reason).toMatchObject({ reason: 'changed' })
    }
    expect((await readdir(folder)).filter((name) => name.startsWith('both') || name.endsWith('.tmp'))).toEqual(['both.pem'])
  })

  test('that another program is replacing is waited for, not for long, and a lock that was left behind is none', async () => {
    const path = join(folder, 'locked.pem')
    const lock = `${path}.lock`
    await alice.save(path)
    await writeFile(lock, '')
    await expect(alice.save(path)).rejects.toMatchObject({ reason: 'changed', message: expect.stringContaining(lock) })
    expect(await readdir(folder)).toContain('locked.pem.lock')
    const saving = alice.save(path)
    await rm(lock)
    await saving
    for (const seconds of [-60, 60]) {
      await writeFile(lock, '')
      await utimes(lock, Date.now() / 1000 + seconds, Date.now() / 1000 + seconds)
      await alice.save(path)
      expect(await readdir(folder)).not.toContain('locked.pem.lock')
    }
  })

  test('leaves nothing of a program that was killed while it saved', async () => {
    const own = join(folder, 'killed')
    await mkdir(own)
    const path = join(own, 'a.pem')
    // As it ends when the power fails before the rename.
    const kill = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'
      fs.promises.rename = () => process.kill(process.pid, 'SIGKILL'); syncBuiltinESMExports()
      const { Identity } = await import('./dist/cloudy/identity.js')
      await (await Identity.generate()).save(${JSON.stringify(path)})`
    const killed = () => execFileSync(process.execPath, ['--input-type=module', '-e', kill], { stdio: 'pipe' })
    expect(killed).toThrow(expect.objectContaining({ signal: 'SIGKILL' }))
    expect((await readdir(own)).sort()).toEqual([expect.stringMatching(/^\.a\.pem\.[0-9a-f]{12}\.tmp$/), 'a.pem.lock'])
    const others = ['.b.pem.0123456789ab.tmp', '.aXpem.0123456789ab.tmp', '.a.pem.old.tmp']
    for (const each of others) await writeFile(join(own, each), '')
    const long = Date.now() / 1000 - 60
    await utimes(`${path}.lock`, long, long)
    await alice.save(path, { passphrase: 'secret' })
    expect((await readdir(own)).sort()).toEqual([...others, 'a.pem'].sort())
  })

  testWith('openssl')('with a passphrase is PKCS#8 that OpenSSL decrypts, in 600,000 rounds', async () => {
    const path = join(folder, 'secret.pem')
    const passphrase = 'pass wörd'
    await alice.save(path, { passphrase })
    const text = await readFile(path, 'utf8')
    expect(text).toContain('-----BEGIN ENCRYPTED PRIVATE KEY-----')
    expect(text).not.toContain('-----BEGIN PRIVATE KEY-----')
    expect(execFileSync('openssl', ['asn1parse'], { input: text }).toString()).toMatch(
      /PBES2[\s\S]*:0927C0[\s\S]*hmacWithSHA256[\s\S]*aes-256-cbc/,
    )
    const pem = execFileSync('openssl', ['pkcs8', '-in', path, '-passin', `pass:${passphrase}`]).toString()
    expect(await Identity.fromPem(pem + alice.certificatePem())).toMatchObject({ fingerprint: alice.fingerprint })
    expect((await Identity.load(path, { passphrase: passphrase.normalize('NFD') })).fingerprint).toBe(alice.fingerprint)
    await expect(Identity.load(path, { passphrase: 'password' })).rejects.toMatchObject({ reason: 'passphrase' })
    await expect(Identity.load(path)).rejects.toMatchObject({ reason: 'passphrase' })
    await expect(alice.save(path, { passphrase: '' })).rejects.toThrow(RangeError)
  })

  testWith('openssl')('made by OpenSSL is read too', async () => {
    const path = join(folder, 'theirs.pem')
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' }).toString()
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
    const certificate = openssl('req', '-x509', ...curve, '-subj', '/CN=Carol', '-days', '30', '-nodes', '-keyout', path)
    const encrypt = (cipher: string) => openssl('pkcs8', '-topk8', '-in', path, '-v2', cipher, '-passout', 'pass:abc')
    const carol = await Identity.fromPem(encrypt('aes-128-cbc') + certificate, { passphrase: 'abc' })
    expect(carol.nickname).toBe('Carol')
    const object = await carol.sign(1, { type: 'example/note', lifetime: 60 })
    expect(object.signer.fingerprint).toBe(carol.fingerprint)
    const old = Identity.fromPem(encrypt('des3') + certificate, { passphrase: 'abc' })
    await expect(old).rejects.toMatchObject({ reason: 'malformed' })
  })

  testWith('openssl')('tells a wrong passphrase from a way of encrypting that is not supported, each time', async () => {
    const key = (...args: string[]) =>
      execFileSync('openssl', ['pkcs8', '-topk8', '-iter', '1', '-passout', 'pass:right', ...args], {
        input: alice.privateKeyPem(),
      }).toString() + alice.certificatePem()
    const pem = key('-v2', 'aes-256-cbc')
    const wrong = Array.from({ length: 500 }, (_, n) => Identity.fromPem(pem, { passphrase: `wrong ${n}` }))
    const reasons = await Promise.all(
      wrong.map((each) =>
        each.then(
          () => 'loaded',
          ({ reason }) => reason,
        ),
      ),
    )
    expect(new Set(reasons)).toEqual(new Set(['passphrase']))
    for (const prf of ['hmacWithSHA1', 'hmacWithSHA256', 'hmacWithSHA512'])
      expect((await Identity.fromPem(key('-v2', 'aes-256-cbc', '-v2prf', prf), { passphrase: 'right' })).nickname).toBe('Alice')
    const other = Identity.fromPem(key('-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA224'), { passphrase: 'right' })
    await expect(other).rejects.toMatchObject({ reason: 'malformed' })
  })

  test('has to be one key and its own certificate', async () => {
    const bob = await Identity.generate({ nickname: 'Bob' })
    await expect(Identity.fromPem(alice.privateKeyPem() + bob.certificatePem())).rejects.toMatchObject({ reason: 'mismatch' })
    for (const text of [
      '',
      alice.privateKeyPem(),
      alice.certificatePem(),
      alice.privateKeyPem() + alice.certificatePem() + bob.certificatePem(),
      alice.privateKeyPem() + bob.privateKeyPem() + alice.certificatePem(),
      alice.privateKeyPem().replace(/\nM.{20}/, '\nMAAAAAAAAAAAAAAAAAAAA') + alice.certificatePem(),
    ])
      await expect(Identity.fromPem(text)).rejects.toMatchObject({ code: 'CLOUDY_ERR_IDENTITY', reason: 'malformed' })
  })
})

describe('an identity', () => {
  test('keeps its fingerprint when its certificate is renewed', async () => {
    const now = new Date('2040-06-01T00:00:00Z')
    const renewed = await alice.renew({ now })
    expect(renewed.fingerprint).toBe(alice.fingerprint)
    expect(renewed.nickname).toBe('Alice')
    expect(renewed.certificatePem()).not.toBe(alice.certificatePem())
    expect(renewed.certificate.notBefore.toISOString()).toBe('2040-05-31T00:00:00.000Z')
    expect(renewed.certificate.notAfter.getUTCFullYear()).toBe(2060)
    expect((await alice.renew({ nickname: 'Alice B.' })).nickname).toBe('Alice B.')
  })

  test('does not sign what is the project’s own', async () => {
    for (const type of [
      'cloudy/card',
      'cloudy/relationship',
      'cloudy/',
      'Cloudy/card',
      'note',
      '',
      'example/',
      `example/${'x'.repeat(64)}`,
    ])
      await expect(alice.sign({}, { type, lifetime: 60 })).rejects.toThrow(RangeError)
  })

  test('does not sign what nobody could accept', async () => {
    const sign = (value: string | number, lifetime: number) => alice.sign(value, { type: 'example/note', lifetime })
    await expect(sign('\ud800', 60)).rejects.toMatchObject({ reason: 'json' })
    await expect(sign('x'.repeat(70_000), 60)).rejects.toMatchObject({ reason: 'oversized' })
    await expect(sign('x', 0)).rejects.toMatchObject({ reason: 'lifetime' })
    await expect(sign('x', 0.5)).rejects.toMatchObject({ reason: 'envelope' })
    await expect(alice.sign('x', { type: 'example/note', lifetime: 1, to: 'Bob' })).rejects.toMatchObject({ reason: 'envelope' })
  })

  test('does not show its private key', () => {
    const shown = inspect(alice, { depth: 10, showHidden: true })
    expect(shown).toBe(`Identity ${alice.fingerprint} “Alice”`)
    expect(JSON.stringify(alice)).not.toContain('pkcs8')
  })
})
