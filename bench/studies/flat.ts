// Whether a message costs the same whatever else is open, and however many have gone before.
import { type Channel, connect, listen } from '../../src/index.js'
import { ECHO, echo } from '../../src/profiles/echo.js'
import type { Finding, Study } from './study.js'

type Ask = (question: string) => Promise<number>

const MESSAGE = Buffer.alloc(64, 'a')
const OPEN = [1, 10, 100, 1000, 10_000] as const
/** Messages of one measurement, and measurements of which the best counts: what disturbs only ever slows down. */
const COUNT = 20_000
const ROUNDS = 5
const MANY = 10_000_000
const IN_FLIGHT = 100

async function serve() {
  const listener = await listen({ port: 0, profiles: [echo] })
  return { ports: [listener.address.port], answer: async () => spent() }
}

export const wide: Study = {
  name: 'wide',
  title: 'a message on one channel while 1 to 10,000 are open, and spread over all of them, 100 in flight',
  serve,
  async measure([port], theirs) {
    const session = await connect({ port: port! })
    const channels: Channel[] = []
    const one: number[] = []
    const spread: number[] = []
    for (const count of OPEN) {
      while (channels.length < count) channels.push(await session.start(ECHO))
      if (one.length === 0) await cost(channels, theirs)
      one.push(await cost(channels.slice(0, 1), theirs))
      spread.push(await cost(channels, theirs))
    }
    await session.release()
    const figures = (what: string, costs: readonly number[]): Finding[] =>
      OPEN.map((count, at) => ({ what: `${what} ${count}`, value: costs[at]!, unit: 'µs' }))
    return [
      ...figures('on one of', one),
      { what: 'the dearest against the first', value: Math.max(...one) / one[0]!, unit: 'times', most: 1.15 },
      // What a message touches is no longer in any cache then: told, not judged.
      ...figures('spread over', spread),
    ]
  },
}

export const long: Study = {
  name: 'long',
  title: 'a message before and after ten million',
  serve,
  async measure([port], theirs) {
    const session = await connect({ port: port! })
    const channels = [await session.start(ECHO)]
    await cost(channels, theirs)
    const before = await cost(channels, theirs)
    await ask(channels, MANY)
    const after = await cost(channels, theirs)
    await session.release()
    return [
      { what: 'before', value: before, unit: 'µs' },
      { what: 'after', value: after, unit: 'µs' },
      { what: 'after against before', value: after / before, unit: 'times', most: 1.15 },
    ]
  },
}

/** Microseconds of CPU that this process has used: they do not count what others do on the machine. */
function spent(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Microseconds of CPU that a message takes, both sides together. */
async function cost(channels: readonly Channel[], theirs: Ask): Promise<number> {
  const costs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const begin = spent() + (await theirs('spent'))
    await ask(channels, COUNT)
    costs.push((spent() + (await theirs('spent')) - begin) / COUNT)
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
