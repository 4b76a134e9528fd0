// Frames at the edges of what the grammar allows (RFC 3080 §2.2.1).
import fc from 'fast-check'
import { MAX_NUMBER, MAX_SEQNO } from '../../src/beep/limits.js'
import { may, must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectGoingOn, expectRequest, expectTaken, plain, writeInPieces } from '../harness/framing.js'
import { bodyOf, type Peer } from '../harness/peer.js'

/** The target may take what was sent, or end the session. */
async function takenOrTerminated(peer: Peer): Promise<string> {
  try {
    return `taken: ${await expectGoingOn(peer)}`
  } catch (error) {
    if (peer.connection.ending === 'open') throw error
    return 'the session is ended'
  }
}

/** The channel of the largest number, with 10,000 octets on it already: a header there has forty octets. @throws Unsupported when it is refused */
async function farAlong(peer: Peer): Promise<void> {
  await peer.greet()
  const { keyword, element } = await peer.start(MAX_NUMBER, peer.profile)
  if (keyword === 'ERR') throw new Unsupported(`channel ${MAX_NUMBER} is refused (${element.attributes.code})`)
  await peer.echo(MAX_NUMBER, 2_147_483_646, 'x'.repeat(10_000))
}

export const lawful = section('rfc3080/2.2.1', 'Frame Syntax', [
  must(
    'smallest',
    {
      title: 'the smallest frame',
      judges: ['R3080-2.2.1-01', 'R3080-2.2.1.1-14'],
      quote: 'Note that a frame may have an empty payload',
      sends: 'a MSG in a first frame without payload, and the rest in a second',
      expects: 'the body comes back',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`)
      peer.send(`MSG ${channel} 0 .`, '\r\nhello')
      return expectTaken(peer, channel, 0, 'hello')
    },
  ),
  must(
    'msgno-largest',
    {
      title: 'message number 2147483647',
      judges: ['R3080-2.2.1-06', 'R3080-2.2.1.1-05'],
      quote: 'msgno = 0..2147483647',
      sends: 'a MSG of that number',
      expects: 'the body comes back in a reply of that number',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.message(channel, MAX_NUMBER, plain('hello'))
      return expectTaken(peer, channel, MAX_NUMBER, 'hello')
    },
  ),
  must(
    'long-header',
    {
      title: 'a header of forty octets',
      judges: ['R3080-2.2.1-05', 'R3080-2.2.1-14'],
      quote: 'common = channel SP msgno SP more SP seqno SP size',
      sends: 'MSG 2147483647 on channel 2147483647, after 10000 octets on it',
      expects: 'the body comes back',
      of: 'listener',
    },
    async (peer) => {
      await farAlong(peer)
      await peer.echo(MAX_NUMBER, MAX_NUMBER, 'y'.repeat(1000))
      return undefined
    },
  ),
  must(
    'long-header-in-pieces',
    {
      title: 'a header of forty octets, one at a time',
      judges: ['R3080-2.2.1-14', 'RIMP-01'],
      quote: 'common = channel SP msgno SP more SP seqno SP size',
      sends: 'MSG 2147483647 on channel 2147483647, after 10000 octets on it, each octet in a write of its own',
      expects: 'the body comes back',
      of: 'listener',
    },
    async (peer) => {
      await farAlong(peer)
      await writeInPieces(peer, peer.frame(`MSG ${MAX_NUMBER} ${MAX_NUMBER} .`, plain('y'.repeat(100))), [1])
      return expectTaken(peer, MAX_NUMBER, MAX_NUMBER, 'y'.repeat(100))
    },
  ),
  may.hold(
    'ansno-large',
    {
      title: 'answer numbers of which the grammar and the prose say different things',
      judges: ['R3080-2.2.1-09'],
      quote: 'ansno = 0..2147483647',
      sends: 'an answer with a number from 2147483648 to 4294967295',
      expects: 'the answer is taken, or the session ends without one',
      of: 'initiator',
      samples: fc.integer({ min: MAX_NUMBER + 1, max: MAX_SEQNO }),
    },
    async (peer, ansno) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      peer.send(`ANS ${channel} ${msgno} .`, plain(bodyOf(payload).subarray(0, 20)), { ansno })
      peer.send(`NUL ${channel} ${msgno} .`)
      return takenOrTerminated(peer)
    },
  ),
  must.hold(
    'ansno-any',
    {
      title: 'any answer number that the grammar allows',
      judges: ['R3080-2.2.1-09', 'R3080-2.2.1-14'],
      quote: 'ansno = 0..2147483647',
      sends: 'one answer with that number, then NUL',
      expects: 'the session goes on, or the channel is closed in good order',
      of: 'initiator',
      samples: fc.oneof(fc.constant(MAX_NUMBER), fc.nat({ max: MAX_NUMBER })),
    },
    async (peer, ansno) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      peer.send(`ANS ${channel} ${msgno} .`, plain(bodyOf(payload).subarray(0, 20)), { ansno })
      peer.send(`NUL ${channel} ${msgno} .`)
      return expectGoingOn(peer)
    },
  ),
  must.hold(
    'payload-of-frames',
    {
      title: 'a payload that looks like frames and trailers',
      judges: ['R3080-2.2.1-12', 'R3080-2.2.1.3-01'],
      quote: 'specifies the exact number of octets in the payload',
      sends: 'a body of pieces such as END, line ends, and headers',
      expects: 'it comes back as one message',
      samples: fc
        .array(
          fc.constantFrom(
            'END\r\n',
            '\r\n',
            'END',
            'EN',
            '\r',
            '\n',
            'MSG 1 0 . 0 5\r\n',
            'SEQ 1 0 4096\r\n',
            'RPY 0 0 . 0 0\r\nEND\r\n',
            'D\r\n',
          ),
          { minLength: 1, maxLength: 20 },
        )
        .map((pieces) => pieces.join('')),
    },
    async (peer, body) => {
      const channel = await peer.channel()
      await peer.message(channel, 0, plain(body))
      return expectTaken(peer, channel, 0, body)
    },
  ),
  may(
    'leading-zeros',
    {
      title: 'a number with leading zeros',
      judges: ['R3080-2.2.1-15'],
      quote: 'msgno = 0..2147483647',
      sends: 'MSG with message number 010',
      expects: 'it is taken as ten, or the session ends without an answer; it is never taken as eight',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 010 .`, '\r\nhello')
      const outcome = await takenOrTerminated(peer)
      if (peer.connection.ending !== 'open' || peer.target === 'initiator') return outcome
      const { msgno } = await peer.take((frame) => frame.keyword !== 'MSG' && frame.channel === channel, 'a reply')
      if (msgno !== 10) throw new Failure(`010 was taken as ${msgno}`)
      return outcome
    },
  ),
  must(
    'mapping-seq',
    {
      title: 'a frame of the mapping between two of the core',
      judges: ['R3080-2.2.1-13'],
      quote: '[5] defines the SEQ frame',
      sends: 'a SEQ that enlarges the window, then a message',
      expects: 'the body comes back',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.seq(channel, peer.received(channel), 65_536)
      await peer.message(channel, 0, plain('hello'))
      return expectTaken(peer, channel, 0, 'hello')
    },
  ),
])
