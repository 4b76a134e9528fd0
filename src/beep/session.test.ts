// Sessions over real sockets and in memory: the three styles of exchange, streams, closes, releases and ends.
import { afterEach, describe, expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { connect, type Listener, listen, type Profile, ReplyError } from './index.js'
import { sessionPair } from './testing.js'

const countdown: Profile = {
  uri: 'http://example.org/profiles/countdown',
  async *message(message) {
    const from = Number(await message.text())
    if (!Number.isInteger(from)) throw new ReplyError(501, 'not a number')
    for (let n = from; n > 0; n--) yield String(n)
  },
}

let listener: Listener | undefined
afterEach(async () => {
  await listener?.close()
  listener = undefined
})

describe('over TCP', () => {
  test('a session comes up, echoes, and is released', async () => {
    listener = await listen({ host: '127.0.0.1', profiles: [echo] })
    const session = await connect({ host: '127.0.0.1', port: listener.address.port })
    expect(session.greeting.profiles).toEqual([ECHO])
    const channel = await session.start(ECHO)
    const reply = await channel.request('hello')
    expect(await reply.text()).toBe('hello')
    await session.release()
    expect(await session.closed).toEqual({ kind: 'released', by: 'us' })
  })

  test('a large stream goes through the window both ways', async () => {
    listener = await listen({ host: '127.0.0.1', profiles: [echo] })
    await using session = await connect({ host: '127.0.0.1', port: listener.address.port })
    const channel = await session.start(ECHO)
    const pieces = Array.from({ length: 300 }, (_, n) => Buffer.alloc(10_000, n % 256))
    const body = (async function* () {
      yield* pieces
    })()
    const reply = await channel.request({ body, contentType: 'application/x-test' })
    expect(reply.contentType).toBe('application/x-test')
    expect((await reply.bytes()).equals(Buffer.concat(pieces))).toBe(true)
  })
})

describe('exchanges', () => {
  test('R3080-2.1.1-03 answers are iterated, ERR throws', async () => {
    const { initiator } = await sessionPair({}, { profiles: [countdown] })
    const channel = await initiator.start(countdown.uri)
    const seen: string[] = []
    for await (const answer of channel.send('3')) seen.push(await answer.text())
    expect(seen).toEqual(['3', '2', '1'])
    await expect(channel.request('ten')).rejects.toMatchObject({ code: 'BEEP_ERR_REPLY', replyCode: 501, text: 'not a number' })
    await initiator.release()
  })

  test('RIMP-08 a throwing handler gives ERR 451 without its text and the channel goes on', async () => {
    const flaky: Profile = {
      uri: 'u:flaky',
      message: async (message) => {
        if ((await message.text()) === 'bad') throw new Error('secret')
        return 'good'
      },
    }
    const { initiator } = await sessionPair({}, { profiles: [flaky] })
    const channel = await initiator.start('u:flaky')
    await expect(channel.request('bad')).rejects.toMatchObject({ replyCode: 451, text: '' })
    expect(await (await channel.request('fine')).text()).toBe('good')
    await initiator.release()
  })

  test('R3080-2.6.1-03 pipelined requests are answered in order', async () => {
    const { initiator } = await sessionPair({}, { profiles: [echo] })
    const channel = await initiator.start(ECHO)
    const replies = await Promise.all(
      Array.from({ length: 500 }, (_, n) => channel.request(String(n)).then((reply) => reply.text())),
    )
    expect(replies).toEqual(Array.from({ length: 500 }, (_, n) => String(n)))
    await initiator.release()
  })

  test('R3080-2.1-02 the listener asks, too', async () => {
    const { initiator, listener } = await sessionPair({ profiles: [echo] }, {})
    const channel = await listener.start(ECHO)
    expect(channel.number % 2).toBe(0)
    expect(await (await channel.request('up')).text()).toBe('up')
    await listener.release()
    expect((await initiator.closed).kind).toBe('released')
  })
})

describe('ends', () => {
  test('a vanished peer fails what is outstanding', async () => {
    const { initiator, listener } = await sessionPair(
      {},
      { profiles: [{ uri: 'u:never', message: () => new Promise<string>(() => {}) }] },
    )
    const channel = await initiator.start('u:never')
    const reply = channel.request('?')
    listener.terminate()
    await expect(reply).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(await initiator.closed).toMatchObject({ kind: 'terminated' })
  })

  test('R3080-2.3.1.2-20 an unknown profile is declined with 550', async () => {
    const { initiator } = await sessionPair({}, { profiles: [echo] })
    await expect(initiator.start('u:none')).rejects.toMatchObject({ replyCode: 550 })
    await initiator.release()
  })

  test('channels close and their numbers are forgotten', async () => {
    const { initiator, listener } = await sessionPair({}, { profiles: [echo] })
    const channel = await initiator.start(ECHO)
    await channel.request('x')
    await channel.close()
    expect(await channel.closed).toEqual({ kind: 'released', by: 'us' })
    expect([initiator.channels.size, listener.channels.size]).toEqual([0, 0])
    expect(() => channel.send('late')).toThrow(/closed/)
    await initiator.release()
  })
})
