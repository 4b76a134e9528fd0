// Windows of new channels (RFC 3081 §3.1, §3.1.1): they begin at 0, with 4096 octets each way.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { INITIAL_WINDOW, MAX_NUMBER } from '../../src/beep/limits.js'
import { must, section, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectSound, expectStill, finish, pattern, stalled, WIDE } from '../harness/flow.js'
import { expectNoFault, expectTaken, plain } from '../harness/framing.js'
import { askedToStart, closed, isData, profile } from '../harness/management.js'
import { BEEP_XML } from '../harness/peer.js'
import { seqAfterOk } from './3.1.1-seq-after-ok.js'

const FIRST = 'the initial window size for that channel is 4096 octets'

export const flowControl = section('rfc3081/3.1', 'Flow Control', [
  must(
    'only-payload-counts',
    {
      title: 'a window of frames of one octet each',
      judges: ['R3081-3.1-01'],
      quote: 'the number of payload octets that a peer may transmit',
      sends: '4096 frames of one octet, before any SEQ can come',
      expects: 'the session goes on: headers and trailers count for nothing',
    },
    async (peer) => {
      const channel = await peer.channel()
      const octets = plain('x'.repeat(INITIAL_WINDOW - 2))
      const frames = Array.from(octets, (_, at) =>
        peer.frame(`MSG ${channel} 0 ${at + 1 < octets.length ? '*' : '.'}`, octets.subarray(at, at + 1)),
      )
      peer.write(Buffer.concat(frames))
      return expectTaken(peer, channel, 0, octets.subarray(2))
    },
  ),
  should.hold(
    'serial-arithmetic',
    {
      title: 'an acknowledgement that is behind only modulo 2^32',
      judges: ['R3081-3.1-02', 'R3081-3.1.3-12'],
      quote: 'all arithmetic dealing with sequence numbers is performed modulo',
      sends: 'a SEQ whose ackno is just below 2^32 and whose window would end 4000 octets behind where the target had to stop',
      expects: 'the session ends, or the SEQ is ignored: it is never taken for one far ahead',
      samples: fc.integer({ min: 1, max: 2000 }),
    },
    async (peer, behind) => {
      const { channel, edge } = await stalled(peer)
      peer.write(`SEQ ${channel} ${2 ** 32 - behind} ${edge + behind + 4000}\r\n`)
      const alive = peer.expectAlive().then(
        () => true,
        (failure) => {
          if (peer.connection.ending === 'open') throw failure
          return false
        },
      )
      if (!(await alive)) return 'it ends the session'
      if (peer.received(channel) !== edge)
        throw new Failure(`it went on to ${peer.received(channel)}, and its window ended at ${edge}`)
      return 'it ignores the SEQ'
    },
  ),
])

