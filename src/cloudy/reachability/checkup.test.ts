// What the doctor says: for each problem words, something to do, and a verdict.
import { describe, expect, test } from '@jest/globals'
import { examine, type Facts, isHealthy } from './checkup.js'
import type { Problem, Reachability } from './port-mapper.js'
import { failed } from './protocol.js'

const info = (address: string, internal = false) =>
  ({ address, internal, cidr: null, family: address.includes(':') ? 'IPv6' : 'IPv4', netmask: '', mac: '', scopeid: 0 }) as never
const gateway = { address: '192.168.1.1', localAddress: '192.168.1.2' }
const mapping = {
  protocol: 'PCP',
  gateway: gateway.address,
  internalPort: 4000,
  externalAddress: '44.128.0.1',
  externalPort: 40_000,
  lifetime: 7200,
} as const
const good: Facts = {
  interfaces: { lo: [info('127.0.0.1', true)], eth0: [info('192.168.1.2'), info('2a00:1450::2')] },
  reachability: { gateway, direct: false, mapping, attempts: [] },
  multicast: { eth0: 'heard' },
}
const ids = (facts: Facts) => examine(facts).map(({ id }) => id)
const reached = (reachability: Partial<Reachability>): Facts => ({
  ...good,
  reachability: { gateway, direct: false, attempts: [], ...reachability },
})

describe('a network', () => {
  test('in which all is well', () => {
    const findings = examine(good)
    expect(findings.map(({ id }) => id)).toEqual(['multicast', 'reachable', 'ipv6'])
    expect(isHealthy(findings)).toBe(true)
    expect(findings[1]?.what).toContain('44.128.0.1')
  })

  test('that is none: nothing else is looked at', () => {
    const findings = examine({ ...good, interfaces: { lo: [info('127.0.0.1', true)] } })
    expect(findings).toEqual([expect.objectContaining({ kind: 'wrong', id: 'no-network', todo: expect.any(String) })])
  })

  const PROBLEMS: { readonly [problem in Problem]: RegExp } = {
    'no-gateway': /default gateway/,
    silent: /192\.168\.1\.1 answers no protocol/,
    refused: /192\.168\.1\.1 refuses/,
    conflict: /belongs to somebody else/,
    'double-nat': /double NAT/,
    'provider-nat': /provider shares/,
    'no-address': /no public address/,
    translated: /changes addresses/,
    broken: /no sense/,
  }
  test.each(Object.entries(PROBLEMS))('with the problem %s: what is so, and what to do', (problem, words) => {
    const facts = reached({ problem: problem as Problem, ...(problem === 'no-gateway' ? { gateway: undefined } : {}) })
    const findings = examine(facts)
    const found = findings.find(({ id }) => id === problem)
    expect(found).toMatchObject({ kind: 'wrong', what: expect.stringMatching(words) })
    expect(found?.todo?.length).toBeGreaterThan(20)
    expect(isHealthy(findings)).toBe(false)
    expect(JSON.stringify(findings)).not.toMatch(/\{router\}|undefined/)
  })

  test('says with it what the router said', () => {
    const attempts = [
      { protocol: 'PCP', failure: failed('refused', 'the router answered NOT_AUTHORIZED') },
      { protocol: 'UPnP', failure: failed('silent', 'nothing came') },
    ] as const
    expect(examine(reached({ problem: 'refused', attempts }))[1]?.what).toMatch(/\(PCP: .*NOT_AUTHORIZED; UPnP: nothing came\)/)
    const grant = { externalAddress: '10.0.0.9', externalPort: 4000, lifetime: 60 }
    const given = reached({ problem: 'double-nat', attempts: [{ protocol: 'NAT-PMP', grant }] })
    expect(examine(given)[1]?.what).toMatch(/calls 10\.0\.0\.9 its public address/)
  })

  test('with a public address of our own, or none yet known to be wrong, is healthy', () => {
    expect(ids(reached({ direct: true, gateway: { address: '44.0.0.1', localAddress: '44.0.0.2' } }))).toContain('direct')
    expect(isHealthy(examine(reached({})))).toBe(true)
  })

  test('without multicast tells the interface and the reason; one without IPv4 says so', () => {
    const blocked = examine({
      ...good,
      multicast: { eth0: 'silent', wlan0: { failed: 'operation not permitted' }, tun0: 'heard' },
    })
    expect(blocked.filter(({ id }) => id === 'multicast-blocked').map(({ what }) => what)).toEqual([
      expect.stringMatching(/eth0 \(what was sent did not come back\)/),
      expect.stringMatching(/wlan0 \(operation not permitted\)/),
    ])
    expect(ids({ ...good, multicast: {}, interfaces: { eth0: [info('fd77::2')] } })).toEqual(['no-ipv4', 'reachable', 'no-ipv6'])
  })
})
