// Quotas: in a row, at a time, in octets; what a crowd has together; and accounts that are forgotten.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { MAX_ACCOUNTS, Meter, type Quota, type Wish } from './meter.js'

const QUOTA: Quota = { perMinute: 6, atOnce: 2, octetsPerHour: 3600 }
const CROWD = 3

function meterAt(crowd = CROWD) {
  const clock = { now: 1_000_000 }
  const meter = new Meter({ crowd, now: () => clock.now })
  const wish = (key: string, octets = 0): Wish => ({ key, crowd: 'strangers', quota: QUOTA, octets })
  return { clock, meter, wish }
}

function codeOf(call: () => unknown): number | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    return (error as { replyCode: number }).replyCode
  }
}

describe('one key', () => {
  test('has so many times in a row, and they come back with the time', () => {
    const { clock, meter, wish } = meterAt()
    for (let n = 0; n < 6; n++) meter.admit(wish('ada'))[Symbol.dispose]()
    expect(codeOf(() => meter.admit(wish('ada')))).toBe(450)
    expect(() => meter.admit(wish('ada'))).toThrow('too often: again in 10 s')
    clock.now += 9_999
    expect(codeOf(() => meter.admit(wish('ada')))).toBe(450)
    clock.now += 1
    meter.admit(wish('ada'))[Symbol.dispose]()
    expect(codeOf(() => meter.admit(wish('ada')))).toBe(450)
    clock.now += 3_600_000
    for (let n = 0; n < 6; n++) meter.admit(wish('ada'))[Symbol.dispose]()
    expect(codeOf(() => meter.admit(wish('ada')))).toBe(450)
  })

  test('has so many at a time; one that ended makes room, once', () => {
    const { meter, wish } = meterAt()
    const [first] = [meter.admit(wish('ada')), meter.admit(wish('ada'))]
    expect(codeOf(() => meter.admit(wish('ada')))).toBe(450)
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    meter.admit(wish('ada'))
    expect(codeOf(() => meter.admit(wish('ada')))).toBe(450)
  })

  test('has so many octets, whether they are known at first or not', () => {
    const { clock, meter, wish } = meterAt()
    expect(codeOf(() => meter.check(wish('ada', 3601)))).toBe(554)
    const admission = meter.admit(wish('ada', 3000))
    expect(admission.spend(601)).toBe(false)
    expect(admission.spend(600)).toBe(true)
    expect(() => meter.admit(wish('ada', 10))).toThrow('too much: again in 10 s')
    clock.now += 10_000
    expect(admission.spend(11)).toBe(false)
    expect(admission.spend(10)).toBe(true)
  })

  test('takes nothing from another, and a clock that is set back gives nothing', () => {
    const { clock, meter, wish } = meterAt()
    for (let n = 0; n < 6; n++) meter.admit(wish('ada'))[Symbol.dispose]()
    meter.admit(wish('bob'))
    clock.now -= 100_000
    expect(codeOf(() => meter.admit(wish('ada')))).toBe(450)
  })
})

describe('a crowd', () => {
  test('has more than one of it, but not without end: keys are free', () => {
    const { meter, wish } = meterAt()
    const admissions = Array.from({ length: 6 }, (_, n) => meter.admit(wish(`key${n}`)))
    expect(codeOf(() => meter.admit(wish('another')))).toBe(450)
    for (const each of admissions) each[Symbol.dispose]()
    for (let n = 0; n < 12; n++) meter.admit(wish(`more${n}`))[Symbol.dispose]()
    expect(codeOf(() => meter.admit(wish('another')))).toBe(450)
    // What was refused took nothing, and has no account.
    expect(meter.size).toBe(18)
    meter.admit({ ...wish('friend'), crowd: 'friends' })
  })

  test('of any size is kept in so many accounts', () => {
    const { clock, meter, wish } = meterAt(1e9)
    const running = meter.admit(wish('busy'))
    for (let n = 0; n < MAX_ACCOUNTS + 10; n++) meter.admit(wish(`key${n}`))[Symbol.dispose]()
    expect(meter.size).toBe(MAX_ACCOUNTS)
    // Who is at work is not forgotten.
    meter.admit(wish('busy'))
    expect(codeOf(() => meter.admit(wish('busy')))).toBe(450)
    running[Symbol.dispose]()
    clock.now += 1
    meter.admit(wish('busy'))
  })
})

test('over any stretch of time nobody gets more than the quota in a row and what came back', () => {
  const step = fc.record({ key: fc.constantFrom('ada', 'bob', 'eve', 'joe'), octets: fc.nat(900), wait: fc.nat(20_000) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const { clock, meter, wish } = meterAt()
      const admitted: { key: string; octets: number; at: number }[] = []
      for (const { key, octets, wait } of steps) {
        clock.now += wait
        if (codeOf(() => meter.admit(wish(key, octets))[Symbol.dispose]()) !== undefined) continue
        admitted.push({ key, octets, at: clock.now })
      }
      for (const [who, scale] of [
        ['ada', 1],
        ['bob', 1],
        [undefined, CROWD],
      ] as const) {
        const mine = admitted.filter(({ key }) => who === undefined || key === who)
        for (let from = 0; from < mine.length; from++) {
          let octets = 0
          for (let to = from; to < mine.length; to++) {
            octets += mine[to]!.octets
            const elapsed = mine[to]!.at - mine[from]!.at
            expect(to - from + 1).toBeLessThanOrEqual(scale * QUOTA.perMinute * (1 + elapsed / 60_000) + 1e-6)
            expect(octets).toBeLessThanOrEqual(scale * QUOTA.octetsPerHour * (1 + elapsed / 3_600_000) + 1e-6)
          }
        }
      }
    }),
    { numRuns: 60 },
  )
})
