// The XML of channel 0: what is read, what is refused and with which code, and that what we write comes back the same.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anyText } from '../../../test/any-text.js'
import { runs } from '../test-kit-runs.js'
import { type Element, ElementError, formatElement, parseElement } from './elements.js'

const ECHO = 'http://example.org/echo'
const utf8 = (text: string) => new TextEncoder().encode(text)
const parse = (xml: string) => parseElement(utf8(xml))

/** The reply code that a document is refused with. */
function refusal(xml: string | Uint8Array): number | undefined {
  try {
    parseElement(typeof xml === 'string' ? utf8(xml) : xml)
  } catch (error) {
    if (error instanceof ElementError) return error.replyCode
    throw error
  }
  return undefined
}

// Any string of characters that XML can carry.
const xmlText = anyText().map((text) => text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '?'))
// Any string at all, with lone surrogates.
const anyUnits = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units))
const token = fc.stringMatching(/^[A-Za-z0-9._:-]{1,12}$/)
const lang = fc.option(token, { nil: undefined }).map((value) => (value === undefined ? {} : { lang: value }))
const code = fc.integer({ min: 100, max: 599 })
const content = fc.oneof(
  fc.constant(undefined),
  fc.uint8Array({ minLength: 1, maxLength: 200 }),
  xmlText.filter((text) => text !== '').map(utf8),
  fc.stringMatching(/^[\t\n\r ]{1,5}$/).map(utf8),
)
const profile = fc.tuple(xmlText, content).map(([uri, octets]) => (octets === undefined ? { uri } : { uri, content: octets }))
const element: fc.Arbitrary<Element> = fc.oneof(
  fc.record({
    name: fc.constant('greeting' as const),
    features: fc.array(token, { maxLength: 4 }),
    localize: fc.array(token, { minLength: 1, maxLength: 4 }),
    profiles: fc.array(xmlText, { maxLength: 4 }),
  }),
  fc
    .record({
      name: fc.constant('start' as const),
      number: fc.integer({ min: 1, max: 2147483647 }),
      profiles: fc.array(profile, { minLength: 1, maxLength: 4 }),
    })
    .chain((start) => fc.option(xmlText).map((serverName) => (serverName === null ? start : { ...start, serverName }))),
  profile.map((value) => ({ name: 'profile' as const, ...value })),
  fc
    .tuple(fc.integer({ min: 0, max: 2147483647 }), code, xmlText, lang)
    .map(([number, code, text, lang]) => ({ name: 'close' as const, number, code, text, ...lang })),
  fc.constant({ name: 'ok' as const }),
  fc.tuple(code, xmlText, lang).map(([code, text, lang]) => ({ name: 'error' as const, code, text, ...lang })),
)

describe('round trip', () => {
  test('what is written is read back the same', () => {
    fc.assert(fc.property(element, (value) => expect(parse(formatElement(value))).toEqual(value)))
  })

  test('R3080-6.4-03 R3080-6.4-04 what is written has the five entities, no declaration, and CDATA only around the content of a profile', () => {
    fc.assert(
      fc.property(element, (value) => {
        const xml = formatElement(value)
        expect(xml).toMatch(/^<[a-z]/)
        const outside = xml.replace(/(<profile [^<>]*>)<!\[CDATA\[[\s\S]*?\]\]>(?=<\/profile>)/g, '$1')
        for (const [, entity] of outside.matchAll(/&([^;]*);/g)) expect(entity).toMatch(/^(?:amp|lt|gt|apos|quot|#9|#10|#13)$/)
        expect(outside).not.toContain('<!')
      }),
    )
  })

  test('a diagnostic of any UTF-16 units is carried, with U+FFFD where XML cannot', () => {
    fc.assert(
      fc.property(anyUnits, (text) => {
        const read = parse(formatElement({ name: 'error', code: 550, text }))
        const carried = (character: string) => /[\t\n\r -\ufffd\u{10000}-\u{10ffff}]/u.test(character)
        const expected = Array.from(Buffer.from(text).toString(), (character) =>
          carried(character) ? character : '\ufffd',
        ).join('')
        expect(read).toEqual({ name: 'error', code: 550, text: expected })
      }),
    )
  })

  test('any octets give an element or an ElementError of 500 or 501', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => expect([500, 501, undefined]).toContain(refusal(octets))),
    )
    const pieces = fc.constantFrom(
      '<',
      '>',
      '/',
      '&',
      ';',
      '<start',
      " number='1'",
      '<profile',
      " uri='u'",
      '</start>',
      ' />',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      '<?p',
      '?>',
      '<!DOCTYPE',
      '<ok',
      'x',
      '#38',
    )
    fc.assert(
      fc.property(fc.array(pieces), (parts) => expect([500, 501, undefined]).toContain(refusal(parts.join('')))),
      runs(500),
    )
  })
})

