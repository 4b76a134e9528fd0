// The use of flow control (RFC 3081 §3.1.4): fairness, credit, and windows that stand for real room.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { advance, distance } from '../../src/beep/seqno.js'
import { may, must, section, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectSound, expectStill, expectUpTo, finish, pattern, seqsOf, stalled, WIDE } from '../harness/flow.js'
import { plain } from '../harness/framing.js'
import { goesOnOrEnds, isData } from '../harness/management.js'
import type { Peer } from '../harness/peer.js'
import { seqFirst } from './3.1.4-seq-first.js'

/** Octets that are pushed into a target that may not answer, to see whether it minds. */
const PUSHED = 2_000_000

/** Sends small messages whose replies find no window, until the target gives no more window either. @returns octets that it took, `most` or a little more if it still gives window */
async function push(peer: Peer, channel: number, most: number): Promise<number> {
  let sent = 0
  // Credit for what is asked on channel 0 meanwhile.
  peer.seq(0, peer.received(0), WIDE)
  for (let msgno = 1; sent < most && peer.connection.ending === 'open'; msgno++) {
    // An answer on channel 0 behind what was sent: every SEQ that is due for it has come by then.
    if (peer.room(channel) < 1000) await peer.expectAlive()
    if (peer.room(channel) < 1000) break
    const octets = plain(pattern(Math.min(50_000, peer.room(channel)) - 2))
    peer.send(`MSG ${channel} ${msgno} .`, octets)
    sent += octets.length
  }
  return sent
}

/** Frames that came for a channel; of SEQs those that open nothing: credit may be said late. */
function said(peer: Peer, channel: number): number {
  let edge = INITIAL_WINDOW
  let count = 0
  for (const each of peer.connection.history) {
    if (each.kind === 'garbage' || each.channel !== channel) continue
    if (each.kind === 'data') count++
    else if (advance(each.ackno, each.window) === edge) count++
    else edge = advance(each.ackno, each.window)
  }
  return count
}

