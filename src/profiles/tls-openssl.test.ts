// The TLS profile against OpenSSL in both roles. OpenSSL knows no BEEP: a relay says the part in clear for it and steps aside at <proceed/>.
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals'
import { testWith } from '../../test/needs.js'
import { connect, type Listener, listen } from '../beep/index.js'
import { ECHO, echo } from './echo.js'
import { startTls, TLS, tls, whenTuned } from './tls.js'

const withOpenssl = testWith('openssl')
const XML = 'Content-Type: application/beep+xml\r\n\r\n'
const KEYS = ['P-256', 'RSA-2048', 'RSA-3072'] as const
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const CASES = KEYS.flatMap((key) => VERSIONS.map((version) => ({ key, version })))
type Key = (typeof KEYS)[number]
type Version = (typeof VERSIONS)[number]

let folder: string
const closing: (() => unknown)[] = []

const file = (key: Key, what: 'key' | 'cert') => join(folder, `${key}.${what}`)
const flag = (version: Version) => (version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3')
const credentials = async (key: Key) => ({ key: await readFile(file(key, 'key')), cert: await readFile(file(key, 'cert')) })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'beep-openssl-'))
  for (const key of KEYS) {
    const algorithm = key === 'P-256' ? ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : [`rsa:${key.slice(4)}`]
    const subject = ['-subj', `/CN=${key}`, '-days', '30', '-nodes', '-keyout', file(key, 'key'), '-out', file(key, 'cert')]
    execFileSync('openssl', ['req', '-x509', '-newkey', ...algorithm, ...subject], { stdio: 'pipe' })
  }
}, 60_000)
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function frame(head: string, seqno: number, xml: string): string {
  return `${head} . ${seqno} ${XML.length + xml.length}\r\n${XML}${xml}END\r\n`
}

/** Everything that `stream` says, and a wait until it has said `what`. */
function hearing(stream: NodeJS.ReadableStream): (what: RegExp) => Promise<string> {
  let heard = ''
  const waiting = new Set<() => void>()
  stream.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1')
    for (const look of waiting) look()
  })
  return (what) =>
    new Promise((resolve) => {
      const look = () => {
        if (!what.test(heard)) return
        waiting.delete(look)
        resolve(heard)
      }
      waiting.add(look)
      look()
    })
}

async function relay(onSocket: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    closing.push(() => socket.destroy())
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return (server.address() as AddressInfo).port
}

