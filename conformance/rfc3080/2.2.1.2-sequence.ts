// Sequence numbers (RFC 3080 §2.2.1.2).
import fc from 'fast-check'
import { MAX_SEQNO } from '../../src/beep/limits.js'
import { advance } from '../../src/beep/seqno.js'
import { type Draft, must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectNoFault, expectRequest, expectTaken } from '../harness/framing.js'

const TERMINATED = 'the session is terminated without generating a response'
const SUM = 'gives the expected sequence number associated with the first payload octet'

/** What a peer that counts otherwise would send as the seqno of its second message, the first having 7 octets of payload and 12 or more of header. */
const MISCOUNTED: readonly (readonly [
  slug: string,
  what: string,
  seqno: (header: number) => number,
  judges: readonly string[],
])[] = [
  ['seqno-repeated', 'numbers each message from 0', () => 0, ['R3080-2.2.1.2-05']],
  ['seqno-too-low', 'counts one octet less', () => 6, ['R3080-2.2.1.2-05']],
  ['seqno-too-high', 'counts one octet more', () => 8, ['R3080-2.2.1.2-05']],
  ['seqno-of-frames', 'counts frames', () => 1, ['R3080-2.2.1.2-01']],
  ['seqno-with-trailer', 'counts the trailer', () => 12, ['R3080-2.2.1.2-01']],
  ['seqno-with-header', 'counts headers and trailers', (header) => header + 12, ['R3080-2.2.1.2-01']],
]

const miscounted: readonly Draft[] = MISCOUNTED.map(([slug, what, seqno, judges]) =>
  must(
    slug,
    {
      title: `a peer that ${what}`,
      judges: [...judges, 'R3080-2.2.1.2-06', 'R3080-2.2.1.1-31'],
      quote: SUM,
      sends: 'a message of 7 octets, then one with that seqno',
      expects: 'the session ends without an answer to the second',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello')
      peer.send(`MSG ${channel} 1 .`, '\r\nhello', { seqno: seqno(`MSG ${channel} 0 . 0 7\r\n`.length) })
      return peer.expectTermination([`RPY ${channel} 0`, `ERR ${channel} 0`])
    },
  ),
)

