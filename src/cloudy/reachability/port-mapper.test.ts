// The port mapper with an injected clock and routers of a few lines: order, memory, renewal, restarts, networks that change, double NAT.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Gateway } from './gateway.js'
import { PortMapper, type PortMapperOptions } from './port-mapper.js'
import {
  type Check,
  type Failure,
  failed,
  type Grant,
  type MappingProtocol,
  type Outcome,
  type ProtocolName,
  type Wish,
} from './protocol.js'

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

const gateway: Gateway = { address: '192.168.1.1', localAddress: '192.168.1.2' }
const grant: Grant = { externalAddress: '44.128.0.1', externalPort: 40_000, lifetime: 7200 }

/** A protocol that says what it is told to. */
class TestProtocol implements MappingProtocol {
  readonly checkInterval = 60_000
  readonly log: string[] = []
  outcome: Outcome | 'hang' = failed('silent', 'no answer')
  state: Check = { kind: 'kept' }
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
  }
  heard(datagram: Uint8Array): boolean | undefined {
    return datagram.length === 0 ? undefined : datagram[0] === 1
  }
}

/** All else in it is right. */
const BAD_PORT = '{"protocol":"UPnP","externalPort":99999,"nonce":"000102030405060708090a0b"}'

const mappers: PortMapper[] = []
afterEach(async () => {
  for (const mapper of mappers.splice(0)) await mapper.stop()
})

