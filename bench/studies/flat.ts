// Whether a message costs the same whatever else is open, and however many have gone before.
import { type Channel, connect, listen } from '../../src/index.js'
import { ECHO, echo } from '../../src/profiles/echo.js'
import { ratios, summarize } from '../statistics.js'
import type { Finding, Study } from './study.js'

type Ask = (question: string) => Promise<number>

const MESSAGE = Buffer.alloc(64, 'a')
const OPEN = [1, 10, 100, 1000, 10_000] as const
/** Messages of one measurement, and measurements of each, in turn: what slows the machine down slows both. */
const COUNT = 5000
const ROUNDS = 21
const MANY = 10_000_000
const IN_FLIGHT = 100

async function serve() {
  const listener = await listen({ port: 0, profiles: [echo] })
  return { ports: [listener.address.port], answer: async () => spent() }
}

export const wide: Study = {
  name: 'wide',
  title: 'a message of a session with 1 to 10,000 channels against one of a session with one, 100 in flight',
  serve,
  async measure([port], theirs) {
    const session = await connect({ port: port! })
    const channels: Channel[] = []
    const narrow = await begin(port!)
    await ask(narrow, 100 * COUNT)
    const findings: Finding[] = []
    for (const count of OPEN) {
      while (channels.length < count) channels.push(await session.start(ECHO))
      const one = await compare(channels.slice(0, 1), narrow, theirs)
      findings.push({ what: `on one of ${count}`, value: one.ratio, unit: `times (${one.cost.toFixed(1)} µs)`, most: 1.15 })
      const spread = await compare(channels, narrow, theirs)
      // What a message touches may no longer be in any cache then: told, not judged.
      findings.push({ what: `spread over ${count}`, value: spread.ratio, unit: `times (${spread.cost.toFixed(1)} µs)` })
    }
    await Promise.all([session.release(), narrow[0]!.session.release()])
    return findings
  },
}

export const long: Study = {
  name: 'long',
  title: 'a message after ten million against one of a new session',
  serve,
  async measure([port], theirs) {
    const old = await begin(port!)
    await ask(old, MANY)
    const young = await begin(port!)
    const { cost, ratio } = await compare(old, young, theirs)
    await Promise.all([old[0]!.session.release(), young[0]!.session.release()])
    return [{ what: 'after ten million', value: ratio, unit: `times (${cost.toFixed(1)} µs)`, most: 1.15 }]
  },
}

/** A session with one channel. */
async function begin(port: number): Promise<readonly Channel[]> {
  const session = await connect({ port })
  return [await session.start(ECHO)]
}

/** Microseconds of CPU that this process has used: they do not count what others do on the machine. */
function spent(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** What a message on some channels costs, and how many times what it costs on others: medians of many pairs. */
async function compare(some: readonly Channel[], others: readonly Channel[], theirs: Ask) {
  const costs: number[] = []
  const theirCosts: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    costs.push(await cost(some, theirs))
    theirCosts.push(await cost(others, theirs))
  }
  return { cost: summarize(costs).median, ratio: summarize(ratios(costs, theirCosts)).median }
}

/** Microseconds of CPU that a message takes, both sides together. */
async function cost(channels: readonly Channel[], theirs: Ask): Promise<number> {
  const begin = spent() + (await theirs('spent'))
  await ask(channels, COUNT)
  return (spent() + (await theirs('spent')) - begin) / COUNT
}

async function ask(channels: readonly Channel[], count: number): Promise<void> {
  let sent = 0
  const lane = async () => {
    while (sent < count) await (await channels[sent++ % channels.length]!.request(MESSAGE)).bytes()
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
}
