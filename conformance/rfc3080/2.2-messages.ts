// Messages are MIME entities, cut into frames (RFC 3080 §2.2).
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { expectAnswered, expectTaken, ordinary, plain } from '../harness/framing.js'
import { bodyOf, NOWHERE, type Peer } from '../harness/peer.js'

const MIME = 'A message is structured according to the rules of MIME'

/** Spellings of one entity header that MIME does not tell apart: name, value, line break by line break. */
const SPELLINGS: readonly (readonly [slug: string, what: string, headers: string])[] = [
  ['headers', 'a Content-Type', 'Content-Type: text/plain\r\n'],
  ['two-headers', 'two headers', 'Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n'],
  ['only-encoding', 'only a Content-Transfer-Encoding', 'Content-Transfer-Encoding: binary\r\n'],
  ['header-case', 'a name and a type in other cases', 'CONTENT-type: Text/PLAIN\r\n'],
  ['header-without-space', 'no space after the colon', 'Content-Type:text/plain\r\n'],
  ['header-parameter', 'a parameter', 'Content-Type: text/plain; charset="utf-8"\r\n'],
  ['header-folded', 'a folded line', 'Content-Type: text/plain;\r\n charset=utf-8\r\n'],
  ['header-comment', 'a comment', 'Content-Type: text/plain (as it were)\r\n'],
  ['header-unknown', 'a header of a name that nobody knows', 'X-Nobody: knows this: it says "nothing"\r\n'],
]

/** Any of them, put together at random. */
const headers = fc
  .record({
    name: fc.mixedCase(fc.constant('content-type')),
    space: fc.constantFrom('', ' ', '\t', '  ', '\r\n '),
    type: fc.mixedCase(fc.constantFrom('text/plain', 'application/octet-stream', 'image/png')),
    parameter: fc.constantFrom('', ';charset=utf-8', '; charset="utf-8"', ';\r\n\tcharset=utf-8', '; a=b; c="d e"'),
    more: fc.constantFrom('', 'Content-Transfer-Encoding: binary\r\n', 'content-id: <1@example.org>\r\n'),
  })
  .map(({ name, space, type, parameter, more }) => `${name}:${space}${type}${parameter}\r\n${more}`)

/** Sends a message with headers and judges what became of its body. */
async function withHeaders(peer: Peer, headers: string, body = 'hello'): Promise<string | undefined> {
  const channel = await peer.channel()
  await peer.message(channel, 0, `${headers}\r\n${body}`)
  return expectTaken(peer, channel, 0, body)
}

