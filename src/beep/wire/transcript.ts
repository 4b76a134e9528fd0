// The notation in which the RFCs print sessions, `I:` and `L:`: one writer and one reader for traces, fixtures and reports.
//
//   # anything                        a comment; blank lines and indented prose are passed over too
//   L: <wait for incoming connection> a stage direction: two or more words in angle brackets, which no XML can be
//   ... the TLS negotiation ...       a stage direction of neither side; so is <the same in angle brackets>
//   I: MSG 1 0 . 52 7                 octets of the initiator, ended by CR LF
//   I:                                CR LF alone
//   I: hello\                         octets that no CR LF follows
//   L: \xc3\xa9 \\ \r \n              octets that are not printable US-ASCII, a backslash, a CR and an LF that make no pair
//   I: ... (65536 octets)             that many octets were left out: for people only, the reader refuses it
//
// `C:` and `S:` (client and server of an exchange, RFC 3080 §2.1) are read as `I:` and `L:`. Indentation does not count.
import { Buffer } from 'node:buffer'
import { MAX_HEADER } from '../limits.js'

/** The initiator or the listener (RFC 3080 §2.1). */
export type Side = 'I' | 'L'

/** Octets that one side sent. */
export interface Spoken {
  readonly from: Side
  readonly octets: Uint8Array
}

/** A stage direction, for instance `wait for incoming connection`. */
export interface Note {
  readonly kind: 'note'
  readonly text: string
  readonly from?: Side
}

/** Octets that one side sent and that a trace does not show. */
export interface Omission {
  readonly kind: 'omission'
  readonly from: Side
  readonly count: number
}

export type TranscriptEntry = Spoken | Note | Omission

const CR = 13
const LF = 10

const SIDES: Readonly<Record<string, Side>> = { I: 'I', L: 'L', C: 'I', S: 'L' }
const LABELLED = /^[\t ]*([ILCS]):(?: (.*))?$/
const BADLY_LABELLED = /^[\t ]*[A-Za-z]:/
const DIRECTION = /^<([A-Za-z]+(?: [A-Za-z]+)+)>$/
const UNLABELLED_DIRECTION = /^[\t ]*(?:<([^<>\r\n]+)>|\.\.\. ?([^ ].*?) ?\.\.\.)[\t ]*$/
const OMITTED = /^\.\.\. \((\d+) octets\)$/
const PASSED_OVER = /^[\t ]*(?:#|$)|^[\t ]/

/** How each octet is shown. */
const SHOWN: readonly string[] = Array.from({ length: 256 }, (_, octet) => {
  if (octet === CR) return '\\r'
  if (octet === LF) return '\\n'
  if (octet === 92) return '\\\\'
  return octet >= 32 && octet <= 126 ? String.fromCharCode(octet) : hex(octet)
})

function hex(octet: number): string {
  return `\\x${octet.toString(16).padStart(2, '0')}`
}

/** Writes a transcript, one line for each line of octets, with a line feed after each. */
export function formatTranscript(entries: Iterable<TranscriptEntry>): string {
  const lines: string[] = []
  for (const entry of entries) {
    if ('octets' in entry) pushSpoken(lines, entry)
    else if (entry.kind === 'omission') lines.push(`${entry.from}: ... (${entry.count} octets)`)
    else pushNote(lines, entry)
  }
  return lines.map((line) => `${line}\n`).join('')
}

function pushSpoken(lines: string[], { from, octets }: Spoken): void {
  let start = 0
  for (let at = 1; at < octets.length; at++) {
    if (octets[at] !== LF || octets[at - 1] !== CR) continue
    lines.push(labelled(from, showLine(octets, start, at - 1)))
    start = at + 1
  }
  if (start < octets.length) lines.push(`${from}: ${show(octets, start, octets.length)}\\`)
}

function labelled(from: Side, line: string): string {
  return line === '' ? `${from}:` : `${from}: ${line}`
}

function show(octets: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) text += SHOWN[octets[at]!]
  return text
}

/** A whole line. A space at its end would get lost, and what looks like something else is told apart by its first octet. */
function showLine(octets: Uint8Array, start: number, end: number): string {
  let text = show(octets, start, end)
  if (text.endsWith(' ')) text = `${text.slice(0, -1)}${hex(32)}`
  return DIRECTION.test(text) || OMITTED.test(text) ? `${hex(octets[start]!)}${text.slice(1)}` : text
}

function pushNote(lines: string[], { text, from }: Note): void {
  const direction = `<${text}>`
  if (from !== undefined && DIRECTION.test(direction)) lines.push(`${from}: ${direction}`)
  else if (from === undefined && UNLABELLED_DIRECTION.test(direction)) lines.push(direction)
  // Free text of any kind can only be a comment.
  else for (const line of text.split(/[\r\n]+/)) lines.push(`# ${from === undefined ? '' : `${from} `}${line}`)
}

