// Requirements that show at the border of a session, each by its id: what is said at the start, which reply codes, how it ends, what TLS keeps.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect as dial } from 'node:net'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { Identity } from '../cloudy/identity.js'
import { ECHO, echo } from '../profiles/echo.js'
import { startTls, TLS, tls, whenTuned } from '../profiles/tls.js'
import { Engine } from './engine/engine.js'
import { connect, type EndNotice, type ErrorNotice, type Listener, type ListenOptions, listen, type Profile } from './index.js'
import { deferred } from './promises.js'
import { CLIENT_HELLO, rawDial, rawPair, rawServer, rawStart, turns } from './test-kit-peer.js'
import { sessionPair } from './testing.js'

const XML = 'Content-Type: application/beep+xml\r\n\r\n'
/** The same in a pattern. */
const XML_PATTERN = XML.replace('+', '\\+')
let ada: Identity
const listeners: Listener[] = []

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
})
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close()
})

const tlsProfile = (options: Partial<Parameters<typeof tls>[0]> = {}) =>
  tls({ key: ada.privateKeyPem(), cert: ada.certificatePem(), clientCertificate: 'none', ...options })

async function serve(options: Partial<ListenOptions> = {}): Promise<number> {
  const listener = await listen({ host: '127.0.0.1', profiles: [echo], ...options })
  listeners.push(listener)
  return listener.address.port
}

