// Headers that the grammar of frames does not allow (RFC 3080 §2.2.1): keywords, parameters, their ranges, how numbers are written.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { MAX_SEQNO } from '../../src/beep/limits.js'
import { type Draft, must, section } from '../harness/case.js'
import { expectRequest } from '../harness/framing.js'
import type { Peer } from '../harness/peer.js'

const INVALID = 'cannot be determined or are invalid (i.e., syntactically incorrect)'
const COMMON = 'common = channel SP msgno SP more SP seqno SP size'

/** A header, `{c}` standing for an open channel: nothing else about its frame is wrong. */
type Row = readonly [slug: string, what: string, header: string, judges: readonly string[], quote?: string]

const HEADERS: readonly Row[] = [
  ['keyword-unknown', 'a keyword that does not exist', 'FOO {c} 0 . 0 7', ['R3080-2.2.1-02', 'R3080-2.2.1.1-22']],
  ['keyword-too-long', 'a keyword of four letters', 'MSGS {c} 0 . 0 7', ['R3080-2.2.1-02', 'R3080-2.2.1.1-22']],
  ['keyword-glued', 'another letter in place of the space', 'MSGx{c} 0 . 0 7', ['R3080-2.2.1-02', 'R3080-2.2.1.1-02']],
  [
    'mapping-unknown',
    'the keyword of a frame that TCP does not have',
    'ACK {c} 0 4096',
    ['R3080-2.2.1-13'],
    'each transport mapping may define additional frames',
  ],
  ['order', 'seqno before the continuation indicator', 'MSG {c} 0 0 . 7', ['R3080-2.2.1-03'], COMMON],
  ['ansno-on-msg', 'MSG with a sixth parameter', 'MSG {c} 0 . 0 7 0', ['R3080-2.2.1-04'], 'msg = "MSG" SP common CR LF'],
  ['too-few', 'no size', 'MSG {c} 0 . 0', ['R3080-2.2.1.1-23'], INVALID],
  ['keyword-alone', 'nothing but the keyword', 'MSG', ['R3080-2.2.1.1-23'], INVALID],
  [
    'channel-too-large',
    'channel 2147483648',
    'MSG 2147483648 0 . 0 7',
    ['R3080-2.2.1-05', 'R3080-2.2.1.1-04'],
    'channel = 0..2147483647',
  ],
  [
    'channel-largest',
    'channel 2147483647, which is not open',
    'MSG 2147483647 0 . 0 7',
    ['R3080-2.2.1-05', 'R3080-2.2.1.1-24'],
    "doesn't refer to an existing channel",
  ],
  [
    'msgno-too-large',
    'message number 2147483648',
    'MSG {c} 2147483648 . 0 7',
    ['R3080-2.2.1-06', 'R3080-2.2.1.1-05'],
    'msgno = 0..2147483647',
  ],
  [
    'seqno-too-large',
    'seqno 4294967296, which is not 0 again',
    'MSG {c} 0 . 4294967296 7',
    ['R3080-2.2.1-07'],
    'seqno = 0..4294967295',
  ],
  ['more-other', 'another continuation indicator', 'MSG {c} 0 - 0 7', ['R3080-2.2.1-10'], 'more = "." / "*"'],
  ['more-twice', 'two continuation indicators in one', 'MSG {c} 0 .. 0 7', ['R3080-2.2.1-10'], 'more = "." / "*"'],
  ['more-none', 'nothing for a continuation indicator', 'MSG {c} 0  0 7', ['R3080-2.2.1-10'], 'more = "." / "*"'],
]

/** Ways to write a number that are none of ABNF's. */
const NUMBERS: readonly (readonly [slug: string, what: string, spoil: (number: string) => string])[] = [
  ['plus', 'a plus', (number) => `+${number}`],
  ['minus', 'a minus', (number) => `-${number}`],
  ['hexadecimal', 'hexadecimal digits', (number) => `0x${Number(number).toString(16)}`],
  ['exponent', 'an exponent', (number) => `${number}e0`],
  ['fraction', 'a fraction', (number) => `${number}.0`],
  ['letter', 'a letter behind it', (number) => `${number}a`],
  ['underscore', 'an underscore in it', (number) => `0_${number}`],
  [
    'arabic',
    'Arabic digits, in UTF-8',
    (number) => Buffer.from(number.replace(/\d/g, (digit) => String.fromCodePoint(0x660 + Number(digit)))).toString('latin1'),
  ],
  ['superscript', 'a superscript, in Latin-1', (number) => number.replace(/\d$/, '\xb2')],
  ['twenty-digits', 'twenty digits', (number) => String(2n ** 64n + BigInt(number))],
]