export const useOfWindows = section('rfc3081/3.1.4', 'Use of Flow Control', [
  may(
    'frame-size',
    {
      title: 'how large the frames of a large message are',
      judges: ['R3081-3.1.4-01'],
      quote: 'large messages should be segmented into frames no larger than',
      sends: 'a large window, and a MSG of 100,000 octets to a listener',
      expects: 'the message; what two thirds of the segment size are is known to the target only',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.credits = false
      peer.seq(channel, 0, WIDE)
      if (peer.target === 'listener') await peer.echo(channel, 0, pattern(100_000))
      else await peer.asked(channel)
      const sizes = peer.connection.history.filter(isData).map(({ size }) => size)
      return `its largest frame has ${Math.max(...sizes)} octets`
    },
  ),
  should(
    'round-robin',
    {
      title: 'two channels with much to say',
      judges: ['R3081-3.1.4-02'],
      quote: 'should be sent in a round-robin fashion',
      sends: 'a MSG of 40,000 octets on each of two channels, and then, in one write, window for both replies',
      expects: 'neither reply is over before the other goes on',
      of: 'listener',
    },
    async (peer) => {
      const two = [await peer.channel(), await peer.channel()]
      peer.credits = false
      const body = pattern(40_000)
      for (const channel of two) await sendOrCredit(peer, channel, body)
      await peer.expectAlive()
      const from = peer.connection.history.length
      peer.write(two.map((channel) => `SEQ ${channel} ${peer.received(channel)} ${WIDE}\r\n`).join(''))
      for (const channel of two) await peer.echoed(channel, 0, body)
      const turns = peer.connection.history
        .slice(from)
        .filter(isData)
        .map(({ channel }) => channel)
        .filter((each) => each > 0)
      const changes = turns.filter((channel, at) => at > 0 && channel !== turns[at - 1]).length
      if (changes < 2) throw new Failure(`the frames came as ${runs(turns)}: one channel waited until the other had done`)
      return `the frames came as ${runs(turns)}`
    },
  ),
  should(
    'seq-at-half-a-window',
    {
      title: 'when the target gives new window',
      judges: ['R3081-3.1.4-03'],
      quote: 'is at least one half of the buffer space available',
      sends: 'a MSG of 2048 octets, and one of 2046',
      expects: 'a SEQ by the time that both have come back',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.echo(channel, 0, pattern(2046))
      const early = seqsOf(peer, channel).length
      await peer.echo(channel, 1, pattern(2044))
      await peer.expectAlive()
      if (seqsOf(peer, channel).length === 0) throw new Failure('no SEQ came for 4094 octets of 4096')
      return early > 0 ? 'it gives window after half of it' : 'it gives window after all of it'
    },
  ),
  may(
    'credit-below-half',
    {
      title: 'a peer that does not segment, and has 2200 octets to say after 2000',
      judges: ['R3081-3.1.4-03'],
      quote: 'is at least one half of the buffer space available',
      sends: 'a MSG of 2000 octets; one of 2200 in one frame, once there is window for it',
      expects: 'the second comes back, or no window for it: less than half need not be said',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.echo(channel, 0, pattern(1998))
      const octets = plain(pattern(2198))
      if (!(await peer.connection.until(() => peer.room(channel) >= octets.length)))
        return `it leaves ${peer.room(channel)} octets of window: a peer that does not segment waits for ever`
      peer.send(`MSG ${channel} 1 .`, octets)
      await peer.echoed(channel, 1, octets.subarray(2))
      return 'it gives window for it'
    },
  ),
  may(
    'consolidating-seq',
    {
      title: 'several frames in one write',
      judges: ['R3081-3.1.4-04'],
      quote: 'then a single consolidating SEQ frame may be sent',
      sends: 'four frames of a MSG of 4096 octets in one write',
      expects: 'SEQs of which the last acknowledges all, if any came',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      const octets = plain(pattern(INITIAL_WINDOW - 2))
      const frames = [0, 1, 2, 3].map((at) =>
        peer.frame(`MSG ${channel} 0 ${at === 3 ? '.' : '*'}`, octets.subarray(at * 1024, (at + 1) * 1024)),
      )
      peer.write(Buffer.concat(frames))
      await peer.echoed(channel, 0, octets.subarray(2))
      await peer.expectAlive()
      expectSound(peer, channel)
      return `${seqsOf(peer, channel).length} SEQ for four frames`
    },
  ),
  must(
    'reads-on',
    {
      title: 'a channel whose replies nobody takes, and the others',
      judges: ['R3081-3.1.4-05', 'R3080-2.6.2-03'],
      quote: 'advertise windows based on available buffer space',
      sends: 'MSGs on one channel for as long as the target gives window, and no credit for the replies; then a MSG on another',
      expects: 'the other channel, and channel 0, go on',
      of: 'listener',
    },
    async (peer) => {
      const other = await peer.channel()
      const held = await stalled(peer)
      const took = await push(peer, held.channel, 100_000)
      await peer.echo(other, 0, 'hello')
      return `it took ${took} octets more and goes on`
    },
  ),
  may(
    'slow-readers',
    {
      title: 'whether a channel whose replies nobody takes gets ever more window',
      judges: ['R3081-3.1.4-08'],
      quote: 'slow readers should get small windows',
      sends: 'MSGs for as long as the target gives window, up to two million octets, and no credit for the replies',
      expects: 'that the window closes some time',
      of: 'listener',
    },
    async (peer) => {
      const held = await stalled(peer)
      const took = await push(peer, held.channel, PUSHED)
      return took < PUSHED ? `it closes the window after ${took} octets more` : `it still gives window after ${took} octets`
    },
  ),
  ...seqFirst,
  must.hold(
    'window-never-shrinks',
    {
      title: 'the right edge of the windows that the target gives',
      judges: ['R3081-3.1.4-10'],
      quote: 'move the right window edge to the left',
      sends: 'a few messages of any sizes',
      expects: 'SEQs whose ackno + window never falls',
      of: 'listener',
      samples: fc.array(fc.nat({ max: 12_000 }), { minLength: 1, maxLength: 4 }),
    },
    async (peer, sizes) => {
      const channel = await peer.channel()
      for (const [msgno, size] of sizes.entries()) await peer.echo(channel, msgno, pattern(size))
      expectSound(peer, channel)
      return undefined
    },
  ),
  may(
    'window-grows',
    {
      title: 'whether the window grows for a reader that keeps up',
      judges: ['R3081-3.1.4-03', 'R3081-3.1.4-11'],
      quote: 'to balance performance and fairness',
      sends: 'ten MSGs of 30,000 octets, each when the one before came back',
      expects: 'that they come back',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      for (let msgno = 0; msgno < 10; msgno++) await peer.echo(channel, msgno, pattern(30_000))
      const windows = seqsOf(peer, channel).map(({ window }) => window)
      return `its largest window has ${Math.max(INITIAL_WINDOW, ...windows)} octets`
    },
  ),
  should(
    'window-that-we-shrink',
    {
      title: 'a window of ours that shrinks, which it should not',
      judges: ['R3081-3.1.4-10', 'R3081-3.1.2-08'],
      quote: '',
      sends: 'when the window is used up, a SEQ whose window ends before that; later a larger one',
      expects: 'no octet, and the rest later; or the end of the session',
    },
    async (peer) => {
      const held = await stalled(peer)
      peer.write(`SEQ ${held.channel} ${held.edge - 1000} 500\r\n`)
      const how = await goesOnOrEnds(peer)
      if (how !== 'the session went on') return how
      if (peer.received(held.channel) > held.edge) throw new Failure(`it goes on to ${peer.received(held.channel)}`)
      await finish(peer, held)
      return 'it waits'
    },
  ),
  must(
    'no-probes',
    {
      title: 'a window that is used up, and stays so for a while',
      judges: ['R3081-3.1.4-12'],
      quote: 'issues such as retransmission',
      sends: 'ten questions on channel 0, and no credit',
      expects: 'nothing on the channel: no octet twice, no probe, no SEQ that says nothing new',
    },
    async (peer) => {
      const held = await stalled(peer)
      await peer.expectAlive()
      const before = said(peer, held.channel)
      for (let asked = 0; asked < 10; asked++) await expectStill(peer, held.channel, held.edge)
      const more = said(peer, held.channel) - before
      if (more > 0) throw new Failure(`${more} frames that say nothing new came for a channel on which nothing happens`)
      return undefined
    },
  ),
  must(
    'both-directions-full',
    {
      title: 'both directions of a channel are used up, and both open again',
      judges: ['R3081-3.1.4-05', 'R3081-3.1.4-06', 'R3081-3.1.2-01'],
      quote: 'must provide a mechanism to avoid starvation and deadlock',
      sends: 'MSGs for as long as the target gives window without crediting a reply; then the credit',
      expects: 'every reply, in order',
      of: 'listener',
    },
    async (peer) => {
      const held = await stalled(peer)
      peer.seq(0, peer.received(0), WIDE)
      let msgno = 1
      while (msgno < 50 && peer.room(held.channel) >= 3000) {
        peer.send(`MSG ${held.channel} ${msgno++} .`, plain(pattern(2998)))
        await peer.expectAlive()
      }
      await finish(peer, held)
      for (let at = 1; at < msgno; at++) await peer.echoed(held.channel, at, pattern(2998))
      return `${msgno - 1} more fitted in`
    },
  ),
  must.hold(
    'interleaved-credit',
    {
      title: 'credit for three channels in any order',
      judges: ['R3081-3-02', 'R3081-3.1.2-01', 'R3081-3.1.4-05'],
      quote: 'each channel has a sliding window',
      sends: 'a MSG of two windows on three channels, then credit for any of them in any order, then for all',
      expects: 'on each channel what is credited and no more, and every reply whole',
      of: 'listener',
      samples: fc.array(fc.record({ turn: fc.nat({ max: 2 }), more: fc.integer({ min: 1, max: 500 }) }), {
        minLength: 1,
        maxLength: 6,
      }),
    },
    async (peer, credits) => {
      const three = [await peer.channel(), await peer.channel(), await peer.channel()]
      const held = []
      for (const channel of three) held.push(await stalled(peer, channel))
      const edges = held.map(({ edge }) => edge)
      for (const { turn, more } of credits) {
        await expectUpTo(peer, three[turn]!, edges[turn]!, edges[turn]! + more)
        edges[turn]! += more
      }
      for (const [at, channel] of three.entries()) {
        if (distance(peer.received(channel), edges[at]!) > 0x7fff_ffff)
          throw new Failure(`channel ${channel} went beyond its window`)
      }
      for (const each of held) await finish(peer, each)
      return undefined
    },
  ),
])

