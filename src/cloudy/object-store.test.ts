// The store against a list that does everything the slow way; its limits, each; and subscriptions that end in every way.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { inOrder, matches, type ObjectQuery } from './object-query.js'
import { type Giver, MAX_DIGESTS, ObjectStore, type Storable, type StoreLimits, type Subscription } from './object-store.js'

const START = 1_700_000_000
const ANYBODY: Omit<Giver, 'fingerprint'> = { objects: 1000, octets: 1_000_000, share: 1 }
const giver = (fingerprint: string, keep: Partial<Giver> = {}): Giver => ({ ...ANYBODY, ...keep, fingerprint })

let count = 0
/** An object as `verifyObject` would give it; the store looks at no signature. */
function object(fields: Partial<Storable> & { by?: string; size?: number } = {}): Storable {
  const { by = 'ada', size = 100, ...rest } = fields
  const digest = (count++).toString(16).padStart(64, '0')
  return {
    type: 'example/note',
    issued: START,
    expires: START + 60,
    to: undefined,
    digest,
    octets: new Uint8Array(size),
    signer: { fingerprint: by },
    ...rest,
  }
}

function storeAt(limits: Partial<StoreLimits> = {}) {
  const clock = { now: START }
  return { clock, store: new ObjectStore({ now: () => clock.now * 1000, limits }) }
}

describe('as a list that does it the slow way', () => {
  const LIMITS = { maxObjects: 12, maxOctets: 1500, maxObjectsOfSigner: 6, maxOctetsOfSigner: 900 }
  const PEOPLE = ['ada', 'bob', 'eve']
  const GIVERS = [undefined, giver('bob', { objects: 4, octets: 500, share: 0.5 }), giver('eve', { objects: 5, share: 0.75 })]
  const anybody = fc.option(fc.constantFrom(...PEOPLE), { nil: undefined })
  const type = fc.constantFrom('example/a', 'example/b')
  const query: fc.Arbitrary<ObjectQuery> = fc
    .record(
      { type: fc.option(type, { nil: undefined }), signer: anybody, since: fc.nat(30), after: fc.nat(9) },
      { requiredKeys: [] },
    )
    .map(({ since, after, ...rest }) =>
      since === undefined
        ? rest
        : { ...rest, since: START + since, ...(after === undefined ? {} : { after: `${after}`.padStart(64, '0') }) },
    )
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('put' as const),
        by: fc.constantFrom(...PEOPLE),
        from: fc.constantFrom(...GIVERS),
        to: anybody,
        type,
        issued: fc.nat(20),
        lifetime: fc.integer({ min: 1, max: 40 }),
        size: fc.integer({ min: 1, max: 300 }),
        digest: fc.nat(40),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.nat(15) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('ask' as const), query, asker: anybody, limit: fc.integer({ min: 1, max: 9 }) }),
    },
  )

  interface Row {
    readonly object: Storable
    readonly from: Giver | undefined
  }
  const sum = (rows: readonly Row[]) => rows.reduce((octets, row) => octets + row.object.octets.length, 0)

  /** What `put` should say, by the words of its description. */
  function expected(rows: readonly Row[], { object: it, from }: Row, now: number) {
    if (it.expires <= now) return 'expired'
    if (rows.some((row) => row.object.digest === it.digest)) return 'known'
    const after = [...rows, { object: it, from }]
    const ofSigner = after.filter((row) => row.object.signer.fingerprint === it.signer.fingerprint)
    const ofGiver = after.filter((row) => from !== undefined && row.from?.fingerprint === from.fingerprint)
    const share = from?.share ?? 1
    const fits =
      after.length <= LIMITS.maxObjects * share &&
      sum(after) <= LIMITS.maxOctets * share &&
      ofSigner.length <= LIMITS.maxObjectsOfSigner &&
      sum(ofSigner) <= LIMITS.maxOctetsOfSigner &&
      (from === undefined || (ofGiver.length <= from.objects && sum(ofGiver) <= from.octets))
    return fits ? 'kept' : 'full'
  }

  test('whatever is put, asked and waited for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), query, anybody, async (steps, followed, follower) => {
        const { clock, store } = storeAt({ ...LIMITS, maxQueue: 1000 })
        const subscription = store.subscribe(followed, follower)!
        const told: string[] = []
        let rows: Row[] = []
        for (const each of steps) {
          if (each.kind === 'wait') clock.now += each.seconds
          rows = rows.filter(({ object: { expires } }) => expires > clock.now)
          if (each.kind === 'put') {
            const { by, type, to, size, issued, lifetime, from } = each
            const digest = `${each.digest}`.padStart(64, '0')
            const expires = START + issued + lifetime
            const row = { object: object({ by, size, type, to, issued: START + issued, expires, digest }), from }
            const outcome = expected(rows, row, clock.now)
            expect(store.admits(row.object, from)).toBe(outcome)
            expect(store.put(row.object, from)).toBe(outcome)
            if (outcome === 'kept') rows.push(row)
            if (outcome === 'kept' && isFor(row.object, followed, follower)) told.push(digest)
          } else if (each.kind === 'ask') {
            const found = rows.map((row) => row.object).filter((it) => isFor(it, each.query, each.asker))
            const digests = found.toSorted(inOrder).map(({ digest }) => digest)
            expect(store.stored(each.query, each.asker, each.limit).map(({ digest }) => digest)).toEqual(
              digests.slice(0, each.limit),
            )
          }
          expect([store.size, store.octets]).toEqual([rows.length, sum(rows)])
        }
        expect(await waiting(subscription)).toEqual(told)
      }),
      { numRuns: 300 },
    )
  })

  function isFor(it: Storable, asked: ObjectQuery, asker: string | undefined): boolean {
    const seen = { ...it, signer: it.signer.fingerprint }
    return matches(asked, seen) && (it.to === undefined || asker === undefined || it.to === asker)
  }
})

