// Pre-emptive replies (RFC 3080 §2.6.3): a request that is refused before it is whole, and what both peers owe each other then.
import fc from 'fast-check'
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { may, must, section, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectUpTo, pattern, stalled } from '../harness/flow.js'
import { expectGoingOn, expectRequest, plain } from '../harness/framing.js'
import { goesOnOrEnds } from '../harness/management.js'
import type { Peer } from '../harness/peer.js'
import type { DataFrame } from '../harness/reader.js'

const ENDS = 'a continuation status of complete'

/** The one frame that ends a refused request: nothing in it, and nothing behind it. */
async function expectEmptyEnd(peer: Peer, channel: number, msgno: number): Promise<string> {
  const received = peer.received(channel)
  const frames = () =>
    peer.connection.history.filter(
      (each): each is DataFrame =>
        each.kind === 'data' && each.channel === channel && each.keyword === 'MSG' && each.msgno === msgno,
    )
  if (!(await peer.connection.until(() => frames().some(({ more }) => !more))))
    throw new Failure(`the refused MSG ${msgno} was not brought to its end`, 'timeout')
  const end = frames().find(({ more }) => !more)
  if (end === undefined) throw new Failure(`the target ended the connection (${peer.connection.ending})`)
  if (end.size > 0) throw new Failure(`the last frame of the refused MSG holds ${end.size} octets`)
  if (end.seqno !== received) throw new Failure(`the last frame has seqno ${end.seqno}; ${received} was due`)
  const how = await expectGoingOn(peer)
  const behind = frames().slice(frames().indexOf(end) + 1)
  if (behind.some(({ size }) => size === 0)) throw new Failure(`a second empty frame came for MSG ${msgno}`)
  return how
}

