// The MIME entity of a message: its headers, and where its body begins (RFC 3080 §2.2).
// The headers belong to the message, not to its frames, so their reader takes pieces cut anywhere.
import { Buffer } from 'node:buffer'
import { ProtocolError } from '../errors.js'
import { DEFAULT_LIMITS, MAX_FIELD_NAME } from '../limits.js'

/** Entity headers: names in lower case, values unfolded and without white space around them. Of a repeated header the first counts. */
export type Headers = ReadonlyMap<string, string>

/** What a message without entity headers has. */
export const NO_HEADERS = shared(new Map())

/** The media type of channel 0 and of the tuning profiles (RFC 3080 §6.4). */
export const BEEP_XML = 'application/beep+xml'
/** The media type of a message that does not name one (RFC 3080 §2.2). */
export const OCTET_STREAM = 'application/octet-stream'

const CR = 13
const LF = 10
const NOTHING = new Uint8Array(0)
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** A message without headers still has the empty line that ends them (A29). Shared: never written to. */
const EMPTY_BLOCK = octetsOf('\r\n')
/** What every peer sends on channel 0, and what we send there. Shared: never written to. */
const BEEP_XML_BLOCK = octetsOf(`Content-Type: ${BEEP_XML}\r\n\r\n`)
const BEEP_XML_HEADERS = shared(new Map([['content-type', BEEP_XML]]))

function octetsOf(ascii: string): Uint8Array {
  return Buffer.from(ascii, 'latin1')
}

// Where the header block ends, as a table: state x class of octet -> state.
// What is not in a row means that the octets were never headers: then all of them are body.

const BODY = 0
const START = 1
const NAME = 2
const VALUE = 3
const VALUE_CR = 4
const LINE = 5
const EMPTY_CR = 6
const END = 7

type OctetClass = 'token' | 'colon' | 'space' | 'cr' | 'lf' | 'other' | 'control'
const CLASSES: readonly OctetClass[] = ['token', 'colon', 'space', 'cr', 'lf', 'other', 'control']

const TABLE: Readonly<Record<number, Partial<Record<OctetClass, number>>>> = {
  [START]: { token: NAME, cr: EMPTY_CR },
  [NAME]: { token: NAME, colon: VALUE },
  [VALUE]: { token: VALUE, colon: VALUE, space: VALUE, other: VALUE, cr: VALUE_CR },
  [VALUE_CR]: { lf: LINE },
  [LINE]: { token: NAME, space: VALUE, cr: EMPTY_CR },
  [EMPTY_CR]: { lf: END },
}

/** `NEXT[state << 8 | octet]`: the table spread out, so that an octet costs one look. */
const NEXT = new Uint8Array(8 << 8)
for (const [state, row] of Object.entries(TABLE))
  for (let octet = 0; octet < 256; octet++) NEXT[(Number(state) << 8) | octet] = row[classOf(octet)] ?? BODY

function classOf(octet: number): OctetClass {
  const character = String.fromCharCode(octet)
  const found = {
    token: TOKEN.test(character),
    colon: character === ':',
    space: character === ' ' || character === '\t',
    cr: octet === CR,
    lf: octet === LF,
    other: octet >= 32 && octet !== 127,
    control: true,
  } satisfies Record<OctetClass, boolean>
  return CLASSES.find((name) => found[name])!
}

/** A piece of a message is scanned up to the octet that decides, or to its end. */
class Scanner {
  state = START
  /** Longest name that a header can have: where all are short, a text without a colon is a body all the same. */
  readonly #maxName: number
  /** Octets of the name that is coming in. */
  #name = 0

  constructor(maxHeaders: number) {
    this.#maxName = Math.min(MAX_FIELD_NAME, maxHeaders - 1)
  }

