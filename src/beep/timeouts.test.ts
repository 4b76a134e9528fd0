// Every option that is a time: 0 waits for ever, anything else no longer than it says.
import { describe, expect, test } from '@jest/globals'
import { startTls, TLS } from '../profiles/tls.js'
import { attach, type SessionOptions } from './index.js'
import { asking, close, manual, serving } from './test-kit-closing.js'
import { CLIENT_HELLO, rawPair, soon } from './test-kit-peer.js'
import { duplexPair } from './testing.js'

/** By option, what waits for a peer that says nothing; it rejects, or says how the session ended. */
const WAITS: Record<string, (options: SessionOptions) => Promise<{ waiting: Promise<unknown>; end(): void }>> = {
  greetingTimeout: async (options) => {
    const [ours, theirs] = duplexPair()
    return { waiting: attach(ours, 'initiator', options), end: () => theirs.end() }
  },
  startTimeout: async (options) => {
    const { session } = await rawPair('initiator', options)
    return { waiting: session.start('u:x'), end: () => session.terminate() }
  },
  closeTimeout: async (options) => {
    const { session, channel } = await asking(options)
    return { waiting: channel.close(), end: () => session.terminate() }
  },
  releaseTimeout: async (options) => {
    const { session } = await asking(options)
    const disposed = Promise.resolve(session[Symbol.asyncDispose]()).then(() => session.closed)
    return { waiting: disposed, end: () => session.terminate() }
  },
  idleTimeout: async (options) => {
    const { session } = await asking(options)
    return { waiting: session.closed, end: () => session.terminate() }
  },
  settleTimeout: async (options) => {
    const { asked, profile } = manual()
    const { session, peer } = await serving(profile, options)
    peer.say(peer.frame('MSG 1 0', '\r\nslow'))
    close(peer, 2, 1)
    return { waiting: peer.expect(/ERR 0 2 /).finally(() => asked[0]!.answer('')), end: () => session.terminate() }
  },
  handshakeTimeout: async (options) => {
    const { session, peer } = await rawPair('initiator', {}, [TLS])
    const tuning = startTls(session, { ...options, verify: () => {} })
    await peer.expect(/ready[\s\S]*END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='${TLS}'><![CDATA[<proceed />]]></profile>`))
    await peer.expect(CLIENT_HELLO)
    return { waiting: tuning, end: () => session.terminate() }
  },
}

describe.each(Object.entries(WAITS))('%s', (option, begin) => {
  test('0 is for ever', async () => {
    const { waiting, end } = await begin({ [option]: 0 })
    waiting.catch(() => {})
    expect(await soon(waiting, 50)).toBe('pending')
    end()
    expect(await soon(waiting.catch(() => 'over'))).not.toBe('pending')
  })

  test.each([2 ** 31, Number.POSITIVE_INFINITY])('%d, which no timer measures, is for ever, too', async (time) => {
    const { waiting, end } = await begin({ [option]: time })
    waiting.catch(() => {})
    expect(await soon(waiting, 50)).toBe('pending')
    end()
  })

  test('20 ms end the waiting', async () => {
    const { waiting, end } = await begin({ [option]: 20 })
    const ended = waiting.catch((error: Error) => error)
    expect(await soon(ended)).not.toBe('pending')
    end()
  })
})
