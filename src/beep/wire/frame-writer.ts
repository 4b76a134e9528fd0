// Frames to octets: headers, small payloads and trailers are laid side by side in a slab; large payloads go by reference between views of it.
import { Buffer } from 'node:buffer'
import { MAX_HEADER } from '../limits.js'
import type { Keyword } from './frame.js'

/** Slabs are this large. One is never rewritten: its views may wait in a socket for as long as they like. */
const SLAB = 65_536
/** A payload up to this size is copied into the slab with its neighbours; from there on a reference is cheaper (measured). */
const COPY_UP_TO = 1024
const TRAILER_SIZE = 5
const DIGITS = new Uint8Array(10)

// One slab serves every writer of the process, so that an idle session holds none. Cutting is synchronous: nobody else writes meanwhile.
let slab = Buffer.alloc(0)
let slabEnd = 0

/** Cuts frames into a list of parts that can be written in order. */
export class FrameWriter {
  #parts: Uint8Array[] = []
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
    const before = slabEnd
    this.#word('SEQ')
    this.#number(channel)
    this.#number(ackno)
    this.#number(window)
    this.#crlf()
    this.#octets += slabEnd - before
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
    const before = slabEnd
    this.#word(keyword)
    this.#number(channel)
    this.#number(msgno)
    slab[slabEnd++] = 32
    slab[slabEnd++] = more ? 42 : 46
    this.#number(seqno)
    this.#number(size)
    if (keyword === 'ANS') this.#number(ansno)
    this.#crlf()
    this.#octets += slabEnd - before + size + TRAILER_SIZE
    for (const piece of payload) this.#piece(piece)
    this.#reserve(TRAILER_SIZE)
    slab[slabEnd++] = 69 // END CR LF
    slab[slabEnd++] = 78
    slab[slabEnd++] = 68
    this.#crlf()
  }

  /** What was laid out since the last `take()`, in order. */
  take(): Uint8Array[] {
    this.#flush()
    const parts = this.#parts
    this.#parts = []
    this.#octets = 0
    return parts
  }

  #piece(piece: Uint8Array): void {
    const size = piece.length
    if (size > COPY_UP_TO) {
      this.#flush()
      this.#parts.push(piece)
    } else if (size > 64) {
      this.#reserve(size)
      slab.set(piece, slabEnd)
      slabEnd += size
    } else {
      // For a few octets the call into the engine's copy costs more than the copy.
      this.#reserve(size)
      for (let index = 0; index < size; index++) slab[slabEnd++] = piece[index]!
    }
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
    if (this.#begin !== -1 && slabEnd > this.#begin) this.#parts.push(slab.subarray(this.#begin, slabEnd))
    this.#begin = -1
  }

  #word(word: string): void {
    slab[slabEnd++] = word.charCodeAt(0)
    slab[slabEnd++] = word.charCodeAt(1)
    slab[slabEnd++] = word.charCodeAt(2)
  }

  /** A space and the number in decimal, without leading zeros. */
  #number(value: number): void {
    slab[slabEnd++] = 32
    let count = 0
    let rest = value
    do {
      const next = Math.floor(rest / 10)
      DIGITS[count++] = 48 + rest - next * 10
      rest = next
    } while (rest > 0)
    while (count > 0) slab[slabEnd++] = DIGITS[--count]!
  }

  #crlf(): void {
    slab[slabEnd++] = 13
    slab[slabEnd++] = 10
  }
}
