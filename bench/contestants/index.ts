// Who takes part, and who is measured in what.
import type { Contestant } from '../contestant.js'
import { WORKLOADS, type Workload } from '../workloads.js'

type Load = () => Promise<Contestant>

/** Each by its name, to be loaded alone: the modules of one are garbage to collect for another (docs/PERFORMANCE.md). */
export const LOAD: ReadonlyMap<string, Load> = new Map<string, Load>([
  ['beep', async () => (await import('./beep.js')).beep],
  ['net', async () => (await import('./raw.js')).net],
  ['tls', async () => (await import('./raw.js')).tls],
  ['hand', async () => (await import('./by-hand.js')).hand],
  ['ws', async () => (await import('./ws.js')).ws],
  ['http2', async () => (await import('./http2.js')).http2],
  ['yamux', async () => (await import('./yamux.js')).yamux],
  ['grpc', async () => (await import('./grpc.js')).grpc],
])

/** Whose rate is divided by that of each other. */
export const OURS = 'beep'

/** Who is measured beside a foreign listener. */
const HOSTS: readonly string[] = [OURS, 'net']

/** Loads all of them, or those with these names. */
export function contestants(names: Iterable<string> = LOAD.keys()): Promise<readonly Contestant[]> {
  return Promise.all(Array.from(names, (name) => LOAD.get(name)!()))
}

/** Who is measured in what: all, or with a guest those who are measured beside it, in what it takes part in. Nobody stands for nothing. */
export async function entries(
  wants: (workload: Workload, contestant: Contestant) => boolean,
  guest?: Contestant,
): Promise<ReadonlyMap<Workload, readonly Contestant[]>> {
  const all = guest === undefined ? await contestants() : [...(await contestants(HOSTS)), guest]
  const made = new Map<Workload, readonly Contestant[]>()
  for (const workload of WORKLOADS.filter((each) => guest?.takesPart(each) ?? true)) {
    const present = all.filter((each) => each.takesPart(workload) && wants(workload, each))
    if (present.length > 0) made.set(workload, present)
  }
  return made
}