/** The parameters of a lawful header, and which of them are numbers. */
const lawful = (channel: number) => [String(channel), '0', '.', '0', '7']
const PLACES = [0, 1, 3, 4]

/** A frame of which only the parameters are not as they have to be: the payload has the size that they should tell. */
async function judge(peer: Peer, parameters: readonly string[], keyword = 'MSG'): Promise<string> {
  peer.write(`${keyword} ${parameters.join(' ')}\r\n\r\nhelloEND\r\n`)
  return peer.expectTermination()
}

const rows: readonly Draft[] = HEADERS.map(([slug, what, header, judges, quote]) =>
  must(
    slug,
    {
      title: `a header with ${what}`,
      judges: [...judges, 'R3080-2.2.1.1-33'],
      quote: quote ?? 'the header doesn\'t start with "MSG", "RPY", "ERR", "ANS", or',
      sends: header.replace('{c}', 'c'),
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.write(`${header.replace('{c}', String(channel))}\r\n\r\nhelloEND\r\n`)
      return peer.expectTermination()
    },
  ),
)

const numbers: readonly Draft[] = NUMBERS.map(([slug, what, spoil]) =>
  must.hold(
    `number-${slug}`,
    {
      title: `a number with ${what}`,
      judges: ['R3080-2.2.1-15', 'R3080-2.2.1.1-23'],
      quote: INVALID,
      sends: `a header of which one number is like ${JSON.stringify(spoil('7'))}`,
      expects: 'the session ends without an answer',
      samples: fc.constantFrom(...PLACES),
    },
    async (peer, place) => {
      const parameters = lawful(await peer.channel())
      return judge(peer, parameters.with(place, spoil(parameters[place]!)))
    },
  ),
)

/** Replies of a form that only another keyword has; to an initiator's own request, where there is one. */
const REPLIES: readonly Row[] = [
  [
    'ans-without-ansno',
    'ANS without an answer number',
    'ANS {c} {m} . 0 7',
    ['R3080-2.2.1-04'],
    'ans = "ANS" SP common SP ansno CR LF',
  ],
  ['rpy-with-ansno', 'RPY with an answer number', 'RPY {c} {m} . 0 7 0', ['R3080-2.2.1-04'], 'rpy = "RPY" SP common CR LF'],
  ['err-with-ansno', 'ERR with an answer number', 'ERR {c} {m} . 0 7 0', ['R3080-2.2.1-04'], 'err = "ERR" SP common CR LF'],
  ['nul-with-ansno', 'NUL with an answer number', 'NUL {c} {m} . 0 0 0', ['R3080-2.2.1-04'], 'nul = "NUL" SP common CR LF'],
  [
    'ansno-too-large',
    'answer number 4294967296',
    'ANS {c} {m} . 0 7 4294967296',
    ['R3080-2.2.1-09'],
    'answer number ("ansno") must be a non-negative integer',
  ],
  [
    'longest-header',
    'the longest that the grammar allows',
    'ANS 2147483647 2147483647 * 4294967295 2147483647 2147483647',
    ['R3080-2.2.1-14', 'R3080-2.2.1.1-24'],
    "doesn't refer to an existing channel",
  ],
]

const replies: readonly Draft[] = REPLIES.map(([slug, what, header, judges, quote]) =>
  must(
    slug,
    {
      title: `a header with ${what}`.replace(/with (?=ANS|RPY|ERR|NUL|the longest)/, 'of '),
      judges: [...judges, 'R3080-2.2.1.1-33'],
      quote: quote ?? INVALID,
      sends: `${header.replace('{c}', 'c').replace('{m}', 'm')}; to a request of the target, if it is an initiator`,
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const { channel, msgno } =
        peer.target === 'initiator' ? await expectRequest(peer) : { channel: await peer.channel(), msgno: 0 }
      const body = header.startsWith('NUL') ? '' : '\r\nhello'
      peer.write(`${header.replace('{c}', String(channel)).replace('{m}', String(msgno))}\r\n${body}END\r\n`)
      return peer.expectTermination()
    },
  ),
)

