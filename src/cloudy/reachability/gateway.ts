// The default gateway of this computer, and our address towards it. The only file that imports default-gateway.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { isIPv4 } from 'node:net'

/** UDP port of PCP and NAT-PMP on a gateway (RFC 6887 §19.1, RFC 6886 §3). */
export const GATEWAY_PORT = 5351

export interface Gateway {
  /** IPv4: with IPv6 there is no translation to get through. */
  readonly address: string
  /** Our address as the gateway sees it, unless somebody stands between. */
  readonly localAddress: string
}

/** What the system says when it lacks something for the moment: then it is not known where the packets go. */
const LACKING: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']

/**
 * Where IPv4 packets to the world go, or undefined when they go nowhere: no network, no default route, or one without a gateway.
 * @param ask for tests
 * @throws Error when the system cannot tell at the moment, as when descriptors have run out
 */
export async function findGateway(ask = process.platform === 'linux' ? readTable : askSystem): Promise<Gateway | undefined> {
  try {
    const gateway = await ask()
    if (gateway === undefined || !isIPv4(gateway)) return undefined
    return { address: gateway, localAddress: await localAddressTowards(gateway) }
  } catch (error) {
    if (LACKING.includes((error as NodeJS.ErrnoException).code)) throw error
    // The package throws the same error for "there is none" and for a system that it cannot ask.
    return undefined
  }
}

async function readTable(): Promise<string | undefined> {
  return gatewayIn(await readFile('/proc/net/route', 'utf8'))
}

/** As the system's own program says. Loaded for the systems that need it: it costs a tenth of what a program of ours needs to start. */
async function askSystem(): Promise<string | undefined> {
  // The asynchronous form is not used: while its program runs, a signal ends our process without a goodbye (execa, by signal-exit).
  const { gateway4sync } = await import('default-gateway')
  return gateway4sync().gateway
}

/** Flags of a route that is up and has a gateway. */
const UP_WITH_GATEWAY = 0x3

/** The gateway of the default route with the smallest metric in Linux's table, or undefined. Addresses stand there in hexadecimal, the last octet first. */
export function gatewayIn(table: string): string | undefined {
  const routes = table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , flags, , , , mask]) => {
      const isDefault = destination === '00000000' && mask === '00000000'
      return isDefault && (Number.parseInt(flags ?? '', 16) & UP_WITH_GATEWAY) === UP_WITH_GATEWAY
    })
    .sort((a, b) => Number(a[6]) - Number(b[6]))
  const gateway = routes[0]?.[2]
  return gateway !== undefined && /^[0-9A-F]{8}$/i.test(gateway)
    ? [...Buffer.from(gateway, 'hex').reverse()].join('.')
    : undefined
}

/** The address that datagrams to `address` leave with. Nothing is sent. */
async function localAddressTowards(address: string): Promise<string> {
  const socket = createSocket('udp4')
  try {
    socket.connect(GATEWAY_PORT, address)
    await once(socket, 'connect')
    return socket.address().address
  } finally {
    socket.close()
  }
}
