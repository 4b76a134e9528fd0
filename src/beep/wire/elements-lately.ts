// Peers say the same on channel 0 again and again: what was read lately is not parsed anew, when it is short and holds no octets.
import { Buffer } from 'node:buffer'
import { type Element, parseElement } from './elements.js'

/** Documents that are remembered, and octets of each at most. */
const MAX_KNOWN = 64
const MAX_KNOWN_SIZE = 256
const known = new Map<string, Element>()

/**
 * As `parseElement`.
 * @returns a value that may be given again for the same octets: it must not be changed
 * @throws ElementError 500 or 501
 */
export function readElement(octets: Uint8Array, maxOctets: number): Element {
  if (octets.length > Math.min(MAX_KNOWN_SIZE, maxOctets)) return parseElement(octets, maxOctets)
  const key = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')
  const before = known.get(key)
  if (before !== undefined) return before
  const element = parseElement(octets, maxOctets)
  if (!hasContent(element)) {
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(key, element)
  }
  return element
}

/** Whether it holds octets, which whoever is given them may change. */
function hasContent(element: Element): boolean {
  if (element.name === 'start') return element.profiles.some((profile) => profile.content !== undefined)
  return element.name === 'profile' && element.content !== undefined
}
