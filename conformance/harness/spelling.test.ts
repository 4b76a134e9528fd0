// Every spelling means the same; what is called malformed is refused by another parser, too.
import { Buffer } from 'node:buffer'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ElementError, parseSimple } from '../../src/beep/wire/elements.js'
import { parseElement } from './element.js'
import { malformed, ORDINARY, STYLES, spell } from './spelling.js'

const TEXT = fc.string({ maxLength: 30 })
const URI = fc.string({ minLength: 1, maxLength: 30 })

describe('spellings', () => {
  test('mean what the ordinary one means', () => {
    fc.assert(
      fc.property(STYLES, URI, TEXT, TEXT, (style, uri, text, serverName) => {
        const profile = { name: 'profile', attributes: { uri, encoding: 'none' }, content: text }
        const plain = { name: 'start', attributes: { number: '1', serverName }, content: [profile, { name: 'profile' }] }
        const { attributes, children, notes } = parseElement(spell(plain, style))
        expect(attributes).toEqual({ number: '1', serverName })
        expect(children.map((child) => [child.name, child.attributes, child.text])).toEqual([
          ['profile', { uri, encoding: 'none' }, text],
          ['profile', {}, ''],
        ])
        expect(notes).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  test('the ordinary one is the one of the RFC', () => {
    const profile = { name: 'profile', attributes: { uri: 'http://iana.org/beep/TLS' } }
    expect(spell({ name: 'greeting', content: [profile] }, ORDINARY)).toBe(
      "<greeting><profile uri='http://iana.org/beep/TLS' /></greeting>",
    )
    expect(spell({ name: 'error', attributes: { code: '550' }, content: 'a < b' }, ORDINARY)).toBe(
      "<error code='550'>a &lt; b</error>",
    )
  })
})

test('what is malformed is malformed for the engine, too', () => {
  fc.assert(
    fc.property(malformed("<close number='1' code='200'>bye</close>"), (document) => {
      expect(() => parseSimple(Buffer.from(document))).toThrow(ElementError)
    }),
    { numRuns: 200 },
  )
})