export const creation = section('rfc3081/3.1.1', 'Channel Creation', [
  must(
    'first-seqno',
    {
      title: 'the first frame of the target on a channel',
      judges: ['R3081-3.1.1-01'],
      quote: 'first payload octet of the first data frame is 0',
      sends: 'a MSG of seqno 0, or the channel that the target asks for',
      expects: 'seqno 0 in the first frame that comes',
    },
    async (peer) => {
      const channel = await peer.channel()
      if (peer.target === 'listener') peer.send(`MSG ${channel} 0 .`, plain('hello'))
      const { seqno } = await peer.take((each) => each.channel === channel, `a frame on channel ${channel}`)
      if (seqno !== 0) throw new Failure(`its seqno is ${seqno}`)
      return undefined
    },
  ),
  must(
    'first-window-is-taken',
    {
      title: 'a message of 4096 octets in one frame at once',
      judges: ['R3081-3.1.1-02'],
      quote: FIRST,
      sends: 'a MSG of 4096 octets of payload as the first frame',
      expects: 'it is taken',
    },
    async (peer) => {
      const channel = await peer.channel()
      const body = pattern(INITIAL_WINDOW - 2)
      peer.send(`MSG ${channel} 0 .`, plain(body))
      return expectTaken(peer, channel, 0, body)
    },
  ),
  must.hold(
    'first-window-in-any-frames',
    {
      title: 'a message of 4096 octets in any frames',
      judges: ['R3081-3.1.1-02', 'R3081-3.1-01'],
      quote: FIRST,
      sends: 'a MSG of 4096 octets of payload, cut anywhere, in one write',
      expects: 'it is taken',
      samples: fc.array(fc.nat({ max: 900 }), { minLength: 1, maxLength: 12 }),
    },
    async (peer, sizes) => {
      const channel = await peer.channel()
      const octets = plain(pattern(INITIAL_WINDOW - 2))
      const frames: Buffer[] = []
      let at = 0
      for (const size of sizes) {
        const end = Math.min(octets.length, at + size)
        frames.push(peer.frame(`MSG ${channel} 0 *`, octets.subarray(at, end)))
        at = end
      }
      peer.write(Buffer.concat([...frames, peer.frame(`MSG ${channel} 0 .`, octets.subarray(at))]))
      return expectTaken(peer, channel, 0, octets.subarray(2))
    },
  ),
  must(
    'first-window-is-kept-to',
    {
      title: 'the target has more to say than 4096 octets',
      judges: ['R3081-3.1.1-02', 'R3081-3.1.2-01'],
      quote: FIRST,
      sends: 'no SEQ',
      expects: 'no more than 4096 octets',
    },
    async (peer) => {
      const { channel, edge } = await stalled(peer)
      const how = await expectStill(peer, channel, edge)
      expectNoFault(peer, 'R3081-3.1.2-01')
      return how
    },
  ),
  must(
    'whole-window-needs-no-credit',
    {
      title: 'the target has 4096 octets to say',
      judges: ['R3081-3.1.1-02', 'R3081-3.1.2-07'],
      quote: FIRST,
      sends: 'two MSGs whose replies have 4096 octets together, and no SEQ',
      expects: 'the whole replies, the last frame too, if that is empty',
      of: 'listener',
    },
    async (peer) => {
      peer.credits = false
      const channel = await peer.channel()
      // The first tells how much the target puts in front of a body.
      const { payload } = await peer.echo(channel, 0, 'x')
      await peer.echo(channel, 1, pattern(INITIAL_WINDOW - payload.length - (payload.length - 1)))
      return undefined
    },
  ),
  must(
    'wide-window-from-the-start',
    {
      title: 'a SEQ right after the channel is created',
      judges: ['R3081-3.1.1-03', 'R3081-3.1.3-04'],
      quote: 'After channel creation, a BEEP peer may update the window size',
      sends: 'a SEQ with a window of 65536 before any octet, and no other',
      expects: 'messages of the target that are larger than 4096 come whole',
    },
    async (peer) => {
      peer.credits = false
      const channel = await peer.channel()
      peer.seq(channel, 0, 65_536)
      if (peer.target === 'listener') {
        await peer.echo(channel, 0, pattern(20_000))
        return undefined
      }
      const { payload } = await peer.asked(channel)
      return `its message has ${payload.length} octets`
    },
  ),
  must.hold(
    'any-window-from-the-start',
    {
      title: 'any lawful window right after the channel is created',
      judges: ['R3081-3.1.1-03', 'R3081-3.1.3-15', 'R3081-3.1.2-01'],
      quote: 'may update the window size by sending a SEQ frame',
      sends: 'a SEQ with any window from 4097 to 2147483647',
      expects: 'the target keeps to it, and says all that fits',
      of: 'listener',
      samples: fc.oneof(
        fc.integer({ min: 4097, max: 8000 }),
        fc.integer({ min: 8000, max: MAX_NUMBER }),
        fc.constant(MAX_NUMBER),
      ),
    },
    async (peer, window) => {
      peer.credits = false
      const channel = await peer.channel()
      peer.seq(channel, 0, window)
      const body = pattern(8190)
      await peer.message(channel, 0, plain(body))
      await peer.connection.until(() => peer.received(channel) === Math.min(window, 8192))
      if (window < 8192) return expectStill(peer, channel, window)
      await peer.echoed(channel, 0, body)
      return undefined
    },
  ),
  must(
    'request-behind-the-reply',
    {
      title: 'the reply that creates a channel and a MSG on it in one write',
      judges: ['R3081-3.1.1-01', 'R3080-2.7-02'],
      quote: 'When a channel is created',
      sends: 'RPY to the start of the target, and at once a MSG on its channel',
      expects: 'the session goes on; what answers the MSG, if anything by then, is its body or ERR',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno, number } = await askedToStart(peer)
      const reply = peer.frame(`RPY 0 ${msgno} .`, Buffer.from(BEEP_XML + profile(peer.profile)))
      peer.write(Buffer.concat([reply, peer.frame(`MSG ${number} 5 .`, plain('hello'))]))
      return expectTaken(peer, number, 5, 'hello')
    },
  ),
  must(
    'seq-behind-the-reply',
    {
      title: 'the reply that creates a channel and a SEQ for it in one write',
      judges: ['R3081-3.1.3-18', 'R3081-3.1.1-03'],
      quote: 'After channel creation',
      sends: 'RPY to the start of the target, and at once a SEQ with a larger window',
      expects: 'the channel in use',
      of: 'initiator',
    },
    async (peer) => {
      peer.credits = false
      const { msgno, number } = await askedToStart(peer)
      const reply = peer.frame(`RPY 0 ${msgno} .`, Buffer.from(BEEP_XML + profile(peer.profile))).toString('latin1')
      peer.write(`${reply}SEQ ${number} 0 ${WIDE}\r\n`)
      await peer.asked(number)
      return undefined
    },
  ),
  must(
    'reply-before-its-seq',
    {
      title: 'whether a SEQ for a channel ever comes before the reply that creates it',
      judges: ['R3081-3.1.3-18'],
      quote: 'After channel creation',
      sends: 'five starts in one write',
      expects: 'no SEQ for a channel before the RPY to its start',
      of: 'listener',
    },
    async (peer) => {
      await peer.greet()
      const asked = [1, 3, 5, 7, 9].map((number) => ({ number, msgno: peer.next() }))
      const element = (number: number) => Buffer.from(`${BEEP_XML}<start number='${number}'>${profile(peer.profile)}</start>`)
      peer.write(Buffer.concat(asked.map(({ number, msgno }) => peer.frame(`MSG 0 ${msgno} .`, element(number)))))
      for (const { number, msgno } of asked) {
        await peer.answer(msgno)
        const { history } = peer.connection
        const reply = history.findIndex(
          (each) => isData(each) && each.channel === 0 && each.keyword === 'RPY' && each.msgno === msgno,
        )
        const seq = history.findIndex((each) => each.kind === 'seq' && each.channel === number)
        if (seq !== -1 && seq < reply) throw new Failure(`a SEQ for channel ${number} came before the channel was there`)
      }
      return peer.seqs.some(({ channel }) => channel > 0) ? 'it sends SEQ at once, in order' : 'it sends no SEQ at once'
    },
  ),
  must(
    'seq-for-a-refused-channel',
    {
      title: 'a start that is refused, and a SEQ for its channel',
      judges: ['R3081-3.1.3-18', 'R3081-3.1.3-10'],
      quote: 'terminated without generating a response',
      sends: 'a start of a profile that nobody has, and after ERR a SEQ for that channel',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      await peer.greet()
      const number = peer.number()
      peer.expectError(await peer.start(number, 'http://example.org/profiles/nowhere'))
      peer.write(`SEQ ${number} 0 8192\r\n`)
      return peer.expectTermination()
    },
  ),
  must(
    'fresh-window-for-a-number-used-again',
    {
      title: 'a channel is closed while its window was large, and its number is started again',
      judges: ['R3081-3.1.1-01', 'R3081-3.1.1-02'],
      quote: FIRST,
      sends: 'a large window, a message, close, start, and a message of two windows without credit',
      expects: 'seqno 0 and no more than 4096 octets',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.seq(channel, 0, WIDE)
      await peer.echo(channel, 0, pattern(6000))
      await closed(peer, channel)
      const again = await peer.start(channel, peer.profile)
      if (again.keyword === 'ERR') throw new Unsupported('it does not let the number be used again')
      const held = await stalled(peer, channel)
      const how = await expectStill(peer, channel, held.edge)
      await finish(peer, held)
      expectSound(peer, 0)
      return how
    },
  ),
  ...seqAfterOk,
])
