// The XML of channel 0 to values and back: the six elements of RFC 3080 §7.1, and the subset of XML that §6.4 allows.
// A document is first read as XML (what fails there is 500), then against the DTD, which lives here as data (501).
import { Buffer } from 'node:buffer'
import { SaxesParser } from 'saxes'
import { DEFAULT_LIMITS, MAX_INITIALIZATION, MAX_NUMBER } from '../limits.js'
import { isReplyCode } from '../reply-code.js'

/** A `<profile>`: its identification and, in a `<start>` or its reply, the initialization message (RFC 3080 §2.3.1.2). */
export interface ProfileElement {
  readonly uri: string
  /** The initialization message, decoded. Absent when the element holds nothing but white space. */
  readonly content?: Uint8Array | undefined
}

/** What a message on channel 0 can say (RFC 3080 §2.3.1, §7.1). */
export type Element =
  /** §2.3.1.1. `localize` is `['i-default']` when the attribute is absent. */
  | {
      readonly name: 'greeting'
      readonly features: readonly string[]
      readonly localize: readonly string[]
      readonly profiles: readonly string[]
    }
  /** §2.3.1.2. */
  | {
      readonly name: 'start'
      readonly number: number
      readonly serverName?: string | undefined
      readonly profiles: readonly ProfileElement[]
    }
  /** §2.3.1.2, the positive reply to a start. */
  | ({ readonly name: 'profile' } & ProfileElement)
  /** §2.3.1.3; number 0, the default, releases the session (§2.4). */
  | {
      readonly name: 'close'
      readonly number: number
      readonly code: number
      readonly text: string
      readonly lang?: string | undefined
    }
  /** §2.3.1.4. */
  | { readonly name: 'ok' }
  /** §2.3.1.5. */
  | { readonly name: 'error'; readonly code: number; readonly text: string; readonly lang?: string | undefined }

type Name = Element['name']
type Named<N extends Name> = Extract<Element, { name: N }>

/** Any element of `application/beep+xml`, read without knowledge of its DTD: the form that tuning profiles use (RFC 3080 §7.2, §7.3). */
export interface SimpleElement {
  readonly name: string
  /** Values as written, entities resolved. The object has no prototype. */
  readonly attributes: Readonly<Record<string, string>>
  /** All character data and CDATA that stand directly in the element, joined. */
  readonly text: string
  readonly children: readonly SimpleElement[]
}

/** The octets are not what RFC 3080 §7.1 allows. A MSG is answered with `replyCode`; in a reply it ends the session (§2.2.2.1). */
export class ElementError extends Error {
  override readonly name = 'ElementError'
  /** 500: not well-formed, or outside the subset of §6.4. 501: well-formed, not valid. */
  readonly replyCode: 500 | 501 | 504

  constructor(replyCode: 500 | 501 | 504, message: string) {
    super(message)
    this.replyCode = replyCode
  }
}

/** No element of the RFC holds elements two levels down; a document that nests deeper than this is not read to its end. */
const MAX_DEPTH = 16
/** Longest piece of a peer's text that we repeat in a message of ours. */
const MAX_QUOTE = 64

const FIVE_ENTITIES: Record<string, string> = Object.assign(Object.create(null), {
  amp: '&',
  lt: '<',
  gt: '>',
  apos: "'",
  quot: '"',
})

const ENCODER = new TextEncoder()
// A byte order mark is the parser's to skip, and to skip only once.
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const BLANK = /^[\t\n\r ]*$/
const WHITE_SPACE = /[\t\n\r ]+/

// Reading: octets -> any element

function malformed(message: string): never {
  throw new ElementError(500, message)
}

function invalid(message: string): never {
  throw new ElementError(501, message)
}

function quote(text: string, max = MAX_QUOTE): string {
  return text.length > max ? `${text.slice(0, max)}…` : text
}

/** The text of UTF-8 octets, or undefined when they are not UTF-8. */
function decode(octets: Uint8Array): string | undefined {
  try {
    return DECODER.decode(octets)
  } catch {
    return undefined
  }
}

