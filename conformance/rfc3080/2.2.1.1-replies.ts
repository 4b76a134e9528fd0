// Which replies an initiator has to take to its request, and which it must not (RFC 3080 §2.2.1.1).
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { type Draft, must, section, should } from '../harness/case.js'
import { expectGoingOn, expectRequest, expectTaken, plain } from '../harness/framing.js'
import { bodyOf } from '../harness/peer.js'
import { answers, reply, type Step } from './2.2.1.1-answers.js'

const COMPLETE = 'for which a reply has already been completely received'
const NOT_IDENTICAL = 'immediately-previous received frame for this message number are not identical'
const INTERMEDIATE = 'the previous frame received on the same channel was intermediate'
const NUL = 'if the header starts with "NUL", and the continuation indicator is intermediate'
const COLLATION = 'the answer number is used for collation'

type Row = readonly [slug: string, what: string, steps: readonly Step[], judges: readonly string[], quote: string]

/** The last frame of each is the one that is poorly-formed. */
const WRONG: readonly Row[] = [
  [
    'rpy-then-err',
    'RPY, then ERR',
    [
      ['RPY *', '\r\na'],
      ['ERR .', 'b'],
    ],
    ['R3080-2.2.1.1-28'],
    NOT_IDENTICAL,
  ],
  [
    'rpy-then-ans',
    'RPY, then ANS',
    [
      ['RPY *', '\r\na'],
      ['ANS . 0', 'b'],
    ],
    ['R3080-2.2.1.1-28'],
    NOT_IDENTICAL,
  ],
  [
    'err-then-rpy',
    'ERR, then RPY',
    [
      ['ERR *', '\r\na'],
      ['RPY .', 'b'],
    ],
    ['R3080-2.2.1.1-28'],
    NOT_IDENTICAL,
  ],
  [
    'ans-then-rpy',
    'a whole answer, then RPY',
    [
      ['ANS . 0', '\r\na'],
      ['RPY .', '\r\nb'],
    ],
    ['R3080-2.2.1.1-28', 'R3080-2.1.1-04'],
    NOT_IDENTICAL,
  ],
  [
    'ans-then-err',
    'a whole answer, then ERR',
    [
      ['ANS . 0', '\r\na'],
      ['ERR .', '\r\nb'],
    ],
    ['R3080-2.2.1.1-28', 'R3080-2.1.1-04'],
    NOT_IDENTICAL,
  ],
  [
    'rpy-then-nul',
    'RPY with *, then NUL',
    [
      ['RPY *', '\r\na'],
      ['NUL .', ''],
    ],
    ['R3080-2.2.1.1-29'],
    'the keyword of of the immediately-previous received frame for this reply isn\'t "ANS"',
  ],
  [
    'err-then-nul',
    'ERR with *, then NUL',
    [
      ['ERR *', '\r\na'],
      ['NUL .', ''],
    ],
    ['R3080-2.2.1.1-29'],
    'the keyword of of the immediately-previous received frame for this reply isn\'t "ANS"',
  ],
  ['nul-intermediate', 'NUL with *', [['NUL *', '']], ['R3080-2.2.1.1-32'], NUL],
  ['nul-with-payload', 'NUL with a payload', [['NUL .', 'hi']], ['R3080-2.2.1.1-32'], 'or the payload size is non-zero'],
  ['nul-with-empty-line', 'NUL with an empty line', [['NUL .', '\r\n']], ['R3080-2.2.1.1-32'], 'or the payload size is non-zero'],
  [
    'rpy-then-other',
    'RPY with *, then a RPY of another number',
    [
      ['RPY *', '\r\na'],
      ['RPY .', 'b', 'other'],
    ],
    ['R3080-2.2.1.1-30'],
    INTERMEDIATE,
  ],
  [
    'ans-then-other',
    'ANS with *, then an ANS of another number',
    [
      ['ANS * 0', '\r\na'],
      ['ANS . 0', 'b', 'other'],
    ],
    ['R3080-2.2.1.1-30'],
    INTERMEDIATE,
  ],
]

