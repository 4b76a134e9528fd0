// Octets as people read them in what a case says.
import { Buffer } from 'node:buffer'

/** Octets for people, cut. */
export function show(octets: Uint8Array): string {
  const text = Buffer.from(octets.subarray(0, 120)).toString('latin1')
  return `${JSON.stringify(text)}${octets.length > 120 ? ` and ${octets.length - 120} octets more` : ''}`
}
