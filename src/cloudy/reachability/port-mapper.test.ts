// The port mapper with an injected clock and routers of a few lines: order, memory, double NAT, problems, the end.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Failure, failed, type Outcome } from './protocol.js'
import { gateway, grant, stopAll, world } from './test-kit.js'

afterEach(stopAll)

/** All else in it is right. */
const BAD_PORT = '{"protocol":"UPnP","externalPort":99999,"nonce":"000102030405060708090a0b"}'

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