/** A payload of the form [entity-headers] CR LF body. */
const ENTITY = /^(?:[!-9;-~]+:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*\r\n/

export const messages = section('rfc3080/2.2', 'Messages and Frames', [
  ...SPELLINGS.map(([slug, what, text]) =>
    must(
      slug,
      {
        title: `a message with ${what}`,
        judges: ['R3080-2.2-01', ...(slug === 'only-encoding' ? ['R3080-2.2-04'] : []), 'R3080-2.2-11'],
        quote: slug === 'only-encoding' ? 'If none, or only some, of the "entity-headers" are present' : MIME,
        sends: `${JSON.stringify(text)}, an empty line, a body`,
        expects: 'the body comes back',
      },
      (peer) => withHeaders(peer, text),
    ),
  ),
  must.hold(
    'header-spellings',
    {
      title: 'any spelling of entity headers that MIME allows',
      judges: ['R3080-2.2-01', 'R3080-2.2-11'],
      quote: MIME,
      sends: 'a Content-Type in any case, folded or not, with or without parameters',
      expects: 'the body comes back',
      samples: headers,
    },
    (peer, text) => withHeaders(peer, text),
  ),
  must(
    'no-headers',
    {
      title: 'a message without entity headers',
      judges: ['R3080-2.2-03', 'R3080-2.2-10'],
      quote: 'each message may begin with "entity-headers"',
      sends: 'an empty line and a body that looks like a header',
      expects: 'the body comes back as it is',
    },
    (peer) => withHeaders(peer, '', 'A: b\r\n\r\nc'),
  ),
  must(
    'every-octet',
    {
      title: 'all 256 octets in one payload',
      judges: ['R3080-2.2-08', 'R3080-2.2-03', 'R3080-2.2.1-12'],
      quote: 'the payload, consisting of zero or more octets',
      sends: 'a body of all octets in order',
      expects: 'it comes back as it is',
    },
    async (peer) => {
      const body = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet))
      const channel = await peer.channel()
      await peer.message(channel, 0, plain(body))
      return expectTaken(peer, channel, 0, body)
    },
  ),
  must.hold(
    'binary-by-default',
    {
      title: 'any octets without a Content-Transfer-Encoding',
      judges: ['R3080-2.2-03', 'R3080-2.2-08'],
      quote: 'the default "Content-Transfer-Encoding" is "binary"',
      sends: 'a body of any octets',
      expects: 'they come back as they are',
      samples: fc.uint8Array({ maxLength: 1000 }),
    },
    async (peer, body) => {
      const channel = await peer.channel()
      await peer.message(channel, 0, plain(body))
      return expectTaken(peer, channel, 0, body)
    },
  ),
  may(
    'type-by-default',
    {
      title: 'a message on channel 0 without a Content-Type',
      judges: ['R3080-2.2-02'],
      quote: 'the default "Content-Type" is "application/octet-stream"',
      sends: 'a start behind an empty line',
      expects: 'it is refused, since it is not application/beep+xml, or taken all the same; the session goes on',
    },
    async (peer) => {
      await peer.greet()
      const msgno = peer.next()
      peer.manage(`MSG ${msgno}`, `<start number='${peer.number()}'><profile uri='${NOWHERE}' /></start>`, '\r\n')
      const said = peer.expectError(await peer.answer(msgno))
      await peer.expectAlive()
      return said
    },
  ),
  may(
    'transfer-encoding',
    {
      title: 'a message in base64',
      judges: ['R3080-2.2-12'],
      quote: MIME,
      sends: 'Content-Transfer-Encoding: base64, and a body in it',
      expects: 'any answer; the session goes on',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.message(channel, 0, 'Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=')
      return expectAnswered(peer, channel, 0)
    },
  ),
  ...(
    [
      ['no-entity', 'neither headers nor an empty line', 'hello'],
      ['no-payload', 'no payload at all', ''],
      ['no-empty-line', 'headers without the empty line', 'Content-Type: text/plain\r\n'],
      ['not-a-header', 'a line that is no header', 'hello there\r\n\r\nbody'],
    ] as const
  ).map(([slug, what, payload]) =>
    may(
      slug,
      {
        title: `a message with ${what}`,
        judges: ['R3080-2.2-10'],
        quote: MIME,
        sends: JSON.stringify(payload),
        expects: 'any answer; the session goes on',
      },
      async (peer) => {
        const channel = await peer.channel()
        await peer.message(channel, 0, payload)
        return expectAnswered(peer, channel, 0)
      },
    ),
  ),
  must(
    'entities',
    {
      title: 'the messages of the target are entities',
      judges: ['R3080-2.2-01', 'R3080-2.2-10'],
      quote: MIME,
      sends: 'an ordinary session',
      expects: 'each message that is not empty begins with entity headers and an empty line, or with the empty line',
    },
    async (peer) => {
      const growing = new Map<number, Buffer[]>()
      for (const { channel, more, payload } of await ordinary(peer)) {
        const pieces = [...(growing.get(channel) ?? []), payload]
        growing.set(channel, more ? pieces : [])
        const whole = Buffer.concat(pieces).toString('latin1')
        if (!more && whole !== '' && !ENTITY.test(whole))
          throw new Failure(`a message on channel ${channel} begins with ${JSON.stringify(whole.slice(0, 60))}`)
      }
      return undefined
    },
  ),
  may(
    'segments',
    {
      title: 'a long message of the target',
      judges: ['R3080-2.2-05'],
      quote: 'it may be convenient or necessary to segment a message',
      sends: 'a MSG of 10000 octets, to be echoed',
      expects: 'a reply in several frames, since the window is smaller; or in one, when it waits for a window that fits',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      const { frames } = await peer.echo(channel, 0, 'x'.repeat(10_000))
      return `${frames.length} frames, the largest of ${Math.max(...frames.map(({ size }) => size))} octets`
    },
  ),
  must(
    'trailer-first',
    {
      title: 'a frame whose trailer comes before its payload',
      judges: ['R3080-2.2-06', 'R3080-2.2.1.3-02'],
      quote: 'Each frame consists of a header, the payload, and a trailer',
      sends: 'header, END, payload',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.write(`MSG ${channel} 0 . 0 7\r\nEND\r\n\r\nhello`)
      return peer.expectTermination()
    },
  ),
  must.hold(
    'printable',
    {
      title: 'any octet in a header that is not printable ASCII',
      judges: ['R3080-2.2-07', 'R3080-2.2.1.1-23'],
      quote: 'header and trailer are each represented using printable ASCII characters',
      sends: 'a header with such an octet in place of one of its own, or between two',
      expects: 'the session ends without an answer',
      samples: fc.record({
        octet: fc.oneof(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 127, max: 255 })),
        at: fc.nat({ max: 12 }),
        instead: fc.boolean(),
      }),
    },
    async (peer, { octet, at, instead }) => {
      const channel = await peer.channel()
      const header = `MSG ${channel} 0 . 0 7`
      const spoilt = `${header.slice(0, at)}${String.fromCharCode(octet)}${header.slice(instead ? at + 1 : at)}`
      peer.write(`${spoilt}\r\n\r\nhelloEND\r\n`)
      return peer.expectTermination()
    },
  ),
  must.hold(
    'cut-anywhere',
    {
      title: 'a message with headers, cut into frames anywhere',
      judges: ['R3080-2.2-09', 'R3080-2.2.1.1-10'],
      quote: 'it may be convenient or necessary to segment a message into multiple frames',
      sends: 'Content-Type, an empty line and a body, in frames of any lengths',
      expects: 'the body comes back',
      samples: fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 8 }),
    },
    async (peer, lengths) => {
      const channel = await peer.channel()
      const payload = 'Content-Type: text/plain\r\n\r\nhello\r\n\r\nthere'
      let at = 0
      for (const length of lengths) {
        peer.send(`MSG ${channel} 0 *`, payload.slice(at, at + length))
        at += length
      }
      peer.send(`MSG ${channel} 0 .`, payload.slice(at))
      return expectTaken(peer, channel, 0, bodyOf(Buffer.from(payload)))
    },
  ),
])
