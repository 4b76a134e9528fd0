// Histories of keys: whatever the order in which statements arrive, the answer is that of a naive reading of them all.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { KeyHistory, type KeyState, MAX_CHANGED_KEYS, MAX_SUCCESSIONS } from './key-history.js'
import type { KeyChange } from './succession.js'

const succession = (key: string, successor: string): KeyChange => ({ kind: 'succession', key, successor })
const revocation = (key: string, since = 0): KeyChange => ({ kind: 'revocation', key, since })
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f']

function historyOf(changes: readonly KeyChange[]): KeyHistory {
  const history = new KeyHistory()
  for (const change of changes) expect(history.add(change)).toBe(true)
  return history
}
const statesOf = (changes: readonly KeyChange[]) => {
  const history = historyOf(changes)
  return KEYS.map((key) => history.stateOf(key))
}

/** The meaning, read off the whole set, step by step from the end of a line back to its beginning. */
function naive(changes: readonly KeyChange[], key: string, passed: readonly string[] = []): KeyState {
  const times = changes.flatMap((each) => (each.kind === 'revocation' && each.key === key ? [each.since] : []))
  if (times.length > 0) return { state: 'revoked', key, since: Math.min(...times) }
  const successors = changes.flatMap((each) => (each.kind === 'succession' && each.key === key ? [each.successor] : []))
  const [next, ...others] = new Set(successors)
  if (others.length > 0) return { state: 'unclear', key, why: 'fork' }
  if (next === undefined) return passed.length === 0 ? { state: 'current' } : { state: 'succeeded', successor: key }
  if ([...passed, key].includes(next)) return { state: 'unclear', key, why: 'circle' }
  return naive(changes, next, [...passed, key])
}

const key = fc.constantFrom(...KEYS)
const change: fc.Arbitrary<KeyChange> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(key, key)
      .filter(([a, b]) => a !== b)
      .map(([a, b]) => succession(a, b)),
  },
  { weight: 1, arbitrary: fc.tuple(key, fc.nat(5)).map(([a, since]) => revocation(a, since)) },
)
const changes = fc.array(change, { maxLength: 10 })

describe('a history', () => {
  test('gives the naive answer for every key', () => {
    fc.assert(fc.property(changes, (all) => expect(statesOf(all)).toEqual(KEYS.map((each) => naive(all, each)))))
  })

  test('gives the same answer in any order, and however often something is said', () => {
    const shuffled = changes.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length })),
    )
    fc.assert(fc.property(shuffled, ([all, others]) => expect(statesOf(others)).toEqual(statesOf(all))))
  })

  test('does not take back a revocation, whatever is said later', () => {
    fc.assert(
      fc.property(changes, changes, key, (before, after, revoked) => {
        const { state } = historyOf([...before, revocation(revoked), ...after]).stateOf(revoked)
        expect(state).toBe('revoked')
      }),
    )
  })

  test('never has somebody revoked stand for a key', () => {
    fc.assert(
      fc.property(changes, (all) => {
        const history = historyOf(all)
        for (const each of KEYS) {
          const found = history.stateOf(each)
          if (found.state === 'succeeded') expect(history.stateOf(found.successor)).toEqual({ state: 'current' })
        }
      }),
    )
  })
})

describe('a line of successors', () => {
  const line = (length: number) => Array.from({ length }, (_, at) => succession(`k${at}`, `k${at + 1}`))

  test('is followed so far and no farther', () => {
    const longest = historyOf(line(MAX_SUCCESSIONS))
    expect(longest.stateOf('k0')).toEqual({ state: 'succeeded', successor: `k${MAX_SUCCESSIONS}` })
    const longer = historyOf(line(MAX_SUCCESSIONS + 1))
    expect(longer.stateOf('k0')).toMatchObject({ state: 'unclear', why: 'length' })
    expect(longer.stateOf('k1')).toEqual({ state: 'succeeded', successor: `k${MAX_SUCCESSIONS + 1}` })
  })

  test('that leads to a revoked key leads nowhere', () => {
    const history = historyOf([...line(3), revocation('k2', 7)])
    expect(history.stateOf('k0')).toEqual({ state: 'revoked', key: 'k2', since: 7 })
    expect(history.stateOf('k3')).toEqual({ state: 'current' })
  })

  test('that runs in a circle ends there', () => {
    const history = historyOf([succession('a', 'b'), succession('b', 'c'), succession('c', 'b')])
    for (const each of ['a', 'b', 'c']) expect(history.stateOf(each)).toMatchObject({ state: 'unclear', why: 'circle' })
  })

  test('that forks ends there, and what is said a third time makes no difference', () => {
    const history = historyOf([succession('a', 'b'), succession('b', 'c'), succession('b', 'd'), succession('b', 'e')])
    expect(history.stateOf('a')).toEqual({ state: 'unclear', key: 'b', why: 'fork' })
  })
})

test('a history has room for so many keys; of those in it, it goes on learning', () => {
  const history = new KeyHistory()
  for (let at = 0; at < MAX_CHANGED_KEYS; at++) expect(history.add(succession(`k${at}`, 'z'))).toBe(true)
  expect(history.add(revocation('one more'))).toBe(false)
  expect(history.stateOf('one more')).toEqual({ state: 'current' })
  expect(history.add(revocation('k7'))).toBe(true)
  expect(history.stateOf('k7')).toMatchObject({ state: 'revoked' })
  expect(history.size).toBe(MAX_CHANGED_KEYS)
})
