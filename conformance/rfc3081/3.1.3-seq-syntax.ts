// The form of SEQ frames (RFC 3081 §3.1.3): whatever is not exactly that ends the session.
import fc from 'fast-check'
import { MAX_NUMBER, MAX_SEQNO } from '../../src/beep/limits.js'
import { may, must, section, should } from '../harness/case.js'
import { goesOnOrEnds } from '../harness/management.js'
import type { Peer } from '../harness/peer.js'

const ENDS = 'then the BEEP session is terminated without generating a response'

/** Each is written on an open channel; `#` stands for its number. */
const ILL: readonly (readonly [slug: string, what: string, judges: readonly string[], octets: string])[] = [
  ['no-window', 'no window', ['R3081-3.1.3-02'], 'SEQ # 0\r\n'],
  ['no-parameters', 'no parameters', ['R3081-3.1.3-02'], 'SEQ\r\n'],
  ['four-parameters', 'a fourth parameter', ['R3081-3.1.3-02'], 'SEQ # 0 4096 0\r\n'],
  ['a-continuation-indicator', 'a continuation indicator', ['R3081-3.1.3-02'], 'SEQ # . 0 4096\r\n'],
  ['lower-case', 'a lower-case keyword', ['R3081-3.1.3-02'], 'seq # 0 4096\r\n'],
  ['longer-keyword', 'a letter behind the keyword', ['R3081-3.1.3-02'], 'SEQS # 0 4096\r\n'],
  ['two-spaces', 'two spaces', ['R3081-3.1.3-05'], 'SEQ #  0 4096\r\n'],
  ['tab', 'a tab', ['R3081-3.1.3-05'], 'SEQ # 0\t4096\r\n'],
  ['space-at-the-end', 'a space at the end', ['R3081-3.1.3-05'], 'SEQ # 0 4096 \r\n'],
  ['space-at-the-beginning', 'a space at the beginning', ['R3081-3.1.3-05'], ' SEQ # 0 4096\r\n'],
  ['bare-lf', 'LF without CR', ['R3081-3.1.3-06'], 'SEQ # 0 4096\n'],
  ['bare-cr', 'CR without LF', ['R3081-3.1.3-06'], 'SEQ # 0 4096\rSEQ # 0 4096\r\n'],
  ['trailer', 'a trailer behind it', ['R3081-3.1.3-07'], 'SEQ # 0 5000\r\nEND\r\n'],
  ['negative-ackno', 'a negative ackno', ['R3081-3.1.3-08'], 'SEQ # -1 4096\r\n'],
  ['negative-window', 'a negative window', ['R3081-3.1.3-08'], 'SEQ # 0 -1\r\n'],
  ['plus', 'a sign', ['R3081-3.1.3-08'], 'SEQ # 0 +4096\r\n'],
  ['hexadecimal', 'a hexadecimal number', ['R3081-3.1.3-08'], 'SEQ # 0 0x1000\r\n'],
  ['exponent', 'an exponent', ['R3081-3.1.3-08'], 'SEQ # 0 4e3\r\n'],
  ['fraction', 'a fraction', ['R3081-3.1.3-08'], 'SEQ # 0 4096.0\r\n'],
  ['letters', 'letters', ['R3081-3.1.3-08'], 'SEQ # 0 4k\r\n'],
  ['empty-ackno', 'an ackno without a digit', ['R3081-3.1.3-08', 'R3081-3.1.3-05'], 'SEQ #  4096\r\n'],
  ['nul-octet', 'an octet 0', ['R3081-3.1.3-08'], 'SEQ # 0 4096\0\r\n'],
  ['superscript', 'a digit that is no US-ASCII', ['R3081-3.1.3-08'], 'SEQ # 0 4096\xb2\r\n'],
  ['channel-too-large', 'channel 2147483648', ['R3081-3.1.3-08'], 'SEQ 2147483648 0 4096\r\n'],
  ['ackno-too-large', 'ackno 4294967296', ['R3081-3.1.3-08'], 'SEQ # 4294967296 4096\r\n'],
  ['window-too-large', 'window 2147483648', ['R3081-3.1.3-08', 'R3081-3.1.3-15'], 'SEQ # 0 2147483648\r\n'],
  ['twenty-digits', 'a number of twenty digits', ['R3081-3.1.3-08'], 'SEQ # 0 18446744073709551616\r\n'],
  ['unknown-channel', 'a channel that was never there', ['R3081-3.1.3-10'], 'SEQ 99 0 4096\r\n'],
]

