// Octets to frames, in place: views of what was received, nothing copied but a header that a chunk border has split.
// A header is refused at its first impossible octet, so the outcome never depends on how the transport cut the stream.
import { ProtocolError, type Rule } from '../errors.js'
import { MAX_HEADER, MAX_NUMBER, MAX_SEQNO } from '../limits.js'
import type { DataHeader, Keyword, SeqFrame } from './frame.js'

/** What `next()` found: a header, a SEQ frame, a piece of payload, or the verified trailer of a data frame. */
export type Part = 'header' | 'seq' | 'payload' | 'end'

const NOTHING = new Uint8Array(0)
const CR = 13
const LF = 10
const SP = 32
const DOT = 46
const STAR = 42
const TRAILER = [69, 78, 68, CR, LF] // END CR LF

const KEYWORDS: Readonly<Record<number, { readonly word: Keyword | 'SEQ'; readonly second: number; readonly third: number }>> =
  Object.fromEntries(
    (['MSG', 'RPY', 'ERR', 'ANS', 'NUL', 'SEQ'] as const).map((word) => [
      word.charCodeAt(0),
      { word, second: word.charCodeAt(1), third: word.charCodeAt(2) },
    ]),
  )

/**
 * Reads frames from octets that are handed over in chunks of any size. It knows the syntax alone; whether a frame is
 * lawful where it stands is for the engine to say, and it says so before the next `next()`: a header comes out before
 * one octet of its payload is looked at.
 */
export class FrameReader {
  /** The header, after `'header'`. */
  header: DataHeader | undefined
  /** The SEQ frame, after `'seq'`. */
  seq: SeqFrame | undefined
  /** The piece of payload, after `'payload'`: a view of the chunk that was received. */
  payload: Uint8Array = NOTHING

  #chunk: Uint8Array = NOTHING
  #at = 0
  #waiting: Uint8Array[] = []
  /** Payload octets of the current frame still to come; -1 between frames. */
  #remaining = -1
  /** Octets of the trailer seen so far. */
  #trailer = 0
  /** A header that a chunk border has split: its octets so far. Made when first needed. */
  #scratch: Uint8Array | undefined
  #held = 0

  // The scanner's cursor: it walks either the chunk or the scratch.
  #octets: Uint8Array = NOTHING
  #from = 0
  #cursor = 0
  #end = 0

  /** Appends a chunk. It is read in place, so it must not be written to afterwards. */
  receive(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    if (this.#at === this.#chunk.length && this.#waiting.length === 0) {
      this.#chunk = chunk
      this.#at = 0
    } else this.#waiting.push(chunk)
  }

  /** Whether octets are left that belong to no frame read so far. */
  get unread(): boolean {
    return this.#at < this.#chunk.length || this.#held > 0 || this.#waiting.length > 0
  }

  /** Whether the last octet received ended a frame. */
  get betweenFrames(): boolean {
    return this.#remaining === -1 && !this.unread
  }

