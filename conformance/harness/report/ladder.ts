// The ladder: who said what, as arrows between the lifelines of initiator and listener, in the notation of RFC 3080, octets in hexadecimal on demand.
// Self-contained: its source is put into pages as it is, so it may use nothing but its parameters and the language.
import type { LogEntry } from '../results.js'

/** One arrow, or a note across both lifelines. */
export interface Rung {
  /** Milliseconds since the beginning. */
  readonly at: number
  readonly from?: 'I' | 'L'
  /** The note, or the octets as `I:` and `L:` lines. */
  readonly lines: readonly string[]
  /** The octets, sixteen a line, where there are any. */
  readonly hex: readonly string[]
  /** Octets that were not kept. */
  readonly omitted: number
}

/** Makes the arrows of a log. */
export function rungs(log: readonly LogEntry[]): Rung[] {
  const shown = (octet: number): string => {
    if (octet === 92) return '\\\\'
    if (octet >= 32 && octet <= 126) return String.fromCharCode(octet)
    return octet === 13 ? '\\r' : octet === 10 ? '\\n' : `\\x${octet.toString(16).padStart(2, '0')}`
  }
  const spoken = (from: string, octets: Uint8Array): string[] => {
    const lines: string[] = []
    let line = ''
    for (let at = 0; at < octets.length; at++) {
      if (octets[at] === 13 && octets[at + 1] === 10) {
        lines.push(line === '' ? `${from}:` : `${from}: ${line}`)
        line = ''
        at++
      } else line += shown(octets[at] as number)
    }
    if (line !== '') lines.push(`${from}: ${line}\\`)
    return lines
  }
  const dump = (octets: Uint8Array): string[] => {
    const lines: string[] = []
    for (let at = 0; at < octets.length; at += 16) {
      const row = [...octets.subarray(at, at + 16)]
      const digits = row.map((each) => each.toString(16).padStart(2, '0')).join(' ')
      const text = row.map((each) => (each >= 32 && each <= 126 ? String.fromCharCode(each) : '.')).join('')
      lines.push(`${at.toString(16).padStart(6, '0')}  ${digits.padEnd(47)}  ${text}`)
    }
    return lines
  }
  return log.map((entry) => {
    if ('note' in entry) return { at: entry.at, lines: [entry.note], hex: [], omitted: 0 }
    const octets = Uint8Array.from(atob(entry.octets), (each) => each.charCodeAt(0))
    return { at: entry.at, from: entry.from, lines: spoken(entry.from, octets), hex: dump(octets), omitted: entry.omitted ?? 0 }
  })
}
