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

/** Whether a NAT-PMP gateway has kept its mappings (RFC 6886 §3.6): its clock may be an eighth slower than ours. */
export function isSameNatPmpEpoch(before: Epoch, now: Epoch): boolean {
  const expected = before.server + ((now.client - before.client) * 7) / 8
  return now.server + 2 >= expected
}