/** Complete replies: what comes behind one is poorly-formed. */
const COMPLETE_REPLIES: readonly (readonly [slug: string, steps: readonly Step[]])[] = [
  ['rpy', [['RPY .', '\r\na']]],
  ['err', [['ERR .', '\r\na']]],
  [
    'nul',
    [
      ['ANS . 0', '\r\na'],
      ['NUL .', ''],
    ],
  ],
]

const wrong: readonly Draft[] = WRONG.map(([slug, what, steps, judges, quote]) =>
  must(
    slug,
    {
      title: `a reply of ${what}`,
      judges: [...judges, 'R3080-2.2.1.1-33'],
      quote,
      sends: `${what}, to a request of the target`,
      expects: 'the session ends without an answer',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await expectRequest(peer)
      reply(peer, channel, msgno, steps)
      return peer.expectTermination()
    },
  ),
)

const again: readonly Draft[] = COMPLETE_REPLIES.map(([slug, steps]) =>
  must.hold(
    `after-${slug}`,
    {
      title: `a second reply after a whole ${slug.toUpperCase()}`,
      judges: ['R3080-2.2.1.1-26', 'R3080-2.1.1-04'],
      quote: COMPLETE,
      sends: 'the whole reply and a frame of any keyword behind it, in one piece',
      expects: 'the session ends without an answer',
      of: 'initiator',
      samples: fc.constantFrom('RPY .', 'ERR .', 'ANS . 1', 'NUL .', 'RPY *', 'ANS * 0'),
    },
    async (peer, head) => {
      const { channel, msgno } = await expectRequest(peer)
      reply(peer, channel, msgno, [...steps, [head, head.startsWith('NUL') ? '' : '\r\nb']])
      return peer.expectTermination()
    },
  ),
)

/** Lawful one-to-many replies. */
const LAWFUL: readonly Row[] = [
  [
    'ansno-again',
    'two answers with one answer number, one after the other',
    [
      ['ANS . 0', '\r\na'],
      ['ANS . 0', '\r\nb'],
      ['NUL .', ''],
    ],
    ['R3080-2.2.1.1-17'],
    'a different value than all other answers in progress',
  ],
  [
    'answers-interleaved',
    'two answers whose frames alternate',
    [
      ['ANS * 0', '\r\na'],
      ['ANS * 1', '\r\nb'],
      ['ANS . 0', 'A'],
      ['ANS . 1', 'B'],
      ['NUL .', ''],
    ],
    ['R3080-2.2.1.1-20', 'R3080-2.2.1.1-21'],
    COLLATION,
  ],
  ['nul-alone', 'NUL alone', [['NUL .', '']], ['R3080-2.2.1.1-36', 'R3080-2.1.1-03'], 'replies with zero or more "ANS" messages'],
  [
    'empty-answer',
    'an answer that ends in an empty frame',
    [
      ['ANS * 0', '\r\na'],
      ['ANS . 0', ''],
      ['NUL .', ''],
    ],
    ['R3080-2.2.1.1-14'],
    'Note that a frame may have an empty payload',
  ],
]

const lawful: readonly Draft[] = LAWFUL.map(([slug, what, steps, judges, quote]) =>
  must(
    slug,
    {
      title: `a reply of ${what}`,
      judges,
      quote,
      sends: `${what}, to a request of the target`,
      expects: 'the session goes on, or the channel is closed in good order',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await expectRequest(peer)
      reply(peer, channel, msgno, steps)
      return expectGoingOn(peer)
    },
  ),
)

