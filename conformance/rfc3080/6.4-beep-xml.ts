// The subset of XML that application/beep+xml is (RFC 3080 §6.4).
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { acceptsOrEnds, answered, labelled, ownChannel, profile, refused, start } from '../harness/management.js'
import { matching } from '../harness/matching.js'
import { elementOf, NOWHERE, type Peer } from '../harness/peer.js'
import { SAID } from './6.1-management.js'

const said = SAID.map(({ slug, what, of, say }) =>
  must(
    `notation-of-${slug}`,
    {
      title: `the notation of ${what}`,
      judges: ['R3080-6.4-03', 'R3080-6.4-04', 'R3080-6.4-05'],
      quote: 'neither the "XML" declaration',
      sends: 'what makes the target say it',
      expects: 'well-formed XML in UTF-8, without an XML declaration and DOCTYPE',
      ...(of === undefined ? {} : { of }),
    },
    async (peer) => {
      const [note] = elementOf(await say(peer)).notes
      if (note !== undefined) throw new Failure(`it has ${note}`)
      return undefined
    },
  ),
)

/** A start of the profile that echoes in another spelling: the channel has to come. */
async function understood(peer: Peer, spelled: (number: number, uri: string) => string): Promise<undefined> {
  if (peer.target === 'initiator') await ownChannel(peer)
  else await peer.greet()
  const number = peer.number()
  const { keyword, element } = await peer.ask(spelled(number, peer.profile))
  if (keyword !== 'RPY' || element.attributes.uri !== peer.profile)
    throw new Failure(`expected the channel; ${keyword} with <${element.name}> came (${element.attributes.code ?? ''})`)
  await peer.echo(number, 0)
  return undefined
}

const decimal = (text: string) => [...text].map((each) => `&#${each.codePointAt(0)};`).join('')
const hexadecimal = (text: string) => [...text].map((each) => `&#x${each.codePointAt(0)!.toString(16)};`).join('')

/** Spellings that every reader of XML takes for the same. */
const SPELLINGS: readonly [slug: string, title: string, spelled: (number: number, uri: string) => string][] = [
  ['double-quotes', 'attributes in double quotes', (n, uri) => `<start number="${n}"><profile uri="${uri}" /></start>`],
  ['both-quotes', 'one kind of quotes beside the other', (n, uri) => `<start number="${n}"><profile uri='${uri}' /></start>`],
  [
    'spaces',
    'white space wherever it may stand',
    (n, uri) => `<start\r\n\tnumber = '${n}'\n >\r\n<profile   uri\n=\n'${uri}'\t/>\r\n</start\n>\r\n`,
  ],
  ['no-space', 'no white space before the slash', (n, uri) => `<start number='${n}'><profile uri='${uri}'/></start>`],
  ['end-tag', 'an end tag for the profile', (n, uri) => `<start number='${n}'><profile uri='${uri}'></profile></start>`],
  ['comment-before', 'a comment before it', (n, uri) => `<!-- <start number='0' /> -->${start(n, profile(uri))}`],
  ['comment-within', 'a comment in it', (n, uri) => start(n, `<!-- ${profile(NOWHERE)} -->${profile(uri)}`)],
  ['comment-behind', 'a comment behind it', (n, uri) => `${start(n, profile(uri))}<!-- the end -->\r\n`],
  ['instruction-before', 'a processing instruction before it', (n, uri) => `<?beep faster?>${start(n, profile(uri))}`],
  ['instruction-within', 'a processing instruction in it', (n, uri) => start(n, `${profile(uri)}<?beep <profile /> ?>`)],
  ['line-before', 'an empty line before it', (n, uri) => `\r\n${start(n, profile(uri))}`],
  ['decimal', 'the uri in decimal references', (n, uri) => `<start number='${n}'><profile uri='${decimal(uri)}' /></start>`],
  [
    'hexadecimal',
    'the uri in hexadecimal references',
    (n, uri) => `<start number='${n}'><profile uri='${hexadecimal(uri)}' /></start>`,
  ],
  [
    'zeros',
    'references with leading zeros',
    (n, uri) => `<start number='${n}'><profile uri='&#x000${uri.charCodeAt(0).toString(16)};${uri.slice(1)}' /></start>`,
  ],
  ['number', 'the number in references', (n, uri) => `<start number='${decimal(String(n))}'><profile uri='${uri}' /></start>`],
  [
    'five',
    'the five entities in another profile',
    (n, uri) => start(n, `${profile(uri)}<profile uri='http://example.org/&lt;&gt;&amp;&apos;&quot;' />`),
  ],
  ['order', 'attributes in another order', (n, uri) => `<start number='${n}'><profile encoding='none' uri='${uri}' /></start>`],
  [
    'utf-8',
    'characters beyond ASCII in another profile',
    (n, uri) => start(n, `${profile(uri)}<profile uri='http://example.org/é€😀' />`),
  ],
]