export const unlawful = section('rfc3080/2.2.1', 'Frame Syntax', [
  ...rows,
  ...numbers,
  ...replies,
  must.hold(
    'keyword-any',
    {
      title: 'any three printable characters in place of the keyword',
      judges: ['R3080-2.2.1-02', 'R3080-2.2.1.1-22'],
      quote: 'three-character keyword (one of: "MSG", "RPY", "ERR", "ANS", or "NUL")',
      sends: 'a frame that is right but for its keyword',
      expects: 'the session ends without an answer',
      samples: fc
        .string({ unit: 'grapheme-ascii', minLength: 3, maxLength: 3 })
        .filter((word) => !/^(MSG|RPY|ERR|ANS|NUL|SEQ)$/.test(word)),
    },
    async (peer, word) => judge(peer, lawful(await peer.channel()), word),
  ),
  must.hold(
    'order-any',
    {
      title: 'any other order of the parameters',
      judges: ['R3080-2.2.1-03'],
      quote: COMMON,
      sends: 'a header whose parameters are the right ones in a wrong order',
      expects: 'the session ends without an answer',
      samples: fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }),
    },
    async (peer, order) => {
      const parameters = lawful(await peer.channel())
      const wrong = order.map((place) => parameters[place]!)
      // The message number and the seqno are both 0, and the channel may be 7.
      return wrong.join() === parameters.join() ? undefined : judge(peer, wrong)
    },
  ),
  must.hold(
    'parameters-any',
    {
      title: 'any number of parameters but five',
      judges: ['R3080-2.2.1-03', 'R3080-2.2.1-04', 'R3080-2.2.1.1-23'],
      quote: COMMON,
      sends: 'a MSG with parameters left out at the end, or with zeros more',
      expects: 'the session ends without an answer',
      samples: fc.nat({ max: 12 }).filter((count) => count !== 5),
    },
    async (peer, count) => {
      const parameters = [...lawful(await peer.channel()), ...Array<string>(7).fill('0')]
      return judge(peer, parameters.slice(0, count))
    },
  ),
  must.hold(
    'beyond-range',
    {
      title: 'any number beyond its range',
      judges: ['R3080-2.2.1-05', 'R3080-2.2.1-06', 'R3080-2.2.1-07', 'R3080-2.2.1-08'],
      quote: INVALID,
      sends: 'a header with one number larger than the grammar allows, often by a power of two',
      expects: 'the session ends without an answer',
      samples: fc.record({
        place: fc.constantFrom(...PLACES),
        turns: fc.bigInt({ min: 1n, max: 2n ** 33n }),
        digits: fc.boolean(),
      }),
    },
    async (peer, { place, turns, digits }) => {
      const parameters = lawful(await peer.channel())
      // What is left of it modulo 2^32 is the number that is due.
      const beyond = digits ? BigInt(MAX_SEQNO) + turns : BigInt(parameters[place]!) + turns * 2n ** 32n
      return judge(peer, parameters.with(place, String(beyond)))
    },
  ),
  must(
    'size-too-large',
    {
      title: 'a header with size 2147483648, and nothing behind it',
      judges: ['R3080-2.2.1-08', 'R3080-2.2.1.1-33'],
      quote: 'size = 0..2147483647',
      sends: 'the header only',
      expects: 'the session ends without an answer; no payload is waited for',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.write(`MSG ${channel} 0 . 0 2147483648\r\n`)
      return peer.expectTermination()
    },
  ),
  must.hold(
    'more-any',
    {
      title: 'any other printable character for the continuation indicator',
      judges: ['R3080-2.2.1-10'],
      quote: 'more = "." / "*"',
      sends: 'a frame that is right but for that',
      expects: 'the session ends without an answer',
      samples: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }).filter((more) => more !== '.' && more !== '*'),
    },
    async (peer, more) => judge(peer, lawful(await peer.channel()).with(2, more)),
  ),
])
