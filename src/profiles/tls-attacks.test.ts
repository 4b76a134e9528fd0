// TLS against peers that speak by hand (RFC 3080 §3.1): at the wrong time, too much, or not at all. Nothing falls back, nothing waits for ever.
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Listener, type ListenOptions, listen, type Profile, type Session } from '../beep/index.js'
import { deferred } from '../beep/promises.js'
import { RawPeer, rawDial, rawPair, rawServer, rawStart, soon, turns } from '../beep/test-kit-peer.js'
import { Identity } from '../cloudy/identity.js'
import { ECHO, echo } from './echo.js'
import { startTls, TLS, type TlsListenOptions, tls } from './tls.js'

let credentials: { key: string; cert: string }
const open: { close(): unknown }[] = []

beforeAll(async () => {
  const ada = await Identity.generate({ nickname: 'Ada' })
  credentials = { key: ada.privateKeyPem(), cert: ada.certificatePem() }
})
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

const accept = () => {}
const READY = '&lt;ready /&gt;'
/** The record of TLS that begins a handshake. */
const CLIENT_HELLO = /[^\t\r\n -~]{2}/
const profile = (options: Partial<TlsListenOptions> = {}) => tls({ ...credentials, handshakeTimeout: 1000, ...options })

async function serve(options: Partial<ListenOptions> = {}, how: Partial<TlsListenOptions> = {}): Promise<Listener> {
  const listener = await listen({
    host: '127.0.0.1',
    profiles: [profile(how), echo],
    greetingTimeout: 1000,
    releaseTimeout: 100,
    settleTimeout: 100,
    ...options,
  })
  open.push(listener)
  return listener
}

/** A peer that dialled, greeted, and asks for the TLS channel; with `ready`, the tuning message rides along. */
async function asking(listener: Listener, ready = ''): Promise<RawPeer> {
  const peer = await rawDial(listener.address.port)
  await peer.greet().expect(/END\r\n/)
  peer.say(peer.management('MSG 1', `<start number='1'><profile uri='${TLS}'>${ready}</profile></start>`))
  return peer
}

/** The client's side of the handshake, by hand; then BEEP by hand on top of it. */
async function secured(peer: RawPeer): Promise<RawPeer> {
  const socket = peer.stream as Socket
  socket.removeAllListeners('data')
  const secure = connectTls({ socket, rejectUnauthorized: false, checkServerIdentity: () => undefined })
  secure.on('error', () => {})
  await new Promise((resolve) => secure.once('secureConnect', resolve))
  return new RawPeer(secure)
}

const message = (peer: RawPeer, head: string, element: string) =>
  peer.frame(head, `Content-Type: application/beep+xml\r\n\r\n${element}`)

