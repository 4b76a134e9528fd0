// The program `cloudy` as its user runs it: identities, cards and signed objects, from files to exit codes, and the passphrase on a real terminal.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Identity, Peer } from '../src/cloudy/index.js'
import { timeText } from '../src/cloudy/signed-object.js'
import { testWith } from './needs.js'

const CLOUDY = resolve('dist', 'cli', 'cloudy.js')
const SECRET = 'pass wörd'

// Each command is a process, and the machine may be busy.
jest.setTimeout(60_000)

let folder: string
const at = (...parts: string[]) => join(folder, ...parts)

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(args: string[], options: { env?: NodeJS.ProcessEnv; input?: string | Uint8Array } = {}): Promise<Outcome> {
  return new Promise((done) => {
    const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: at('data'), ...options.env }
    const child = execFile(process.execPath, [CLOUDY, ...args], { cwd: folder, env }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
    child.stdin?.end(options.input ?? '')
  })
}
const cloudy = (...args: string[]) => run(args)
/** One that has to go well, with `--json`. */
async function json(...args: string[]): Promise<{ [name: string]: unknown }> {
  const { code, stdout, stderr } = await run([...args, '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

/** With what would take over a terminal. */
const value = { text: 'gr\u00fcezi \u202e\u001b[2J\u009b1m' }
let fingerprint: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-programs-'))
  await writeFile(at('secret'), `${SECRET}\n`, { mode: 0o600 })
  await writeFile(at('value.json'), JSON.stringify(value))
  fingerprint = String((await json('identity', 'make', '--nickname', 'Zoë')).fingerprint)
})
afterAll(() => rm(folder, { recursive: true }))

describe('cloudy identity', () => {
  test('keeps the key in the data directory, for its owner alone, shows it and does not overwrite it', async () => {
    const path = at('data', 'cloudy', 'identity.pem')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(at('data', 'cloudy'))).mode & 0o777).toBe(0o700)
    expect(fingerprint).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{4}){13}$/)
    const before = await readFile(path)
    const [shown, drawn, again] = await Promise.all([
      cloudy('identity', 'show'),
      cloudy('identity', 'show', '--qr'),
      cloudy('identity', 'make'),
    ])
    const lines = `fingerprint  ${fingerprint}\nnickname     “Zoë”\nkey          P-256, not encrypted\n`
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining(lines) })
    expect(shown.stdout).not.toContain('█')
    expect(drawn.stdout).toContain(lines)
    expect(drawn.stdout).toMatch(/\n{2}(█{37}\n){2}████ ▄▄▄▄▄ █/)
    expect(again).toMatchObject({ code: 2, stderr: `cloudy: ${path} exists, and no identity is overwritten\n` })
    expect(await readFile(path)).toEqual(before)
  })

  test('is looked for in ~/.local/share when XDG_DATA_HOME is of no use', async () => {
    const { code, stderr } = await run(['identity', 'show'], { env: { XDG_DATA_HOME: 'relative' } })
    expect(code).toBe(2)
    expect(stderr).toContain(`There is no identity in ${at('.local', 'share', 'cloudy', 'identity.pem')}: make one`)
  })

  test('has a passphrase when one is given, which can be changed and removed', async () => {
    const own = ['--identity', 'secret.pem']
    const made = await json('identity', 'make', ...own, '--passphrase-file', 'secret', '--algorithm', 'RSA-2048')
    expect(made).toMatchObject({ algorithm: 'RSA-2048', encrypted: true })
    const revoke = ['identity', 'revoke', ...own, '--out', 'never.der']
    const [mute, wrong] = await Promise.all([cloudy(...revoke), run(revoke, { env: { CLOUDY_PASSPHRASE: 'wrong' } })])
    expect(mute.code).toBe(2)
    expect(mute.stderr).toMatch(
      /secret\.pem is encrypted, and there is no terminal .* give --passphrase-file or \$CLOUDY_PASSPHRASE/,
    )
    expect(wrong).toMatchObject({ code: 2, stderr: 'cloudy: secret.pem: The passphrase is not the one of this private key\n' })

    await writeFile(at('other'), 'another', { mode: 0o600 })
    const change = ['identity', 'passphrase', ...own]
    const changed = await json(...change, '--passphrase-file', 'secret', '--new-passphrase-file', 'other')
    expect(changed).toMatchObject({ fingerprint: made.fingerprint, encrypted: true })
    const removed = await run([...change, '--remove', '--json'], { env: { CLOUDY_PASSPHRASE: 'another' } })
    expect(JSON.parse(removed.stdout)).toMatchObject({ fingerprint: made.fingerprint, encrypted: false })
  })

  test('takes no passphrase from a file that others can read, or that has none', async () => {
    await writeFile(at('open'), SECRET, { mode: 0o644 })
    await writeFile(at('empty'), '\n', { mode: 0o600 })
    const make = (file: string) => cloudy('identity', 'make', '--identity', 'x.pem', '--passphrase-file', file)
    const [open, empty] = await Promise.all([make('open'), make('empty')])
    expect(open).toMatchObject({ code: 2, stderr: 'cloudy: Others may read open: chmod 600 it\n' })
    expect(empty).toMatchObject({ code: 2, stderr: expect.stringMatching(/The first line of empty is to be the passphrase/) })
  })

  test('whose key is too large for a card is made with a warning that is true', async () => {
    const own = ['--identity', 'large.pem']
    const made = await cloudy('identity', 'make', ...own, '--algorithm', 'RSA-3072')
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('RSA-3072, not encrypted') })
    expect(made.stderr).toMatch(/^cloudy: This key is too large for a calling card: nobody sees a peer with it nearby, and/)
    const large = await Identity.load(at('large.pem'))
    await using peer = await Peer.start({ identity: large, downloads: folder, loopbackOnly: true })
    expect(peer.advertised).toBe(false)
    const card = await cloudy('card', 'make', ...own, '--port', '1', '--der', 'large.der')
    expect(card).toMatchObject({ code: 2, stderr: expect.stringMatching(/3072 bits cannot be advertised/) })
    await json('sign', 'value.json', ...own, '--type', 'example/note', '--lifetime', '60', '--out', 'large-note.der')
    const next = await json('identity', 'make', '--identity', 'small.pem')
    await json('identity', 'succeed', ...own, '--successor', 'small.pem', '--out', 'large-succession.der')
    const { statement } = await json('verify-object', 'large-succession.der')
    expect(statement).toMatchObject({ kind: 'succession', successor: next.fingerprint })
  })

  test('stays the same when its certificate is renewed', async () => {
    const before = await json('identity', 'make', '--identity', 'renewed.pem', '--nickname', 'Bob')
    const pem = await readFile(at('renewed.pem'), 'utf8')
    const after = await json('identity', 'renew', '--identity', 'renewed.pem', '--nickname', 'Rob')
    expect(after).toMatchObject({ fingerprint: before.fingerprint, nickname: 'Rob' })
    const [key, certificate] = (await readFile(at('renewed.pem'), 'utf8')).split(/(?=-----BEGIN CERT)/)
    expect(pem.startsWith(key!)).toBe(true)
    expect(pem.endsWith(certificate!)).toBe(false)
  })

  test('is succeeded by another', async () => {
    const next = await json('identity', 'make', '--identity', 'next.pem', '--passphrase-file', 'secret')
    const names = ['--successor', 'next.pem', '--successor-passphrase-file', 'secret', '--out', 'succession.der']
    expect(await json('identity', 'succeed', ...names)).toMatchObject({ key: fingerprint, successor: next.fingerprint })
    expect(await json('verify-object', 'succession.der')).toMatchObject({
      valid: true,
      type: 'cloudy/succession',
      statement: { kind: 'succession', key: fingerprint, successor: next.fingerprint },
    })
  })

  test('is succeeded by another under the same passphrase, which is given once', async () => {
    const [old, next] = await Promise.all(
      ['first.pem', 'second.pem'].map((name) => json('identity', 'make', '--identity', name, '--passphrase-file', 'secret')),
    )
    const names = ['--identity', 'first.pem', '--passphrase-file', 'secret', '--successor', 'second.pem', '--out', 'same.der']
    const said = await json('identity', 'succeed', ...names)
    expect(said).toMatchObject({ key: old!.fingerprint, successor: next!.fingerprint })
  })

  test('is revoked, by a file made beforehand', async () => {
    const revoke = ['identity', 'revoke', '--out', 'revocation.der', '--since', '2026-01-01']
    // What cannot be taken back is said.
    const since = Date.parse('2026-01-01') / 1000
    expect(await json(...revoke)).toMatchObject({ key: fingerprint, file: 'revocation.der', since })
    const lines = await cloudy('identity', 'revoke', '--out', 'lines.der', '--since', '2026-01-01')
    expect(lines.stdout).toMatch(/^since +2026-01-01T00:00:00Z$/m)
    expect((await cloudy('identity', 'revoke', '--out', 'unknown.der')).stdout).toMatch(/^since +not said$/m)
    expect((await stat(at('revocation.der'))).mode & 0o777).toBe(0o600)
    const [verified, again] = await Promise.all([
      cloudy('verify-object', 'revocation.der', '--at', '9999-01-01'),
      cloudy(...revoke),
    ])
    expect(verified.stdout).toMatch(/^verdict +valid\n(?:.+\n)*expires +never\n/)
    expect(verified.stdout).toMatch(/the signer’s key is compromised, since 2026-01-01T00:00:00Z: do not trust it\n$/)
    expect(again).toMatchObject({ code: 2, stderr: 'cloudy: revocation.der exists, and nothing is overwritten\n' })
  })

  test('says to stdout only the statement when that goes there', async () => {
    await json('identity', 'make', '--identity', 'heir.pem')
    const env = { ...process.env, XDG_DATA_HOME: at('data') }
    const options = { cwd: folder, env, stdio: 'pipe' } as const
    for (const words of [['revoke'], ['succeed', '--successor', 'heir.pem']])
      for (const more of [[], ['--json']]) {
        const octets = execFileSync(process.execPath, [CLOUDY, 'identity', ...words, '--out', '-', ...more], options)
        const verified = await run(['verify-object', '-', '--json'], { input: octets })
        expect(JSON.parse(verified.stdout)).toMatchObject({ valid: true, statement: { key: fingerprint } })
      }
  })
})

