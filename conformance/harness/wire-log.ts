// What crossed the wire in one case, bounded, for the reports.
import { Buffer } from 'node:buffer'
import type { LogEntry } from './results.js'

/** Octets kept of one piece, and of one case. */
const MAX_PIECE = 1024
const MAX_KEPT = 16_384
const MAX_ENTRIES = 400

export class WireLog {
  readonly #began = performance.now()
  readonly #entries: LogEntry[] = []
  #kept = 0

  said(from: 'I' | 'L', octets: Uint8Array): void {
    const room = Math.min(MAX_PIECE, MAX_KEPT - this.#kept)
    const kept = Buffer.from(octets.subarray(0, Math.max(0, room)))
    this.#kept += kept.length
    const omitted = octets.length - kept.length
    this.#push({ from, at: this.#at(), octets: kept.toString('base64'), ...(omitted > 0 ? { omitted } : {}) })
  }

  note(note: string): void {
    this.#push({ at: this.#at(), note })
  }

  get entries(): readonly LogEntry[] {
    return this.#entries
  }

  #push(entry: LogEntry): void {
    if (this.#entries.length < MAX_ENTRIES) this.#entries.push(entry)
  }

  #at(): number {
    return Math.round((performance.now() - this.#began) * 10) / 10
  }
}
