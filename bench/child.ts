// One of the two processes of a contestant: `serve NAME`, `drive NAME CLEAR SECURE` with the ports, or
// `drive peer HOST PORT URI`. It tells its parent what it measured and ends with it.
import { type Client, type Contestant, CREDENTIALS, type Credentials, type Meter, type Ports } from './contestant.js'
import { LOAD } from './contestants/index.js'
import { rate, WORKLOADS } from './workloads.js'

/** What the parent asks of the client. */
export interface Order {
  readonly workload: string
  /** Milliseconds. */
  readonly settle: number
  readonly measure: number
}

/** What a child says: that it is ready, what it measured, or why it could not. */
export type Report = { readonly ports: Ports } | { readonly rate: number } | { readonly error: string }

/**
 * Numbers of an application, `HEAP` of them, in every process alike. Buffers that Node reads are garbage which V8 drops cheaply once there are 32 MiB of it, unless the
 * old space is collected before; and after each collection it may grow by no more than a tenth or so until the next. A process with a small heap therefore collects
 * everything every few megabytes, which takes a third to two thirds of its bulk, or does not: that is chance (docs/PERFORMANCE.md). With 400 MB nobody does.
 */
const HEAP = 400
Object.assign(globalThis, { ballast: Array.from({ length: HEAP / 8 }, () => new Array(1_000_000).fill(0.5)) })

const [role, name, ...places] = process.argv.slice(2)

function tell(report: Report): void {
  process.send?.(report)
}

function failed(error: unknown): void {
  tell({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}

async function measure(client: Client, { workload: wanted, settle, measure: time }: Order): Promise<number> {
  const workload = WORKLOADS.find((each) => each.name === wanted)
  if (workload === undefined) throw new Error(`There is no workload ${wanted}`)
  const meter: Meter = { running: true, count: 0 }
  const run = client.run(workload, meter)
  const clock = (async () => {
    await elapsed(settle)
    const { count } = meter
    const begin = performance.now()
    await elapsed(time)
    const result = rate(workload, meter.count - count, (performance.now() - begin) / 1000)
    meter.running = false
    return result
  })()
  await Promise.all([run, clock])
  return clock
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Nothing is loaded of those who are not measured here. */
async function load(): Promise<Contestant> {
  if (name === 'peer') return (await import('./contestants/peer.js')).peer(places[0]!, Number(places[1]), places[2]!)
  const contestant = await LOAD.get(name!)?.()
  if (contestant === undefined) throw new Error(`There is no contestant ${name}`)
  return contestant
}

async function main(): Promise<void> {
  const contestant = await load()
  if (role === 'serve') {
    const server = await contestant.serve(JSON.parse(process.env[CREDENTIALS]!) as Credentials)
    tell({ ports: server.ports })
    return
  }
  const ports = { clear: Number(places[0]), secure: Number(places[1]) }
  const client = await contestant.open(ports)
  process.on('message', (order: Order) => {
    measure(client, order).then((result) => tell({ rate: result }), failed)
  })
  tell({ ports })
}

// The parent is gone, or wants no more: nothing is left behind, whatever happened to it.
process.on('disconnect', () => process.exit())
process.on('uncaughtException', failed)
main().catch(failed)
