// Who takes part. The first is the one that the others are compared with.
import type { Contestant } from '../contestant.js'
import { WORKLOADS, type Workload } from '../workloads.js'
import { beep } from './beep.js'
import { grpc } from './grpc.js'
import { http2 } from './http2.js'
import { net, tls } from './raw.js'
import { ws } from './ws.js'
import { yamux } from './yamux.js'

export const CONTESTANTS: readonly Contestant[] = [beep, net, tls, ws, http2, yamux, grpc]

/** Who is measured beside a foreign listener. */
const HOSTS: readonly Contestant[] = [beep, net]

/** Who is measured in what: all, or with a guest those who are measured beside it, in what it takes part in. Nobody stands for nothing. */
export function entries(
  wants: (workload: Workload, contestant: Contestant) => boolean,
  guest?: Contestant,
): ReadonlyMap<Workload, readonly Contestant[]> {
  const all = guest === undefined ? CONTESTANTS : [...HOSTS, guest]
  const made = new Map<Workload, readonly Contestant[]>()
  for (const workload of WORKLOADS.filter((each) => guest?.takesPart(each) ?? true)) {
    const present = all.filter((each) => each.takesPart(workload) && wants(workload, each))
    if (present.length > 0) made.set(workload, present)
  }
  return made
}

/** Whose rate is divided by that of each other. */
export const OURS = beep.name
