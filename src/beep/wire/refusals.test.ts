// The words with which the wire refuses: they go into replies, errors and logs, so each names what is wrong.
import { describe, expect, test } from '@jest/globals'
import { MAX_NUMBER } from '../limits.js'
import { type Element, formatElement, parseElement, parseSimple } from './elements.js'
import { EntityReader, formatEntity } from './entity.js'

const octets = (text: string) => Buffer.from(text, 'latin1')
const long = 'x'.repeat(64)
const start = (profile: string) => `<start number='1'>${profile}</start>`

describe('reading', () => {
  test.each([
    ['', '1:0: document must contain a root element.'],
    ['\xff', 'not UTF-8'],
    ['<ok/>'.padEnd(300_000), 'longer than 262144 octets'],
    ['<!DOCTYPE ok><ok/>', 'DOCTYPE is not allowed (RFC 3080 §6.4)'],
    ["<?xml version='1.1'?><ok/>", 'XML version 1.1; only 1.0 is understood'],
    ["<?xml version='1.0' encoding='latin1'?><ok/>", 'encoding latin1; only UTF-8 is understood'],
    ['<a>'.repeat(17), 'elements are nested deeper than 16'],
    [`<${long}/>`, `<${long}> is not an element of channel management`],
    [`<${long}y/>`, `<${long}…> is not an element of channel management`],
    ['<ok>x</ok>', '<ok> holds text'],
    ['<ok><a/></ok>', '<ok> holds <a>'],
    ["<start number='1'><ok/></start>", '<start> holds <ok>'],
    ["<start number='1'/>", '<start> needs a <profile>'],
    ["<start><profile uri='u:x'/></start>", '<start> needs the attribute number'],
    [start('<profile/>'), '<profile> needs the attribute uri'],
    ["<close number='1'/>", '<close> needs the attribute code'],
    ["<start number='01'><profile uri='u:x'/></start>", "number is '01', not a channel number (1..2147483647)"],
    ["<close code='200' number='-1'/>", "number is '-1', not a channel number (0..2147483647)"],
    ["<close code='600'/>", "code is '600', not three digits of which the first is 1 to 5"],
    [start("<profile uri='u:x' encoding='hex'/>"), "encoding is 'hex', neither none nor base64"],
    [start("<profile uri='u:x' encoding='base64'>a</profile>"), 'the content of <profile> is not base64'],
    [start(`<profile uri='u:x'>${'x'.repeat(4097)}</profile>`), 'the content of <profile> is longer than 4096 octets'],
  ])('%.60s', (xml, message) => {
    expect(() => parseElement(octets(xml))).toThrow(expect.objectContaining({ message }))
  })

  test('a document of exactly the longest length is read, an octet more is not', () => {
    expect(parseSimple(octets('<ok/> '), 6).name).toBe('ok')
    expect(() => parseSimple(octets('<ok/> '), 5)).toThrow('longer than 5 octets')
  })

  test('entity headers that are too long', () => {
    expect(() => new EntityReader(10).push(octets('A: bcdefghijkl'))).toThrow(/more than 10 octets without the empty line/)
  })
})

describe('writing', () => {
  const write = (element: unknown) => () => formatElement(element as Element)

  test.each([
    [{ name: 'start', number: 1, profiles: [] }, 'A <start> proposes at least one profile (RFC 3080 §2.3.1.2)'],
    [{ name: 'start', number: 0, profiles: [{ uri: 'u:x' }] }, 'A channel number is 1..2147483647 here; got 0'],
    [{ name: 'close', number: 0.5, code: 200, text: '' }, 'A channel number is 0..2147483647 here; got 0.5'],
    [{ name: 'close', number: MAX_NUMBER + 1, code: 200, text: '' }, 'A channel number is 0..2147483647 here; got 2147483648'],
    [{ name: 'close', number: 1, code: 20, text: '' }, 'A reply code has three digits, the first 1 to 5 (RFC 3080 §7.1); got 20'],
    [{ name: 'error', code: 550, text: '', lang: '\0' }, 'The attribute xml:lang holds a character that XML cannot carry'],
    [
      { name: 'greeting', features: ['a b'], localize: [], profiles: [] },
      'A feature or a language tag is one token without white space',
    ],
    [
      { name: 'profile', uri: 'u:x', content: octets('x'.repeat(4097)) },
      'An initialization message has at most 4096 octets as written (RFC 3080 §2.3.1.2); got 4097',
    ],
  ])('%j', (element, message) => {
    expect(write(element)).toThrow(message)
  })

  test('what is at the edge is written', () => {
    expect(write({ name: 'close', number: MAX_NUMBER, code: 200, text: '' })()).toContain(`number='${MAX_NUMBER}'`)
    expect(write({ name: 'profile', uri: 'u:x', content: octets('x'.repeat(4096)) })()).toHaveLength(4096 + 29)
  })

  test.each([
    [{ headers: { 'a b': 'c' } }, 'The name of an entity header is a token (RFC 2045 §5.1)'],
    [{ headers: { a: 'b\r\nc' } }, 'The entity header a has a value that is not printable US-ASCII'],
    [{ contentType: 'a/b', headers: { 'content-type': 'c/d' } }, 'An entity header comes twice'],
  ])('%j', (headers, message) => {
    expect(() => formatEntity(headers)).toThrow(message)
  })
})
