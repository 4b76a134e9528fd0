// While a tuning message is handled nothing behind it is parsed (RFC 3080 §3.1.3.1); everything else goes on, and a peer can fill nothing meanwhile.
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { getHeapStatistics } from 'node:v8'
import { describe, expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { type Profile, type SessionOptions, Tuning } from './index.js'
import { deferred } from './promises.js'
import { rawPair, rawStart, soon, turns } from './test-kit-peer.js'
import { sessionPair } from './testing.js'

const TUNING = 'u:tuning'
/** Stays on the transport as it is. */
const tuning: Profile = { uri: TUNING, tuning: true, start: () => new Tuning('<go/>', async (same) => same) }
const MIB = 2 ** 20

/** A peer of which an echo is unfinished, so that its tuning cannot begin; then it starts the tuning. */
async function held(options: SessionOptions = {}) {
  const { session, peer } = await rawPair('listener', { ...options, profiles: [tuning, echo] })
  await rawStart(peer, 1, ECHO)
  peer.say(peer.frame('MSG 1 0 *', '\r\nhalf'))
  peer.say(peer.management('MSG 2', `<start number='3'><profile uri='${TUNING}'>ready</profile></start>`))
  await turns()
  return { session, peer }
}

describe('while a tuning message waits for what is outstanding', () => {
  test('R3080-3.1.3.1-03 RIMP-12 a peer that floods what stands behind it is not read', async () => {
    const { session, peer } = await held()
    const before = getHeapStatistics().external_memory
    const junk = Buffer.alloc(MIB, 'A')
    for (let n = 0; n < 64; n++) peer.say(junk)
    await turns(20)
    // What has been taken, and what stands in the two streams between.
    expect(peer.stream.writableLength).toBeGreaterThan(60 * MIB)
    expect(getHeapStatistics().external_memory - before).toBeLessThan(8 * MIB)
    session.terminate()
  })

  test('R3080-3.1.3.1-04 a reply that is longer than what leaves at once goes on, and then the tuning begins', async () => {
    async function* long(count: number) {
      for (let n = 0; n < count; n++) yield Buffer.alloc(16_384, 'a')
    }
    const profiles: Profile[] = [
      { uri: 'u:stream', message: () => ({ body: long(20) }) },
      { uri: 'u:answers', message: () => long(20) },
    ]
    for (const { uri } of profiles) {
      const { session, peer } = await rawPair('listener', { profiles: [tuning, ...profiles] })
      await rawStart(peer, 1, uri)
      peer.say(`SEQ 1 0 1000000\r\n${peer.frame('MSG 1 0', '\r\ngo')}`)
      peer.say(peer.management('MSG 2', `<start number='3'><profile uri='${TUNING}'>ready</profile></start>`))
      const said = await peer.expect(/(RPY|ERR) 0 2 [\s\S]*?END\r\n/)
      expect(said).toContain('<go/>')
      expect(peer.heard.match(/a{100}/g)!.length * 100).toBeGreaterThan(20 * 16_000)
      session.terminate()
    }
  })

  test('R3080-3.1.3.1-04 what stands behind one that is refused is read then, as if nothing had been', async () => {
    const { session, peer } = await held({ settleTimeout: 50 })
    // The transport rests from the first on.
    peer.say('SEQ 1 0 4096\r\n')
    await turns()
    peer.say(peer.frame('MSG 1 0', ' whole'))
    await peer.expect(/<error code='450'/)
    await peer.expect(/RPY 1 0 \. 0 12\r\n\r\nhalf wholeEND\r\n/)
    session.terminate()
  })

  test('a channel that is closed meanwhile is closed for its users, too', async () => {
    const [first, closed] = [deferred<string>(), deferred<void>()]
    const { session, peer } = await rawPair('listener', {
      profiles: [
        tuning,
        { uri: 'u:slow', message: () => first.promise },
        { uri: 'u:never', message: () => new Promise<never>(() => {}), close: () => {} },
      ],
    })
    await rawStart(peer, 1, 'u:slow', 1)
    await rawStart(peer, 3, 'u:never', 2)
    const channel = session.channels.get(1)!
    void channel.closed.then(() => closed.resolve())
    peer.say(peer.frame('MSG 1 0') + peer.frame('MSG 3 0') + peer.management('MSG 3', "<close number='1' code='200' />"))
    peer.say(peer.management('MSG 4', `<start number='5'><profile uri='${TUNING}'>ready</profile></start>`))
    await turns()
    first.resolve('done')
    await peer.expect(/<ok \/>/)
    expect(await soon(closed.promise)).toBeUndefined()
    expect([...session.channels.keys()]).toEqual([3])
    session.terminate()
  })
})

test('a tuning profile that answers at once is asked as often as a peer likes', async () => {
  const asked: Profile = { uri: TUNING, tuning: true, message: () => 'no' }
  const { session, peer } = await rawPair('listener', { profiles: [asked] })
  await rawStart(peer, 1, TUNING)
  peer.say(`SEQ 1 0 1000000\r\n${Array.from({ length: 2000 }, (_, n) => peer.frame(`MSG 1 ${n}`)).join('')}`)
  await peer.expect(/RPY 1 1999 /)
  session.terminate()
})

test('a tuning that was given up before it began leaves nothing behind', async () => {
  const { initiator, listener } = await sessionPair(
    {},
    { profiles: [{ uri: 'u:never', message: () => new Promise<never>(() => {}) }] },
  )
  const channel = await initiator.start('u:never')
  channel.request('x').catch(() => {})
  await expect(
    initiator.tune(
      TUNING,
      { initial: 'ready', signal: AbortSignal.abort(new Error('enough')) },
      () => {},
      async (same) => same,
    ),
  ).rejects.toThrow('enough')
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  listener.terminate()
  expect(await soon(initiator.closed)).toMatchObject({ kind: 'terminated' })
  await turns()
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

test('what a fast peer says as soon as it hears the answer is for the tuning profile', async () => {
  const taken = deferred<Duplex>()
  const takeOver = (transport: Duplex) => {
    taken.resolve(transport)
    return new Promise<never>(() => {})
  }
  const profile: Profile = { uri: TUNING, tuning: true, start: () => new Tuning('<go/>', takeOver) }
  const { session, peer } = await rawPair('listener', { profiles: [profile] })
  peer.stream.on('data', (octets: Buffer) => octets.includes('<go/>') && peer.say('hello'))
  peer.say(peer.management('MSG 1', `<start number='1'><profile uri='${TUNING}'>ready</profile></start>`))
  const transport = await taken.promise
  const [octets] = await once(transport.resume(), 'data')
  expect(String(octets)).toBe('hello')
  session.terminate()
})
