// MIME entities: the outcome never depends on where a message is cut, and only what is a header block is taken for one.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ProtocolError } from '../errors.js'
import { MAX_FIELD_NAME } from '../limits.js'
import { runs } from '../test-kit-runs.js'
import {
  contentType,
  EntityReader,
  formatEntity,
  type Headers,
  isBeepXml,
  mediaType,
  NO_HEADERS,
  parameter,
  splitEntity,
} from './entity.js'

const octets = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
const text = (...parts: Uint8Array[]) => Buffer.concat(parts).toString('latin1')

type Outcome = { headers: Record<string, string>; body: string } | 'too long'

/** What an EntityReader makes of a message that comes in these pieces. */
function read(pieces: readonly Uint8Array[], maxHeaders = 1000): Outcome {
  const reader = new EntityReader(maxHeaders)
  const body: Uint8Array[] = []
  try {
    for (const piece of pieces) body.push(...(reader.push(piece) ?? []))
  } catch (error) {
    if (error instanceof ProtocolError && error.rule === 'limits/entity-headers') return 'too long'
    throw error
  }
  body.push(...reader.finish())
  return { headers: Object.fromEntries(reader.headers), body: text(...body) }
}

const whole = (message: string, maxHeaders?: number) => read([octets(message)], maxHeaders)
const headersOf = (contentType: string): Headers => new Map([['content-type', contentType]])

// Messages that are headers, nearly headers, or nothing of the kind.
const scrap = fc.constantFrom(
  '\r\n',
  '\r',
  '\n',
  ':',
  ' ',
  '\t',
  'A',
  'Content-Type',
  ': text/plain',
  '(',
  '\0',
  '\xe9',
  'Content-Type: application/beep+xml\r\n',
  'x-a:b\r\n',
  '\r\n\r\n',
)
const message = fc.array(scrap, { maxLength: 20 }).map((parts) => parts.join(''))
const name = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/)
const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,20}[!-~])?)?$/)

/** `message` cut at the given places. */
function cut(message: string, cuts: readonly number[]): Uint8Array[] {
  const places = [...cuts.map((place) => place % (message.length + 1)), 0, message.length].sort((a, b) => a - b)
  return places.slice(1).map((end, i) => octets(message).subarray(places[i], end))
}

describe('properties', () => {
  test('R3080-2.2-09 T40 a message may be cut anywhere', () => {
    fc.assert(
      fc.property(message, fc.array(fc.nat(400)), fc.constantFrom(2, 10, 37, 38, 39, 60, 1000), (whole, cuts, max) => {
        expect(read(cut(whole, cuts), max)).toEqual(read([octets(whole)], max))
        expect(
          read(
            [...octets(whole)].map((octet) => Uint8Array.of(octet)),
            max,
          ),
        ).toEqual(read([octets(whole)], max))
      }),
      runs(500),
    )
  })

  test('what is not a header block stays in the body, octet by octet', () => {
    fc.assert(
      fc.property(message, (whole) => {
        const outcome = read([octets(whole)])
        if (outcome === 'too long') throw new Error('too long')
        expect(whole.endsWith(outcome.body)).toBe(true)
        const block = whole.slice(0, whole.length - outcome.body.length)
        expect(block).toMatch(/^$|^\r\n$|^[A-Za-z].*\r\n\r\n$/s)
        if (block.length <= 2) expect(outcome.headers).toEqual({})
      }),
    )
  })

  test('splitEntity agrees with the reader', () => {
    fc.assert(
      fc.property(message, (whole) => {
        const entity = splitEntity(octets(whole))
        if (entity !== undefined)
          expect({ headers: Object.fromEntries(entity.headers), body: text(entity.body) }).toEqual(read([octets(whole)]))
        else expect(read([octets(whole)])).toEqual({ headers: {}, body: whole })
      }),
    )
  })

  test('what is written is read back the same', () => {
    const fields = fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key.toLowerCase(), maxLength: 5 })
    fc.assert(
      fc.property(fields, fc.option(value, { nil: undefined }), fc.string(), (fields, type, body) => {
        const headers = Object.fromEntries(fields.filter(([key]) => key.toLowerCase() !== 'content-type' && key !== '__proto__'))
        const expected = Object.fromEntries(Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value]))
        expect(whole(text(formatEntity({ contentType: type, headers }), octets(body)))).toEqual({
          headers: type === undefined ? expected : { ...expected, 'content-type': type },
          body: text(octets(body)),
        })
      }),
    )
  })
})

