// Sequence numbers (RFC 3080 §2.2.1.2).
import fc from 'fast-check'
import { MAX_SEQNO } from '../../src/beep/limits.js'
import { must, section } from '../harness/case.js'

export const payload = section('rfc3080/2.2.1.2', 'Frame payload', [
  must(
    'seqno-gap',
    {
      title: 'a frame whose seqno skips one octet',
      judges: ['R3080-2.2.1.2-06', 'R3080-2.2.1.1-31'],
      quote: 'the session is terminated without generating a response',
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
      judges: ['R3080-2.2.1.2-06', 'R3080-2.2.1.1-31'],
      quote: 'the session is terminated without generating a response',
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
  must(
    'counts-by-channel',
    {
      title: 'each channel and direction counts for itself',
      judges: ['R3080-2.2.1.2-01', 'R3080-2.2.1.2-02', 'R3080-2.2.1.2-08'],
      quote: 'Each octet of payload data, in each direction, is assigned a sequence number',
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
      return undefined
    },
  ),
])
