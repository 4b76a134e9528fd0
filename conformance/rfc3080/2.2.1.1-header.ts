// The frame header as it has to be written (RFC 3080 §2.2.1.1): keyword, single spaces, CR LF, numbers, sizes, seqnos.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { MAX_NUMBER, MAX_SEQNO } from '../../src/beep/limits.js'
import { type Draft, must, section, should } from '../harness/case.js'
import { expectTaken, plain, question } from '../harness/framing.js'

const SPACE = 'A single space character (decimal code 32, " ") separates each component'
const LINE_END = 'The header is terminated with a CRLF pair'
const PARAMETERS = 'any of the parameters in the header cannot be determined or are invalid'
const START = 'if the header doesn\'t start with "MSG", "RPY", "ERR", "ANS", or "NUL"'
const TERMINATED = 'the session is terminated without generating a response'

/** The whole of what is sent, `{c}` standing for an open channel. */
type Row = readonly [slug: string, what: string, octets: string, judges: readonly string[], quote: string]

const PAYLOAD = '\r\nhelloEND\r\n'

const ROWS: readonly Row[] = [
  ['lower-case', 'a keyword in lower case', `msg {c} 0 . 0 7\r\n${PAYLOAD}`, ['R3080-2.2.1.1-01'], START],
  ['mixed-case', 'a keyword in mixed case', `Msg {c} 0 . 0 7\r\n${PAYLOAD}`, ['R3080-2.2.1.1-01'], START],
  ['two-spaces', 'two spaces behind the keyword', `MSG  {c} 0 . 0 7\r\n${PAYLOAD}`, ['R3080-2.2.1.1-02'], SPACE],
  ['two-spaces-inside', 'two spaces between parameters', `MSG {c} 0 .  0 7\r\n${PAYLOAD}`, ['R3080-2.2.1.1-02'], SPACE],
  ['tab', 'a tab for a space', `MSG\t{c} 0 . 0 7\r\n${PAYLOAD}`, ['R3080-2.2.1.1-02'], SPACE],
  ['space-at-end', 'a space at its end', `MSG {c} 0 . 0 7 \r\n${PAYLOAD}`, ['R3080-2.2.1.1-02'], SPACE],
  ['space-at-start', 'a space at its start', ` MSG {c} 0 . 0 7\r\n${PAYLOAD}`, ['R3080-2.2.1.1-02', 'R3080-2.2.1.1-22'], START],
  ['line-feed', 'a bare line feed at its end', `MSG {c} 0 . 0 7\n${PAYLOAD}`, ['R3080-2.2.1.1-03'], LINE_END],
  ['carriage-return', 'a bare carriage return at its end', `MSG {c} 0 . 0 7\r${PAYLOAD}`, ['R3080-2.2.1.1-03'], LINE_END],
  ['reversed-line-end', 'its line end the wrong way round', `MSG {c} 0 . 0 7\n\r${PAYLOAD}`, ['R3080-2.2.1.1-03'], LINE_END],
  ['double-line-end', 'two carriage returns', `MSG {c} 0 . 0 7\r\r\n${PAYLOAD}`, ['R3080-2.2.1.1-03'], LINE_END],
  ['empty-line', 'an empty line before it', `\r\nMSG {c} 0 . 0 7\r\n${PAYLOAD}`, ['R3080-2.2.1.1-22'], START],
  [
    'channel-negative',
    'channel -1',
    `MSG -1 0 . 0 7\r\n${PAYLOAD}`,
    ['R3080-2.2.1.1-04'],
    'The channel number ("channel") must be a non-negative integer',
  ],
  [
    'msgno-negative',
    'message number -1',
    `MSG {c} -1 . 0 7\r\n${PAYLOAD}`,
    ['R3080-2.2.1.1-05'],
    'The message number ("msgno") must be a non-negative integer',
  ],
  [
    'size-too-small',
    'a size that is too small by one',
    `MSG {c} 0 . 0 6\r\n${PAYLOAD}`,
    ['R3080-2.2.1.1-13', 'R3080-2.2.1.3-02'],
    'specifies the exact number of octets in the payload',
  ],
  [
    'size-with-trailer',
    'a size that counts the trailer',
    `MSG {c} 0 . 0 12\r\n${PAYLOAD}SEQ 0 0 4096\r\n`,
    ['R3080-2.2.1.1-13', 'R3080-2.2.1.3-02'],
    'This does not include either the header or trailer',
  ],
  [
    'channel-unknown',
    'a channel that was never started',
    `MSG 99 0 . 0 7\r\n${PAYLOAD}`,
    ['R3080-2.2.1.1-24'],
    "the value of the channel number doesn't refer to an existing channel",
  ],
]