/** Sends a message whose reply has to wait; a target that hands on what it reads needs credit to take it whole, but for a last part. */
async function sendOrCredit(peer: Peer, channel: number, body: Buffer): Promise<void> {
  const octets = plain(body)
  let at = 0
  while (at < octets.length) {
    if (peer.room(channel) === 0) {
      await peer.expectAlive()
      if (peer.room(channel) === 0) {
        if (peer.received(channel) === 0)
          throw new Unsupported('it takes a message of 40,000 octets only when its reply is taken')
        peer.seq(channel, peer.received(channel), INITIAL_WINDOW)
        if (!(await peer.connection.until(() => peer.room(channel) > 0))) throw new Failure('no SEQ came', 'timeout')
      }
    }
    const end = Math.min(octets.length, at + Math.min(INITIAL_WINDOW, peer.room(channel)))
    peer.send(`MSG ${channel} 0 ${end < octets.length ? '*' : '.'}`, octets.subarray(at, end))
    at = end
  }
}

/** `1×3 3×2 1`: channels in the order of their frames. */
function runs(turns: readonly number[]): string {
  const said: string[] = []
  for (let at = 0; at < turns.length; ) {
    let end = at
    while (turns[end] === turns[at]) end++
    said.push(end - at > 1 ? `${turns[at]}×${end - at}` : `${turns[at]}`)
    at = end
  }
  return said.length > 12 ? `${said.slice(0, 12).join(' ')} …` : said.join(' ')
}
