// Whoever asks for objects, over real sockets and TLS: clocks that differ, peers that never come to an end, and those who wait no longer.
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Profile, Reply } from '../../beep/index.js'
import { deferred } from '../../beep/promises.js'
import type { Friend } from '../friend.js'
import { Identity } from '../identity.js'
import { inOrder } from '../object-query.js'
import type { SignedObject } from '../signed-object.js'
import { askObjects, MAX_FOREIGN_NOTES } from './asking.js'
import { JSON_TEXT, SIGNED_DATA } from './media-types.js'
import { MAX_ANSWERS } from './objects.js'
import { all, signNote, texts } from './test-kit-notes.js'
import { type World, world } from './test-kit-people.js'
import { CERTIFICATES, FILES, OBJECTS } from './uris.js'

let ada: Identity
let bob: Identity
let here: World
/** More than one answer tells. */
let many: SignedObject[]

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
  const now = Date.now()
  const signed = Array.from({ length: 2 * MAX_ANSWERS + 3 }, (_, n) => signNote(bob, `${n}`, { now: now - 1000 * (n % 7) }))
  many = await Promise.all(signed)
})
afterEach(async () => {
  await here[Symbol.asyncDispose]()
})

test.each([
  ['ahead', 3_600_000],
  ['behind', -3_600_000],
])('whoever has a clock that is %s passes over what does not hold by it, and is told what does', async (_, skew) => {
  here = await world({ bob })
  const { friend } = await here.dial(ada)
  for (const each of many) here.store.put(each)
  const lasting = { now: here.now - 7_200_000, lifetime: 86_400 }
  here.store.put(await signNote(bob, 'first', lasting))
  if (skew > 0) here.store.put(await signNote(bob, 'last', { ...lasting, now: here.now }))
  const asker = { self: ada.fingerprint, now: () => here.now + skew }
  expect(texts(await all(askObjects(friend.session, {}, asker)))).toEqual(skew > 0 ? ['first', 'last'] : ['first'])
})

/** Bob serves this instead of what an honest peer does. */
async function met(...serves: readonly Profile[]) {
  here = await world({ bob, serves })
  return here.dial(ada)
}

const foreign = { body: '{"unknown":true}', contentType: JSON_TEXT }

test('a peer that tells notes without end that nobody knows is let go', async () => {
  const { friend } = await met({
    uri: OBJECTS,
    async *message() {
      for (;;) {
        yield foreign
        await setImmediate()
      }
    },
  })
  await expect(friend.query({}).next()).rejects.toMatchObject({ reason: 'unasked' })
  friend.session.terminate()
})

test('as many notes between two objects as are allowed, again and again, do no harm', async () => {
  const told = many.toSorted(inOrder).slice(0, 3)
  const { friend } = await met({
    uri: OBJECTS,
    async *message() {
      for (const { octets } of told) {
        for (let count = 0; count < MAX_FOREIGN_NOTES; count++) yield foreign
        yield { body: octets, contentType: SIGNED_DATA }
      }
    },
  })
  expect(await all(friend.query({}))).toHaveLength(3)
})

describe('a signal ends the waiting for a peer that does not answer', () => {
  const reason = new Error('enough')

  /** Bob hears the question, and says nothing. */
  async function silent(uri: string, begin: () => Reply | Promise<Reply> = () => new Promise<never>(() => {})) {
    const asked = deferred<void>()
    const { friend } = await met({
      uri,
      start: () => (uri === CERTIFICATES ? bob.certificate.der : undefined),
      async message(message) {
        await message.bytes()
        asked.resolve()
        return begin()
      },
    })
    const controller = new AbortController()
    return { friend, asked: asked.promise, signal: controller.signal, abort: () => controller.abort(reason) }
  }
  type Silent = Awaited<ReturnType<typeof silent>>

  const waits: readonly (readonly [what: string, uri: string, ask: (friend: Friend, signal: AbortSignal) => Promise<unknown>])[] =
    [
      ['a query', OBJECTS, (friend, signal) => friend.query({}, { signal }).next()],
      ['what is given', OBJECTS, async (friend, signal) => friend.give(many[0]!.octets, { signal })],
      ['certificates', CERTIFICATES, (friend, signal) => friend.certificates([], { signal }).next()],
      ['a file', FILES, (friend, signal) => friend.sendFile('package.json', undefined, { signal })],
    ]
  test.each(waits)('%s', async (_, uri, ask) => {
    const { friend, asked, signal, abort }: Silent = await silent(uri)
    const asking = ask(friend, signal)
    await asked
    abort()
    await expect(asking).rejects.toBe(reason)
    await expect(ask(friend, signal)).rejects.toBe(reason)
    // The session goes on.
    await friend.session.start(uri, { initial: ada.certificate.der })
    friend.session.terminate()
  })

  test('and for one whose answer does not come to its end', async () => {
    const begun = deferred<void>()
    const { friend, asked, signal, abort } = await silent(OBJECTS, async () => ({
      body: (async function* () {
        yield 'a digest'
        begun.resolve()
        await new Promise(() => {})
      })(),
    }))
    const giving = friend.give(many[0]!.octets, { signal })
    await asked
    await begun.promise
    abort()
    await expect(giving).rejects.toBe(reason)
    friend.session.terminate()
  })
})
