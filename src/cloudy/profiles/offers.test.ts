// Offers of files that wait for whoever decides: who leaves meanwhile, and how many may wait. What is offered and sent is in files.test.ts.
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import { type Deferred, deferred } from '../../beep/promises.js'
import { Identity } from '../identity.js'
import { signObject } from '../signed-object.js'
import { CROWD, RIGHTS } from '../trust.js'
import { FILE_TYPE } from './files.js'
import { SIGNED_DATA } from './media-types.js'
import { type World, world } from './test-kit-people.js'
import { FILES } from './uris.js'

let ada: Identity
let bob: Identity
let here: World

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
})
afterEach(async () => {
  await here[Symbol.asyncDispose]()
})

interface Prompt {
  readonly signal: AbortSignal
  readonly decision: Deferred<void>
}

/** Bob takes his time to decide. `next` resolves with the next prompt that he has. */
async function met() {
  const prompts: Prompt[] = []
  let coming = deferred<Prompt>()
  here = await world({
    bob,
    trust: 'stranger',
    onFile: {
      offered: (_manifest, _from, signal) => {
        const prompt = { signal, decision: deferred<void>() }
        prompts.push(prompt)
        coming.resolve(prompt)
        coming = deferred()
        return prompt.decision.promise
      },
    },
  })
  return { prompts, next: () => coming.promise }
}

/** Somebody comes and offers a file. */
async function offer(who: Identity) {
  const { friend, atBob } = await here.dial(who)
  const channel = await friend.session.start(FILES)
  const issued = Math.floor(here.now / 1000)
  const value = { name: 'x', size: 1, sha256: '0'.repeat(64) }
  const manifest = { type: FILE_TYPE, issued, expires: issued + 3600, to: bob.fingerprint, value }
  const { octets } = await signObject(who, manifest)
  const code = channel.request({ body: octets, contentType: SIGNED_DATA }).then(
    () => 'accepted',
    (error) => error.replyCode ?? error.code,
  )
  const leave = async () => {
    friend.session.terminate()
    await atBob.closed
  }
  return { code, leave }
}

test('whoever decides is told when the giver leaves; until they have decided, the offer counts', async () => {
  const { next } = await met()
  const asked = next()
  const first = await offer(ada)
  const { signal, decision } = await asked
  expect(signal.aborted).toBe(false)
  await first.leave()
  expect([signal.aborted, await first.code]).toEqual([true, 'BEEP_ERR_CLOSED'])
  expect(await (await offer(ada)).code).toBe(450)
  decision.resolve()
  const again = next()
  const last = await offer(ada)
  ;(await again).decision.resolve()
  expect(await last.code).toBe('accepted')
})

test('strangers who come and leave ask the user no more at a time than the table says, however many keys they have', async () => {
  const { prompts, next } = await met()
  const most = CROWD * RIGHTS.stranger.offer.atOnce
  const comes = async () => offer(await Identity.generate({ nickname: 'Mallory' }))
  for (let count = 0; count < most; count++) {
    const asked = next()
    const visit = await comes()
    await asked
    await visit.leave()
  }
  expect(await (await comes()).code).toBe(450)
  expect(prompts.map(({ signal }) => signal.aborted)).toEqual(Array.from({ length: most }, () => true))
  prompts[0]!.decision.reject(new Error('they have left'))
  const asked = next()
  const { code } = await comes()
  ;(await asked).decision.resolve()
  expect(await code).toBe('accepted')
})
