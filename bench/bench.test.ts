// The arithmetic behind the table; no process is started.
import { describe, expect, test } from '@jest/globals'
import { SaxesParser } from 'saxes'
import { chart } from './chart.js'
import { type Contestant, keepAsking, Lanes, type Meter } from './contestant.js'
import { contestants, entries, LOAD } from './contestants/index.js'
import { peer } from './contestants/peer.js'
import { makeCredentials } from './credentials.js'
import { print, section } from './report.js'
import { ratios, summarize } from './statistics.js'
import { STUDIES } from './studies/index.js'
import { printStudies } from './studies/run.js'
import { rate, WORKLOADS, type Workload } from './workloads.js'

const workload = (wanted: string) => WORKLOADS.find(({ name }) => name === wanted)!
const [pingPong, pipelined, bulk] = [workload('ping-pong'), workload('pipelined'), workload('bulk')]
const ALL = await contestants()
const CREDENTIALS = await makeCredentials()
/** Rates of one workload alone. */
const alone = (name: string, rates: ReadonlyMap<string, readonly number[]>) => new Map([[name, rates]])

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
    expect(rate(bulk, 32, 2)).toBe(1)
    expect(rate(pingPong, 32, 2)).toBe(16)
  })
})

describe('the report', () => {
  test('compares with everybody else and judges by the median', () => {
    const rates = new Map([
      ['beep', [80, 10, 90]],
      ['net', [100, 100, 100]],
      ['ws', [20, 20, 20]],
    ])
    const made = section(pingPong, alone('ping-pong', rates))
    expect(made.lines.map(({ ratio, met }) => [ratio?.median, met])).toEqual([
      [undefined, undefined],
      [0.8, true],
      [4, undefined],
    ])
    expect(print([made])).toMatch(/net .* 0\.80 +0\.10\.\.0\.90 +0\.75 +met\n/)
    expect(print([section(pingPong, alone('ping-pong', rates.set('beep', [50, 50, 70])))])).toContain('MISSED')
  })

  test('a target may be set against a rate of another workload', () => {
    const rates = new Map([
      ['answers', new Map([['beep', [100]]])],
      ['ping-pong', new Map([['net', [10]]])],
    ])
    const { lines } = section(workload('answers'), rates)
    expect(lines.map(({ contestant, ratio, met }) => [contestant, ratio?.median, met])).toEqual([
      ['beep', undefined, undefined],
      ['net@ping-pong', 10, true],
    ])
  })

  test('a contestant alone is compared with nobody', () => {
    expect(section(bulk, alone('bulk', new Map([['net', [1]]]))).lines[0]!.ratio).toBeUndefined()
  })
})

describe('the chart', () => {
  test('is an image that any browser reads, with a bar for each comparison', () => {
    const rates = new Map([
      ['beep', [80, 10, 90]],
      ['net', [100, 100, 100]],
      ['a <b> & "c"', [20, 20, 20]],
    ])
    const elements: string[] = []
    const parser = new SaxesParser()
    parser.on('error', (error) => {
      throw error
    })
    parser.on('opentag', ({ name, attributes }) => elements.push(`${name} ${attributes.class ?? ''}`))
    parser.write(chart([section(pingPong, alone('ping-pong', rates))], 'Node on <a machine>')).close()
    expect(elements.filter((each) => each.startsWith('rect'))).toEqual(['rect met', 'rect plain'])
  })
})

describe('studies', () => {
  test('are judged by what they may be at most', () => {
    const findings = [
      { what: 'one', value: 1.234, unit: 'KiB', most: 1.5 },
      { what: 'two', value: 1234.5, unit: 'KiB', most: 2 },
      { what: 'three', value: 3, unit: 'ms' },
    ]
    expect(printStudies([{ study: 'trial', title: 'a trial', findings }]).replaceAll(/ +/g, ' ')).toBe(
      'trial: a trial\n one 1.23 KiB at most 1.50: met\n two 1235 KiB at most 2.00: MISSED\n three 3.00 ms\n',
    )
  })

  test('have names of their own', () => {
    expect(new Set(STUDIES.map(({ name }) => name)).size).toBe(STUDIES.length)
  })
})

describe('who is measured in what', () => {
  const names = (made: Awaited<ReturnType<typeof entries>>) =>
    [...made].map(([{ name }, who]) => `${name}: ${who.map((each) => each.name)}`)

  test('everybody in what they take part in, as far as wanted', async () => {
    const wanted = await entries(({ name }, { name: who }) => /^(bulk|answers)$/.test(name) && /beep|net/.test(who))
    expect(names(wanted)).toEqual(['bulk: beep,net', 'answers: beep'])
  })

  test('beside a foreign listener ours and the bare socket, in what it can do', async () => {
    const made = names(await entries(() => true, peer('127.0.0.1', 1, 'u:echo')))
    expect(made).toEqual([
      'ping-pong: beep,net,peer',
      'pipelined: beep,net,peer',
      'channels: beep,peer',
      'echo-64k: beep,net,peer',
      'echo-1m: beep,net,peer',
      'session: beep,net,peer',
    ])
  })
})

describe('keeping messages under way', () => {
  test('as many as the workload says, none after the meter has stopped', async () => {
    const meter: Meter = { running: true, count: 0 }
    let underWay = 0
    const lanes = new Lanes(pipelined, meter, () => underWay++)
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
    await expect(keepAsking(bulk, meter, async () => 1)).rejects.toThrow('1 octets instead of 0')
    const lanes = new Lanes(pingPong, meter, () => {})
    lanes.answered(63)
    await expect(lanes.done).rejects.toThrow('63 octets instead of 64')
  })

  test('each has the name by which its processes load it', () => {
    expect(ALL.map(({ name }) => name)).toEqual([...LOAD.keys()])
  })

  const pairs = ALL.flatMap((contestant) =>
    WORKLOADS.filter((each) => contestant.takesPart(each)).map((each) => [contestant.name, each.name, contestant, each] as const),
  )
  test.each(pairs)('%s takes part in %s', async (_, __, contestant, each) => {
    expect(await answered(contestant, each)).toBeGreaterThanOrEqual(each.inFlight)
  })
})

async function answered(contestant: Contestant, workload: Workload): Promise<number> {
  const server = await contestant.serve(CREDENTIALS)
  const client = await contestant.open(server.ports)
  const meter: Meter = { running: true, count: 0 }
  // The first to be answered is the last to be sent.
  const counted = {
    get running() {
      return meter.count === 0
    },
    get count() {
      return meter.count
    },
    set count(count: number) {
      meter.count = count
    },
  }
  await client.run(workload, counted as Meter)
  await client.close()
  await server.close()
  return meter.count
}