/**
 * Reads a transcript. Consecutive lines of one side are joined to one entry, across comments and blank lines but not
 * across stage directions.
 * @throws TypeError when a line cannot be read, or when the transcript is abridged
 */
export function parseTranscript(text: string): (Spoken | Note)[] {
  const entries: (Spoken | Note)[] = []
  let from: Side | undefined
  let pieces: Buffer[] = []
  const flush = () => {
    const octets = Buffer.concat(pieces)
    if (from !== undefined && octets.length > 0) entries.push({ from, octets: new Uint8Array(octets) })
    pieces = []
  }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const { side, note, spoken } = readLine(line, index + 1)
    if (note === undefined && spoken === undefined) continue
    if (note !== undefined || side !== from) flush()
    from = side
    if (spoken !== undefined) pieces.push(...spoken)
    else if (note !== undefined) entries.push({ kind: 'note', text: note, ...(side === undefined ? {} : { from: side }) })
  }
  flush()
  return entries
}

interface Line {
  readonly side?: Side
  readonly note?: string | undefined
  readonly spoken?: readonly Buffer[]
}

function readLine(line: string, number: number): Line {
  const [, label, text = ''] = LABELLED.exec(line) ?? []
  if (label !== undefined) {
    const side = SIDES[label]!
    const direction = DIRECTION.exec(text)
    if (direction !== null) return { side, note: direction[1] }
    const omitted = OMITTED.exec(text)
    if (omitted !== null) refuse(number, `the transcript is abridged: ${omitted[1]} octets were left out here`)
    return { side, spoken: readOctets(text, number) }
  }
  const direction = UNLABELLED_DIRECTION.exec(line)
  if (direction !== null) return { note: direction[1] ?? direction[2] }
  if (BADLY_LABELLED.test(line)) refuse(number, 'a label is I:, L:, C: or S: with a space after it')
  if (!PASSED_OVER.test(line)) refuse(number, 'neither a label, a comment, nor indented')
  return {}
}

function refuse(number: number, message: string): never {
  throw new TypeError(`Transcript line ${number}: ${message}`)
}

const PIECES = /[^\\]+|\\(?:x([0-9A-Fa-f]{2})|([\\rn])|($)|)/g
const ESCAPED: Readonly<Record<string, number>> = { '\\': 92, r: CR, n: LF }
const PAIR = Buffer.from([CR, LF])

/** The octets of a line with their CR LF, unless the line ends in a lone backslash. */
function readOctets(text: string, number: number): Buffer[] {
  const octets: Buffer[] = []
  for (const [piece, code, letter, end] of text.matchAll(PIECES)) {
    if (end !== undefined) return octets
    if (code !== undefined) octets.push(Buffer.from([Number.parseInt(code, 16)]))
    else if (letter !== undefined) octets.push(Buffer.from([ESCAPED[letter]!]))
    else if (piece === '\\') refuse(number, 'after a backslash comes x and two hexadecimal digits, r, n or another backslash')
    else octets.push(Buffer.from(piece))
  }
  return [...octets, PAIR]
}

/** A header of a frame with its payload's size, a SEQ frame, or a trailer (RFC 3080 §2.2.1, RFC 3081 §3.1.3). */
const FRAME_LINE = /^(?:(?:MSG|RPY|ERR|NUL|ANS) \d+ \d+ [.*] \d+ (\d+)(?: \d+)?|SEQ \d+ \d+ \d+|END)\r\n/

/**
 * Leaves out what a trace need not show: of each payload longer than `limit` octets, what follows the first `limit`.
 * Octets that do not begin where a frame does are taken for a payload.
 */
export function abridge({ from, octets }: Spoken, limit: number): (Spoken | Omission)[] {
  const entries: (Spoken | Omission)[] = []
  let shown = 0
  let at = 0
  const showTo = (end: number) => {
    if (end > shown) entries.push({ from, octets: octets.subarray(shown, end) })
    shown = end
  }
  while (at < octets.length) {
    const line = FRAME_LINE.exec(Buffer.from(octets.subarray(at, at + MAX_HEADER)).toString('latin1'))
    if (line !== null) at += line[0].length
    const payload = line === null ? octets.length : Number(line[1] ?? 0)
    const end = Math.min(at + payload, octets.length)
    if (end - at > limit) {
      showTo(at + limit)
      entries.push({ kind: 'omission', from, count: end - shown })
      shown = end
    }
    at = end
  }
  showTo(octets.length)
  return entries
}