describe('greeting', () => {
  test('R3080-2.3.1.1-03 features, localize and profiles', () => {
    expect(parse(`<greeting features='x-a' localize='en'><profile uri='${ECHO}' /></greeting>`)).toEqual({
      name: 'greeting',
      features: ['x-a'],
      localize: ['en'],
      profiles: [ECHO],
    })
  })

  test.each([
    ['R3080-2.3.1.1-07 absent localize', '<greeting />', [], ['i-default']],
    ['R3080-2.3.1.1-13 no profiles', '<greeting></greeting>', [], ['i-default']],
    ['R3080-2.3.1.1-04 several features', "<greeting features='x-foo x-bar' />", ['x-foo', 'x-bar'], ['i-default']],
    ['R3080-2.3.1.1-06 several languages, in their order', "<greeting localize='fr-CA en' />", [], ['fr-CA', 'en']],
    ['R3080-7.1-09 white space around tokens', "<greeting features='  x-a \r\n x-b ' />", ['x-a', 'x-b'], ['i-default']],
    ['A32 an empty localize', "<greeting localize='' />", [], ['i-default']],
  ])('%s', (_, xml, features, localize) => {
    expect(parse(xml)).toEqual({ name: 'greeting', features, localize, profiles: [] })
  })

  test('R3080-2.3.1.1-08 content of a profile in a greeting is passed over', () => {
    expect(parse("<greeting><profile uri='a' encoding='odd'>hello</profile><profile uri='b'/></greeting>")).toMatchObject({
      profiles: ['a', 'b'],
    })
  })

  test('R3080-7.1-01 nothing but profiles in it', () => {
    expect(refusal('<greeting>hello</greeting>')).toBe(501)
    expect(refusal('<greeting><ok /></greeting>')).toBe(501)
    expect(refusal('<greeting><profile /></greeting>')).toBe(501)
  })

  test('the form we send', () => {
    expect(formatElement({ name: 'greeting', features: [], localize: ['i-default'], profiles: [] })).toBe('<greeting />')
    expect(formatElement({ name: 'greeting', features: ['x-a', 'x-b'], localize: ['fr', 'en'], profiles: [ECHO, 'u'] })).toBe(
      `<greeting features='x-a x-b' localize='fr en'><profile uri='${ECHO}' /><profile uri='u' /></greeting>`,
    )
    for (const features of [[''], ['a b'], ['a\n']])
      expect(() => formatElement({ name: 'greeting', features, localize: [], profiles: [] })).toThrow(TypeError)
  })
})

