// Strict JSON: what two readers could understand differently is refused.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anyCharacter } from '../../test/any-text.js'
import { MAX_JSON_DEPTH, parseJson } from './json.js'
import { ObjectError } from './object-error.js'

const read = (text: string) => parseJson(Buffer.from(text))

describe('parseJson', () => {
  test('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: anyCharacter, maxDepth: 3 }), (value) => {
        const text = JSON.stringify(value)
        if (text.includes('__proto__') || /\\ud[89a-f]/.test(text)) return
        expect(JSON.stringify(read(text))).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  test.each(['', '\\', '"'])(
    'a string that does not end, full of quotation marks, with %j behind it, is refused before nightfall',
    (end) => {
      expect(() => read(`"${'\\"'.repeat(1_000_000)}${end === '"' ? '' : end}`)).toThrow(ObjectError)
      expect(() => read(`[${'"a",'.repeat(200_000)}"${'\\"'.repeat(500_000)}${end}`)).toThrow(ObjectError)
    },
  )

  test.each([
    ['a name twice', '{"a":1,"a":2}'],
    ['a name twice, escaped', '{"a":1,"\\u0061":2}'],
    ['a name twice, deep inside', '{"x":[{"y":{"b":1,"c":{},"b" \n:2}}]}'],
    ['a name twice around a string with brackets', '{"a":"{\\"","b":"}]","a":3}'],
    ['__proto__', '{"__proto__":{}}'],
    ['a lone surrogate', '"\\ud800"'],
    ['a number beyond a double', '[1e400]'],
    ['a byte order mark', '\ufeff{}'],
    ['nothing', ''],
    ['a comma too many', '[1,]'],
    ['two values', '{} {}'],
    ['a control character', '"\n"'],
    ['too deep', `${'['.repeat(MAX_JSON_DEPTH + 1)}${']'.repeat(MAX_JSON_DEPTH + 1)}`],
    ['very deep', '['.repeat(100_000)],
    ['NaN', 'NaN'],
  ])('refuses %s', (_, text) => {
    expect(() => read(text)).toThrow(ObjectError)
  })

  test.each([
    ['the same name in different objects', '{"a":{"a":[{"a":1},{"a":2}]},"b":{"a":3}}'],
    ['a value that equals a name', '{"a":"a","b":"a"}'],
    ['a string with a colon', '[":", "a:", "\\"a\\":"]'],
    ['depth at the limit', `${'['.repeat(MAX_JSON_DEPTH)}${']'.repeat(MAX_JSON_DEPTH)}`],
    ['a pair of surrogates', '"\\ud83d\\ude42"'],
  ])('reads %s', (_, text) => {
    expect(read(text)).toEqual(JSON.parse(text))
  })

  test.each([
    ['an overlong encoding', [0x22, 0xc0, 0x80, 0x22]],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['half a character', [0x22, 0xe2, 0x82, 0x22]],
    ['Latin-1', [0x22, 0xe9, 0x22]],
  ])('refuses what is not UTF-8: %s', (_, octets) => {
    expect(() => parseJson(Uint8Array.from(octets))).toThrow(ObjectError)
  })
})
