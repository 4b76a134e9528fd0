// Peers behind a real router, in network namespaces: Debian's miniupnpd opens the port by PCP, NAT-PMP and UPnP, alone and together; whoever is outside
// comes in by it. And what is not as it should be: restarts, ports that others have, double NAT, no router, routers that lie.
// Where one of PCP and NAT-PMP, which are one switch of miniupnpd, is to be alone, nftables drops the other by its version.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect } from '@jest/globals'
import type { Host, Namespace } from './namespaces.js'
import { GATEWAY, type Home, home, INNER, OUTSIDE, PROGRAMS, PUBLIC } from './nat-router.js'
import { testInNamespaces } from './needs.js'

const testHere = await testInNamespaces(...PROGRAMS)
/** Milliseconds for a test, and for a line that somebody is about to say: half of it is needed where the machine has other work too. */
const TIME = 60_000
const PATIENCE = 30_000
const CLOUDY = resolve('dist/cli/cloudy.js')

let directory: string
const homes = new Map<boolean, Promise<Home>>()
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cloudy-nat-'))
})
afterAll(async () => {
  for (const each of homes.values()) await (await each).close()
  await rm(directory, { recursive: true })
})

/** One home for all tests; one behind a second router for those that need it. */
function at(behind = false): Promise<Home> {
  const known = homes.get(behind) ?? home({ behind })
  homes.set(behind, known)
  return known
}

interface Said {
  readonly event: string
  readonly [name: string]: unknown
}

/** A peer in a namespace. */
async function peer(where: Namespace, role: { name: string; port?: number; memory?: string }) {
  const running = where.start([process.execPath, resolve('test/nat-peer.mjs'), JSON.stringify({ directory, ...role })])
  const says = async (event: string, ...parts: string[]): Promise<Said> => {
    const pattern = new RegExp(`^\\{"event":"${event}"${parts.map((part) => `.*${part}`).join('')}.*`)
    return JSON.parse((await running.line(pattern, PATIENCE))[0]) as Said
  }
  const ready = await says('ready')
  return { running, says, fingerprint: String(ready.fingerprint), port: Number(ready.port) }
}

function readdress(router: Namespace, from: string, to: string): Promise<void> {
  return router.ip(`addr del ${from}/24 dev wan0`, `addr add ${to}/24 dev wan0`, `route replace default via ${OUTSIDE}`)
}

/** Runs the program to its end. */
async function cloudy(where: Namespace, ...args: string[]): Promise<{ code: number | NodeJS.Signals; output: string }> {
  const running = where.start([process.execPath, CLOUDY, ...args])
  const code = await running.ended
  return { code, output: running.lines.join('\n') }
}

async function status(where: Namespace) {
  const { code, output } = await cloudy(where, 'status', '--json')
  return { code, ...(JSON.parse(output) as { [name: string]: unknown }) }
}

testHere(
  'a host outside comes in by the port on the card and completes a session; the port is opened again by a router that has started anew, and closed in the end',
  async () => {
    const { hosts, router, outside, daemon, mappings } = await at()
    await daemon({ speaks: ['pcp', 'nat-pmp', 'upnp'] })
    const ada = await peer(hosts[0]!, { name: 'Ada' })
    const mapped = await ada.says('reachability')
    expect(mapped).toMatchObject({ protocol: 'PCP', externalAddress: PUBLIC, internalPort: ada.port, lifetime: 7200 })
    expect(await mappings()).toContain(`dnat ip to ${hosts[0]!.ipv4}:${ada.port}`)

    ada.running.write('card\n')
    const { card } = await ada.says('card')
    const bob = await peer(outside, { name: 'Bob' })
    bob.running.write(`meet ${card}\n`)
    expect(await bob.says('met')).toMatchObject({ fingerprint: ada.fingerprint, confirmed: true, at: mapped.externalPort })
    expect(await ada.says('friend')).toMatchObject({ fingerprint: bob.fingerprint, from: expect.stringContaining(OUTSIDE) })
    expect(await ada.says('received', 'card')).toMatchObject({ card: 'Bob' })
    expect(await ada.says('received', 'value')).toMatchObject({ value: { text: 'through the router' } })

    // The router starts anew and has forgotten everything: it says so, and is asked again.
    const again = await daemon({ speaks: ['pcp', 'nat-pmp', 'upnp'] })
    await again.line(new RegExp(`PCP MAP: added mapping TCP ${mapped.externalPort}->`), PATIENCE)
    expect(await mappings()).toContain(`dnat ip to ${hosts[0]!.ipv4}:${ada.port}`)

    // Its provider gives it another address: the next card has that.
    await readdress(router, PUBLIC, '44.128.0.9')
    expect(await ada.says('reachability', '44.128.0.9')).toMatchObject({ externalPort: mapped.externalPort })
    await readdress(router, '44.128.0.9', PUBLIC)

    expect(await ada.running.stop()).toBe(0)
    expect(await mappings()).not.toContain('dnat')
    bob.running.write(`meet ${card}\n`)
    await bob.says('failed')
    await bob.running.stop()
  },
  TIME,
)

