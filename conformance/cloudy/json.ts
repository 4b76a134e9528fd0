// The JSON of signed objects: so strict that no two readers understand the same octets differently.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { envelope, jsonOf, signedObject } from './kit/objects.js'
import { giveAccepted, giveRefused } from './kit/visit.js'

/** Of arrays and objects, the envelope with them. */
const MAX_DEPTH = 32
const STRICT = 'JSON is UTF-8 without a byte order mark'

/** An ordinary envelope whose value is this text, as it stands. */
function valued(text: string | Uint8Array): Buffer {
  const [before = '', behind = ''] = JSON.stringify(envelope({ value: 0 })).split('"value":0')
  return Buffer.concat([
    Buffer.from(`${before}"value":`),
    typeof text === 'string' ? Buffer.from(text) : text,
    Buffer.from(behind),
  ])
}

const nested = (depth: number) => valued('['.repeat(depth - 1) + ']'.repeat(depth - 1))
const plain = () => jsonOf(envelope()).toString()
const inText = (hex: string) => valued(Buffer.concat([Buffer.from('"a'), Buffer.from(hex, 'hex'), Buffer.from('b"')]))

/** Content that is no JSON, or not this strict one: slug, what it is, the rule, and how it is made. */
const WRONG: readonly (readonly [slug: string, title: string, rule: string, make: () => Buffer])[] = [
  [
    'byte-order-mark',
    'a byte order mark',
    'CLOUDY-JSON-01',
    () => Buffer.concat([Buffer.from('efbbbf', 'hex'), Buffer.from(plain())]),
  ],
  ['utf-16', 'UTF-16', 'CLOUDY-JSON-01', () => Buffer.from(plain(), 'utf16le')],
  [
    'name-twice',
    'a name twice in the envelope',
    'CLOUDY-JSON-02',
    () => Buffer.from(plain().replace('{', '{"type":"conform/other",')),
  ],
  ['surrogate-escaped', 'a lone surrogate, escaped', 'CLOUDY-JSON-03', () => valued('"\\ud800"')],
  ['surrogate-in-name', 'a lone surrogate in a name', 'CLOUDY-JSON-03', () => valued('{"\\udfff":1}')],
  ['too-deep', 'nesting of 33', 'CLOUDY-JSON-04', () => nested(33)],
  ['much-too-deep', 'nesting of 10,000', 'CLOUDY-JSON-04', () => nested(10_000)],
  ['comma-behind', 'a comma behind the last member', 'CLOUDY-JSON-06', () => Buffer.from(plain().replace(/}$/, ',}'))],
  ['comment', 'a comment', 'CLOUDY-JSON-06', () => valued('1/* one */')],
  ['single-quotes', 'single quotes', 'CLOUDY-JSON-06', () => valued("'hello'")],
  ['not-a-number', 'NaN', 'CLOUDY-JSON-06', () => valued('NaN')],
  ['two-texts', 'two texts one after the other', 'CLOUDY-JSON-06', () => Buffer.from(plain() + plain())],
  ['empty', 'nothing', 'CLOUDY-JSON-06', () => Buffer.alloc(0)],
]

/** Spells some characters of a name by escapes: it is the same name. */
function spelled(name: string, escapes: readonly boolean[]): string {
  const units = Array.from({ length: name.length }, (_, at) => name.charCodeAt(at))
  return `"${units
    .map((unit, at) =>
      escapes[at % escapes.length] || unit < 0x20 || unit === 0x22 || unit === 0x5c
        ? `\\u${unit.toString(16).padStart(4, '0')}`
        : String.fromCharCode(unit),
    )
    .join('')}"`
}

export const json = section('cloudy/json', 'The JSON of objects', [
  ...WRONG.map(([slug, title, rule, make]) =>
    must(
      slug,
      {
        title,
        judges: [rule],
        quote: STRICT,
        sends: 'an object with such content, signed',
        expects: 'ERR 553, and the session lives',
      },
      (peer) => giveRefused(peer, ({ who }) => signedObject(who, make())),
    ),
  ),
  must(
    'deepest',
    {
      title: 'nesting of 32',
      judges: ['CLOUDY-JSON-04'],
      quote: 'nested no deeper than 32',
      sends: 'an object with such content, signed',
      expects: 'its digest',
    },
    (peer) => giveAccepted(peer, ({ who }) => signedObject(who, nested(32))),
  ),
  must.hold(
    'any-depth',
    {
      title: 'nesting of any depth, of arrays and objects',
      judges: ['CLOUDY-JSON-04'],
      quote: 'nested no deeper than 32',
      sends: 'an object with such content, signed',
      expects: 'its digest up to 32; ERR 553 beyond, and the session lives',
      samples: fc.oneof(
        fc.array(fc.boolean(), { minLength: 28, maxLength: 35 }),
        fc.array(fc.boolean(), { maxLength: 300, size: 'max' }),
      ),
    },
    (peer, arrays) => {
      const text = arrays.reduceRight((inside, array) => (array ? `[${inside}]` : `{"in":${inside}}`), '0')
      const give = arrays.length < MAX_DEPTH ? giveAccepted : giveRefused
      return give(peer, ({ who }) => signedObject(who, valued(text)))
    },
  ),
  must.hold(
    'no-json',
    {
      title: 'any octets in place of JSON',
      judges: ['CLOUDY-JSON-06'],
      quote: 'Its content (id-data) is a JSON object',
      sends: 'an object with such content, signed',
      expects: 'ERR 553, and the session lives',
      samples: fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ maxLength: 100 }).map((text) => Buffer.from(text)),
      ),
    },
    (peer, content) => giveRefused(peer, ({ who }) => signedObject(who, content)),
  ),
  must.hold(
    'any-name-twice',
    {
      title: 'any name twice in an object of the value, spelled with or without escapes, at any depth',
      judges: ['CLOUDY-JSON-02'],
      quote: 'without a name twice in one object',
      sends: 'an object with such content, signed',
      expects: 'ERR 553, and the session lives',
      samples: fc.record({
        name: fc.string({ maxLength: 12 }).filter((name) => name !== '__proto__'),
        escapes: fc.tuple(
          fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
          fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
        ),
        depth: fc.nat(5),
      }),
    },
    (peer, { name, escapes, depth }) =>
      giveRefused(peer, ({ who }) => {
        const [one, two] = escapes
        const twice = `{${spelled(name, one)}:1,"between-${name.length}":0,${spelled(name, two)}:2}`
        return signedObject(who, valued(`${'['.repeat(depth)}${twice}${']'.repeat(depth)}`))
      }),
  ),
  must.hold(
    'bad-utf-8',
    {
      title: 'octets that are no UTF-8 inside a text',
      judges: ['CLOUDY-JSON-01'],
      quote: 'JSON is UTF-8',
      sends: 'an object with such content, signed',
      expects: 'ERR 553, and the session lives',
      samples: fc.oneof(
        fc.constantFrom(
          '80',
          'bf',
          'c0af',
          'c1bf',
          'e08080',
          'eda080',
          'edbfbf',
          'f0808080',
          'f4908080',
          'f5808080',
          'fe',
          'ff',
          'c3',
          'e282',
          'f09f98',
        ),
        fc.integer({ min: 0x80, max: 0xff }).map((octet) => octet.toString(16)),
      ),
    },
    (peer, hex) => giveRefused(peer, ({ who }) => signedObject(who, inText(hex))),
  ),
])
