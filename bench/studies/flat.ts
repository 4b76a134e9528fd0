// Whether a message costs the same whatever else is open, and however many have gone before.
import { type Channel, connect, listen } from '../../src/index.js'
import { ECHO, echo } from '../../src/profiles/echo.js'
import type { Finding, Study } from './study.js'

const MESSAGE = Buffer.alloc(64, 'a')
const OPEN = [1, 10, 100, 1000, 10_000] as const
/** Messages of one measurement, and measurements of which the best counts: what disturbs only ever slows down. */
const COUNT = 20_000
const ROUNDS = 5
const MANY = 10_000_000
const IN_FLIGHT = 100

async function serve() {
  const listener = await listen({ port: 0, profiles: [echo] })
  return { ports: [listener.address.port], answer: async () => 0 }
}

export const wide: Study = {
  name: 'wide',
  title: 'a message among 1 to 10,000 open channels, 100 in flight over all of them',
  serve,
  async measure([port]) {
    const session = await connect({ port: port! })
    const channels: Channel[] = []
    const costs: number[] = []
    for (const count of OPEN) {
      while (channels.length < count) channels.push(await session.start(ECHO))
      costs.push(await cost(channels))
    }
    await session.release()
    const findings: Finding[] = OPEN.map((count, at) => ({ what: `among ${count} channels`, value: costs[at]!, unit: 'µs' }))
    return [
      ...findings,
      { what: 'the dearest against the cheapest', value: Math.max(...costs) / Math.min(...costs), unit: 'times', most: 1.15 },
    ]
  },
}

export const long: Study = {
  name: 'long',
  title: 'a message before and after ten million',
  serve,
  async measure([port]) {
    const session = await connect({ port: port! })
    const channels = [await session.start(ECHO)]
    await cost(channels)
    const before = await cost(channels)
    await ask(channels, MANY)
    const after = await cost(channels)
    await session.release()
    return [
      { what: 'before', value: before, unit: 'µs' },
      { what: 'after', value: after, unit: 'µs' },
      { what: 'after against before', value: after / before, unit: 'times', most: 1.15 },
    ]
  },
}

/** Microseconds of a message. */
async function cost(channels: readonly Channel[]): Promise<number> {
  const costs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now()
    await ask(channels, COUNT)
    costs.push(((performance.now() - begin) / COUNT) * 1000)
  }
  return Math.min(...costs)
}

async function ask(channels: readonly Channel[], count: number): Promise<void> {
  let sent = 0
  const lane = async () => {
    while (sent < count) await (await channels[sent++ % channels.length]!.request(MESSAGE)).bytes()
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
}