testHere(
  'each protocol alone opens a port, told by cloudy status and closed again',
  async () => {
    const { hosts, daemon, mappings } = await at()
    const cases = [
      [['pcp'], 'PCP', /PCP: TCP port \d+ mapping removed/],
      [['nat-pmp'], 'NAT-PMP', /NAT-PMP .* removed/],
      [['upnp'], 'UPnP', /DeletePortMapping: external port/],
    ] as const
    for (const [speaks, protocol, removed] of cases) {
      const router = await daemon({ speaks })
      const said = await status(hosts[0]!)
      expect(said).toMatchObject({ code: 0, reachable: true, doubleNat: false, protocol, publicAddress: PUBLIC, lease: 7200 })
      await router.line(removed, PATIENCE)
      expect(await mappings()).not.toContain('dnat')
    }
  },
  TIME,
)

testHere(
  'cloudy status and cloudy doctor give back what they asked for when they are interrupted',
  async () => {
    const { hosts, router, noDaemon } = await at()
    await noDaemon()
    const maker = router.start([process.execPath, resolve('test/nat-pmp-router.mjs'), PUBLIC, 'silent'])
    await maker.line(/ready/, PATIENCE)
    for (const [command, signal] of [
      ['status', 'SIGINT'],
      ['doctor', 'SIGTERM'],
    ] as const) {
      const running = hosts[0]!.start([process.execPath, CLOUDY, command])
      await maker.line(/opcode 2, lifetime 7200/, PATIENCE)
      expect(await running.stop(signal)).toBe(2)
      expect(running.lines).toEqual(['cloudy: It was interrupted: what was asked of the router has been taken back'])
      await maker.line(/opcode 2, lifetime 0/, PATIENCE)
      maker.forget()
    }
    await maker.stop()
  },
  TIME,
)

testHere(
  'what UPnP has granted is removed, though nobody heard that it was granted, or our address is another',
  async () => {
    const { hosts, daemon, mappings } = await at()
    const host = hosts[0]!
    const router = await daemon({ speaks: ['upnp'] })
    // The request for the port is the longest; the answer to it does not come through.
    await host.shell(`nft -f - <<'END'
table inet lossy {
  chain out { type filter hook output priority 0; tcp dport 5000 meta length > 700 counter ct mark set 1; }
  chain in { type filter hook input priority 0; ct mark 1 counter drop; }
}
END`)
    const ada = await peer(host, { name: 'Ada' })
    await router.line(new RegExp(`AddPortMapping: .*${ada.port}`), PATIENCE)
    while (!(await mappings()).includes('dnat')); // it is about to be granted
    expect(await ada.running.stop()).toBe(0)
    await host.shell('nft delete table inet lossy')
    expect(await mappings()).not.toContain('dnat')

    // In its secure mode it lets nobody remove what leads to another address.
    await daemon({ speaks: ['upnp'], secure: false })
    const bob = await peer(host, { name: 'Bob' })
    const { externalPort } = await bob.says('reachability', PUBLIC)
    expect(await mappings()).toContain(`dnat ip to ${host.ipv4}:${bob.port}`)
    const address = '10.77.0.99'
    await host.ip(
      `addr del ${host.ipv4}/24 dev eth0`,
      `addr add ${address}/24 brd + dev eth0`,
      `route replace default via ${GATEWAY} dev eth0`,
    )
    bob.running.forget()
    // The port is free by then: it is the same.
    expect(await bob.says('reachability', PUBLIC)).toMatchObject({ externalPort })
    expect(await mappings()).toContain(`dnat ip to ${address}:${bob.port}`)
    expect(await mappings()).not.toContain(`dnat ip to ${host.ipv4}:`)
    await bob.running.stop()
    await host.ip(`addr del ${address}/24 dev eth0`)
    await host.plugIn()
  },
  TIME,
)

