// What the tests of the port mapper share: a clock that stands, protocols that say what they are told to, and a world of them.
import type { Gateway } from './gateway.js'
import { PortMapper, type PortMapperOptions } from './port-mapper.js'
import { type Check, failed, type Grant, type MappingProtocol, type Outcome, type ProtocolName, type Wish } from './protocol.js'

/** A clock that stands until it is told to go on; then each timer runs, and what it started, in order. */
class TestClock {
  time = 0
  #timers: { at: number; action: () => void }[] = []
  now = () => this.time
  after = (milliseconds: number, action: () => void) => {
    const timer = { at: this.time + milliseconds, action }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer)
    }
  }
  get pending(): number {
    return this.#timers.length
  }
  async advance(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds
    for (;;) {
      await settle()
      const timer = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (timer === undefined) break
      this.#timers = this.#timers.filter((each) => each !== timer)
      this.time = timer.at
      timer.action()
    }
    this.time = end
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve))
}

export const gateway: Gateway = { address: '192.168.1.1', localAddress: '192.168.1.2' }
export const grant: Grant = { externalAddress: '44.128.0.1', externalPort: 40_000, lifetime: 7200 }

/** A protocol that says what it is told to. */
export class TestProtocol implements MappingProtocol {
  readonly checkInterval = 60_000
  readonly log: string[] = []
  outcome: Outcome | 'hang' = failed('silent', 'no answer')
  state: Check = { kind: 'kept' }
  isInDoubt = false
  /** When a removal is done. */
  removed: Promise<void> = Promise.resolve()
  readonly name: ProtocolName
  constructor(name: ProtocolName) {
    this.name = name
  }
  async map({ externalPort }: Wish, signal: AbortSignal): Promise<Outcome> {
    this.log.push(`map ${externalPort}`)
    if (this.outcome !== 'hang') return this.outcome
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
  }
  async check(): Promise<Check> {
    this.log.push('check')
    return this.state
  }
  async unmap(_wish: Wish, given: Grant | undefined): Promise<void> {
    this.log.push(`unmap ${given?.externalPort}`)
    await this.removed
  }
  heard(datagram: Uint8Array): boolean | undefined {
    return datagram.length === 0 ? undefined : datagram[0] === 1
  }
}

const mappers: PortMapper[] = []
/** Stops what a test has started. */
export async function stopAll(): Promise<void> {
  for (const mapper of mappers.splice(0)) await mapper.stop()
}

/** A mapper with everything around it. */
export async function world(options: Partial<PortMapperOptions> = {}) {
  const first = [new TestProtocol('PCP'), new TestProtocol('NAT-PMP'), new TestProtocol('UPnP')] as const
  /** Those that are asked from the next question on. */
  const protocols: { list: readonly TestProtocol[] } = { list: first }
  const clock = new TestClock()
  const told: string[] = []
  let change = () => {}
  let announce: (datagram: Uint8Array, from: string) => void = () => {}
  const state = { gateway: gateway as Gateway | undefined }
  const mapper = new PortMapper({
    internalPort: 10_288,
    clock,
    random: () => 0.5,
    protocols: () => protocols.list,
    findGateway: async () => state.gateway,
    surroundings: {
      watchNetwork(onChange) {
        change = onChange
        return () => {}
      },
      hearAnnouncements(onDatagram) {
        announce = onDatagram
        return () => {}
      },
    },
    onMapped: ({ externalAddress, externalPort, protocol }) => told.push(`mapped ${externalAddress}:${externalPort} ${protocol}`),
    onChanged: ({ externalAddress, externalPort }) => told.push(`changed ${externalAddress}:${externalPort}`),
    onLost: ({ externalPort }) => told.push(`lost ${externalPort}`),
    onProblem: (problem) => told.push(problem),
    ...options,
  })
  mappers.push(mapper)
  const granting = (each: TestProtocol, given: Partial<Grant> = {}) => {
    each.outcome = { kind: 'granted', ...grant, ...given }
  }
  const [pcp, natPmp, upnp] = first
  const start = async () => {
    await mapper.start()
    await clock.advance(0)
  }
  return {
    mapper,
    clock,
    told,
    pcp,
    natPmp,
    upnp,
    granting,
    start,
    state,
    protocols,
    change: () => change(),
    announce: (octets: number[], from: string) => announce(Uint8Array.from(octets), from),
  }
}
