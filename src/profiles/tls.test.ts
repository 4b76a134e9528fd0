// The TLS profile between two sessions of ours over real sockets: what is proved, what is refused, and that nothing falls back.
import { once } from 'node:events'
import { createServer, connect as dial } from 'node:net'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Listener, listen, type Profile } from '../beep/index.js'
import { rawPair } from '../beep/test-kit-peer.js'
import { Identity } from '../cloudy/identity.js'
import { ECHO, echo } from './echo.js'
import { peerCertificate, startTls, TLS, type TlsListenOptions, tls, whenTuned } from './tls.js'

let ada: Identity
let bob: Identity
let listener: Listener | undefined

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
})
afterEach(async () => {
  await listener?.close()
  listener = undefined
})

const credentials = (identity: Identity) => ({ key: identity.privateKeyPem(), cert: identity.certificatePem() })
const accept = () => {}

async function serve(options: Partial<TlsListenOptions> = {}): Promise<number> {
  const profile = tls({ ...credentials(ada), verify: accept, handshakeTimeout: 2000, ...options })
  listener = await listen({ host: '127.0.0.1', profiles: [profile, whenTuned(echo)], greetingTimeout: 2000 })
  return listener.address.port
}

describe('tuning to TLS', () => {
  test('R3080-3-02 R3080-3-03 R3080-3-06 a new session takes the place of the old one, certificates on both sides', async () => {
    let shown = ''
    const port = await serve({
      verify: (certificate) => {
        shown = certificate.subject
      },
    })
    const clear = await connect({ host: '127.0.0.1', port })
    expect(clear.greeting.profiles).toEqual([TLS])
    const secure = await startTls(clear, {
      ...credentials(bob),
      verify: (certificate) => expect(certificate.subject).toBe('CN=Ada'),
    })
    expect(shown).toBe('CN=Bob')
    expect(peerCertificate(secure)?.subject).toBe('CN=Ada')
    expect(peerCertificate(secure)?.subject).toBe('CN=Ada')
    expect(await clear.closed).toMatchObject({ kind: 'tuned', next: secure })
    expect(secure.greeting.profiles).toEqual([ECHO])
    const channel = await secure.start(ECHO)
    expect(channel.number).toBe(1)
    expect(await (await channel.request('private')).text()).toBe('private')
    await secure.release()
  })

  test('a profile for tuned sessions is declined in clear', async () => {
    const port = await serve()
    await using session = await connect({ host: '127.0.0.1', port })
    await expect(session.start(ECHO)).rejects.toMatchObject({ replyCode: 550 })
  })

  test('a profile that is an object of a class keeps its methods, and they it', async () => {
    class Counter implements Profile {
      readonly uri = 'u:counter'
      #started = 0
      #closed = 0
      start(): string {
        return String(++this.#started)
      }
      message(): string {
        return `${this.#started} started, ${this.#closed} closed`
      }
      close(): void {
        this.#closed++
      }
    }
    const profile = tls({ ...credentials(ada), clientCertificate: 'none' })
    listener = await listen({ host: '127.0.0.1', profiles: [profile, whenTuned(new Counter())] })
    const clear = await connect({ host: '127.0.0.1', port: listener.address.port })
    await using session = await startTls(clear, { verify: accept })
    await (await session.start('u:counter')).close()
    const channel = await session.start('u:counter')
    expect(channel.initial?.toString()).toBe('2')
    expect(await (await channel.request('?')).text()).toBe('2 started, 1 closed')
  })

  test('a certificate that the initiator refuses ends it: no greeting, no fall back', async () => {
    const port = await serve()
    const clear = await connect({ host: '127.0.0.1', port })
    const refuse = () => {
      throw new Error('not the key I dialled')
    }
    await expect(startTls(clear, { ...credentials(bob), verify: refuse })).rejects.toThrow('not the key I dialled')
    expect(await clear.closed).toMatchObject({ kind: 'terminated', by: 'us' })
  })

  test('a certificate that the listener refuses ends it', async () => {
    const port = await serve({
      verify: () => {
        throw new Error('stranger')
      },
    })
    const clear = await connect({ host: '127.0.0.1', port })
    await expect(startTls(clear, { ...credentials(bob), verify: accept })).rejects.toThrow()
    expect((await clear.closed).kind).not.toBe('released')
  })

  test('no certificate where one is required ends it', async () => {
    const port = await serve()
    const clear = await connect({ host: '127.0.0.1', port })
    await expect(startTls(clear, { verify: accept })).rejects.toThrow()
  })

  test.each([
    ['', undefined],
    [" serverName='first.example'", 'first.example'],
  ])(
    'R3080-2.3.1.2-16 the name of the first start that succeeded counts, not that of the start of TLS: first%s',
    async (first, counts) => {
      const asked: unknown[] = []
      const credentialsFor = (name: string | undefined) => void asked.push(name)
      const { session, peer } = await rawPair('listener', { profiles: [tls({ ...credentials(ada), credentialsFor }), echo] })
      peer.say(peer.management('MSG 1', `<start number='1'${first}><profile uri='${ECHO}'/></start>`))
      peer.say(
        peer.management(
          'MSG 2',
          `<start number='3' serverName='other.example'><profile uri='${TLS}'>&lt;ready /></profile></start>`,
        ),
      )
      await peer.expect(/<proceed \/>/)
      expect(asked).toEqual([counts])
      session.terminate()
    },
  )

  test('without a verify a self-signed certificate is refused', async () => {
    const port = await serve()
    const clear = await connect({ host: '127.0.0.1', port })
    await expect(startTls(clear, { ...credentials(bob), servername: 'localhost' })).rejects.toThrow(/self.signed/)
  })

  test('startTls asks for a way to judge', async () => {
    const port = await serve()
    await using clear = await connect({ host: '127.0.0.1', port })
    await expect(startTls(clear, {})).rejects.toThrow(TypeError)
  })
})

describe('on the wire', () => {
  /** Says `octets` to the listener after its greeting and gives all that it says until it closes or `enough` came. */
  async function say(port: number, octets: string, enough: RegExp): Promise<{ said: string; closed: boolean }> {
    const socket = dial({ host: '127.0.0.1', port })
    let said = ''
    let closed = false
    socket.on('error', () => {})
    const done = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        said += chunk.toString('latin1')
        if (enough.test(said)) resolve()
      })
      socket.on('close', () => {
        closed = true
        resolve()
      })
    })
    socket.write(octets)
    await done
    socket.destroy()
    return { said, closed }
  }
  const greeting = 'RPY 0 0 . 0 52\r\nContent-Type: application/beep+xml\r\n\r\n<greeting />\r\nEND\r\n'
  const ready = (content: string) => {
    const body = `Content-Type: application/beep+xml\r\n\r\n<start number='1'><profile uri='${TLS}'><![CDATA[${content}]]></profile></start>`
    return `MSG 0 1 . 52 ${body.length}\r\n${body}END\r\n`
  }

  test('R3080-3.1.1-04 a bad version is an error inside the positive reply', async () => {
    const port = await serve()
    const { said } = await say(port, greeting + ready('<ready version="oops" />'), /RPY 0 1 [\s\S]*END\r\n/)
    expect(said).toMatch(/RPY 0 1 [\s\S]*<!\[CDATA\[<error code='501'[\s\S]*<\/profile>END\r\n$/)
  })

  test('R3080-3.1.1-03 proceed rides in the reply and is the last octet in clear', async () => {
    const port = await serve()
    const { said } = await say(port, greeting + ready('<ready />'), /RPY 0 1 [\s\S]*END\r\n/)
    expect(said).toMatch(/<!\[CDATA\[<proceed \/>\]\]><\/profile>END\r\n$/)
  })

  test('octets behind <ready/> are plaintext injected: the session is terminated', async () => {
    const port = await serve()
    const { closed, said } = await say(port, `${greeting}${ready('<ready />')}MSG 0 2 . 9 0\r\nEND\r\n`, /never/)
    expect(closed).toBe(true)
    expect(said).not.toContain('ERR')
  })

  test('octets behind <proceed/> are plaintext injected: nothing of TLS is said', async () => {
    const server = createServer((socket) => {
      socket.write('RPY 0 0 . 0 52\r\nContent-Type: application/beep+xml\r\n\r\n<greeting />\r\nEND\r\n')
      let heard = ''
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        heard += chunk.toString('latin1')
        if (!heard.includes('MSG 0 1')) return
        const body = `Content-Type: application/beep+xml\r\n\r\n<profile uri='${TLS}'>&lt;proceed /></profile>`
        socket.write(`RPY 0 1 . 52 ${body.length}\r\n${body}END\r\nSEQ 0 0 9000\r\n`)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const clear = await connect({ host: '127.0.0.1', port })
    await expect(startTls(clear, { verify: accept })).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(await clear.closed).toMatchObject({ kind: 'terminated', error: { rule: 'rfc3080/3.1.3/injected' } })
    server.close()
  })
})
