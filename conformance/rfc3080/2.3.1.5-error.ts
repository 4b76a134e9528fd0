// `<error>` (RFC 3080 §2.3.1.5): what the target says it to, how, and how it takes ours in place of a greeting.
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { close, error, expectRefusal, profile, refused, start } from '../harness/management.js'
import { matching } from '../harness/matching.js'
import { NOWHERE } from '../harness/peer.js'
import { malformed, STYLES, spell } from '../harness/spelling.js'

/** What no peer expects in a MSG: channel management knows start and close. */
const UNEXPECTED: readonly [slug: string, title: string, element: string][] = [
  ['ok', '<ok>', '<ok />'],
  ['greeting', '<greeting>', '<greeting />'],
  ['profile', '<profile>', profile(NOWHERE)],
  ['error', '<error>', error()],
  ['unknown', 'an element that nobody knows', '<open number="1" />'],
  ['upper-case', '<START>', `<START number='1'>${profile(NOWHERE)}</START>`],
  ['prefix', 'a start with a prefix', `<b:start xmlns:b='http://example.org/b' number='1'>${profile(NOWHERE)}</b:start>`],
  ['ready', 'the <ready> of the TLS profile', "<ready version='1' />"],
  ['blob', 'the <blob> of the SASL profiles', '<blob>AAEC</blob>'],
  ['within', 'a close in an element that nobody knows', `<request>${close(0)}</request>`],
]