describe('a listener that serves TLS', () => {
  test('R3080-3.1.3.1-01 R3080-3.1.3.2-03 <ready/> as a MSG is answered by <proceed/>, the last octets in clear', async () => {
    const listener = await serve()
    const peer = await asking(listener)
    await peer.expect(/RPY 0 1 [\s\S]*<profile uri='http:\/\/iana.org\/beep\/TLS' \/>END\r\n/)
    peer.say(message(peer, 'MSG 1 0', `<ready version='1' />`))
    await peer.expect(/RPY 1 0 \. 0 \d+\r\nContent-Type: application\/beep\+xml\r\n\r\n<proceed \/>END\r\n$/)
    const secure = await secured(peer)
    await secure.greet().expect(/RPY 0 0 \. 0 \d+\r\n/)
    expect(secure.heard).not.toContain(TLS)
    await rawStart(secure, 1, ECHO)
    secure.say(secure.frame('MSG 1 0', '\r\nprivate'))
    await secure.expect(/RPY 1 0 \. 0 9\r\n\r\nprivateEND\r\n/)
    // Tuned once is enough.
    secure.say(secure.management('MSG 2', `<start number='3'><profile uri='${TLS}'>${READY}</profile></start>`))
    await secure.expect(/ERR 0 2 [\s\S]*<error code='550'/)
    secure.stream.destroy()
  })

  test.each([
    ['<proceed />', 501],
    [`<error code='450' />`, 501],
    [`<ready version='oops' />`, 501],
    [`<ready version='9' />`, 504],
    ['no XML', 500],
  ])('R3080-3.1.3.1-06 R3080-2.7-04 %s as a MSG is ERR, and the channel may try again', async (element, code) => {
    const peer = await asking(await serve())
    await peer.expect(/RPY 0 1 [\s\S]*END\r\n/)
    peer.say(message(peer, 'MSG 1 0', element))
    await peer.expect(new RegExp(`ERR 1 0 [\\s\\S]*<error code='${code}'`))
    peer.say(message(peer, 'MSG 1 1', '<ready />'))
    await peer.expect(/RPY 1 1 [\s\S]*<proceed \/>END\r\n$/)
    peer.stream.destroy()
  })

  test.each([
    ['riding in the start', true],
    ['as a MSG', false],
  ])('R3080-3.1.3.1-04 <ready/> %s waits for the replies that are owed', async (_what, riding) => {
    const go = deferred<string>()
    const slow: Profile = { uri: 'u:slow', message: () => go.promise }
    const listener = await serve({ profiles: [profile(), slow], settleTimeout: 1000 })
    const peer = await rawDial(listener.address.port)
    await peer.greet().expect(/END\r\n/)
    await rawStart(peer, 1, 'u:slow', 1)
    if (!riding) await rawStart(peer, 3, TLS, 2)
    peer.say(peer.frame('MSG 1 0', '\r\nx'))
    if (riding) peer.say(peer.management('MSG 2', `<start number='3'><profile uri='${TLS}'>${READY}</profile></start>`))
    else peer.say(message(peer, 'MSG 3 0', '<ready />'))
    await turns(10)
    expect(peer.heard).not.toContain('proceed')
    go.resolve('at last')
    await peer.expect(/RPY 1 0 [\s\S]*at lastEND\r\nRPY [03] [\s\S]*proceed/)
    const secure = await secured(peer)
    await secure.greet().expect(/RPY 0 0 \. 0 /)
    secure.stream.destroy()
  })

  test.each([
    ['riding in the start, the channel is there and says so', true, /RPY 0 2 [\s\S]*error code='450'[\s\S]*END\r\n/],
    ['as a MSG, it is ERR', false, /ERR 3 0 [\s\S]*<error code='450'/],
  ])(
    'R3080-3.1.1-04 our own request that crosses <ready/> refuses it at once: %s; all goes on',
    async (_what, riding, refusal) => {
      const sessions: Session[] = []
      const listener = await serve({ settleTimeout: 0, onSession: (each) => sessions.push(each) })
      const peer = await rawDial(listener.address.port)
      await peer.greet().expect(/END\r\n/)
      await rawStart(peer, 1, ECHO, 1)
      if (!riding) await rawStart(peer, 3, TLS, 2)
      const asked = sessions[0]!.channels.get(1)!.request('?')
      await peer.expect(/MSG 1 0 [\s\S]*END\r\n/)
      if (riding) peer.say(peer.management('MSG 2', `<start number='3'><profile uri='${TLS}'>${READY}</profile></start>`))
      else peer.say(message(peer, 'MSG 3 0', '<ready />'))
      await peer.expect(refusal)
      peer.say(peer.frame('RPY 1 0', '\r\n!') + peer.frame('MSG 1 0', '\r\non'))
      expect(await (await asked).text()).toBe('!')
      await peer.expect(/RPY 1 0 [\s\S]*onEND\r\n/)
      // The TLS channel exists, whatever became of its first operation.
      peer.say(message(peer, 'MSG 3 1', '<ready />'))
      await peer.expect(/RPY 3 1 [\s\S]*<proceed \/>END\r\n$/)
      peer.stream.destroy()
    },
  )

  test('R3080-3.1.3.1-06 a reply that is not given in time refuses <ready/>', async () => {
    const silent: Profile = { uri: 'u:silent', message: () => new Promise<string>(() => {}) }
    const peer = await rawDial((await serve({ profiles: [profile(), silent], settleTimeout: 30 })).address.port)
    await peer.greet().expect(/END\r\n/)
    await rawStart(peer, 1, 'u:silent', 1)
    peer.say(
      peer.frame('MSG 1 0', '\r\nx') +
        peer.management('MSG 2', `<start number='3'><profile uri='${TLS}'>${READY}</profile></start>`),
    )
    await peer.expect(/RPY 0 2 [\s\S]*error code='450'[\s\S]*END\r\n/)
    peer.stream.destroy()
  })

  test.each([
    ['the beginning of a frame', () => 'MS'],
    ['a frame', (peer: RawPeer) => peer.management('MSG 2', `<start number='3'><profile uri='${ECHO}' /></start>`)],
    ['a SEQ frame', () => 'SEQ 0 0 8192\r\n'],
  ])('R3080-3.1.3.1-03 %s behind <ready/> is plaintext injected: nothing is said any more', async (_what, behind) => {
    const riding = await rawDial((await serve()).address.port)
    await riding.greet().expect(/END\r\n/)
    const asMessage = await asking(await serve())
    await asMessage.expect(/RPY 0 1 [\s\S]*END\r\n/)
    const before = [riding.heard.length, asMessage.heard.length]
    const start = riding.management('MSG 1', `<start number='1'><profile uri='${TLS}'>${READY}</profile></start>`)
    riding.say(start + behind(riding))
    asMessage.say(message(asMessage, 'MSG 1 0', '<ready />') + behind(asMessage))
    await Promise.all([riding.end(), asMessage.end()])
    expect([riding.heard.length, asMessage.heard.length]).toEqual(before)
  })

  test('what stands behind a <ready/> that is refused is looked at then', async () => {
    const peer = await asking(await serve())
    await peer.expect(/RPY 0 1 [\s\S]*END\r\n/)
    const more = peer.management('MSG 2', `<start number='3'><profile uri='${ECHO}' /></start>`)
    peer.say(message(peer, 'MSG 1 0', `<ready version='oops' />`) + more)
    await peer.expect(/ERR 1 0 /)
    await turns()
    expect(peer.heard).toMatch(/RPY 0 2 /)
    peer.stream.destroy()
  })

  test('a peer that never begins the handshake is let go after handshakeTimeout', async () => {
    const listener = await serve({}, { handshakeTimeout: 50 })
    const peer = await asking(listener, READY)
    await peer.expect(/proceed/)
    await peer.end()
    expect(listener.sessions.size).toBe(0)
  })

  test('no TLS where TLS was agreed: nothing is said in clear', async () => {
    const peer = await asking(await serve(), READY)
    await peer.expect(/proceed[\s\S]*END\r\n/)
    const before = peer.heard.length
    peer.greet().say(peer.management('MSG 1', `<start number='1'><profile uri='${ECHO}' /></start>`))
    await peer.end()
    // An alert of TLS at most.
    expect(peer.heard.slice(before)).not.toMatch(/RPY|ERR|greeting/)
  })

  test('a handshake that is cut ends the session', async () => {
    const listener = await serve()
    const ends: Promise<unknown>[] = []
    for (const session of listener.sessions) ends.push(session.closed)
    const peer = await asking(listener, READY)
    await peer.expect(/proceed/)
    const [session] = listener.sessions
    peer.say(Buffer.from([0x16, 0x03, 0x01]))
    peer.stream.destroy()
    expect(await soon(session!.closed)).toMatchObject({ kind: 'terminated' })
  })

  test.each([
    ['while the handshake is due', false],
    ['while the greeting inside TLS is due', true],
  ])('closing the listener %s does not wait for the peer', async (_what, shaken) => {
    const listener = await serve({ greetingTimeout: 20_000 }, { handshakeTimeout: 20_000 })
    const peer = await asking(listener, READY)
    await peer.expect(/proceed[\s\S]*END\r\n/)
    const last = shaken ? await secured(peer) : peer
    if (shaken) await last.expect(/greeting/)
    expect(await soon(listener.close(), 1500)).toBeUndefined()
    await last.end()
  })

  test('a session inside TLS that does not greet counts, and ends after greetingTimeout', async () => {
    const listener = await serve({ maxSessions: 1, greetingTimeout: 200 })
    const peer = await asking(listener, READY)
    await peer.expect(/proceed[\s\S]*END\r\n/)
    const secure = await secured(peer)
    await secure.expect(/greeting/)
    await expect(connect({ host: '127.0.0.1', port: listener.address.port })).rejects.toMatchObject({ replyCode: 421 })
    await secure.end()
    await turns()
    expect(listener.sessions.size).toBe(0)
  })

  test('an answer for which the peer grants no window is not waited for beyond settleTimeout', async () => {
    // The greeting fills the window of channel 0, and no SEQ opens it.
    const long: Profile = { uri: `http://example.org/${'x'.repeat(3900)}` }
    const listener = await serve({ profiles: [profile(), long] })
    const peer = await asking(listener, READY)
    await peer.end()
    expect(peer.heard).not.toContain('proceed')
  })
})