  /** @returns how many octets were looked at */
  scan(octets: Uint8Array, limit: number): number {
    const end = Math.min(octets.length, limit)
    let { state } = this
    let name = this.#name
    let at = 0
    while (at < end && state !== BODY && state !== END) {
      state = NEXT[(state << 8) | octets[at++]!]!
      if (state !== NAME) name = 0
      else if (++name > this.#maxName) state = BODY
    }
    this.state = state
    this.#name = name
    return at
  }
}

function readBlock(octets: Uint8Array): Headers {
  // The fields and the CR LF of each; the last two octets are the empty line.
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length - 2).toString()
  const headers = new Map<string, string>()
  for (const line of text.replace(/\r\n[\t ]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  return shared(headers)
}

/** Messages of several sessions may have the same headers: whoever tries to change theirs must not change those of others. */
function shared(headers: Map<string, string>): Headers {
  const value = () => {
    throw new TypeError('The headers of a message that came cannot be changed')
  }
  return Object.defineProperties(headers, { set: { value }, delete: { value }, clear: { value } })
}

function startsWith(octets: Uint8Array, block: Uint8Array): boolean {
  if (octets.length < block.length) return false
  for (let i = 0; i < block.length; i++) if (octets[i] !== block[i]) return false
  return true
}

// A peer says the same headers again and again, and so do we: the latest of each is remembered, when it is short.
const MAX_REMEMBERED = 256
let latestRead: { readonly block: Uint8Array; readonly headers: Headers } = { block: BEEP_XML_BLOCK, headers: BEEP_XML_HEADERS }
let latestWritten: { readonly contentType: string; readonly block: Uint8Array } = { contentType: BEEP_XML, block: BEEP_XML_BLOCK }

function tooLong(maxHeaders: number): ProtocolError {
  return new ProtocolError('limits/entity-headers', `more than ${maxHeaders} octets without the empty line`)
}

/**
 * The usual case: all headers stand in the first piece of a message.
 * @param octets the first piece, from the first octet of the message
 * @returns undefined when the piece ends before the headers do: then take an EntityReader
 * @throws ProtocolError limits/entity-headers
 */
export function splitEntity(
  octets: Uint8Array,
  maxHeaders: number = DEFAULT_LIMITS.maxEntityHeaders,
): { readonly headers: Headers; readonly body: Uint8Array } | undefined {
  if (octets[0] === CR && octets[1] === LF) return { headers: NO_HEADERS, body: octets.subarray(2) }
  if (BEEP_XML_BLOCK.length <= maxHeaders && startsWith(octets, BEEP_XML_BLOCK))
    return { headers: BEEP_XML_HEADERS, body: octets.subarray(BEEP_XML_BLOCK.length) }
  const { block } = latestRead
  if (block.length <= maxHeaders && startsWith(octets, block))
    return { headers: latestRead.headers, body: octets.subarray(block.length) }
  const scanner = new Scanner(maxHeaders)
  const end = scanner.scan(octets, maxHeaders)
  if (scanner.state === END) {
    const headers = readBlock(octets.subarray(0, end))
    if (end <= MAX_REMEMBERED) latestRead = { block: Uint8Array.from(octets.subarray(0, end)), headers }
    return { headers, body: octets.subarray(end) }
  }
  if (scanner.state === BODY) return { headers: NO_HEADERS, body: octets }
  if (octets.length > end) throw tooLong(maxHeaders)
  return undefined
}

/**
 * Reads the entity headers of one message from pieces cut anywhere (RFC 3080 §2.2). A message that does not begin with
 * a header block or with the empty line is all body, whatever comes later in it.
 */
export class EntityReader {
  readonly #maxHeaders: number
  readonly #scanner: Scanner
  /** A copy of what came so far: views would keep alive the whole chunk of each. */
  #held: Uint8Array = NOTHING
  #length = 0
  #done = false
  #headers: Headers = NO_HEADERS

  /** @param maxHeaders octets that the header block may have, its empty line counted; at least 2 */
  constructor(maxHeaders: number = DEFAULT_LIMITS.maxEntityHeaders) {
    this.#maxHeaders = maxHeaders
    this.#scanner = new Scanner(maxHeaders)
  }

  /** The headers; none as long as they are not complete. */
  get headers(): Headers {
    return this.#headers
  }

  /** Octets that came so far, while the headers are not complete. */
  get held(): number {
    return this.#length
  }

  /**
   * Takes the next piece of the message.
   * @returns undefined while the headers are not complete; then the octets of the body so far, in order
   * @throws ProtocolError limits/entity-headers
   */
  push(octets: Uint8Array): Uint8Array[] | undefined {
    if (this.#done) return [octets]
    if (this.#length === 0 && octets.length > 0) {
      const entity = splitEntity(octets, this.#maxHeaders)
      if (entity !== undefined) {
        this.#done = true
        this.#headers = entity.headers
        return entity.body.length === 0 ? [] : [entity.body]
      }
    }
    const end = this.#scanner.scan(octets, this.#maxHeaders - this.#length)
    if (this.#scanner.state === BODY) return [...this.finish(), octets]
    if (this.#scanner.state === END) {
      this.#hold(octets.subarray(0, end))
      this.#headers = readBlock(this.#held.subarray(0, this.#length))
      this.#done = true
      this.#held = NOTHING
      return end === octets.length ? [] : [octets.subarray(end)]
    }
    if (octets.length > end) throw tooLong(this.#maxHeaders)
    this.#hold(octets)
    return undefined
  }

  /** The message is complete. When its headers are not, they were none: what was held is the body (A29). */
  finish(): Uint8Array[] {
    const held = this.#held.subarray(0, this.#length)
    this.#held = NOTHING
    this.#length = 0
    if (this.#done) return []
    this.#done = true
    return held.length === 0 ? [] : [held]
  }

  #hold(octets: Uint8Array): void {
    const length = this.#length + octets.length
    if (length > this.#held.length) {
      const larger = new Uint8Array(Math.max(length, Math.min(2 * this.#held.length, this.#maxHeaders), 64))
      larger.set(this.#held.subarray(0, this.#length))
      this.#held = larger
    }
    this.#held.set(octets, this.#length)
    this.#length = length
  }
}

/** Entity headers to send. */
export interface EntityHeaders {
  readonly contentType?: string | undefined
  /** Any other headers, by name. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * The header block of a message with the empty line that ends it; without headers that line alone (RFC 3080 §2.2, A29).
 * The result may be shared: it must not be written to.
 * @throws TypeError when a name is not a token, a value is not printable US-ASCII, or a header comes twice
 */
export function formatEntity(wanted?: EntityHeaders): Uint8Array {
  if (wanted === undefined) return EMPTY_BLOCK
  const { contentType, headers = {} } = wanted
  const fields = Object.entries(headers)
  if (fields.length === 0) {
    if (contentType === undefined) return EMPTY_BLOCK
    if (contentType === BEEP_XML) return BEEP_XML_BLOCK
    if (contentType === latestWritten.contentType) return latestWritten.block
  }
  if (contentType !== undefined) fields.unshift(['Content-Type', contentType])
  const names = new Set<string>()
  let block = ''
  for (const [name, value] of fields) {
    if (!TOKEN.test(name)) throw new TypeError('The name of an entity header is a token (RFC 2045 §5.1)')
    if (!/^[\t -~]*$/.test(value)) throw new TypeError(`The entity header ${name} has a value that is not printable US-ASCII`)
    names.add(name.toLowerCase())
    block += `${name}: ${value}\r\n`
  }
  if (names.size < fields.length) throw new TypeError('An entity header comes twice')
  const octets = octetsOf(`${block}\r\n`)
  if (contentType !== undefined && fields.length === 1 && octets.length <= MAX_REMEMBERED)
    latestWritten = { contentType, block: octets }
  return octets
}

/** The content type of a message, as written; `application/octet-stream` when it does not name one (RFC 3080 §2.2). */
export function contentType(headers: Headers): string {
  return headers.get('content-type') ?? OCTET_STREAM
}

/** The type and subtype of a content type in lower case, without parameters and comments (RFC 2045 §5.1). */
export function mediaType(value: string): string {
  const [type = ''] = withoutComments(value).split(';', 1)
  return type.replace(/[\t ]+/g, '').toLowerCase()
}

/** A parameter of a content type, or undefined; the name is case-insensitive (RFC 2045 §5.1). */
export function parameter(value: string, name: string): string | undefined {
  for (const [, key, quoted, plain] of withoutComments(value).matchAll(PARAMETER))
    if (key!.toLowerCase() === name.toLowerCase()) return plain ?? quoted!.replace(/\\(.)/g, '$1')
  return undefined
}

const PARAMETER = /;[\t ]*([^\t "();=]+)[\t ]*=[\t ]*(?:"((?:[^"\\]|\\.)*)"|([^\t "();]+))/g

/** Comments may nest and may stand between any two tokens; a parenthesis within a quoted string opens none. */
function withoutComments(value: string): string {
  if (!value.includes('(')) return value
  let text = ''
  let depth = 0
  let quoted = false
  for (let at = 0; at < value.length; at++) {
    const character = value[at]!
    const pair = character === '\\' && (quoted || depth > 0) ? value.slice(at, ++at + 1) : character
    if (pair === '"' && depth === 0) quoted = !quoted
    if (pair === '(' && !quoted) depth++
    else if (pair === ')' && depth > 0) depth--
    else if (depth === 0) text += pair
  }
  return text
}

const XML_TYPES: ReadonlySet<string> = new Set([BEEP_XML, 'application/xml', 'text/xml'])
const XML_CHARSETS: ReadonlySet<string | undefined> = new Set([undefined, 'utf-8', 'us-ascii'])

/** Whether a message can be read as `application/beep+xml`: the other types of XML are taken for it, and so is none (A28). */
export function isBeepXml(headers: Headers): boolean {
  return isXml(headers) && hasXmlCharset(headers)
}

/** Whether the type of a message is one that channel 0 takes, whatever its charset. */
export function isXml(headers: Headers): boolean {
  const value = headers.get('content-type')
  return value === undefined || value === BEEP_XML || XML_TYPES.has(mediaType(value))
}

function hasXmlCharset(headers: Headers): boolean {
  const value = headers.get('content-type')
  return value === undefined || value === BEEP_XML || XML_CHARSETS.has(parameter(value, 'charset')?.toLowerCase())
}