const said = [
  must(
    'said-to-start',
    {
      title: 'the refusal of a start',
      judges: ['R3080-2.3.1.5-01', 'R3080-2.3.1.5-02', 'R3080-7.1-08', 'R3080-8-09'],
      quote: 'declines the creation of a channel, it sends an "error" element',
      sends: 'a start of a profile that nobody has',
      expects: 'ERR with <error>, a code of three digits, xml:lang and a text at most',
    },
    async (peer) => {
      await peer.greet()
      return expectRefusal(peer, await peer.start(peer.number(), NOWHERE))
    },
  ),
  ...UNEXPECTED.map(([slug, title, element]) =>
    must(
      `said-to-${slug}`,
      {
        title: `a MSG that holds ${title}`,
        judges: ['R3080-2.3.1.5-03', 'R3080-6.1-01'],
        quote: 'containing a poorly-formed or unexpected element',
        sends: element,
        expects: 'ERR; the session lives',
      },
      (peer) => refused(peer, element),
    ),
  ),
  must.hold(
    'said-to-any-name',
    {
      title: 'a MSG that holds any element but start and close',
      judges: ['R3080-2.3.1.5-03'],
      quote: 'containing a poorly-formed or unexpected element',
      sends: 'an element with any name, and the attributes and the profile of a start',
      expects: 'ERR; the session lives',
      samples: fc
        .oneof(
          matching(/^[A-Za-z_][A-Za-z0-9_.-]{0,14}$/),
          fc.constantFrom('Start', 'startt', 'tart', 'Close', 'closed', 'constructor', '__proto__', 'toString'),
        )
        .filter((name) => !/^(start|close)$|^xml/i.test(name) || name === 'Start' || name === 'Close'),
    },
    (peer, name) => refused(peer, `<${name} number='1' code='200'>${profile(NOWHERE)}</${name}>`),
  ),
  must.hold(
    'said-to-any-damage',
    {
      title: 'a MSG with any damage that makes it no XML',
      judges: ['R3080-2.3.1.5-03', 'R3080-2.2.2.1-01', 'R3080-8-04'],
      quote: 'containing a poorly-formed or unexpected element',
      sends: 'a start or a close that is not well-formed',
      expects: 'ERR; the session lives',
      samples: fc.oneof(
        malformed("<start number='1'><profile uri='http://example.org/a' encoding='none'>b</profile></start>"),
        malformed("<close number='0' code='200' xml:lang='en'>bye</close>"),
      ),
    },
    (peer, element) => refused(peer, element),
  ),
  must(
    'said-with-language',
    {
      title: 'the language of a refusal’s text',
      judges: ['R3080-2.3.1.5-08', 'R3080-2.3.1.1-06', 'R3080-2.3.1.5-02'],
      quote: 'attribute is absent only if the language indicated',
      sends: "a greeting with localize='tlh', and a start of a profile that nobody has",
      expects: 'no text, or a text with xml:lang',
    },
    async (peer) => {
      await peer.greet([peer.profile], " localize='tlh'")
      const { keyword, element } = await peer.start(peer.number(), NOWHERE)
      if (keyword !== 'ERR') throw new Failure(`expected ERR; ${keyword} came`)
      if (element.text === '') return 'no text'
      const language = element.attributes['xml:lang']
      if (language === undefined) throw new Failure(`the text ${JSON.stringify(element.text)} has no xml:lang`)
      return `xml:lang='${language}'`
    },
  ),
  must.hold(
    'said-with-the-language-of-another-choice',
    {
      title: 'the language of a refusal’s text is not the first that we like, though it may be among them',
      judges: ['R3080-2.3.1.5-08', 'R3080-2.3.1.1-06'],
      quote: 'attribute is absent only if the language indicated',
      sends: "a greeting with localize='tlh' and others behind it, and a start of a profile that nobody has",
      expects: 'no text, or a text with xml:lang',
      samples: fc.constantFrom('tlh en', 'tlh i-default', 'tlh en-US en', 'tlh de en i-default'),
    },
    async (peer, languages) => {
      await peer.greet([peer.profile], ` localize='${languages}'`)
      const { keyword, element } = await peer.start(peer.number(), NOWHERE)
      if (keyword !== 'ERR') throw new Failure(`expected ERR; ${keyword} came`)
      if (element.text !== '' && element.attributes['xml:lang'] === undefined)
        throw new Failure(`the text ${JSON.stringify(element.text)} has no xml:lang`)
      return undefined
    },
  ),
  must.hold(
    'said-well-formed',
    {
      title: 'refusals of starts that hold characters with a meaning in XML',
      judges: ['R3080-2.3.1.5-02', 'R3080-6.4-03', 'R3080-8-09'],
      quote: 'textual diagnostic (which may be multiline)',
      sends: 'starts with such characters in the number and in the uri',
      expects: 'ERR with an element that is well-formed and valid, whatever it repeats',
      samples: fc
        .array(fc.constantFrom('<', '&', '>', '"', "'", ']]>', '&amp;', '<!--', 'é', '\n', 'x'), { minLength: 1, maxLength: 8 })
        .map((parts) => parts.join('')),
    },
    async (peer, text) => {
      const inAttribute = text.replace(/[<&>'"\n]/g, (each) => `&#${each.charCodeAt(0)};`)
      await peer.greet()
      const first = expectRefusal(peer, await peer.ask(start(inAttribute, profile(NOWHERE))))
      const second = expectRefusal(peer, await peer.ask(start(peer.number(), profile(`http://example.org/${text}`))))
      return `${first}, ${second}`
    },
  ),
]

const greeted = [
  must(
    'unavailable',
    {
      title: 'a listener that is not available',
      judges: ['R3080-2.3.1.5-05', 'R3080-2.3.1.5-06', 'R3080-2.4-02', 'R3080-8-02'],
      quote: 'both BEEP peers terminate the session',
      sends: 'ERR 0 0 with 421 in place of a greeting',
      expects: 'the initiator ends the session; it has said nothing but its greeting',
      of: 'initiator',
    },
    async (peer) => {
      peer.manage('ERR 0', error(421))
      return peer.expectTermination(['RPY 0 0'])
    },
  ),
  must.hold(
    'unavailable-in-any-words',
    {
      title: 'a listener that is not available, in any words',
      judges: ['R3080-2.3.1.5-06', 'R3080-2.3.1.5-09', 'R3080-2.4-02', 'R3080-8-10'],
      quote: 'both BEEP peers terminate the session',
      sends: 'ERR 0 0 with any code from 100 to 599 and any text, in any spelling',
      expects: 'the initiator ends the session',
      of: 'initiator',
      samples: fc.tuple(
        fc.integer({ min: 100, max: 599 }),
        fc.constantFrom('', 'come back later', 'heute\r\ngeschlossen', '<greeting />', '200 success'),
        STYLES,
      ),
    },
    (peer, [code, content, style]) => {
      peer.manage('ERR 0', spell({ name: 'error', attributes: { code: String(code), 'xml:lang': 'en' }, content }, style))
      return peer.expectTermination(['RPY 0 0'])
    },
  ),
  ...(
    [
      ['greeting', 'a greeting in a negative reply', '<greeting />'],
      ['words', 'words in a negative reply', 'closed'],
      ['empty', 'an empty negative reply', ''],
    ] as const
  ).map(([slug, title, element]) =>
    must(
      `unavailable-wrong-${slug}`,
      {
        title: `${title} in place of a greeting`,
        judges: ['R3080-2.2.2.1-02', 'R3080-2.3.1.5-06'],
        quote: 'If a poorly-formed reply is received on channel zero, the session is terminated',
        sends: `ERR 0 0 with ${element || 'nothing'}`,
        expects: 'the session ends without an answer',
      },
      async (peer) => {
        peer.manage('ERR 0', element)
        return peer.expectTermination(['RPY 0 0'])
      },
    ),
  ),
  may(
    'initiator-unavailable',
    {
      title: 'an initiator that says ERR in place of a greeting',
      judges: ['R3080-7.1-11'],
      quote: 'I and L greeting error',
      sends: 'ERR 0 0 with 421',
      expects: 'the session ends: the DTD lets both peers say so, the prose the listener alone',
      of: 'listener',
    },
    async (peer) => {
      peer.manage('ERR 0', error(421))
      return peer.expectTermination(['RPY 0 0'])
    },
  ),
]

export const errors = section('rfc3080/2.3.1.5', 'The Error Message', [...said, ...greeted])
