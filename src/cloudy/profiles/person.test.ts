// What the one door to all profiles holds of somebody before the gate knows what they want.
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import type { Channel } from '../../beep/index.js'
import { deferred } from '../../beep/promises.js'
import { Identity } from '../identity.js'
import { JSON_TEXT } from './media-types.js'
import { MAX_READINGS } from './person.js'
import { type World, world } from './test-kit-people.js'
import { OBJECTS } from './uris.js'

let ada: Identity
let bob: Identity
let eve: Identity
let here: World

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
  eve = await Identity.generate({ nickname: 'Eve' })
})
afterEach(async () => {
  await here[Symbol.asyncDispose]()
})

/** A question of which the end comes when `rest` resolves. */
function halfSaid(channel: Channel, rest: Promise<void>): Promise<unknown> {
  async function* body() {
    yield '{"query":{'
    await rest
    yield '}}'
  }
  return channel.request({ body: body(), contentType: JSON_TEXT }).catch((error: unknown) => error)
}

test('of the questions of one key so many are read at a time, on however many channels; others are not concerned', async () => {
  here = await world({ bob })
  const { friend } = await here.dial(ada)
  const { friend: other } = await here.dial(eve)
  const rest = deferred<void>()
  const channels = []
  for (let count = 0; count <= MAX_READINGS; count++) channels.push(await friend.session.start(OBJECTS))
  const last = channels.pop()!
  const questions = channels.map((channel) => halfSaid(channel, rest.promise))
  // When this has an answer, Bob has the beginning of each.
  await (await friend.session.start(OBJECTS)).close()
  expect(await halfSaid(last, rest.promise)).toMatchObject({ replyCode: 450 })
  const others = halfSaid(await other.session.start(OBJECTS), rest.promise)
  rest.resolve()
  const busy = (answers: readonly unknown[]) => answers.filter((each) => (each as { replyCode?: number }).replyCode === 450)
  expect(busy([await others, ...(await Promise.all(questions))])).toEqual([])
  expect(busy([await halfSaid(last, rest.promise)])).toEqual([])
})