export const preemptive = section('rfc3080/2.6.3', 'Pre-emptive Replies', [
  must(
    'refused-before-its-end',
    {
      title: 'the request of the initiator is refused while most of it waits for window',
      judges: ['R3080-2.6.3-04', 'R3081-3.1.2-07', 'R3080-2.2.1.1-11'],
      quote: ENDS,
      sends: 'ERR to a MSG whose window is used up, and no credit',
      expects: 'one frame with . and no octets, although the window is closed; the session goes on',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await stalled(peer)
      peer.send(`ERR ${channel} ${msgno} .`, plain('no'))
      return expectEmptyEnd(peer, channel, msgno)
    },
  ),
  must(
    'refused-in-two-frames',
    {
      title: 'the refusal comes in two frames',
      judges: ['R3080-2.6.3-04'],
      quote: ENDS,
      sends: 'ERR with *, then its empty end',
      expects: 'one frame with . and no octets',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await stalled(peer)
      peer.send(`ERR ${channel} ${msgno} *`, plain('no'))
      peer.send(`ERR ${channel} ${msgno} .`)
      return expectEmptyEnd(peer, channel, msgno)
    },
  ),
  must(
    'refused-with-credit',
    {
      title: 'the refusal and more window come together',
      judges: ['R3080-2.6.3-04'],
      quote: 'having a zero-length payload',
      sends: 'in one write ERR, then a SEQ that opens the window',
      expects: 'what had not been sent is not sent any more: one frame with . and no octets',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno, edge } = await stalled(peer)
      const refusal = peer.frame(`ERR ${channel} ${msgno} .`, plain('no')).toString('latin1')
      peer.write(`${refusal}SEQ ${channel} ${edge} ${INITIAL_WINDOW}\r\n`)
      return expectEmptyEnd(peer, channel, msgno)
    },
  ),
  must.hold(
    'refused-anywhere',
    {
      title: 'a request that is refused at any point of it',
      judges: ['R3080-2.6.3-04', 'R3081-3.1.2-08'],
      quote: ENDS,
      sends: 'any credit, and ERR once it is used up',
      expects: 'one frame with . and no octets behind what was credited',
      of: 'initiator',
      samples: fc.integer({ min: 1, max: 2000 }),
    },
    async (peer, more) => {
      const { channel, msgno, edge } = await stalled(peer)
      await expectUpTo(peer, channel, edge, edge + more)
      const whole = peer.connection.heard.some((each) => each.kind === 'data' && each.channel === channel && !each.more)
      if (whole) throw new Unsupported('its message ends there')
      peer.send(`ERR ${channel} ${msgno} .`, plain('no'))
      return expectEmptyEnd(peer, channel, msgno)
    },
  ),
  must(
    'refused-after-its-end',
    {
      title: 'a request that is refused after it is whole',
      judges: ['R3080-2.6.3-06'],
      quote: 'before it sends the final "MSG" frame',
      sends: 'ERR to a whole MSG',
      expects: 'no further frame of it: that would be a new request',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await expectRequest(peer)
      peer.send(`ERR ${channel} ${msgno} .`, plain('no'))
      const how = await expectGoingOn(peer)
      const empty = peer.connection.heard.some(
        (each) => each.kind === 'data' && each.channel === channel && each.msgno === msgno && each.size === 0 && !each.more,
      )
      if (empty) throw new Failure(`an empty frame of MSG ${msgno} came, which was whole`)
      return how
    },
  ),
  should(
    'number-in-use-until-the-end',
    {
      title: 'the number of a refused request until its last frame is out',
      judges: ['R3080-2.6.3-07', 'R3080-2.2.1.1-06'],
      quote: '',
      sends: 'ERR to a MSG whose window is used up, then window',
      expects: 'the empty frame comes before any further MSG on the channel',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await stalled(peer)
      const { history } = peer.connection
      const before = history.length
      peer.send(`ERR ${channel} ${msgno} .`, plain('no'))
      peer.seq(channel, peer.received(channel), INITIAL_WINDOW)
      await expectGoingOn(peer)
      const next = history.slice(before).find((each) => each.kind === 'data' && each.channel === channel)
      if (next?.kind === 'data' && (next.msgno !== msgno || next.size > 0 || next.more))
        throw new Failure(`after the refusal ${next.keyword} ${next.channel} ${next.msgno} with ${next.size} octets came first`)
      return undefined
    },
  ),
  ...(
    [
      ['early-reply', 'a positive reply', (peer: Peer, head: string) => peer.send(`RPY ${head}`, plain('early'))],
      [
        'early-answer',
        'an answer and NUL',
        (peer: Peer, head: string) => peer.send(`ANS ${head}`, plain('early'), { ansno: 0 }).send(`NUL ${head}`),
      ],
      ['early-nul', 'NUL', (peer: Peer, head: string) => peer.send(`NUL ${head}`)],
    ] as const
  ).map(([slug, what, reply]) =>
    may(
      slug,
      {
        title: `${what} before the request is whole`,
        judges: ['R3080-2.6.3-05'],
        quote: 'may send a negative reply before it receives the final',
        sends: `${what} to a MSG whose window is used up, then window`,
        expects: 'the session ends, or goes on and the request is brought to its end',
        of: 'initiator',
      },
      async (peer) => {
        const { channel, msgno } = await stalled(peer)
        reply(peer, `${channel} ${msgno} .`)
        peer.credits = true
        peer.seq(channel, peer.received(channel), INITIAL_WINDOW)
        return goesOnOrEnds(peer)
      },
    ),
  ),
  may(
    'server-that-refuses-early',
    {
      title: 'whether the target refuses a request before it is whole',
      judges: ['R3080-2.6.3-01', 'R3080-2.6.3-02'],
      quote: 'obliged to ignore any subsequent "MSG" frames',
      sends: 'the first frame of a MSG whose entity headers make no sense, then the rest',
      expects: 'one reply, early or when all is there; what follows an early one is ignored',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 3 *`, 'no header, no colon\r\n\r\nfirst ')
      await peer.expectAlive()
      const early = peer.connection.heard.some((each) => each.kind === 'data' && each.channel === channel && !each.more)
      peer.send(`MSG ${channel} 3 *`, 'second ').send(`MSG ${channel} 3 .`, 'third')
      const { keyword } = await peer.reply(channel, 3)
      if (early && keyword !== 'ERR') throw new Failure(`${keyword} came before the request was whole`)
      await expectNoSecond(peer, channel, 3)
      return `${keyword} came ${early ? 'before the request was whole' : 'when the request was whole'}`
    },
  ),
  must.hold(
    'ignored-frames-count',
    {
      title: 'a request of many windows with entity headers without end',
      judges: ['R3080-2.6.3-02', 'R3080-2.6.3-03'],
      quote: 'up to and including the final "MSG" frame',
      sends: 'a MSG of up to ten windows that is one entity header line, and a good one behind it',
      expects: 'whether refused early, late or echoed, the window goes on and the good one is answered; or the session ends',
      of: 'listener',
      samples: fc.integer({ min: INITIAL_WINDOW, max: 10 * INITIAL_WINDOW }),
    },
    async (peer, size) => {
      const channel = await peer.channel()
      try {
        await peer.message(channel, 0, `X: ${'x'.repeat(size)}`)
      } catch (failure) {
        if (peer.connection.ending !== 'open') return 'it ends the session'
        throw failure
      }
      await peer.message(channel, 1, plain(pattern(10)))
      const told = () => peer.connection.heard.some((each) => each.kind === 'data' && each.channel === channel)
      await peer.connection.until(told)
      if (peer.connection.ending !== 'open' && !told()) return 'it ends the session'
      const { keyword } = await peer.reply(channel, 0)
      await peer.echoed(channel, 1, pattern(10))
      return `it answers ${keyword}`
    },
  ),
])

/** Nothing more came for a request that is answered. */
async function expectNoSecond(peer: Peer, channel: number, msgno: number): Promise<void> {
  await peer.expectAlive()
  const second = peer.connection.heard.find((each) => each.kind === 'data' && each.channel === channel && each.msgno === msgno)
  if (second?.kind === 'data') throw new Failure(`${second.keyword} came after the reply to MSG ${msgno}`)
}
