// Objects over real sockets and TLS: given, kept and asked for; each refusal with its code. What is followed is in subscriptions.test.ts.
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Entity, type Profile, ReplyError } from '../../beep/index.js'
import { deferred } from '../../beep/promises.js'
import { signCard } from '../calling-card.js'
import type { Friend } from '../friend.js'
import { Identity } from '../identity.js'
import { type SignedObject, signObject } from '../signed-object.js'
import { JSON_TEXT, SIGNED_DATA } from './media-types.js'
import { MAX_ANSWERS } from './objects.js'
import { all, type NoteOptions, signNote, texts } from './test-kit-notes.js'
import { exhausted, type World, type WorldOptions, world } from './test-kit-people.js'
import { OBJECTS } from './uris.js'

let ada: Identity
let bob: Identity
let eve: Identity
let here: World
/** More than one answer holds, some issued in the same second. */
let many: SignedObject[]
/** Of 60,000 octets each. */
let large: SignedObject[]

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
  eve = await Identity.generate({ nickname: 'Eve' })
  const now = Date.now()
  const sign = (value: string, age: number) => bob.sign(value, { type: 'example/note', lifetime: 600, now: now - 1000 * age })
  many = await Promise.all(Array.from({ length: MAX_ANSWERS + 3 }, (_, n) => sign(`${n}`, n % 5)))
  large = await Promise.all(Array.from({ length: 40 }, (_, n) => sign(`${n} ${'x'.repeat(60_000)}`, 0)))
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

const json = (body: string) => ({ body, contentType: JSON_TEXT })

