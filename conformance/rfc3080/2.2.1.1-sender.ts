// The frames that the target sends (RFC 3080 §2.2.1.1): how they are written, numbered, and put in order.
import fc from 'fast-check'
import { INITIAL_WINDOW, MAX_NUMBER } from '../../src/beep/limits.js'
import { type Draft, must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectNoFault, ordinary, pipelined, plain } from '../harness/framing.js'
import type { DataFrame } from '../harness/reader.js'

/** What the reader notices by itself. */
const FAULTS: readonly (readonly [slug: string, what: string, fault: string, judges: readonly string[], quote: string])[] = [
  [
    'sends-exact-headers',
    'headers are exact: upper case, single spaces, no leading zeros, CR LF',
    'R3080-2.2.1.1-02',
    ['R3080-2.2.1.1-01', 'R3080-2.2.1.1-02', 'R3080-2.2.1.1-03', 'R3080-2.2.1-15'],
    'A single space character (decimal code 32, " ") separates each component',
  ],
  [
    'sends-trailers',
    'each frame has its trailer',
    'R3080-2.2.1.3-01',
    ['R3080-2.2.1.3-01', 'R3080-2.2.1.1-13', 'R3080-2.2.1-11'],
    'The frame trailer consists of "END" followed by a CRLF pair',
  ],
  [
    'sends-ansno-with-ans',
    'only ANS has an answer number',
    'R3080-2.2.1-04',
    ['R3080-2.2.1-04'],
    'ans = "ANS" SP common SP ansno CR LF',
  ],
  [
    'sends-empty-nul',
    'each NUL is empty and the last frame',
    'R3080-2.2.1.1-32',
    ['R3080-2.2.1.1-32'],
    'or the payload size is non-zero',
  ],
  [
    'sends-seqnos',
    'each seqno is the sum of the sizes before it',
    'R3080-2.2.1.2-03',
    ['R3080-2.2.1.1-12', 'R3080-2.2.1.1-15', 'R3080-2.2.1.2-01', 'R3080-2.2.1.2-02'],
    'specifies the sequence number of the first octet in the payload',
  ],
]

const faults: readonly Draft[] = FAULTS.map(([slug, what, fault, judges, quote]) =>
  must(
    slug,
    {
      title: `the frames of the target: ${what}`,
      judges,
      quote,
      sends: 'an ordinary session',
      expects: 'that holds for all of its frames',
    },
    async (peer) => {
      await ordinary(peer)
      expectNoFault(peer, fault)
      return undefined
    },
  ),
)

/** Each message is finished on its channel before the next begins; only answers to one request may be in progress together. */
function expectUnbroken(frames: readonly DataFrame[]): void {
  const open = new Map<number, DataFrame>()
  for (const frame of frames) {
    const before = open.get(frame.channel)
    if (before !== undefined && (before.keyword !== frame.keyword || before.msgno !== frame.msgno))
      throw new Failure(
        `${frame.keyword} ${frame.msgno} came inside ${before.keyword} ${before.msgno} on channel ${frame.channel}`,
      )
    if (frame.more) open.set(frame.channel, frame)
    else open.delete(frame.channel)
  }
  const [left] = open.values()
  if (left !== undefined) throw new Failure(`${left.keyword} ${left.msgno} on channel ${left.channel} has no last frame`)
}