describe('reading', () => {
  test.each([
    ['R3080-2.2-01 one header', 'Content-Type: text/plain\r\n\r\nhello', { 'content-type': 'text/plain' }, 'hello'],
    ['R3080-2.2-02 R3080-2.2-10 A29 no headers: the empty line', '\r\nhello', {}, 'hello'],
    ['T41 a body that looks like a header', '\r\nA: b', {}, 'A: b'],
    [
      'the headers of channel 0',
      'Content-Type: application/beep+xml\r\n\r\n<ok />',
      { 'content-type': 'application/beep+xml' },
      '<ok />',
    ],
    [
      'R3080-2.2-04 another header alone',
      'Content-Transfer-Encoding: binary\r\n\r\n\0\x01',
      { 'content-transfer-encoding': 'binary' },
      '\0\x01',
    ],
    [
      'R3080-2.2-11 names in any case, no space',
      'CONTENT-TYPE:Application/BEEP+XML\r\n\r\n',
      { 'content-type': 'Application/BEEP+XML' },
      '',
    ],
    ['R3080-2.2-11 folding', 'A: b;\r\n c\r\n\t  d\r\nE:\r\n f\r\n\r\nx', { a: 'b; c d', e: 'f' }, 'x'],
    ['white space around a value', 'A: \t b \t\r\n\r\n', { a: 'b' }, ''],
    ['an empty value', 'A:\r\nB: \r\n\r\n', { a: '', b: '' }, ''],
    ['of a repeated header the first counts', 'A: 1\r\na: 2\r\n\r\n', { a: '1' }, ''],
    ['a colon in a value', 'A: b:c\r\n\r\n', { a: 'b:c' }, ''],
    ['an empty line in the body', '\r\n\r\nx', {}, '\r\nx'],
    ['UTF-8 in a value', 'A: \xc3\xa9\r\n\r\n', { a: 'é' }, ''],
    [
      'a name that every object has',
      '__proto__: x\r\nconstructor: y\r\n\r\n',
      JSON.parse('{"__proto__":"x","constructor":"y"}'),
      '',
    ],
  ])('%s', (_, message, headers, body) => {
    expect(whole(message)).toEqual({ headers, body })
  })

  test.each([
    ['an empty message', ''],
    ['text', 'hello'],
    ['XML', '<greeting />\r\n\r\n'],
    ['JSON', '{"a": 1}\r\n\r\n'],
    ['a line without a colon', 'hello\r\n\r\n'],
    ['a name with a space in it', 'hello world: x\r\n\r\n'],
    ['a space before the colon', 'A : b\r\n\r\n'],
    ['a colon without a name', ': b\r\n\r\n'],
    ['a folded line first', ' A: b\r\n\r\n'],
    ['a bare line feed first', '\n\r\nx'],
    ['a bare line feed as the end of a line', 'A: b\n\nx'],
    ['a bare carriage return', 'A: b\rC: d\r\n\r\n'],
    ['a carriage return and something else', '\rx'],
    ['a control character in a value', 'A: b\0\r\n\r\n'],
    ['a second line that is none', 'A: b\r\nhello\r\n\r\n'],
    ['R3080-2.2-10 headers that do not end', 'A: b\r\n'],
    ['half an empty line', '\r'],
    ['a header cut short', 'Content-Ty'],
  ])('R3080-2.2-10 %s is all body', (_, message) => {
    expect(whole(message)).toEqual({ headers: {}, body: message })
  })

  test('R3080-2.2-09 the block of an entity cut within a name', () => {
    const reader = new EntityReader(1000)
    expect(reader.push(octets('Content-Ty'))).toBeUndefined()
    expect(reader.headers).toBe(NO_HEADERS)
    expect(reader.push(octets('pe: text/plain\r\n\r\nhi'))).toEqual([octets('hi')])
    expect(contentType(reader.headers)).toBe('text/plain')
    expect(reader.push(octets('A: b\r\n\r\n'))).toEqual([octets('A: b\r\n\r\n')])
    expect(reader.finish()).toEqual([])
  })

  test('the usual forms cost no copy: the body is a view, the headers are shared', () => {
    for (const message of ['\r\nhello', 'Content-Type: application/beep+xml\r\n\r\nhello', 'A: b\r\n\r\nhello', '<ok />']) {
      const received = octets(message)
      const { body } = splitEntity(received)!
      expect(body.buffer).toBe(received.buffer)
      expect(new EntityReader(1000).push(received)).toEqual([body])
    }
    expect(splitEntity(octets('\r\n'))?.headers).toBe(NO_HEADERS)
    const beep = () => splitEntity(octets('Content-Type: application/beep+xml\r\n\r\n'))?.headers
    expect(beep()).toBe(beep())
  })

  test('what is remembered of one message does not depend on its octets afterwards', () => {
    const chunk = Buffer.from('X-A: one\r\n\r\n')
    expect(splitEntity(chunk)?.headers.get('x-a')).toBe('one')
    chunk.write('two', 5)
    expect(splitEntity(chunk)?.headers.get('x-a')).toBe('two')
    expect(splitEntity(octets('X-A: one\r\n\r\n'))?.headers.get('x-a')).toBe('one')
    expect(whole('X-A: one\r\n\r\n', 11)).toBe('too long')
  })

  test('headers that are too long end the session, but only while they may be headers', () => {
    const block = `A: ${'b'.repeat(93)}\r\n\r\n`
    expect(block).toHaveLength(100)
    expect(whole(`${block}body`, 100)).toMatchObject({ body: 'body' })
    expect(whole(`${block}body`, 99)).toBe('too long')
    expect(whole(`A: b\r\n${'x'.repeat(200)}`, 99)).toBe('too long')
    expect(whole(`${'x'.repeat(98)} `, 99)).toMatchObject({ body: `${'x'.repeat(98)} ` })
    expect(whole('x'.repeat(99), 99)).toMatchObject({ body: 'x'.repeat(99) })
    expect(whole(`<${'x'.repeat(200)}`, 99)).toMatchObject({ body: `<${'x'.repeat(200)}` })
    expect(whole('\r\n'.repeat(100), 99)).toMatchObject({ body: '\r\n'.repeat(99) })
    expect(() => splitEntity(octets(`A: ${'b'.repeat(20_000)}`))).toThrow(ProtocolError)
  })

  test('A29 what begins with a name that no header can have is body, however it is cut', () => {
    const longest = 'x'.repeat(MAX_FIELD_NAME)
    expect(whole(`${longest}: b\r\n\r\nbody`, 2000)).toEqual({ headers: { [longest]: 'b' }, body: 'body' })
    for (const [body, maxHeaders] of [
      [`x${longest}: b\r\n\r\nbody`, 2000],
      [`A: b\r\nx${longest}: b\r\n\r\nbody`, 2000],
      ['x'.repeat(100_000), undefined],
      ['x'.repeat(200), 99],
      ['x'.repeat(99), 99],
    ] as const) {
      expect(whole(body, maxHeaders)).toEqual({ headers: {}, body })
      const pieces = body.match(/.{1,70}/gs)!.map(octets)
      expect(read(pieces, maxHeaders)).toEqual({ headers: {}, body })
      expect(read([octets(body.slice(0, 1)), octets(body.slice(1))], maxHeaders)).toEqual({ headers: {}, body })
    }
  })

  test('headers that messages share cannot be changed by one of them', () => {
    for (const block of ['\r\n', 'A: b\r\n\r\n', `Content-Type: application/beep+xml\r\n\r\n`]) {
      const headers = splitEntity(octets(block))!.headers as Map<string, string>
      const before = [...headers]
      expect(() => headers.set('x', 'y')).toThrow(TypeError)
      expect(() => headers.delete('a')).toThrow(TypeError)
      expect(() => headers.clear()).toThrow(TypeError)
      expect([...splitEntity(octets(block))!.headers]).toEqual(before)
    }
  })

  test('what is held is a copy: one octet does not keep its chunk alive', () => {
    const reader = new EntityReader(1000)
    const chunk = octets('A')
    reader.push(chunk)
    chunk[0] = 0
    reader.push(octets(': b\r\n\r\n'))
    expect(reader.headers.get('a')).toBe('b')
  })
})

