// Objects that are followed, over real sockets and TLS: what is told, and subscriptions that end in every way.
import { getEventListeners } from 'node:events'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Profile } from '../../beep/index.js'
import { deferred } from '../../beep/promises.js'
import { Identity } from '../identity.js'
import { ObjectStore } from '../object-store.js'
import type { SignedObject } from '../signed-object.js'
import { Gate } from '../trust.js'
import { followObjects } from './asking.js'
import { SIGNED_DATA } from './media-types.js'
import { objects } from './objects.js'
import { type NoteOptions, signNote, texts } from './test-kit-notes.js'
import { exhausted, type World, type WorldOptions, world } from './test-kit-people.js'
import { OBJECTS } from './uris.js'

let ada: Identity
let bob: Identity
let eve: Identity
let here: World
/** Of 60,000 octets each. */
let large: SignedObject[]

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
  eve = await Identity.generate({ nickname: 'Eve' })
  large = await Promise.all(
    Array.from({ length: 40 }, (_, n) => signNote(bob, `${n} ${'x'.repeat(60_000)}`, { now: Date.now() })),
  )
})
afterEach(async () => {
  await here[Symbol.asyncDispose]()
})

async function met(options: Partial<WorldOptions> = {}) {
  here = await world({ bob, ...options })
  return here.dial(ada)
}

const note = (text: string, { by = ada, ...options }: Partial<NoteOptions> & { by?: Identity } = {}) =>
  signNote(by, text, { now: here.now, ...options })

describe('a subscription', () => {
  async function following(options: Partial<WorldOptions> = {}) {
    const { friend, atBob } = await met(options)
    return { friend, atBob, objects: await friend.subscribe({ type: 'example/note' }) }
  }

  test('tells everything that is asked for and comes from its begin on, verified', async () => {
    const { friend } = await met()
    here.store.put(await note('before', { by: bob }))
    const objects = await friend.subscribe({ type: 'example/note', signer: bob.fingerprint })
    const other = await here.dial(eve)
    await other.friend.give((await note('of Eve', { by: eve })).octets)
    await other.friend.give((await note('another', { by: bob, type: 'example/other' })).octets)
    await other.friend.give((await note('of Bob', { by: bob })).octets)
    here.store.put(await note('for Eve', { by: bob, to: eve.fingerprint }))
    here.store.put(await note('for Ada', { by: bob, to: ada.fingerprint }))
    const told = [(await objects.next()).value, (await objects.next()).value] as SignedObject[]
    expect(texts(told)).toEqual(['of Bob', 'for Ada'])
  })

  test('is left by its reader: the channel is closed, the session lives on', async () => {
    const { friend, atBob, objects } = await following()
    here.store.put(await note('hello', { by: bob }))
    for await (const _ of objects) break
    expect([friend.session.channels.size, atBob.channels.size]).toEqual([0, 0])
    expect(await friend.give((await note('still here')).octets)).toMatch(/^[0-9a-f]{64}$/)
  })

  test('is left before anything was read, or while its reader waits, or with much that waits unread', async () => {
    const { friend, atBob, objects } = await following()
    await objects.return()
    expect([friend.session.channels.size, atBob.channels.size]).toEqual([0, 0])
    const waiting = await friend.subscribe({})
    const next = waiting.next()
    await waiting[Symbol.asyncDispose]()
    expect(await next).toEqual({ done: true, value: undefined })
    const full = await friend.subscribe({})
    for (const each of large) here.store.put(each)
    await exhausted(atBob)
    await full.return()
    expect([friend.session.channels.size, atBob.channels.size]).toEqual([0, 0])
  })

  test('is ended by a signal, also while its reader waits', async () => {
    const { friend } = await met()
    const controller = new AbortController()
    const objects = await friend.subscribe({}, { signal: controller.signal })
    const next = objects.next()
    controller.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    await expect(friend.subscribe({}, { signal: controller.signal })).rejects.toThrow(/aborted/)
    await friend.release()
  })

  test('ends with its store, which is how a peer stops', async () => {
    const { objects } = await following()
    const next = objects.next()
    here.store.close()
    expect((await next).done).toBe(true)
  })

  test('ends when its reader releases the session', async () => {
    const { friend, atBob, objects } = await following()
    const next = objects.next()
    await friend.release()
    expect((await next).done).toBe(true)
    expect((await atBob.closed).kind).toBe('released')
  })

  test('ends when who tells releases the session', async () => {
    const store = new ObjectStore({ now: Date.now })
    const gate = new Gate({ trustOf: () => 'vouched', now: Date.now })
    const serves = objects({ gate, self: ada.fingerprint, now: Date.now, store, receive: () => {} })
    here = await world({ bob })
    const { friend, atBob } = await here.dial(ada, [serves])
    const next = (await followObjects(atBob, {}, { self: bob.fingerprint, now: Date.now })).next()
    await friend.release()
    expect((await next).done).toBe(true)
    expect(await atBob.closed).toEqual({ kind: 'released', by: 'peer' })
  })

  test('fails when the session breaks, and is forgotten at the other end', async () => {
    const { friend, atBob, objects } = await following({ limits: { maxSubscriptions: 1 } })
    const next = objects.next()
    friend.session.terminate()
    await expect(next).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    await atBob.closed
    const again = await here.dial(ada)
    await again.friend.subscribe({})
    await expect(again.friend.subscribe({})).rejects.toMatchObject({ replyCode: 450 })
  })

  test('tells no more to somebody who is blocked meanwhile', async () => {
    const { objects } = await following()
    const next = objects.next()
    here.trust = 'blocked'
    here.store.put(await note('hello', { by: bob }))
    expect((await next).done).toBe(true)
  })

  test('passes over what expired while it waited to be told', async () => {
    const { objects } = await following()
    here.store.put(await note('short', { by: bob, lifetime: 1 }))
    here.now += 1000
    here.store.put(await note('long', { by: bob }))
    expect(texts([(await objects.next()).value as SignedObject])).toEqual(['long'])
  })

  test('whose reader does not keep up ends, and says that there was more', async () => {
    const { objects, atBob } = await following({ limits: { maxQueue: 8 } })
    for (const each of large) {
      here.store.put(each)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await exhausted(atBob)
    const told: string[] = []
    const reading = (async () => {
      for await (const { digest } of objects) told.push(digest)
    })()
    await expect(reading).rejects.toMatchObject({ replyCode: 450 })
    expect(told.length).toBeGreaterThan(8)
    expect(told).toEqual(large.slice(0, told.length).map(({ digest }) => digest))
    expect(told.length).toBeLessThan(large.length)
  })
})

test('a subscription that a peer does not begin ends with its signal, and leaves no listener', async () => {
  const asked = deferred<void>()
  const silent: Profile = {
    uri: OBJECTS,
    message: () => {
      asked.resolve()
      return new Promise(() => {})
    },
  }
  const { friend } = await met({ serves: [silent] })
  const controller = new AbortController()
  const subscribing = friend.subscribe({}, { signal: controller.signal })
  await asked.promise
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(subscribing).rejects.toBe(reason)
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  friend.session.terminate()
})

test('a subscription that a false peer does not begin with its note is left', async () => {
  const { octets: body } = await signNote(bob, 'hello', { now: Date.now() })
  const serving: Profile = {
    uri: OBJECTS,
    async *message() {
      yield { body, contentType: SIGNED_DATA }
    },
  }
  const { friend } = await met({ serves: [serving] })
  await expect(friend.subscribe({})).rejects.toMatchObject({ reason: 'unasked' })
})
