// Attempts that race: one winner, losers given back, nothing started that is not needed, whatever the order in which they end.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Deferred, deferred } from '../beep/promises.js'
import { type Lane, race } from './race.js'

/** Attempts that are settled by hand. */
function lanes(count: number) {
  const results: Deferred<string>[] = Array.from({ length: count }, () => deferred<string>())
  const started: Deferred<Lane>[] = Array.from({ length: count }, () => deferred<Lane>())
  const begun: number[] = []
  const attempts = results.map((result, at) => (lane: Lane) => {
    begun.push(at)
    started[at]!.resolve(lane)
    return result.promise
  })
  const discarded: string[] = []
  return { results, started, begun, attempts, discarded, discard: (loser: string) => void discarded.push(loser) }
}

/** Long enough that it never comes. */
const NEVER = 1_000_000
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('a race', () => {
  test('is won by the first, when that gets there in time, and nobody else starts', async () => {
    const { results, begun, attempts, discard } = lanes(3)
    const won = race(attempts, { discard, stagger: NEVER })
    results[0]!.resolve('first')
    expect(await won).toBe('first')
    expect(begun).toEqual([0])
  })

  test('goes on to the next after a while, at once after a failure', async () => {
    const { results, started, begun, attempts, discard } = lanes(3)
    const won = race(attempts, { discard, stagger: 1 })
    await started[1]!.promise
    await started[2]!.promise
    results[1]!.resolve('second')
    expect(await won).toBe('second')
    const again = lanes(3)
    const other = race(again.attempts, { discard, stagger: NEVER })
    again.results[0]!.reject(new Error('refused'))
    await again.started[1]!.promise
    again.results[1]!.resolve('second')
    expect(await other).toBe('second')
    expect([begun, again.begun]).toEqual([
      [0, 1, 2],
      [0, 1],
    ])
  })

  test('stops its losers and gives back what they reach all the same', async () => {
    const { results, started, attempts, discarded, discard } = lanes(2)
    const won = race(attempts, { discard, stagger: 1 })
    const { signal } = await started[0]!.promise
    await started[1]!.promise
    results[1]!.resolve('second')
    await won
    expect(signal.aborted).toBe(true)
    results[0]!.resolve('first')
    await turn()
    expect(discarded).toEqual(['first'])
  })

  test('lets nobody start while one has an answer, and goes on when that comes to nothing', async () => {
    const { results, started, begun, attempts, discard } = lanes(2)
    const won = race(attempts, { discard, stagger: 20 })
    const lane = await started[0]!.promise
    lane.connected()
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(begun).toEqual([0])
    results[0]!.reject(new Error('not them'))
    results[1]!.resolve('second')
    expect(await won).toBe('second')
  })

  test('that nobody wins tells all failures in order; one without runners too', async () => {
    const { results, attempts, discard } = lanes(2)
    const won = race(attempts, { discard, stagger: 1 })
    results[1]!.reject(new Error('b'))
    results[0]!.reject(new Error('a'))
    await expect(won).rejects.toMatchObject({ errors: [{ message: 'a' }, { message: 'b' }] })
    await expect(race([], { discard })).rejects.toMatchObject({ errors: [] })
    const thrower = () => {
      throw new Error('at once')
    }
    await expect(race([thrower], { discard })).rejects.toMatchObject({ errors: [{ message: 'at once' }] })
  })

  test('ends with its signal', async () => {
    const controller = new AbortController()
    const { results, attempts, discarded, discard } = lanes(2)
    const won = race(attempts, { discard, stagger: NEVER, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(won).rejects.toThrow('enough')
    results[0]!.resolve('late')
    await turn()
    expect(discarded).toEqual(['late'])
    await expect(race(attempts, { discard, signal: controller.signal })).rejects.toThrow('enough')
  })
})

test('in whatever order attempts end, one wins or all have failed, and everybody else is given back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), async (scheduler, outcomes) => {
      const reached: number[] = []
      const discarded: number[] = []
      const attempts = outcomes.map((good, at) => async () => {
        await scheduler.schedule(Promise.resolve())
        if (!good) throw new Error(String(at))
        reached.push(at)
        return at
      })
      const won = race(attempts, { discard: (loser) => void discarded.push(loser), stagger: 0 }).then(
        (value) => ({ value }),
        (error: AggregateError) => ({ errors: error.errors }),
      )
      const result = await scheduler.waitFor(won)
      await scheduler.waitAll()
      if ('value' in result) expect([result.value, ...discarded].toSorted()).toEqual(reached.toSorted())
      else expect([outcomes.includes(true), result.errors.length, reached]).toEqual([false, outcomes.length, []])
    }),
    { numRuns: 50 },
  )
})