testHere(
  'a lease is renewed before it ends, and ends by itself when its peer was killed',
  async () => {
    const { hosts, daemon, mappings } = await at()
    const router = await daemon({ speaks: ['pcp'], lifetime: 9 })
    const ada = await peer(hosts[0]!, { name: 'Ada' })
    expect(await ada.says('reachability')).toMatchObject({ lifetime: 9 })
    await router.line(/tcp already redirected .*, replacing/, PATIENCE)
    await router.line(/cleaning expired Port Mappings/, PATIENCE)
    expect(await mappings()).toContain(`dnat ip to ${hosts[0]!.ipv4}:${ada.port}`)
    await ada.running.stop('SIGKILL')
    while ((await mappings()).includes('dnat')); // the lease of a peer that is no more
  },
  TIME,
)

testHere(
  'a port that belongs to another host is left to it, and another one is taken',
  async () => {
    const { hosts, daemon, mappings } = await at()
    const port = 40_123
    for (const speaks of ['pcp', 'upnp'] as const) {
      await daemon({ speaks: ['nat-pmp', speaks] })
      await hosts[1]!.run('natpmpc', '-g', GATEWAY, '-a', String(port), '22222', 'tcp', '3600')
      // What it remembers is what it asks for.
      const memory = join(directory, `${speaks}.json`)
      const protocol = speaks === 'pcp' ? 'PCP' : 'UPnP'
      await writeFile(memory, JSON.stringify({ protocol, externalPort: port, nonce: '000102030405060708090a0b' }))
      const ada = await peer(hosts[0]!, { name: 'Ada', memory })
      const mapped = await ada.says('reachability')
      expect(mapped).toMatchObject({ protocol, externalAddress: PUBLIC })
      expect(mapped.externalPort).not.toBe(port)
      expect(await mappings()).toMatch(new RegExp(`dport ${port} .*dnat ip to ${hosts[1]!.ipv4}:22222`))
      while (!(await readFile(memory, 'utf8')).includes(String(mapped.externalPort))); // it is being written
      await ada.running.stop()
    }
  },
  TIME,
)

testHere(
  'double NAT is told: for certain when the router says its address, as a guess when it only says that it has none',
  async () => {
    const { hosts, router, outside, daemon, noDaemon } = await at(true)
    const [host] = hosts
    // Two routers translate, one after the other: outside it looks like the outer one.
    const listener = outside.start([process.execPath, '-e', SEEN_FROM])
    await listener.line(/ready/, PATIENCE)
    await host!.run(process.execPath, '-e', `require('net').connect(5000, '${OUTSIDE}').resume()`)
    await listener.line(new RegExp(PUBLIC), PATIENCE)

    await daemon({ speaks: ['pcp', 'nat-pmp', 'upnp'] })
    expect(await status(host!)).toMatchObject({ code: 1, reachable: false, problem: 'no-address', doubleNat: false })
    await noDaemon()
    const maker = router.start([process.execPath, resolve('test/nat-pmp-router.mjs'), INNER])
    await maker.line(/ready/, PATIENCE)
    expect(await status(host!)).toMatchObject({ code: 1, reachable: false, problem: 'double-nat', doubleNat: true })
    await maker.line(/opcode 2, lifetime 0/, PATIENCE) // what is of no use is given back
    const { code, output } = await cloudy(host!, 'doctor')
    expect(code).toBe(1)
    expect(output).toMatch(/WRONG .*double NAT.*192\.168\.99\.2.*\n +Set one of the two to pass everything on/)
    await maker.stop()
  },
  TIME,
)

