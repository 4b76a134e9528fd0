// A session in the notation of RFC 3080, frame by frame as frames end, however the transport cut the octets; long payloads abridged.
import type { Role } from './engine/core.js'
import { ProtocolError } from './errors.js'
import { formatHeader } from './wire/frame.js'
import { FrameReader } from './wire/frame-reader.js'
import { formatTranscript, type Side, type TranscriptEntry } from './wire/transcript.js'

/** Payload octets of a frame that are shown. */
const SHOWN = 512

/** Reads the octets of both sides of one session and gives lines. */
export class Trace {
  readonly #sides: Readonly<Record<Role, TraceSide>> = { initiator: new TraceSide('I'), listener: new TraceSide('L') }

  /** @returns the lines of the frames that these octets ended, each with its line feed; `''` when none did */
  push(from: Role, octets: Uint8Array): string {
    return this.#sides[from].push(octets)
  }
}

class TraceSide {
  readonly #from: Side
  readonly #reader = new FrameReader()
  #shown: Uint8Array[] = []
  #left = 0
  #omitted = 0
  /** What came was no BEEP: it is shown as it is. */
  #raw = false

  constructor(from: Side) {
    this.#from = from
  }

  push(octets: Uint8Array): string {
    if (this.#raw) return formatTranscript([this.#spoken(octets)])
    const entries: TranscriptEntry[] = []
    this.#reader.receive(octets)
    try {
      for (let part = this.#reader.next(); part !== undefined; part = this.#reader.next()) {
        if (part === 'seq') {
          const { channel, ackno, window } = this.#reader.seq!
          entries.push(this.#text(`SEQ ${channel} ${ackno} ${window}\r\n`))
        } else if (part === 'header') {
          this.#shown = [Buffer.from(`${formatHeader(this.#reader.header!)}\r\n`)]
          this.#left = SHOWN
          this.#omitted = 0
        } else if (part === 'payload') this.#payload(this.#reader.payload)
        else entries.push(...this.#end())
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#raw = true
      entries.push({ kind: 'note', text: 'what follows is no BEEP', from: this.#from }, this.#spoken(octets))
    }
    return formatTranscript(entries)
  }

  #payload(piece: Uint8Array): void {
    const shown = piece.subarray(0, this.#left)
    this.#left -= shown.length
    this.#omitted += piece.length - shown.length
    if (shown.length > 0) this.#shown.push(Buffer.from(shown))
  }

  #end(): TranscriptEntry[] {
    const head = this.#spoken(Buffer.concat(this.#shown))
    if (this.#omitted === 0) return [this.#spoken(Buffer.concat([head.octets, TRAILER]))]
    return [head, { kind: 'omission', from: this.#from, count: this.#omitted }, this.#spoken(TRAILER)]
  }

  #text(text: string) {
    return this.#spoken(Buffer.from(text))
  }

  #spoken(octets: Uint8Array) {
    return { from: this.#from, octets }
  }
}

const TRAILER = Buffer.from('END\r\n')
