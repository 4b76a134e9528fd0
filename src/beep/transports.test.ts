// One session is like another, whatever carries it: TCP over IPv4 and IPv6, a Unix socket, a Duplex, a pair in memory.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { Identity } from '../cloudy/identity.js'
import { ECHO, echo } from '../profiles/echo.js'
import { startTls, tls } from '../profiles/tls.js'
import { attach, type ConnectOptions, connect, type ListenOptions, listen, type Session } from './index.js'
import { duplexPair, sessionPair } from './testing.js'

async function works(session: Session): Promise<void> {
  const channel = await session.start(ECHO)
  const body = Buffer.alloc(200_000, 'octets')
  expect((await (await channel.request(body)).bytes()).equals(body)).toBe(true)
  await session.release()
  expect(await session.closed).toEqual({ kind: 'released', by: 'us' })
}

async function overSockets(listening: Partial<ListenOptions>, dialling: (port: number) => ConnectOptions): Promise<void> {
  await using listener = await listen({ profiles: [echo], ...listening })
  await works(await connect(dialling(listener.address.port)))
}

test('R3081-2-01 TCP over IPv4: who dials is the initiator, who awaits the listener', async () => {
  const roles: string[] = []
  await overSockets({ host: '127.0.0.1', onSession: ({ role }) => void roles.push(role) }, (port) => ({
    host: '127.0.0.1',
    port,
  }))
  expect(roles).toEqual(['listener'])
})

test('TCP over IPv6', () => overSockets({ host: '::1' }, (port) => ({ host: '::1', port })))

test('a socket that was accepted paused', async () => {
  const accepted: Promise<Session>[] = []
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    accepted.push(attach(socket, 'listener', { profiles: [echo] }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  await works(await connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }))
  await Promise.all(accepted)
  server.close()
})

test('a host name', () => overSockets({ host: 'localhost' }, (port) => ({ port })))

test('a Unix socket, in clear and tuned to TLS', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'beep-unix-'))
  const path = join(folder, 'socket')
  await overSockets({ path }, () => ({ path }))
  const identity = await Identity.generate()
  const profile = tls({ key: identity.privateKeyPem(), cert: identity.certificatePem(), clientCertificate: 'none' })
  await using listener = await listen({ path, profiles: [profile, echo] })
  expect(listener.address.address).toBe(path)
  await works(await startTls(await connect({ path }), { verify: () => {} }))
  await rm(folder, { recursive: true })
})

test('sockets that somebody else opened', async () => {
  const server = createServer((socket) => void attach(socket, 'listener', { profiles: [echo] }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await works(await attach(dial(port, '127.0.0.1'), 'initiator'))
  server.close()
})

test('a socket that somebody else reads too, and in which octets wait already', async () => {
  const server = createServer((socket) => void attach(socket, 'listener', { profiles: [echo] })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = dial((server.address() as { port: number }).port, '127.0.0.1')
  await once(socket, 'readable')
  expect(socket.readableLength).toBeGreaterThan(0)
  const session = await attach(socket, 'initiator')
  const seen: Buffer[] = []
  socket.on('data', (chunk: Buffer) => seen.push(chunk))
  const channel = await session.start(ECHO)
  await (await channel.request('once')).text()
  expect(Buffer.concat(seen).toString()).toContain('\r\n\r\nonceEND\r\n')
  await session.release()
  server.close()
})

test('any Duplex', async () => {
  const [i, l] = duplexPair()
  const [initiator] = await Promise.all([attach(i, 'initiator'), attach(l, 'listener', { profiles: [echo] })])
  await works(initiator)
})

test('a pair in memory', async () => {
  const { initiator } = await sessionPair({}, { profiles: [echo] })
  await works(initiator)
})

test('a place where nobody listens, and one that is no BEEP, are errors and not silence', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'BEEP_ERR_CLOSED',
    cause: { rule: 'rfc3080/2.2.1.1/keyword' },
  })
  server.close()
  await once(server, 'close')
  await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a session that onSession terminates is none: connect rejects', async () => {
  await using listener = await listen({ host: '127.0.0.1', profiles: [echo] })
  const { port } = listener.address
  const refused = connect({ host: '127.0.0.1', port, onSession: (session) => session.terminate(new Error('not you')) })
  await expect(refused).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED', cause: { message: 'not you' } })
})
