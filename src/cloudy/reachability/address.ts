// What a port is, what kind of address an IP address is, which are on one of our links, and which are our own. Whom we dial and what we advertise depends on it.
import { BlockList, isIP } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

/** Whether a value is a TCP port that one can dial: 1 to 65535. */
export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535
}

/** `shared` is the space between a provider and its customers (RFC 6598); `reserved` is whatever no host of the Internet may have. */
export type AddressKind =
  | 'public'
  | 'private'
  | 'shared'
  | 'link-local'
  | 'loopback'
  | 'multicast'
  | 'unspecified'
  | 'reserved'
  | 'none'

/** The special blocks (RFC 6890 and IANA's registries); the first that holds an address decides. */
const BLOCKS: readonly (readonly [kind: AddressKind, ...blocks: string[]])[] = [
  ['unspecified', '0.0.0.0/8', '::/128'],
  ['loopback', '127.0.0.0/8', '::1/128'],
  ['private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  ['shared', '100.64.0.0/10'],
  ['link-local', '169.254.0.0/16', 'fe80::/10'],
  ['multicast', '224.0.0.0/4', 'ff00::/8'],
  [
    'reserved',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.88.99.0/24',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '240.0.0.0/4',
  ],
  ['reserved', '2001:db8::/32', '3fff::/20', '64:ff9b:1::/48', '100::/64', '2001:2::/48', '2001:10::/28'],
  ['public', '0.0.0.0/0', '2000::/3', '64:ff9b::/96'],
]
const LISTS = BLOCKS.map(([kind, ...blocks]) => [kind, listOf(blocks)] as const)
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** The kind of an address without a zone id; `none` when the text is no address. */
export function kindOf(address: string): AddressKind {
  const mapped = MAPPED.exec(address)?.[1]
  if (mapped !== undefined) return kindOf(mapped)
  const family = isIP(address)
  // The family is given, so an IPv4 address in an IPv6 address would be judged as what it is not.
  if (family === 0 || address.includes('%')) return 'none'
  const kind = LISTS.find(([, list]) => list.check(address, family === 4 ? 'ipv4' : 'ipv6'))?.[0] ?? 'reserved'
  const inner = kind === 'public' && family === 6 ? embedded(address) : undefined
  return inner === undefined ? kind : kindOf(inner)
}

/** The IPv4 address to which a translator (64:ff9b::/96, RFC 6052) or a relay of 6to4 (2002::/16, RFC 3056) leads: it is as far as that one is. */
function embedded(address: string): string | undefined {
  // In the one form of RFC 5952, without an IPv4 address at the end.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const before = head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0')
  const groups = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16))
  const dotted = (at: number) => [groups[at]!, groups[at + 1]!].flatMap((each) => [each >> 8, each & 0xff]).join('.')
  if (groups[0] === 0x2002) return dotted(1)
  return groups[0] === 0x64 && groups[1] === 0xff9b ? dotted(6) : undefined
}

export function isPublic(address: string): boolean {
  return kindOf(address) === 'public'
}

/** What `os.networkInterfaces()` gives. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>

let lastKnown: Interfaces = {}

/** The interfaces of this machine. While the system cannot tell them, as when descriptors have run out, they are what they were. */
function interfacesNow(): Interfaces {
  try {
    lastKnown = networkInterfaces()
  } catch {
    // Whoever watches interfaces reports it.
  }
  return lastKnown
}

/** Whether an address is one of a network that an interface of ours is on, other than the loopback. Link-local IPv6 addresses are, without asking where. */
export function isOnLink(address: string, interfaces: Interfaces = interfacesNow()): boolean {
  const family = isIP(address)
  if (family === 0 || address.includes('%')) return false
  if (kindOf(address) === 'link-local' && family === 6) return true
  const list = new BlockList()
  for (const { cidr } of outward(interfaces)) if (cidr !== null) add(list, cidr)
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** Whether an address, with a zone id or without, is that of an interface of ours other than the loopback: what is sent there never leaves this machine. */
export function isOwn(address: string, interfaces: Interfaces = interfacesNow()): boolean {
  return ownAmong(interfaces)(address)
}

/** `isOwn` for many addresses: to ask the system for its interfaces takes longer than to look all of them up. */
export function ownAmong(interfaces: Interfaces = interfacesNow()): (address: string) => boolean {
  const list = new BlockList()
  for (const own of outward(interfaces)) list.addAddress(own.address, own.family === 'IPv4' ? 'ipv4' : 'ipv6')
  return (address) => {
    const [plain = ''] = address.split('%')
    const family = isIP(plain)
    return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6')
  }
}

function outward(interfaces: Interfaces): readonly NetworkInterfaceInfo[] {
  return Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter(({ internal }) => !internal)
}

function listOf(blocks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const block of blocks) add(list, block)
  return list
}

function add(list: BlockList, block: string): void {
  const [net = '', prefix] = block.split('/')
  list.addSubnet(net, Number(prefix), net.includes(':') ? 'ipv6' : 'ipv4')
}
