// Asynchrony between channels (RFC 3080 §2.6.2): none waits for another.
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectStill, finish, stalled } from '../harness/flow.js'
import { plain, question } from '../harness/framing.js'
import { ownChannel } from '../harness/management.js'
import type { Peer } from '../harness/peer.js'

/** Open channels, as many as are asked for. @throws Unsupported when the target grants fewer */
async function channels(peer: Peer, count: number): Promise<number[]> {
  const open = [await peer.channel()]
  while (open.length < count) {
    const number = peer.number()
    if ((await peer.start(number, peer.profile)).keyword === 'ERR')
      throw new Unsupported(`the target grants ${open.length} channels and no more`)
    open.push(number)
  }
  return open
}

export const parallel = section('rfc3080/2.6.2', 'Between Different Channels', [
  must(
    'another-channel-goes-on',
    {
      title: 'a channel whose reply is held up by the window, and another',
      judges: ['R3080-2.6.2-02', 'R3080-2.6.2-03', 'R3081-3-02'],
      quote: 'The channels operate independently, in parallel',
      sends: 'a MSG of two windows on one channel without crediting its reply, then a small one on another',
      expects: 'the small one comes back at once, the large one when it is credited',
      of: 'listener',
    },
    async (peer) => {
      const [first, second] = await channels(peer, 2)
      const held = await stalled(peer, first)
      await peer.echo(second!, 0, 'small')
      await finish(peer, held)
      return undefined
    },
  ),
  must(
    'channel-zero-goes-on',
    {
      title: 'channel 0 beside a channel that is held up by the window',
      judges: ['R3080-2.6.2-03', 'R3081-3-02'],
      quote: 'The channels operate independently, in parallel',
      sends: 'three requests on channel 0 while the target waits for credit on another channel',
      expects: 'three answers, and the channel goes on when it is credited',
    },
    async (peer) => {
      const held = await stalled(peer)
      const asked = [question(peer), question(peer), question(peer)]
      for (const { octets } of asked) peer.write(octets)
      for (const { msgno } of asked) peer.expectError(await peer.answer(msgno))
      const how = await expectStill(peer, held.channel, held.edge)
      await finish(peer, held)
      return how
    },
  ),
  must(
    'channel-of-the-listener-goes-on',
    {
      title: 'a second channel, started by the listener, beside one that is held up by the window',
      judges: ['R3080-2.6.2-03', 'R3080-2.7-01'],
      quote: 'both peers must be prepared to receive all messages',
      sends: 'a start and a small MSG while the initiator waits for credit on its own channel',
      expects: 'the small MSG is answered',
      of: 'initiator',
    },
    async (peer) => {
      const held = await stalled(peer)
      const number = await ownChannel(peer)
      peer.send(`MSG ${number} 0 .`, plain('hello'))
      const { keyword } = await peer.reply(number, 0)
      await finish(peer, held)
      return `it answers ${keyword}`
    },
  ),
  must.hold(
    'frames-of-two-channels',
    {
      title: 'the frames of messages on two channels, in any order',
      judges: ['R3080-2.6.2-02', 'R3080-2.2.1.1-19'],
      quote: 'there is no ordering constraint for replies on different channels',
      sends: 'five frames of one MSG on each of two channels, interleaved in any way',
      expects: 'both messages come back whole',
      of: 'listener',
      samples: fc.shuffledSubarray([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], { minLength: 10 }),
    },
    async (peer, turns) => {
      const two = await channels(peer, 2)
      const sent = [0, 0]
      for (const turn of turns) {
        const at = sent[turn]!++
        peer.send(`MSG ${two[turn]} 0 ${at === 4 ? '.' : '*'}`, at === 0 ? '\r\n0' : String(at))
      }
      for (const channel of two) await peer.echoed(channel, 0, '01234')
      return undefined
    },
  ),
  must.hold(
    'each-channel-in-its-order',
    {
      title: 'requests on several channels, in any order',
      judges: ['R3080-2.6.2-02', 'R3080-2.6.1-03', 'R3080-2.5.2-01'],
      quote: 'appear to be generated in the same order',
      sends: 'up to twenty MSGs on up to four channels, none of which waits',
      expects: 'on each channel its replies, in the order of its requests',
      of: 'listener',
      samples: fc.array(fc.record({ turn: fc.nat({ max: 3 }), size: fc.nat({ max: 150 }) }), { minLength: 2, maxLength: 20 }),
    },
    async (peer, requests) => {
      const open = await channels(peer, 4)
      for (const [msgno, { turn, size }] of requests.entries()) peer.send(`MSG ${open[turn]} ${msgno} .`, plain('x'.repeat(size)))
      for (const [msgno, { turn, size }] of requests.entries()) await peer.echoed(open[turn]!, msgno, 'x'.repeat(size))
      for (const channel of open) expectRising(peer, channel)
      return undefined
    },
  ),
  may(
    'client-on-several-channels',
    {
      title: 'whether the initiator asks on more channels than one',
      judges: ['R3080-2.6.2-01'],
      quote: 'may send multiple "MSG" messages on different channels',
      sends: 'no reply on its first channel, until all that the target says without it has come',
      expects: 'anything but the end of the session',
      of: 'initiator',
    },
    async (peer) => {
      await peer.asked(await peer.channel())
      await peer.expectAlive()
      const starts = peer.connection.heard.some(
        (each) => each.kind === 'data' && each.channel === 0 && each.keyword === 'MSG' && /<start/.test(each.payload.toString()),
      )
      return starts ? 'it starts another channel meanwhile' : 'it uses one channel'
    },
  ),
])

/** The replies on a channel came in the order of their numbers. */
function expectRising(peer: Peer, channel: number): void {
  const msgnos = peer.connection.history.flatMap((each) =>
    each.kind === 'data' && each.channel === channel && each.keyword === 'RPY' ? [each.msgno] : [],
  )
  if (msgnos.some((msgno, at) => at > 0 && msgno < msgnos[at - 1]!))
    throw new Failure(`on channel ${channel} the replies came as ${msgnos.join(', ')}`)
}
