// Asynchrony within a single channel (RFC 3080 §2.6.1): pipelined requests, and the order of their replies.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { may, must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { finish, outstanding, pattern, stalled } from '../harness/flow.js'
import { expectRequest, pipelined, plain, writeInPieces } from '../harness/framing.js'
import { bodyOf, type Peer } from '../harness/peer.js'
import type { DataFrame } from '../harness/reader.js'

/** Every reply is whole before the next begins, in this order. */
function expectOrder(frames: readonly DataFrame[], msgnos: readonly number[]): void {
  const order = frames.map(({ msgno }) => msgno).filter((msgno, at, all) => at === 0 || all[at - 1] !== msgno)
  if (order.join() !== msgnos.join())
    throw new Failure(`the requests were ${msgnos.join(', ')}; the replies came as ${order.join(', ')}`)
}

/** Frames of replies on a channel until `count` of them are whole, in the order in which they came. */
async function replies(peer: Peer, channel: number, count: number): Promise<readonly DataFrame[]> {
  const frames: DataFrame[] = []
  for (let whole = 0; whole < count; ) {
    const frame = await peer.take((each) => each.channel === channel && each.keyword !== 'MSG', `${count} replies`)
    if (frame.keyword === 'ERR') throw new Failure(`MSG ${frame.msgno} was refused`)
    frames.push(frame)
    if (!frame.more && frame.keyword !== 'ANS') whole++
  }
  return frames
}

const ORDER = 'must generate replies in the same order'

