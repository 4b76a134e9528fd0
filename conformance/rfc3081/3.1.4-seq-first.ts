// SEQ frames before messages (RFC 3081 §3.1.4): credit does not wait behind what the target itself has to say.
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { type Draft, must, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { filled, pattern, stalled } from '../harness/flow.js'
import { plain } from '../harness/framing.js'
import type { Peer } from '../harness/peer.js'

/** Payload of the frames in which a message is sent: one that is taken frame by frame has taken all but the last. */
const FRAME = 512
/** Of an echo the last octets, which find no window. */
const HELD = 100

function noSeq(peer: Peer, channel: number, why: string): string {
  return `no SEQ came for channel ${channel}, on which we have room for ${peer.room(channel)} octets: ${why}`
}

export const seqFirst: readonly Draft[] = [
  must(
    'seq-before-messages-that-wait',
    {
      title: 'the target owes a SEQ for a message that is not whole yet',
      judges: ['R3081-3.1.4-06'],
      quote: 'SEQ frames for a channel must have higher priority than messages',
      sends: 'a window full of a MSG that goes on, and no credit',
      expects: 'a SEQ for it: the next octets of the MSG may come',
      of: 'listener',
    },
    async (peer) => {
      peer.credits = false
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, plain(pattern(INITIAL_WINDOW - 2)))
      if (!(await peer.connection.until(() => peer.room(channel) > 0)))
        throw new Failure(noSeq(peer, channel, 'our MSG of which a window full was sent goes on'), 'timeout')
      return undefined
    },
  ),
  must(
    'seq-while-a-request-waits',
    {
      title: 'the target owes a SEQ while its own request waits for window',
      judges: ['R3081-3.1.4-06'],
      quote: 'SEQ frames for a channel must have higher priority than messages',
      sends: 'no credit for its MSG, and a MSG of two windows of ours',
      expects: 'SEQs for ours, although its own waits',
      of: 'initiator',
    },
    async (peer) => {
      const { channel } = await stalled(peer)
      const known = peer.offered.length > 0 ? 'it serves profiles' : 'it serves no profile'
      await peer.message(channel, 77, plain(pattern(6000)))
      await peer.expectAlive()
      return known
    },
  ),
  should(
    'seq-while-a-reply-waits',
    {
      title: 'the target owes a SEQ while its own reply waits for window',
      judges: ['R3081-3.1.4-06', 'R3081-3.1.4-03'],
      quote: 'SEQ frames for a channel must have higher priority than messages',
      sends: `a MSG of two windows, one more that fills what room there is, and credit for all of the echoes but the last ${HELD} octets`,
      expects: 'a SEQ by then: what came back has been taken, and more than half a window can be offered',
      of: 'listener',
    },
    async (peer) => {
      peer.credits = false
      const channel = await peer.channel()
      await peer.message(channel, 0, plain(pattern(2 * INITIAL_WINDOW - 2)), FRAME)
      await filled(peer, channel, INITIAL_WINDOW)
      if (peer.received(channel) === 0) throw new Unsupported('it sends nothing of a reply that the window does not hold whole')
      await peer.expectAlive()
      if (peer.room(channel) > 2) await peer.message(channel, 1, plain(pattern(peer.room(channel) - 2)), FRAME)
      const sent = peer.due(channel)
      const edge = sent - HELD
      peer.seq(channel, peer.received(channel), edge - peer.received(channel))
      await filled(peer, channel, edge)
      await peer.expectAlive()
      const back = peer.received(channel)
      if (back < edge - 2 * FRAME) throw new Unsupported(`it sends ${back} octets of a reply where the window has ${edge}`)
      // Entity headers that it puts before the echo may be among what came back.
      const taken = FRAME * Math.floor(back / FRAME - 1)
      const window = Math.max(INITIAL_WINDOW, ...peer.seqs.filter((seq) => seq.channel === channel).map((seq) => seq.window))
      const unsaid = taken + window - sent - peer.room(channel)
      if (unsaid >= window / 2)
        throw new Failure(
          noSeq(
            peer,
            channel,
            `${back} of the ${sent} octets of our MSGs have come back, so at least ${taken} were taken, and ${unsaid} octets more could be offered, half a window of ${window} or more. The last ${HELD} octets of the reply wait for our credit; a SEQ must not wait behind them (RFC 3081 §3.1.4: SEQ before the messages of its channel)`,
          ),
        )
      return `we have room for ${peer.room(channel)} octets while ${HELD} octets of the reply wait`
    },
  ),
]
