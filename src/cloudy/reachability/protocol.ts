// What the three protocols have in common for whoever uses them: a wish, what the router grants, why it does not.
import type { Gateway } from './gateway.js'

export const PROTOCOLS = ['PCP', 'NAT-PMP', 'UPnP'] as const
export type ProtocolName = (typeof PROTOCOLS)[number]

/** Seconds asked for: two hours (RFC 6886 §3.3). */
export const LIFETIME = 7200

/** A mapping of a TCP port of ours that is asked for. */
export interface Wish {
  /** 1..65535. */
  readonly internalPort: number
  /** The one we had last, or would like; a router may give another. 0 when any will do. */
  readonly externalPort: number
  /** Seconds. */
  readonly lifetime: number
}

/** What a router says it has mapped. Whether the address is public is judged by the mapper. */
export interface Grant {
  readonly externalAddress: string
  readonly externalPort: number
  /** Seconds; 0 for ever, which only UPnP gives. */
  readonly lifetime: number
}

/**
 * Why there is no mapping:
 * `silent` nothing answers · `closed` the gateway says that nobody listens there · `unreachable` the datagram did not leave · `unsupported` it answers, but does not know the
 * protocol or the request · `refused` it knows it and does not want to · `conflict` all ports that were tried belong to others · `no-address` it has no public address
 * itself · `translated` between us and it somebody changes addresses · `broken` the answer or the helper process is not in order
 */
export type FailureReason =
  | 'silent'
  | 'closed'
  | 'unreachable'
  | 'unsupported'
  | 'refused'
  | 'conflict'
  | 'no-address'
  | 'translated'
  | 'broken'

export interface Failure {
  readonly kind: 'failed'
  readonly reason: FailureReason
  /** In words, for a person; what came from the network is sanitised. */
  readonly detail: string
}

export type Outcome = ({ readonly kind: 'granted' } & Grant) | Failure

/**
 * How a mapping is: `lost` when the router has started anew or has another address. A look may be a renewal at the same time: then there is what the
 * router grants now, which may be another port.
 */
export type Check = Outcome | { readonly kind: 'kept' } | { readonly kind: 'lost'; readonly detail: string }

/** One protocol with one gateway. It throws only when the signal aborts. */
export interface MappingProtocol {
  readonly name: ProtocolName
  /** Milliseconds between looks at how the mapping is. */
  readonly checkInterval: number
  /** Asks for a mapping, or for the renewal of the one that it gave. */
  map(wish: Wish, signal: AbortSignal): Promise<Outcome>
  check(wish: Wish, grant: Grant, signal: AbortSignal): Promise<Check>
  /** After `map` has failed: the router may grant unheard what was asked for, for longer than a lease. */
  readonly isInDoubt?: boolean
  /** Removes a mapping, also one that was asked for and may have been granted unheard; nothing can be done when the router does not. */
  unmap(wish: Wish, grant: Grant | undefined, signal: AbortSignal): Promise<void>
  /** What the gateway told everybody, unasked. @returns whether it has lost its mappings, or its address is another; undefined when it says nothing of that kind */
  heard?(datagram: Uint8Array, grant: Grant): boolean | undefined
}

/** Makes the protocols for a gateway. */
export type ProtocolMaker = (gateway: Gateway, memory: { readonly nonce: Uint8Array }) => readonly MappingProtocol[]

export function failed(reason: FailureReason, detail: string): Failure {
  return { kind: 'failed', reason, detail }
}

/** A grant of PCP or NAT-PMP: there, no time is what the answer to a removal says, and not for ever. */
export function leased(grant: Grant): Outcome {
  return grant.lifetime === 0 ? failed('refused', 'the router grants it for no time') : { kind: 'granted', ...grant }
}
