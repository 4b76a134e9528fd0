// Sequence numbers: 32-bit serial arithmetic (RFC 3080 §2.2.1.2, RFC 3081 §3.1, RFC 1982). Nothing else in the project adds or compares them.

/** `seqno` advanced by `octets`, modulo 2^32. `octets` is 0..2^31-1. */
export function advance(seqno: number, octets: number): number {
  return (seqno + octets) >>> 0
}

/** How many octets lie from `from` up to `to`, going forward modulo 2^32: 0..2^32-1. */
export function distance(from: number, to: number): number {
  return (to - from) >>> 0
}

/** Whether `a` comes before `b`: the forward way from `a` to `b` is shorter than 2^31 (RFC 1982 §3.2). */
export function precedes(a: number, b: number): boolean {
  const way = distance(a, b)
  return way !== 0 && way < 0x8000_0000
}
