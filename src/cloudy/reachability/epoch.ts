// The clock of a router: how a client sees from it that the router has lost its mappings.

/** A value of the router's clock, with ours at that moment; both in seconds. */
export interface Epoch {
  readonly server: number
  readonly client: number
}

/** Whether the state of a PCP server is still what it was (RFC 6887 §8.5). */
export function isSamePcpEpoch(before: Epoch, now: Epoch): boolean {
  if (now.server + 1 < before.server) return false
  const client = now.client - before.client
  const server = now.server - before.server
  return client + 2 >= server - server / 16 && server + 2 >= client - client / 16
}

/**
 * Whether a NAT-PMP gateway has kept its mappings, as far as its clock tells: it has not when that is more than two seconds behind what it must be by
 * now, though it may be an eighth slower than ours (RFC 6886 §3.6). Of a clock that is ahead the RFC concludes nothing; but where it is by more than that, ours
 * stood still, as on Linux while the computer sleeps, and the lease may have ended meanwhile. To renew is lawful at any time.
 */
export function isSameNatPmpEpoch(before: Epoch, now: Epoch): boolean {
  const client = now.client - before.client
  const server = now.server - before.server
  return server + 2 >= client - client / 8 && client + 2 >= server - server / 8
}