describe('how a session begins and ends', () => {
  test('R3080-3-01 R3080-5.2-01 R3080-6.4-08 it begins in clear with a greeting that has one header and no unregistered feature', async () => {
    const peer = await rawDial(await serve())
    const body = `${XML}<greeting><profile uri='${ECHO}' /></greeting>`
    expect(await peer.expect(/^[\s\S]*?END\r\n/)).toBe(`RPY 0 0 . 0 ${body.length}\r\n${body}END\r\n`)
    expect(peer.heard.charCodeAt(0)).toBe(0x52)
    peer.stream.destroy()
  })

  test('R3081-2-06 a violation is answered by nothing but a reset', async () => {
    const socket = dial({ host: '127.0.0.1', port: await serve() })
    await once(socket, 'data')
    const failed = once(socket, 'error')
    socket.write('FOO 0 0 . 0 0\r\nEND\r\n')
    expect(((await failed)[0] as NodeJS.ErrnoException).code).toBe('ECONNRESET')
  })

  test('R3080-8-02 R3080-2.3.1.5-07 whoever is not available says ERR 421, and both sides note it', async () => {
    const ends: string[] = []
    const errors: string[] = []
    const onEnd = (notice: unknown) => ends.push((notice as EndNotice).reason.kind)
    const onError = (notice: unknown) => errors.push(String((notice as ErrorNotice).error))
    subscribe('beep:end', onEnd)
    subscribe('beep:error', onError)
    const port = await serve({ maxSessions: 0 })
    const peer = await rawDial(port)
    await peer.expect(new RegExp(`^ERR 0 0 \\. 0 \\d+\\r\\n${XML_PATTERN}<error code='421' />END\\r\\n$`))
    await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ replyCode: 421 })
    unsubscribe('beep:end', onEnd)
    unsubscribe('beep:error', onError)
    expect(ends).toContain('refused')
    expect(errors.filter((each) => each.includes('421')).length).toBeGreaterThan(0)
  })

  test('R3080-7.1-11 ERR instead of a greeting ends it, when the initiator says it, too', () => {
    const engine = new Engine('listener')
    engine.greet({})
    const element = `${XML}<error code='421' />`
    engine.receive(Buffer.from(`ERR 0 0 . 0 ${element.length}\r\n${element}END\r\n`))
    expect(engine.nextEvent()).toMatchObject({ type: 'refused', error: { replyCode: 421 } })
    expect(engine.state).toBe('released')
  })

  test('R3080-8-01 a close and a release without a code say 200', async () => {
    const { session, peer } = await rawPair('initiator', {}, [ECHO])
    const starting = session.start(ECHO)
    await peer.expect(/MSG 0 1 [\s\S]*?END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='${ECHO}' />`))
    const closed = (await starting).close()
    await peer.expect(/<close number='1' code='200' \/>END\r\n/)
    peer.say(peer.management('RPY 2', '<ok />'))
    await closed
    const released = session.release()
    await peer.expect(/<close number='0' code='200' \/>END\r\n/)
    peer.say(peer.management('RPY 3', '<ok />'))
    await released
  })
})

describe('profiles and reply codes', () => {
  test('R3080-2.2.2-01 a profile says what it begins with, what may be said and what it means', async () => {
    const heard: unknown[] = []
    const profile: Profile = {
      uri: 'u:full',
      start: ({ initial }) => {
        heard.push(initial?.toString())
        return 'welcome'
      },
      message: async (message) => {
        heard.push(await message.text())
        return 'understood'
      },
    }
    const { initiator } = await sessionPair({}, { profiles: [profile] })
    const channel = await initiator.start('u:full', { initial: 'hello' })
    expect(channel.initial?.toString()).toBe('welcome')
    expect(await (await channel.request('question')).text()).toBe('understood')
    expect(heard).toEqual(['hello', 'question'])
    await initiator.release()
  })

  test.each([
    ['R3080-8-04', 500, "<start number='1'>"],
    ['R3080-8-05', 501, `<start><profile uri='${ECHO}' /></start>`],
    ['R3080-8-08', 550, "<start number='1'><profile uri='u:none' /></start>"],
    ['R3080-8-08', 553, "<close number='9' code='200' />"],
  ])('%s ERR %i answers what fits it, and the session goes on', async (_id, code, element) => {
    const { peer } = await rawPair('listener', { profiles: [echo] })
    peer.say(peer.management('MSG 1', element))
    await peer.expect(new RegExp(`^ERR 0 1 \\. \\d+ \\d+\\r\\n${XML_PATTERN}<error code='${code}'`))
    await rawStart(peer, 1, ECHO, 2)
  })

  test('R3080-8-03 a handler that fails is ERR 451', async () => {
    const profile: Profile = {
      uri: 'u:fails',
      message: () => {
        throw new Error('inside')
      },
    }
    const { initiator } = await sessionPair({}, { profiles: [profile] })
    const channel = await initiator.start('u:fails')
    await expect(channel.request('x')).rejects.toMatchObject({ replyCode: 451, text: '' })
    await initiator.release()
  })

  test('R3080-8-10 a code that nobody knows is accepted, and classed by its first digit', async () => {
    const { session, peer } = await rawPair('initiator')
    const starting = session.start('u:any')
    await peer.expect(/<start[\s\S]*END\r\n/)
    peer.say(peer.management('ERR 1', "<error code='599'>x</error>"))
    await expect(starting).rejects.toMatchObject({ code: 'BEEP_ERR_REPLY', replyCode: 599 })
  })
})

describe('tuning', () => {
  test('R3080-2-02 only one tuning channel exists at a time', async () => {
    const { peer } = await rawPair('listener', { profiles: [tlsProfile(), { uri: 'u:tuning', tuning: true }] })
    await rawStart(peer, 1, TLS, 1)
    peer.say(peer.management('MSG 2', "<start number='3'><profile uri='u:tuning' /></start>"))
    await peer.expect(/^ERR 0 2 [\s\S]*<error code='550'[\s\S]*END\r\n/)
    peer.say(peer.management('MSG 3', "<close number='1' code='200' />"))
    await peer.expect(/^RPY 0 3 [\s\S]*<ok \/>END\r\n/)
    await rawStart(peer, 3, 'u:tuning', 4)
  })

  test('R3080-2-02 nor while the profile of the first decides whether it may', async () => {
    const decided = deferred<void>()
    const profiles = ['u:one', 'u:two'].map((uri) => ({ uri, tuning: true, start: () => decided.promise.then(() => undefined) }))
    const { peer } = await rawPair('listener', { profiles })
    peer.say(
      peer.management('MSG 1', "<start number='1'><profile uri='u:one' /></start>") +
        peer.management('MSG 2', "<start number='3'><profile uri='u:two' /></start>"),
    )
    await turns()
    decided.resolve()
    await peer.expect(/RPY 0 1 [\s\S]*<profile uri='u:one' \/>END\r\n[\s\S]*ERR 0 2 [\s\S]*<error code='550'[\s\S]*END\r\n/)
  })

  test.each([
    ['R3080-8-06', 504, 'application/beep+xml; charset=EBCDIC-INT'],
    ['R3080-8-04', 500, 'text/plain'],
  ])('%s a MSG on channel 0 that is not in our tongue is ERR %i, and the session goes on', async (_id, code, type) => {
    const { peer } = await rawPair('listener', { profiles: [echo] })
    peer.say(peer.frame('MSG 0 1', `Content-Type: ${type}\r\n\r\n<start number='1'><profile uri='${ECHO}' /></start>`))
    await peer.expect(new RegExp(`^ERR 0 1 [\\s\\S]*<error code='${code}'`))
    await rawStart(peer, 1, ECHO, 2)
  })

  test('R3080-3.1.1-01 the URI is compared as it stands', async () => {
    const { session, peer } = await rawPair('listener', { profiles: [tlsProfile()] })
    expect(session.tls).toBeUndefined()
    peer.say(peer.management('MSG 1', `<start number='1'><profile uri='${TLS.toLowerCase()}' /></start>`))
    await peer.expect(/^ERR 0 1 [\s\S]*<error code='550'/)
  })

  test.each([
    ['R3080-3.1.3.1-02', 501, "<ready version='oops' />"],
    ['R3080-7.2-01', 501, '<ready>x</ready>'],
    ['R3080-8-06', 504, "<ready version='9' />"],
  ])('%s a ready that cannot be followed is ERR %i, and the session goes on', async (_id, code, element) => {
    const { peer } = await rawPair('listener', { profiles: [tlsProfile(), echo] })
    await rawStart(peer, 1, TLS)
    peer.say(peer.frame('MSG 1 0', XML + element))
    await peer.expect(new RegExp(`^ERR 1 0 \\. 0 \\d+\\r\\n${XML_PATTERN}<error code='${code}'`))
    await rawStart(peer, 3, ECHO, 2)
  })

  test('R3080-7.2-01 R3080-3.1.3.2-01 the pair form of ready and proceed is the same', async () => {
    const { peer } = await rawPair('listener', { profiles: [tlsProfile()] })
    await rawStart(peer, 1, TLS)
    peer.say(peer.frame('MSG 1 0', `${XML}<ready></ready>`))
    await peer.expect(new RegExp(`^RPY 1 0 \\. 0 \\d+\\r\\n${XML_PATTERN}<proceed />END\\r\\n$`))
    peer.stream.destroy()
  })

  test('R3080-3.1.3.2-04 after proceed the handshake begins at once', async () => {
    const server = await rawServer((peer) => {
      peer.greet([TLS])
      void peer.expect(/ready[\s\S]*END\r\n/).then(() => {
        peer.say(peer.management('RPY 1', `<profile uri='${TLS}'><![CDATA[<proceed></proceed>]]></profile>`))
        void peer.expect(CLIENT_HELLO).then(() => peer.stream.destroy())
      })
    })
    const session = await connect({ host: '127.0.0.1', port: server.port })
    await expect(startTls(session, { verify: () => {} })).rejects.toThrow()
    expect(await session.closed).toMatchObject({ kind: 'terminated' }) // R3080-3-04
    server.close()
  })

  test('R3080-3.1.3.2-02 between ready and proceed only replies that were due are sent', async () => {
    let answer: (text: string) => void = () => {}
    const slow: Profile = { uri: 'u:slow', message: () => new Promise<string>((resolve) => (answer = resolve)) }
    const { peer } = await rawPair('listener', { profiles: [tlsProfile(), slow] })
    await rawStart(peer, 1, 'u:slow')
    await rawStart(peer, 3, TLS, 2)
    peer.say(peer.frame('MSG 1 0', '\r\nslow') + peer.frame('MSG 3 0', `${XML}<ready />`))
    await new Promise((resolve) => setImmediate(resolve))
    answer('done')
    const said = await peer.expect(/[\s\S]*proceed[\s\S]*END\r\n/)
    expect(said).toMatch(/^RPY 1 0 \. 0 6\r\n\r\ndoneEND\r\nRPY 3 0 /)
  })

  test('R3080-3-05 R3080-3-07 R3080-9-03 the new session has another greeting, the same roles and nothing of the old', async () => {
    const port = await serve({ profiles: [tlsProfile(), whenTuned(echo)] })
    const clear = await connect({ host: '127.0.0.1', port, profiles: [echo] })
    expect(clear.greeting.profiles).toEqual([TLS])
    const secure = await startTls(clear, { verify: () => {} })
    expect(secure.greeting.profiles).toEqual([ECHO])
    expect(secure.channels.size).toBe(0)
    expect((await secure.start(ECHO)).number).toBe(1)
    const [listening] = listeners[0]!.sessions
    expect((await listening!.start(ECHO)).number).toBe(2)
    await secure.release()
  })

  test('R3080-9-02 a peer with less than the least is refused, and nothing is said in clear', async () => {
    const port = await serve({ profiles: [tlsProfile({ minVersion: 'TLSv1.3' })] })
    const clear = await connect({ host: '127.0.0.1', port })
    await expect(startTls(clear, { verify: () => {}, maxVersion: 'TLSv1.2' })).rejects.toThrow()
    expect(await clear.closed).toMatchObject({ kind: 'terminated' })
  })

  test('R3080-9-04 what is for tuned sessions is checked before anything is done', async () => {
    let called = 0
    const secret = whenTuned({ uri: 'u:secret', start: () => void called++ })
    const { peer } = await rawPair('listener', { profiles: [secret] })
    peer.say(peer.management('MSG 1', "<start number='1'><profile uri='u:secret' /></start>"))
    await peer.expect(/^ERR 0 1 [\s\S]*<error code='550'/)
    expect(called).toBe(0)
  })
})
