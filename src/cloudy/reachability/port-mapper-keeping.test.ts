// The port mapper keeps what it has: renewal, restarts, networks that change, routers that vanish.
import { afterEach, describe, expect, test } from '@jest/globals'
import { deferred } from '../../beep/promises.js'
import { failed } from './protocol.js'
import { gateway, grant, stopAll, TestProtocol, world } from './test-kit.js'

afterEach(stopAll)

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

  test('a look that finds another port takes it over', async () => {
    const { start, clock, pcp, granting, told, mapper } = await world()
    granting(pcp)
    await start()
    pcp.state = { kind: 'granted', ...grant, externalPort: 41_000, lifetime: 600 }
    await clock.advance(60_000)
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP', 'changed 44.128.0.1:41000'])
    expect(mapper.reachability.mapping).toMatchObject({ externalPort: 41_000, lifetime: 600 })
    pcp.state = { kind: 'granted', ...grant, externalAddress: '192.168.1.1' }
    await clock.advance(60_000)
    expect(told.slice(2)).toEqual(['lost 41000', 'double-nat'])
    expect(pcp.log.at(-1)).toBe('unmap 40000')
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

  test('while the system cannot tell the gateway the mapping stays, and the error is told once', async () => {
    const errors: unknown[] = []
    const emfile = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' })
    const look = { error: undefined as Error | undefined, count: 0 }
    const findGateway = async () => {
      look.count++
      if (look.error !== undefined) throw look.error
      return gateway
    }
    const { start, clock, pcp, granting, told, mapper } = await world({ findGateway, onError: (error) => errors.push(error) })
    granting(pcp)
    await start()
    look.error = emfile
    await clock.advance(79_999)
    expect([look.count, errors]).toEqual([3, [emfile]])
    look.error = undefined
    await clock.advance(1)
    expect(pcp.log).toEqual(['map 0', 'check'])
    look.error = emfile
    await clock.advance(60_000)
    expect(errors).toEqual([emfile, emfile])
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP'])
    expect(mapper.reachability).toMatchObject({ gateway, mapping: grant })
  })

  test('that the system could not tell the gateway is not told as a network without one', async () => {
    const gateways = [() => Promise.reject(new Error('EMFILE')), async () => gateway]
    const { start, clock, pcp, granting, told, mapper } = await world({ findGateway: () => gateways.shift()!(), onError() {} })
    granting(pcp)
    await start()
    expect([told, (await mapper.settled()).problem]).toEqual([[], undefined])
    await clock.advance(15_000)
    expect(told).toEqual(['mapped 44.128.0.1:40000 PCP'])
  })

  test('what leads to an address that is ours no more is given back, before anything else is asked for', async () => {
    const { start, clock, upnp, granting, state, change, protocols } = await world()
    granting(upnp, { lifetime: 0 })
    await start()
    const removed = deferred<void>()
    upnp.removed = removed.promise
    const later = new TestProtocol('UPnP')
    granting(later)
    protocols.list = [later]
    state.gateway = { address: gateway.address, localAddress: '192.168.1.77' }
    change()
    await clock.advance(1)
    expect(upnp.log).toEqual(['map 0', 'unmap 40000'])
    expect(later.log).toEqual([])
    removed.resolve()
    await clock.advance(1)
    expect(later.log).toEqual(['map 40000'])
  })

  test('what is being asked for when the network changes is given back, too', async () => {
    const { start, clock, pcp, granting, change } = await world()
    pcp.outcome = 'hang'
    await start()
    granting(pcp)
    change()
    await clock.advance(1)
    expect(pcp.log).toEqual(['map 0', 'unmap undefined', 'map 0'])
  })

  test('what may have been granted too late is given back once nobody else grants it, before it is asked for again', async () => {
    const { start, clock, mapper, pcp, upnp, granting } = await world()
    upnp.isInDoubt = true
    const removed = deferred<void>()
    upnp.removed = removed.promise
    await start()
    expect([pcp.log, upnp.log]).toEqual([['map 0'], ['map 0', 'unmap undefined']])
    await clock.advance(60_000)
    expect(pcp.log).toEqual(['map 0'])
    removed.resolve()
    await clock.advance(60_000)
    expect(pcp.log.length).toBeGreaterThan(1)
    granting(pcp)
    upnp.log.length = 0
    await clock.advance(3_600_000)
    expect(mapper.reachability.mapping?.protocol).toBe('PCP')
    expect(upnp.log).not.toContain('unmap undefined')
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
