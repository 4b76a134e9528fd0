// Peer-to-peer behaviour (RFC 3080 §2.7): both peers are ready for every message, and each counts its own.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { expectGoingOn, expectRequest, expectTaken, plain } from '../harness/framing.js'
import { answerAtWork } from '../harness/initiator.js'
import { askedToStart, close, isClose, profile, start } from '../harness/management.js'
import { NOWHERE, type Peer } from '../harness/peer.js'

const READY = 'both peers must be prepared to receive all messages'
const OWN = 'message numbers are unidirectionally-significant'

export const peers = section('rfc3080/2.7', 'Peer-to-Peer Behavior', [
  must(
    'start-from-the-listener',
    {
      title: 'the listener asks for a channel that the initiator does not serve',
      judges: ['R3080-2.7-01', 'R3080-2.1-02'],
      quote: READY,
      sends: 'a start, while a request of the target is outstanding',
      expects: 'ERR; and the request is still answered',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      const how = peer.expectError(await peer.start(peer.number(), NOWHERE))
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      await expectGoingOn(peer)
      return how
    },
  ),
  must(
    'request-from-the-listener',
    {
      title: 'a request that the initiator does not expect',
      judges: ['R3080-2.7-02', 'R3080-2.7-04'],
      quote: 'must behave gracefully if it receives a "MSG" message',
      sends: 'a MSG on the channel of the initiator',
      expects: 'a positive or a negative reply, and the session goes on',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      peer.send(`MSG ${channel} 0 .`, plain('what now?'))
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      return `it answers ${await replyAtWork(peer, channel, 0)}`
    },
  ),
  must.hold(
    'requests-from-the-listener',
    {
      title: 'any request that the initiator does not expect',
      judges: ['R3080-2.7-02', 'R3080-2.7-04'],
      quote: 'must behave gracefully if it receives a "MSG" message',
      sends: 'a MSG of any number, in any number of frames, with any octets behind an empty line',
      expects: 'the session goes on; what answers it, if anything by then, is its body or ERR',
      of: 'initiator',
      samples: fc.record({
        msgno: fc.nat({ max: MAX_NUMBER }),
        body: fc.uint8Array({ maxLength: 300 }),
        cut: fc.integer({ min: 1, max: 300 }),
      }),
    },
    async (peer, { msgno, body, cut }) => {
      const channel = await peer.channel()
      await peer.message(channel, msgno, plain(body), cut)
      return expectTaken(peer, channel, msgno, body)
    },
  ),
  must(
    'same-number-both-ways',
    {
      title: 'a request of ours with the number of the one that the target waits for',
      judges: ['R3080-2.7-03', 'R3080-2.2.1.1-35'],
      quote: OWN,
      sends: 'in one write our MSG and the RPY to that of the target, both with one number',
      expects: 'the session goes on; what answers our MSG, if anything by then, is its body or ERR',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      peer.send(`MSG ${channel} ${msgno} .`, plain('ours'))
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      return expectTaken(peer, channel, msgno, 'ours')
    },
  ),
  must(
    'same-number-on-channel-zero',
    {
      title: 'both peers start a channel with the same message number, as the RFC shows it',
      judges: ['R3080-2.7-03', 'R3080-2.7-01'],
      quote: 'refer to different messages sent on channel zero',
      sends: 'a start with the message number of the start of the target, before that is answered',
      expects: 'an answer to ours, and the channel of the target in use once it is granted',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno, number } = await askedToStart(peer)
      peer.manage(`MSG ${msgno}`, start(2, profile(NOWHERE)))
      const how = peer.expectError(await peer.answer(msgno))
      peer.manage(`RPY ${msgno}`, profile(peer.profile))
      await peer.asked(number)
      return how
    },
  ),
  must.hold(
    'numbers-of-channel-zero',
    {
      title: 'any message number for a request to the initiator on channel 0',
      judges: ['R3080-2.7-03', 'R3080-2.7-01', 'R3080-2.2.1.1-08'],
      quote: OWN,
      sends: 'a start with any message number while the start of the target is outstanding',
      expects: 'ERR with that number, and the channel of the target in use once it is granted',
      of: 'initiator',
      samples: fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: MAX_NUMBER })),
    },
    async (peer, msgno) => {
      const asked = await askedToStart(peer)
      peer.manage(`MSG ${msgno}`, start(2, profile(NOWHERE)))
      peer.expectError(await peer.answer(msgno))
      peer.manage(`RPY ${asked.msgno}`, profile(peer.profile))
      await peer.asked(asked.number)
      return undefined
    },
  ),
  must(
    'close-from-the-listener',
    {
      title: 'the listener asks to close the channel of the initiator',
      judges: ['R3080-2.7-01', 'R3080-2.1-02'],
      quote: READY,
      sends: 'a close while a request of the target is outstanding, then the reply to that, and to whatever else it asks',
      expects: 'ok or ERR, not before the reply is in; or the target asks to close as well',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      const asked = peer.next()
      peer.manage(`MSG ${asked}`, close(channel))
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      const answer = await answerAtWork(peer, channel, asked)
      if (answer === undefined) return 'it asks for a release itself'
      const { keyword, element } = answer
      if (keyword === 'RPY' && element.name !== 'ok') throw new Failure(`RPY with <${element.name}> came for a close`)
      return keyword === 'RPY' ? 'it closes the channel' : `it refuses with ${element.attributes.code}`
    },
  ),
  must(
    'release-from-the-listener',
    {
      title: 'the listener asks to release the session',
      judges: ['R3080-2.7-01', 'R3080-2.1-02'],
      quote: READY,
      sends: 'a close of channel 0 behind the reply to a request of the target, and replies to whatever else it asks',
      expects: 'ok, and the end of the connection; or ERR, and the session goes on',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      const asked = peer.next()
      peer.manage(`MSG ${asked}`, close(0))
      const answer = await answerAtWork(peer, channel, asked)
      if (answer === undefined) return 'it asks for a release itself'
      const { keyword, element } = answer
      if (keyword === 'ERR') return `it refuses with ${element.attributes.code}`
      if (element.name !== 'ok') throw new Failure(`RPY with <${element.name}> came for a release`)
      await peer.connection.ended()
      return 'it releases the session'
    },
  ),
])

/** The keyword of the reply to our MSG, while the target has its own requests answered and may close the channel. */
async function replyAtWork(peer: Peer, channel: number, msgno: number): Promise<string> {
  const pieces: Buffer[] = []
  for (;;) {
    const frame = await peer.take(
      (each) => each.channel === channel || isClose(each, channel),
      `the reply to MSG ${channel} ${msgno}`,
    )
    if (frame.channel === 0) throw new Failure('it asks to close the channel, and has not answered')
    if (frame.keyword !== 'MSG') {
      if (frame.msgno !== msgno) throw new Failure(`a reply to MSG ${frame.msgno} came, which was not asked`)
      if (!frame.more) return frame.keyword
      continue
    }
    pieces.push(frame.payload)
    if (frame.more) continue
    await peer.message(channel, frame.msgno, Buffer.concat(pieces.splice(0)), undefined, 'RPY')
  }
}