export const sender = section('rfc3080/2.2.1.1', 'Frame Header', [
  ...faults,
  must(
    'sends-numbers-in-range',
    {
      title: 'the frames of the target: numbers are within their ranges',
      judges: ['R3080-2.2.1-05', 'R3080-2.2.1-06', 'R3080-2.2.1-08', 'R3080-2.2.1-09', 'R3080-2.2.1.1-04', 'R3080-2.2.1.1-05'],
      quote: 'must be a non-negative integer (in the range 0..2147483647)',
      sends: 'an ordinary session',
      expects: 'no number above 2147483647, but for seqnos',
    },
    async (peer) => {
      for (const { keyword, channel, msgno, size, ansno = 0 } of await ordinary(peer))
        if (Math.max(channel, msgno, size, ansno) > MAX_NUMBER)
          throw new Failure(`${keyword} ${channel} ${msgno}: a number is too large`)
      return undefined
    },
  ),
  must(
    'sends-whole-messages',
    {
      title: 'the frames of the target: one message after the other on each channel',
      judges: ['R3080-2.2.1.1-09', 'R3080-2.2.1.1-11', 'R3080-2.2.1.1-18'],
      quote: 'those frames must be sent sequentially, without any intervening frames from other messages',
      sends: 'an ordinary session, with a message that does not fit a window',
      expects: 'no message begins inside another, and each has a last frame',
    },
    async (peer) => {
      expectUnbroken(await ordinary(peer))
      return undefined
    },
  ),
  must.hold(
    'sends-whole-replies',
    {
      title: 'replies of any lengths to requests sent together',
      judges: ['R3080-2.2.1.1-11', 'R3080-2.2.1.1-18', 'R3080-2.2.1.1-12', 'R3080-2.2.1.2-01'],
      quote: 'those frames must be sent sequentially, without any intervening frames from other messages',
      sends: 'a few messages of any lengths, without waiting for replies',
      expects: 'each reply is whole before the next begins, and the seqnos go on',
      of: 'listener',
      samples: fc.array(fc.oneof(fc.nat({ max: 50 }), fc.integer({ min: INITIAL_WINDOW - 5, max: 6000 })), {
        minLength: 1,
        maxLength: 5,
      }),
    },
    async (peer, lengths) => {
      const channel = await peer.channel()
      const bodies = lengths.map((length, at) => String.fromCharCode(97 + at).repeat(length))
      expectUnbroken(await pipelined(peer, channel, bodies))
      expectNoFault(peer, 'R3080-2.2.1.2-03')
      return undefined
    },
  ),
  must(
    'sends-different-numbers',
    {
      title: 'requests that are not answered have different numbers',
      judges: ['R3080-2.2.1.1-06'],
      quote: 'have a different value than all other "MSG" messages on the same channel',
      sends: 'nothing in reply to the requests of the target; a start, by whose answer all are in',
      expects: 'no number comes twice on one channel',
      of: 'initiator',
    },
    async (peer) => {
      await peer.channel()
      await peer.expectAlive()
      expectNoFault(peer, 'R3080-2.2.1.1-06')
      const asked = peer.connection.heard.filter((each) => each.kind === 'data' && each.keyword === 'MSG' && !each.more)
      return `${asked.length} in progress`
    },
  ),
  must(
    'sends-reply-after-request',
    {
      title: 'a reply does not come inside a request of the target',
      judges: ['R3080-2.2.1.1-39', 'R3080-2.2.1.1-18'],
      quote: 'those frames must be sent sequentially, without any intervening frames from other messages',
      sends: 'a MSG while the target’s own request waits for a window; then the window',
      expects: 'the request is finished before anything is answered on the channel',
      of: 'initiator',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.credits = false
      const own = (frame: DataFrame) => frame.channel === channel
      const frames: DataFrame[] = []
      const next = (frame: DataFrame) => own(frame) || (frame.channel === 0 && frame.keyword === 'MSG')
      for (let frame = await peer.take(own, 'a request'); ; frame = await peer.take(next, 'a request of more than a window')) {
        if (!own(frame)) throw new Unsupported('the target sends only requests that fit the window')
        frames.push(frame)
        if (frame.more && peer.received(channel) === INITIAL_WINDOW) break
        if (!frame.more) await peer.message(channel, frame.msgno, frame.payload, undefined, 'RPY')
        if (!frame.more && frames.length > 20) throw new Unsupported('the target sends only requests that fit the window')
      }
      await peer.message(channel, 77, plain('hello'))
      await peer.expectAlive()
      peer.credits = true
      peer.seq(channel, peer.received(channel), INITIAL_WINDOW)
      for (let more = true; more; ) {
        const frame = await peer.take(own, 'the rest of the request')
        frames.push(frame)
        more = frame.more || frame.keyword !== 'MSG'
      }
      expectUnbroken(frames)
      return undefined
    },
  ),
])