describe('start and profile', () => {
  const start = (inner: string, number = '1') => `<start number='${number}'>${inner}</start>`
  /** The content that `<profile>` gives, as text. */
  const contentOf = (inner: string, attributes = '') => {
    const value = parse(start(`<profile uri='u'${attributes}>${inner}</profile>`))
    const octets = value.name === 'start' ? value.profiles[0]?.content : undefined
    return octets && Buffer.from(octets).toString('latin1')
  }

  test('R3080-2.3.1.2-03 the server name is handed on', () => {
    expect(parse(`<start number='3' serverName='h.example'><profile uri='${ECHO}'/></start>`)).toEqual({
      name: 'start',
      number: 3,
      serverName: 'h.example',
      profiles: [{ uri: ECHO }],
    })
  })

  test.each(['1', '2147483647'])('R3080-2.3.1.2-02 number %s', (number) => {
    expect(parse(start("<profile uri='u'/>", number))).toMatchObject({ number: Number(number) })
  })

  test.each(['', 'abc', '-1', '+1', ' 1', '01', '1.0', '1e3', '0x1', '0', '2147483648', '2147483649', '99999999999', '٣'])(
    'R3080-2.3.1.2-02 R3080-2.3.1.2-13 number "%s" is refused',
    (number) => {
      expect(refusal(start("<profile uri='u'/>", number))).toBe(501)
    },
  )

  test.each([
    ['R3080-7.1-10 no number', "<start><profile uri='u'/></start>"],
    ['R3080-2.3.1.2-04 R3080-7.1-02 no profile', "<start number='1'></start>"],
    ['R3080-2.3.1.2-05 no uri', "<start number='1'><profile /></start>"],
    ['R3080-7.1-03 an element in a profile', start("<profile uri='u'><ready /></profile>")],
    ['R3080-7.1-04 an unknown encoding', start("<profile uri='u' encoding='quoted'>x</profile>")],
    ['R3080-7.1-04 an encoding in capitals', start("<profile uri='u' encoding='BASE64'>AAEC</profile>")],
    ['R3080-7.1-04 an encoding that only an object knows', start("<profile uri='u' encoding='constructor'>x</profile>")],
    ['text beside the profiles', start("x<profile uri='u'/>")],
    ['a foreign element beside the profiles', start("<profile uri='u'/><other/>")],
  ])('%s is refused with 501', (_, xml) => {
    expect(refusal(xml)).toBe(501)
  })

  test('A37 attributes that the DTD does not know are ignored', () => {
    expect(parse("<start number='1' colour='red' __proto__='x'><profile uri='u' a='b'/></start>")).toEqual({
      name: 'start',
      number: 1,
      profiles: [{ uri: 'u' }],
    })
  })

  test('R3080-2.3.1.2-28 T34 content is all text and CDATA, comments and instructions left out', () => {
    expect(contentOf('\r\n   <![CDATA[<ready />]]>\r\n')).toBe('\n   <ready />\n')
    expect(contentOf('a<!-- b -->c<?d e?><![CDATA[f]]>g&#x68;')).toBe('acfgh')
  })

  test.each(['', ' ', '\r\n   ', '&#32;&#13;', '<![CDATA[]]>', '<!-- nothing -->', '\n<!-- -->\n'])(
    'T34 only white space in "%s": no initialization message',
    (inner) => {
      expect(contentOf(inner)).toBeUndefined()
    },
  )

  test('T36 text in CDATA is literal', () => {
    expect(contentOf("<![CDATA[<error code='501'>in &lt;ready&gt;</error>]]>")).toBe("<error code='501'>in &lt;ready&gt;</error>")
  })

  test('R3080-2.3.1.2-06 R3080-2.3.1.2-27 base64, with white space in it', () => {
    expect(contentOf('\r\n AAEC\r\n Aw==', " encoding='base64'")).toBe('\0\x01\x02\x03')
    expect(contentOf('AAEC', " encoding='none'")).toBe('AAEC')
    expect(contentOf(' \n', " encoding='base64'")).toBeUndefined()
  })

  test.each(['AAE', 'AAEC=', 'A', 'AA=A', 'AB==', 'AAEC!', '-_-_', 'AAEC====', 'é'])(
    'R3080-2.3.1.2-27 "%s" is not base64: refused',
    (text) => {
      expect(refusal(start(`<profile uri='u' encoding='base64'>${text}</profile>`))).toBe(501)
    },
  )

  test.each([
    ['4096 octets pass', 'a'.repeat(4096), '', 4096],
    ['entities count as what they stand for (T37)', '&lt;'.repeat(4096), '', 4096],
    ['octets are counted, not characters', 'é'.repeat(2048), '', 4096],
    ['base64 is counted as written', 'AAAA'.repeat(1024), " encoding='base64'", 3072],
  ])('R3080-2.3.1.2-07 A31 %s', (_, text, attributes, length) => {
    expect(contentOf(text, attributes)).toHaveLength(length)
    expect(refusal(start(`<profile uri='u'${attributes}>${text}a</profile>`))).toBe(501)
  })

  test('R3080-2.3.1.2-22 a reply carries an answer, which the 4K of a start do not bind', () => {
    expect(parse(`<profile uri='${ECHO}'><![CDATA[<bootrpy />]]></profile>`)).toEqual({
      name: 'profile',
      uri: ECHO,
      content: utf8('<bootrpy />'),
    })
    expect(parse(`<profile uri='u'>${'a'.repeat(4097)}</profile>`)).toMatchObject({ content: { length: 4097 } })
  })

  test('the form we send', () => {
    const ready = utf8('<ready />')
    expect(formatElement({ name: 'start', number: 1, profiles: [{ uri: "a&'b", content: ready }, { uri: 'u' }] })).toBe(
      "<start number='1'><profile uri='a&amp;&apos;b'><![CDATA[<ready />]]></profile><profile uri='u' /></start>",
    )
    expect(formatElement({ name: 'start', number: 3, serverName: 'h\t"', profiles: [{ uri: 'u' }] })).toBe(
      "<start number='3' serverName='h&#9;&quot;'><profile uri='u' /></start>",
    )
    const written = (content: Uint8Array) => formatElement({ name: 'profile', uri: 'u', content })
    expect(written(utf8('a\r\nb'))).toBe("<profile uri='u'>a&#13;\nb</profile>")
    expect(written(Uint8Array.of(0, 1, 2, 3))).toBe("<profile uri='u' encoding='base64'>AAECAw==</profile>")
    expect(written(utf8('\ufffe'))).toBe("<profile uri='u' encoding='base64'>77++</profile>")
    expect(written(utf8(' '))).toBe("<profile uri='u' encoding='base64'>IA==</profile>")
    expect(written(new Uint8Array(0))).toBe("<profile uri='u' />")
  })

  test('R3080-2.3.1.2-07 a message that is too long is not sent', () => {
    const written = (content: Uint8Array) => formatElement({ name: 'profile', uri: 'u', content })
    expect(written(new Uint8Array(4096).fill(60))).toContain('<'.repeat(4096))
    expect(() => written(new Uint8Array(4097).fill(60))).toThrow(RangeError)
    expect(written(new Uint8Array(3072))).toContain('A'.repeat(4096))
    expect(() => written(new Uint8Array(3073))).toThrow(RangeError)
  })

  test('what no peer may send is not written', () => {
    const profiles = [{ uri: 'u' }]
    for (const number of [0, -1, 1.5, Number.NaN, 2147483648])
      expect(() => formatElement({ name: 'start', number, profiles })).toThrow(RangeError)
    expect(() => formatElement({ name: 'start', number: 1, profiles: [] })).toThrow(TypeError)
    expect(() => formatElement({ name: 'start', number: 1, serverName: '\0', profiles })).toThrow(TypeError)
    expect(() => formatElement({ name: 'profile', uri: '\ud800' })).toThrow(TypeError)
  })
})