describe('writing', () => {
  test('R3080-2.2-10 A29 without headers there is the empty line', () => {
    expect(text(formatEntity())).toBe('\r\n')
    expect(text(formatEntity({ headers: {} }))).toBe('\r\n')
    expect(formatEntity()).toBe(formatEntity({}))
  })

  test('R3080-6.4-01 the block of channel 0', () => {
    expect(text(formatEntity({ contentType: 'application/beep+xml' }))).toBe('Content-Type: application/beep+xml\r\n\r\n')
    expect(formatEntity({ contentType: 'application/beep+xml' })).toHaveLength(38)
  })

  test('other headers follow the content type', () => {
    expect(text(formatEntity({ contentType: 'text/plain', headers: { 'X-A': 'b', 'x-c': '' } }))).toBe(
      'Content-Type: text/plain\r\nX-A: b\r\nx-c: \r\n\r\n',
    )
    expect(text(formatEntity({ headers: { 'content-type': 'text/plain' } }))).toBe('content-type: text/plain\r\n\r\n')
  })

  test.each([
    ['a line break in a value', { headers: { A: 'b\r\nC: d' } }],
    ['a line feed in a value', { headers: { A: 'b\nC' } }],
    ['NUL in a value', { headers: { A: '\0' } }],
    ['a value beyond US-ASCII', { headers: { A: 'é' } }],
    ['a line break in the content type', { contentType: 'text/plain\r\n\r\nbody' }],
    ['an empty name', { headers: { '': 'b' } }],
    ['a colon in a name', { headers: { 'A:': 'b' } }],
    ['a space in a name', { headers: { 'A ': 'b' } }],
    ['a line break in a name', { headers: { 'A\r\nB': 'b' } }],
    ['a line feed at the end of a name', { headers: { 'A\n': 'b' } }],
    ['the content type twice', { contentType: 'a/b', headers: { 'CONTENT-TYPE': 'a/b' } }],
    ['a header in two spellings', { headers: { A: '1', a: '2' } }],
  ])('%s is refused', (_, headers) => {
    expect(() => formatEntity(headers)).toThrow(TypeError)
  })
})

