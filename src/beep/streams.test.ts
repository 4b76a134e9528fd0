// Bodies: streams in both directions, back-pressure, what is left unread, and how much of it all is held.
import { Duplex, Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { SINK, sink } from '../profiles/sink.js'
import { attach, type Message, type Profile } from './index.js'
import { deferred } from './promises.js'
import { rawPair, rawStart, soon, turns } from './test-kit-peer.js'
import { duplexPair, sessionPair } from './testing.js'

async function* pieces(count: number, size: number): AsyncGenerator<Buffer> {
  for (let n = 0; n < count; n++) yield Buffer.alloc(size, n)
}

async function size(message: AsyncIterable<Uint8Array>): Promise<number> {
  let octets = 0
  for await (const piece of message) octets += piece.length
  return octets
}

async function channelTo(message: NonNullable<Profile['message']>, options = {}) {
  const pair = await sessionPair(options, { profiles: [{ uri: 'u:x', message }], ...options })
  return { ...pair, channel: await pair.initiator.start('u:x') }
}

describe('bodies on their way in', () => {
  test('the five ways to take one, and that it is taken once', async () => {
    const { channel, initiator } = await channelTo((message) => message)
    const reply = () => channel.request({ body: '{"a":1}', contentType: 'application/json', headers: { 'X-Other': 'x' } })
    expect((await (await reply()).bytes()).toString()).toBe('{"a":1}')
    expect(await (await reply()).text()).toBe('{"a":1}')
    expect(await (await reply()).json()).toEqual({ a: 1 })
    expect(await size(await reply())).toBe(7)
    expect(await size((await reply()).stream())).toBe(7)
    const once = await reply()
    await once.text()
    await expect(once.bytes()).rejects.toThrow(/taken already/)
    expect(() => once.stream()).toThrow(/taken already/)
    await initiator.release()
  })

  test('a body that is too large to be gathered is refused with 554, and drained', async () => {
    const { channel, initiator } = await channelTo(async (message) => message.text(), { maxMessage: 10_000 })
    await expect(channel.request({ body: pieces(30, 1000) })).rejects.toMatchObject({ replyCode: 554 })
    expect(await (await channel.request('x')).text()).toBe('x')
    await initiator.release()
  })

  test('the limit of who gathers holds for a body in one piece, too, to the octet', async () => {
    const { channel, initiator } = await channelTo((message) => message)
    const reply = () => channel.request('12345678')
    for (const how of ['bytes', 'text', 'json'] as const) {
      await expect((await reply())[how](7)).rejects.toMatchObject({ code: 'BEEP_ERR_TOO_LARGE' })
      expect(String(await (await reply())[how](8))).toBe('12345678')
    }
    await initiator.release()
  })

  test('a loop that is left early lets the rest go', async () => {
    const { channel, initiator } = await channelTo(async (message) => {
      for await (const piece of message) return String(piece[0])
      return 'nothing'
    })
    for (let n = 0; n < 3; n++) expect(await (await channel.request({ body: pieces(20, 5000) })).text()).toBe('0')
    await initiator.release()
  })

  test('a stream that is destroyed lets the rest of a reply go', async () => {
    const { channel, initiator } = await channelTo(() => ({ body: pieces(100, 5000) }))
    const stream = (await channel.request('x')).stream()
    await new Promise((resolve) => stream.once('readable', resolve))
    stream.destroy()
    expect(await size(await channel.request('x'))).toBe(500_000)
    await initiator.release()
  })

  test('what a handler leaves unread is drained', async () => {
    const { channel, initiator } = await channelTo(() => 'no, thanks')
    for (let n = 0; n < 3; n++) expect(await (await channel.request({ body: pieces(50, 5000) })).text()).toBe('no, thanks')
    await initiator.release()
  })

  test('R3080-2.6.2-03 a channel whose reader stands still holds up no other', async () => {
    const go = deferred<void>()
    const slow: Profile = {
      uri: 'u:slow',
      async message(message) {
        await go.promise
        return String(await size(message))
      },
    }
    const { initiator } = await sessionPair({}, { profiles: [slow, echo] })
    const stalled = (await initiator.start('u:slow')).request({ body: pieces(100, 5000) })
    const fast = await initiator.start(ECHO)
    for (let n = 0; n < 20; n++) expect(await size(await fast.request({ body: pieces(10, 5000) }))).toBe(50_000)
    go.resolve()
    expect(await (await stalled).text()).toBe('500000')
    await initiator.release()
  })

  test('octet by octet, what is gathered is not much more than what came', async () => {
    const { session, peer } = await rawPair('listener', {
      profiles: [{ uri: 'u:x', message: async (m) => String((await m.bytes()).length) }],
    })
    await rawStart(peer, 1, 'u:x')
    peer.say(peer.frame('MSG 1 0 *', '\r\n'))
    let octets = 0
    for (let n = 0; n < 200; n++) {
      let chunk = ''
      for (let k = 0; k < 500; k++) chunk += peer.frame('MSG 1 0 *', 'x')
      octets += 500
      peer.say(chunk)
      await turns(1)
    }
    peer.say(peer.frame('MSG 1 0 .', ''))
    await peer.expect(new RegExp(`RPY 1 0 [\\s\\S]*${octets}END`))
    session.terminate()
  })
})

describe('bodies on their way out', () => {
  test('a stream is read no faster than the peer takes it', async () => {
    const go = deferred<void>()
    let read = 0
    const { channel, initiator } = await channelTo(async (message) => {
      await go.promise
      return String(await size(message))
    })
    const body = (async function* () {
      for (let n = 0; n < 200; n++) {
        read++
        yield Buffer.alloc(10_000)
      }
    })()
    const reply = channel.request({ body })
    await turns(20)
    expect(read).toBeLessThan(20)
    go.resolve()
    expect(await (await reply).text()).toBe('2000000')
    await initiator.release()
  })

  test('`sent` resolves when a stream has left, also when it is asked before its end', async () => {
    const go = deferred<void>()
    const { channel, initiator } = await channelTo(async (message) => String(await size(message)))
    const body = (async function* () {
      yield 'a'
      await go.promise
      yield 'b'
    })()
    const exchange = channel.send({ body })
    const { sent } = exchange
    await turns()
    go.resolve()
    expect(await soon(sent)).toBeUndefined()
    expect(await (await exchange.reply()).text()).toBe('2')
    await initiator.release()
  })

  test('`sent` fails when the session ends first', async () => {
    const { initiator, listener, channel } = await channelTo(() => new Promise<string>(() => {}))
    const { sent } = channel.send({ body: pieces(1000, 5000) })
    sent.catch(() => {})
    await turns()
    listener.terminate()
    await expect(soon(sent)).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect((await initiator.closed).kind).toBe('terminated')
  })

  test('a stream whose session ends is closed', async () => {
    let closed = false
    const { listener, channel } = await channelTo(() => new Promise<string>(() => {}))
    const body = (async function* () {
      try {
        yield* pieces(1000, 5000)
      } finally {
        closed = true
      }
    })()
    channel.request({ body }).catch(() => {})
    await turns()
    listener.terminate()
    await turns()
    expect(closed).toBe(true)
  })

  test('a request that fails after part of it has left ends the session', async () => {
    const { channel, initiator } = await channelTo(async (message) => String(await size(message)))
    const body = (async function* () {
      yield* pieces(20, 10_000)
      throw new Error('disk')
    })()
    await expect(channel.request({ body })).rejects.toThrow()
    expect(await initiator.closed).toMatchObject({ kind: 'terminated', by: 'us', error: { cause: { message: 'disk' } } })
  })

  test('a Readable is a body', async () => {
    const { channel, initiator } = await channelTo((message) => message)
    expect(await (await channel.request(Readable.from(['a', 'b']))).text()).toBe('ab')
    await initiator.release()
  })
})

describe('answers made while the request still comes in', () => {
  test('R3080-2.6.3-05 they are held until it is complete, and neither waits for the other', async () => {
    const { channel, initiator } = await channelTo(async function* (message: Message) {
      for await (const piece of message) yield piece
    })
    let octets = 0
    const all = (async () => {
      for await (const answer of channel.send({ body: pieces(100, 5000) })) octets += await size(answer)
    })()
    expect(await soon(all, 3000)).toBeUndefined()
    expect(octets).toBe(500_000)
    await initiator.release()
  })

  test('and when they are more than may be held, the session ends rather than stand still', async () => {
    const { channel, listener } = await channelTo(
      async function* (message: Message) {
        for await (const piece of message) yield piece
      },
      { maxMessage: 100_000 },
    )
    const all = (async () => {
      for await (const _ of channel.send({ body: pieces(100, 5000) }));
    })()
    await expect(soon(all, 3000)).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(await listener.closed).toMatchObject({ kind: 'terminated', error: { cause: { code: 'BEEP_ERR_TOO_LARGE' } } })
  })

  test('a reply streamed from its request is held, too', async () => {
    const { channel, initiator } = await channelTo((message) => ({ body: message }))
    expect(await size(await channel.request({ body: pieces(100, 5000) }))).toBe(500_000)
    await initiator.release()
  })
})

describe('RIMP-12 a peer that asks and does not read', () => {
  test('handlers rest while replies wait, and go on when they have left', async () => {
    let served = 0
    const { session, peer } = await rawPair('listener', {
      profiles: [
        {
          uri: 'u:x',
          message: () => {
            served++
            return Buffer.alloc(50_000)
          },
        },
      ],
    })
    await rawStart(peer, 1, 'u:x')
    let requests = ''
    for (let n = 0; n < 100; n++) requests += peer.frame(`MSG 1 ${n}`, '\r\nx')
    peer.say(requests)
    await turns(10)
    expect(served).toBeLessThan(30)
    peer.say('SEQ 1 0 10000000\r\n')
    await peer.expect(/RPY 1 99 \. /)
    expect(served).toBe(100)
    session.terminate()
  })

  test('two peers that ask each other on one channel do not wait for each other', async () => {
    const big: Profile = { uri: 'u:x', message: () => Buffer.alloc(60_000) }
    const { initiator, listener } = await sessionPair({ profiles: [big] }, { profiles: [big] })
    const ours = await initiator.start('u:x')
    const theirs = [...listener.channels.values()][0]!
    const all = [ours, theirs].flatMap((channel) =>
      Array.from({ length: 50 }, async () => size(await channel.request('x'.repeat(5000)))),
    )
    expect(new Set(await Promise.all(all))).toEqual(new Set([60_000]))
    await initiator.release()
  })
})

test.each<[string, Profile['message']]>([
  ['as a stream', () => ({ body: Readable.from([Buffer.alloc(100_000), Buffer.alloc(100_000)]) })],
  [
    'in answers',
    async function* () {
      for (let n = 0; n < 8; n++) yield Buffer.alloc(50_000)
    },
  ],
])('nor do they when they reply %s, behind a MSG that is larger than a window', async (_, reply) => {
  const profile: Profile = {
    uri: 'u:x',
    async message(message, ...more) {
      await message.bytes()
      return reply!(message, ...more)
    },
  }
  const { initiator, listener } = await sessionPair({ profiles: [profile] }, { profiles: [profile] })
  const ours = await initiator.start('u:x')
  const theirs = [...listener.channels.values()][0]!
  const all = [ours, theirs].flatMap((channel) =>
    ['small', Buffer.alloc(3_000_000)].map(async (body) => {
      let octets = 0
      for await (const message of channel.send(body)) octets += await size(message)
      return octets
    }),
  )
  expect(new Set((await Promise.all(all)).map((octets) => octets >= 200_000))).toEqual(new Set([true]))
  await initiator.release()
})

describe('transports of other kinds', () => {
  /** One octet at a time, each a turn later, and a write that is full at once. */
  function slow(inner: Duplex): Duplex {
    const outer = new Duplex({
      writableHighWaterMark: 1,
      read: () => inner.resume(),
      write: (chunk: Uint8Array, _encoding, done) =>
        setImmediate(() => {
          inner.write(Buffer.from(chunk))
          done()
        }),
      final: (done) => {
        inner.end()
        done()
      },
      destroy: (error, done) => {
        inner.destroy()
        done(error)
      },
    })
    inner.on('data', (chunk: Uint8Array) => {
      for (const octet of chunk) outer.push(Buffer.from([octet]))
      inner.pause()
      setImmediate(() => inner.resume())
    })
    inner.on('end', () => outer.push(null))
    inner.on('close', () => outer.destroy())
    return outer
  }

  test('RIMP-01 a Duplex that delays, trickles and is always full', async () => {
    const [i, l] = duplexPair()
    const [initiator] = await Promise.all([attach(slow(i), 'initiator'), attach(slow(l), 'listener', { profiles: [echo, sink] })])
    const channel = await initiator.start(ECHO)
    expect(await size(await channel.request({ body: pieces(10, 3000) }))).toBe(30_000)
    await (await initiator.start(SINK)).request('x'.repeat(20_000))
    await initiator.release()
    expect((await initiator.closed).kind).toBe('released')
  })

  test('one that has ended already is no session', async () => {
    const [ours] = duplexPair()
    ours.destroy()
    await expect(soon(attach(ours, 'initiator'))).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
  })
})