describe('cloudy card', () => {
  test('makes a card that is verified until it has expired', async () => {
    const place = ['--port', '10288', '--host', 'zoe.local', '--address', '192.168.1.20', '--address', 'fe80::1']
    const more = ['--external', '203.0.113.9:40000', '--status', 'at\nhome', '--availability', 'busy', '--sequence', '7']
    const fields = {
      fingerprint,
      nickname: 'Zoë',
      host: 'zoe.local',
      port: 10_288,
      addresses: ['192.168.1.20', 'fe80::1'],
      external: { address: '203.0.113.9', port: 40_000 },
      availability: 'busy',
      status: 'at home',
      sequence: 7,
    }
    const made = await json('card', 'make', ...place, ...more, '--der', 'card.der')
    expect(made).toMatchObject(fields)
    const [verified, expired] = await Promise.all([
      json('card', 'verify', '--der', 'card.der'),
      cloudy('card', 'verify', '--der', 'card.der', '--at', String(Number(made.issued) + 600)),
    ])
    expect(verified).toMatchObject({ valid: true, ...fields })
    expect(expired).toMatchObject({
      code: 1,
      stdout: `verdict  not valid (expired)\nbecause  it has expired: ${timeText(Number(made.expires))}\n`,
    })
  })

  test('shows an old card as such, and none whose signature does not hold', async () => {
    const old = resolve('fixtures', 'cloudy', 'card.der')
    const altered = await readFile(old)
    altered[altered.length - 1]! ^= 1
    const [shown, fresh, refused] = await Promise.all([
      cloudy('card', 'show', '--der', old),
      json('card', 'show', '--der', 'card.der'),
      run(['card', 'show', '--der', '-', '--json'], { input: altered }),
    ])
    expect(fresh).toMatchObject({ valid: true, fingerprint })
    expect(shown.code).toBe(1)
    expect(shown.stdout).toMatch(/^verdict +not valid \(expired\)\nbecause .*\nfingerprint +[a-z2-7-]{69}\n/)
    expect(refused.code).toBe(1)
    expect(JSON.parse(refused.stdout)).toEqual({ valid: false, reason: 'signature', message: 'the signature does not hold' })
  })

  test('says what of it is wrong', async () => {
    const make = (...words: string[]) => cloudy('card', 'make', '--port', '1', '--der', 'x.der', ...words)
    const [zone, host] = await Promise.all([make('--address', 'fe80::1%eth0'), make('--host', 'no host')])
    expect(zone).toMatchObject({ code: 2, stderr: expect.stringMatching(/IP address without a zone/) })
    expect(host).toMatchObject({ code: 2, stderr: 'cloudy: The host of the card is not one\n' })
  })
})