/**
 * Reads any one element under the rules of RFC 3080 §6.4: UTF-8, the five entities, no DOCTYPE; comments and processing
 * instructions are passed over. An XML declaration is not lawful, but common: it may say 1.0 and UTF-8.
 * @param octets the body of the message, without its entity headers
 * @throws ElementError 500
 */
export function parseSimple(octets: Uint8Array, maxOctets: number = DEFAULT_LIMITS.maxManagement): SimpleElement {
  if (octets.length > maxOctets) malformed(`longer than ${maxOctets} octets`)
  const document = decode(octets) ?? malformed('not UTF-8')
  type Open = { name: string; attributes: Record<string, string>; text: string; children: Open[] }
  const open: Open[] = []
  let root: Open | undefined
  const append = (text: string) => {
    const top = open.at(-1)
    if (top !== undefined) top.text += text
  }
  const parser = new SaxesParser({ xmlns: false, defaultXMLVersion: '1.0', forceXMLVersion: true })
  parser.ENTITIES = FIVE_ENTITIES
  parser.on('error', (error) => malformed(quote(error.message, 2 * MAX_QUOTE)))
  parser.on('doctype', () => malformed('DOCTYPE is not allowed (RFC 3080 §6.4)'))
  parser.on('xmldecl', ({ version, encoding = 'utf-8' }) => {
    if (version !== '1.0') malformed(`XML version ${quote(String(version))}; only 1.0 is understood`)
    if (encoding.toLowerCase() !== 'utf-8') malformed(`encoding ${quote(encoding)}; only UTF-8 is understood`)
  })
  parser.on('opentag', ({ name, attributes }) => {
    if (open.length === MAX_DEPTH) malformed(`elements are nested deeper than ${MAX_DEPTH}`)
    const element: Open = { name, attributes, text: '', children: [] }
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  parser.on('text', append)
  parser.on('cdata', append)
  parser.write(document).close()
  return root ?? malformed('no element')
}

// Reading: any element -> one of the six. What the DTD of §7.1 says is in the two tables.

/** What an element may contain. White space between elements does not count, nor does it in `<ok>`. */
const CONTENT: Readonly<Record<Name, 'profiles' | 'text' | 'nothing'>> = {
  greeting: 'profiles',
  start: 'profiles',
  profile: 'text',
  close: 'text',
  ok: 'nothing',
  error: 'text',
}

const READERS: { readonly [N in Name]: (element: SimpleElement) => Named<N> } = {
  // An initialization message in a greeting has no meaning (§2.3.1.1) and is passed over.
  greeting: ({ attributes, children }) => ({
    name: 'greeting',
    features: tokens(attributes.features),
    localize: attributes.localize === undefined || BLANK.test(attributes.localize) ? ['i-default'] : tokens(attributes.localize),
    profiles: children.map((profile) => required(profile, 'uri')),
  }),
  start: (element) => {
    if (element.children.length === 0) invalid('<start> needs a <profile>')
    return {
      name: 'start',
      number: channelNumber(required(element, 'number'), 1),
      ...optional('serverName', element.attributes.serverName),
      profiles: element.children.map((profile) => readProfile(profile, MAX_INITIALIZATION)),
    }
  },
  // The 4K of §2.3.1.2 are said of a <start> alone; the reply to it is bounded by the length of the message.
  profile: (element) => ({ name: 'profile', ...readProfile(element, Number.POSITIVE_INFINITY) }),
  close: (element) => ({
    name: 'close',
    number: channelNumber(element.attributes.number ?? '0', 0),
    ...readDiagnostic(element),
  }),
  ok: () => ({ name: 'ok' }),
  error: (element) => ({ name: 'error', ...readDiagnostic(element) }),
}

/**
 * Reads a message of channel 0 (RFC 3080 §2.3.1). Attributes that the DTD does not know are ignored; everything else
 * that it does not allow is refused.
 * @param octets the body of the message, without its entity headers
 * @throws ElementError 500 or 501
 */
export function parseElement(octets: Uint8Array, maxOctets: number = DEFAULT_LIMITS.maxManagement): Element {
  const element = parseSimple(octets, maxOctets)
  checkContent(element)
  return READERS[element.name as Name](element)
}

function checkContent({ name, text, children }: SimpleElement): void {
  if (!Object.hasOwn(CONTENT, name)) invalid(`<${quote(name)}> is not an element of channel management`)
  const content = CONTENT[name as Name]
  if (content !== 'text' && !BLANK.test(text)) invalid(`<${name}> holds text`)
  for (const child of children) {
    if (content !== 'profiles' || child.name !== 'profile') invalid(`<${name}> holds <${quote(child.name)}>`)
    checkContent(child)
  }
}

function required({ name, attributes }: SimpleElement, attribute: string): string {
  return attributes[attribute] ?? invalid(`<${name}> needs the attribute ${attribute}`)
}

function optional<K extends string>(key: K, value: string | undefined): { readonly [key in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: string })
}

/** The tokens of an NMTOKENS attribute. */
function tokens(value = ''): string[] {
  return value.split(WHITE_SPACE).filter((token) => token !== '')
}

function channelNumber(value: string, least: number): number {
  const number = /^(?:0|[1-9][0-9]{0,9})$/.test(value) ? Number(value) : Number.NaN
  return number >= least && number <= MAX_NUMBER
    ? number
    : invalid(`number is '${quote(value)}', not a channel number (${least}..${MAX_NUMBER})`)
}

function readDiagnostic(element: SimpleElement): { code: number; text: string; lang?: string } {
  const code = required(element, 'code')
  if (!/^[1-5][0-9][0-9]$/.test(code)) invalid(`code is '${quote(code)}', not three digits of which the first is 1 to 5`)
  const [lang] = tokens(element.attributes['xml:lang'])
  return { code: Number(code), text: element.text, ...optional('lang', lang) }
}

const DECODERS: Readonly<Record<string, (text: string) => Uint8Array>> = {
  none: (text) => ENCODER.encode(text),
  base64: (text) => {
    const packed = text.replaceAll(new RegExp(WHITE_SPACE, 'g'), '')
    const octets = Buffer.from(packed, 'base64')
    // Only the one canonical form comes back unchanged: no foreign characters, no missing padding, no stray bits.
    if (octets.toString('base64') !== packed) invalid('the content of <profile> is not base64')
    return new Uint8Array(octets)
  },
}

function readProfile(profile: SimpleElement, maxContent: number): ProfileElement {
  const uri = required(profile, 'uri')
  const { encoding = 'none' } = profile.attributes
  if (!Object.hasOwn(DECODERS, encoding)) invalid(`encoding is '${quote(encoding)}', neither none nor base64`)
  if (Buffer.byteLength(profile.text) > maxContent) invalid(`the content of <profile> is longer than ${maxContent} octets`)
  // Pretty-printing puts line breaks into a <profile> that carries nothing (T34).
  if (BLANK.test(profile.text)) return { uri }
  return { uri, content: DECODERS[encoding]!(profile.text) }
}

// Writing. The form is the one that most known peers read: one line, single quotes, ` />`, entities; CDATA for XML that rides in a <profile> alone,
// as RFC 3080 §3.1.1 prints it: a peer in use compares what stands there, unresolved, with `<ready />`.

const WRITERS: { readonly [N in Name]: (element: Named<N>) => string } = {
  greeting: ({ features, localize, profiles }) =>
    write(
      'greeting',
      {
        features: features.length === 0 ? undefined : features.map(checkToken).join(' '),
        localize:
          localize.length === 0 || (localize.length === 1 && localize[0] === 'i-default')
            ? undefined
            : localize.map(checkToken).join(' '),
      },
      profiles.map((uri) => write('profile', { uri })).join(''),
    ),
  start: ({ number, serverName, profiles }) => {
    if (profiles.length === 0) throw new TypeError('A <start> proposes at least one profile (RFC 3080 §2.3.1.2)')
    return write('start', { number: checkNumber(number, 1), serverName }, profiles.map(writeProfile).join(''))
  },
  profile: writeProfile,
  close: ({ number, code, text, lang }) =>
    write('close', { number: checkNumber(number, 0), code: checkCode(code), 'xml:lang': lang }, escapeText(text)),
  ok: () => write('ok', {}),
  error: ({ code, text, lang }) => write('error', { code: checkCode(code), 'xml:lang': lang }, escapeText(text)),
}

/**
 * Writes a message of channel 0 (RFC 3080 §2.3.1, §6.4: no XML declaration, no DOCTYPE). In diagnostic texts U+FFFD
 * stands for characters that XML 1.0 cannot carry.
 * @throws TypeError or RangeError when the element is one that no peer may send
 */
export function formatElement(element: Element): string {
  return (WRITERS[element.name] as (element: Element) => string)(element)
}

/** The same, as the octets that a message carries. */
export function encodeElement(element: Element): Uint8Array {
  return Buffer.from(formatElement(element))
}

/**
 * Writes any element without child elements, in the same form; attributes that are undefined are left out.
 * @throws TypeError when an attribute holds a character that XML 1.0 cannot carry
 */
export function formatSimple(name: string, attributes: Readonly<Record<string, string | undefined>> = {}, text = ''): string {
  return write(name, attributes, escapeText(text))
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
  // White space that the reader's XML parser would otherwise turn into spaces or line feeds.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}
const escapeCharacter = (character: string): string => ESCAPES[character]!

/** Everything that is not a Char of XML 1.0 §2.2: control characters, lone surrogates, U+FFFE and U+FFFF. */
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu

/** What most texts and attributes are: nothing in them needs an escape. */
const PLAIN = /^[ !#-%(-;=?-~]*$/

function escapeText(text: string): string {
  if (PLAIN.test(text)) return text
  return text.replace(NOT_XML, '\uFFFD').replace(/[&<>\r]/g, escapeCharacter)
}

function escapeAttribute(key: string, value: string): string {
  if (PLAIN.test(value)) return value
  if (value.search(NOT_XML) !== -1) throw new TypeError(`The attribute ${key} holds a character that XML cannot carry`)
  return value.replace(/[&<>'"\t\n\r]/g, escapeCharacter)
}

function write(name: string, attributes: Readonly<Record<string, string | undefined>>, content = ''): string {
  let tag = `<${name}`
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue
    tag += ` ${key}='${escapeAttribute(key, value)}'`
  }
  return content === '' ? `${tag} />` : `${tag}>${content}</${name}>`
}

function writeProfile({ uri, content }: ProfileElement): string {
  if (content === undefined) return write('profile', { uri })
  const text = decode(content)
  // White space alone would be taken for pretty-printing.
  const plain = text !== undefined && text.search(NOT_XML) === -1 && (text === '' || !BLANK.test(text))
  const data = plain ? text : Buffer.from(content).toString('base64')
  const size = plain ? content.length : data.length
  if (size > MAX_INITIALIZATION)
    throw new RangeError(
      `An initialization message has at most ${MAX_INITIALIZATION} octets as written (RFC 3080 §2.3.1.2); got ${size}`,
    )
  return write(
    'profile',
    { uri, encoding: plain ? undefined : 'base64' },
    isMarkup(data) ? `<![CDATA[${data}]]>` : escapeText(data),
  )
}

/** Whether it reads better in CDATA, and can stand there: nothing ends it early, and no CR is lost to line-end normalisation. */
function isMarkup(data: string): boolean {
  return /[<&]/.test(data) && !/]]>|\r/.test(data)
}

function checkToken(token: string): string {
  if (token === '' || WHITE_SPACE.test(token)) throw new TypeError('A feature or a language tag is one token without white space')
  return token
}

function checkNumber(number: number, least: number): string {
  if (!Number.isInteger(number) || number < least || number > MAX_NUMBER)
    throw new RangeError(`A channel number is ${least}..${MAX_NUMBER} here; got ${number}`)
  return String(number)
}

function checkCode(code: number): string {
  if (!isReplyCode(code)) throw new RangeError(`A reply code has three digits, the first 1 to 5 (RFC 3080 §7.1); got ${code}`)
  return String(code)
}