/** What waits in a subscription, without waiting for more. */
async function waiting(subscription: Subscription): Promise<string[]> {
  const digests: string[] = []
  subscription.offer({ ...object(), digest: 'end', signer: 'nobody' })
  for await (const { digest } of subscription) {
    if (digest === 'end') break
    digests.push(digest)
  }
  return digests
}

describe('what is kept', () => {
  test('an object is dropped when its time is over, and its room is there again', () => {
    const { clock, store } = storeAt({ maxObjects: 1 })
    expect(store.put(object())).toBe('kept')
    expect(store.put(object({ expires: START + 1000 }))).toBe('full')
    clock.now += 59
    expect(store.stored({}, undefined)).toHaveLength(1)
    clock.now += 1
    expect(store.stored({}, undefined)).toEqual([])
    expect([store.size, store.octets]).toEqual([0, 0])
    expect(store.put(object({ expires: START + 1000 }))).toBe('kept')
    expect(store.put(object())).toBe('expired')
  })

  test('is not what an object says, parsed: only its octets', () => {
    const { store } = storeAt()
    store.put({ ...object(), value: { large: true } } as Storable)
    expect(store.stored({}, undefined)[0]).not.toHaveProperty('value')
  })

  test('those who are trusted less cannot fill what is for others', () => {
    const { store } = storeAt({ maxObjects: 8 })
    const put = (from: string, share: number) => store.put(object({ by: from }), giver(from, { share }))
    // Keys are free: each object comes from another.
    for (let n = 0; n < 2; n++) expect(put(`stranger${n}`, 0.25)).toBe('kept')
    expect(put('stranger2', 0.25)).toBe('full')
    for (let n = 0; n < 6; n++) expect(put(`friend${n}`, 1)).toBe('kept')
    expect(put('friend6', 1)).toBe('full')
  })

  test('nothing that still holds is thrown out for something new', () => {
    const { store } = storeAt({ maxOctets: 250 })
    const first = object()
    store.put(first)
    store.put(object())
    expect(store.put(object({ size: 51 }))).toBe('full')
    expect(store.stored({}, undefined)[0]?.digest).toBe(first.digest)
  })

  test('a digest is remembered beyond its object, up to a limit, the oldest first', () => {
    const { store } = storeAt()
    const first = object()
    store.note(first)
    expect(store.knows(first.digest)).toBe(true)
    for (let n = 1; n < MAX_DIGESTS; n++) store.note(object())
    expect(store.knows(first.digest)).toBe(true)
    store.note(object())
    expect(store.knows(first.digest)).toBe(false)
  })
})

describe('a subscription', () => {
  test('is told what comes and is for its owner, in the order in which it comes', async () => {
    const { store } = storeAt()
    store.put(object())
    const subscription = store.subscribe({ type: 'example/a' }, 'bob')!
    const late = object({ type: 'example/a', issued: START + 9 })
    const early = object({ type: 'example/a', to: 'bob' })
    for (const each of [late, object({ type: 'example/b' }), object({ type: 'example/a', to: 'eve' }), early]) store.put(each)
    expect(await waiting(subscription)).toEqual([late.digest, early.digest])
  })

  test('ends at once when it is ended, also while somebody waits', async () => {
    const { store } = storeAt()
    const subscription = store.subscribe({}, undefined)!
    const next = subscription[Symbol.asyncIterator]().next()
    subscription.end()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(subscription.missed).toBe(false)
  })

  test('whose reader does not keep up is given what waits, and that there was more', async () => {
    const { store } = storeAt({ maxQueue: 3 })
    const subscription = store.subscribe({}, undefined)!
    for (let n = 0; n < 10; n++) store.put(object())
    const told: string[] = []
    for await (const { digest } of subscription) told.push(digest)
    expect(told).toEqual(store.stored({}, undefined, 3).map(({ digest }) => digest))
    expect(subscription.missed).toBe(true)
  })

  test('there are only so many, and one that ended makes room', () => {
    const { store } = storeAt({ maxSubscriptions: 2 })
    const [first] = [store.subscribe({}, 'ada')!, store.subscribe({}, 'ada')!]
    expect(store.subscribe({}, 'bob')).toBeUndefined()
    first.end()
    expect(store.subscribe({}, 'bob')).toBeDefined()
  })

  test('ends with the store', async () => {
    const { store } = storeAt()
    const next = store.subscribe({}, undefined)![Symbol.asyncIterator]().next()
    store.close()
    expect((await next).done).toBe(true)
  })
})
