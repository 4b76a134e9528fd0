// A home behind a router, for tests: hosts on a LAN, a router that translates with nftables and opens ports with Debian's miniupnpd, a host in the
// world outside. With `behind`, a second router stands between the first and the world.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host, Namespace, Network, Running } from './namespaces.js'
import { network } from './namespaces.js'

/** Debian's programs that are run in the namespaces. */
export const PROGRAMS = ['ip', 'miniupnpd', 'nft', 'natpmpc'] as const

/** The router's address on the side of the home, where hosts of the kit send what is for elsewhere. */
export const GATEWAY = '10.77.0.254'
/** Its address in the world: miniupnpd opens nothing while that is a private or reserved one. 44.128.0.0/16 is for tests (AMPRNet). */
export const PUBLIC = '44.128.0.1'
/** The host in the world. */
export const OUTSIDE = '44.128.0.2'
/** The inner router's outer address when it stands behind another. */
export const INNER = '192.168.99.2'

export interface DaemonOptions {
  /** 'pcp' and 'nat-pmp' are one switch of miniupnpd: where only one of them is asked for, nftables drops what is of the other version. */
  readonly speaks: readonly ('pcp' | 'nat-pmp' | 'upnp')[]
  /** Seconds. */
  readonly lifetime?: number
  /** Whether a host may change by UPnP only what leads to itself; so it is by default. */
  readonly secure?: boolean
}

export interface Home {
  readonly net: Network
  readonly hosts: readonly Host[]
  readonly router: Namespace
  readonly outside: Namespace
  /** Starts the router's daemon, after what ran has been ended as by a power cut: its mappings are gone. */
  daemon(options: DaemonOptions): Promise<Running>
  /** Ends it. */
  noDaemon(): Promise<void>
  /** What the router has mapped now, as nftables tells it. */
  mappings(): Promise<string>
  close(): Promise<void>
}

/** The chains that miniupnpd fills, and a router that lets in only what was asked for. */
const RULES = `
flush ruleset
table inet filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "lan0" accept
    jump miniupnpd
  }
  chain miniupnpd { }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    jump prerouting_miniupnpd
  }
  chain prerouting_miniupnpd { }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    oifname "wan0" masquerade
    jump postrouting_miniupnpd
  }
  chain postrouting_miniupnpd { }
  chain deaf {
    type filter hook input priority 0; policy accept;
  }
}
`
/** The first octet of the datagram is the version: 0 of NAT-PMP, 2 of PCP. */
const DEAF = { 'nat-pmp': 'udp dport 5351 @th,64,8 0 drop', pcp: 'udp dport 5351 @th,64,8 2 drop' } as const

export async function home({ hosts: count = 2, behind = false } = {}): Promise<Home> {
  const net = await network()
  const folder = await mkdtemp(join(tmpdir(), 'cloudy-nat-'))
  const hosts = await net.lan(count)
  const router = await net.add('router')
  const outside = await net.add('outside')
  await net.join(router, 'lan0', hosts[0]!)
  await router.ip('addr flush dev lan0', `addr add ${GATEWAY}/24 brd + dev lan0`)
  if (behind) {
    const outer = await net.add('outer')
    await net.link(router, 'wan0', outer, 'lan0')
    await net.link(outer, 'wan0', outside, 'eth0')
    await router.ip(`addr add ${INNER}/24 dev wan0`, 'route replace default via 192.168.99.1')
    await outer.ip('addr add 192.168.99.1/24 dev lan0', `addr add ${PUBLIC}/24 dev wan0`)
    await translate(outer)
  } else {
    await net.link(router, 'wan0', outside, 'eth0')
    await router.ip(`addr add ${PUBLIC}/24 dev wan0`, `route replace default via ${OUTSIDE}`)
  }
  await outside.ip(`addr add ${OUTSIDE}/24 dev eth0`)
  await translate(router)

  let running: Running | undefined
  const noDaemon = async () => {
    await running?.stop('SIGKILL')
    running = undefined
    await translate(router)
  }
  return {
    net,
    hosts,
    router,
    outside,
    noDaemon,
    async daemon({ speaks, lifetime = 7200, secure = true }) {
      await noDaemon()
      const udp = speaks.includes('pcp') || speaks.includes('nat-pmp')
      for (const each of ['pcp', 'nat-pmp'] as const)
        if (udp && !speaks.includes(each)) await router.shell(`nft add rule inet filter deaf '${DEAF[each]}'`)
      const file = join(folder, 'miniupnpd.conf')
      await writeFile(file, configuration({ upnp: speaks.includes('upnp'), udp, lifetime, secure }))
      // -d keeps it in the foreground; what it does it says on standard error.
      running = router.start(['miniupnpd', '-d', '-f', file, '-P', join(folder, 'miniupnpd.pid')])
      await running.line(udp ? /Listening for NAT-PMP/ : /HTTP listening/)
      return running
    },
    mappings: () => router.run('nft', 'list', 'chain', 'inet', 'filter', 'prerouting_miniupnpd'),
    async close() {
      // It does not always hear the first request to end.
      await noDaemon()
      await net.close()
      await rm(folder, { recursive: true })
    },
  }
}

async function translate(router: Namespace): Promise<void> {
  await router.shell(`echo 1 > /proc/sys/net/ipv4/ip_forward; nft -f - <<'END'\n${RULES}\nEND`)
}

function configuration({
  upnp,
  udp,
  lifetime,
  secure,
}: {
  upnp: boolean
  udp: boolean
  lifetime: number
  secure: boolean
}): string {
  const word = (on: boolean) => (on ? 'yes' : 'no')
  return `ext_ifname=wan0
listening_ip=lan0
port=5000
enable_upnp=${word(upnp)}
enable_natpmp=${word(udp)}
min_lifetime=${Math.min(Math.ceil(lifetime / 2), 120)}
max_lifetime=${lifetime}
secure_mode=${word(secure)}
system_uptime=no
notify_interval=60
uuid=6d1e5b9e-3f1a-4c1c-9a86-77a77a77a77a
allow 1024-65535 10.77.0.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
`
}
