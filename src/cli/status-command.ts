// `cloudy status`: how the world can reach this computer. A port is asked of the router, told and given back.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import { deferred } from '../beep/promises.js'
import type { Reachability } from '../cloudy/index.js'
import { printJson, printLines } from './report.js'

/** Milliseconds after which it is told as it is; the three protocols together need half of that. */
const PATIENCE = 20_000

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('how the world can reach this computer: a port is asked of the router, told, and given back')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      '\nThe router is asked by PCP, NAT-PMP and UPnP, for a port that is free: a peer that runs is not disturbed.\n' +
        'Exit codes: 0 the world can reach us, 1 it cannot, 2 it could not be found out.\n\nExample:\n  $ cloudy status --json',
    )
    .action(async ({ json = false }: { json?: boolean }) => {
      const reachability = await askRouter()
      if (json) printJson(describe(reachability))
      else printLines(linesOf(reachability))
      process.exitCode = isReachable(reachability) ? 0 : 1
    })
}

/**
 * Asks for a port that nobody on this computer uses, and gives it back.
 * @throws Error when a signal asks for the end: the port has been given back all the same; another signal ends us at once
 */
export async function askRouter(): Promise<Reachability> {
  const { PortMapper } = await import('../cloudy/index.js')
  const server = createServer((socket) => socket.destroy())
  server.listen()
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const mapper = new PortMapper({ internalPort: port })
  const over = deferred<Reachability>()
  const timer = setTimeout(() => over.resolve(mapper.reachability), PATIENCE)
  const interrupt = () => over.reject(new Error('It was interrupted: what was asked of the router has been taken back'))
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  try {
    return await Promise.race([over.promise, mapper.start().then(() => mapper.settled())])
  } finally {
    clearTimeout(timer)
    await mapper.stop()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    server.close()
  }
}

function isReachable({ mapping, direct }: Reachability): boolean {
  return mapping !== undefined || direct
}

const DOUBLE = new Set(['double-nat', 'provider-nat'])

function describe(reachability: Reachability) {
  const { gateway, mapping, problem, direct, attempts } = reachability
  return {
    reachable: isReachable(reachability),
    problem,
    doubleNat: problem !== undefined && DOUBLE.has(problem),
    direct,
    protocol: mapping?.protocol,
    publicAddress: mapping?.externalAddress,
    publicPort: mapping?.externalPort,
    /** Seconds; 0 without end. */
    lease: mapping?.lifetime,
    gateway: gateway?.address,
    localAddress: gateway?.localAddress,
    addresses: ownAddresses(),
    asked: attempts.map(({ protocol, grant, failure }) => ({
      protocol,
      given: grant && { address: grant.externalAddress, port: grant.externalPort },
      reason: failure?.reason,
      detail: failure?.detail,
    })),
  }
}

function linesOf(reachability: Reachability): { readonly [name: string]: string | undefined } {
  const { gateway, mapping, direct, problem, attempts } = reachability
  const addresses = ownAddresses().join(', ')
  const asked = Object.fromEntries(
    attempts.map(({ protocol, grant, failure }) => [
      protocol,
      failure?.detail ?? (grant && `granted ${grant.externalAddress} port ${grant.externalPort}`),
    ]),
  )
  return {
    reachable: mapping
      ? `yes, by ${mapping.protocol}`
      : direct
        ? 'yes, if no firewall keeps the world out: our address is public'
        : `no: ${addresses === '' ? 'this computer is in no network' : REASONS[problem ?? 'silent']}`,
    'public address': mapping && `${mapping.externalAddress} port ${mapping.externalPort}`,
    lease: mapping && (mapping.lifetime === 0 ? 'without end' : `${mapping.lifetime} s, renewed at half of it`),
    'double NAT':
      mapping || direct
        ? 'no'
        : problem !== undefined && DOUBLE.has(problem)
          ? 'yes'
          : problem === 'no-address'
            ? 'perhaps'
            : undefined,
    router: gateway?.address ?? 'none',
    'our addresses': addresses || 'none',
    ...asked,
    advice: mapping || direct ? undefined : 'cloudy doctor says what to do',
  }
}

const REASONS = {
  'no-gateway': 'this network has no router',
  'double-nat': 'the router stands behind another router',
  'provider-nat': 'the provider shares one public address among customers',
  'no-address': 'the router has no public address: it is not connected, or stands behind another router',
  silent: 'the router answers no protocol that opens ports',
  refused: 'the router refuses',
  conflict: 'every port that was tried belongs to somebody else',
  translated: 'between us and the router somebody changes addresses',
  broken: 'the answers of the router make no sense',
} as const satisfies { readonly [problem in NonNullable<Reachability['problem']>]: string }

function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return all.filter(({ internal }) => !internal).map(({ address }) => address)
}
