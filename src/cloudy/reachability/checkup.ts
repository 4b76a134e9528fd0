// A network looked at as a doctor does: facts in, findings in words out, each with what to do about it.
import { type Interfaces, isPublic } from './address.js'
import type { Problem } from './diagnosis.js'
import type { MulticastReport } from './multicast.js'
import type { Reachability } from './port-mapper.js'

/** What was found out. */
export interface Facts {
  readonly interfaces: Interfaces
  readonly reachability: Reachability
  readonly multicast: MulticastReport
}

/** `wrong` keeps somebody from reaching us or us from seeing them; `note` is good to know. */
export interface Finding {
  readonly kind: 'good' | 'note' | 'wrong'
  /** A short name that stays the same, for programs. */
  readonly id: string
  /** What is so, in one or two sentences. */
  readonly what: string
  /** What to do; there when something is wrong. */
  readonly todo?: string
}

/** The findings, the basic ones first: where there is no network, nothing else is of interest. */
export function examine({ interfaces, reachability, multicast }: Facts): Finding[] {
  const addresses = Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address)
  if (addresses.length === 0)
    return [
      wrong(
        'no-network',
        'This computer is in no network: no interface has an address.',
        'Connect a cable, or join a wireless network.',
      ),
    ]
  return [...examineLink(multicast), ...examineWayIn(reachability), examineIPv6(addresses)]
}

/** Whether anything is wrong. */
export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ kind }) => kind !== 'wrong')
}

function examineLink(report: MulticastReport): Finding[] {
  const entries = Object.entries(report)
  const blocked = entries.filter(([, outcome]) => outcome !== 'heard')
  if (entries.length === 0)
    return [note('no-ipv4', 'No interface has an IPv4 address: people on the link are sought by IPv6 alone.')]
  if (blocked.length === 0)
    return [good('multicast', `Multicast works on ${entries.map(([name]) => name).join(', ')}: people on the link can be seen.`)]
  return blocked.map(([name, outcome]) => {
    const reason = typeof outcome === 'string' ? 'what was sent did not come back' : outcome.failed
    return wrong(
      'multicast-blocked',
      `Multicast does not work on ${name} (${reason}): people on the link are not seen, and do not see us.`,
      'Let the firewall of this computer pass UDP port 5353, in and out, to and from 224.0.0.251. In a guest network people are often kept from each other: use another.',
    )
  })
}

function examineWayIn({ direct, gateway, mapping, problem, attempts }: Reachability): Finding[] {
  if (mapping !== undefined)
    return [
      good(
        'reachable',
        `The router at ${mapping.gateway} lets the world in by ${mapping.protocol}: public address ${mapping.externalAddress}.`,
      ),
    ]
  if (direct)
    return [
      note(
        'direct',
        `This computer has a public address itself (${gateway?.localAddress}): nobody translates. Whether a firewall lets the world in cannot be seen from here.`,
      ),
    ]
  if (problem === undefined) return []
  const given = attempts.find(({ grant }) => grant !== undefined)?.grant?.externalAddress
  const said = attempts
    .filter(({ failure }) => failure !== undefined)
    .map(({ protocol, failure }) => `${protocol}: ${failure?.detail}`)
    .join('; ')
  const { what, todo } = ADVICE[problem]
  const router = gateway === undefined ? 'no router' : `the router at ${gateway.address}`
  const details = given === undefined ? said : `it calls ${given} its public address`
  return [wrong(problem, `${what.replaceAll('{router}', router)}${details === '' ? '' : ` (${details})`}.`, todo)]
}

const BY_HAND =
  'Or lead a TCP port to this computer by hand in the settings of the router, and give friends the public address and that port.'

const ADVICE: { readonly [problem in Problem]: { readonly what: string; readonly todo: string } } = {
  'no-gateway': {
    what: 'There is no way out of this network: no router is known (no default gateway)',
    todo: 'People on the link are seen all the same. For others, connect to a network with a router, or set its address as the default gateway.',
  },
  silent: {
    what: 'The world cannot reach this computer: {router} answers no protocol that opens a port',
    todo: `Turn on UPnP, NAT-PMP or PCP in the settings of the router. ${BY_HAND}`,
  },
  refused: {
    what: 'The world cannot reach this computer: {router} refuses to open a port',
    todo: `Allow this computer to open ports in the settings of the router. ${BY_HAND}`,
  },
  conflict: {
    what: 'The world cannot reach this computer: at {router} every port that was tried belongs to somebody else',
    todo: `Remove old entries from the list of forwarded ports in the settings of the router. ${BY_HAND}`,
  },
  'double-nat': {
    what: 'The world cannot reach this computer: {router} stands behind another router, so two translate addresses (double NAT)',
    todo: 'Set one of the two to pass everything on (bridge mode, access point), or connect this computer to the outer one. Or lead a port by hand on both.',
  },
  'provider-nat': {
    what: 'The world cannot reach this computer: the provider shares one public address among many customers',
    todo: 'No setting of the router changes that. Ask the provider for a public IPv4 address of your own, or use IPv6.',
  },
  'no-address': {
    what: 'The world cannot reach this computer: {router} has no public address. It is not connected, or stands behind another router (double NAT)',
    todo: 'See whether web pages open. If they do, another router stands before it: set one of the two to pass everything on (bridge mode). If not, connect the router.',
  },
  translated: {
    what: 'The world cannot reach this computer: between it and {router} somebody changes addresses',
    todo: 'A virtual machine, a container or a tunnel (VPN) stands between: let it share the network of the computer (bridge), or ask on that computer.',
  },
  broken: {
    what: 'The world cannot reach this computer: {router} gives answers that make no sense',
    todo: `Restart the router, and look for new software for it. ${BY_HAND}`,
  },
}

function examineIPv6(addresses: readonly string[]): Finding {
  const six = addresses.filter((address) => address.includes(':') && isPublic(address))
  return six.length === 0
    ? note('no-ipv6', 'There is no public IPv6 address: people are reached by IPv4.')
    : note(
        'ipv6',
        `There is a public IPv6 address (${six[0]}); whether the router lets the world in by it cannot be seen from here.`,
      )
}

function good(id: string, what: string): Finding {
  return { kind: 'good', id, what }
}
function note(id: string, what: string): Finding {
  return { kind: 'note', id, what }
}
function wrong(id: string, what: string, todo: string): Finding {
  return { kind: 'wrong', id, what, todo }
}