describe('an object that is given', () => {
  test('is told to the application once, however often and by whomever it is given, and kept', async () => {
    const { friend } = await met()
    const other = await here.dial(eve)
    const letter = await note('hello')
    const digests = [friend, friend, other.friend].map((each) => each.give(letter.octets))
    expect(await Promise.all(digests)).toEqual([letter.digest, letter.digest, letter.digest])
    expect(await friend.give(letter.octets)).toBe(letter.digest)
    expect(here.received).toMatchObject([{ kind: 'object', object: { value: { text: 'hello' } } }])
    expect(here.store.stored({}, undefined)).toMatchObject([{ digest: letter.digest, signer: ada.fingerprint }])
  })

  test('that the application refuses is neither kept nor known; it may be given again', async () => {
    let refusals = 2
    const { friend } = await met({
      receive: () => {
        if (refusals-- > 0) throw new ReplyError(450, 'not now')
      },
    })
    const letter = await note('hello')
    const twice = [friend.give(letter.octets), friend.give(letter.octets)]
    for (const each of twice) await expect(each).rejects.toMatchObject({ replyCode: 450 })
    expect(here.store.size).toBe(0)
    expect(await friend.give(letter.octets)).toBe(letter.digest)
    expect(here.store.size).toBe(1)
  })

  test.each([
    ['kept for who may keep it', 100, 2],
    ['refused to who may keep it when there is no room', 1, 1],
  ])('by a stranger at the same moment is %s, and told to the application once', async (_, maxObjects, kept) => {
    const asked = deferred<void>()
    const go = deferred<void>()
    const letter = await signNote(ada, 'hello', { now: Date.now() })
    here = await world({
      bob,
      limits: { maxObjects },
      trustOf: (fingerprint) => (fingerprint === eve.fingerprint ? 'stranger' : 'vouched'),
      receive: (each) => {
        if (each.kind !== 'object' || each.object.digest !== letter.digest) return undefined
        asked.resolve()
        return go.promise
      },
    })
    const [stranger, { friend }] = [await here.dial(eve), await here.dial(ada)]
    await friend.give((await note('before')).octets)
    const first = stranger.friend.give(letter.octets)
    await asked.promise
    const second = friend.give(letter.octets).catch((error) => error.replyCode)
    // What is asked later in the session is answered when the object has come.
    await all(friend.query({}))
    go.resolve()
    expect(await first).toBe(letter.digest)
    expect(await second).toBe(kept === 2 ? letter.digest : 554)
    expect(here.received).toHaveLength(2)
    expect(here.store.size).toBe(kept)
  })

  test('by a stranger is told to the application only; known by then, it is still kept for somebody else', async () => {
    const { friend } = await met({ trust: 'stranger' })
    const letter = await note('hello')
    await friend.give(letter.octets)
    expect([here.received.length, here.store.size]).toEqual([1, 0])
    here.trust = 'remembered'
    await friend.give(letter.octets)
    expect([here.received.length, here.store.size]).toEqual([1, 1])
  })

  test('is not kept when it is for Bob alone, or has rules of its own', async () => {
    const { friend } = await met()
    await friend.give((await note('a secret', { to: bob.fingerprint })).octets)
    const fields = { nickname: 'Ada', host: 'ada.local', port: 4000, availability: 'available', sequence: 1 } as const
    await friend.give(await signCard(ada, fields, { now: here.now }))
    const issued = Math.floor(here.now / 1000)
    const own = await signObject(ada, { type: 'cloudy/relationship', issued, expires: issued + 60, value: {} })
    await friend.give(own.octets)
    expect(here.received.map(({ kind }) => kind)).toEqual(['object', 'card', 'object'])
    expect(here.store.size).toBe(0)
  })

  test('is refused with 550 when its time is over, with 553 when it does not hold', async () => {
    const { friend } = await met()
    const replyCode = async (octets: Uint8Array) => friend.give(octets).catch((error) => error.replyCode)
    const good = await note('hello')
    expect(await replyCode((await note('late', { now: here.now - 3_600_000 })).octets)).toBe(550)
    expect(await replyCode((await note('early', { now: here.now + 3_600_000 })).octets)).toBe(553)
    expect(await replyCode((await note('astray', { to: eve.fingerprint })).octets)).toBe(553)
    expect(await replyCode(good.octets.map((octet, at) => (at === 300 ? octet ^ 1 : octet)))).toBe(553)
    expect(await replyCode(Buffer.concat([good.octets, Buffer.of(0)]))).toBe(553)
    expect(await replyCode(Buffer.alloc(0))).toBe(553)
    expect([here.received.length, here.store.size]).toEqual([0, 0])
  })

  test('is refused with 554 when there is no room, and the application is not told', async () => {
    const { friend } = await met({ limits: { maxObjects: 1 } })
    await friend.give((await note('first')).octets)
    await expect(friend.give((await note('second')).octets)).rejects.toMatchObject({ replyCode: 554 })
    expect(here.received).toHaveLength(1)
  })

  test('that is too long is refused with 554, a MSG that is nothing of this profile with 501, a bad question with 500 or 501', async () => {
    const { friend } = await met()
    const channel = await friend.session.start(OBJECTS)
    const replyCode = async (what: Entity) => channel.request(what).catch((error) => error.replyCode)
    expect(await replyCode({ body: Buffer.alloc(65_537), contentType: SIGNED_DATA })).toBe(554)
    expect(await replyCode(json(' '.repeat(4097)))).toBe(554)
    expect(await replyCode({ body: 'hello', contentType: 'text/plain' })).toBe(501)
    expect(await replyCode({ body: 'hello' })).toBe(501)
    expect(await replyCode({ body: 'hello', contentType: 'application/pkcs7-mime' })).toBe(501)
    expect(await replyCode(json('{'))).toBe(500)
    expect(await replyCode(json('{"limit":1}'))).toBe(501)
    expect(await replyCode(json('{"signer":"ada"}'))).toBe(501)
  })
})

