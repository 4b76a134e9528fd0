// Frames to octets: headers, small payloads and trailers are laid side by side in a slab; large payloads go by reference between views of it.
import { Buffer } from 'node:buffer'
import { MAX_HEADER } from '../limits.js'
import type { Keyword } from './frame.js'

/** Slabs are this large. One is never rewritten: its views may wait in a socket for as long as they like. */
const SLAB = 65_536
/** A payload up to this size is copied into the slab with its neighbours; from there on a reference is cheaper (measured). */
const COPY_UP_TO = 1024
const TRAILER_SIZE = 5

// One slab serves every writer of the process, so that an idle session holds none. Cutting is synchronous: nobody else writes meanwhile.
let slab = Buffer.alloc(0)
let slabEnd = 0
/** Nothing was laid out. One for all writers, so nobody may put anything into it. */
const NO_PARTS: Uint8Array[] = []
Object.freeze(NO_PARTS)

/** Cuts frames into a list of parts that can be written in order. */
export class FrameWriter {
  #parts = NO_PARTS
  /** Where the view that is being filled began in the slab; -1 when none is: between two `take()`s others write to the slab. */
  #begin = -1
  #octets = 0

  /** Octets laid out since the last `take()`. */
  get octets(): number {
    return this.#octets
  }

  /** One SEQ frame (RFC 3081 §3.1.3). */
  seq(channel: number, ackno: number, window: number): void {
    this.#reserve(MAX_HEADER)
    const to = slab
    let at = putWord(to, slabEnd, 'SEQ')
    at = putNumber(to, at, channel)
    at = putNumber(to, at, ackno)
    at = putNumber(to, at, window)
    at = putCrlf(to, at)
    this.#octets += at - slabEnd
    slabEnd = at
  }

  /** Header, payload and trailer of one data frame (RFC 3080 §2.2.1). The payload is what stands in `payload`, `size` octets together. */
  frame(
    keyword: Keyword,
    channel: number,
    msgno: number,
    more: boolean,
    seqno: number,
    size: number,
    ansno: number,
    payload: readonly Uint8Array[],
  ): void {
    this.#reserve(MAX_HEADER)
    const to = slab
    let at = putWord(to, slabEnd, keyword)
    at = putNumber(to, at, channel)
    at = putNumber(to, at, msgno)
    to[at++] = 32
    to[at++] = more ? 42 : 46
    at = putNumber(to, at, seqno)
    at = putNumber(to, at, size)
    if (keyword === 'ANS') at = putNumber(to, at, ansno)
    at = putCrlf(to, at)
    this.#octets += at - slabEnd + size + TRAILER_SIZE
    slabEnd = at
    for (const piece of payload) this.#piece(piece)
    this.#reserve(TRAILER_SIZE)
    slabEnd = putTrailer(slab, slabEnd)
  }

  /** What was laid out since the last `take()`, in order. */
  take(): Uint8Array[] {
    this.#flush()
    const parts = this.#parts
    this.#parts = NO_PARTS
    this.#octets = 0
    return parts
  }

  #piece(piece: Uint8Array): void {
    const size = piece.length
    if (size > COPY_UP_TO) {
      this.#flush()
      this.#part(piece)
      return
    }
    this.#reserve(size)
    // For a few octets the call into the engine's copy costs more than the copy.
    if (size > 16) slab.set(piece, slabEnd)
    else for (let index = 0; index < size; index++) slab[slabEnd + index] = piece[index]!
    slabEnd += size
  }

  /** Room for `octets` in one piece, in the view that is being filled or in a new one. */
  #reserve(octets: number): void {
    if (slab.length - slabEnd < octets) {
      this.#flush()
      slab = Buffer.allocUnsafeSlow(SLAB)
      slabEnd = 0
    }
    if (this.#begin === -1) this.#begin = slabEnd
  }

  #flush(): void {
    if (this.#begin !== -1 && slabEnd > this.#begin) this.#part(slab.subarray(this.#begin, slabEnd))
    this.#begin = -1
  }

  #part(octets: Uint8Array): void {
    // Mostly it is the only one.
    if (this.#parts === NO_PARTS) this.#parts = [octets]
    else this.#parts.push(octets)
  }
}

// Each puts something at a place and gives the place behind it.

function putWord(to: Uint8Array, at: number, word: string): number {
  to[at] = word.charCodeAt(0)
  to[at + 1] = word.charCodeAt(1)
  to[at + 2] = word.charCodeAt(2)
  return at + 3
}

/** A space and the number in decimal, without leading zeros. In 32 bits without a sign a division by ten is a multiplication. */
function putNumber(to: Uint8Array, at: number, value: number): number {
  to[at] = 32
  const last = at + digits(value)
  let rest = value >>> 0
  for (let place = last; place > at; place--) {
    const next = (rest / 10) >>> 0
    to[place] = 48 + ((rest - Math.imul(next, 10)) | 0)
    rest = next
  }
  return last + 1
}

function digits(value: number): number {
  let count = 1
  for (let bound = 10; count < 10 && value >= bound; bound *= 10) count++
  return count
}

function putCrlf(to: Uint8Array, at: number): number {
  to[at] = 13
  to[at + 1] = 10
  return at + 2
}

/** END CR LF */
function putTrailer(to: Uint8Array, at: number): number {
  to[at] = 69
  to[at + 1] = 78
  to[at + 2] = 68
  return putCrlf(to, at + 3)
}
