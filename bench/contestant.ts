// What every contestant is, and the two ways of keeping messages under way: with callbacks and with promises.
import type { Workload } from './workloads.js'

export interface Contestant {
  readonly name: string
  takesPart(workload: Workload): boolean
  /** Listens on free ports of loopback and serves every workload in which it takes part. */
  serve(credentials: Credentials): Promise<Server>
  open(ports: Ports): Promise<Client>
}

/** The key and the certificate of a server that speaks TLS, PEM. */
export interface Credentials {
  readonly key: string
  readonly cert: string
}

/** The variable of the environment in which the process of a server finds them, in JSON. */
export const CREDENTIALS = 'BENCH_CREDENTIALS'

/** Where a contestant listens. */
export interface Ports {
  readonly clear: number
  /** In TLS; 0 for a contestant without. */
  readonly secure: number
}

export interface Server {
  readonly ports: Ports
  close(): Promise<void>
}

export interface Client {
  /** Keeps `workload.inFlight` messages under way while the meter runs, and counts each that was answered. */
  run(workload: Workload, meter: Meter): Promise<void>
  close(): Promise<void>
}

/** Counts answered messages; somebody else looks at the clock. */
export interface Meter {
  running: boolean
  count: number
}

/** For whoever is called back: each answer sends the next message. */
export class Lanes {
  /** Resolves when the meter has stopped and every message was answered. */
  readonly done: Promise<void>
  readonly #meter: Meter
  readonly #send: (lane: number) => void
  readonly #expected: number
  #open: number
  #resolve!: () => void
  #reject!: (error: Error) => void

  /** @param send sends the next message of a lane, 0 to `inFlight` - 1 */
  constructor(workload: Workload, meter: Meter, send: (lane: number) => void) {
    this.#meter = meter
    this.#send = send
    this.#expected = answerSize(workload)
    this.#open = workload.inFlight
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    for (let lane = 0; lane < workload.inFlight; lane++) send(lane)
  }

  answered(octets: number, lane = 0): void {
    if (octets !== this.#expected) this.fail(new Error(`An answer has ${octets} octets instead of ${this.#expected}`))
    this.#meter.count++
    if (this.#meter.running) this.#send(lane)
    else if (--this.#open === 0) this.#resolve()
  }

  fail(error: Error): void {
    this.#reject(error)
  }
}

/**
 * For whoever gives a promise: as many loops as messages in flight.
 * @param ask gives the octets of the answer; of the loops it is told which
 */
export async function keepAsking(
  workload: Workload,
  meter: Meter,
  ask: (message: Uint8Array, lane: number) => Promise<number>,
): Promise<void> {
  const message = payload(workload)
  const expected = answerSize(workload)
  const keep = async (_: unknown, lane: number) => {
    while (meter.running) {
      const octets = await ask(message, lane)
      if (octets !== expected) throw new Error(`An answer has ${octets} octets instead of ${expected}`)
      meter.count++
    }
  }
  await Promise.all(Array.from({ length: workload.inFlight }, keep))
}

/** For what is done once after another: sessions, questions with many answers. */
export async function keepDoing(meter: Meter, once: (meter: Meter) => Promise<void>): Promise<void> {
  while (meter.running) await once(meter)
}

export function payload(workload: Workload): Buffer {
  return Buffer.alloc(workload.size, 'a')
}

function answerSize(workload: Workload): number {
  return workload.service === 'echo' ? workload.size : 0
}