testHere(
  'without a router, without multicast, without a network: that is what is told',
  async () => {
    const { net, hosts } = await at(true)
    const [, host] = hosts
    await host!.ip('route del default')
    expect(await status(host!)).toMatchObject({ code: 1, reachable: false, problem: 'no-gateway' })
    // A firewall on the computer itself that lets no multicast out.
    await host!.shell(`nft -f - <<'END'
table inet filter { chain output { type filter hook output priority 0; udp dport 5353 drop; }; }
END`)
    const doctor = await cloudy(host!, 'doctor')
    expect(doctor.code).toBe(1)
    expect(doctor.output).toMatch(/WRONG .*Multicast does not work on eth0.*\n +Let the firewall.*5353/)
    expect(doctor.output).toMatch(/WRONG .*no default gateway/)
    const island = await net.add('island')
    const { code, output } = await cloudy(island, 'doctor', '--json')
    expect([code, JSON.parse(output)]).toEqual([1, { healthy: false, findings: [expect.objectContaining({ id: 'no-network' })] }])
    expect(await cloudy(island, 'status')).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^reachable +no: this computer is in no network$/m),
    })
    // Nobody was not seen: it could not be looked.
    const could = { code: 2, output: expect.stringMatching(/^cloudy: This computer is in no network: [^\n]*$/) }
    expect(await cloudy(island, 'nearby', '--json')).toEqual(could)
    expect(await cloudy(island, 'nearby', '--loopback', '--timeout', '0.1', '--json')).toEqual({
      code: 0,
      output: '{"people":[]}',
    })
  },
  TIME,
)

testHere(
  'routers that lie, and neighbours that would like to be one, get nothing but questions',
  async () => {
    const { hosts, router, noDaemon } = await at()
    await noDaemon()
    const [host, neighbour] = hosts as [Host, Host]
    const ask = async (times: number) => {
      const asking = host.start([process.execPath, resolve('test/nat-upnp.mjs'), String(times)])
      expect(await asking.ended).toBe(0)
      return asking.lines.map((line) => JSON.parse(line) as { kind: string; reason: string; detail: string })
    }
    const rogue = async (where: Namespace, ...args: string[]) => {
      const running = where.start([process.execPath, resolve('test/nat-rogue.mjs'), ...args])
      await running.line(/ready/, PATIENCE)
      return running
    }
    const imposter = await rogue(neighbour, neighbour.ipv4, GATEWAY, 'nonsense')
    expect(await ask(1)).toMatchObject([{ kind: 'failed', reason: 'silent' }])
    await imposter.line(/search/, PATIENCE) // it was heard, and its answer was not
    const kinds = ['redirects', 'controls-away', 'garbage', 'bomb', 'endless', 'nonsense', 'points-away']
    const liar = await rogue(router, GATEWAY, neighbour.ipv4, kinds.join())
    const outcomes = await ask(kinds.length)
    expect(outcomes.map(({ kind }) => kind)).toEqual(kinds.map(() => 'failed'))
    for (const kind of kinds.filter((each) => each !== 'points-away'))
      await liar.line(new RegExp(`request .* while it ${kind}`), PATIENCE)
    expect(imposter.lines.filter((line) => line.startsWith('request'))).toEqual([])
    await Promise.all([imposter.stop(), liar.stop()])
  },
  TIME,
)

/** Says from where somebody connects. */
const SEEN_FROM = `require('node:net').createServer((socket) => {
  console.log(socket.remoteAddress)
  socket.end()
}).listen(5000, () => console.log('ready'))`