const taken = SPELLINGS.map(([slug, title, spelled]) =>
  must(
    `taken-${slug}`,
    {
      title: `a start with ${title}`,
      judges: ['five', 'decimal', 'hexadecimal', 'zeros', 'number'].includes(slug)
        ? ['R3080-6.4-03']
        : slug === 'utf-8'
          ? ['R3080-6.4-02']
          : ['R3080-6.4-06'],
      quote: 'CDATA blocks, processing instructions, and so on) are allowed',
      sends: spelled(1, 'E'),
      expects: 'the channel, and the echo',
    },
    (peer) => understood(peer, spelled),
  ),
)

/** What is not well-formed, as a MSG. */
const MALFORMED: readonly [slug: string, title: string, document: string | Buffer][] = [
  ['empty', 'nothing', ''],
  ['blank', 'white space', '\r\n'],
  ['words', 'words', 'close the channel, please'],
  ['comment', 'a comment alone', '<!-- nothing -->'],
  ['unclosed', 'no end tag', "<start number='1'>"],
  ['mismatched', 'another end tag', "<start number='1'></close>"],
  ['crossed', 'end tags that cross', "<start number='1'><profile uri='u:a'></start></profile>"],
  ['two', 'two elements', `${start(1, profile(NOWHERE))}${start(3, profile(NOWHERE))}`],
  ['text-before', 'words before the element', `hello${start(1, profile(NOWHERE))}`],
  ['text-behind', 'words behind the element', `${start(1, profile(NOWHERE))}hello`],
  ['unquoted', 'an attribute without quotes', `<start number=1>${profile(NOWHERE)}</start>`],
  ['no-value', 'an attribute without a value', `<start number>${profile(NOWHERE)}</start>`],
  ['twice', 'an attribute twice', `<start number='1' number='1'>${profile(NOWHERE)}</start>`],
  ['together', 'attributes without white space between them', `<start number='1'serverName='a'>${profile(NOWHERE)}</start>`],
  ['less-than', '< in an attribute', `<start number='1' serverName='<'>${profile(NOWHERE)}</start>`],
  ['ampersand', '& alone', `<start number='1' serverName='a & b'>${profile(NOWHERE)}</start>`],
  ['control', 'a control character', start(1, profile(NOWHERE, '\u0001'))],
  ['control-reference', 'a reference to a control character', start(1, profile(NOWHERE, '&#1;'))],
  ['nul-reference', 'a reference to U+0000', start(1, profile(NOWHERE, '&#0;'))],
  ['surrogate', 'a reference to half a surrogate pair', start(1, profile(NOWHERE, '&#xD800;'))],
  ['beyond', 'a reference beyond Unicode', start(1, profile(NOWHERE, '&#x110000;'))],
  ['cdata-end', ']]> in character data', start(1, profile(NOWHERE, ']]>'))],
  ['hyphens', 'two hyphens in a comment', start(1, `<!-- a -- b -->${profile(NOWHERE)}`)],
  ['cdata-outside', 'CDATA behind the element', `${start(1, profile(NOWHERE))}<![CDATA[]]>`],
  ['latin-1', 'an octet of Latin-1', Buffer.from(start(1, profile(NOWHERE, 'caf\u00e9')), 'latin1')],
  ['overlong', 'an overlong sequence of UTF-8', Buffer.from(start(1, profile(NOWHERE, '\u00c0\u00af')), 'latin1')],
  ['cut', 'a character of UTF-8 that is cut', Buffer.from(start(1, profile(NOWHERE, '\u00e2\u0082')), 'latin1')],
  ['utf-16', 'UTF-16', Buffer.from(`\ufeff${start(1, profile(NOWHERE))}`, 'utf16le')],
]

/** An element with octets in it that are no UTF-8, wherever they stand. */
const NO_UTF8 = fc
  .oneof(
    fc.integer({ min: 0x80, max: 0xbf }).map((octet) => [octet]),
    fc.constantFrom(
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xe0, 0x80, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
    ),
    fc.integer({ min: 0xf5, max: 0xff }).map((octet) => [octet]),
    fc.integer({ min: 0xc2, max: 0xf4 }).map((octet) => [octet, 0x41]),
  )
  .map((octets) => String.fromCharCode(...octets))

