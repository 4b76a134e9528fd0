// The benchmark: every contestant in every workload, round after round, each with two warm processes of its own, and two more for TLS; then the studies.
import { mkdirSync, writeFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { chart } from './chart.js'
import { entries } from './contestants/index.js'
import { peer } from './contestants/peer.js'
import { makeCredentials } from './credentials.js'
import { choosePlaces, endAll, Pair, type Places } from './pair.js'
import { print, section } from './report.js'
import { printStudies, runStudies } from './studies/run.js'

interface Options {
  readonly rounds: number
  readonly only: RegExp
  readonly studies?: boolean
  readonly workloads?: boolean
  readonly twoCpus?: boolean
  readonly warmUp: number
  readonly measure: number
  readonly json?: string
  readonly svg?: string
  readonly profile?: string
  readonly peer?: URL
  readonly uri?: string
}

/**
 * Milliseconds before each measurement: a new connection finds its window, the CPU forgets the others, and who stood idle for half a minute has their memory back, which
 * takes 1,700 page faults in each process and costs a tenth of the first 0.3 s on a virtual machine (docs/PERFORMANCE.md).
 */
const SETTLE = 500

/** Connections in which each is warmed up: a process is slow for part of a second in its second connection, too, and a little in its third (docs/PERFORMANCE.md). */
const WARM_UPS = 10

/** Megabytes that a process takes: what it holds (`HEAP` in child.ts), Node, and the contestant. */
const PROCESS = 550

/** Rates by workload and contestant, one a round. */
type Rates = Map<string, Map<string, number[]>>

const program = new Command('npm run bench --')
  .description('measures BEEP beside what somebody would pick instead, and prints ratios and which targets fall short')
  .option('--rounds <count>', 'measurements of each', whole, 11)
  .addOption(
    new Option(
      '--only <pattern>',
      "a regular expression for WORKLOAD/CONTESTANT or study/NAME, for instance 'bulk' or 'ping-pong/(beep|net)'",
    )
      .argParser(pattern)
      .default(/(?:)/, 'everything'),
  )
  .option('--no-studies', 'workloads only')
  .option('--no-workloads', 'studies only')
  .option('--two-cpus', 'one CPU for each process instead of one for both')
  .option('--warm-up <ms>', `in each workload before the first round, over ${WARM_UPS} connections`, whole, 3000)
  .option('--measure <ms>', 'each measurement', whole, 200)
  .option('--json <file>', 'keep every figure')
  .option('--svg <file>', 'draw the ratios')
  .option('--profile <directory>', 'leave a .cpuprofile of each process')
  .option(
    '--peer <place>',
    'our client against a foreign listener that echoes, tcp://HOST:PORT, beside our own; with --uri',
    place,
  )
  .option('--uri <uri>', 'the profile on which that one echoes')
  .showHelpAfterError()
  .action(run)

async function run(options: Options): Promise<void> {
  const places = choosePlaces(options.twoCpus ?? false)
  const about = `Node ${process.version} on ${process.platform} ${process.arch}, ${describe(places)}; ${options.rounds} rounds of ${options.measure} ms each, warmed up for ${options.warmUp} ms`
  process.stdout.write(`${about}\n\n`)
  const sections = options.workloads === false ? [] : await measureAll(options, places)
  if (sections.length > 0) process.stdout.write(print(sections))
  const wantsStudies = options.studies !== false && options.peer === undefined
  const studies = wantsStudies ? await runStudies((name) => options.only.test(`study/${name}`), places) : []
  if (sections.length + studies.length === 0) throw new RangeError('Nothing that is measured matches: see --help for --only')
  process.stdout.write(`\n${printStudies(studies)}`)
  if (options.svg !== undefined) writeFileSync(options.svg, chart(sections, about))
  if (options.json !== undefined) {
    const { node } = process.versions
    const { rounds, warmUp, measure } = options
    writeFileSync(options.json, `${JSON.stringify({ node, places, rounds, warmUp, measure, sections, studies }, undefined, 1)}\n`)
  }
}

async function measureAll(options: Options, places: Places) {
  const { rounds, warmUp, measure, only } = options
  const foreign =
    options.peer === undefined
      ? undefined
      : ([options.peer.hostname, Number(options.peer.port || 10_288), uriOf(options)] as const)
  const guest = foreign === undefined ? undefined : peer(...foreign)
  const present = await entries((workload, contestant) => only.test(`${workload.name}/${contestant.name}`), guest)
  if (present.size === 0) return []
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
  const rates: Rates = new Map(
    [...present].map(([workload, contestants]) => [workload.name, new Map(contestants.map(({ name }) => [name, []]))]),
  )
  const credentials = await makeCredentials()
  const pairs = new Map<string, Pair>()
  const wanted = new Map<string, string>()
  for (const [{ secure = false }, contestants] of present)
    for (const { name } of contestants) wanted.set(pairOf(name, secure), name)
  checkMemory(wanted.size)
  for (const [key, name] of wanted)
    pairs.set(
      key,
      foreign !== undefined && name === guest?.name
        ? await Pair.visit(...foreign, places)
        : await Pair.start(name, places, credentials, options.profile === undefined ? undefined : join(options.profile, key)),
    )
  for (let round = 0; round <= rounds; round++) {
    process.stderr.write(round === 0 ? 'warming up\n' : `round ${round} of ${rounds}\n`)
    for (const [{ name: workload, secure = false, warmUp: times = 1 }, contestants] of present) {
      for (const index of contestants.keys()) {
        // Nobody is always first.
        const { name } = contestants[(index + round) % contestants.length]!
        const pair = pairs.get(pairOf(name, secure))!
        if (round > 0) {
          const rate = await pair.measure({ workload, settle: SETTLE, measure })
          rates.get(workload)!.get(name)!.push(rate)
        } else
          for (let count = 0; count < WARM_UPS; count++)
            await pair.measure({ workload, settle: 0, measure: Math.ceil((warmUp * times) / WARM_UPS) })
      }
    }
  }
  for (const pair of pairs.values()) await pair.end()
  return [...present.keys()].map((workload) => section(workload, rates))
}

/** In TLS everybody has processes of their own, as bare TLS has: nobody's code is compiled for two kinds of sockets. */
function pairOf(contestant: string, secure: boolean): string {
  return `${contestant}-${secure ? 'secure' : 'clear'}`
}

/** Figures of a machine that swaps are of no use. */
function checkMemory(pairs: number): void {
  const [needed, free] = [pairs * 2 * PROCESS, Math.round(freemem() / 1e6)]
  if (needed > free)
    process.stderr.write(
      `${pairs * 2} processes need ${needed} MB of memory and ${free} are free: choose fewer contestants with --only\n`,
    )
}

function uriOf({ uri }: Options): string {
  if (uri === undefined) throw new RangeError('Say on which profile the peer echoes: --uri URI')
  return uri
}

function describe({ server, client }: Places): string {
  if (server === undefined || client === undefined)
    return 'NOT PINNED (no taskset, or no CPU for each): take the figures with salt'
  return server === client ? `both processes on CPU ${server}` : `server on CPU ${server}, client on CPU ${client}`
}

function whole(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1.')
  return Number(text)
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

function place(text: string): URL {
  if (!/^tcp:\/\/[^/:]+(:\d+)?$/.test(text)) throw new InvalidArgumentError('It is tcp://HOST:PORT.')
  return new URL(text)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    endAll()
    process.exit(1)
  })
}
process.on('exit', endAll)
await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
  endAll()
})
