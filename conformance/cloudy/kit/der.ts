// DER as the judge writes it: whatever a case wants, right or wrong. Nothing is checked.
import { Buffer } from 'node:buffer'

export const NULL = Buffer.from('0500', 'hex')
export const NOTHING = Buffer.alloc(0)

/** An element around its parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.of(tag, ...lengthOf(content.length)), content])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
export const set = (...parts: readonly Uint8Array[]): Buffer => der(0x31, ...parts)
export const octetString = (octets: Uint8Array): Buffer => der(0x04, octets)
export const bitString = (octets: Uint8Array): Buffer => der(0x03, Buffer.of(0), octets)
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text))
/** [n] with elements inside. */
export const context = (n: number, ...parts: readonly Uint8Array[]): Buffer => der(0xa0 + n, ...parts)

/** An INTEGER of these octets, or of a small number. */
export function integer(value: number | Uint8Array): Buffer {
  return der(0x02, typeof value === 'number' ? Buffer.of(value) : value)
}

/** An OBJECT IDENTIFIER from its numbers and dots. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(0x06, Buffer.from([40 * first + second, ...rest].flatMap(base128)))
}

function base128(number: number): number[] {
  const digits = [number % 128]
  for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift(0x80 + (rest % 128))
  return digits
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const digits: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  return [0x80 + digits.length, ...digits]
}

/** The content of an element. */
export function contentOf(element: Uint8Array): Buffer {
  return Buffer.from(element.subarray(headerOf(element)))
}

/** The same element with its length in one octet more than it takes: BER, not DER. */
export function stretched(element: Uint8Array): Buffer {
  const header = headerOf(element)
  const length = header === 2 ? Buffer.of(element[1]!) : element.subarray(2, header)
  return Buffer.concat([Buffer.of(element[0]!, 0x80 + length.length + 1, 0), length, element.subarray(header)])
}

/** The same element without a length, up to an end of its own: BER, not DER. */
export function endless(element: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(element[0]!, 0x80), contentOf(element), Buffer.of(0, 0)])
}

function headerOf(element: Uint8Array): number {
  const first = element[1]!
  return first < 0x80 ? 2 : 2 + first - 0x80
}