describe('a query', () => {
  test('is answered with what is asked for, verified, by time of issue', async () => {
    const { friend } = await met()
    const now = here.now
    const given = [
      await note('third', { now: now - 10_000 }),
      await note('first', { now: now - 30_000 }),
      await note('second', { now: now - 20_000, by: eve }),
      await note('another', { type: 'example/other' }),
    ]
    for (const each of given) await friend.give(each.octets)
    expect(texts(await all(friend.query({ type: 'example/note' })))).toEqual(['first', 'second', 'third'])
    expect(texts(await all(friend.query({ signer: eve.fingerprint })))).toEqual(['second'])
    const since = Math.floor(now / 1000) - 20
    expect(texts(await all(friend.query({ since, signer: ada.fingerprint })))).toEqual(['third', 'another'])
    expect(await all(friend.query({ type: 'example/nothing' }))).toEqual([])
    const [second] = await all(friend.query({ since }))
    expect(texts(await all(friend.query({ since, after: second!.digest })))).toEqual(['third', 'another'])
  })

  test('tells what is addressed to its addressee alone, and nothing that has expired', async () => {
    const { friend } = await met()
    const other = await here.dial(eve)
    here.store.put(await note('for Ada', { by: bob, to: ada.fingerprint }))
    here.store.put(await note('for all', { by: bob, lifetime: 20 }))
    expect(texts(await all(other.friend.query({})))).toEqual(['for all'])
    expect(texts(await all(friend.query({}))).toSorted()).toEqual(['for Ada', 'for all'])
    here.now += 20_000
    expect(texts(await all(friend.query({})))).toEqual(['for Ada'])
  })

  test('for more than one answer holds goes on where that stopped', async () => {
    const { friend } = await met()
    for (const each of many) here.store.put(each)
    const channel = await friend.session.start(OBJECTS)
    const types: string[] = []
    for await (const answer of channel.send(json('{}'))) types.push(answer.contentType)
    expect(types).toEqual([...Array.from({ length: MAX_ANSWERS }, () => SIGNED_DATA), JSON_TEXT])
    const told = await all(friend.query({}))
    expect(told.map(({ digest }) => digest)).toEqual(here.store.stored({}, undefined).map(({ digest }) => digest))
    expect(told).toHaveLength(many.length)
  })

  test('is answered up to the octets that may be told in an hour, then refused with 450', async () => {
    const { friend } = await met({ trust: 'remembered' })
    for (const each of large) here.store.put(each)
    const whole = large.reduce((sum, each) => sum + each.octets.length, 0)
    const channel = await friend.session.start(OBJECTS)
    let octets = 0
    const ask = async () => {
      let last = ''
      for await (const answer of channel.send(json('{}'))) {
        const body = await answer.bytes()
        last = body.toString()
        if (answer.contentType === SIGNED_DATA) octets += body.length
      }
      return last
    }
    for (let left = 16_777_216; left > whole; left -= whole) expect(await ask()).not.toBe('{"more":true}')
    expect(await ask()).toBe('{"more":true}')
    await expect(ask()).rejects.toMatchObject({ replyCode: 450 })
    expect(16_777_216 - octets).toBeGreaterThanOrEqual(0)
    expect(16_777_216 - octets).toBeLessThan(whole / large.length + 10)
    here.now += 3_600_000
    await expect(all(friend.query({ type: 'example/nothing' }))).resolves.toEqual([])
  })

  test('whose answers are not read holds little, and ends when its asker leaves', async () => {
    const { friend, atBob } = await met()
    for (const each of large) here.store.put(each)
    const channel = await friend.session.start(OBJECTS)
    const asked = Array.from({ length: 20 }, () => channel.send(json('{}'))[Symbol.asyncIterator]())
    expect((await asked[0]!.next()).done).toBe(false)
    // Nobody reads on: what is told comes to rest at what fits the window, and nothing more is made.
    await exhausted(atBob)
    expect(atBob.traffic.octetsSent).toBeLessThan(1_000_000)
    friend.session.terminate()
    expect((await atBob.closed).kind).toBe('terminated')
    const again = await here.dial(ada)
    expect(await all(again.friend.query({ type: 'example/nothing' }))).toEqual([])
  })

  test('tells nothing that expired while its asker did not read, and nothing more to somebody who is blocked meanwhile', async () => {
    const told = async (meanwhile: () => void) => {
      const { friend, atBob } = await met()
      for (const each of large) here.store.put(each)
      const channel = await friend.session.start(OBJECTS)
      const answers = channel.send(json('{}'))[Symbol.asyncIterator]()
      const first = await answers.next()
      await exhausted(atBob)
      meanwhile()
      await first.value!.bytes()
      let count = 1
      for await (const answer of { [Symbol.asyncIterator]: () => answers }) {
        await answer.bytes()
        count++
      }
      return count
    }
    const unread = await told(() => {
      here.now += 600_000
    })
    expect(unread).toBeLessThan(large.length)
    await here[Symbol.asyncDispose]()
    const blocked = await told(() => {
      here.trust = 'blocked'
    })
    expect(blocked).toBeLessThan(large.length)
  })

  test('gives its place back, however its asker leaves', async () => {
    await met({ trust: 'remembered' })
    for (const each of large.slice(0, 5)) here.store.put(each)
    for (let n = 0; n < 6; n++) {
      const { friend, atBob } = await here.dial(ada)
      const channel = await friend.session.start(OBJECTS)
      await channel.send(json('{}'))[Symbol.asyncIterator]().next()
      friend.session.terminate()
      await atBob.closed
    }
    const { friend } = await here.dial(ada)
    for (let n = 0; n < 6; n++) expect(await all(friend.query({}))).toHaveLength(5)
  })

  test('that is left early leaves the session as it was', async () => {
    const { friend } = await met()
    for (let n = 0; n < 20; n++) here.store.put(await note(`${n}`, { by: bob }))
    for await (const _ of friend.query({})) break
    expect(friend.session.channels.size).toBe(0)
    expect(await all(friend.query({}))).toHaveLength(20)
    await friend.release()
  })
})