async function world(options: Partial<PortMapperOptions> = {}) {
  const protocols = [new TestProtocol('PCP'), new TestProtocol('NAT-PMP'), new TestProtocol('UPnP')] as const
  const clock = new TestClock()
  const told: string[] = []
  let change = () => {}
  let announce: (datagram: Uint8Array, from: string) => void = () => {}
  const state = { gateway: gateway as Gateway | undefined }
  const mapper = new PortMapper({
    internalPort: 10_288,
    clock,
    random: () => 0.5,
    protocols: () => protocols,
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
  const [pcp, natPmp, upnp] = protocols
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
    change: () => change(),
    announce: (octets: number[], from: string) => announce(Uint8Array.from(octets), from),
  }
}

describe('asking', () => {
  test('goes by PCP, NAT-PMP and UPnP in turn until one grants', async () => {
    const { mapper, start, pcp, natPmp, upnp, granting, told } = await world()
    granting(upnp)
    await start()
    expect([pcp.log, natPmp.log, upnp.log]).toEqual([['map 0'], ['map 0'], ['map 0']])
    expect(told).toEqual(['mapped 44.128.0.1:40000 UPnP'])
    expect(mapper.reachability).toMatchObject({ direct: false, problem: undefined, mapping: { protocol: 'UPnP', ...grant } })
    expect(mapper.reachability.attempts.map(({ protocol }) => protocol)).toEqual(['PCP', 'NAT-PMP', 'UPnP'])
  })

  test('does not ask a second time at a port where nobody listens', async () => {
    const { start, pcp, natPmp, upnp, mapper } = await world()
    pcp.outcome = failed('closed', 'nobody listens')
    await start()
    expect([natPmp.log, upnp.log]).toEqual([[], ['map 0']])
    expect(mapper.reachability).toMatchObject({ problem: 'silent', mapping: undefined })
  })

  test('remembers the protocol and the port across runs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cloudy-mapper-'))
    const memory = join(folder, 'deep', 'router.json')
    try {
      const first = await world({ memory })
      first.granting(first.natPmp)
      await first.start()
      await first.mapper.stop()
      const again = await world({ memory })
      again.granting(again.natPmp)
      await again.start()
      expect([again.pcp.log, again.natPmp.log]).toEqual([[], ['map 40000']])
      await again.mapper.stop()
      for (const text of ['{"externalPort":', '[]', '{"externalPort":1,"nonce":"00"}', BAD_PORT]) {
        await writeFile(memory, text)
        const blank = await world({ memory })
        blank.granting(blank.pcp)
        await blank.start()
        expect(blank.pcp.log).toEqual(['map 0'])
        await blank.mapper.stop()
        expect(JSON.parse(await readFile(memory, 'utf8'))).toMatchObject({ protocol: 'PCP', externalPort: 40_000 })
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('that failed is tried again after a rest, and at once in another network', async () => {
    const { start, clock, pcp, granting, told, change } = await world()
    await start()
    await clock.advance(14_999)
    expect(pcp.log).toHaveLength(1)
    await clock.advance(1)
    expect(pcp.log).toHaveLength(2)
    granting(pcp)
    change()
    await clock.advance(0)
    expect(told).toEqual(['silent', 'mapped 44.128.0.1:40000 PCP'])
  })

  test('without a gateway tells so and waits', async () => {
    const { start, state, mapper, pcp, clock } = await world()
    state.gateway = undefined
    await start()
    expect(await mapper.settled()).toMatchObject({ problem: 'no-gateway', gateway: undefined })
    expect(pcp.log).toEqual([])
    state.gateway = gateway
    await clock.advance(15_000)
    expect(pcp.log).toHaveLength(1)
  })

  test('with a public address of one’s own is no problem, answered or not', async () => {
    const { start, state, mapper } = await world()
    state.gateway = { address: '44.0.0.1', localAddress: '44.0.0.2' }
    await start()
    expect(mapper.reachability).toMatchObject({ direct: true, problem: undefined })
  })
})

describe('never advertised', () => {
  test.each([
    ['192.168.0.7', 40_000, 'double-nat'],
    ['100.64.3.2', 40_000, 'provider-nat'],
    ['0.0.0.0', 40_000, 'no-address'],
    ['198.51.100.1', 40_000, 'no-address'],
    ['127.0.0.1', 40_000, 'broken'],
    ['224.0.0.1', 40_000, 'broken'],
    ['nonsense', 40_000, 'broken'],
    ['44.128.0.1', 0, 'broken'],
    ['44.128.0.1', 65_536, 'broken'],
  ])('%s port %i (%s) is given back', async (externalAddress, externalPort, problem) => {
    const { start, pcp, granting, told, mapper, natPmp } = await world()
    granting(pcp, { externalAddress, externalPort })
    await start()
    expect(told).toEqual([problem])
    expect(pcp.log).toEqual(['map 0', `unmap ${externalPort}`])
    expect(natPmp.log).toEqual([])
    expect(mapper.reachability).toMatchObject({ problem, mapping: undefined })
  })

  test('an address that turns private is lost', async () => {
    const { start, pcp, granting, told, clock, mapper } = await world()
    granting(pcp)
    await start()
    granting(pcp, { externalAddress: '10.0.0.9' })
    pcp.state = { kind: 'lost', detail: 'the router has another address' }
    await clock.advance(63_000)
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP', 'lost 40000', 'double-nat'])
    expect(mapper.reachability.problem).toBe('double-nat')
  })
})

describe('keeping', () => {
  test('renews at half of the lifetime, asking for the same port', async () => {
    const { start, clock, pcp, granting, told } = await world()
    granting(pcp, { lifetime: 100 })
    await start()
    await clock.advance(50_000)
    expect(pcp.log).toEqual(['map 0', 'map 40000'])
    expect(told).toHaveLength(1)
  })

  test('tells when the router gives another port or has another address', async () => {
    const { start, clock, pcp, granting, told } = await world()
    granting(pcp, { lifetime: 100 })
    await start()
    granting(pcp, { lifetime: 100, externalPort: 41_000 })
    await clock.advance(50_000)
    granting(pcp, { lifetime: 100, externalPort: 41_000, externalAddress: '44.128.0.2' })
    await clock.advance(50_000)
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP', 'changed 44.128.0.1:41000', 'changed 44.128.0.2:41000'])
  })

  test('maps again after a restart that it sees or is told of by the gateway; by nobody else', async () => {
    const { start, clock, pcp, granting, told, announce } = await world()
    granting(pcp)
    await start()
    pcp.state = { kind: 'lost', detail: 'the router has started anew' }
    await clock.advance(60_000)
    pcp.state = { kind: 'kept' }
    await clock.advance(2500)
    expect(pcp.log).toEqual(['map 0', 'check', 'map 40000'])
    announce([1], '192.168.1.66')
    announce([0], gateway.address)
    announce([], gateway.address)
    await clock.advance(2500)
    expect(pcp.log).toHaveLength(3)
    for (let n = 0; n < 100; n++) announce([1], gateway.address)
    await clock.advance(2500)
    expect(pcp.log).toEqual(['map 0', 'check', 'map 40000', 'map 40000'])
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP'])
  })

  test('a question that is under way is not begun again, however often somebody announces something', async () => {
    const { start, clock, pcp, granting, announce } = await world()
    granting(pcp)
    await start()
    pcp.outcome = 'hang'
    announce([1], gateway.address)
    await clock.advance(2500)
    for (let n = 0; n < 10; n++) {
      announce([1], gateway.address)
      await clock.advance(5000)
    }
    expect(pcp.log).toEqual(['map 0', 'map 40000'])
  })

  test('loses what a router that has started anew does not grant again', async () => {
    const { start, clock, pcp, granting, told } = await world()
    granting(pcp)
    await start()
    pcp.state = { kind: 'lost', detail: 'the router has started anew' }
    pcp.outcome = failed('silent', 'no answer')
    await clock.advance(62_500)
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP', 'lost 40000', 'silent'])
    granting(pcp)
    await clock.advance(15_000)
    expect(told.at(-1)).toBe('mapped 44.128.0.1:40000 PCP')
  })

  test('a router that vanishes is noticed after three looks', async () => {
    const { start, clock, pcp, granting, told } = await world()
    granting(pcp)
    await start()
    pcp.state = failed('silent', 'no answer')
    pcp.outcome = failed('silent', 'no answer')
    await clock.advance(79_999)
    expect(told).toHaveLength(1)
    await clock.advance(1)
    expect(told.slice(1)).toEqual(['lost 40000', 'silent'])
  })

  test('another gateway is another network', async () => {
    const { start, clock, pcp, granting, told, state } = await world()
    granting(pcp)
    await start()
    state.gateway = { address: '10.0.0.1', localAddress: '10.0.0.2' }
    await clock.advance(60_000)
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP', 'lost 40000', 'mapped 44.128.0.1:40000 PCP'])
  })

  test('a protocol that throws is a failure like another', async () => {
    const errors: unknown[] = []
    const { start, clock, pcp, told, granting } = await world({ onError: (error) => errors.push(error) })
    pcp.map = () => Promise.reject(new Error('a bug'))
    await start()
    expect(errors).toHaveLength(1)
    pcp.map = TestProtocol.prototype.map
    granting(pcp)
    await clock.advance(15_000)
    expect(told).toEqual(['broken', 'mapped 44.128.0.1:40000 PCP'])
  })
})

test('another interface that comes up makes it ask again, and changes nothing', async () => {
  const { start, clock, pcp, granting, told, change } = await world()
  granting(pcp)
  await start()
  change()
  await clock.advance(0)
  expect([pcp.log, told]).toEqual([['map 0', 'map 40000'], ['mapped 44.128.0.1:40000 PCP']])
})

test('before anything was answered there is no problem yet', async () => {
  const { start, pcp, mapper } = await world()
  pcp.outcome = 'hang'
  expect(mapper.reachability.problem).toBeUndefined()
  await start()
  expect(mapper.reachability.problem).toBeUndefined()
})

describe('stopping', () => {
  test('while it starts leaves nothing behind', async () => {
    const { mapper, clock, pcp } = await world()
    const starting = mapper.start()
    await mapper.stop()
    await starting
    expect([clock.pending, pcp.log]).toEqual([0, []])
  })

  test('removes the mapping and leaves no timer', async () => {
    const { start, clock, pcp, granting, mapper, told } = await world()
    granting(pcp)
    await start()
    await mapper.stop()
    await mapper.stop()
    expect(pcp.log).toEqual(['map 0', 'unmap 40000'])
    expect(clock.pending).toBe(0)
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP'])
  })

  test('in the middle of a question removes what may have been granted unheard', async () => {
    const { start, clock, pcp, mapper, told } = await world()
    pcp.outcome = 'hang'
    await start()
    const settled = mapper.settled()
    await mapper.stop()
    await settled
    expect(pcp.log).toEqual(['map 0', 'unmap undefined'])
    expect([clock.pending, told]).toEqual([0, []])
  })

  test('ends also when the removal fails', async () => {
    const { start, pcp, granting, mapper } = await world()
    granting(pcp)
    pcp.unmap = () => Promise.reject(new Error('gone'))
    await start()
    await mapper.stop()
  })
})

test('the problem that is told is the one that explains most', async () => {
  const cases: readonly (readonly [Failure, Outcome, string])[] = [
    [failed('silent', ''), failed('refused', ''), 'refused'],
    [failed('no-address', ''), failed('silent', ''), 'no-address'],
    [failed('no-address', ''), { kind: 'granted', ...grant, externalAddress: '10.1.1.1' }, 'double-nat'],
    [failed('translated', ''), failed('conflict', ''), 'translated'],
    [failed('unsupported', ''), failed('unreachable', ''), 'silent'],
    [failed('broken', ''), failed('silent', ''), 'broken'],
  ]
  for (const [first, last, problem] of cases) {
    const { start, pcp, upnp, mapper } = await world()
    pcp.outcome = first
    upnp.outcome = last
    await start()
    expect(mapper.reachability.problem).toBe(problem)
  }
})
