// Sending within the window (RFC 3081 §3.1.2): what the target says, and what it is told beyond its own window.
import { Buffer } from 'node:buffer'
import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import { INITIAL_WINDOW, MAX_NUMBER } from '../../src/beep/limits.js'
import { may, must, section, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectUpTo, finish, pattern, stalled, WIDE } from '../harness/flow.js'
import { expectNoFault, expectTaken, plain } from '../harness/framing.js'
import type { Peer } from '../harness/peer.js'
import type { DataFrame } from '../harness/reader.js'

const WITHIN = 'within the window advertised by the receiving BEEP peer'

/** Frames of a channel that came, the target's own MSGs or its replies. */
function framesOf(peer: Peer, channel: number): DataFrame[] {
  return peer.connection.history.filter((each): each is DataFrame => each.kind === 'data' && each.channel === channel)
}

/** Milliseconds after which credit that was due has been said. */
const QUIET = 500

/** Whether a SEQ comes for the channel in that time. */
async function moves(peer: Peer, channel: number): Promise<boolean> {
  const count = () => peer.seqs.filter((seq) => seq.channel === channel).length
  const before = count()
  await wait(QUIET)
  return count() > before
}

export const sending = section('rfc3081/3.1.2', 'Sending Messages', [
  must.hold(
    'windows-of-any-sizes',
    {
      title: 'any windows, one after the other',
      judges: ['R3081-3.1.2-01', 'R3081-3.1.2-02', 'R3081-3.1.2-08'],
      quote: WITHIN,
      sends: 'SEQs with any windows, each when the one before is used up',
      expects: 'the target goes on to each edge and never beyond, and its message comes whole',
      samples: fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 4 }),
    },
    async (peer, windows) => {
      const held = await stalled(peer)
      let edge = held.edge
      for (const window of windows) {
        await expectUpTo(peer, held.channel, edge, edge + window)
        if (peer.received(held.channel) !== edge + window) break
        edge += window
      }
      await finish(peer, held)
      expectNoFault(peer, 'R3081-3.1.2-01')
      return undefined
    },
  ),
  must.hold(
    'window-counts-from-ackno',
    {
      title: 'any acknowledgement of what was sent, with any window behind it',
      judges: ['R3081-3.1.2-08', 'R3081-3.1.3-04', 'R3081-3.1.3-03'],
      quote: 'beginning with the one indicated by the acknowledgement number',
      sends: 'a SEQ that acknowledges any part of the 4096 octets and ends beyond them',
      expects: 'the target goes on to ackno + window, and not beyond',
      samples: fc.record({ behind: fc.integer({ min: 0, max: 4000 }), more: fc.integer({ min: 1, max: 3000 }) }),
    },
    async (peer, { behind, more }) => {
      const held = await stalled(peer)
      const how = await expectUpTo(peer, held.channel, held.edge - behind, held.edge + more)
      await finish(peer, held)
      return how
    },
  ),
  must(
    'one-octet-at-a-time',
    {
      title: 'a window that opens by one octet, five times',
      judges: ['R3081-3.1.2-01', 'R3081-3.1.2-02'],
      quote: 'if the window would allow for at least one payload octet',
      sends: 'five SEQs, each with a window of one octet',
      expects: 'at most one octet for each, and the message whole in the end',
    },
    async (peer) => {
      const held = await stalled(peer)
      let how = ''
      for (let edge = held.edge; edge < held.edge + 5; edge++) {
        how = await expectUpTo(peer, held.channel, edge, edge + 1)
        if (peer.received(held.channel) !== edge + 1) break
      }
      await finish(peer, held)
      return how
    },
  ),
  may(
    'what-it-does-without-room',
    {
      title: 'which of the three choices the target takes when a message does not fit',
      judges: ['R3081-3.1.2-02', 'R3081-3.1.2-03', 'R3081-3.1.2-04'],
      quote: 'If not, it has three choices',
      sends: 'a MSG of two windows, credit only when nothing more comes',
      expects: 'it segments, or it waits; in the end the reply comes whole',
      of: 'listener',
    },
    async (peer) => {
      peer.credits = false
      const channel = await peer.channel()
      const body = pattern(8190)
      await peer.message(channel, 0, plain(body))
      await peer.connection.until(() => peer.received(channel) > 0)
      const began = peer.received(channel)
      peer.seq(channel, began, WIDE)
      await peer.echoed(channel, 0, body)
      return began > 0 ? 'it segments' : 'it waits for a larger window'
    },
  ),
  must(
    'continues-where-it-stopped',
    {
      title: 'the frames of a message that was held up',
      judges: ['R3081-3.1.2-02', 'R3080-2.2.1.1-09', 'R3080-2.2.1.1-10', 'R3080-2.2-05'],
      quote: 'may segment the message and start by sending a smaller data frame',
      sends: 'credit for a message that is held up',
      expects: 'all its frames but the last have *',
    },
    async (peer) => {
      const held = await stalled(peer)
      await finish(peer, held)
      const frames = framesOf(peer, held.channel).filter(({ msgno, keyword }) => msgno === held.msgno && keyword === held.keyword)
      const ends = frames.filter(({ more }) => !more)
      if (ends.length !== 1 || frames.at(-1)?.more !== false)
        throw new Failure(`of ${frames.length} frames ${ends.length} say that they are the last`)
      return `${frames.length} frames, the first of ${frames[0]?.size} octets`
    },
  ),
  must(
    'empty-end-needs-no-window',
    {
      title: 'a message that fills our window, and its empty last frame',
      judges: ['R3081-3.1.2-07', 'R3080-2.2.1.1-14', 'R3080-2.2.1.1-15'],
      quote: 'the size of the payload is within the window',
      sends: '4096 octets with *, then at once a frame with . and no octets',
      expects: 'it is taken: a frame without octets needs no window',
    },
    async (peer) => {
      const channel = await peer.channel()
      const octets = plain(pattern(INITIAL_WINDOW - 2))
      peer.write(Buffer.concat([peer.frame(`MSG ${channel} 0 *`, octets), peer.frame(`MSG ${channel} 0 .`)]))
      return expectTaken(peer, channel, 0, octets.subarray(2))
    },
  ),
  must(
    'empty-frames-on-a-full-window',
    {
      title: 'a message that fills our window, and several empty frames behind it',
      judges: ['R3081-3.1.2-07', 'R3080-2.2.1.1-15'],
      quote: 'the size of the payload is within the window',
      sends: '4096 octets with *, then at once ten frames without octets, the last with .',
      expects: 'it is taken',
    },
    async (peer) => {
      const channel = await peer.channel()
      const octets = plain(pattern(INITIAL_WINDOW - 2))
      const first = peer.frame(`MSG ${channel} 0 *`, octets)
      const empty = Array.from({ length: 9 }, () => peer.frame(`MSG ${channel} 0 *`))
      peer.write(Buffer.concat([first, ...empty, peer.frame(`MSG ${channel} 0 .`)]))
      return expectTaken(peer, channel, 0, octets.subarray(2))
    },
  ),
  must(
    'answers-on-a-full-window',
    {
      title: 'an answer that fills the window of the target, and NUL',
      judges: ['R3081-3.1.2-07', 'R3080-2.2.1.1-14'],
      quote: 'the size of the payload is within the window',
      sends: 'as the reply to a MSG an ANS of all the window allows, then at once NUL',
      expects: 'the session goes on, or the target closes the channel in good order',
      of: 'initiator',
    },
    async (peer) => {
      const channel = await peer.channel()
      const { msgno } = await peer.asked(channel)
      const answer = peer.frame(`ANS ${channel} ${msgno} .`, plain(pattern(peer.room(channel) - 2)), { ansno: 0 })
      peer.write(Buffer.concat([answer, peer.frame(`NUL ${channel} ${msgno} .`)]))
      const asked = peer.next()
      peer.manage(
        `MSG ${asked}`,
        `<start number='${peer.number()}'><profile uri='http://example.org/profiles/nowhere' /></start>`,
      )
      await peer.take(({ channel, more }) => channel === 0 && !more, 'a sign of life on channel 0')
      return undefined
    },
  ),
  should(
    'beyond-the-window',
    {
      title: 'one octet more than the window holds',
      judges: ['R3081-3.1.2-06'],
      quote: '',
      sends: 'a frame of one octet more than there is room for',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.expectAlive()
      peer.send(`MSG ${channel} 0 .`, plain(pattern(peer.room(channel) - 1)))
      return peer.expectTermination()
    },
  ),
  should(
    'beyond-a-window-that-has-grown',
    {
      title: 'one octet more than a window holds that is larger than at first',
      judges: ['R3081-3.1.2-06'],
      quote: '',
      sends:
        'messages until the window has grown and is quiet, then the header of a frame of one octet more than there is room for',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      const last = () => peer.seqs.findLast((seq) => seq.channel === channel)
      for (let msgno = 0; msgno < 40 && (last()?.window ?? 0) <= INITIAL_WINDOW; msgno++) {
        await peer.message(channel, msgno, plain(pattern(6000)))
        await peer.reply(channel, msgno)
      }
      if ((last()?.window ?? 0) <= INITIAL_WINDOW) throw new Unsupported('its window does not grow')
      // Credit that it still owes would move the edge.
      for (let more = true, tries = 0; more && tries < 10; tries++) more = await moves(peer, channel)
      peer.write(`MSG ${channel} 1000 . ${peer.due(channel)} ${peer.room(channel) + 1}\r\n`)
      return peer.expectTermination()
    },
  ),
  should.hold(
    'beyond-the-window-by-any-size',
    {
      title: 'a header that announces any more than the window holds',
      judges: ['R3081-3.1.2-06'],
      quote: '',
      sends: 'the header of a frame that is too large by any number of octets, and none of its payload',
      expects: 'the session ends without an answer, at the header',
      samples: fc.oneof(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: MAX_NUMBER - 1_000_000 }),
        fc.constant(MAX_NUMBER),
      ),
    },
    async (peer, excess) => {
      const channel = await peer.channel()
      await peer.expectAlive()
      const size = Math.min(MAX_NUMBER, peer.room(channel) + excess)
      peer.write(`MSG ${channel} 0 . 0 ${size}\r\n`)
      return peer.expectTermination()
    },
  ),
  should(
    'beyond-the-window-in-two-frames',
    {
      title: 'two frames that the window does not hold together',
      judges: ['R3081-3.1.2-06'],
      quote: '',
      sends: 'in one write a frame of all the window but one octet, and one of five octets',
      expects: 'the session ends; the first frame is no whole message and has no answer. Or a SEQ for the first frame alone',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.expectAlive()
      const room = peer.room(channel)
      const first = peer.frame(`MSG ${channel} 0 *`, plain(pattern(room - 3)))
      const border = peer.due(channel)
      peer.write(Buffer.concat([first, peer.frame(`MSG ${channel} 0 .`, 'xxxxx')]))
      try {
        return await peer.expectTermination()
      } catch (failure) {
        // One that credits each frame as it reads it has opened its window by the time it looks at the second, and cannot know better.
        if (!peer.seqs.some((seq) => seq.channel === channel && seq.ackno === border)) throw failure
        return 'the window was open again before the second frame was looked at'
      }
    },
  ),
  should(
    'beyond-the-window-of-channel-zero',
    {
      title: 'channel 0 has a window, too',
      judges: ['R3081-3.1.2-06', 'R3081-3-02'],
      quote: 'each channel has a sliding window',
      sends: 'on channel 0 the header of a frame of one octet more than there is room for',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      await peer.greet()
      await peer.expectAlive()
      peer.write(`MSG 0 ${peer.next()} . ${peer.due(0)} ${peer.room(0) + 1}\r\n`)
      return peer.expectTermination()
    },
  ),
])
