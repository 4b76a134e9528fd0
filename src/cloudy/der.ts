// DER (X.690): writing elements, and reading those of strangers with nothing tolerated: one encoding per value, so no lengths but the shortest.
import { ObjectError } from './object-error.js'

/** Tags in use. */
export const INTEGER = 0x02
export const BIT_STRING = 0x03
export const OCTET_STRING = 0x04
export const SEQUENCE = 0x30
export const SET = 0x31
/** [0], with elements inside. */
export const CONTEXT_0 = 0xa0

/** Most elements directly inside one; the largest number in use is that of a certificate's extensions and names. */
const MAX_ELEMENTS = 64
/** Octets of r and of s on P-256. */
const SCALAR = 32

/** One element as it was read. */
export interface Element {
  readonly tag: number
  readonly content: Uint8Array
  /** All of it, tag and length included. */
  readonly octets: Uint8Array
}

/** Whether two octet strings are equal. Neither is a secret. */
export function equalOctets(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** Writes an element around its parts. */
export function element(tag: number, ...parts: Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.of(tag, ...lengthOctets(length)), ...parts])
}

export function sequence(...parts: Uint8Array[]): Buffer {
  return element(SEQUENCE, ...parts)
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length]
  if (length < 0x100) return [0x81, length]
  if (length < 0x1_0000) return [0x82, length >> 8, length & 0xff]
  if (length < 0x100_0000) return [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff]
  throw new RangeError('An element of 16 MiB or more is not written')
}

/**
 * The elements that `octets` consist of, one after the other. Views, not copies.
 * @throws ObjectError `malformed` when they are not DER
 */
export function readElements(octets: Uint8Array): Element[] {
  const elements: Element[] = []
  for (let at = 0; at < octets.length; ) {
    if (elements.length === MAX_ELEMENTS) throw new ObjectError('malformed', 'it has too many elements')
    const next = readFirst(octets.subarray(at))
    elements.push(next)
    at += next.octets.length
  }
  return elements
}

/** The one element with that tag that `octets` consist of. */
export function readElement(octets: Uint8Array, tag: number): Element {
  const [only, ...more] = readElements(octets)
  if (only?.tag !== tag) throw new ObjectError('malformed')
  if (more.length > 0) throw new ObjectError('malformed', 'octets follow its end')
  return only
}

/** The elements inside one that has to be there and have that tag. */
export function inside(outer: Element | undefined, tag: number): Element[] {
  if (outer?.tag !== tag) throw new ObjectError('malformed')
  return readElements(outer.content)
}

function readFirst(octets: Uint8Array): Element {
  const tag = octets[0]!
  const first = octets[1]
  if (first === undefined || (tag & 0x1f) === 0x1f) throw new ObjectError('malformed')
  const more = first < 0x80 ? 0 : first - 0x80
  if (first === 0x80 || more > 3 || octets.length < 2 + more) throw new ObjectError('malformed')
  const length = more === 0 ? first : octets.subarray(2, 2 + more).reduce((sum, octet) => sum * 256 + octet, 0)
  const start = 2 + more
  if (lengthOctets(length).length !== 1 + more) throw new ObjectError('malformed', 'a length is not the shortest')
  if (start + length > octets.length) throw new ObjectError('malformed', 'it is cut off')
  return { tag, content: octets.subarray(start, start + length), octets: octets.subarray(0, start + length) }
}

/** The ECDSA signature r ‖ s of WebCrypto as CMS and X.509 carry it: SEQUENCE { INTEGER r, INTEGER s }. */
export function ecdsaToDer(raw: Uint8Array): Uint8Array {
  return sequence(positiveInteger(raw.subarray(0, SCALAR)), positiveInteger(raw.subarray(SCALAR)))
}

/** The opposite of `ecdsaToDer`; undefined when `der` is not the one encoding of two numbers of at most 32 octets. */
export function ecdsaFromDer(der: Uint8Array): Uint8Array | undefined {
  try {
    const [r, s] = inside(readElement(der, SEQUENCE), SEQUENCE)
    const raw = Buffer.concat([scalar(r), scalar(s)])
    return equalOctets(ecdsaToDer(raw), der) ? raw : undefined
  } catch {
    return undefined
  }
}

/** A number as INTEGER: no leading zeros but the one that keeps it positive. */
function positiveInteger(octets: Uint8Array): Buffer {
  const start = octets.findIndex((octet) => octet !== 0)
  const digits = start === -1 ? octets.subarray(-1) : octets.subarray(start)
  return digits[0]! >= 0x80 ? element(INTEGER, Buffer.of(0), digits) : element(INTEGER, digits)
}

/** A positive INTEGER in 32 octets. */
function scalar(integer: Element | undefined): Uint8Array {
  if (integer?.tag !== INTEGER) throw new ObjectError('malformed')
  const digits = integer.content[0] === 0 ? integer.content.subarray(1) : integer.content
  if (digits.length > SCALAR) throw new ObjectError('malformed')
  return Buffer.concat([Buffer.alloc(SCALAR - digits.length), digits])
}
