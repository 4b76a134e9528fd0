// One element of XML, spelled in as many ways as XML 1.0 has, and in ways that it has not.
import fc from 'fast-check'
import { parseElement } from './element.js'

/** What is to be spelled. Of attributes the order counts for nothing. */
export interface Plain {
  readonly name: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly content?: string | readonly Plain[]
}

/** Choices that a spelling makes, each list taken round and round. */
export interface Style {
  readonly quotes: readonly ("'" | '"')[]
  /** White space between attributes. */
  readonly spaces: readonly string[]
  /** White space around `=` and before `>`. */
  readonly gaps: readonly string[]
  readonly characters: readonly ('plain' | 'decimal' | 'hexadecimal' | 'named')[]
  /** Stands where nothing counts: before and behind the element, and between children. */
  readonly between: readonly string[]
  readonly text: readonly ('plain' | 'cdata' | 'comment')[]
  readonly reversed: boolean
  /** `<ok></ok>` for `<ok />`. */
  readonly paired: boolean
}

const someOf = <T>(...values: readonly T[]) => fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 6 })

/** Any lawful style. Every tool of XML is in it but the XML declaration and DOCTYPE, which §6.4 forbids. */
export const STYLES: fc.Arbitrary<Style> = fc.record({
  quotes: someOf("'" as const, '"' as const),
  spaces: someOf(' ', '  ', '\t', '\n', '\r\n', ' \r\n   '),
  gaps: someOf('', ' ', '\r\n'),
  characters: someOf('plain' as const, 'plain' as const, 'decimal' as const, 'hexadecimal' as const, 'named' as const),
  between: someOf('', '\r\n', '<!-- a comment, of <close> -->', '<?target data?>', '  <!---->\t'),
  text: someOf('plain' as const, 'cdata' as const, 'comment' as const),
  reversed: fc.boolean(),
  paired: fc.boolean(),
})

/** The style that most peers use. */
export const ORDINARY: Style = {
  quotes: ["'"],
  spaces: [' '],
  gaps: [''],
  characters: ['plain'],
  between: [''],
  text: ['plain'],
  reversed: false,
  paired: false,
}

const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;' }

/** Spells an element in a style. */
export function spell(plain: Plain, style: Style): string {
  const next = turns(style)
  const one = ({ name, attributes = {}, content = '' }: Plain): string => {
    const pairs = Object.entries(attributes).map(([key, value]) => {
      const quote = next('quotes')
      const text = [...value].map((each) => character(each, next('characters'))).join('')
      return `${next('spaces')}${key}${next('gaps')}=${next('gaps')}${quote}${text}${quote}`
    })
    const tag = `<${name}${(style.reversed ? pairs.reverse() : pairs).join('')}`
    const inside =
      typeof content === 'string' ? words(content, next) : content.map((each) => next('between') + one(each)).join('')
    if (inside === '' && !style.paired) return `${tag} />`
    const end = typeof content === 'string' ? '' : next('between')
    return `${tag}${next('gaps')}>${inside}${end}</${name}${next('gaps')}>`
  }
  return next('between') + one(plain) + next('between')
}

type Lists = {
  [K in keyof Style as Style[K] extends readonly unknown[] ? K : never]: Style[K] extends readonly (infer T)[] ? T : never
}
type Next = <K extends keyof Lists>(key: K) => Lists[K]

function turns(style: Style): Next {
  const at = new Map<string, number>()
  return (key) => {
    const list = style[key] as readonly Lists[typeof key][]
    const turn = at.get(key) ?? 0
    at.set(key, turn + 1)
    return list[turn % list.length]!
  }
}

function character(each: string, how: Style['characters'][number]): string {
  const code = each.codePointAt(0)!
  if (how === 'decimal') return `&#${code};`
  if (how === 'hexadecimal') return `&#x${code.toString(16)};`
  return NAMED[each] ?? (code < 32 ? `&#${code};` : each)
}

/** Character data in pieces of a few characters, each written another way. */
function words(text: string, next: Next): string {
  return (text.match(/.{1,5}/gsu) ?? [])
    .map((piece) => {
      const how = next('text')
      if (how === 'cdata' && !/]|>|\r/.test(piece)) return `<![CDATA[${piece}]]>`
      return `${how === 'comment' ? '<!-- - -->' : ''}${[...piece].map((each) => character(each, next('characters'))).join('')}`
    })
    .join('')
}

/** Any document that comes of a good one by a small damage and is no XML any more. */
export function malformed(good: string): fc.Arbitrary<string> {
  const place = fc.nat(good.length - 1)
  const damage = fc.oneof(
    place.map((at) => good.slice(0, at)),
    place.map((at) => good.slice(0, at) + good.slice(at + 1)),
    fc
      .tuple(
        place,
        fc.constantFrom('<', '&', "'", '"', '\u0001', '\uffff', '</x>', '<x>', '&nbsp;', '&#0;', '&#xD800;', '<!--', ']]>', '<?'),
      )
      .map(([at, octets]) => good.slice(0, at) + octets + good.slice(at)),
    fc.constantFrom('text', '<!-- -->', good).map((more) => (more === '<!-- -->' ? more : good + more)),
    fc.string({ maxLength: 30 }),
  )
  return damage.filter(isMalformed)
}

/** Whether a strict parser refuses it. */
export function isMalformed(document: string): boolean {
  try {
    parseElement(document)
    return false
  } catch {
    return true
  }
}
