// Whoever asks for objects, over real sockets and TLS: clocks that differ, peers that never come to an end, and those who wait no longer.
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import { Identity } from '../identity.js'
import type { SignedObject } from '../signed-object.js'
import { askObjects } from './asking.js'
import { MAX_ANSWERS } from './objects.js'
import { all, signNote, texts } from './test-kit-notes.js'
import { type World, world } from './test-kit-people.js'

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
