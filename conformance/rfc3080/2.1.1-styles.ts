// The styles of exchange as a client meets them (RFC 3080 §2.1.1): every style is a lawful reply to every request.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { Unsupported } from '../harness/failure.js'
import { expectGoingOn, expectRequest, plain } from '../harness/framing.js'
import { isData } from '../harness/management.js'
import type { Peer, Wrong } from '../harness/peer.js'

/** Frames of a reply: keyword and continuation indicator, payload, answer number. */
type Frames = readonly (readonly [head: string, payload: string, wrong?: Wrong])[]

const STYLES: Readonly<Record<string, Frames>> = {
  'a positive reply': [['RPY .', '\r\nyes']],
  'a positive reply of three frames, one of them empty': [
    ['RPY *', '\r\ny'],
    ['RPY *', ''],
    ['RPY .', 'es'],
  ],
  'a negative reply': [['ERR .', '\r\nno']],
  'a negative reply of three frames, the last empty': [
    ['ERR *', '\r\n'],
    ['ERR *', 'no'],
    ['ERR .', ''],
  ],
  'no answer': [['NUL .', '']],
  'one answer': [
    ['ANS .', '\r\none', { ansno: 0 }],
    ['NUL .', ''],
  ],
  'two answers, the second begun last and ended first': [
    ['ANS *', '\r\none', { ansno: 2_147_483_647 }],
    ['ANS .', '\r\ntwo', { ansno: 5 }],
    ['ANS .', '', { ansno: 2_147_483_647 }],
    ['NUL .', ''],
  ],
}

/** Writes a reply in one piece. */
function give(peer: Peer, channel: number, msgno: number, frames: Frames): void {
  const octets = frames.map(([head, payload, wrong]) => {
    const [keyword, more] = head.split(' ')
    return peer.frame(`${keyword} ${channel} ${msgno} ${more}`, payload, wrong)
  })
  peer.write(Buffer.concat(octets))
}

export const clientStyles = section('rfc3080/2.1.1', 'Exchange Styles', [
  ...(
    [
      ['refused', 'a negative reply'],
      ['refused-in-frames', 'a negative reply of three frames, the last empty'],
      ['replied-in-frames', 'a positive reply of three frames, one of them empty'],
      ['answers-that-overlap', 'two answers, the second begun last and ended first'],
    ] as const
  ).map(([slug, style]) =>
    must(
      slug,
      {
        title: `${style} to a request of the target`,
        judges: ['R3080-2.1.1-01', 'R3080-2.1.1-02', 'R3080-2.1.1-03'],
        quote: 'BEEP allows three styles of exchange',
        sends: style,
        expects: 'the session goes on, or the target closes the channel in good order',
        of: 'initiator',
      },
      async (peer) => {
        const { channel, msgno } = await expectRequest(peer)
        give(peer, channel, msgno, STYLES[style]!)
        return expectGoingOn(peer)
      },
    ),
  ),
  must.hold(
    'styles-in-turn',
    {
      title: 'the requests of the target are each replied to in any style',
      judges: ['R3080-2.1.1-01', 'R3080-2.1.1-02', 'R3080-2.1.1-03', 'R3080-2.6.1-04'],
      quote: 'BEEP allows three styles of exchange',
      sends: 'replies of any styles to one request after the other',
      expects: 'the session goes on, or the target closes the channel in good order',
      of: 'initiator',
      samples: fc.array(fc.constantFrom(...Object.keys(STYLES)), { minLength: 2, maxLength: 5 }),
    },
    async (peer, styles) => {
      const channel = await peer.channel()
      let given = 0
      for (const style of styles) {
        const { heard } = peer.connection
        const asks = () => heard.some((each) => isData(each) && each.keyword === 'MSG' && each.channel === channel && !each.more)
        const closes = () => heard.some((each) => isData(each) && each.keyword === 'MSG' && each.channel === 0)
        await peer.connection.until(() => asks() || closes())
        if (!asks()) break
        const { msgno } = await peer.asked(channel)
        give(peer, channel, msgno, STYLES[style]!)
        given++
      }
      if (given === 0) throw new Unsupported('it sends no request')
      return expectGoingOn(peer)
    },
  ),
  must(
    'reply-inside-an-answer',
    {
      title: 'a positive reply while an answer is unfinished',
      judges: ['R3080-2.1.1-04', 'R3080-2.2.1.1-28'],
      quote: 'the session is terminated without generating a response',
      sends: 'ANS with *, then RPY, for one request',
      expects: 'the session ends without an answer',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await expectRequest(peer)
      const answer = peer.frame(`ANS ${channel} ${msgno} *`, plain('one'), { ansno: 0 })
      peer.write(Buffer.concat([answer, peer.frame(`RPY ${channel} ${msgno} .`, 'two')]))
      return peer.expectTermination()
    },
  ),
])
