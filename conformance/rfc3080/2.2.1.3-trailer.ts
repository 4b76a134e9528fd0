// The trailer of a frame (RFC 3080 §2.2.1.3).
import { Buffer } from 'node:buffer'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { type Draft, must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { expectTaken, plain } from '../harness/framing.js'

const WRONG = "if the characters immediately following the payload don't correspond to a trailer"
const TRAILER = 'The frame trailer consists of "END" followed by a CRLF pair'

const ROWS: readonly (readonly [slug: string, what: string, trailer: string, judges?: readonly string[]])[] = [
  ['lower-case', 'in lower case', 'end\r\n', ['R3080-2.2.1-11']],
  ['line-feed', 'with a bare line feed', 'END\nSEQ 0 0 4096\r\n', ['R3080-2.2.1-11', 'R3080-2.2-07']],
  ['carriage-return', 'with a bare carriage return', 'END\rSEQ 0 0 4096\r\n', ['R3080-2.2.1-11']],
  ['reversed', 'with its line end the wrong way round', 'END\n\r', ['R3080-2.2.1-11']],
  ['space', 'with a space at its end', 'END \r\n', ['R3080-2.2.1-11']],
  ['short', 'one letter short', 'EN\r\nSEQ 0 0 4096\r\n', ['R3080-2.2.1-11']],
  ['line-before', 'after a line end that is not counted', '\r\nEND\r\n'],
  ['octet-before', 'after an octet more than the size says', 'xEND\r\n'],
  ['missing', 'missing, the next frame in its place', 'SEQ 0 0 4096\r\n', ['R3080-2.2.1.3-01']],
  ['nul-octets', 'of octets that are 0', '\0\0\0\0\0'],
]

const rows: readonly Draft[] = ROWS.map(([slug, what, trailer, judges = []]) =>
  must(
    slug,
    {
      title: `a trailer ${what}`,
      judges: [...judges, 'R3080-2.2.1.3-02'],
      quote: WRONG,
      sends: `a MSG with ${JSON.stringify(trailer)} behind its payload`,
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello', { trailer })
      return peer.expectTermination()
    },
  ),
)

export const trailer = section('rfc3080/2.2.1.3', 'Frame Trailer', [
  ...rows,
  must.hold(
    'any-other',
    {
      title: 'any five octets but the trailer',
      judges: ['R3080-2.2.1.3-02', 'R3080-2.2.1-11'],
      quote: WRONG,
      sends: 'a MSG with one or more octets of its trailer replaced',
      expects: 'the session ends without an answer',
      samples: fc
        .array(fc.record({ at: fc.nat({ max: 4 }), octet: fc.nat({ max: 255 }) }), { minLength: 1, maxLength: 5 })
        .map((changes) =>
          changes.reduce((text, { at, octet }) => text.slice(0, at) + String.fromCharCode(octet) + text.slice(at + 1), 'END\r\n'),
        )
        .filter((text) => text !== 'END\r\n'),
    },
    async (peer, text) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello', { trailer: text })
      return peer.expectTermination()
    },
  ),
  must.hold(
    'any-number-of-octets-before',
    {
      title: 'the trailer after any octets more than the size says',
      judges: ['R3080-2.2.1.3-02', 'R3080-2.2.1.1-13'],
      quote: WRONG,
      sends: 'a MSG with octets between its payload and its trailer',
      expects: 'the session ends without an answer',
      samples: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }),
    },
    async (peer, more) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello', { trailer: `${more}END\r\n` })
      return peer.expectTermination()
    },
  ),
  must.hold(
    'payload-ends-like-it',
    {
      title: 'payloads that end like the beginning of a trailer',
      judges: ['R3080-2.2.1.3-01', 'R3080-2.2.1-12'],
      quote: TRAILER,
      sends: 'a body that ends in a line end, a part of END, or all of it',
      expects: 'the body comes back as it is',
      samples: fc
        .array(fc.constantFrom('E', 'EN', 'END', 'END\r', 'END\r\n', '\r', '\n', '\r\n'), { minLength: 1, maxLength: 4 })
        .map((pieces) => `hello${pieces.join('')}`),
    },
    async (peer, body) => {
      const channel = await peer.channel()
      await peer.message(channel, 0, plain(body))
      return expectTaken(peer, channel, 0, body)
    },
  ),
  must(
    'nothing-before-it',
    {
      title: 'a frame is not complete before its trailer',
      judges: ['R3080-2.2.1.3-04'],
      quote: WRONG,
      sends: 'a MSG without its trailer; later other octets in place of it',
      expects: 'the message has no positive reply, neither before nor after; the session ends',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello', { trailer: '' })
      for (let turns = 0; turns < 20; turns++) await turn()
      peer.write('XXX\r\n')
      await peer.expectTermination()
      // What is refused may be refused before it is whole (§2.6.3).
      const early = peer.connection.heard.find(
        (heard) => heard.kind === 'data' && heard.channel === channel && heard.keyword !== 'MSG' && heard.keyword !== 'ERR',
      )
      if (early?.kind === 'data') throw new Failure(`${early.keyword} ${early.msgno} came for a message that was never complete`)
      return undefined
    },
  ),
  must(
    'empty-frame-with-another',
    {
      title: 'an empty frame with five other octets for a trailer',
      judges: ['R3080-2.2.1.3-02', 'R3080-2.2.1-11'],
      quote: WRONG,
      sends: 'an empty first frame that ends in lower case, and a good last frame',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      const first = peer.frame(`MSG ${channel} 0 *`, '', { trailer: 'end\r\n' })
      peer.write(Buffer.concat([first, peer.frame(`MSG ${channel} 0 .`, '\r\nhello')]))
      return peer.expectTermination()
    },
  ),
  must(
    'empty-frame',
    {
      title: 'an empty frame without a trailer',
      judges: ['R3080-2.2.1.3-01', 'R3080-2.2.1.3-02'],
      quote: TRAILER,
      sends: 'a header of an empty frame, and the next header behind it',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, '', { trailer: '' })
      peer.send(`MSG ${channel} 0 .`, '\r\nhello')
      return peer.expectTermination()
    },
  ),
])