/** Writes octets in which `#` is the channel, and expects the end. */
async function expectEnd(peer: Peer, octets: string): Promise<string> {
  const channel = await peer.channel()
  peer.write(octets.replaceAll('#', String(channel)))
  return peer.expectTermination()
}

const beyond = (least: number) => fc.bigInt({ min: BigInt(least) + 1n, max: 10n ** 19n })

export const seqSyntax = section('rfc3081/3.1.3', 'Processing SEQ Frames', [
  ...ILL.map(([slug, what, judges, octets]) =>
    must(
      slug,
      {
        title: `a SEQ with ${what}`,
        judges,
        quote: ENDS,
        sends: JSON.stringify(octets.replaceAll('#', '1')),
        expects: 'the session ends without an answer',
      },
      (peer) => expectEnd(peer, octets),
    ),
  ),
  must.hold(
    'any-character-too-many',
    {
      title: 'a good SEQ with any one character put in anywhere',
      judges: ['R3081-3.1.3-02', 'R3081-3.1.3-05', 'R3081-3.1.3-06', 'R3081-3.1.3-08'],
      quote: ENDS,
      sends: 'the octets of a SEQ, and in them one printable character that is no digit',
      expects: 'the session ends without an answer',
      samples: fc.record({
        at: fc.nat({ max: 13 }),
        character: fc
          .integer({ min: 0x20, max: 0x7e })
          .map((code) => String.fromCharCode(code))
          .filter((each) => !/[0-9]/.test(each)),
      }),
    },
    async (peer, { at, character }) => {
      const channel = await peer.channel()
      const good = `SEQ ${channel} 0 5000\r\n`
      const place = Math.min(at, good.length - 1)
      peer.write(good.slice(0, place) + character + good.slice(place))
      return peer.expectTermination()
    },
  ),
  must.hold(
    'any-number-too-large',
    {
      title: 'a SEQ with any number beyond its range',
      judges: ['R3081-3.1.3-08'],
      quote: ENDS,
      sends: 'a channel or window above 2147483647, or an ackno above 4294967295',
      expects: 'the session ends without an answer',
      samples: fc.oneof(
        beyond(MAX_NUMBER).map((channel) => `SEQ ${channel} 0 5000\r\n`),
        beyond(MAX_SEQNO).map((ackno) => `SEQ # ${ackno} 5000\r\n`),
        beyond(MAX_NUMBER).map((window) => `SEQ # 0 ${window}\r\n`),
      ),
    },
    expectEnd,
  ),
  must.hold(
    'any-channel-that-is-not',
    {
      title: 'a SEQ for any channel that does not exist',
      judges: ['R3081-3.1.3-10'],
      quote: ENDS,
      sends: 'a SEQ with any other channel number',
      expects: 'the session ends without an answer',
      samples: fc.oneof(fc.integer({ min: 10, max: 300 }), fc.integer({ min: 10, max: MAX_NUMBER })),
    },
    async (peer, number) => {
      const channel = await peer.channel()
      peer.write(`SEQ ${number === channel ? number + 1 : number} 0 5000\r\n`)
      return peer.expectTermination()
    },
  ),
  may(
    'leading-zeros',
    {
      title: 'a SEQ with leading zeros',
      judges: ['R3081-3.1.3-08'],
      quote: 'cannot be determined or is invalid',
      sends: 'a SEQ with a window of 05000',
      expects: 'the session ends, or the number is read as decimal',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.write(`SEQ ${channel} 0 05000\r\n`)
      return goesOnOrEnds(peer)
    },
  ),
  should.hold(
    'acknowledges-what-was-never-sent',
    {
      title: 'an ackno beyond what the target has sent',
      judges: ['R3081-3.1.3-11'],
      quote: 'the value of the next sequence number that the sender is expecting',
      sends: 'a SEQ with any ackno up to 2^31 beyond what came',
      expects: 'the session ends without an answer',
      samples: fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: MAX_NUMBER - 100_000 })),
    },
    async (peer, ahead) => {
      await peer.greet()
      await peer.expectAlive()
      // Channel 0: there the target says nothing of itself that might cross this, unless it has yet to start its channel.
      const channel = peer.target === 'listener' ? await peer.channel() : 0
      const sent = peer.target === 'listener' ? 0 : peer.received(0) + 60_000
      peer.write(`SEQ ${channel} ${sent + ahead} 4096\r\n`)
      return peer.expectTermination()
    },
  ),
])