describe('a false peer', () => {
  const serving = (...answers: readonly Entity[]): Profile => ({
    uri: OBJECTS,
    async *message() {
      yield* answers
    },
  })
  const as = (object: SignedObject) => ({ body: object.octets, contentType: SIGNED_DATA })
  const now = Date.now()
  const by = (who: Identity, text: string, options = {}) =>
    who.sign({ text }, { type: 'example/note', lifetime: 600, now, ...options })

  async function asked(friend: Friend): Promise<unknown> {
    return all(friend.query({ signer: bob.fingerprint, type: 'example/note' })).catch((error) => error)
  }
  async function told(...answers: readonly Entity[]) {
    here = await world({ bob, serves: [serving(...answers)] })
    const { friend } = await here.dial(ada)
    return asked(friend)
  }

  test('that tells what does not hold, or was not asked for, is not believed', async () => {
    const outcome = async (...answers: readonly Entity[]) => {
      const result = (await told(...answers)) as { reason?: string; replyCode?: number }
      await here[Symbol.asyncDispose]()
      return result.reason ?? result.replyCode ?? result
    }
    const good = await by(bob, 'good')
    expect(await outcome(as(good))).toHaveLength(1)
    expect(await outcome(as(await by(eve, 'of another')))).toBe('unasked')
    expect(await outcome(as(await by(bob, 'another', { type: 'example/other' })))).toBe('unasked')
    expect(await outcome(as(await by(bob, 'astray', { to: eve.fingerprint })))).toBe('recipient')
    expect(await outcome(as(good), as(good))).toBe('unasked')
    expect(await outcome({ ...as(good), contentType: 'text/plain' })).toBe('unasked')
    expect(await outcome({ ...as(good), body: Buffer.alloc(700, 1) })).toBe('malformed')
    expect(await outcome(as(await by(bob, 'late', { now: now - 3_600_000 })))).toEqual([])
    expect(await outcome(json('{"more":true}'))).toBe(450)
    expect(await outcome(json('{"unknown":true}'), as(good))).toHaveLength(1)
    // It says that there is more, for ever, and tells the same.
    expect(await outcome(as(good), json('{"more":true}'))).toBe('unasked')
  })
})

test('who is blocked is blocked at once, on a channel that is open, too: nothing they say is read', async () => {
  const { friend } = await met()
  const channel = await friend.session.start(OBJECTS)
  await expect(channel.request(json('no JSON'))).rejects.toMatchObject({ replyCode: 500 })
  here.trust = 'blocked'
  await expect(channel.request(json('no JSON'))).rejects.toMatchObject({ replyCode: 537 })
})

test('an object of somebody whom the application blocks when it is told of it is not kept', async () => {
  const { friend } = await met({
    receive: () => {
      here.trust = 'blocked'
    },
  })
  await friend.give((await note('hello')).octets)
  expect([here.received.length, here.store.size]).toEqual([1, 0])
})

test('an application that takes its time holds up only those who wait for it, and is at work until it has done, whoever has left', async () => {
  const go = deferred<void>()
  const { friend, atBob } = await met({ trust: 'remembered', receive: () => go.promise })
  for (let n = 0; n < 4; n++) {
    const channel = await friend.session.start(OBJECTS)
    channel.request({ body: (await note(`${n}`)).octets, contentType: SIGNED_DATA }).catch(() => {})
  }
  await expect(friend.give((await note('more')).octets)).rejects.toMatchObject({ replyCode: 450 })
  friend.session.terminate()
  await atBob.closed
  const again = await here.dial(ada)
  await expect(again.friend.give((await note('more')).octets)).rejects.toMatchObject({ replyCode: 450 })
  expect(await all(again.friend.query({}))).toEqual([])
  go.resolve()
  const last = await note('last')
  expect(await again.friend.give(last.octets)).toBe(last.digest)
})

test('an object that arrives while its giver leaves is kept', async () => {
  const asked = deferred<void>()
  const go = deferred<void>()
  const { friend } = await met({
    receive: () => {
      asked.resolve()
      return go.promise
    },
  })
  const given = friend.give((await note('hello')).octets)
  await asked.promise
  friend.session.terminate()
  await expect(given).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
  go.resolve()
  const next = await here.dial(ada)
  expect(texts(await all(next.friend.query({})))).toEqual(['hello'])
})
