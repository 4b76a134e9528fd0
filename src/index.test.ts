// TLS in one call: who is trusted, which certificate is shown for which name, and that a greeting without TLS is refused.
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import { Identity } from './cloudy/identity.js'
import { connect, type Listener, type ListenOptions, listen, ReplyError } from './index.js'
import { ECHO, echo } from './profiles/echo.js'
import { startTls, TLS, tls } from './profiles/tls.js'

let ada: Identity
let bob: Identity
const listeners: Listener[] = []

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'a.example' })
  bob = await Identity.generate({ nickname: 'b.example' })
})
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close()
})

const credentials = (identity: Identity) => ({ key: identity.privateKeyPem(), cert: identity.certificatePem() })
const verify = () => {}

async function serve(options: Partial<ListenOptions> = {}): Promise<{ host: string; port: number }> {
  const listener = await listen({
    host: '127.0.0.1',
    profiles: [echo],
    tls: { ...credentials(ada), clientCertificate: 'none' },
    ...options,
  })
  listeners.push(listener)
  return { host: '127.0.0.1', port: listener.address.port }
}

test('connect with tls gives a session that is private', async () => {
  await using session = await connect({ ...(await serve()), tls: { verify } })
  expect(session.tls?.getProtocol()).toBe('TLSv1.3')
  expect(session.tls?.exportKeyingMaterial(32, 'EXPORTER-test', Buffer.alloc(0))).toHaveLength(32)
  expect(session.greeting.profiles).toEqual([ECHO])
})

test('a certificate must be for the host that was dialled', async () => {
  const place = await serve()
  const tls = { ca: ada.certificatePem() }
  await expect(connect({ ...place, tls })).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  await expect(connect({ ...place, tls: { ...tls, servername: 'b.example' } })).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
  await using session = await connect({ ...place, tls: { ...tls, servername: 'a.example' } })
  expect(session.tls?.authorized).toBe(true)
})

test('R3080-9-01 a greeting without TLS is refused, and nothing is told in clear', async () => {
  const greetings: unknown[] = []
  const place = await serve({ tls: undefined, onSession: (session) => greetings.push(session.greeting.profiles) })
  await expect(connect({ ...place, profiles: [echo], tls: { verify } })).rejects.toMatchObject({ code: 'BEEP_ERR_NO_TLS' })
  expect(greetings).toEqual([[]])
})

test('R3080-9-01 a listener that requires TLS serves nothing in clear', async () => {
  await using session = await connect(await serve())
  expect(session.greeting.profiles).toEqual([TLS])
  await expect(session.start(ECHO)).rejects.toMatchObject({ replyCode: 550 })
})

test('R3080-2.3.1.2-18 the certificate is chosen by the server name, which may be refused', async () => {
  const credentialsFor = (serverName: string | undefined) => {
    if (serverName === 'b.example') return credentials(bob)
    if (serverName !== undefined) throw new ReplyError(550, 'that is not me')
    return undefined
  }
  const place = await serve({ tls: { ...credentials(ada), clientCertificate: 'none', credentialsFor } })
  const shown: string[] = []
  const show = { verify: (certificate: { subject: string }) => void shown.push(certificate.subject) }
  for (const serverName of [undefined, 'b.example']) {
    await using session = await connect({ ...place, tls: { ...show, serverName } })
    expect(session.tls).toBeDefined()
  }
  expect(shown).toEqual(['CN=a.example', 'CN=b.example'])
  await expect(connect({ ...place, tls: { ...show, serverName: 'c.example' } })).rejects.toMatchObject({ replyCode: 550 })
})

test('the listener may be the one who asks for TLS, and is its client then', async () => {
  let name = ''
  const done: Promise<void>[] = []
  const judge = (certificate: { subject: string }) => {
    name = certificate.subject
  }
  const listener = await listen({
    host: '127.0.0.1',
    profiles: [echo],
    onSession: (session) => {
      if (session.tls === undefined) done.push(startTls(session, { verify: judge }).then(() => {}))
    },
  })
  listeners.push(listener)
  const session = await connect({
    host: '127.0.0.1',
    port: listener.address.port,
    profiles: [tls({ ...credentials(bob), clientCertificate: 'none' })],
  })
  const end = await session.closed
  if (end.kind !== 'tuned') throw new Error(end.kind)
  await Promise.all(done)
  expect(name).toBe('CN=b.example')
  const channel = await end.next.start(ECHO)
  expect(channel.number).toBe(1)
  await end.next.release()
})

test('connect that fails leaves no connection: refused TLS, or an option that no greeting can say', async () => {
  const place = await serve({
    tls: {
      ...credentials(ada),
      credentialsFor() {
        throw new ReplyError(550, 'I am not that server')
      },
    },
  })
  const sockets = () => process.getActiveResourcesInfo().filter((each) => each.startsWith('TCPSocket')).length
  await expect(connect({ ...place, tls: { verify, serverName: 'x' } })).rejects.toMatchObject({ replyCode: 550 })
  await expect(connect({ ...place, features: ['two words'] })).rejects.toThrow('one token')
  const [listener] = listeners
  await Promise.all([...listener!.sessions].map(({ closed }) => closed))
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect([listener!.sessions.size, sockets()]).toEqual([0, 0])
})