export const replies = section('rfc3080/2.2.1.1', 'Frame Header', [
  ...wrong,
  ...again,
  ...lawful,
  ...answers,
  must.hold(
    'answer-seqno',
    {
      title: 'an answer with a seqno of its own',
      judges: ['R3080-2.2.1.1-21', 'R3080-2.2.1.1-31'],
      quote: 'the sequence number is advanced for each frame sent on the channel',
      sends: 'a frame of answer 0, then one of answer 1 with another seqno than is due',
      expects: 'the session ends without an answer',
      of: 'initiator',
      samples: fc.nat({ max: 10 }).filter((seqno) => seqno !== 3),
    },
    async (peer, seqno) => {
      const { channel, msgno } = await expectRequest(peer)
      peer.send(`ANS ${channel} ${msgno} *`, '\r\na', { ansno: 0 })
      peer.send(`ANS ${channel} ${msgno} *`, '\r\nb', { ansno: 1, seqno })
      return peer.expectTermination()
    },
  ),
  should.hold(
    'nul-before-answer-is-whole',
    {
      title: 'NUL while an answer is unfinished',
      judges: ['R3080-2.2.1.1-37'],
      quote: 'intermediate ("*"): at least one other frame follows for the message',
      sends: 'the beginning of answer 0, any whole answers, then NUL',
      expects: 'the session ends without an answer',
      of: 'initiator',
      samples: fc.nat({ max: 4 }),
    },
    async (peer, others) => {
      const { channel, msgno } = await expectRequest(peer)
      const whole = Array.from({ length: others }, (_, at): Step => [`ANS . ${at + 1}`, '\r\nb'])
      reply(peer, channel, msgno, [['ANS * 0', '\r\na'], ...whole, ['NUL .', '']])
      return peer.expectTermination()
    },
  ),
  must(
    'msg-between-answers',
    {
      title: 'a MSG of ours between two whole answers',
      judges: ['R3080-2.2.1.1-38'],
      quote: 'without any intervening frames from other messages on the same channel',
      sends: 'an answer, a MSG, an answer, NUL',
      expects: 'the session goes on, or the channel is closed in good order',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await expectRequest(peer)
      reply(peer, channel, msgno, [['ANS . 0', '\r\na']])
      peer.send(`MSG ${channel} 7 .`, '\r\nhello')
      reply(peer, channel, msgno, [
        ['ANS . 1', '\r\nb'],
        ['NUL .', ''],
      ])
      return expectGoingOn(peer)
    },
  ),
  must(
    'msg-of-the-same-number',
    {
      title: 'a MSG of ours with the number of the request that we reply to',
      judges: ['R3080-2.2.1.1-35'],
      quote: NOT_IDENTICAL,
      sends: 'MSG with the number of the target’s own request, then the reply to that',
      expects: 'both are taken: numbers belong to a direction',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      peer.send(`MSG ${channel} ${msgno} .`, '\r\nhello')
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      return expectTaken(peer, channel, msgno, 'hello')
    },
  ),
  must.hold(
    'reply-in-frames',
    {
      title: 'a reply in frames of any lengths',
      judges: ['R3080-2.2.1.1-10', 'R3080-2.2.1.1-14', 'R3080-2.2.1.1-15'],
      quote: 'When a message is segmented and sent as several frames',
      sends: 'the request back, cut into frames at any places, some of them empty, the last too',
      expects: 'the session goes on, or the channel is closed in good order',
      of: 'initiator',
      samples: fc.array(fc.nat({ max: 5 }), { maxLength: 8 }),
    },
    async (peer, lengths) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      let at = 0
      for (const length of lengths) {
        peer.send(`RPY ${channel} ${msgno} *`, payload.subarray(at, at + length))
        at += length
      }
      await peer.message(channel, msgno, payload.subarray(at), undefined, 'RPY')
      return expectGoingOn(peer)
    },
  ),
  must.hold(
    'reply-to-another',
    {
      title: 'a reply to any number that the target did not send',
      judges: ['R3080-2.2.1.1-27'],
      quote: 'refers to a message number that has never been sent',
      sends: 'RPY of any other number than that of the request',
      expects: 'the session ends without an answer',
      of: 'initiator',
      samples: fc.integer({ min: 1000, max: MAX_NUMBER - 1000 }),
    },
    async (peer, more) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      peer.send(`RPY ${channel} ${(msgno + more) % MAX_NUMBER} .`, Buffer.concat([plain(bodyOf(payload).subarray(0, 20))]))
      return peer.expectTermination()
    },
  ),
  must(
    'reply-on-another-channel',
    {
      title: 'a reply on channel 0 to a request of another channel',
      judges: ['R3080-2.2.1.1-27', 'R3080-2.2.1.1-26'],
      quote: 'refers to a message number that has never been sent',
      sends: 'the reply that is due on the channel, on channel 0',
      expects: 'the session ends without an answer',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno } = await expectRequest(peer)
      peer.manage(`RPY ${msgno}`, '<ok />')
      return peer.expectTermination()
    },
  ),
])
