// A place where a peer may be: from whom it is known, what of it is kept, and when two are the same.
import { isIP } from 'node:net'

/**
 * From whom an address is known: `typed` by our user; `link` the announcement on the link; `card` the card, of the network its owner is in; `public`
 * the card, of a router that lets the world in.
 */
export const SOURCES = ['typed', 'link', 'card', 'public'] as const
export type AddressSource = (typeof SOURCES)[number]

/** A place where a peer may be. */
export interface KnownAddress {
  /** An IP address, with a zone id where it needs one; a host name only when our user typed it. */
  readonly host: string
  readonly port: number
  readonly source: AddressSource
  /** Milliseconds since 1970. */
  readonly learnt: number
  /** When the peer proved its key there last. */
  readonly worked?: number | undefined
}

/** People and addresses of one that are kept at a time: keys are free, and a card is its owner's to write. */
export const MAX_PEOPLE = 1024
export const MAX_ADDRESSES = 16
/** Octets of a host name. */
const MAX_HOST = 253

/** What is kept when there is no room for all. */
export function byWorth(a: KnownAddress, b: KnownAddress): number {
  return Number(isKept(b)) - Number(isKept(a)) || (b.worked ?? b.learnt) - (a.worked ?? a.learnt)
}

/** What is worth to be written down: cards bring the rest again. */
export function isKept({ source, worked }: KnownAddress): boolean {
  return source === 'typed' || worked !== undefined
}

export function keyOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.toLowerCase()} ${port}`
}

export function keyed(address: KnownAddress): readonly [string, KnownAddress] {
  return [keyOf(address), address]
}

export function isSamePlace(
  a: { readonly host: string; readonly port: number },
  b: { readonly host: string; readonly port: number },
): boolean {
  return keyOf(a) === keyOf(b)
}

export function isHost(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > MAX_HOST) return false
  return isIP(value.split('%')[0]!) !== 0 || /^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?$/i.test(value)
}
