// What is measured as a rate, as data: how large the messages are, how many are under way, and what must come back.

export interface Workload {
  readonly name: string
  readonly title: string
  /**
   * `echo`: each message comes back. `sink`: each is read to its end and answered with nothing. `answers`: one question is answered by a thousand
   * answers of `size` octets. `session`: connect, greet, open a channel, close it, and part in good order.
   */
  readonly service: 'echo' | 'sink' | 'answers' | 'session'
  /** Octets of a message, or of an answer. */
  readonly size: number
  /** Messages under way at a time, all on one connection; on each channel as many as on the others. */
  readonly inFlight: number
  /** Channels or streams that share the connection; 1 unless it says otherwise. */
  readonly channels?: number
  /** Inside TLS 1.3, the certificate of the server not verified. */
  readonly secure?: boolean
  /** So many times as long as others it is warmed up; 1 unless it says otherwise. */
  readonly warmUp?: number
  readonly unit: 'msg/s' | 'MiB/s' | 'answers/s' | 'sessions/s'
  /** What `beep` is to reach, as a ratio to another contestant; `net@ping-pong` is that contestant's rate in another workload. */
  readonly targets: Readonly<Record<string, number>>
}

/** What runs once a session, and in two processes on one CPU, takes V8 thousands of sessions to compile. */
const SLOW = 3

/** Answers that one question brings. */
export const ANSWERS = 1000

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'ping-pong',
    title: '64 octets, one in flight',
    service: 'echo',
    size: 64,
    inFlight: 1,
    unit: 'msg/s',
    targets: { net: 0.75, yamux: 2.2, http2: 5 },
  },
  {
    name: 'pipelined',
    title: '64 octets, 100 in flight on one channel',
    service: 'echo',
    size: 64,
    inFlight: 100,
    unit: 'msg/s',
    targets: { ws: 1, http2: 6 },
  },
  {
    name: 'channels',
    title: '64 octets, one in flight on each of 100 channels',
    service: 'echo',
    size: 64,
    inFlight: 100,
    channels: 100,
    unit: 'msg/s',
    targets: { 'ws@pipelined': 1, http2: 6 },
  },
  {
    name: 'bulk',
    title: '64 KiB one way, 32 in flight',
    service: 'sink',
    size: 65_536,
    inFlight: 32,
    unit: 'MiB/s',
    targets: { net: 0.9, yamux: 1 },
  },
  {
    name: 'bulk-1m',
    title: '1 MiB one way, 4 in flight',
    service: 'sink',
    size: 1_048_576,
    inFlight: 4,
    unit: 'MiB/s',
    targets: { net: 0.9, yamux: 1 },
  },
  {
    name: 'echo-64k',
    title: '64 KiB echoed, 8 in flight',
    service: 'echo',
    size: 65_536,
    inFlight: 8,
    unit: 'MiB/s',
    targets: {},
  },
  {
    name: 'echo-1m',
    title: '1 MiB echoed, one in flight',
    service: 'echo',
    size: 1_048_576,
    inFlight: 1,
    unit: 'MiB/s',
    targets: { net: 0.8 },
  },
  {
    name: 'answers',
    title: '64 octets, a thousand answers to a question',
    service: 'answers',
    size: 64,
    inFlight: 1,
    unit: 'answers/s',
    targets: { 'net@ping-pong': 7.14 },
  },
  {
    name: 'answers-4k',
    title: '4 KiB, a thousand answers to a question',
    service: 'answers',
    size: 4096,
    inFlight: 1,
    unit: 'answers/s',
    targets: {},
  },
  {
    name: 'session',
    title: 'a session from connect to release, with one channel',
    service: 'session',
    size: 0,
    inFlight: 1,
    warmUp: SLOW,
    unit: 'sessions/s',
    targets: { net: 0.5 },
  },
  {
    name: 'tls-ping-pong',
    title: '64 octets in TLS, one in flight',
    service: 'echo',
    size: 64,
    inFlight: 1,
    secure: true,
    unit: 'msg/s',
    targets: { tls: 0.75 },
  },
  {
    name: 'tls-bulk',
    title: '64 KiB one way in TLS, 32 in flight',
    service: 'sink',
    size: 65_536,
    inFlight: 32,
    secure: true,
    unit: 'MiB/s',
    targets: { tls: 0.9 },
  },
  {
    name: 'tls-session',
    title: 'a session from connect to release, tuned to TLS, with one channel',
    service: 'session',
    size: 0,
    inFlight: 1,
    secure: true,
    warmUp: SLOW,
    unit: 'sessions/s',
    targets: {},
  },
]

/** What was counted in a time, in the unit of the workload. */
export function rate(workload: Workload, count: number, seconds: number): number {
  return (workload.unit === 'MiB/s' ? (count * workload.size) / 1_048_576 : count) / seconds
}
