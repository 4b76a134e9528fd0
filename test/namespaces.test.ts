// The kit for networks of namespaces: hosts reach each other over IPv4, IPv6 and multicast, and nothing is left behind.
import { execFileSync } from 'node:child_process'
import { afterAll, expect } from '@jest/globals'
import { type Network, network } from './namespaces.js'
import { testInNamespaces } from './needs.js'

const testHere = await testInNamespaces()
const networks: Network[] = []
const namespaces = () => execFileSync('ip', ['netns', 'list']).toString()

afterAll(async () => {
  for (const each of networks) await each.close()
})

/** Answers a datagram on any address; says when it is ready. */
const ECHO = `const s = require('node:dgram').createSocket('udp6')
s.on('message', (m, from) => s.send(m, from.port, from.address))
s.bind(4000, () => console.log('ready'))`
/** Sends a datagram and says what comes back. */
const ASK = `const s = require('node:dgram').createSocket(process.argv[1].includes(':') ? 'udp6' : 'udp4')
s.on('message', (m) => { console.log(String(m)); s.close() })
s.send('hello', 4000, process.argv[1])`

testHere(
  'hosts of a LAN hear each other, a router between two networks forwards, and all is gone afterwards',
  async () => {
    const before = execFileSync('ip', ['-o', 'link']).toString()
    const net = await network()
    networks.push(net)
    const [first, second] = await net.lan(2)
    const echo = second!.start([process.execPath, '-e', ECHO])
    await echo.line(/ready/)
    for (const address of [second!.ipv4, second!.ipv6])
      expect(await first!.run(process.execPath, '-e', ASK, address)).toBe('hello\n')

    const router = await net.add('router')
    const outside = await net.add('outside')
    await net.join(router, 'lan0', first!)
    await net.link(router, 'wan0', outside, 'eth0')
    await router.ip('addr add 203.0.113.1/24 dev wan0')
    await router.shell('echo 1 > /proc/sys/net/ipv4/ip_forward')
    await outside.ip('addr add 203.0.113.2/24 dev eth0', 'route add default via 203.0.113.1')
    await first!.ip('route replace default via 10.77.0.3 dev eth0')
    const far = outside.start([process.execPath, '-e', ECHO])
    await far.line(/ready/)
    expect(await first!.run(process.execPath, '-e', ASK, '203.0.113.2')).toBe('hello\n')

    await second!.down('eth0')
    await second!.plugIn()
    expect(await first!.run(process.execPath, '-e', ASK, second!.ipv6)).toBe('hello\n')
    expect(await far.stop('SIGINT')).toBe('SIGINT')
    await expect(far.line(/something else/)).rejects.toThrow(/ended \(SIGINT\) before it said .*\nready$/s)
    await expect(first!.run('sh', '-c', 'echo no >&2; exit 3')).rejects.toThrow(/exit 3: no$/)

    expect(namespaces()).toContain(first!.name)
    await net.close()
    await net.close()
    expect(await echo.ended).toBe('SIGTERM')
    expect(namespaces()).not.toContain(first!.name)
    expect(execFileSync('ip', ['-o', 'link']).toString()).toBe(before)
  },
  20_000,
)
