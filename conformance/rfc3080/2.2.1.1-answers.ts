// One-to-many replies that an initiator has to take, whatever the order of their frames and numbers (RFC 3080 §2.2.1.1).
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { type Draft, must } from '../harness/case.js'
import { expectGoingOn, expectRequest } from '../harness/framing.js'
import type { Peer } from '../harness/peer.js'

/** A frame of a reply: `RPY *`, `ANS . 3`, with its payload; `other` is about another message number than the one that is asked about. */
export type Step = readonly [head: string, payload: string, other?: 'other']

/** Sends frames as replies to a request. */
export function reply(peer: Peer, channel: number, msgno: number, steps: readonly Step[]): void {
  for (const [head, payload, other] of steps) {
    const [keyword, more, ansno] = head.split(' ')
    const number = other === undefined ? msgno : (msgno + 1000) % MAX_NUMBER
    peer.send(`${keyword} ${channel} ${number} ${more}`, payload, ansno === undefined ? {} : { ansno: Number(ansno) })
  }
}

/** The numbers of answers that are unfinished behind these frames. */
function unfinished(frames: readonly { readonly ansno: number; readonly last: boolean }[]): Set<number> {
  const open = new Set<number>()
  for (const { ansno, last } of frames)
    if (last) open.delete(ansno)
    else open.add(ansno)
  return open
}

export const answers: readonly Draft[] = [
  must.hold(
    'any-answers-interleaved',
    {
      title: 'any answers, their frames in any order',
      judges: ['R3080-2.2.1.1-20', 'R3080-2.2.1.1-21'],
      quote: 'frames for "ANS" messages may be interleaved on the same channel',
      sends: 'a few answers cut into frames, interleaved in any way, then NUL',
      expects: 'the session goes on, or the channel is closed in good order',
      of: 'initiator',
      samples: fc.array(fc.nat({ max: 3 }), { maxLength: 12 }),
    },
    async (peer, order) => {
      const { channel, msgno } = await expectRequest(peer)
      const answers = [...new Set(order)]
      reply(peer, channel, msgno, [
        ...order.map((ansno): Step => [`ANS * ${ansno}`, '\r\na']),
        ...answers.map((ansno): Step => [`ANS . ${ansno}`, '']),
        ['NUL .', ''],
      ])
      return expectGoingOn(peer)
    },
  ),
  must.hold(
    'answers-with-numbers-again',
    {
      title: 'answers whose numbers are used again while others are unfinished',
      judges: ['R3080-2.2.1.1-17', 'R3080-2.2.1.1-20', 'R3080-2.2.1.1-21'],
      quote: 'a different value than all other answers in progress',
      sends: 'frames of answers with three numbers in any order, each number anew as soon as its answer is whole, then NUL',
      expects: 'the session goes on, or the channel is closed in good order',
      of: 'initiator',
      samples: fc.array(fc.record({ ansno: fc.nat({ max: 2 }), last: fc.boolean() }), { minLength: 3, maxLength: 14 }),
    },
    async (peer, frames) => {
      const { channel, msgno } = await expectRequest(peer)
      reply(peer, channel, msgno, [
        ...frames.map(({ ansno, last }, at): Step => {
          const begins = !unfinished(frames.slice(0, at)).has(ansno)
          return [`ANS ${last ? '.' : '*'} ${ansno}`, begins ? '\r\na' : 'b']
        }),
        ...[...unfinished(frames)].map((ansno): Step => [`ANS . ${ansno}`, '']),
        ['NUL .', ''],
      ])
      return expectGoingOn(peer)
    },
  ),
]
