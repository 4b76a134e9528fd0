// The life of a mapping as data: when it is asked for, renewed, looked at and given up.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type MapperEvent, type MapperState, type Mapping, mappingOf, next, OFF, step } from './mapper-state.js'

const mapping: Mapping = {
  protocol: 'PCP',
  gateway: '192.168.1.1',
  internalPort: 10_288,
  externalAddress: '44.128.0.1',
  externalPort: 40_000,
  lifetime: 7200,
}
const granted = (lifetime = 7200): MapperEvent => ({ kind: 'granted', mapping: { ...mapping, lifetime }, checkInterval: 60_000 })
const HOUR = 3_600_000

/** The state after events, each at its time. */
function life(...events: readonly [now: number, event: MapperEvent][]): MapperState {
  return events.reduce((state, [now, event]) => step(state, event, now), OFF)
}

describe('a mapping', () => {
  test('is asked for at once, renewed at half of its lifetime, and looked at in between', () => {
    expect(next(life([5, { kind: 'started' }]))).toEqual({ operation: 'seek', at: 5 })
    const state = life([5, { kind: 'started' }], [10, granted(100)])
    expect(mappingOf(state)).toMatchObject({ externalPort: 40_000 })
    expect(next(state)).toEqual({ operation: 'renew', at: 10 + 50_000 })
    const long = life([0, { kind: 'started' }], [0, granted()])
    expect(next(long)).toEqual({ operation: 'check', at: 60_000 })
    const looked = step(long, { kind: 'checked', checkInterval: HOUR }, 60_000)
    expect(next(looked)).toEqual({ operation: 'renew', at: HOUR })
  })

  test('whose renewal fails is renewed at half of what is left, and lost when nothing is', () => {
    let state = life([0, { kind: 'started' }], [0, granted(100)])
    const times: number[] = []
    for (;;) {
      const due = next(state)!
      if (due.operation === 'seek') break
      if (due.operation === 'renew') times.push(due.at)
      state = step(
        state,
        due.operation === 'renew' ? { kind: 'failed', final: false } : { kind: 'checked', checkInterval: HOUR },
        due.at,
      )
    }
    expect(times).toEqual([50_000, 75_000, 87_500, 93_750, 97_750])
    expect(mappingOf(state)).toBeUndefined()
    expect(next(state)).toEqual({ operation: 'seek', at: 97_750 })
  })

  test('of a very short lease is not renewed within four seconds', () => {
    for (const lifetime of [1, 3, 7]) expect(next(life([0, { kind: 'started' }], [5, granted(lifetime)]))?.at).toBe(5 + 4000)
    expect(next(life([0, { kind: 'started' }], [5, granted(9)]))?.at).toBe(5 + 4500)
  })

  test('without end is renewed all the same', () => {
    expect(life([0, { kind: 'started' }], [0, granted(0)])).toMatchObject({ renewAt: HOUR, expires: Number.POSITIVE_INFINITY })
  })

  test('that the router may have forgotten is asked for again, once, and lost when it is not granted', () => {
    const state = life([0, { kind: 'started' }], [0, granted()], [1000, { kind: 'doubted', delay: 500 }])
    expect(next(state)).toEqual({ operation: 'renew', at: 1500 })
    expect(step(state, { kind: 'doubted', delay: 9000 }, 1200)).toBe(state)
    expect(mappingOf(step(state, { kind: 'failed', final: false }, 1500))).toBeUndefined()
    expect(step(state, granted(), 1500)).toMatchObject({ phase: 'mapped', doubted: false })
  })

  test('is doubted when three looks are not answered', () => {
    let state = life([0, { kind: 'started' }], [0, granted()])
    for (const at of [60_000, 70_000, 80_000]) {
      expect(next(state)).toEqual({ operation: 'check', at })
      state = step(state, { kind: 'unchecked' }, at)
    }
    expect(next(state)).toEqual({ operation: 'renew', at: 80_000 })
    expect(mappingOf(step(state, { kind: 'failed', final: false }, 80_000))).toBeUndefined()
  })

  test('that cannot be is lost at once', () => {
    const state = life([0, { kind: 'started' }], [0, granted()], [50, { kind: 'failed', final: true }])
    expect(next(state)).toEqual({ operation: 'seek', at: 50 + 15_000 })
  })

  test('of another network is forgotten, and routers are asked at once', () => {
    const state = life([0, { kind: 'started' }], [0, granted()], [50, { kind: 'networkChanged' }])
    expect(state).toEqual({ phase: 'seeking', at: 50, failures: 0 })
  })
})

test('failures in a row are followed by ever longer rests, up to a quarter of an hour', () => {
  let state = step(OFF, { kind: 'started' }, 0)
  const rests = Array.from({ length: 9 }, () => {
    const { at } = next(state)!
    state = step(state, { kind: 'failed', final: true }, at)
    return (next(state)!.at - at) / 1000
  })
  expect(rests).toEqual([15, 30, 60, 120, 240, 480, 900, 900, 900])
})

test('whatever happens, what is next is never in the past, a mapping is held within its lease only (one of four seconds at least), and off is off', () => {
  const event: fc.Arbitrary<MapperEvent> = fc.oneof(
    fc.constantFrom<MapperEvent>(
      { kind: 'started' },
      { kind: 'unchecked' },
      { kind: 'networkChanged' },
      { kind: 'stopped' },
      { kind: 'checked', checkInterval: 60_000 },
      { kind: 'failed', final: true },
      { kind: 'failed', final: false },
    ),
    fc.nat(5000).map((delay): MapperEvent => ({ kind: 'doubted', delay })),
    fc.integer({ min: 1, max: 86_400 }).map(granted),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(event, fc.nat(100)), { maxLength: 60 }), (events) => {
      let state = OFF
      let now = 0
      for (const [each, early] of events) {
        // Events come when something is due, or before: an announcement, another network.
        now = Math.max(now, (next(state)?.at ?? now) - early)
        state = step(state, each, now)
        const due = next(state)
        expect(due === undefined).toBe(state.phase === 'off')
        if (state.phase === 'mapped' && state.mapping.lifetime >= 4)
          expect(Math.min(due!.at, state.renewAt)).toBeLessThanOrEqual(state.expires)
        if (each.kind === 'stopped') expect(state).toBe(OFF)
      }
    }),
  )
})
