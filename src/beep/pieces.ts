// Views of chunks that are held for longer than the turn in which they came: what is kept as it is, what is copied, what is laid together.
import { Buffer } from 'node:buffer'

/** Pieces are laid together up to this size when they are kept past the turn in which they came. */
const COALESCE = 4096
/** A piece shorter than this is not worth a buffer of its own: a peer may send octet by octet. */
const SMALL = 512
/** For our own use: a user could transfer its memory to another thread, and nobody would have it any more. */
export const EMPTY = Buffer.alloc(0)

/** A piece that may outlive the turn. */
export function kept(piece: Uint8Array): Uint8Array {
  return worthKeeping(piece) ? piece : copied(piece)
}

/**
 * The turn ends, and `pieces` are held for longer: those that are small parts of their chunks, which they would pin, are laid together.
 * @param before so many of them have been looked at in an earlier turn
 */
export function settled(pieces: readonly Uint8Array[], before: number): Uint8Array[] {
  const done = pieces.slice(0, before)
  let small: Uint8Array[] = []
  // The last piece laid together earlier may take more.
  const last = done.at(-1)
  if (last !== undefined && last.length < COALESCE) small.push(done.pop()!)
  const close = () => {
    if (small.length > 0) done.push(Buffer.concat(small))
    small = []
  }
  for (const piece of pieces.slice(before)) {
    if (worthKeeping(piece)) {
      close()
      done.push(piece)
    } else small.push(piece)
  }
  close()
  return done
}

/** What is gathered outlives the turn, so a piece that is a small part of its chunk is copied; many small ones share a block. */
export class Pieces {
  readonly #pieces: Uint8Array[] = []
  #block = EMPTY
  #used = 0
  /** Where the octets begin that are in the block and not among the pieces. */
  #from = 0

  push(piece: Uint8Array): void {
    if (worthKeeping(piece)) {
      this.#cut()
      this.#pieces.push(piece)
      return
    }
    if (piece.length > this.#block.length - this.#used) {
      this.#cut()
      this.#block = Buffer.allocUnsafeSlow(Math.max(piece.length, 4 * COALESCE))
      this.#used = 0
      this.#from = 0
    }
    this.#block.set(piece, this.#used)
    this.#used += piece.length
  }

  list(): readonly Uint8Array[] {
    this.#cut()
    return this.#pieces
  }

  join(): Buffer {
    return Buffer.concat(this.list())
  }

  #cut(): void {
    if (this.#used > this.#from) this.#pieces.push(this.#block.subarray(this.#from, this.#used))
    this.#from = this.#used
  }
}

/** Whether a piece may be kept as it is: it fills enough of the chunk that it would keep alive. */
function worthKeeping(piece: Uint8Array): boolean {
  return piece.length >= SMALL && piece.length * 2 >= piece.buffer.byteLength
}

/** As `Buffer.from(octets)`, which asks about more kinds of values, in half the time. */
function copied(octets: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafe(octets.length)
  copy.set(octets)
  return copy
}