describe('cloudy sign and cloudy verify-object', () => {
  const sign = ['sign', '--type', 'example/note', '--lifetime', '60']

  test('a value becomes an object that is verified, and nothing in it gets through to the terminal', async () => {
    const to = fingerprint.toUpperCase().replaceAll('-', ' ')
    const signed = await json(...sign, 'value.json', '--to', to, '--out', 'note.der')
    const expected = { type: 'example/note', signer: { fingerprint, nickname: 'Zoë' }, to: fingerprint, value }
    expect(signed).toMatchObject(expected)
    const [verified, lines] = await Promise.all([
      cloudy('verify-object', 'note.der', '--json'),
      cloudy('verify-object', 'note.der'),
    ])
    expect(JSON.parse(verified.stdout)).toMatchObject({ valid: true, ...expected, digest: signed.digest })
    for (const { stdout } of [verified, lines])
      for (const character of ['\u202e', '\u001b', '\u009b']) expect(stdout).not.toContain(character)
  })

  test('an object to somebody else is valid, and says for whom it is', async () => {
    const { fingerprint: other } = await json('identity', 'make', '--identity', 'other.pem')
    await json(...sign, 'value.json', '--to', String(other), '--out', 'other.der')
    expect(await json('verify-object', 'other.der')).toMatchObject({ valid: true, to: other })
  })

  testWith('openssl')('an object goes from stdin to stdout, and OpenSSL verifies it', async () => {
    const env = { ...process.env, XDG_DATA_HOME: at('data') }
    const octets = execFileSync(process.execPath, [CLOUDY, ...sign], { input: '[1, 2]', env })
    const seen = execFileSync('openssl', ['cms', '-verify', '-inform', 'DER', '-binary', '-noverify'], {
      input: octets,
      stdio: 'pipe',
    })
    expect(JSON.parse(seen.toString()).value).toEqual([1, 2])
  })

  test('what is not valid is exit code 1, with the reason; what cannot be judged is 2', async () => {
    const [garbage, large, nowhere, folder, key] = await Promise.all([
      run(['verify-object', '-', '--json'], { input: 'garbage' }),
      run(['verify-object', '-'], { input: new Uint8Array(70_000) }),
      cloudy('verify-object', 'nowhere.der'),
      cloudy('verify-object', '.'),
      cloudy('identity', 'show', '--identity', 'value.json'),
    ])
    expect(garbage.code).toBe(1)
    expect(JSON.parse(garbage.stdout)).toMatchObject({ valid: false, reason: 'malformed' })
    expect(large).toMatchObject({ code: 1, stdout: expect.stringMatching(/^verdict {2}not valid \(oversized\)\n/) })
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringMatching(/^cloudy: ENOENT.*nowhere\.der/) })
    expect(folder).toMatchObject({ code: 2, stderr: expect.stringMatching(/^cloudy: \.: EISDIR/) })
    expect(key).toMatchObject({ code: 2, stderr: expect.stringMatching(/^cloudy: value\.json: /) })
  })

  test('text that others would see cut is refused', async () => {
    const [status, nickname] = await Promise.all([
      cloudy('card', 'make', '--port', '1', '--status', 'x'.repeat(141), '--der', 'long.der'),
      cloudy('identity', 'renew', '--nickname', 'é'.repeat(65)),
    ])
    expect(status).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--status .* It has 141 characters, and 140 are the most/),
    })
    expect(nickname).toMatchObject({ code: 2, stderr: expect.stringMatching(/--nickname .* It has 65 characters, and 64 are/) })
  })

  test('nothing is signed that nobody could accept', async () => {
    await writeFile(at('broken.json'), '{"a":1,}')
    const [twice, broken, large, reserved] = await Promise.all([
      run(sign, { input: '{"a":1,"a":2}' }),
      cloudy(...sign, 'broken.json'),
      run(sign, { input: JSON.stringify('x'.repeat(70_000)) }),
      run(['sign', '--type', 'cloudy/card', '--lifetime', '60'], { input: '1' }),
    ])
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringMatching(/^cloudy: stdin: .*a name stands twice/) })
    expect(broken).toMatchObject({ code: 2, stderr: expect.stringMatching(/^cloudy: broken\.json: .*JSON.* at position 7/) })
    expect(large).toMatchObject({ code: 2, stderr: expect.stringMatching(/^cloudy: stdin: it has more than 65536 octets/) })
    expect(reserved).toMatchObject({ code: 2, stderr: expect.stringMatching(/does not begin with cloudy/) })
  })
})

