// Our greeting as the target takes it (RFC 3080 §2.3.1.1).
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { may, must, should } from '../harness/case.js'
import { acceptsOrEnds, profile, start } from '../harness/management.js'
import { matching } from '../harness/matching.js'
import { BEEP_XML, NOWHERE, type Peer } from '../harness/peer.js'
import { malformed, ORDINARY, type Plain, STYLES, spell } from '../harness/spelling.js'

const plain = (uri: string): Plain => ({ name: 'greeting', content: [{ name: 'profile', attributes: { uri } }] })

/** Greets with an element as it stands; the session then has to be up. */
async function greets(peer: Peer, element: string): Promise<undefined> {
  peer.manage('RPY 0', element)
  await peer.greeted()
  await peer.expectAlive()
  return undefined
}

/** More profiles than fit into the first window; as many as there are by default do not fit into the second either. */
export function longGreeting(peer: Peer, count = 150): Buffer {
  const many = Array.from({ length: count }, (_, at) => profile(`http://example.org/profiles/number/${at}`)).join('')
  return Buffer.from(`${BEEP_XML}<greeting>${profile(peer.profile)}${many}</greeting>`)
}

/** Greetings that every peer takes; E stands for the profile that echoes. */
const LAWFUL: readonly [slug: string, title: string, element: (uri: string) => string, judges: readonly string[]][] = [
  ['no-profiles', 'a greeting without profiles', () => '<greeting />', ['R3080-2.3.1.1-13', 'R3080-2.3.1.1-07']],
  ['no-profiles-pair', 'the same, with an end tag', () => '<greeting></greeting>\r\n', ['R3080-2.3.1.1-13']],
  [
    'one-feature',
    'a feature that nobody knows',
    (uri) => `<greeting features='x-never-heard-of'>${profile(uri)}</greeting>`,
    ['R3080-2.3.1.1-05'],
  ],
  [
    'features',
    'several features',
    (uri) => `<greeting features='x-foo x-bar'>${profile(uri)}</greeting>`,
    ['R3080-2.3.1.1-04', 'R3080-2.3.1.1-05'],
  ],
  [
    'features-spaced',
    'features with white space around them',
    (uri) => `<greeting features='  x-a \r\n\tx-b '>${profile(uri)}</greeting>`,
    ['R3080-7.1-09'],
  ],
  ['localize', 'one language', (uri) => `<greeting localize='fr'>${profile(uri)}</greeting>`, ['R3080-2.3.1.1-06']],
  [
    'localize-list',
    'several languages',
    (uri) => `<greeting localize='fr-CA en x-klingon'>${profile(uri)}</greeting>`,
    ['R3080-2.3.1.1-06'],
  ],
  [
    'localize-default',
    'the language that is the default',
    (uri) => `<greeting localize='i-default'>${profile(uri)}</greeting>`,
    ['R3080-2.3.1.1-07'],
  ],
  [
    'all',
    'everything together',
    (uri) => `<greeting localize='en' features='x-a'>${profile(uri)}${profile(NOWHERE)}</greeting>`,
    ['R3080-2.3.1.1-03'],
  ],
]

/** First frames that are no greeting, each with what the RFC has against it. */
const FIRST: readonly [
  slug: string,
  title: string,
  head: string,
  element: string,
  judges: readonly string[],
  strength: typeof must,
][] = [
  ['close-first', 'a close before any greeting', 'MSG 0 1 .', "<close number='0' code='200' />", ['R3080-2.3.1.1-09'], should],
  ['start-first', 'a start before any greeting', 'MSG 0 1 .', start(1, profile(NOWHERE)), ['R3080-2.3.1.1-09'], should],
  [
    'other-number-first',
    'a greeting that answers another number',
    'RPY 0 1 .',
    '<greeting />',
    ['R3080-2.3.1.1-01', 'R3080-2.3.1.1-09'],
    must,
  ],
  ['other-channel-first', 'a greeting on channel 1', 'RPY 1 0 .', '<greeting />', ['R3080-2.3.1.1-01', 'R3080-2.3.1.1-09'], must],
  ['msg-greeting', 'a greeting as a MSG', 'MSG 0 0 .', '<greeting />', ['R3080-2.3.1.1-01', 'R3080-2.3.1.1-09'], should],
]