describe('close, ok and error', () => {
  test('R3080-2.3.1.3-03 R3080-7.1-05 T38 the number of a close is 0 when it is absent', () => {
    expect(parse("<close code='200' />")).toEqual({ name: 'close', number: 0, code: 200, text: '' })
    expect(parse("<close number='0' code='200' />")).toEqual({ name: 'close', number: 0, code: 200, text: '' })
    expect(parse("<close number='1' code='200'/>")).toEqual({ name: 'close', number: 1, code: 200, text: '' })
  })

  test.each(['', 'abc', '20', '2000', '600', '099', ' 200', '٢٠٠'])('R3080-7.1-06 A38 code "%s" is refused', (code) => {
    expect(refusal(`<close number='1' code='${code}'/>`)).toBe(501)
    expect(refusal(`<error code='${code}'/>`)).toBe(501)
  })

  test('R3080-2.3.1.3-03 R3080-7.1-08 a code is required', () => {
    expect(refusal("<close number='1' />")).toBe(501)
    expect(refusal('<error/>')).toBe(501)
  })

  test('R3080-2.3.1.5-02 text over two lines, and its language', () => {
    expect(parse("<error code='550' xml:lang='en'>all requested profiles are\r\nunsupported</error>")).toEqual({
      name: 'error',
      code: 550,
      text: 'all requested profiles are\nunsupported',
      lang: 'en',
    })
  })

  test('R3080-2.3.1.3-22 markup in a text is text', () => {
    expect(parse("<error code='550'><![CDATA[<close number='0'/>]]></error>")).toMatchObject({ text: "<close number='0'/>" })
    expect(refusal("<error code='550'><close number='0'/></error>")).toBe(501)
  })

  test('R3080-2.3.1.4-02 R3080-7.1-07 ok is empty, in either form', () => {
    for (const xml of ['<ok />', '<ok></ok>', '<ok>\r\n</ok>', "<ok a='b'/>"]) expect(parse(xml)).toEqual({ name: 'ok' })
    expect(refusal('<ok>yes</ok>')).toBe(501)
    expect(refusal('<ok><ok/></ok>')).toBe(501)
  })

  test('R3080-2.3.1.3-02 the form we send: a close always has its number', () => {
    expect(formatElement({ name: 'close', number: 0, code: 200, text: '' })).toBe("<close number='0' code='200' />")
    expect(formatElement({ name: 'close', number: 1, code: 200, text: 'a < b', lang: 'en' })).toBe(
      "<close number='1' code='200' xml:lang='en'>a &lt; b</close>",
    )
    expect(formatElement({ name: 'ok' })).toBe('<ok />')
    expect(formatElement({ name: 'error', code: 501, text: ']]>\r\0\ud800' })).toBe(
      "<error code='501'>]]&gt;&#13;\ufffd\ufffd</error>",
    )
    expect(() => formatElement({ name: 'error', code: 99, text: '' })).toThrow(RangeError)
    expect(() => formatElement({ name: 'close', number: -1, code: 200, text: '' })).toThrow(RangeError)
  })
})