const rows: readonly Draft[] = ROWS.map(([slug, what, octets, judges, quote]) =>
  must(
    slug,
    {
      title: `a header with ${what}`,
      judges: [...judges, 'R3080-2.2.1.1-33'],
      quote,
      sends: JSON.stringify(octets.replace('{c}', 'c')),
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.write(octets.replace('{c}', String(channel)))
      return peer.expectTermination()
    },
  ),
)

/** Any writing of a keyword but the right one. */
const otherCase = fc.mixedCase(fc.constantFrom('msg', 'rpy', 'err', 'ans', 'nul')).filter((word) => word !== word.toUpperCase())

export const header = section('rfc3080/2.2.1.1', 'Frame Header', [
  ...rows,
  must.hold(
    'case-any',
    {
      title: 'any keyword in any other case',
      judges: ['R3080-2.2.1.1-01', 'R3080-2.2.1.1-22'],
      quote: START,
      sends: 'a frame that is right but for the case of its keyword',
      expects: 'the session ends without an answer',
      samples: otherCase,
    },
    async (peer, word) => {
      const channel = await peer.channel()
      peer.write(`${word} ${channel} 0 . 0 7\r\n${PAYLOAD}`)
      return peer.expectTermination()
    },
  ),
  must.hold(
    'space-any',
    {
      title: 'white space anywhere in a header where none belongs',
      judges: ['R3080-2.2.1.1-02', 'R3080-2.2.1.1-23'],
      quote: SPACE,
      sends: 'a header with a space or a tab more, at any place',
      expects: 'the session ends without an answer',
      samples: fc.record({ space: fc.constantFrom(' ', '\t', '  '), at: fc.nat({ max: 13 }) }),
    },
    async (peer, { space, at }) => {
      const channel = await peer.channel()
      const head = `MSG ${channel} 0 . 0 7`
      peer.write(`${head.slice(0, at)}${space}${head.slice(at)}\r\n${PAYLOAD}`)
      return peer.expectTermination()
    },
  ),
  must.hold(
    'cut-short',
    {
      title: 'a header that ends anywhere',
      judges: ['R3080-2.2.1.1-23'],
      quote: PARAMETERS,
      sends: 'the beginning of a header, CR LF, and the rest of the frame',
      expects: 'the session ends without an answer',
      samples: fc.nat({ max: 12 }),
    },
    async (peer, at) => {
      const channel = await peer.channel()
      peer.write(`${`MSG ${channel} 0 . 0 7`.slice(0, at)}\r\n${PAYLOAD}`)
      return peer.expectTermination()
    },
  ),
  must.hold(
    'size-any',
    {
      title: 'any size but the right one',
      judges: ['R3080-2.2.1.1-13', 'R3080-2.2.1.3-02'],
      quote: 'specifies the exact number of octets in the payload',
      sends: 'a frame of 7 octets that says another size, and octets enough behind it to see that',
      expects: 'the session ends without an answer',
      samples: fc.nat({ max: 4000 }).filter((size) => size !== 7),
    },
    async (peer, size) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello', { size, trailer: `END\r\n${'x'.repeat(4010)}` })
      return peer.expectTermination()
    },
  ),
  must(
    'size-in-octets',
    {
      title: 'a body of characters that are more than one octet',
      judges: ['R3080-2.2.1.1-13'],
      quote: 'specifies the exact number of octets in the payload',
      sends: 'a body in UTF-8',
      expects: 'it comes back, with its octets counted',
    },
    async (peer) => {
      const channel = await peer.channel()
      const body = new TextEncoder().encode('é – ☃ 𝄞')
      await peer.message(channel, 0, plain(body))
      return expectTaken(peer, channel, 0, body)
    },
  ),
  must.hold(
    'empty-frames',
    {
      title: 'any number of empty frames in a message',
      judges: ['R3080-2.2.1.1-14', 'R3080-2.2.1.1-15', 'R3080-2.2.1.1-09'],
      quote: 'Note that a frame may have an empty payload',
      sends: 'a message of frames of which any are empty, the last too',
      expects: 'the body comes back',
      samples: fc.array(fc.constantFrom('', '', 'a', 'bc'), { maxLength: 12 }),
    },
    async (peer, pieces) => {
      const channel = await peer.channel()
      for (const piece of ['\r\n', ...pieces]) peer.send(`MSG ${channel} 0 *`, piece)
      peer.send(`MSG ${channel} 0 .`)
      return expectTaken(peer, channel, 0, pieces.join(''))
    },
  ),
  must.hold(
    'empty-frame-seqno',
    {
      title: 'an empty frame with any seqno but the one that is due',
      judges: ['R3080-2.2.1.1-15', 'R3080-2.2.1.1-31'],
      quote: "sequence number doesn't correspond to the expected value for the associated channel",
      sends: 'a first frame of 7 octets, and an empty last one with another seqno than 7',
      expects: 'the session ends without an answer',
      samples: fc.oneof(fc.constantFrom(0, 6, 8), fc.integer({ min: 0, max: MAX_SEQNO })).filter((seqno) => seqno !== 7),
    },
    async (peer, seqno) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, '\r\nhello')
      peer.send(`MSG ${channel} 0 .`, '', { seqno })
      return peer.expectTermination()
    },
  ),
  must.hold(
    'channel-any',
    {
      title: 'any channel that is not open',
      judges: ['R3080-2.2.1.1-24'],
      quote: "the value of the channel number doesn't refer to an existing channel",
      sends: 'a frame of any keyword on it',
      expects: 'the session ends without an answer',
      samples: fc.record({
        head: fc.constantFrom('MSG', 'RPY', 'ERR', 'NUL'),
        number: fc.oneof(fc.integer({ min: 1000, max: MAX_NUMBER }), fc.constantFrom(256, 257, 65_536, MAX_NUMBER)),
      }),
    },
    async (peer, { head, number }) => {
      await peer.channel()
      peer.send(`${head} ${number} 0 .`, head === 'NUL' ? '' : '\r\nhello')
      return peer.expectTermination()
    },
  ),
  must(
    'nothing-after',
    {
      title: 'good frames behind a bad one',
      judges: ['R3080-2.2.1.1-33'],
      quote: TERMINATED,
      sends: 'in one piece: a frame for a channel that is not open, a message, a start',
      expects: 'the session ends, and neither is answered',
    },
    async (peer) => {
      const channel = await peer.channel()
      const bad = peer.frame('MSG 99 0 .', '\r\nhello')
      peer.write(Buffer.concat([bad, peer.frame(`MSG ${channel} 0 .`, '\r\nhello'), question(peer).octets]))
      return peer.expectTermination()
    },
  ),
  should(
    'terminates-by-itself',
    {
      title: 'after a bad frame nothing is waited for',
      judges: ['R3080-2.2.1.1-33'],
      quote: TERMINATED,
      sends: 'a header of an unknown keyword, and no more',
      expects: 'the session ends; the target does not wait for a payload',
    },
    async (peer) => {
      await peer.channel()
      peer.write('FOO 1 0 . 0 7\r\n')
      return peer.expectTermination()
    },
  ),
])
