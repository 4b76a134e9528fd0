// The meaning of SEQ frames (RFC 3081 §3.1.3): those that the target sends, and what it makes of ours.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { INITIAL_WINDOW, MAX_NUMBER } from '../../src/beep/limits.js'
import { may, must, section, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectSound, expectStill, expectUpTo, finish, pattern, seqsOf, stalled, WIDE, whole } from '../harness/flow.js'
import { expectGoingOn, expectTaken, plain } from '../harness/framing.js'
import { askedToClose } from '../harness/initiator.js'
import { close, closed, goesOnOrEnds } from '../harness/management.js'
import { BEEP_XML, type Peer } from '../harness/peer.js'

/** Sends the target more than a window of payload: to a listener as a request, to an initiator as the reply to its own. */
async function feed(peer: Peer, channel: number, body: Buffer, cut?: number): Promise<void> {
  if (peer.target === 'listener') {
    await peer.message(channel, 0, plain(body), cut)
    await peer.echoed(channel, 0, body)
    return
  }
  const { msgno } = await peer.asked(channel)
  await peer.message(channel, msgno, plain(body), cut, 'RPY')
  await expectGoingOn(peer)
}

export const seq = section('rfc3081/3.1.3', 'Processing SEQ Frames', [
  should(
    'credit-for-a-message-of-two-windows',
    {
      title: 'a message that is larger than the window',
      judges: ['R3081-3.1.3-01'],
      quote: 'its BEEP peer should send SEQ frames to advertise a new window',
      sends: 'a message of 6000 octets as the window allows',
      expects: 'SEQs that let it be sent whole',
    },
    async (peer) => {
      const channel = await peer.channel()
      await feed(peer, channel, pattern(6000))
      return `it sent ${seqsOf(peer, channel).length} SEQ`
    },
  ),
  must.hold(
    'its-seqs-are-sound',
    {
      title: 'the SEQs for messages of any sizes in frames of any sizes',
      judges: ['R3081-3.1.3-01', 'R3081-3.1.3-03', 'R3081-3.1.3-12', 'R3081-3.1.4-11'],
      quote: 'the value of the next sequence number that the sender is expecting',
      sends: 'a message of up to six windows, always up to the edge of the window',
      expects: 'SEQs that acknowledge no more than was sent, never less than before, and the message whole',
      samples: fc.record({ size: fc.nat({ max: 6 * INITIAL_WINDOW }), cut: fc.integer({ min: 200, max: 70_000 }) }),
    },
    async (peer, { size, cut }) => {
      const channel = await peer.channel()
      await feed(peer, channel, pattern(size), cut)
      expectSound(peer, channel)
      expectSound(peer, 0)
      return undefined
    },
  ),
  must(
    'window-of-the-example',
    {
      title: 'a window that counts from ackno, not from where the target is',
      judges: ['R3081-3.1.3-04', 'R3081-3.1.2-08'],
      quote: 'beginning with the one indicated by the acknowledgement number',
      sends: 'a SEQ that acknowledges 1000 octets less than came, with a window of 3144',
      expects: 'no octet beyond ackno + window',
    },
    async (peer) => {
      const held = await stalled(peer)
      const how = await expectUpTo(peer, held.channel, held.edge - 1000, held.edge + 2144)
      await finish(peer, held)
      return how
    },
  ),
  should(
    'goes-back',
    {
      title: 'a SEQ that acknowledges less than the one before',
      judges: ['R3081-3.1.3-12'],
      quote: '',
      sends: 'a SEQ that acknowledges all, then one that acknowledges nothing and would open the window wide',
      expects: 'the session ends, or the second is ignored',
    },
    async (peer) => {
      const { channel, edge } = await stalled(peer)
      await expectUpTo(peer, channel, edge, edge + 100)
      peer.write(`SEQ ${channel} 0 ${edge + 3000}\r\n`)
      const how = await goesOnOrEnds(peer)
      if (how === 'the session went on' && peer.received(channel) > edge + 100)
        throw new Failure(`it adopts it and goes on to ${peer.received(channel)}`)
      return how === 'the session went on' ? 'it ignores the second' : how
    },
  ),
  must(
    'repeated',
    {
      title: 'the same SEQ three times',
      judges: ['R3081-3.1.3-13'],
      quote: '',
      sends: 'on a fresh channel three times SEQ with ackno 0 and window 4096',
      expects: 'nothing changes: the session goes on, and 4096 octets may come',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.write(`SEQ ${channel} 0 4096\r\n`.repeat(3))
      if (peer.target === 'listener') await peer.echo(channel, 0, pattern(100))
      else await peer.expectAlive()
      return undefined
    },
  ),
  must.hold(
    'repeated-on-channel-zero',
    {
      title: 'the same SEQ for channel 0 any number of times',
      judges: ['R3081-3.1.3-13', 'R3081-3.1.3-16'],
      quote: '',
      sends: 'a larger window for channel 0, up to twenty times the same',
      expects: 'the session goes on',
      samples: fc.record({ times: fc.integer({ min: 1, max: 20 }), window: fc.integer({ min: 5000, max: 100_000 }) }),
    },
    async (peer, { times, window }) => {
      await peer.greet()
      const octets = `SEQ 0 ${peer.received(0)} ${window}\r\n`
      peer.credits = false
      peer.write(octets.repeat(times))
      await peer.expectAlive()
      return undefined
    },
  ),
  must(
    'closed-window',
    {
      title: 'a window of 0 octets',
      judges: ['R3081-3.1.3-14', 'R3081-3.1.4-12'],
      quote: 'the number of payload octets',
      sends: 'a SEQ that acknowledges all that came, with window 0; later a window',
      expects: 'no octet while it is 0, however long that lasts, and the rest afterwards',
    },
    async (peer) => {
      const held = await stalled(peer)
      peer.seq(held.channel, held.edge, 0)
      for (let asked = 0; asked < 3; asked++) await expectStill(peer, held.channel, held.edge)
      await finish(peer, held)
      return undefined
    },
  ),
  must(
    'largest-window',
    {
      title: 'the largest window there is',
      judges: ['R3081-3.1.3-15'],
      quote: 'window = size',
      sends: 'a SEQ with window 2147483647',
      expects: 'it is taken: the message comes whole without another',
    },
    async (peer) => {
      const held = await stalled(peer)
      peer.seq(held.channel, held.edge, MAX_NUMBER)
      await whole(peer, held)
      return undefined
    },
  ),
  must.hold(
    'between-any-frames',
    {
      title: 'SEQs between the frames of a message',
      judges: ['R3081-3.1.3-16'],
      quote: 'A single space character',
      sends: 'a MSG of five frames, and between any of them SEQs for its channel or for channel 0, each with a larger window',
      expects: 'the message is taken as if they were not there',
      samples: fc.array(fc.constantFrom('own', 'zero', 'none'), { minLength: 4, maxLength: 4 }),
    },
    async (peer, between) => {
      const channel = await peer.channel()
      const zero = peer.received(0)
      peer.credits = false
      for (let at = 0; at < 5; at++) {
        peer.send(`MSG ${channel} 0 ${at === 4 ? '.' : '*'}`, at === 0 ? '\r\n0' : String(at))
        if (between[at] === 'own') peer.seq(channel, 0, 50_000 + at)
        if (between[at] === 'zero') peer.seq(0, zero, 50_000 + at)
      }
      return expectTaken(peer, channel, 0, '01234')
    },
  ),
  must(
    'before-the-greetings',
    {
      title: 'a SEQ for channel 0 before our greeting',
      judges: ['R3081-3.1.3-17'],
      quote: 'each channel has a sliding window',
      sends: 'a SEQ with ackno 0 and window 8192, then the greeting',
      expects: 'the session is established',
    },
    async (peer) => {
      peer.seq(0, 0, 8192)
      await peer.greet()
      await peer.expectAlive()
      return undefined
    },
  ),
  must(
    'inside-our-greeting',
    {
      title: 'a SEQ for channel 0 between two frames of our greeting',
      judges: ['R3081-3.1.3-17', 'R3081-3.1.3-16'],
      quote: 'each channel has a sliding window',
      sends: 'half a greeting, SEQ, the other half',
      expects: 'the session is established',
    },
    async (peer) => {
      const octets = Buffer.from(`${BEEP_XML}<greeting><profile uri='${peer.profile}' /></greeting>`)
      peer.send('RPY 0 0 *', octets.subarray(0, 50))
      peer.seq(0, 0, 8192)
      peer.send('RPY 0 0 .', octets.subarray(50))
      await peer.greeted()
      await peer.expectAlive()
      return undefined
    },
  ),
  should(
    'for-a-channel-just-closed',
    {
      title: 'a SEQ for a channel that was closed a moment ago',
      judges: ['R3081-3.1.3-19'],
      quote: '',
      sends: 'a SEQ for the channel after ok, which it may have crossed',
      expects: 'it is ignored, the session goes on',
    },
    async (peer) => {
      if (peer.target === 'listener') {
        const channel = await peer.channel()
        await peer.echo(channel, 0)
        await closed(peer, channel)
        peer.write(`SEQ ${channel} 7 8192\r\n`)
      } else {
        const { msgno, number } = await askedToClose(peer)
        const ackno = peer.received(number)
        peer.manage(`RPY ${msgno}`, '<ok />')
        peer.write(`SEQ ${number} ${ackno} 8192\r\n`)
      }
      const how = await goesOnOrEnds(peer)
      if (how === 'the target ended the session') throw new Failure('it ends the session')
      return how
    },
  ),
  should(
    'that-crosses-ok',
    {
      title: 'a close and, before ok is here, a SEQ for the channel',
      judges: ['R3081-3.1.3-19'],
      quote: '',
      sends: 'in one write the close of a channel and a SEQ for it',
      expects: 'ok, and the session goes on',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.echo(channel, 0)
      const msgno = peer.next()
      const octets = peer.frame(`MSG 0 ${msgno} .`, Buffer.from(BEEP_XML + close(channel))).toString('latin1')
      peer.write(`${octets}SEQ ${channel} 7 8192\r\n`)
      const { keyword } = await peer.answer(msgno)
      if (keyword === 'ERR') throw new Unsupported('it refuses to close the channel')
      await peer.expectAlive()
      return undefined
    },
  ),
  should(
    'for-a-number-used-again',
    {
      title: 'a number is used again, and a SEQ acknowledges what the channel before had sent',
      judges: ['R3081-3.1.3-11', 'R3081-3.1.1-01'],
      quote: 'the sequence number associated with the first payload octet',
      sends: 'close, start of the same number, and a SEQ with the ackno of before',
      expects: 'the session ends: nothing was sent on this channel',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.echo(channel, 0, pattern(100))
      await closed(peer, channel)
      if ((await peer.start(channel, peer.profile)).keyword === 'ERR')
        throw new Unsupported('it does not let the number be used again')
      peer.write(`SEQ ${channel} 102 8192\r\n`)
      return peer.expectTermination()
    },
  ),
  may(
    'redundant-seqs',
    {
      title: 'whether the target sends SEQs that open nothing',
      judges: ['R3081-3.1.3-13'],
      quote: '',
      sends: 'a message of eight windows',
      expects: 'that it comes through',
    },
    async (peer) => {
      const channel = await peer.channel()
      await feed(peer, channel, pattern(8 * INITIAL_WINDOW))
      const edges = seqsOf(peer, channel).map(({ ackno, window }) => ackno + window)
      const idle = edges.filter((edge, at) => edge === (at === 0 ? INITIAL_WINDOW : edges[at - 1])).length
      return `${edges.length} SEQ, of which ${idle} opened nothing`
    },
  ),
  must.hold(
    'any-window-at-any-time',
    {
      title: 'windows that grow while the target sends',
      judges: ['R3081-3.1.3-04', 'R3081-3.1.3-16'],
      quote: 'to advertise a new window',
      sends: 'a series of SEQs that each move the edge by any step, in one write, while the target waits',
      expects: 'the message whole',
      samples: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 }),
    },
    async (peer, steps) => {
      const held = await stalled(peer)
      let edge = held.edge
      for (const step of steps) {
        edge += step
        peer.seq(held.channel, held.edge, edge - held.edge)
      }
      peer.seq(held.channel, held.edge, WIDE)
      await whole(peer, held)
      return undefined
    },
  ),
])
