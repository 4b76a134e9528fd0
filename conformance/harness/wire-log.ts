// What crossed the wire in one case, bounded, for the reports: in short as a rule, and whole where the target died of it.
import { Buffer } from 'node:buffer'
import type { LogEntry } from './results.js'

interface Bounds {
  /** Octets kept of one piece, and of one case. */
  readonly piece: number
  readonly kept: number
  readonly entries: number
}

const SHORT: Bounds = { piece: 1024, kept: 16_384, entries: 400 }
/** More than any case says but those that flood. */
const WHOLE: Bounds = { piece: 1_048_576, kept: 1_048_576, entries: 20_000 }

type Entry = { readonly at: number } & ({ readonly note: string } | Piece)

interface Piece {
  readonly from: 'I' | 'L'
  readonly octets: Buffer
  readonly omitted: number
}

export class WireLog {
  readonly #began = performance.now()
  readonly #entries: Entry[] = []
  #kept = 0

  said(from: 'I' | 'L', octets: Uint8Array): void {
    if (this.#entries.length >= WHOLE.entries) return
    const kept = Buffer.from(octets.subarray(0, WHOLE.kept - this.#kept))
    this.#kept += kept.length
    this.#entries.push({ at: this.#at(), from, octets: kept, omitted: octets.length - kept.length })
  }

  note(note: string): void {
    this.#entries.push({ at: this.#at(), note })
  }

  /** In short: the beginnings of the first pieces, and every note. */
  get entries(): readonly LogEntry[] {
    return this.#within(SHORT)
  }

  /** Everything. */
  get whole(): readonly LogEntry[] {
    return this.#within(WHOLE)
  }

  #within(bounds: Bounds): LogEntry[] {
    const entries: LogEntry[] = []
    let left = bounds.kept
    for (const entry of this.#entries) {
      if ('note' in entry) entries.push(entry)
      else if (entries.length < bounds.entries) {
        const { from, at, octets } = entry
        const kept = octets.subarray(0, Math.min(bounds.piece, left))
        left -= kept.length
        const omitted = entry.omitted + octets.length - kept.length
        entries.push({ from, at, octets: kept.toString('base64'), ...(omitted > 0 ? { omitted } : {}) })
      }
    }
    return entries
  }

  #at(): number {
    return Math.round((performance.now() - this.#began) * 10) / 10
  }
}