describe('on a terminal', () => {
  /** Runs it in a terminal of its own and answers each question when it has been asked. @returns what stood on the terminal */
  async function talk(args: string[], answers: readonly (readonly [question: RegExp, answer: string])[]) {
    // The terminal of `script` has no width of its own, in which a question would be broken after each letter.
    const line = `stty cols 100 rows 40; ${['node', CLOUDY, ...args].map((word) => `'${word}'`).join(' ')}`
    const env = { ...process.env, XDG_DATA_HOME: at('data'), TERM: 'xterm' }
    const timer = AbortSignal.timeout(50_000)
    const child = spawn('script', ['-qec', line, '/dev/null'], {
      cwd: folder,
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
      signal: timer,
    })
    let said = ''
    let asked = 0
    child.stdout.on('data', (chunk) => {
      said += chunk
      if (asked < answers.length && answers[asked]![0].test(said)) child.stdin.write(answers[asked++]![1])
    })
    const code = await new Promise((done) => child.on('close', done))
    return { code, said }
  }

  testWith('script')('a new passphrase is asked for twice, then once, and never shown', async () => {
    const own = ['--identity', 'asked.pem']
    const made = await talk(
      ['identity', 'make', ...own],
      [
        [/New passphrase/, 'geheim\r'],
        [/The same again/, 'geheim\r'],
      ],
    )
    expect(made.said).toContain('P-256, encrypted')
    expect(made.said).not.toContain('geheim')
    expect(made.code).toBe(0)
    const renewed = await talk(['identity', 'renew', ...own], [[/Passphrase of asked\.pem/, 'geheim\r']])
    expect(renewed).toMatchObject({ code: 0, said: expect.stringContaining('P-256, encrypted') })
    const given = await run(['identity', 'renew', ...own], { env: { CLOUDY_PASSPHRASE: 'geheim' } })
    expect(given.code).toBe(0)
  })

  testWith('script')('two that differ, or none at all, change nothing', async () => {
    const own = ['identity', 'make', '--identity', 'differ.pem']
    const differ = await talk(own, [
      [/New passphrase/, 'one\r'],
      [/The same again/, 'two\r'],
    ])
    expect(differ).toMatchObject({ code: 2, said: expect.stringContaining('The two passphrases differ, so nothing was done') })
    const given = await talk(own, [[/New passphrase/, '\x03']])
    expect(given).toMatchObject({ code: 2, said: expect.stringContaining('No passphrase was given, so nothing was done') })
    await expect(stat(at('differ.pem'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  testWith('script')('the fingerprint is a QR code, and an object is not written to it', async () => {
    const shown = await talk(['identity', 'show'], [])
    expect(shown.said).toContain('\x1b[38;5;16;48;5;231m')
    const signed = await talk(['sign', '--type', 'example/note', '--lifetime', '60', at('value.json')], [])
    expect(signed).toMatchObject({ code: 2, said: expect.stringContaining('This is nothing for a terminal') })
  })
})
