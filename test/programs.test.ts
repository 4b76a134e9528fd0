// The program `beep` as its user runs it: a listener in a process of its own, pings to it, and ends by signal.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from '@jest/globals'
import { listen, ReplyError } from '../src/index.js'
import { TLS } from '../src/profiles/index.js'

const BEEP = join('dist', 'cli', 'beep.js')
const ECHO = 'http://example.org/echo'
const running: ChildProcess[] = []

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})

function run(program: string, args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(program, args, (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }))
  })
}

const beep = (...args: string[]) => run(process.execPath, [BEEP, ...args])

/** Starts `beep listen`. @returns where it listens, what it has said so far, and its end */
async function listening(...args: string[]) {
  const child = spawn(process.execPath, [BEEP, 'listen', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(child)
  const told = { said: '' }
  const place = new Promise<string>((resolve) => {
    child.stdout.on('data', (chunk) => {
      told.said += chunk
      const found = /^listening on (.+)$/m.exec(told.said)
      if (found !== null) resolve(found[1]!)
    })
  })
  return { child, told, place: await place }
}

describe('beep listen and beep ping', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('serve echo, tell each event, and end cleanly on %s', async (signal) => {
    const { child, told, place } = await listening('--port', '0', '--echo', ECHO, '--sink', 'u:sink', '--verbose')
    const { code, stdout } = await beep('ping', place, '--profile', ECHO, '-c', '3', '-s', '100000')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^greeting: 2 profiles\n {2}http:\/\/example\.org\/echo\n {2}u:sink\n/)
    expect(stdout).toMatch(/^100000 octets: message 2, [0-9.]+ ms$/m)
    expect(stdout).toMatch(/^3 sent, 0 wrong; min\/median\/max [0-9./]+ ms$/m)
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(told.said).toMatch(/session 1: begins\nsession 1: channel 1 opens: http:\/\/example\.org\/echo\n/)
    expect(told.said).toMatch(/session 1: channel 1: MSG, application\/octet-stream\n/)
    expect(told.said).toMatch(/session 1: released: the peer closed it\n/)
  })

  test('over TLS, when the certificate is taken as it is, and not otherwise', async () => {
    const { place } = await listening('--port', '0', '--echo', ECHO, '--tls')
    const taken = await beep('ping', place, '--profile', ECHO, '-c', '1', '--tls', '--any-certificate')
    expect(taken.stdout).toMatch(/^certificate: CN=.*, SHA-256 [0-9A-F:]{95}$/m)
    expect(taken.stdout).toMatch(/^TLS: TLSv1\.3 with /m)
    expect(taken.code).toBe(0)
    const json = await beep('ping', `tcp://${place}`, '--profile', ECHO, '-c', '1', '--tls', '--any-certificate', '--json')
    const { subject, sha256 } = JSON.parse(json.stdout).tls
    expect(taken.stdout).toContain(`certificate: ${subject}, SHA-256 ${sha256}\n`)
    const refused = await beep('ping', place, '--profile', ECHO, '--tls')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/^beep: self.signed certificate .*--any-certificate/)
  })

  test('options of TLS without --tls are refused, and a peer without TLS is named as such', async () => {
    const { place } = await listening('--port', '0', '--echo', ECHO)
    for (const options of [['--any-certificate'], ['--ca', '/nonexistent']]) {
      const { code, stderr } = await beep('ping', place, '--profile', ECHO, ...options)
      expect([code, stderr]).toEqual([2, 'beep: --ca and --any-certificate are for --tls, which is not given\n'])
    }
    expect(await beep('ping', place, '--profile', ECHO, '--tls')).toMatchObject({
      code: 2,
      stderr: 'beep: The peer offers no TLS in its greeting\n',
    })
    const listen = await beep('listen', '--port', '0', '--echo', ECHO, '--key', '/nonexistent', '--cert', '/nonexistent')
    expect([listen.code, listen.stdout]).toEqual([2, ''])
  })

  test('what a peer says is cleaned before it is shown', async () => {
    await using listener = await listen({
      host: '127.0.0.1',
      profiles: [
        {
          uri: ECHO,
          message: () => {
            throw new ReplyError(550, 'no\u009b31mRED\n\u202Ebeep: 4 sent, 0 wrong')
          },
        },
      ],
    })
    const { code, stdout } = await beep('ping', `127.0.0.1:${listener.address.port}`, '--profile', ECHO, '-c', '1')
    expect(code).toBe(1)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(stdout).toMatch(/^64 octets: [^\n]*it was refused with 550: [^\u0000-\u001f\u007f-\u009f\u202e]*\n1 sent, 1 wrong/m)
  })

  test('a listener outlives whoever read what it prints', async () => {
    const { child, place } = await listening('--port', '0', '--echo', ECHO, '--verbose')
    child.stdout!.destroy()
    for (let n = 0; n < 2; n++) expect((await beep('ping', place, '--profile', ECHO, '-c', '1')).code).toBe(0)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('a listener that serves nothing says so', async () => {
    const child = spawn(process.execPath, [BEEP, 'listen', '--port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] })
    running.push(child)
    const [said] = await once(child.stderr, 'data')
    expect(String(said)).toBe('beep: no profile is served, so no channel can be started: --echo, --sink and --accept name one\n')
  })

  test('--accept opens channels and refuses every MSG', async () => {
    const { place } = await listening('--port', '0', '--accept', 'u:no')
    const { code, stdout } = await beep('ping', place, '--profile', 'u:no', '-c', '2')
    expect(code).toBe(1)
    expect(stdout).toMatch(/message 0, [0-9.]+ ms, it was refused with 550: this peer only opens channels/)
    expect(stdout).toContain('2 sent, 2 wrong;')
    const json = await beep('ping', place, '--profile', 'u:no', '-c', '1', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ sent: 1, wrong: 1, lastFault: expect.stringContaining('refused with 550') })
  })

  test('who has had enough is told what was measured, and parts in good order', async () => {
    const { child, told, place } = await listening('--port', '0', '--echo', ECHO, '--verbose')
    const ping = spawn(process.execPath, [BEEP, 'ping', place, '--profile', ECHO, '-c', '100000000'])
    let stdout = ''
    for await (const text of ping.stdout.setEncoding('utf8')) {
      stdout += text
      if (stdout.includes('message 5,') && !ping.killed) ping.kill('SIGINT')
    }
    if (ping.exitCode === null) await once(ping, 'exit')
    expect(ping.exitCode).toBe(0)
    expect(stdout).toMatch(/\d+ sent, 0 wrong; min\/median\/max [^\n]+\n$/)
    while (!told.said.includes('released')) await once(child.stdout, 'data')
  })

  // The peer says its greeting and a reply to the start, or not even that, and then nothing: the ping is stopped when what stays without a reply has come.
  const saying = (msgno: number, seqno: number, xml: string) => {
    const payload = `Content-Type: application/beep+xml\r\n\r\n${xml}`
    return { frame: `RPY 0 ${msgno} . ${seqno} ${payload.length}\r\n${payload}END\r\n`, end: seqno + payload.length }
  }
  const greeting = saying(0, 0, `<greeting><profile uri="${ECHO}"/><profile uri="${TLS}"/></greeting>`)
  const proceed = saying(1, greeting.end, `<profile uri="${TLS}"><![CDATA[<proceed/>]]></profile>`)
  test.each([
    ['the greeting', [], [], '<greeting'],
    ['the start of a channel', [], [greeting.frame], ECHO],
    ['the start of TLS', ['--tls', '--any-certificate'], [greeting.frame], TLS],
    ['the handshake', ['--tls', '--any-certificate'], [greeting.frame, proceed.frame], '\u0016\u0003'],
    ['a message', [], [greeting.frame, saying(1, greeting.end, `<profile uri="${ECHO}"/>`).frame], 'MSG 1 0'],
  ])(
    'who has had enough while a peer is silent to %s is told that there was no reply, at once',
    async (_to, options, says, last) => {
      let ping: ChildProcess | undefined
      const silent = createServer((socket) => {
        let heard = ''
        socket.on('error', () => {})
        const left = [...says]
        socket.write(left.shift() ?? '')
        socket.on('data', (octets) => {
          heard += octets.toString('latin1')
          if (heard.includes('<start')) socket.write(left.shift() ?? '')
          if (heard.includes(last)) ping?.kill('SIGINT')
        })
      })
      silent.listen(0, '127.0.0.1')
      await once(silent, 'listening')
      const { port } = silent.address() as AddressInfo
      ping = spawn(process.execPath, [BEEP, 'ping', `127.0.0.1:${port}`, '--profile', ECHO, ...options])
      const [stdout, stderr] = await Promise.all([ping.stdout!, ping.stderr!].map((stream) => text(stream)))
      if (ping.exitCode === null) await once(ping, 'exit')
      silent.close()
      expect([ping.exitCode, stderr]).toEqual([2, 'beep: Interrupted before a reply came\n'])
      expect(stdout).not.toContain('sent')
    },
  )

  test('what is no certificate is refused before anybody is dialled', async () => {
    const { code, stderr } = await beep('ping', 'localhost:1', '--profile', ECHO, '--tls', '--ca', 'package.json')
    expect([code, stderr]).toEqual([2, 'beep: package.json holds no certificate in PEM (--ca)\n'])
    const listen = await beep('listen', '--tls', '--key', 'package.json', '--cert', 'package.json')
    expect(listen.stderr).toBe('beep: package.json holds no private key without a passphrase in PEM (--key)\n')
  })

  test('what cannot be printed is said once, with exit code 2', async () => {
    const { place } = await listening('--port', '0', '--echo', ECHO)
    const full = openSync('/dev/full', 'w')
    const ping = spawn(process.execPath, [BEEP, 'ping', place, '--profile', ECHO], { stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    const stderr = await text(ping.stderr!)
    if (ping.exitCode === null) await once(ping, 'exit')
    expect([ping.exitCode, stderr]).toEqual([2, expect.stringMatching(/^beep: ENOSPC[^\n]*\n$/)])
  })

  test('over a Unix socket, with --json', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'beep-programs-'))
    const { place } = await listening('--path', join(folder, 'socket'), '--echo', ECHO)
    const { stdout } = await beep('ping', place, '--profile', ECHO, '-c', '2', '--json')
    const told = JSON.parse(stdout)
    expect(told).toMatchObject({ sent: 2, wrong: 0, size: 64 })
    // Of two, the median is between them.
    const { min, median, max } = told.milliseconds
    expect(median).toBeCloseTo((min + max) / 2, 2)
    await rm(folder, { recursive: true })
  })

  test('what is asked wrongly is said, with the way to ask', async () => {
    const { code, stderr } = await beep('ping', 'nowhere', '--profile', ECHO)
    expect(code).toBe(2)
    expect(stderr).toMatch(/It is HOST:PORT/)
    const nobody = await beep('ping', 'localhost:1', '--profile', ECHO)
    expect(nobody.code).toBe(2)
    expect(nobody.stderr).toMatch(/ECONNREFUSED/)
  })
})
