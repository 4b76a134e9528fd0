// What the DTD of channel management does not know (RFC 3080 §7.1): nothing says what becomes of it, but a MSG is answered.
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { answered, close, expectRefusal, goesOnOrEnds, ownChannel, profile, start } from '../harness/management.js'
import { matching } from '../harness/matching.js'
import { NOWHERE } from '../harness/peer.js'

/** N stands for a number that is ours to give, E for the profile that echoes. */
const STRANGE: readonly [
  slug: string,
  title: string,
  element: (number: number, uri: string) => string,
  judges: readonly string[],
][] = [
  [
    'start-attribute',
    'a start with an attribute that the DTD has not',
    (n, uri) => start(n, profile(uri), " x-more='1'"),
    ['R3080-7.1-02'],
  ],
  ['start-text', 'a start with words in it', (n, uri) => start(n, `hello${profile(uri)}`), ['R3080-7.1-02']],
  [
    'start-child',
    'a start with an element that the DTD has not',
    (n, uri) => start(n, `<more />${profile(uri)}`),
    ['R3080-7.1-02'],
  ],
  ['start-start', 'a start in a start', (n, uri) => start(n, profile(uri) + start(n + 2, profile(uri))), ['R3080-7.1-02']],
  [
    'start-prefixed',
    'a start with attributes in a namespace',
    (n, uri) => start(n, profile(uri), " xmlns:x='http://example.org/x' x:more='1'"),
    ['R3080-7.1-02'],
  ],
  [
    'profile-attribute',
    'a profile with an attribute that the DTD has not',
    (n, uri) => start(n, profile(uri, '', " x-more='1'")),
    ['R3080-7.1-03'],
  ],
  [
    'profile-child',
    'a profile with an element in it that is not escaped',
    (n, uri) => start(n, profile(uri, '<ready />')),
    ['R3080-7.1-03'],
  ],
  [
    'close-attribute',
    'a close with an attribute that the DTD has not',
    () => "<close number='77' code='200' x-more='1' />",
    ['R3080-7.1-05'],
  ],
  ['close-child', 'a close with an element in it', () => close(77, 200, '<ok />'), ['R3080-7.1-05']],
  ['code-600', 'a code that begins with 6', () => close(77, 600), ['R3080-7.1-06']],
  ['code-099', 'a code that begins with 0', () => close(77, '099'), ['R3080-7.1-06']],
  ['language', 'a language that is none', () => "<close number='77' code='200' xml:lang='?'>bye</close>", ['R3080-7.1-05']],
]

export const dtd = section('rfc3080/7.1', 'BEEP Channel Management DTD', [
  ...STRANGE.map(([slug, title, element, judges]) =>
    may(
      slug,
      {
        title,
        judges,
        quote: '',
        sends: element(1, 'E'),
        expects: 'it is passed over, or ERR; the session lives',
      },
      async (peer) => {
        await peer.greet()
        return answered(peer, element(peer.number(), peer.profile))
      },
    ),
  ),
  must.hold(
    'any-attribute',
    {
      title: 'a start with any attribute that the DTD has not',
      judges: ['R3080-7.1-02'],
      quote: '',
      sends: 'a start with one more attribute, of any name',
      expects: 'an answer; the session lives',
      samples: fc
        .tuple(
          fc.oneof(
            matching(/^[A-Za-z_][A-Za-z0-9._-]{0,12}$/),
            fc.constantFrom('constructor', '__proto__', 'hasOwnProperty', 'Number'),
          ),
          matching(/^[ -~]{0,20}$/),
        )
        .filter(([name]) => !/^(number|serverName|xml.*)$/.test(name)),
    },
    async (peer, [name, value]) => {
      await peer.greet()
      const escaped = value.replace(/[<&>'"]/g, (each) => `&#${each.charCodeAt(0)};`)
      return answered(peer, start(peer.number(), profile(NOWHERE), ` ${name}='${escaped}'`))
    },
  ),
  may(
    'close-number-with-zero',
    {
      title: 'a close of our channel with a leading zero in its number',
      judges: ['R3080-7.1-05'],
      quote: '',
      sends: "number with a leading zero, as '01'",
      expects: 'the channel is closed, or ERR; the session lives',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      const answer = await peer.ask(close(`0${channel}`))
      const saw = answer.keyword === 'ERR' ? expectRefusal(peer, answer) : 'closed'
      return `${saw}; ${await goesOnOrEnds(peer)}`
    },
  ),
])
