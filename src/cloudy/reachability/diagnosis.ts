// What is wrong with the way in, as a value: from how each protocol was answered to one problem that can be told and acted upon.
import { type AddressKind, isPort, kindOf } from './address.js'
import type { Gateway } from './gateway.js'
import type { Failure, Grant, ProtocolName } from './protocol.js'

/** How one protocol was answered. `grant` that is not advertised has an address or a port that the world cannot use. */
export interface Attempt {
  readonly protocol: ProtocolName
  readonly grant?: Grant
  readonly failure?: Failure
}

/**
 * Why the world cannot reach us:
 * `no-gateway` no network, or one without a router · `double-nat` the router’s own address is a private one: another router stands before it · `provider-nat` its address is of the
 * space that providers share among customers · `no-address` the router says it has no public address: it is offline, or behind another router · `silent`
 * it answers to no protocol · `refused` it answers and grants nothing · `conflict` every port that was tried belongs to somebody else · `translated` between us and the router somebody changes addresses ·
 * `broken` answers that make no sense
 */
export type Problem =
  | 'no-gateway'
  | 'double-nat'
  | 'provider-nat'
  | 'no-address'
  | 'silent'
  | 'refused'
  | 'conflict'
  | 'translated'
  | 'broken'

/** Why a grant must not be advertised, or undefined when it may be. */
export function unfit({ externalAddress, externalPort }: Grant): Problem | undefined {
  return addressProblem(kindOf(externalAddress)) ?? (isPort(externalPort) ? undefined : 'broken')
}

/** The problem that explains best why nothing was granted: what was said counts more than silence, and a private address more than anything. */
export function diagnose(gateway: Gateway | undefined, attempts: readonly Attempt[]): Problem | undefined {
  if (gateway === undefined) return 'no-gateway'
  if (attempts.some(({ grant }) => grant !== undefined && unfit(grant) === undefined)) return undefined
  const problems = attempts.map(problemOf)
  return ORDER.find((problem) => problems.includes(problem)) ?? 'silent'
}

const ORDER: readonly Problem[] = [
  'double-nat',
  'provider-nat',
  'translated',
  'no-address',
  'conflict',
  'refused',
  'broken',
  'silent',
]

function problemOf({ grant, failure }: Attempt): Problem {
  if (grant !== undefined) return unfit(grant) ?? 'broken'
  switch (failure?.reason) {
    case 'refused':
    case 'conflict':
    case 'no-address':
    case 'translated':
    case 'broken':
      return failure.reason
    // It answers, but not to what we can ask.
    default:
      return 'silent'
  }
}

function addressProblem(kind: AddressKind): Problem | undefined {
  switch (kind) {
    case 'public':
      return undefined
    case 'private':
    case 'link-local':
      return 'double-nat'
    case 'shared':
      return 'provider-nat'
    case 'unspecified':
    case 'reserved':
      return 'no-address'
    default:
      return 'broken'
  }
}
