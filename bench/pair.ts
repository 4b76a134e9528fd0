// The two processes of a contestant, pinned to CPUs, and their end whatever happens.
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Order, Report } from './child.js'
import { CREDENTIALS, type Credentials } from './contestant.js'

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))
/** Milliseconds that a child may take beyond what it was asked to measure. */
const PATIENCE = 15_000

/** Where the processes run; undefined where they cannot be pinned. */
export interface Places {
  readonly server: number | undefined
  readonly client: number | undefined
}

const children = new Set<ChildProcess>()

/** Ends every child now. */
export function endAll(): void {
  for (const child of children) child.kill('SIGKILL')
}

/** The CPUs to use: one for both, or one each. Nobody is pinned without `taskset`, or without a second CPU for a second process. */
export function choosePlaces(two: boolean): Places {
  const cpus = allowedCpus()
  const [server, client] = two ? cpus : [cpus[0], cpus[0]]
  if (server === undefined || client === undefined || spawnSync('taskset', ['-c', String(server), 'true']).status !== 0)
    return { server: undefined, client: undefined }
  return { server, client }
}

function allowedCpus(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
    return list.split(',').flatMap((range) => {
      const [first = Number.NaN, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
  } catch {
    return []
  }
}

/** A server and a client of one contestant. */
export class Pair {
  readonly #server: ChildProcess | undefined
  readonly #client: ChildProcess

  private constructor(server: ChildProcess | undefined, client: ChildProcess) {
    this.#server = server
    this.#client = client
  }

  /** @param profile a path to whose name each process adds what it is, for its CPU profile */
  static async start(contestant: string, places: Places, credentials: Credentials, profile: string | undefined): Promise<Pair> {
    const server = begin(CHILD, ['serve', contestant], places.server, profiling(profile, 'serve'), {
      [CREDENTIALS]: JSON.stringify(credentials),
    })
    const { ports } = await expectReport(server, PATIENCE, 'ports')
    const client = begin(
      CHILD,
      ['drive', contestant, String(ports.clear), String(ports.secure)],
      places.client,
      profiling(profile, 'drive'),
    )
    await expectReport(client, PATIENCE, 'ports')
    return new Pair(server, client)
  }

  /** A client alone, for a foreign listener. */
  static async visit(host: string, port: number, uri: string, places: Places): Promise<Pair> {
    const client = begin(CHILD, ['drive', 'peer', host, String(port), uri], places.client, [])
    await expectReport(client, PATIENCE, 'ports')
    return new Pair(undefined, client)
  }

  async measure(order: Order): Promise<number> {
    this.#client.send(order)
    return (await expectReport(this.#client, order.settle + order.measure + PATIENCE, 'rate')).rate
  }

  async end(): Promise<void> {
    await end(this.#client)
    if (this.#server !== undefined) await end(this.#server)
  }
}

/**
 * Where a process stands idle, V8 gives memory back, and with it goes the compiled code for whatever is not alive at that moment: the next session begins slowly
 * (docs/PERFORMANCE.md). Here everybody stands idle most of the time, because others are measured; that is no part of the work.
 */
const STEADY = '--no-memory-reducer'

/** Starts one process: an ES module of ours, on a CPU if there is one for it. */
export function begin(
  module: string,
  args: readonly string[],
  cpu: number | undefined,
  flags: readonly string[],
  more: Readonly<Record<string, string>> = {},
): ChildProcess {
  const env = { ...process.env, ...more }
  const options =
    cpu === undefined
      ? { env, execArgv: [STEADY, ...flags] }
      : { env, execPath: 'taskset', execArgv: ['-c', String(cpu), process.execPath, STEADY, ...flags] }
  const child = fork(module, args, options)
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

function profiling(profile: string | undefined, role: string): readonly string[] {
  return profile === undefined
    ? []
    : ['--cpu-prof', `--cpu-prof-dir=${dirname(profile)}`, `--cpu-prof-name=${basename(profile)}-${role}.cpuprofile`]
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  if (child.connected) child.disconnect()
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
  await gone
  clearTimeout(timer)
}

type Reported<Key> = Extract<Report, { readonly [Name in Key & string]: unknown }>

async function expectReport<Key extends 'ports' | 'rate'>(
  child: ChildProcess,
  patience: number,
  key: Key,
): Promise<Reported<Key>> {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(patience)])
  try {
    const [report] = (await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(() => {
        throw new Error(`A process of ${child.spawnargs.slice(-3).join(' ')} ended too early`)
      }),
    ])) as [Report]
    if ('error' in report) throw new Error(report.error)
    if (!(key in report)) throw new Error(`Expected a ${key}, got ${JSON.stringify(report)}`)
    return report as Reported<Key>
  } finally {
    stop.abort()
  }
}
