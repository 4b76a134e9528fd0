// What every contestant is, and the two ways of keeping messages under way: with callbacks and with promises.
import type { Workload } from './workloads.js'

export interface Contestant {
  readonly name: string
  /** Listens on a free port of loopback and serves every workload. */
  serve(): Promise<Server>
  open(port: number): Promise<Client>
}

export interface Server {
  readonly port: number
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
  readonly #send: () => void
  readonly #expected: number
  #open: number
  #resolve!: () => void
  #reject!: (error: Error) => void

  constructor(workload: Workload, meter: Meter, send: () => void) {
    this.#meter = meter
    this.#send = send
    this.#expected = answerSize(workload)
    this.#open = workload.inFlight
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    for (let lane = 0; lane < workload.inFlight; lane++) send()
  }

  answered(octets: number): void {
    if (octets !== this.#expected) this.fail(new Error(`An answer has ${octets} octets instead of ${this.#expected}`))
    this.#meter.count++
    if (this.#meter.running) this.#send()
    else if (--this.#open === 0) this.#resolve()
  }

  fail(error: Error): void {
    this.#reject(error)
  }
}

/** For whoever gives a promise: as many loops as messages in flight. @param ask gives the octets of the answer */
export async function keepAsking(workload: Workload, meter: Meter, ask: (message: Uint8Array) => Promise<number>): Promise<void> {
  const message = payload(workload)
  const expected = answerSize(workload)
  const lane = async () => {
    while (meter.running) {
      const octets = await ask(message)
      if (octets !== expected) throw new Error(`An answer has ${octets} octets instead of ${expected}`)
      meter.count++
    }
  }
  await Promise.all(Array.from({ length: workload.inFlight }, lane))
}

export function payload(workload: Workload): Buffer {
  return Buffer.alloc(workload.size, 'a')
}

function answerSize(workload: Workload): number {
  return workload.service === 'echo' ? workload.size : 0
}