describe('content types', () => {
  test('R3080-2.2-02 the default is application/octet-stream', () => {
    expect(contentType(NO_HEADERS)).toBe('application/octet-stream')
    expect(contentType(headersOf('text/plain'))).toBe('text/plain')
  })

  test.each([
    ['text/plain', 'text/plain'],
    ['Text/PLAIN; charset=utf-8', 'text/plain'],
    [' application / beep+xml ;a=b', 'application/beep+xml'],
    ['text/(a (nested) comment; with \\) a pair)plain (x)', 'text/plain'],
    ['', ''],
    ['(', ''],
  ])('R3080-2.2-11 the media type of "%s"', (value, expected) => {
    expect(mediaType(value)).toBe(expected)
  })

  test.each([
    ['a/b; charset=UTF-8', 'UTF-8'],
    ['a/b;CharSet="utf-8"', 'utf-8'],
    ['a/b; x="charset=no;"; charset = "a\\"b"', 'a"b'],
    ['a/b (charset=no); charset=(comment)x(y)', 'x'],
    ['a/b; x="("; charset=y', 'y'],
    ['a/b', undefined],
    ['a/b; charset=', undefined],
    ['a/b; charset="open', undefined],
  ])('R3080-2.2-11 the charset of "%s"', (value, expected) => {
    expect(parameter(value, 'charset')).toBe(expected)
  })

  test.each([
    'application/beep+xml',
    'Application/BEEP+XML; charset="utf-8"',
    'application/beep+xml; charset=US-ASCII; x=y',
    'application/xml',
    'text/xml;charset=UTF-8',
    'application/beep+xml (comment)',
  ])('R3080-2.2-11 R3080-6.4-02 A28 T39 "%s" is taken on channel 0', (value) => {
    expect(isBeepXml(headersOf(value))).toBe(true)
  })

  test.each([
    'application/octet-stream',
    'text/plain',
    'application/beep+xml; charset=ISO-8859-1',
    'text/xml; charset="utf-16"',
    'application/beep+xmlx',
    '',
  ])('R3080-6.4-07 A28 "%s" is not', (value) => {
    expect(isBeepXml(headersOf(value))).toBe(false)
  })

  test('A28 no content type is taken too', () => {
    expect(isBeepXml(NO_HEADERS)).toBe(true)
  })
})
