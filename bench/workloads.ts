// What is measured, as data: how large the messages are, how many are under way, and what must come back.

export interface Workload {
  readonly name: string
  readonly title: string
  /** `echo`: each message comes back. `sink`: each is read to its end and answered with nothing. */
  readonly service: 'echo' | 'sink'
  /** Octets of a message. */
  readonly size: number
  /** Messages under way at a time, all on one connection, and where there are channels on one channel. */
  readonly inFlight: number
  /** Messages a second, or MiB a second. */
  readonly unit: 'msg/s' | 'MiB/s'
  /** What `beep` is to reach, as a ratio to another contestant. */
  readonly targets: Readonly<Record<string, number>>
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'ping-pong',
    title: '64 octets, one in flight',
    service: 'echo',
    size: 64,
    inFlight: 1,
    unit: 'msg/s',
    targets: { net: 0.6 },
  },
  {
    name: 'pipelined',
    title: '64 octets, 100 in flight',
    service: 'echo',
    size: 64,
    inFlight: 100,
    unit: 'msg/s',
    targets: {},
  },
  {
    name: 'bulk',
    title: '64 KiB one way, 32 in flight',
    service: 'sink',
    size: 65_536,
    inFlight: 32,
    unit: 'MiB/s',
    targets: { net: 0.7 },
  },
]

/** Answered messages in a time, in the unit of the workload. */
export function rate(workload: Workload, messages: number, seconds: number): number {
  return (workload.unit === 'MiB/s' ? (messages * workload.size) / 1_048_576 : messages) / seconds
}
