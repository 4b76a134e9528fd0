// The network interfaces of this machine as discovery sees them: those through which there is a link, their addresses, and who is on it.
import { BlockList, isIPv6 } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

/** Interfaces that are used; a machine with more of them has bridges and tunnels for something else. */
export const MAX_INTERFACES = 16
/** Addresses in one announcement, so that it stays near the size of one packet. */
const MAX_ADDRESSES = 8

/** An interface that is up. */
export interface Interface {
  /** As the system calls it, and as the zone id of IPv6 addresses says it: `eth0`. */
  readonly name: string
  /** The IPv4 address that speaks for it; undefined when it has none. */
  readonly ipv4: string | undefined
  readonly hasIPv6: boolean
  /** What is announced: IPv4 first, then IPv6, then what is valid on this link alone. */
  readonly addresses: readonly string[]
  /** Whether somebody with this address is on the link (RFC 6762 §11): in one of our networks, or link-local. */
  isOnLink(address: string): boolean
}

export const LOOPBACK = '127.0.0.1'

/** The loopback interface, on which nothing leaves the machine. */
export const loopback: Interface = {
  name: 'loopback',
  ipv4: LOOPBACK,
  hasIPv6: false,
  addresses: [LOOPBACK],
  isOnLink: (address) => address.startsWith('127.'),
}

/** The interfaces that are up and lead somewhere. */
export function interfacesNow(): Interface[] {
  return Object.entries(networkInterfaces())
    .map(([name, all]) => interfaceOf(name, all ?? []))
    .filter((each) => each !== undefined)
    .slice(0, MAX_INTERFACES)
}

/** Whether two looks at an interface saw the same. */
export function sameInterface(a: Interface, b: Interface): boolean {
  return a.ipv4 === b.ipv4 && a.hasIPv6 === b.hasIPv6 && a.addresses.join() === b.addresses.join()
}

/** Whether an address is valid on one link only, so that the interface has to be said with it. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address)
}

function interfaceOf(name: string, all: readonly NetworkInterfaceInfo[]): Interface | undefined {
  const own = all.filter(({ internal }) => !internal)
  if (own.length === 0) return undefined
  const networks = new BlockList()
  networks.addSubnet('169.254.0.0', 16)
  for (const { address, cidr, family } of own)
    if (cidr !== null) networks.addSubnet(address, Number(cidr.split('/')[1]), family === 'IPv4' ? 'ipv4' : 'ipv6')
  const rank = (address: string) => (isLinkLocal(address) ? 2 : isIPv6(address) ? 1 : 0)
  const addresses = own.map(({ address }) => address).sort((a, b) => rank(a) - rank(b))
  return {
    name,
    ipv4: own.find(({ family }) => family === 'IPv4')?.address,
    hasIPv6: own.some(({ family }) => family === 'IPv6'),
    addresses: addresses.slice(0, MAX_ADDRESSES),
    isOnLink(address) {
      const [plain = '', zone] = address.split('%')
      if (isLinkLocal(plain)) return zone === name
      return networks.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
    },
  }
}
