// The subset of XML that RFC 3080 §6.4 allows on channel 0: what is read, and what is refused with which code.
import { describe, expect, test } from '@jest/globals'
import { ElementError, formatSimple, parseElement, parseSimple } from './elements.js'

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

describe('the XML of RFC 3080 §6.4', () => {
  test.each([
    ['R3080-6.4-03 the five entities and numbers', "<error code='550'>&lt;&gt;&amp;&apos;&quot;&#60;&#x3c;</error>", '<>&\'"<<'],
    ['R3080-6.4-02 UTF-8 is the default', "<error code='550'>é€😀</error>", 'é€😀'],
    ['R3080-6.4-09 a byte order mark', "\ufeff<error code='550'>a</error>", 'a'],
    ['A30 an XML declaration', "<?xml version='1.0'?><error code='550'>a</error>", 'a'],
    [
      'A30 an XML declaration of UTF-8',
      '<?xml version="1.0" encoding="utf-8" standalone="no"?>\n<error code="550">a</error>',
      'a',
    ],
    ['a line feed before the document', "\n<error code='550'>a</error>\r\n\r\n", 'a'],
    ['R3080-6.4-06 comments and instructions', "<!-- a --><?p q?><error code='550'>a</error><!-- b -->", 'a'],
    ['R3080-6.4-06 either quote and white space', '<error\r\n code = "550" \t>a</error >', 'a'],
    ['R3080-6.4-06 references in attributes', "<error code='5&#53;0'>a</error>", 'a'],
  ])('%s', (_, xml, text) => {
    expect(parse(xml)).toMatchObject({ code: 550, text })
  })

  test.each([
    ['nothing', ''],
    ['white space', ' \r\n'],
    ['a byte order mark alone', '\ufeff'],
    ['two byte order marks', '\ufeff\ufeff<ok />'],
    ['text', 'hello'],
    ['an unclosed element', "<start number='1'>"],
    ['an unfinished tag', "<start number='1'"],
    ['a wrong closing tag', "<start number='1'></close>"],
    ['two roots', '<ok /><ok />'],
    ['text after the root', '<ok />x'],
    ['an attribute twice', "<start number='1' number='3'/>"],
    ['an unquoted attribute', '<start number=1/>'],
    ['R3080-6.4-03 a foreign entity', '<error code="550">&nbsp;</error>'],
    ['R3080-6.4-03 an entity that only an object knows', '<error code="550">&constructor;&toString;&__proto__;</error>'],
    ['an entity without an end', '<error code="550">&lt</error>'],
    ['a reference to a control character', '<error code="550">&#0;</error>'],
    ['a reference to a surrogate', '<error code="550">&#xD800;</error>'],
    ['a control character', '<error code="550">\x01</error>'],
    ['R3080-6.4-05 a DOCTYPE', '<!DOCTYPE ok><ok />'],
    ['R3080-6.4-05 T42 an external entity', '<!DOCTYPE ok [<!ENTITY x SYSTEM "file:///etc/passwd">]><ok>&x;</ok>'],
    [
      'R3080-6.4-05 T42 an entity bomb',
      '<!DOCTYPE ok [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><error code="550">&b;</error>',
    ],
    ['an unfinished DOCTYPE', '<!DOCTYPE ok ['],
    ['A30 a declaration of XML 1.1', "<?xml version='1.1'?><ok />"],
    ['A30 a declaration of another encoding', "<?xml version='1.0' encoding='ISO-8859-1'?><ok />"],
    ['A30 a declaration that is not at the start', " <?xml version='1.0'?><ok />"],
    ['A30 a declaration without a version', "<?xml encoding='utf-8'?><ok />"],
    ['elements nested too deep', '<ok>'.repeat(17) + '</ok>'.repeat(17)],
  ])('%s is refused with 500', (_, xml) => {
    expect(refusal(xml)).toBe(500)
  })

  test('R3080-6.4-02 octets that are not UTF-8 are refused with 500', () => {
    expect(refusal(Uint8Array.of(0xe9))).toBe(500)
    expect(refusal(Buffer.from("<error code='550'>\xe9</error>", 'latin1'))).toBe(500)
    // An overlong form, a surrogate, and a document in UTF-16.
    expect(refusal(Buffer.from("<error code='550'>\xc0\xbc</error>", 'latin1'))).toBe(500)
    expect(refusal(Buffer.from("<error code='550'>\xed\xa0\x80</error>", 'latin1'))).toBe(500)
    expect(refusal(Buffer.from('\ufeff<ok />', 'utf16le'))).toBe(500)
  })

  test.each(['START', 'b:start', 'Greeting', 'ready', 'constructor', '__proto__'])(
    'R3080-2.3.1.5-03 <%s> is refused with 501',
    (name) => {
      expect(refusal(`<${name} number='1' code='200'><profile uri='u'/></${name}>`)).toBe(501)
    },
  )

  test('what is not well-formed is 500 even where it is not valid either', () => {
    expect(refusal('<nonsense><ok /></nonsense')).toBe(500)
  })

  test('a document that is too long is refused before it is read', () => {
    const long = utf8(`<ok>${' '.repeat(300_000)}</ok>`)
    expect(refusal(long)).toBe(500)
    expect(parseElement(long, 400_000)).toEqual({ name: 'ok' })
  })

  test("no message repeats a peer's text at length", () => {
    const long = 'x'.repeat(100_000)
    for (const xml of [
      `<${long}/>`,
      `<${long}>`,
      `<ok></${long}>`,
      `<ok><${long}/></ok>`,
      `<start number='${long}'><profile uri='u'/></start>`,
      `<error code='${long}'/>`,
      `<start number='1'><profile uri='u' encoding='${long}'/></start>`,
      `<ok ${long}='' ${long}=''/>`,
      `<?xml version='1.${'1'.repeat(100_000)}'?><ok />`,
      `<?xml version='1.0' encoding='${long}'?><ok />`,
    ])
      expect(() => parse(xml)).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{1,200}$/s) }))
  })
})

describe('any element', () => {
  test('R3080-7.2-01 the elements of tuning profiles are read and written by the same rules', () => {
    expect(parseSimple(utf8("<ready version='1' />"))).toMatchObject({ name: 'ready', attributes: { version: '1' }, text: '' })
    expect(parseSimple(utf8("<blob status='complete'>AA<!-- -->==\n</blob>"))).toMatchObject({
      name: 'blob',
      attributes: { status: 'complete' },
      text: 'AA==\n',
    })
    expect(formatSimple('ready')).toBe('<ready />')
    expect(formatSimple('blob', { status: undefined }, 'AA==')).toBe('<blob>AA==</blob>')
    expect(() => parseSimple(utf8('<!DOCTYPE ready><ready />'))).toThrow(ElementError)
  })
})