const requests = [
  must(
    'three-hundred-requests',
    {
      title: 'three hundred requests in one write',
      judges: ['R3080-2.6.1-01', 'R3080-2.6.1-02', 'R3080-2.6.1-03'],
      quote: ORDER,
      sends: 'three hundred small MSGs, none of which waits for a reply',
      expects: 'three hundred RPYs, in that order',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      const msgnos = Array.from({ length: 300 }, (_, msgno) => msgno)
      peer.write(Buffer.concat(msgnos.map((msgno) => peer.frame(`MSG ${channel} ${msgno} .`, plain(String(msgno))))))
      const frames = await replies(peer, channel, msgnos.length)
      expectOrder(frames, msgnos)
      for (const msgno of msgnos) {
        const came = bodyOf(Buffer.concat(frames.filter((each) => each.msgno === msgno).map(({ payload }) => payload)))
        if (came.toString() !== String(msgno)) throw new Failure(`the reply to MSG ${msgno} is ${came}`)
      }
      return undefined
    },
  ),
  must.hold(
    'replies-in-order',
    {
      title: 'any few requests, short and long',
      judges: ['R3080-2.6.1-02', 'R3080-2.6.1-03', 'R3080-2.5.2-01'],
      quote: ORDER,
      sends: 'MSGs of any sizes without waiting for replies',
      expects: 'the RPYs in the order of the requests, each whole before the next',
      of: 'listener',
      samples: fc.array(fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 3000 })), { minLength: 2, maxLength: 8 }),
    },
    async (peer, sizes) => {
      const channel = await peer.channel()
      const frames = await pipelined(peer, channel, sizes.map(pattern))
      expectOrder(
        frames,
        sizes.map((_, msgno) => msgno),
      )
      return undefined
    },
  ),
  must.hold(
    'order-of-arrival',
    {
      title: 'the order is that of arrival, not that of the message numbers',
      judges: ['R3080-2.6.1-02', 'R3080-2.6.1-03'],
      quote: 'in the same order as the corresponding "MSG" messages are received',
      sends: 'a few MSGs with any message numbers, all different, in one write',
      expects: 'the RPYs in the order of the requests',
      of: 'listener',
      samples: fc.uniqueArray(fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: MAX_NUMBER })), { minLength: 2, maxLength: 12 }),
    },
    async (peer, msgnos) => {
      const channel = await peer.channel()
      peer.write(Buffer.concat(msgnos.map((msgno) => peer.frame(`MSG ${channel} ${msgno} .`, plain(`no ${msgno}`)))))
      expectOrder(await replies(peer, channel, msgnos.length), msgnos)
      return undefined
    },
  ),
  must.hold(
    'requests-in-frames-and-pieces',
    {
      title: 'requests of several frames, and the octets in any pieces',
      judges: ['R3080-2.6.1-02', 'R3080-2.6.1-03', 'R3081-3-01'],
      quote: ORDER,
      sends: 'five MSGs of three frames each, in pieces of any lengths',
      expects: 'the RPYs in the order of the requests',
      of: 'listener',
      samples: fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 5 }),
    },
    async (peer, lengths) => {
      const channel = await peer.channel()
      const octets = [0, 1, 2, 3, 4].flatMap((msgno) => [
        peer.frame(`MSG ${channel} ${msgno} *`, '\r\none'),
        peer.frame(`MSG ${channel} ${msgno} *`, ' and two'),
        peer.frame(`MSG ${channel} ${msgno} .`, ' and three'),
      ])
      await writeInPieces(peer, Buffer.concat(octets), lengths)
      expectOrder(await replies(peer, channel, 5), [0, 1, 2, 3, 4])
      return undefined
    },
  ),
  must(
    'small-behind-large',
    {
      title: 'a small request behind a large one whose reply is held up by the window',
      judges: ['R3080-2.6.1-03', 'R3080-2.2.1.1-18'],
      quote: ORDER,
      sends: 'a MSG of two windows without crediting its reply, then a small one; later the credit',
      expects: 'no octet of the second reply before the first is whole',
      of: 'listener',
    },
    async (peer) => {
      const held = await stalled(peer)
      peer.send(`MSG ${held.channel} 1 .`, plain('small'))
      await peer.expectAlive()
      const early = peer.connection.heard.some(
        (each) => each.kind === 'data' && each.channel === held.channel && each.msgno === 1,
      )
      if (early) throw new Failure('the reply to the second request began before the first reply was whole')
      await finish(peer, held)
      await peer.echoed(held.channel, 1, 'small')
      return undefined
    },
  ),
  may(
    'client-that-pipelines',
    {
      title: 'whether the initiator sends a second request before the first is answered',
      judges: ['R3080-2.6.1-01', 'R3080-2.2.1.1-06'],
      quote: 'may send multiple "MSG" messages on the same channel',
      sends: 'no reply to the first MSG, until all that the target says without it has come',
      expects: 'message numbers that all differ',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await expectRequest(peer)
      await peer.expectAlive()
      const more = outstanding(peer, channel)
      if (new Set([msgno, ...more]).size !== more.length + 1)
        throw new Failure(`of MSG ${[msgno, ...more].join(', ')} none is answered, and two have the same number`)
      return more.length === 0 ? 'it waits for each reply' : `it has ${more.length + 1} requests outstanding`
    },
  ),
]

const overtaking = may(
  'reply-that-overtakes',
  {
    title: 'the second of two requests is answered first',
    judges: ['R3080-2.6.1-05'],
    quote: ORDER,
    sends: 'RPY to the second outstanding MSG, then to the first',
    expects: 'the session ends without an answer, or both replies are taken',
    of: 'initiator',
  },
  async (peer) => {
    const { channel, msgno } = await expectRequest(peer)
    await peer.expectAlive()
    const [second] = outstanding(peer, channel)
    if (second === undefined) throw new Unsupported('it waits for each reply before it sends the next request')
    peer.send(`RPY ${channel} ${second} .`, plain('second'))
    peer.send(`RPY ${channel} ${msgno} .`, plain('first'))
    const question = peer.next()
    peer.manage(`MSG ${question}`, `<start number='${peer.number()}'><profile uri='http://example.org/none' /></start>`)
    await peer.connection.until(() =>
      peer.connection.heard.some((each) => each.kind === 'data' && each.channel === 0 && each.msgno === question),
    )
    return peer.connection.ending === 'open' ? 'it takes both replies' : 'it ends the session'
  },
)

export const pipelining = section('rfc3080/2.6.1', 'Within a Single Channel', [...requests, overtaking])
