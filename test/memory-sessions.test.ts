// Sessions and channels without number, and peers that vanish: each costs little, and nothing is left of what has ended.
import { describe, expect, test } from '@jest/globals'
import { connect } from '../src/beep/index.js'
import { type RawPeer, rawDial, rawServer } from '../src/beep/test-kit-peer.js'
import { ECHO } from '../src/profiles/echo.js'
import { ask, begin, peers, port, served, within } from './memory-kit.js'

// In MiB.
/** Nothing is held: what is left is noise of the heap, code that was compiled meanwhile for instance. */
const NOTHING = 3
/** What has ended leaves nothing: 200 octets for each of 5000 channels would be too much. */
const LEAK = 1
/** 500 sessions and their sockets. */
const SESSIONS = 16

describe('sessions and channels without number', () => {
  test('500 peers that connect and say nothing', async () => {
    const silent = await Promise.all(Array.from({ length: 500 }, () => rawDial(port)))
    peers.push(...silent)
    await served()
    await within(SESSIONS)
    await Promise.all(silent.map((peer) => peer.end()))
    await within(NOTHING, 'afterwards')
  })

  test('5000 channels of a session, opened and closed again', async () => {
    await using session = await connect({ host: '127.0.0.1', port })
    const round = async () => {
      const channels = await Promise.all(Array.from({ length: 100 }, () => session.start(ECHO)))
      await Promise.all(channels.map(async (channel) => (await channel.request('x')).text()))
      await Promise.all(channels.map((channel) => channel.close()))
    }
    for (let n = 0; n < 10; n++) await round()
    await begin()
    for (let n = 0; n < 50; n++) await round()
    await served()
    await within(LEAK)
  })

  test('300 sessions, opened and released again', async () => {
    const round = async () => {
      const session = await connect({ host: '127.0.0.1', port })
      const channel = await session.start(ECHO)
      expect(await (await channel.request('x')).text()).toBe('x')
      await session.release()
    }
    for (let n = 0; n < 50; n++) await round()
    await begin()
    for (let n = 0; n < 30; n++) await Promise.all(Array.from({ length: 10 }, round))
    await served()
    await within(LEAK)
  })
})

describe('a peer that vanishes in the midst of', () => {
  const CLOSED = 'BEEP_ERR_CLOSED'
  const over = { closed: 'resolved', 'channel closed': 'resolved' }
  /** What the peer hears last, what it still says, and how every promise ends. */
  const operations: Record<string, { last: RegExp; says?: (peer: RawPeer) => string; ends: Record<string, string> }> = {
    connect: { last: /RPY 0 0 /, ends: { connect: CLOSED } },
    start: { last: /<start /, ends: { start: CLOSED, closed: 'resolved' } },
    request: { last: /MSG 1 0 /, ends: { request: CLOSED, ...over } },
    iteration: {
      last: /MSG 1 0 /,
      says: (peer) => peer.frame('ANS 1 0', '\r\na', 0) + peer.frame('ANS 1 0 *', '\r\nb', 1),
      ends: { iteration: CLOSED, ...over },
    },
    close: { last: /<close number='1'/, ends: { close: 'resolved', ...over } },
    release: { last: /<close number='0'/, ends: { release: CLOSED, ...over } },
    stream: { last: /MSG 1 0 \* [\s\S]{4096}/, ends: { reply: CLOSED, sent: CLOSED, ...over } },
    tune: { last: /<start /, ends: { tuned: CLOSED, closed: 'resolved' } },
    'take over': {
      last: /<start /,
      says: (peer) => peer.management('RPY 1', `<profile uri='u:tuning' />`),
      ends: { tuned: CLOSED, closed: 'resolved' },
    },
  }
  const ways: Record<string, (peer: RawPeer) => void> = {
    FIN: (peer) => peer.stream.end(),
    destroy: (peer) => peer.stream.destroy(),
  }

  test.each(Object.keys(operations).flatMap((operation) => Object.keys(ways).map((way) => [operation, way] as const)))(
    '%s, by %s: every promise settles',
    async (operation, way) => {
      const { last, says, ends } = operations[operation]!
      const server = await rawServer(async (peer) => {
        if (operation !== 'connect') {
          peer.greet(['u:x', 'u:tuning'])
          if (!['start', 'tune', 'take over'].includes(operation)) {
            await peer.expect(/<start [\s\S]*?END\r\n/)
            peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
          }
        }
        await peer.expect(last)
        if (says !== undefined) peer.say(says(peer))
        ways[way]!(peer)
      })
      expect(await ask('operation', { operation, port: server.port })).toEqual(ends)
      server.close()
      await served()
    },
  )
})
