// The handshake itself: cut anywhere, with certificates that authorities judge, and never begun again.
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { attach, connect, type Listener, listen, type Profile } from '../beep/index.js'
import { rawDial } from '../beep/test-kit-peer.js'
import { duplexPair } from '../beep/testing.js'
import { exportPrivateKey, generateKeys } from '../cloudy/crypto.js'
import { Identity } from '../cloudy/identity.js'
import { toPem } from '../cloudy/pem.js'
import { makeCertificate } from '../cloudy/self-signed.js'
import { ECHO, echo } from './echo.js'
import { peerCertificate, startTls, TLS, type TlsListenOptions, tls, whenTuned } from './tls.js'

const DAY = 86_400_000
const XML = 'Content-Type: application/beep+xml\r\n\r\n'
let ada: Identity
let bob: Identity
const closing: (() => unknown)[] = []

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'a.example' })
  bob = await Identity.generate({ nickname: 'b.example' })
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const credentials = (identity: Identity) => ({ key: identity.privateKeyPem(), cert: identity.certificatePem() })

async function serve({
  profiles = [],
  ...options
}: Partial<TlsListenOptions> & { profiles?: readonly Profile[] } = {}): Promise<{ listener: Listener; port: number }> {
  const profile = tls({ ...credentials(ada), clientCertificate: 'none', handshakeTimeout: 3000, ...options })
  const listener = await listen({ host: '127.0.0.1', profiles: [profile, ...profiles], greetingTimeout: 3000 })
  closing.push(() => listener.close())
  return { listener, port: listener.address.port }
}

/** A relay that lets `octets` pass after `<proceed/>`, in both directions together, then cuts. @returns its port, and what passed */
async function cutter(port: number, octets: () => number): Promise<{ port: number; passed: () => string }> {
  let passed = ''
  const server = createServer((near) => {
    const far = dial(port, '127.0.0.1')
    let clear = ''
    let left = octets()
    passed = ''
    const forward = (from: Socket, to: Socket) => {
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      from.on('data', (chunk: Buffer) => {
        if (!/proceed[\s\S]*END\r\n$/.test(clear)) {
          clear += chunk.toString('latin1')
          to.write(chunk)
          return
        }
        const piece = chunk.subarray(0, left)
        left -= piece.length
        passed += piece.toString('latin1')
        to.write(piece, () => left === 0 && near.destroy())
      })
    }
    forward(near, far)
    forward(far, near)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return { port: (server.address() as AddressInfo).port, passed: () => passed }
}

describe('a handshake that is cut', () => {
  test('after any octet: both sides end, nothing is said in clear, nothing hangs', async () => {
    const { listener, port } = await serve()
    // Up to the beginning of the greetings inside; some fifty octets more and the session would be up.
    let limit = 0
    const relay = await cutter(port, () => limit)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1340 }), async (octets) => {
        limit = octets
        const clear = await connect({ host: '127.0.0.1', port: relay.port })
        const [far] = listener.sessions
        await expect(startTls(clear, { verify: () => {} })).rejects.toThrow()
        expect((await clear.closed).kind).toBe('terminated')
        // The listener may have heard all that it needs before the cut: then the session that follows has the same end.
        const end = await far!.closed
        expect(end.kind === 'tuned' ? await end.next.closed : end).toMatchObject({ kind: 'terminated' })
        expect(relay.passed()).not.toMatch(/RPY|greeting/)
      }),
      { numRuns: 60 },
    )
    expect(listener.sessions.size).toBe(0)
  }, 20_000)
})

describe('certificates that an authority judges', () => {
  test('an expired one is refused', async () => {
    const keys = await generateKeys('P-256')
    const dates = { notBefore: new Date(Date.now() - 3 * DAY), notAfter: new Date(Date.now() - DAY) }
    const cert = toPem('CERTIFICATE', (await makeCertificate(keys, { nickname: 'a.example', ...dates })).der)
    const { port } = await serve({ key: toPem('PRIVATE KEY', await exportPrivateKey(keys)), cert })
    const clear = await connect({ host: '127.0.0.1', port })
    await expect(startTls(clear, { ca: cert, servername: 'a.example' })).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' })
  })

  test('the listener asks its authority, too: whom it knows is let in, who is a stranger or shows nothing is not', async () => {
    const { port } = await serve({ clientCertificate: 'required', ca: bob.certificatePem() })
    const session = () => connect({ host: '127.0.0.1', port })
    const known = await startTls(await session(), { ...credentials(bob), verify: () => {} })
    await known.release()
    await expect(startTls(await session(), { ...credentials(ada), verify: () => {} })).rejects.toThrow()
    await expect(startTls(await session(), { verify: () => {} })).rejects.toThrow()
  })
})