/** Greetings that are poorly formed. */
const POOR: readonly [slug: string, title: string, element: string, judges: readonly string[]][] = [
  ['not-xml', 'words instead of a greeting', 'hello', []],
  ['empty', 'nothing instead of a greeting', '', []],
  ['profile', '<profile> instead of a greeting', profile(NOWHERE), []],
  ['ok', '<ok> instead of a greeting', '<ok />', []],
  ['error-in-rpy', '<error> in a RPY instead of a greeting', "<error code='421' />", []],
  ['start', '<start> in a RPY instead of a greeting', start(1, profile(NOWHERE)), []],
  ['upper-case', '<GREETING>', '<GREETING />', []],
  ['without-uri', 'a profile without uri in a greeting', '<greeting><profile /></greeting>', ['R3080-7.1-01']],
  ['start-within', 'a start in a greeting', `<greeting>${start(1, profile(NOWHERE))}</greeting>`, ['R3080-7.1-01']],
]

export const taken = [
  ...LAWFUL.map(([slug, title, element, judges]) =>
    must(
      slug,
      {
        title,
        judges,
        quote: 'zero or more "profile" elements',
        sends: element('E'),
        expects: 'the session is up',
      },
      (peer) => greets(peer, element(peer.profile)),
    ),
  ),
  must.hold(
    'any-spelling',
    {
      title: 'a greeting in any spelling that XML has',
      judges: ['R3080-6.4-06', 'R3080-2.3.1.1-03'],
      quote: '',
      sends: 'a greeting with other quotes, white space, references, comments and instructions',
      expects: 'the session is up',
      samples: STYLES,
    },
    (peer, style) =>
      greets(peer, spell({ ...plain(peer.profile), attributes: { features: 'x-a x-b', localize: 'en-GB i-default' } }, style)),
  ),
  must.hold(
    'any-tokens',
    {
      title: 'any features and any languages',
      judges: ['R3080-2.3.1.1-04', 'R3080-2.3.1.1-05', 'R3080-2.3.1.1-06'],
      quote: 'contains one or more feature tokens',
      sends: 'a greeting with any tokens in features and localize',
      expects: 'the session is up',
      samples: fc.record({
        features: fc.array(matching(/^x-[a-z0-9.:_-]{1,30}$/), { minLength: 1, maxLength: 8 }),
        localize: fc.array(matching(/^[a-z]{2,8}(-[a-zA-Z0-9]{1,8}){0,2}$/), { minLength: 1, maxLength: 8 }),
      }),
    },
    (peer, { features, localize }) =>
      greets(
        peer,
        spell({ ...plain(peer.profile), attributes: { features: features.join(' '), localize: localize.join(' ') } }, ORDINARY),
      ),
  ),
  must.hold(
    'any-cut',
    {
      title: 'a greeting in any number of frames',
      judges: ['R3080-2.3.1.1-10', 'R3080-2.3.1.1-11'],
      quote: '',
      sends: 'a greeting of which each frame carries a few octets',
      expects: 'the session is up',
      samples: fc.integer({ min: 1, max: 60 }),
    },
    async (peer, cut) => {
      await peer.message(0, 0, `${BEEP_XML}${spell(plain(peer.profile), ORDINARY)}`, cut, 'RPY')
      await peer.greeted()
      await peer.expectAlive()
      return undefined
    },
  ),
  must(
    'beyond-the-window',
    {
      title: 'a greeting larger than the window',
      judges: ['R3080-2.3.1.1-10'],
      quote: '',
      sends: 'a greeting with 151 profiles, in frames as the window opens',
      expects: 'SEQ for channel 0, then the session is up',
    },
    async (peer) => {
      await peer.message(0, 0, longGreeting(peer), undefined, 'RPY')
      await peer.greeted()
      await peer.expectAlive()
      return undefined
    },
  ),
  must(
    'number-0-is-free',
    {
      title: 'message number 0 is an ordinary one once the greeting is answered for',
      judges: ['R3080-2.3.1.1-16'],
      quote: '',
      sends: 'a start with message number 0 after the greetings',
      expects: 'an answer to it',
    },
    async (peer) => {
      await peer.greet()
      peer.manage('MSG 0', start(peer.number(), profile(NOWHERE)))
      const saw = peer.expectError(await peer.answer(0))
      await peer.expectAlive()
      return saw
    },
  ),
  ...FIRST.map(([slug, title, head, element, judges, strength]) =>
    strength(
      slug,
      {
        title,
        judges,
        quote: 'immediately sending a positive reply with a message number of zero',
        sends: `${head} ${element} as our first frame`,
        expects: 'the session ends without an answer',
      },
      async (peer) => {
        peer.send(head, BEEP_XML + element)
        return peer.expectTermination(['RPY 0 0'])
      },
    ),
  ),
  must(
    'twice',
    {
      title: 'a second greeting',
      judges: ['R3080-2.3.1.1-12'],
      quote: '',
      sends: 'our greeting twice',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      await peer.greet()
      peer.manage('RPY 0', '<greeting />')
      return peer.expectTermination()
    },
  ),
  ...POOR.map(([slug, title, element, judges]) =>
    must(
      `poor-${slug}`,
      {
        title,
        judges: ['R3080-2.2.2.1-02', ...judges],
        quote: 'If a poorly-formed reply is received on channel zero, the session is terminated',
        sends: `RPY 0 0 with ${element === '' ? 'an empty body' : element}`,
        expects: 'the session ends without an answer',
      },
      async (peer) => {
        peer.manage('RPY 0', element)
        return peer.expectTermination(['RPY 0 0'])
      },
    ),
  ),
  must.hold(
    'poor-any',
    {
      title: 'a greeting with any damage that makes it no XML',
      judges: ['R3080-2.2.2.1-02'],
      quote: 'If a poorly-formed reply is received on channel zero, the session is terminated',
      sends: 'a greeting that is not well-formed',
      expects: 'the session ends without an answer',
      samples: malformed(`<greeting features='x-a'>${profile(NOWHERE)}</greeting>`),
    },
    async (peer, element) => {
      peer.manage('RPY 0', element)
      return peer.expectTermination(['RPY 0 0'])
    },
  ),
  ...(
    [
      [
        'content',
        'an initialization message in a greeting',
        (uri) => `<greeting>${profile(uri, 'hello')}</greeting>`,
        ['R3080-2.3.1.1-08'],
      ],
      ['text', 'words in a greeting', (uri) => `<greeting>hello${profile(uri)}</greeting>`, ['R3080-7.1-01']],
      [
        'attribute',
        'an attribute that the DTD has not',
        (uri) => `<greeting x-more='1'>${profile(uri)}</greeting>`,
        ['R3080-7.1-01'],
      ],
      ['no-token', 'features without a token', (uri) => `<greeting features=''>${profile(uri)}</greeting>`, ['R3080-7.1-09']],
    ] as [string, string, (uri: string) => string, string[]][]
  ).map(([slug, title, element, judges]) =>
    may(
      `choice-${slug}`,
      {
        title,
        judges,
        quote: '',
        sends: element('E'),
        expects: 'it is passed over, or the session ends',
      },
      async (peer) => {
        peer.manage('RPY 0', element(peer.profile))
        return acceptsOrEnds(peer)
      },
    ),
  ),
]
