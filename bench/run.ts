// The benchmark: every contestant in every workload, round after round, each with two processes of its own that are warm.
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CONTESTANTS } from './contestants/index.js'
import { choosePlaces, endAll, Pair, type Places } from './pair.js'
import { print, section } from './report.js'
import { WORKLOADS } from './workloads.js'

const USAGE = `npm run bench -- [--rounds N] [--only PATTERN] [--two-cpus] [--json FILE] [--warm-up MS] [--measure MS] [--profile DIR]
  --only     a regular expression for WORKLOAD/CONTESTANT, for instance 'bulk' or 'ping-pong/(beep|net)'
  --profile  leaves a .cpuprofile of each process in DIR
`

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    'two-cpus': { type: 'boolean', default: false },
    json: { type: 'string' },
    'warm-up': { type: 'string', default: '3000' },
    measure: { type: 'string', default: '700' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

/** Milliseconds before each measurement: a new connection finds its window, and the CPU forgets the others. */
const SETTLE = 300

/** Rates by workload and contestant, one a round. */
type Rates = Map<string, Map<string, number[]>>

function count(name: 'rounds' | 'warm-up' | 'measure'): number {
  const value = Number(options[name])
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`--${name} takes a whole number from 1, not ${options[name]}`)
  return value
}

async function run(): Promise<void> {
  const rounds = count('rounds')
  const warmUp = count('warm-up')
  const measure = count('measure')
  const pattern = new RegExp(options.only)
  const takesPart = (workload: string, contestant: string) => pattern.test(`${workload}/${contestant}`)
  const workloads = WORKLOADS.filter((workload) => CONTESTANTS.some(({ name }) => takesPart(workload.name, name)))
  const names = CONTESTANTS.map(({ name }) => name).filter((name) => workloads.some((workload) => takesPart(workload.name, name)))
  if (names.length === 0) throw new RangeError(`Nothing is called ${options.only}`)
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })

  const places = choosePlaces(options['two-cpus'])
  const where = describe(places)
  process.stdout.write(
    `Node ${process.version} on ${process.platform} ${process.arch}, ${where}; ${rounds} rounds of ${measure} ms each, warmed up for ${warmUp} ms\n\n`,
  )

  const rates: Rates = new Map(
    workloads.map(({ name }) => [name, new Map(names.filter((each) => takesPart(name, each)).map((each) => [each, []]))]),
  )
  const pairs = new Map<string, Pair>()
  for (const name of names) pairs.set(name, await Pair.start(name, places, options.profile))
  for (let round = 0; round <= rounds; round++) {
    process.stderr.write(round === 0 ? 'warming up\n' : `round ${round} of ${rounds}\n`)
    for (const [workload, byName] of rates) {
      // Nobody is always first.
      const order = [...byName.keys()].map((_, index, all) => all[(index + round) % all.length]!)
      for (const name of order) {
        const pair = pairs.get(name)!
        if (round === 0) await pair.measure({ workload, settle: 0, measure: warmUp })
        else byName.get(name)!.push(await pair.measure({ workload, settle: SETTLE, measure }))
      }
    }
  }
  for (const pair of pairs.values()) await pair.end()

  const sections = workloads.map((workload) => section(workload, rates.get(workload.name)!))
  process.stdout.write(print(sections))
  if (options.json !== undefined) {
    const { node } = process.versions
    writeFileSync(options.json, `${JSON.stringify({ node, places, rounds, warmUp, measure, sections }, undefined, 2)}\n`)
  }
}

function describe({ server, client }: Places): string {
  if (server === undefined || client === undefined)
    return 'NOT PINNED (no taskset, or no CPU for each): take the figures with salt'
  return server === client ? `both processes on CPU ${server}` : `server on CPU ${server}, client on CPU ${client}`
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    endAll()
    process.exit(1)
  })
}
process.on('exit', endAll)
if (options.help) process.stdout.write(USAGE)
else
  await run().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    process.exitCode = 1
    endAll()
  })