  /**
   * The next part, or undefined when more octets are needed.
   * @throws ProtocolError when the octets cannot be a frame; the reader is of no use afterwards
   */
  next(): Part | undefined {
    if (this.#at === this.#chunk.length && !this.#nextChunk()) return undefined
    if (this.#remaining > 0) return this.#payload()
    if (this.#remaining === 0) return this.#readTrailer()
    return this.#readHeader()
  }

  /**
   * After a piece of payload: whether it was the last of its frame and the trailer is there too; then it has been taken.
   * A wrong trailer is left for `next()`: the payload before it comes out all the same, however the chunks were cut.
   */
  takeEnd(): boolean {
    if (this.#remaining !== 0 || this.#chunk.length - this.#at < TRAILER.length) return false
    for (let index = 0; index < TRAILER.length; index++) if (this.#chunk[this.#at + index] !== TRAILER[index]) return false
    this.#at += TRAILER.length
    this.#remaining = -1
    return true
  }

  /**
   * After a header: whether the payload begins with the empty line that stands for no entity headers (RFC 3080 §2.2), and whoever is told of it
   * loses no time by that: something comes after it, or nothing will. Then it has been taken.
   */
  takeEmptyLine(): boolean {
    const chunk = this.#chunk
    const at = this.#at
    const here = chunk.length - at
    if (this.#remaining < 2 || here < 2 || (here === 2 && this.#remaining > 2)) return false
    if (chunk[at] !== CR || chunk[at + 1] !== LF) return false
    this.#at = at + 2
    this.#remaining -= 2
    return true
  }

  #nextChunk(): boolean {
    const chunk = this.#waiting.shift()
    this.#chunk = chunk ?? NOTHING
    this.#at = 0
    return chunk !== undefined
  }

  #payload(): Part {
    const end = Math.min(this.#chunk.length, this.#at + this.#remaining)
    this.payload = this.#chunk.subarray(this.#at, end)
    this.#remaining -= end - this.#at
    this.#at = end
    return 'payload'
  }

  /** RFC 3080 §2.2.1.3: the trailer is a check, never a delimiter to search for. */
  #readTrailer(): Part | undefined {
    do {
      while (this.#at < this.#chunk.length) {
        const octet = this.#chunk[this.#at++]!
        if (octet !== TRAILER[this.#trailer]) {
          throw new ProtocolError(
            'rfc3080/2.2.1.3/trailer',
            `octet ${this.#trailer + 1} of 5 is 0x${octet.toString(16).padStart(2, '0')}`,
          )
        }
        this.#trailer++
        if (this.#trailer === TRAILER.length) {
          this.#trailer = 0
          this.#remaining = -1
          return 'end'
        }
      }
    } while (this.#nextChunk())
    return undefined
  }

  #readHeader(): Part | undefined {
    if (this.#held === 0) {
      const part = this.#scan(this.#chunk, this.#at, this.#chunk.length)
      if (part !== undefined) {
        this.#at = this.#cursor
        return part
      }
    }
    // The header is split: gather it, 62 octets at most, and scan what there is after each chunk.
    this.#scratch ??= new Uint8Array(MAX_HEADER)
    do {
      const piece = this.#chunk.subarray(this.#at, this.#at + MAX_HEADER - this.#held)
      this.#scratch.set(piece, this.#held)
      const before = this.#held
      const part = this.#scan(this.#scratch, 0, before + piece.length)
      if (part !== undefined) {
        this.#at += this.#cursor - before
        this.#held = 0
        return part
      }
      this.#held += piece.length
      this.#at += piece.length
    } while (this.#nextChunk())
    return undefined
  }

  /** Scans one header. Undefined when it is not all there; then nothing has been taken. The grammar alone bounds it to 62 octets. */
  #scan(octets: Uint8Array, from: number, end: number): Part | undefined {
    this.#octets = octets
    this.#from = from
    this.#cursor = from
    this.#end = end
    const word = this.#keyword()
    if (word === undefined) return undefined
    if (word === 'SEQ') return this.#scanSeq()
    return this.#scanData(word)
  }

  #scanData(keyword: Keyword): Part | undefined {
    const channel = this.#number(MAX_NUMBER, SP)
    if (channel < 0) return undefined
    const msgno = this.#number(MAX_NUMBER, SP)
    if (msgno < 0) return undefined
    const more = this.#take()
    if (more < 0) return undefined
    if (more !== DOT && more !== STAR) throw this.#violation('rfc3080/2.2.1.1/syntax')
    const space = this.#take()
    if (space < 0) return undefined
    if (space !== SP) throw this.#violation('rfc3080/2.2.1.1/syntax')
    const seqno = this.#number(MAX_SEQNO, SP)
    if (seqno < 0) return undefined
    const size = this.#number(MAX_NUMBER, keyword === 'ANS' ? SP : CR)
    if (size < 0) return undefined
    const ansno = keyword === 'ANS' ? this.#number(MAX_SEQNO, CR) : 0
    if (ansno < 0 || !this.#lineFeed('rfc3080/2.2.1.1/syntax')) return undefined
    this.header = { keyword, channel, msgno, more: more === STAR, seqno, size, ansno }
    this.#remaining = size
    return 'header'
  }

  #scanSeq(): Part | undefined {
    const channel = this.#number(MAX_NUMBER, SP, 'rfc3081/3.1.3/syntax', 'rfc3081/3.1.3/range')
    if (channel < 0) return undefined
    const ackno = this.#number(MAX_SEQNO, SP, 'rfc3081/3.1.3/syntax', 'rfc3081/3.1.3/range')
    if (ackno < 0) return undefined
    const window = this.#number(MAX_NUMBER, CR, 'rfc3081/3.1.3/syntax', 'rfc3081/3.1.3/range')
    if (window < 0 || !this.#lineFeed('rfc3081/3.1.3/syntax')) return undefined
    this.seq = { channel, ackno, window }
    return 'seq'
  }

  /** The keyword and its space, upper case only (A02). */
  #keyword(): Keyword | 'SEQ' | undefined {
    const first = this.#take()
    if (first < 0) return undefined
    const entry = KEYWORDS[first]
    if (entry === undefined) throw this.#violation('rfc3080/2.2.1.1/keyword')
    const second = this.#take()
    if (second < 0) return undefined
    if (second !== entry.second) throw this.#violation('rfc3080/2.2.1.1/keyword')
    const third = this.#take()
    if (third < 0) return undefined
    if (third !== entry.third) throw this.#violation('rfc3080/2.2.1.1/keyword')
    const space = this.#take()
    if (space < 0) return undefined
    if (space !== SP) throw this.#violation(entry.word === 'SEQ' ? 'rfc3081/3.1.3/syntax' : 'rfc3080/2.2.1.1/syntax')
    return entry.word
  }

  /** A number of decimal digits without leading zeros (A03), and the octet that must stand behind it; -1 when not all there. */
  #number(
    max: number,
    terminator: number,
    syntax: Rule = 'rfc3080/2.2.1.1/syntax',
    range: Rule = 'rfc3080/2.2.1.1/range',
  ): number {
    const octets = this.#octets
    const begin = this.#cursor
    const end = this.#end
    let value = 0
    for (let at = begin; at < end; ) {
      const octet = octets[at++]!
      if (octet >= 48 && octet <= 57) {
        if (value === 0 && at === begin + 2) throw this.#violation(syntax, at)
        value = value * 10 + (octet - 48)
        if (at > begin + 10) throw this.#violation(range, at)
      } else if (octet === terminator && at > begin + 1) {
        if (value > max) throw this.#violation(range, at)
        this.#cursor = at
        return value
      } else throw this.#violation(syntax, at)
    }
    return -1
  }

  #lineFeed(syntax: Rule): boolean {
    const octet = this.#take()
    if (octet < 0) return false
    if (octet !== LF) throw this.#violation(syntax)
    return true
  }

  #take(): number {
    return this.#cursor < this.#end ? this.#octets[this.#cursor++]! : -1
  }

  /** The error names the header up to its offending octet: at most 62 octets, fit for a log. */
  #violation(rule: Rule, at = this.#cursor): ProtocolError {
    let seen = ''
    for (const octet of this.#octets.subarray(this.#from, at)) {
      seen += octet >= 32 && octet < 127 ? String.fromCharCode(octet) : `\\x${octet.toString(16).padStart(2, '0')}`
    }
    return new ProtocolError(rule, `at the last octet of "${seen}"`)
  }
}
