// What handlers give and throw though no type allows it, and bodies that nobody wants any more: nothing else is lost, and nothing is held.
import { Readable } from 'node:stream'
import { describe, expect, jest, test } from '@jest/globals'
import { CREDENTIALS } from '../../conformance/harness/credentials.js'
import { startTls, tls } from '../profiles/tls.js'
import { type Profile, ReplyError, Tuning } from './index.js'
import { deferred } from './promises.js'
import { rawPair, rawStart } from './test-kit-peer.js'
import { channelTo } from './test-kit-served.js'
import { sessionPair } from './testing.js'

/** For all the types say. */
const anything = (what: unknown) => what as ReturnType<NonNullable<Profile['message']>>

const twice = (done: (value: string) => void, value: string) => {
  done(value)
  done(value)
}
const fails = () => {
  throw new Error('on purpose')
}

describe('what a handler gives', () => {
  test.each<[string, () => unknown, number]>([
    [
      'a refusal whose text is none',
      () => {
        throw new ReplyError(550, new Error("can't") as unknown as string)
      },
      550,
    ],
    // biome-ignore lint/suspicious/noThenProperty: that is the point
    ['what throws when it is awaited', () => ({ then: fails }), 451],
    ['what throws when it is looked at', () => Object.defineProperty({}, 'body', { get: fails }), 451],
    ['what throws when it is asked for its iterator', () => ({ [Symbol.asyncIterator]: fails }), 451],
  ])('%s: it is a refusal, and the channel goes on', async (_, give, replyCode) => {
    const { channel, initiator } = await channelTo(async (message) =>
      (await message.text()) === 'x' ? anything(give()) : 'here',
    )
    const atOnce = await channelTo(() => anything(give()))
    for (const each of [channel, atOnce.channel]) await expect(each.request('x')).rejects.toMatchObject({ replyCode })
    expect(await (await channel.request('y')).text()).toBe('here')
    await initiator.release()
    await atOnce.initiator.release()
  })

  test('what only looks like a promise is awaited, however often it calls back, and the next request waits for it', async () => {
    const served: number[] = []
    const { channel, initiator } = await channelTo(() => {
      const number = served.push(served.length)
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      return anything({ then: (done: (value: string) => void) => setImmediate(twice, done, `${number}`) })
    })
    const replies = await Promise.all(['a', 'b', 'c'].map((text) => channel.request(text)))
    expect(await Promise.all(replies.map((reply) => reply.text()))).toEqual(['1', '2', '3'])
    await initiator.release()
  })

  test('a tuning message that is too long to be said ends the session', async () => {
    const profile: Profile = { uri: 'u:t', tuning: true, start: () => new Tuning('x'.repeat(5000), async (same) => same) }
    const { session, peer } = await rawPair('listener', { profiles: [profile] })
    peer.say(peer.management('MSG 1', `<start number='1'><profile uri='u:t'>ready</profile></start>`))
    expect(await session.closed).toMatchObject({ kind: 'terminated', by: 'us' })
    await peer.end()
  })

  test('a profile that ends the session when it is asked to close leaves no timer behind', async () => {
    const profile: Profile = { uri: 'u:x', close: (channel) => channel.session.terminate() }
    const { session, peer } = await rawPair('listener', { profiles: [profile], settleTimeout: 12_345 })
    await rawStart(peer, 1, 'u:x')
    const timers = jest.spyOn(globalThis, 'setTimeout')
    peer.say(peer.management('MSG 2', `<close number='1' code='200' />`))
    await session.closed
    const times = timers.mock.calls.map(([, milliseconds]) => milliseconds)
    timers.mockRestore()
    expect(times).not.toContain(12_345)
  })
})

describe('bodies that nobody wants any more', () => {
  /** Each gives one piece and then waits for ever; `left` resolves when it is ended early. */
  const bodies: readonly [string, (left: () => void) => unknown][] = [
    ['a Readable', (left) => new Readable({ read() {}, destroy: (_, done) => done(left() as never) })],
    ['a stream of the Web', (left) => new ReadableStream({ start: (to) => to.enqueue(new Uint8Array(1)), cancel: left })],
    [
      'an iterable whose iterator alone can end',
      (left) => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: async () => left() }) }),
    ],
  ]

  test.each(bodies)('%s is ended with the session', async (_, make) => {
    const left = deferred<void>()
    const asked = deferred<void>()
    const { channel, initiator } = await channelTo(() => {
      asked.resolve()
      return anything({ body: make(left.resolve) })
    })
    channel.request('x').catch(() => {})
    await asked.promise
    const ours = deferred<void>()
    channel.request({ body: make(ours.resolve) as Readable }).catch(() => {})
    initiator.terminate()
    await Promise.all([left.promise, ours.promise])
  })

  test('what was never begun is ended, too', async () => {
    const left = deferred<void>()
    const body = new ReadableStream({ cancel: left.resolve })
    const { channel, initiator } = await channelTo(() => anything({ body, headers: { 'no token': 'x' } }))
    await expect(channel.request('x')).rejects.toMatchObject({ replyCode: 451 })
    await left.promise
    await initiator.release()
  })

  test('a stream whose channel is closed is ended, though the session goes on', async () => {
    const asked = deferred<Readable>()
    const message = () => {
      const body = new Readable({ read() {} })
      asked.resolve(body)
      return { body }
    }
    const { session, peer } = await rawPair('listener', { profiles: [{ uri: 'u:x', message }] })
    await rawStart(peer, 1, 'u:x')
    peer.say(peer.frame('MSG 1 0', '\r\nx'))
    const body = await asked.promise
    const closing = session.channels.get(1)!.close()
    await peer.expect(/<close number='1'[\s\S]*END\r\n/)
    // With its agreement the peer gives up the reply that it is owed.
    peer.say(peer.management('RPY 1', '<ok />'))
    await closing
    expect(body.destroyed).toBe(true)
    session.terminate()
  })
})

describe('whoever takes long to judge a certificate', () => {
  test('does not take the peer for one that says nothing', async () => {
    const { initiator } = await sessionPair({ idleTimeout: 100 }, { profiles: [tls(CREDENTIALS)] })
    const session = await startTls(initiator, { verify: () => new Promise((done) => setTimeout(done, 350)) })
    expect(session.tls).toBeDefined()
    await session.release()
  })

  test('is not awaited when the peer has left', async () => {
    const asked = deferred<void>()
    const verify = () => {
      asked.resolve()
      return new Promise<void>(() => {})
    }
    const { initiator, listener } = await sessionPair({}, { profiles: [tls({ ...CREDENTIALS, verify })] })
    const abort = new AbortController()
    const tuning = startTls(initiator, { ...CREDENTIALS, verify: () => {}, signal: abort.signal })
    tuning.catch(() => {})
    await asked.promise
    abort.abort(new Error('enough'))
    await expect(tuning).rejects.toThrow('enough')
    expect((await listener.closed).kind).toBe('terminated')
  })
})