export const payload = section('rfc3080/2.2.1.2', 'Frame payload', [
  must(
    'seqno-gap',
    {
      title: 'a frame whose seqno skips one octet',
      judges: ['R3080-2.2.1.2-02', 'R3080-2.2.1.2-06', 'R3080-2.2.1.1-31'],
      quote: TERMINATED,
      sends: 'a MSG with seqno 1 as the first frame of its channel',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello', { seqno: 1 })
      return peer.expectTermination()
    },
  ),
  must.hold(
    'seqno-any',
    {
      title: 'any seqno but the one that is due',
      judges: ['R3080-2.2.1.2-02', 'R3080-2.2.1.2-06', 'R3080-2.2.1.1-31'],
      quote: TERMINATED,
      sends: 'a MSG with any other seqno as the first frame of its channel',
      expects: 'the session ends without an answer',
      samples: fc.integer({ min: 1, max: MAX_SEQNO }),
    },
    async (peer, seqno) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello', { seqno })
      return peer.expectTermination()
    },
  ),
  ...miscounted,
  must.hold(
    'seqno-of-second',
    {
      title: 'any seqno but the one that is due, after a message of any length',
      judges: ['R3080-2.2.1.2-05', 'R3080-2.2.1.2-06', 'R3080-2.2.1.1-31'],
      quote: SUM,
      sends: 'a message, then a frame whose seqno is off by any amount',
      expects: 'the session ends without an answer to the second',
      samples: fc.record({
        length: fc.nat({ max: 500 }),
        off: fc.oneof(fc.constantFrom(1, 2 ** 31, MAX_SEQNO), fc.integer({ min: 1, max: MAX_SEQNO })),
      }),
    },
    async (peer, { length, off }) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, `\r\n${'x'.repeat(length)}`)
      peer.send(`MSG ${channel} 0 .`, 'y', { seqno: advance(peer.due(channel), off) })
      return peer.expectTermination()
    },
  ),
  must.hold(
    'seqno-on-channel-0',
    {
      title: 'any seqno but the one that is due, on channel 0',
      judges: ['R3080-2.2.1.2-06', 'R3080-2.2.1.1-31'],
      quote: TERMINATED,
      sends: 'a start with another seqno than the end of the greeting',
      expects: 'the session ends without an answer',
      samples: fc.oneof(fc.constantFrom(0, 1, 51, 53), fc.integer({ min: 0, max: MAX_SEQNO })),
    },
    async (peer, seqno) => {
      await peer.channel()
      const wrong = seqno === peer.due(0) ? seqno + 1 : seqno
      peer.send(`MSG 0 ${peer.next()} .`, "Content-Type: application/beep+xml\r\n\r\n<close number='0' code='200' />", {
        seqno: wrong,
      })
      return peer.expectTermination()
    },
  ),
  must.hold(
    'sum-of-sizes',
    {
      title: 'frames of any sizes, each numbered by those before it',
      judges: ['R3080-2.2.1.2-01', 'R3080-2.2.1.2-05'],
      quote: SUM,
      sends: 'frames of one message with the seqnos that are due',
      expects: 'the body comes back',
      samples: fc.array(fc.nat({ max: 300 }), { maxLength: 12 }),
    },
    async (peer, sizes) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, '\r\n')
      for (const size of sizes) peer.send(`MSG ${channel} 0 *`, 'x'.repeat(size))
      peer.send(`MSG ${channel} 0 .`)
      return expectTaken(peer, channel, 0, 'x'.repeat(sizes.reduce((sum, size) => sum + size, 0)))
    },
  ),
  must(
    'counts-by-channel',
    {
      title: 'each channel and direction counts for itself',
      judges: ['R3080-2.2.1.2-01', 'R3080-2.2.1.2-02', 'R3080-2.2.1.2-08'],
      quote: 'Every payload octet sent in each direction on a channel',
      sends: 'messages on two channels in turn, of different lengths',
      expects: 'each comes back, with the sequence numbers of its own channel',
      of: 'listener',
    },
    async (peer) => {
      const [one, two] = [await peer.channel(), await peer.channel()]
      for (const [msgno, body] of ['a', 'bb', 'ccc'].entries()) {
        await peer.echo(one, msgno, body)
        await peer.echo(two, msgno, body.repeat(5))
      }
      expectNoFault(peer, 'R3080-2.2.1.2-03')
      return undefined
    },
  ),
  must(
    'counts-by-direction',
    {
      title: 'our first frame has seqno 0, whatever the target sent before',
      judges: ['R3080-2.2.1.2-08'],
      quote: 'in each direction on a channel',
      sends: 'RPY with seqno 0 to the first request of the target',
      expects: 'it is taken',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      await peer.expectAlive()
      return undefined
    },
  ),
  must(
    'counts-anew',
    {
      title: 'a channel that is started again counts from 0',
      judges: ['R3080-2.2.1.2-02'],
      quote: 'the sequence number associated with the first payload octet of the first frame',
      sends: 'a message, a close, a start of the same number, a message with seqno 0',
      expects: 'both bodies come back, the second with seqno 0, too',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.echo(channel, 0, 'first')
      const closed = await peer.ask(`<close number='${channel}' code='200' />`)
      if (closed.keyword === 'ERR')
        throw new Unsupported(`the target does not close the channel (${closed.element.attributes.code})`)
      peer.forget(channel)
      const started = await peer.start(channel, peer.profile)
      if (started.keyword === 'ERR')
        throw new Unsupported(`the target does not start the number again (${started.element.attributes.code})`)
      const { frames } = await peer.echo(channel, 0, 'second')
      if (frames[0]?.seqno !== 0) throw new Failure(`the first frame of the new channel has seqno ${frames[0]?.seqno}`)
      return undefined
    },
  ),
])