describe('an initiator that asks for TLS', () => {
  /** We ask; the peer, by hand, has heard <ready/>. */
  async function asked(options = {}) {
    const { session, peer } = await rawPair('initiator', options, [TLS])
    const tuning = startTls(session, { verify: accept, handshakeTimeout: 500 })
    tuning.catch(() => {})
    await peer.expect(/MSG 0 1 [\s\S]*<start [\s\S]*ready \/[\s\S]*<\/start>END\r\n/)
    return { session, peer, tuning }
  }
  const reply = (peer: RawPeer, content: string) =>
    peer.say(peer.management('RPY 1', `<profile uri='${TLS}'>${content}</profile>`))

  test('R3080-3.1.3.1-03 R3080-3.1.3.1-05 R3080-3.1.3.2-07 nothing is said after <ready/>, not even SEQ; refused, all of it leaves', async () => {
    const { session, peer } = await rawPair('initiator', {}, [TLS, ECHO])
    const starting = session.start(ECHO)
    await peer.expect(/<start [\s\S]*END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='${ECHO}' />`))
    const channel = await starting
    const tuning = startTls(session, { verify: accept })
    await peer.expect(/ready[\s\S]*END\r\n/)
    const before = peer.heard.length
    const request = channel.request('held')
    const closing = session.start('u:other')
    closing.catch(() => {})
    peer.say(peer.frame('MSG 1 0', `\r\n${'x'.repeat(3000)}`))
    await turns(10)
    expect(peer.heard.length).toBe(before)
    peer.say(peer.management('ERR 2', `<error code='450'>not now</error>`))
    await expect(tuning).rejects.toMatchObject({ replyCode: 450, text: 'not now' })
    await peer.expect(/SEQ 1 /)
    await peer.expect(/u:other/)
    await peer.expect(/ERR 1 0 /)
    expect(peer.heard).toMatch(/MSG 1 0 \. 0 6\r\n\r\nheldEND/)
    peer.say(peer.frame('RPY 1 0', '\r\nok'))
    expect(await (await request).text()).toBe('ok')
    session.terminate()
  })

  test.each([
    ['<error/>', `&lt;error code='450'&gt;later&lt;/error&gt;`, { replyCode: 450, text: 'later' }],
    ['an <error/> without sense', `&lt;error code='oops' /&gt;`, { code: 'BEEP_ERR_REPLY' }],
    ['nothing', '', { replyCode: 500 }],
    ['no XML', 'proceed', { code: 'BEEP_ERR_REPLY' }],
    ['another element', '&lt;ready /&gt;', { replyCode: 501 }],
  ])('R3080-3.1.3.2-07 %s in the answer: its channel is closed, the session goes on', async (_what, content, error) => {
    const { session, peer, tuning } = await asked()
    reply(peer, content)
    await peer.expect(/<close number='1' code='200' \/>END\r\n/)
    // Even if the close is refused, the caller hears why the tuning failed.
    peer.say(peer.management('ERR 2', `<error code='550' />`))
    await expect(tuning).rejects.toMatchObject(error)
    expect(await soon(session.closed, 20)).toBe('pending')
    session.terminate()
  })

  test('a peer that never answers <ready/>: after startTimeout only the end is left', async () => {
    const { session, peer, tuning } = await asked({ startTimeout: 50 })
    const before = peer.heard.length
    await expect(soon(tuning)).rejects.toMatchObject({ code: 'BEEP_ERR_TIMEOUT' })
    await peer.end()
    expect(peer.heard.length).toBe(before)
    expect((await session.closed).kind).toBe('terminated')
  })

  test.each([
    ['never shakes hands', () => {}],
    ['hangs up', (peer: RawPeer) => void peer.stream.destroy()],
    ['speaks no TLS', (peer: RawPeer) => peer.say('SSH-2.0-x\r\n')],
    ['goes on in clear', (peer: RawPeer) => peer.say(peer.management('RPY 0', '<greeting />'))],
  ])('a peer that says <proceed/> and %s', async (_what, behave) => {
    const { session, peer, tuning } = await asked()
    reply(peer, '&lt;proceed /&gt;')
    await peer.expect(CLIENT_HELLO)
    behave(peer)
    await expect(soon(tuning, 2000)).rejects.toThrow()
    expect((await session.closed).kind).toBe('terminated')
    expect(peer.heard.match(/greeting/g)?.length).toBe(1)
  })

  test('it may be terminated in the midst of the handshake', async () => {
    const { session, peer, tuning } = await asked()
    reply(peer, '&lt;proceed /&gt;')
    await peer.expect(CLIENT_HELLO)
    session.terminate(new Error('enough'))
    await expect(soon(tuning)).rejects.toThrow()
    await peer.end()
    expect(await session.closed).toMatchObject({ kind: 'terminated', error: { message: 'enough' } })
  })

  test('it waits for exchanges under way, however they end', async () => {
    const { session, peer } = await rawPair('initiator', {}, [TLS, ECHO])
    const starting = session.start(ECHO)
    await peer.expect(/<start [\s\S]*END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='${ECHO}' />`))
    const channel = await starting
    const exchange = channel.send('x')
    await peer.expect(/MSG 1 0 [\s\S]*END\r\n/)
    const tuning = startTls(session, { verify: accept })
    tuning.catch(() => {})
    await turns(5)
    expect(peer.heard).not.toContain('ready')
    peer.say(peer.frame('NUL 1 0'))
    await peer.expect(/ready/)
    for await (const _ of exchange);
    session.terminate()
    await expect(tuning).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
  })

  test('two tunings at once: one is done, the other ends with the session', async () => {
    const listener = await serve()
    const session = await connect({ host: '127.0.0.1', port: listener.address.port })
    const both = await Promise.allSettled([startTls(session, { verify: accept }), startTls(session, { verify: accept })])
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected'])
    for (const each of both) if (each.status === 'fulfilled') await each.value.release()
  })

  test('R3080-3.1.3.2-06 a listener that asks is the client of the handshake', async () => {
    const server = await rawServer(() => {})
    open.push(server)
    const listener = await serve({
      profiles: [],
      onSession: (session) => {
        if (session.tls === undefined) startTls(session, { verify: accept }).catch(() => {})
      },
    })
    const peer = await rawDial(listener.address.port)
    peer.greet([TLS])
    await peer.expect(/MSG 0 1 [\s\S]*<start number='2'>[\s\S]*ready/)
    reply(peer, '&lt;proceed /&gt;')
    await peer.expect(CLIENT_HELLO)
    peer.stream.destroy()
  })
})
