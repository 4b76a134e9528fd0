// The arithmetic behind the table; no process is started.
import { describe, expect, test } from '@jest/globals'
import { type Contestant, keepAsking, Lanes, type Meter } from './contestant.js'
import { net } from './contestants/net.js'
import { print, section } from './report.js'
import { ratios, summarize } from './statistics.js'
import { rate, WORKLOADS } from './workloads.js'

const [pingPong, pipelined, bulk] = WORKLOADS

describe('statistics', () => {
  test('the median of an odd and of an even number of values', () => {
    expect(summarize([9, 1, 5])).toEqual({ median: 5, least: 1, most: 9 })
    expect(summarize([4, 1, 3, 10])).toEqual({ median: 3.5, least: 1, most: 10 })
    expect(() => summarize([])).toThrow(RangeError)
  })

  test('ratios are taken within a round', () => {
    expect(ratios([10, 30], [20, 20])).toEqual([0.5, 1.5])
    expect(() => ratios([1], [1, 2])).toThrow(RangeError)
  })

  test('octets are counted in MiB', () => {
    expect(rate(bulk!, 32, 2)).toBe(1)
    expect(rate(pingPong!, 32, 2)).toBe(16)
  })
})

describe('the report', () => {
  test('compares with everybody else and judges by the median', () => {
    const rates = new Map([
      ['beep', [60, 10, 70]],
      ['net', [100, 100, 100]],
      ['ws', [20, 20, 20]],
    ])
    const made = section(pingPong!, rates)
    expect(made.lines.map(({ ratio, met }) => [ratio?.median, met])).toEqual([
      [undefined, undefined],
      [0.6, true],
      [3, undefined],
    ])
    expect(print([made])).toMatch(/net .* 0\.60 +0\.10\.\.0\.70 +0\.60 +met\n/)
    expect(print([section(pingPong!, rates.set('beep', [50, 50, 70]))])).toContain('MISSED')
  })

  test('a contestant alone is compared with nobody', () => {
    expect(section(bulk!, new Map([['net', [1]]])).lines[0]!.ratio).toBeUndefined()
  })
})

describe('keeping messages under way', () => {
  test('as many as the workload says, none after the meter has stopped', async () => {
    const meter: Meter = { running: true, count: 0 }
    let underWay = 0
    const lanes = new Lanes(pipelined!, meter, () => underWay++)
    expect(underWay).toBe(100)
    for (let answer = 0; answer < 150; answer++) {
      if (answer === 50) meter.running = false
      underWay--
      lanes.answered(64)
    }
    await lanes.done
    expect([meter.count, underWay]).toEqual([150, 0])
  })

  test('an answer of the wrong size is an error', async () => {
    const meter: Meter = { running: true, count: 0 }
    await expect(keepAsking(bulk!, meter, async () => 1)).rejects.toThrow('1 octets instead of 0')
    const lanes = new Lanes(pingPong!, meter, () => {})
    lanes.answered(63)
    await expect(lanes.done).rejects.toThrow('63 octets instead of 64')
  })

  test.each(WORKLOADS)('bare TCP answers $name', async (workload) => {
    expect(await answered(net, workload)).toBeGreaterThan(workload.inFlight)
  })
})

async function answered(contestant: Contestant, workload: (typeof WORKLOADS)[number]): Promise<number> {
  const server = await contestant.serve()
  const client = await contestant.open(server.port)
  const meter: Meter = { running: true, count: 0 }
  setTimeout(() => {
    meter.running = false
  }, 50)
  await client.run(workload, meter)
  await client.close()
  await server.close()
  return meter.count
}
