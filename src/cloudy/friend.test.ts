// A friend whose session is taken by another of the same peer: what both peers do when they dial each other at once.
import { afterEach, expect, test } from '@jest/globals'
import { Identity } from './identity.js'
import { signNote } from './profiles/test-kit-notes.js'
import { type World, world } from './profiles/test-kit-people.js'
import { OBJECTS } from './profiles/uris.js'

let here: World
afterEach(async () => {
  await here[Symbol.asyncDispose]()
})

test('what is asked after a move goes by the new session, also where the old one has a channel for it', async () => {
  const [ada, bob] = [await Identity.generate({ nickname: 'Ada' }), await Identity.generate({ nickname: 'Bob' })]
  here = await world({ bob })
  const { friend, atBob } = await here.dial(ada)
  const other = await here.dial(ada)
  const give = async (text: string) => friend.give((await signNote(ada, text, { now: here.now })).octets)
  await give('before')
  const begun = [...atBob.channels.values()].map(({ profileUri }) => profileUri)
  const before = atBob.traffic.messagesReceived
  friend.moveTo(other.friend.session)
  await give('after')
  for await (const _ of friend.certificates([bob.fingerprint]));
  expect(begun).toEqual([OBJECTS])
  expect(atBob.traffic.messagesReceived).toBe(before)
  expect(other.atBob.channels.size).toBe(2)
})