function openssl(...args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn('openssl', args)
  child.stdin.on('error', () => {})
  closing.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

/** Joins two sockets; `first` is what one of them had already said behind the part in clear. */
function join2(a: Socket, b: Socket): void {
  for (const socket of [a, b]) socket.removeAllListeners('data')
  a.pipe(b)
  b.pipe(a)
}

describe('our listener and openssl s_client', () => {
  async function serve(
    key: Key,
    clientCertificate: 'required' | 'optional' | 'none',
    shown: (subject: string) => void,
  ): Promise<number> {
    const verify = (certificate: { subject: string }) => shown(certificate.subject)
    const listener: Listener = await listen({
      host: '127.0.0.1',
      profiles: [tls({ ...(await credentials(key)), clientCertificate, verify }), whenTuned(echo)],
    })
    closing.push(() => listener.close())
    const { port } = listener.address
    return relay((client) => {
      client.pause()
      const peer = dial({ host: '127.0.0.1', port })
      closing.push(() => peer.destroy())
      peer.on('error', () => client.destroy())
      const start = `<start number='1'><profile uri='${TLS}'><![CDATA[<ready />]]></profile></start>`
      peer.write(frame('RPY 0 0', 0, '<greeting />') + frame('MSG 0 1', XML.length + 12, start))
      void hearing(peer)(/proceed[\s\S]*END\r\n/).then(() => join2(client, peer))
    })
  }

  for (const { key, version } of CASES) {
    withOpenssl(`${version} with ${key}: greets anew inside, both certificates shown, and is released`, async () => {
      let subject = ''
      const port = await serve(key, 'required', (each) => {
        subject = each
      })
      const args = [
        '-connect',
        `127.0.0.1:${port}`,
        flag(version),
        '-cert',
        file(key, 'cert'),
        '-key',
        file(key, 'key'),
        '-quiet',
        '-nocommands',
      ]
      const client = openssl('s_client', ...args)
      const hears = hearing(client.stdout)
      const inside = await hears(/RPY 0 0 \. 0 [\s\S]*END\r\n/)
      expect(inside).toContain(`<greeting><profile uri='${ECHO}' /></greeting>`)
      expect(subject).toBe(`CN=${key}`)
      client.stdin.write(
        frame('RPY 0 0', 0, '<greeting />') + frame('MSG 0 1', XML.length + 12, "<close number='0' code='200' />"),
      )
      expect(await hears(/RPY 0 1[\s\S]*END\r\n/)).toContain('<ok />')
    })
  }

  withOpenssl('a client without a certificate is let in where it is optional, and not where it is required', async () => {
    const optional = openssl(
      's_client',
      '-connect',
      `127.0.0.1:${await serve('P-256', 'optional', () => {})}`,
      '-quiet',
      '-nocommands',
    )
    expect(await hearing(optional.stdout)(/<greeting>/)).toContain('RPY 0 0')
    const required = openssl(
      's_client',
      '-connect',
      `127.0.0.1:${await serve('P-256', 'required', () => {})}`,
      '-quiet',
      '-nocommands',
    )
    let said = ''
    required.stdout.on('data', (chunk) => {
      said += chunk
    })
    await once(required, 'close')
    expect(said).toBe('')
  })
})

describe('our initiator and openssl s_server', () => {
  /** A listener that is a relay in clear and s_server from <proceed/> on. */
  async function serve(key: Key, version: Version, ...more: string[]) {
    const args = [
      '-accept',
      '127.0.0.1:0',
      flag(version),
      '-cert',
      file(key, 'cert'),
      '-key',
      file(key, 'key'),
      '-naccept',
      '1',
      ...more,
    ]
    const server = openssl('s_server', ...args)
    const said = hearing(server.stdout)
    const port = Number(/ACCEPT 127\.0\.0\.1:(\d+)/.exec(await said(/ACCEPT [^\n]*\n/))?.[1])
    const clear = await relay((initiator) => {
      initiator.write(frame('RPY 0 0', 0, `<greeting><profile uri='${TLS}' /></greeting>`))
      void hearing(initiator)(/ready[\s\S]*END\r\n/).then(() => {
        initiator.pause()
        const peer = dial({ host: '127.0.0.1', port })
        closing.push(() => peer.destroy())
        peer.on('error', () => initiator.destroy())
        const seqno = XML.length + `<greeting><profile uri='${TLS}' /></greeting>`.length
        initiator.write(frame('RPY 0 1', seqno, `<profile uri='${TLS}'><![CDATA[<proceed />]]></profile>`))
        join2(initiator, peer)
      })
    })
    return { port: clear, server, said }
  }

  for (const { key, version } of CASES) {
    withOpenssl(`${version} with ${key}: the key is pinned, a session runs inside and is released`, async () => {
      const { port, server, said } = await serve(key, version, '-verify', '1')
      const session = await connect({ host: '127.0.0.1', port })
      let subject = ''
      server.stdin.write(frame('RPY 0 0', 0, '<greeting />'))
      const secure = await startTls(session, {
        ...(await credentials(key)),
        verify: (certificate) => {
          subject = certificate.subject
        },
      })
      expect(subject).toBe(`CN=${key}`)
      expect(secure.tls?.getProtocol()).toBe(version)
      const released = secure.release()
      const inside = await said(/MSG 0 1 [\s\S]*END\r?\n/)
      expect(inside).toMatch(/<close number='0' code='200' \/>/)
      server.stdin.write(frame('RPY 0 1', XML.length + 12, '<ok />'))
      await released
    })
  }

  withOpenssl('another key than the pinned one fails closed: s_server never hears a greeting', async () => {
    const { port, said } = await serve('P-256', 'TLSv1.3')
    const session = await connect({ host: '127.0.0.1', port })
    const verify = (certificate: { subject: string }) => {
      throw new Error(`${certificate.subject} is not whom I dialled`)
    }
    await expect(startTls(session, { verify })).rejects.toThrow('CN=P-256 is not whom I dialled')
    expect(await said(/CONNECTION CLOSED|ERROR|DONE|shutting down/i)).not.toContain('RPY')
  })

  withOpenssl('without a verify, a certificate authority must vouch for the name', async () => {
    const { port } = await serve('P-256', 'TLSv1.3')
    const session = await connect({ host: '127.0.0.1', port })
    await expect(startTls(session, { servername: 'example.org' })).rejects.toThrow(/self.signed/)
  })
})
