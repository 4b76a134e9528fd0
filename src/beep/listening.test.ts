// Listening and dialling over real sockets: limits, time limits, peers that do nothing, and a close that always comes to its end.
import { once } from 'node:events'
import { createServer, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { connect, type Listener, type ListenOptions, listen } from './index.js'
import { GREETING_GRACE, MAX_REFUSED } from './limits.js'
import { RawPeer, rawDial, rawServer, rawStart, soon, turns } from './test-kit-peer.js'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function serve(options: Partial<ListenOptions> = {}): Promise<Listener & { port: number }> {
  const listener = await listen({ host: '127.0.0.1', profiles: [echo], releaseTimeout: 100, ...options })
  open.push(listener)
  return Object.assign(listener, { port: listener.address.port })
}

describe('a listener', () => {
  test('R3080-2.3.1.1-02 R3080-2.4-01 greets at once, whether the peer speaks or not', async () => {
    const { port } = await serve()
    const peer = await rawDial(port)
    await peer.expect(/^RPY 0 0 \. 0 \d+\r\nContent-Type: application\/beep\+xml\r\n\r\n<greeting>[\s\S]*END\r\n$/)
    peer.stream.destroy()
  })

  test('R3081-2-01 R3080-2.1-01 who awaits is the listener; both may ask', async () => {
    const { port, sessions } = await serve()
    await using session = await connect({ host: '127.0.0.1', port, profiles: [echo] })
    expect(session.role).toBe('initiator')
    const channel = await session.start(ECHO)
    const [theirs] = sessions
    expect(theirs!.role).toBe('listener')
    expect(await (await (await theirs!.start(ECHO)).request('down')).text()).toBe('down')
    expect(await (await channel.request('up')).text()).toBe('up')
  })

  test('a session that is over counts until its connection is closed, and so few are told why they have none', async () => {
    const listener = await serve({ maxSessions: 1, releaseTimeout: 0 })
    const { port, sessions } = listener
    // They keep their side open.
    const mute = () => {
      const socket = dial({ host: '127.0.0.1', port, allowHalfOpen: true })
      socket.on('error', () => {})
      open.unshift({ close: () => socket.destroy() })
      return socket
    }
    const over = new RawPeer(mute())
    over.greet()
    over.say(over.management('MSG 1', "<close number='0' code='200' />"))
    await over.expect(/<ok \/>/)
    await turns()
    expect(sessions.size).toBe(0)
    const told = await Promise.all(
      Array.from({ length: MAX_REFUSED }, async () => {
        const [chunk] = (await once(mute(), 'data')) as [Buffer]
        return chunk.toString()
      }),
    )
    for (const each of told) expect(each).toContain("<error code='421'")
    const more = mute().resume()
    await once(more, 'end')
    expect(more.bytesRead).toBe(0)
    over.stream.destroy()
    await turns()
    await using session = await connect({ host: '127.0.0.1', port })
    expect(session.greeting.profiles).toEqual([ECHO])
  })

  test('a session more than maxSessions is answered with ERR 421, and its socket does not stay', async () => {
    const { port } = await serve({ maxSessions: 1 })
    await using session = await connect({ host: '127.0.0.1', port })
    await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'BEEP_ERR_REPLY', replyCode: 421 })
    expect(await (await (await session.start(ECHO)).request('x')).text()).toBe('x')
    // One that neither reads nor closes its side.
    const mute = dial({ host: '127.0.0.1', port, allowHalfOpen: true })
    mute.on('error', () => {})
    expect(await soon(once(mute.resume(), 'end'))).not.toBe('pending')
    expect(
      await soon(
        once(mute, 'close').catch(() => {}),
        50,
      ),
    ).toBe('pending')
    await turns()
    // The listener lets go of it, so that what is written to it is answered with a reset.
    const reset = once(mute, 'close').catch(() => {})
    const writing = setInterval(() => mute.write('x'), 20)
    expect(await soon(reset)).not.toBe('pending')
    clearInterval(writing)
  })

  test('sessions whose greeting has not come count, and end after greetingTimeout', async () => {
    const { port, sessions } = await serve({ maxSessions: 1, greetingTimeout: 50 })
    const mute = await rawDial(port)
    await mute.expect(/greeting/)
    await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ replyCode: 421 })
    await mute.end()
    expect(sessions.size).toBe(0)
    await (await connect({ host: '127.0.0.1', port })).release()
  })

  test('silent connections alone do not fill a listener: the one that is silent for longest gives way', async () => {
    const { port } = await serve({ maxSessions: 2 })
    const first = await rawDial(port)
    await first.expect(/greeting/)
    const second = await rawDial(port)
    await second.expect(/greeting/)
    const now = performance.now()
    // Nobody gives way to a burst: all of them may be about to greet.
    await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ replyCode: 421 })
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + GREETING_GRACE)
    try {
      await using session = await connect({ host: '127.0.0.1', port })
      await first.end()
      second.greet()
      await rawStart(second, 1, ECHO)
      // Both have greeted, and keep their places.
      await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ replyCode: 421 })
      expect(await (await (await session.start(ECHO)).request('x')).text()).toBe('x')
    } finally {
      clock.mockRestore()
    }
  })

  test('a peer that breaks the rules is reset, and no other session notices', async () => {
    const { port } = await serve()
    await using session = await connect({ host: '127.0.0.1', port })
    const peer = await rawDial(port)
    const failed = once(peer.stream, 'error')
    await peer.greet().expect(/END\r\n/)
    peer.say('HELLO\r\n')
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
    expect(await (await (await session.start(ECHO)).request('x')).text()).toBe('x')
  })

  test('options that turn into what no greeting can say end the connection, not the process', async () => {
    const localize = ['en']
    const { port } = await serve({ localize })
    localize[0] = 'two words'
    await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
  })

  test('a port that is taken rejects', async () => {
    const { port } = await serve()
    await expect(listen({ host: '127.0.0.1', port, profiles: [] })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  test('a Unix socket does as well, also when the peer breaks the rules', async () => {
    const path = join(tmpdir(), `beep-${process.pid}-${Date.now()}`)
    open.push(await listen({ path, profiles: [echo] }))
    const session = await connect({ path })
    expect(await (await (await session.start(ECHO)).request('x')).text()).toBe('x')
    const reason = session.closed
    const socket = dial({ path })
    socket.on('error', () => {})
    socket.write('HELLO\r\n')
    await soon(once(socket.resume(), 'close'))
    session.terminate()
    expect((await reason).kind).toBe('terminated')
  })
})

describe('closing a listener', () => {
  test('idle, busy, silent and refused sessions: all end, in time', async () => {
    const listener = await serve({
      profiles: [echo, { uri: 'u:never', message: () => new Promise<string>(() => {}) }],
      settleTimeout: 10_000,
      maxSessions: 5,
    })
    const { port, sessions } = listener
    const idle = await connect({ host: '127.0.0.1', port })
    const busy = await connect({ host: '127.0.0.1', port })
    const asked = (await busy.start('u:never')).request('x')
    asked.catch(() => {})
    const asking = await rawDial(port)
    asking.greet()
    await rawStart(asking, 1, ECHO)
    await turns()
    // The listener waits for an answer that never comes.
    for (const each of sessions) for (const channel of each.channels.values()) if (channel.profileUri === ECHO) channel.send('?')
    await asking.expect(/MSG 1 0 /)
    const mute = await rawDial(port)
    await mute.expect(/greeting/)
    const deaf = await rawDial(port)
    await deaf.greet().expect(/greeting/)
    const refused = dial({ host: '127.0.0.1', port, allowHalfOpen: true })
    refused.on('error', () => {})
    await once(refused.resume(), 'end')
    expect(await soon(listener.close(), 2000)).toBeUndefined()
    expect(sessions.size).toBe(0)
    expect(await idle.closed).toMatchObject({ kind: 'released', by: 'peer' })
    await expect(asked).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    await Promise.all([mute.end(), deaf.end(), asking.end()])
    refused.destroy()
    await listener.close()
  })

  test('`await using` closes it', async () => {
    let port = 0
    {
      await using listener = await listen({ host: '127.0.0.1', profiles: [] })
      port = listener.address.port
    }
    await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('dialling', () => {
  test('R3080-2.4-02 ERR instead of a greeting is a ReplyError, and the transport is closed', async () => {
    const ended = new Promise((resolve) => {
      void rawServer(async (peer) => {
        peer.say(peer.management('ERR 0', `<error code='421'>later</error>`))
        await peer.end()
        resolve('ended')
      }).then((server) => {
        open.push(server)
        void connect({ host: '127.0.0.1', port: server.port }).catch((error) => {
          expect(error).toMatchObject({ replyCode: 421, text: 'later' })
        })
      })
    })
    expect(await soon(ended)).toBe('ended')
  })

  test.each([
    ['says nothing', () => {}, 'BEEP_ERR_TIMEOUT'],
    ['hangs up', (peer: { stream: { destroy(): void } }) => peer.stream.destroy(), 'BEEP_ERR_CLOSED'],
    ['speaks no BEEP', (peer: { say(octets: string): void }) => peer.say('220 mail.example ESMTP\r\n'), 'BEEP_ERR_CLOSED'],
  ] as const)('a peer that %s', async (_what, behave, code) => {
    const server = await rawServer(behave)
    open.push(server)
    await expect(connect({ host: '127.0.0.1', port: server.port, greetingTimeout: 50 })).rejects.toMatchObject({ code })
  })

  test('a signal stops it at every stage', async () => {
    const server = await rawServer(() => {})
    open.push(server)
    const { port } = server
    await expect(connect({ host: '127.0.0.1', port, signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
    const dialling = new AbortController()
    const dialled = connect({ host: '127.0.0.1', port, signal: dialling.signal })
    dialling.abort(new Error('dialling'))
    await expect(dialled).rejects.toThrow('dialling')
    const greeting = new AbortController()
    const greeted = connect({ host: '127.0.0.1', port, signal: greeting.signal })
    setTimeout(() => greeting.abort(new Error('greeting')), 30)
    await expect(greeted).rejects.toThrow('greeting')
  })

  test('nobody there', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    await expect(connect({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})
