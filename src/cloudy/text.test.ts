// Text from the network: no input may control, hide, reorder or fake anything.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anyText } from '../../test/any-text.js'
import { inQuotes, MAX_NICKNAME, sanitise } from './text.js'

/** Written independently of the implementation: code points that may never come out. */
function isForbidden(character: string): boolean {
  const code = character.codePointAt(0)!
  const within = (from: number, to: number) => code >= from && code <= to
  return (
    within(0x00, 0x1f) ||
    within(0x7f, 0x9f) ||
    [0xad, 0x34f, 0x61c, 0xfeff].includes(code) ||
    within(0x200b, 0x200f) ||
    within(0x2028, 0x202e) ||
    within(0x2060, 0x206f) ||
    within(0xd800, 0xdfff) ||
    within(0xe000, 0xf8ff) ||
    within(0xfe00, 0xfe0f) ||
    within(0xe0000, 0xe0fff)
  )
}

const nasty = fc.oneof(
  anyText(),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit))).map((units) => units.join('')),
  fc
    .array(
      fc.constantFrom(
        ...[
          '\x1b',
          '\x1b[31m',
          '\x1b]0;',
          '\x07',
          '\x9b',
          '\x9d',
          '\u202e',
          '\u2066',
          '\u2028',
          '\ud800',
          '\udc00',
          '\u0301',
          '\u030b',
        ],
        ...[
          '“',
          '”',
          '„',
          '«',
          '»',
          '"',
          "'",
          '``',
          '´',
          '\u02dd',
          '\u2033',
          ' ',
          '\u00a0',
          '\u3000',
          '\r\n',
          'e',
          'ᄀ',
          'ᅡ',
          '[',
          ';',
          'm',
          '\u2000',
        ],
      ),
    )
    .map((parts) => parts.join('')),
)

describe('sanitise', () => {
  test('lets nothing through that controls, hides or reorders', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        expect(Array.from(sanitise(text)).filter(isForbidden)).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  test('is normalised, one line, trimmed, and stays the same when done again', () => {
    fc.assert(
      fc.property(nasty, fc.integer({ min: 0, max: 20 }), (text, maxLength) => {
        const once = sanitise(text, maxLength)
        expect(once).toBe(once.normalize('NFC'))
        expect(once).toBe(once.trim())
        expect(once).not.toMatch(/ {2}|[\r\n\t]|^\p{M}/u)
        expect(Array.from(once).length).toBeLessThanOrEqual(maxLength)
        expect(sanitise(once, maxLength)).toBe(once)
      }),
      { numRuns: 1000 },
    )
  })

  test('leaves ordinary names alone', () => {
    for (const name of ['Alice', "O'Brien", 'Zoë', 'Łukasz', '山田太郎', 'Ольга', 'नीता', 'مريم', 'Bob 🙂', 'a-b_c (d)'])
      expect(sanitise(name)).toBe(name)
  })

  test.each([
    ['\x1b[31mred\x1b[0m', 'red'],
    ['\x1b]0;title\x07name', 'name'],
    ['\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\', 'link'],
    ['\x9b2Jgone', 'gone'],
    ['a\x1bcb', 'ab'],
    ['one\r\ntwo\u2028three\x85four', 'one two three four'],
    ['left\u202eright', 'leftright'],
    ['a\u200bb\ufeffc\u00add', 'abcd'],
    ['\ud800x', '\ufffdx'],
    ['  padded \u00a0\t', 'padded'],
    ['e\u0301', 'é'],
    ['\u0301a', 'a'],
    [`a${'\u0323'.repeat(1000)}`, `ạ${'\u0323'.repeat(4)}`],
    ['\u3164\u115f\u2800', ''],
  ])('%j becomes %j', (text, clean) => {
    expect(sanitise(text)).toBe(clean)
  })

  test('counts characters, not halves of them', () => {
    expect(sanitise('🙂🙂🙂', 3)).toBe('🙂🙂🙂')
    expect(sanitise('🙂🙂🙂🙂', 3)).toBe('🙂🙂…')
    expect(sanitise('abcdef', 4)).toBe('abc…')
    expect(sanitise('abc', 0)).toBe('')
  })

  test('takes time in proportion to the text', () => {
    for (const piece of ['\x1b]', '\x9d', '\x1b[', '\x9b1;', ' ', '\u0301', 'a\u0301']) {
      const started = performance.now()
      sanitise(piece.repeat(50_000))
      expect(performance.now() - started).toBeLessThan(2000)
    }
  })
})

describe('inQuotes', () => {
  test('has exactly two quotation marks, at its ends', () => {
    fc.assert(
      fc.property(nasty, (name) => {
        const shown = inQuotes(name)
        expect(shown.startsWith('“') && shown.endsWith('”')).toBe(true)
        expect(shown.slice(1, -1)).not.toMatch(/["“”„‟«»‹›‘’‚‛`´″〝〞＂]/)
        expect(shown.slice(1, -1)).not.toMatch(/^\p{M}/u)
        expect(Array.from(shown).length).toBeLessThanOrEqual(MAX_NICKNAME + 2)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['Alice', '“Alice”'],
    ['Alice” (vouched)', "“Alice' (vouched)”"],
    ['«Bob»', "“'Bob'”"],
    ['"Eve„', "“'Eve'”"],
    ['O’Brien', "“O'Brien”"],
    ['', '“”'],
  ])('%j is shown as %j', (name, shown) => {
    expect(inQuotes(name)).toBe(shown)
  })
})