const refusals = [
  ...MALFORMED.map(([slug, title, document]) =>
    must(
      `refused-${slug}`,
      {
        title: `a MSG that is not well-formed: ${title}`,
        judges: ['R3080-2.2.2.1-01', 'R3080-2.3.1.5-03', ...(Buffer.isBuffer(document) ? ['R3080-6.4-02'] : [])],
        quote: 'containing a poorly-formed or unexpected element',
        sends: document.length === 0 ? 'an empty body' : title,
        expects: 'ERR; the session lives',
      },
      (peer) => refused(peer, labelled(document)),
    ),
  ),
  ...(
    [
      ['latin-1', 'an octet of Latin-1', ` serverName='caf\u00e9'`, '', 'R3080-6.4-02'],
      ['overlong', 'an overlong sequence of UTF-8', ` serverName='\u00c0\u00af'`, '', 'R3080-6.4-02'],
      ['cut', 'a character of UTF-8 that is cut', ` serverName='\u00e2\u0082'`, '', 'R3080-6.4-02'],
      ['doctype', 'DOCTYPE', '', '<!DOCTYPE start>', 'R3080-6.4-05'],
      ['entity', 'a reference to an entity that nobody has declared', ` serverName='&beep;'`, '', 'R3080-2.2.2.1-01'],
      ['control', 'a control character', ` serverName='\u0001'`, '', 'R3080-2.2.2.1-01'],
    ] as const
  ).map(([slug, title, attributes, before, judged]) =>
    must(
      `refused-though-served-${slug}`,
      {
        title: `a start of the profile that is served, with ${title} in it`,
        judges: [judged, 'R3080-2.3.1.5-03'],
        quote: 'containing a poorly-formed or unexpected element',
        sends: title,
        expects: 'ERR: it is refused for what is wrong with it; the session lives',
      },
      (peer) => refused(peer, labelled(Buffer.from(before + start(1, profile(peer.profile), attributes), 'latin1'))),
    ),
  ),
  must(
    'refused-no-payload',
    {
      title: 'a MSG without any octet, not even headers',
      judges: ['R3080-2.2.2.1-01', 'R3080-2.3.1.5-03'],
      quote: 'containing a poorly-formed or unexpected element',
      sends: 'a payload of size 0',
      expects: 'ERR; the session lives',
    },
    (peer) => refused(peer, Buffer.alloc(0)),
  ),
  must.hold(
    'refused-no-utf-8',
    {
      title: 'a MSG with any octets that are no UTF-8',
      judges: ['R3080-6.4-02', 'R3080-2.3.1.5-03'],
      quote: 'charset (defaults to "UTF-8"',
      sends: 'a start with such octets in the content, the uri or the server name',
      expects: 'ERR; the session lives',
      samples: fc.tuple(NO_UTF8, fc.constantFrom('content', 'uri', 'name')),
    },
    (peer, [octets, where]) => {
      const [name, uri, content] = ['name', 'uri', 'content'].map((each) => (each === where ? octets : 'a'))
      const document = start(1, `<profile uri='u:${uri}'>${content}</profile>`, ` serverName='${name}'`)
      return refused(peer, labelled(Buffer.from(document, 'latin1')))
    },
  ),
  ...(
    [
      ['empty', '<!DOCTYPE start>'],
      ['system', '<!DOCTYPE start SYSTEM "http://127.0.0.1:9/beep.dtd">'],
      ['internal', '<!DOCTYPE start [<!ELEMENT start ANY>]>'],
      ['entity', '<!DOCTYPE start [<!ENTITY e "http://example.org/a">]>'],
      ['external', '<!DOCTYPE start [<!ENTITY e SYSTEM "file:///etc/hostname">]>'],
      ['parameter', '<!DOCTYPE start [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>'],
      [
        'laughs',
        `<!DOCTYPE start [<!ENTITY e0 "ha">${Array.from({ length: 30 }, (_, at) => `<!ENTITY e${at + 1} "&e${at};&e${at};">`).join('')}<!ENTITY e "&e30;">]>`,
      ],
    ] as const
  ).map(([slug, doctype]) =>
    must(
      `refused-doctype-${slug}`,
      {
        title: `a MSG with DOCTYPE: ${slug}`,
        judges: slug === 'laughs' ? ['R3080-6.4-05', 'RIMP-06'] : ['R3080-6.4-05'],
        quote: '"DOCTYPE" declaration (e.g., <!DOCTYPE ...>) may be present',
        sends: doctype.slice(0, 60),
        expects: 'ERR, at once; the session lives',
      },
      (peer) => refused(peer, doctype + start(1, profile(NOWHERE, ['empty', 'system', 'internal'].includes(slug) ? '' : '&e;'))),
    ),
  ),
  must.hold(
    'refused-any-entity',
    {
      title: 'a MSG with a reference to any entity but the five',
      judges: ['R3080-6.4-03'],
      quote: 'no entity references other than the five predefined general entities references',
      sends: 'a start with such a reference in the content, the uri or the number',
      expects: 'ERR; the session lives',
      samples: fc.tuple(
        fc
          .oneof(
            fc.constantFrom('nbsp', 'AMP', 'Lt', 'eacute', 'constructor', '__proto__', 'amp.', 'quote'),
            matching(/^[A-Za-z_][a-z0-9._-]{0,8}$/),
          )
          .filter((name) => !['amp', 'lt', 'gt', 'apos', 'quot'].includes(name)),
        fc.constantFrom('content', 'uri', 'number'),
      ),
    },
    (peer, [name, where]) => {
      const [number, uri, content] = ['number', 'uri', 'content'].map((each) => (each === where ? `&${name};` : '1'))
      return refused(peer, `<start number='${number}'><profile uri='u:${uri}'>${content}</profile></start>`)
    },
  ),
  ...(
    [
      ['doctype', '<!DOCTYPE greeting><greeting />', 'R3080-6.4-05'],
      ['doctype-entity', '<!DOCTYPE greeting [<!ENTITY e "x-a">]><greeting features=\'&e;\' />', 'R3080-6.4-05'],
      ['entity', "<greeting features='x-&nbsp;' />", 'R3080-6.4-03'],
    ] as const
  ).map(([slug, element, judged]) =>
    must(
      `greeting-${slug}`,
      {
        title: `a greeting with ${slug.replace('-', ' and ')}`,
        judges: [judged, 'R3080-2.2.2.1-02'],
        quote: 'If a poorly-formed reply is received on channel zero, the session is terminated',
        sends: element,
        expects: 'the session ends without an answer',
      },
      async (peer) => {
        peer.manage('RPY 0', element)
        return peer.expectTermination(['RPY 0 0'])
      },
    ),
  ),
]