/** A peer of our listener that does TLS by itself. */
async function tuned(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const peer = await rawDial(port)
  peer.greet()
  const start = `<start number='1'><profile uri='${TLS}'><![CDATA[<ready />]]></profile></start>`
  peer.say(peer.frame('MSG 0 1', XML + start))
  await peer.expect(/proceed[\s\S]*END\r\n/)
  peer.stream.removeAllListeners('data')
  const socket = peer.stream as Socket
  const secure = connectTls({ socket, rejectUnauthorized: false, checkServerIdentity: () => undefined, ...options })
  secure.on('error', () => {})
  closing.push(() => secure.destroy())
  return secure
}

describe('once it is done', () => {
  test('TLS 1.2 renegotiates nothing: a peer that tries is cut off', async () => {
    const { port } = await serve({ maxVersion: 'TLSv1.2' })
    const secure = await tuned(port)
    await once(secure, 'data')
    secure.renegotiate({ rejectUnauthorized: false }, () => {})
    await once(secure, 'close')
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s resumes nothing: who comes again proves who they are again', async (version) => {
    const { port } = await serve({ minVersion: version, maxVersion: version })
    const sessions: Buffer[] = []
    const first = await tuned(port)
    first.on('session', (session) => sessions.push(session))
    await once(first, 'data')
    sessions.push(first.getSession()!)
    first.end()
    await once(first, 'close')
    for (const session of sessions) {
      const again = await tuned(port, { session })
      await once(again, 'data')
      expect(again.isSessionReused()).toBe(false)
    }
  })
})

describe('many at a time', () => {
  test('each is given its own peer, while others fail, one after the other and together', async () => {
    const names = Array.from({ length: 24 }, (_, n) => `${n}.example`)
    const people = await Promise.all(names.map((nickname) => Identity.generate({ nickname })))
    const asked: Profile = {
      uri: 'http://example.org/who',
      message: (_, { session }) => peerCertificate(session)?.subject ?? 'nobody',
    }
    const refused = new Error('not these')
    const { listener, port } = await serve({
      clientCertificate: 'required',
      verify: ({ subject }) => {
        if (/[05]\.example/.test(subject)) throw refused
      },
      profiles: [whenTuned(asked)],
    })
    const visit = async (identity: Identity) => {
      const clear = await connect({ host: '127.0.0.1', port })
      await using secure = await startTls(clear, { ...credentials(identity), verify: () => {} })
      const channel = await secure.start(asked.uri)
      return (await channel.request('who am I?')).text()
    }
    for (let round = 0; round < 2; round++) {
      const seen = await Promise.allSettled(people.map(visit))
      for (const [n, outcome] of seen.entries()) {
        if (/[05]$/.test(String(n))) expect(outcome.status).toBe('rejected')
        else expect(outcome).toMatchObject({ value: `CN=${names[n]}` })
      }
    }
    expect(await visit(people[1]!)).toBe('CN=1.example')
    expect(listener.sessions.size).toBe(0)
  })
})

describe('on a transport in memory', () => {
  const profile = () => tls({ ...credentials(ada), clientCertificate: 'none', handshakeTimeout: 3000 })

  test('a session is tuned', async () => {
    const [i, l] = duplexPair()
    const [initiator] = await Promise.all([attach(i, 'initiator'), attach(l, 'listener', { profiles: [profile(), echo] })])
    const secure = await startTls(initiator, { verify: () => {} })
    expect(await (await (await secure.start(ECHO)).request('x')).text()).toBe('x')
    await secure.release()
  })

  test('R3080-3.1.3.1-06 both peers at once: each refuses, for its own question cannot be answered before, and nobody waits', async () => {
    const [i, l] = duplexPair()
    const options = { profiles: [profile()], settleTimeout: 0, startTimeout: 0 }
    const both = await Promise.all([attach(i, 'initiator', options), attach(l, 'listener', options)])
    const ends = await Promise.allSettled(both.map((session) => startTls(session, { verify: () => {} })))
    for (const end of ends) expect(end).toMatchObject({ status: 'rejected', reason: { replyCode: 450 } })
    for (const session of both) session.terminate()
  })
})
