// What is not BEEP at all: other protocols, noise, headers and sizes without end.
import { Buffer } from 'node:buffer'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { type Draft, must, section, should } from '../harness/case.js'
import { plain, question } from '../harness/framing.js'
import type { Peer } from '../harness/peer.js'

const START = 'if the header doesn\'t start with "MSG", "RPY", "ERR", "ANS", or "NUL"'
/** What the target may say of itself, whatever it hears first. */
const OWN = ['RPY 0 0', 'ERR 0 0']

/** A TLS 1.2 ClientHello of 517 octets, its extensions all padding. */
const CLIENT_HELLO = Buffer.concat([
  Buffer.from('1603010200010001fc0303', 'hex'),
  Buffer.alloc(32, 0x5a),
  Buffer.from('000004c02f00ff010001cf001501cb', 'hex'),
  Buffer.alloc(459),
])

/** First words of other protocols. */
const STRANGERS: readonly (readonly [slug: string, what: string, octets: string | Buffer])[] = [
  ['http-request', 'an HTTP request', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['http2-preface', 'the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['tls-record', 'a TLS ClientHello', CLIENT_HELLO],
  ['ssh-banner', 'the banner of SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['smtp-greeting', 'a command of SMTP', 'EHLO localhost\r\n'],
  ['sip-request', 'a request that begins with MSG in small letters', 'message sip:a@example.org SIP/2.0\r\n\r\n'],
  [
    'byte-order-mark',
    'a byte order mark before the greeting',
    '\xef\xbb\xbfRPY 0 0 . 0 51\r\nContent-Type: application/beep+xml\r\n\r\n<greeting />\nEND\r\n',
  ],
  ['utf-16', 'a greeting in UTF-16', Buffer.from('RPY 0 0 . 0 0\r\nEND\r\n', 'utf16le')],
  ['line-ends', 'empty lines', '\r\n'.repeat(50)],
  ['zeros', 'octets that are 0', Buffer.alloc(1000)],
]

const strangers: readonly Draft[] = STRANGERS.flatMap(([slug, what, octets]) => [
  must(
    slug,
    {
      title: `${what}, first of all`,
      judges: ['R3080-2.2.1.1-22', 'R3080-2.2.1.1-33', 'RIMP-02'],
      quote: START,
      sends: `${what}, in place of a greeting`,
      expects: 'the session ends; nothing but the target’s own greeting comes',
    },
    async (peer) => {
      peer.write(octets)
      return peer.expectTermination(OWN)
    },
  ),
])

/** Writes a piece again and again, up to a limit or until the target ends the session. */
async function pour(peer: Peer, piece: Buffer, times: number): Promise<void> {
  for (let at = 0; at < times && peer.connection.ending === 'open'; at++) {
    peer.write(piece)
    await turn()
  }
}

/** Lines that are no header of BEEP, with another behind them that is longer than any header: a target may look at its input when there is enough of it. */
const noise = fc
  .uint8Array({ minLength: 1, maxLength: 300 })
  .filter((octets) => !/^(MSG|RPY|ERR|ANS|NUL|SEQ)/.test(Buffer.from(octets).toString('latin1')))
  .map((octets) => Buffer.concat([octets, Buffer.from(`\r\n${'x'.repeat(100)}\r\n`)]))

/** Frames that no peer may send, each complete, on an open channel. */
const BAD = [
  'FOO {c} 0 . {s} 0\r\nEND\r\n',
  'MSG 99 0 . 0 0\r\nEND\r\n',
  'MSG {c} 1 . {s} 0\r\nend\r\n',
  'RPY {c} 9999 . {s} 0\r\nEND\r\n',
  'MSG {c} 1 . 4000000000 0\r\nEND\r\n',
  '\r\n',
  'SEQ 99 0 4096\r\n',
]

export const garbage = section('robustness', 'Robustness', [
  ...strangers,
  must.hold(
    'noise-first',
    {
      title: 'any octets, first of all',
      judges: ['R3080-2.2.1.1-22', 'RIMP-02'],
      quote: START,
      sends: 'any octets and a line end, then a hundred letters, in place of a greeting',
      expects: 'the session ends; nothing but the target’s own greeting comes',
      samples: noise,
    },
    async (peer, octets) => {
      peer.write(octets)
      return peer.expectTermination(OWN)
    },
  ),
  must.hold(
    'noise-later',
    {
      title: 'any octets between frames',
      judges: ['R3080-2.2.1.1-22'],
      quote: START,
      sends: 'any octets and a line end, then a hundred letters, when a channel is open',
      expects: 'the session ends without an answer',
      samples: noise,
    },
    async (peer, octets) => {
      await peer.channel()
      peer.write(octets)
      return peer.expectTermination()
    },
  ),
  should(
    'header-of-200-octets',
    {
      title: 'a header of 200 digits, without an end',
      judges: ['RIMP-02', 'R3080-2.2.1-14'],
      quote: '',
      sends: 'MSG and 200 digits, and no more',
      expects: 'the session ends: no header is longer than 62 octets',
    },
    async (peer) => {
      await peer.channel()
      peer.write(`MSG ${'1'.repeat(200)}`)
      return peer.expectTermination()
    },
  ),
  must(
    'header-without-end',
    {
      title: 'a header without an end',
      judges: ['RIMP-02'],
      quote: '',
      sends: 'MSG and 300000 digits',
      expects: 'the session ends',
    },
    async (peer) => {
      await peer.channel()
      peer.write('MSG ')
      await pour(peer, Buffer.alloc(10_000, '1'), 30)
      return peer.expectTermination()
    },
  ),
  must(
    'first-header-without-end',
    {
      title: 'a header without an end, first of all',
      judges: ['RIMP-02'],
      quote: '',
      sends: 'RPY and 300000 digits, in place of a greeting',
      expects: 'the session ends; nothing but the target’s own greeting comes',
    },
    async (peer) => {
      peer.write('RPY ')
      await pour(peer, Buffer.alloc(10_000, '1'), 30)
      return peer.expectTermination(OWN)
    },
  ),
  should.hold(
    'size-beyond-window',
    {
      title: 'any size beyond the window',
      judges: ['RIMP-03'],
      quote: '',
      sends: 'a header that announces more than the window, up to 2147483647 octets, and no payload',
      expects: 'the session ends at the header, and nothing of that size is allocated',
      samples: fc.record({
        size: fc.oneof(fc.constant(MAX_NUMBER), fc.integer({ min: 1_000_000_000, max: MAX_NUMBER })),
        zero: fc.boolean(),
      }),
    },
    async (peer, { size, zero }) => {
      const channel = zero ? 0 : await peer.channel()
      if (zero) await peer.greet()
      peer.write(`MSG ${channel} 7 . ${peer.due(channel)} ${size}\r\n`)
      return peer.expectTermination()
    },
  ),
  must.hold(
    'one-reaction',
    {
      title: 'a bad frame between good ones, all in one piece',
      judges: ['RIMP-10', 'R3080-2.2.1.1-33'],
      quote: 'the session is terminated without generating a response',
      sends: 'a good message, any bad frame, then a good message and a start',
      expects: 'the session ends; nothing behind the bad frame is answered',
      samples: fc.constantFrom(...BAD),
    },
    async (peer, bad) => {
      const channel = await peer.channel()
      const before = peer.frame(`MSG ${channel} 0 .`, plain('before'))
      const wrong = bad.replace('{c}', String(channel)).replace('{s}', String(peer.due(channel)))
      const after = [peer.frame(`MSG ${channel} 2 .`, plain('after')), question(peer).octets]
      peer.write(Buffer.concat([before, Buffer.from(wrong), ...after]))
      return peer.expectTermination([`RPY ${channel} 0`, `ERR ${channel} 0`])
    },
  ),
])