/** What §6.4 does not allow, and peers often tolerate. */
const DOUBTFUL: readonly [slug: string, title: string, before: string, judged: string][] = [
  ['declaration', 'an XML declaration', '<?xml version="1.0"?>', 'R3080-6.4-04'],
  ['declaration-utf-8', 'an XML declaration that names UTF-8', '<?xml version="1.0" encoding="UTF-8"?>\r\n', 'R3080-6.4-04'],
  [
    'declaration-latin-1',
    'an XML declaration that names another character set',
    '<?xml version="1.0" encoding="ISO-8859-1"?>',
    'R3080-6.4-04',
  ],
  ['bom', 'a byte order mark', '\ufeff', 'R3080-6.4-09'],
]

const choices = DOUBTFUL.flatMap(([slug, title, before, judged]) => [
  may(
    `choice-${slug}`,
    {
      title: `a start behind ${title}`,
      judges: [judged],
      quote: judged === 'R3080-6.4-04' ? 'neither the "XML" declaration' : '',
      sends: before === '\ufeff' ? 'EF BB BF' : before.trim(),
      expects: 'the channel, or ERR; the session lives',
    },
    async (peer) => {
      await peer.greet()
      return answered(peer, before + start(peer.number(), profile(peer.profile)))
    },
  ),
  may(
    `choice-greeting-${slug}`,
    {
      title: `a greeting behind ${title}`,
      judges: [judged],
      quote: judged === 'R3080-6.4-04' ? 'neither the "XML" declaration' : '',
      sends: before === '\ufeff' ? 'EF BB BF' : before.trim(),
      expects: 'it is taken, or the session ends',
    },
    async (peer) => {
      peer.manage('RPY 0', `${before}<greeting>${profile(peer.profile)}</greeting>`)
      return acceptsOrEnds(peer)
    },
  ),
])

export const beepXml = section('rfc3080/6.4', 'Registration: application/beep+xml', [...said, ...taken, ...refusals, ...choices])
