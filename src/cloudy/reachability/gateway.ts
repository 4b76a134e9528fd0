// The default gateway of this computer, and our address towards it. The only file that imports default-gateway.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'
import { gateway4async } from 'default-gateway'

/** UDP port of PCP and NAT-PMP on a gateway (RFC 6887 §19.1, RFC 6886 §3). */
export const GATEWAY_PORT = 5351

export interface Gateway {
  /** IPv4: with IPv6 there is no translation to get through. */
  readonly address: string
  /** Our address as the gateway sees it, unless somebody stands between. */
  readonly localAddress: string
}

/** Where IPv4 packets to the world go, or undefined when they go nowhere: no network, no default route, or one without a gateway. */
export async function findGateway(): Promise<Gateway | undefined> {
  try {
    const { gateway } = await gateway4async()
    if (!isIPv4(gateway)) return undefined
    return { address: gateway, localAddress: await localAddressTowards(gateway) }
  } catch {
    // The package throws the same error for "there is none" and for a system that it cannot ask.
    return undefined
  }
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
