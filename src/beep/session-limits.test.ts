// What a session holds of all its channels together: replies that wait to be sent, and messages that are being gathered. And what a reply holds that may not leave yet.
import { expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import type { Exchange } from './index.js'
import { DEFAULT_LIMITS, INITIAL_WINDOW, MAX_SESSION_GATHERED, MAX_SESSION_REPLIES } from './limits.js'
import type { LiveSession } from './live-session.js'
import { deferred } from './promises.js'
import { rawPair, rawStart, turns } from './test-kit-peer.js'
import { sessionPair } from './testing.js'

test('RIMP-12 replies that nobody takes are bounded over all channels, and all of them come when somebody does', async () => {
  const reply = Buffer.alloc(500_000)
  const { initiator, listener } = await sessionPair({}, { profiles: [{ uri: 'u:large', message: () => reply }] })
  const { engine } = listener as LiveSession
  let most = 0
  const look = () => {
    most = Math.max(most, engine.replies)
  }
  const exchanges: Exchange[] = []
  for (let opened = 0; opened < 60; opened++) {
    const channel = await initiator.start('u:large')
    for (let asked = 0; asked < 3; asked++) exchanges.push(channel.send('?'))
    look()
  }
  await turns(20)
  look()
  expect(most).toBeGreaterThan(15_000_000)
  expect(most).toBeLessThan(MAX_SESSION_REPLIES + 600_000)
  for (const exchange of exchanges) {
    expect((await (await exchange.reply()).bytes()).length).toBe(500_000)
    look()
  }
  expect(most).toBeLessThan(MAX_SESSION_REPLIES + 600_000)
  expect(engine.replies).toBe(0)
  await initiator.release()
})

test('RIMP-12 requests that are gathered hold no more than a session may, and all of them come to an end', async () => {
  const sizes: number[] = []
  const { initiator, listener } = await sessionPair(
    {},
    {
      profiles: [
        {
          uri: 'u:gather',
          message: async (message) => {
            const { length } = await message.bytes()
            sizes.push(length)
            return String(length)
          },
        },
      ],
    },
  )
  const { gathering } = listener as LiveSession
  const channels = await Promise.all(Array.from({ length: 60 }, () => initiator.start('u:gather')))
  const rest = deferred<void>()
  let written = 0
  async function* body(): AsyncGenerator<Buffer> {
    for (let n = 0; n < 16; n++, written++) yield Buffer.alloc(65_536)
    await rest.promise
    yield Buffer.alloc(1000)
  }
  const replies = channels.map((channel) => channel.request({ body: body() }))
  // Until nothing moves.
  for (let before = -1; before !== written; await turns(50)) before = written
  expect(gathering.octets).toBeGreaterThan(MAX_SESSION_GATHERED)
  expect(gathering.octets).toBeLessThan(MAX_SESSION_GATHERED + DEFAULT_LIMITS.maxSessionWindow + 60 * INITIAL_WINDOW)
  expect(written).toBeLessThan(60 * 16)
  rest.resolve()
  for (const reply of replies) expect(await (await reply).text()).toBe('1049576')
  expect([sizes.length, gathering.octets]).toEqual([60, 0])
  await initiator.release()
})

test('RIMP-12 what waits for room to be gathered ends with its session, or when it is complete', async () => {
  const outcomes: string[] = []
  const { initiator } = await sessionPair(
    {},
    {
      profiles: [
        {
          uri: 'u:gather',
          message: async (message) => {
            await message.bytes().then(
              ({ length }) => outcomes.push(String(length)),
              (error) => outcomes.push(error.code),
            )
            return ''
          },
        },
      ],
    },
  )
  const end = deferred<void>()
  async function* body(size: number): AsyncGenerator<Buffer> {
    for (let n = 0; n < 10; n++) yield Buffer.alloc(size)
    await end.promise
  }
  const channels = await Promise.all(Array.from({ length: 20 }, () => initiator.start('u:gather')))
  for (const channel of channels.slice(0, 18)) channel.request({ body: body(100_000) }).catch(() => {})
  await turns(200)
  // It waits after its first piece, and its end is here.
  const late = {
    body: (async function* () {
      yield Buffer.alloc(3000)
      await turns(3)
      yield Buffer.alloc(900)
    })(),
  }
  expect(await (await channels[18]!.request(late)).text()).toBe('')
  expect(outcomes).toEqual(['3900'])
  initiator.terminate()
  await turns(5)
  expect(outcomes).toEqual(['3900', ...Array(18).fill('BEEP_ERR_CLOSED')])
  end.resolve()
})

test('R3081-3.1.4-03 a peer that does not segment is given the whole window before long', async () => {
  const { peer } = await rawPair('listener', { profiles: [echo] })
  await rawStart(peer, 1, ECHO)
  peer.say(peer.frame('MSG 1 0', '\r\n'.padEnd(2000, 'x')))
  // Its next message needs more than is left of 4096.
  await peer.expect(/SEQ 1 2000 4096\r\n/)
  peer.say(peer.frame('MSG 1 1', '\r\n'.padEnd(4096, 'y')))
  await peer.expect(/RPY 1 1 /)
})

test('RIMP-12 streams on channels where we ask, too, hold no more than a session may', async () => {
  const piece = Buffer.alloc(65_536)
  async function* mebibyte() {
    for (let n = 0; n < 16; n++) yield piece
  }
  const { session, peer } = await rawPair('listener', {
    profiles: [
      {
        uri: 'u:both',
        // It stays without an answer: what the peer asks for goes on though it takes nothing of it.
        open: (channel) => void channel.request('?').catch(() => {}),
        message: () => ({ body: mebibyte() }),
      },
    ],
  })
  const { engine } = session as LiveSession
  const channels = Array.from({ length: 30 }, (_, n) => 2 * n + 1)
  for (const [n, channel] of channels.entries()) await rawStart(peer, channel, 'u:both', n + 1)
  for (const channel of channels) peer.say(peer.frame(`MSG ${channel} 0`, '\r\n'))
  await turns(50)
  expect(engine.replies).toBeGreaterThan(15 * 2 ** 20)
  // And one piece of each that had begun before there was too much.
  expect(engine.replies).toBeLessThan(MAX_SESSION_REPLIES + channels.length * piece.length)
  session.terminate()
})

test('RIMP-12 answers of no octet that are made while their request still comes in are held to a bound', async () => {
  let made = 0
  const { session, peer } = await rawPair('listener', {
    maxMessage: 10_000,
    profiles: [
      {
        uri: 'u:x',
        async *message() {
          for (; made < 1000; made++) yield ''
        },
      },
    ],
  })
  await rawStart(peer, 1, 'u:x')
  peer.say(peer.frame('MSG 1 0 *', '\r\nhalf'))
  expect(await session.closed).toMatchObject({ kind: 'terminated', error: { cause: { code: 'BEEP_ERR_TOO_LARGE' } } })
  expect(made).toBeLessThan(100)
})
