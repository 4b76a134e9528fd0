// Which MSG may come when (RFC 3080 §2.2.1.1): numbers of messages, messages in several frames, channels, replies that nobody asked for.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { type Draft, must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectTaken, plain } from '../harness/framing.js'
import { BEEP_XML, NOWHERE, type Peer } from '../harness/peer.js'

const INTERMEDIATE = 'the previous frame received on the same channel was intermediate'
const NEVER_SENT = 'refers to a message number that has never been sent'
const NOT_IDENTICAL = 'immediately-previous received frame for this message number are not identical'
const NO_CHANNEL = "the value of the channel number doesn't refer to an existing channel"
const INTERLEAVED = 'no restriction is made with respect to the interleaving of frames'

/** What may not follow the first frame of MSG 0. */
const AFTER: readonly (readonly [slug: string, what: string, head: string, judges: readonly string[], quote: string])[] = [
  ['then-other-msg', 'another MSG', 'MSG {c} 1 .', ['R3080-2.2.1.1-30'], INTERMEDIATE],
  ['then-other-rpy', 'a RPY of another number', 'RPY {c} 1 .', ['R3080-2.2.1.1-30'], INTERMEDIATE],
  ['then-rpy', 'a RPY of the same number', 'RPY {c} 0 .', ['R3080-2.2.1.1-28', 'R3080-2.2.1.1-27'], NOT_IDENTICAL],
  ['then-err', 'an ERR of the same number', 'ERR {c} 0 .', ['R3080-2.2.1.1-28', 'R3080-2.2.1.1-27'], NOT_IDENTICAL],
]

const after: readonly Draft[] = AFTER.map(([slug, what, head, judges, quote]) =>
  must(
    slug,
    {
      title: `${what} inside a message`,
      judges: [...judges, 'R3080-2.2.1.1-33'],
      quote,
      sends: `MSG c 0 *, then ${head.replace('{c}', 'c')}`,
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, '\r\nhel')
      peer.send(head.replace('{c}', String(channel)), 'lo')
      return peer.expectTermination()
    },
  ),
)

/** Has a reply that cannot be finished, since no window is opened for it. */
async function unfinished(peer: Peer): Promise<number> {
  const channel = await peer.channel()
  peer.credits = false
  await peer.message(channel, 0, plain('x'.repeat(6000)))
  const { keyword, more } = await peer.take(
    (frame) => frame.keyword !== 'MSG' && frame.channel === channel,
    'the beginning of the reply',
  )
  if (keyword !== 'RPY' || !more) throw new Unsupported(`the target answers 6000 octets with one ${keyword}`)
  return channel
}

/** Frames of two messages, each of its own channel, in any order. */
const orders = fc.array(fc.boolean(), { minLength: 2, maxLength: 16 })

export const requests = section('rfc3080/2.2.1.1', 'Frame Header', [
  ...after,
  must.hold(
    'then-any-number',
    {
      title: 'any other message number inside a message',
      judges: ['R3080-2.2.1.1-30'],
      quote: INTERMEDIATE,
      sends: 'MSG with *, then a frame of any keyword and number',
      expects: 'the session ends without an answer',
      samples: fc
        .record({
          keyword: fc.constantFrom('MSG', 'RPY', 'ERR', 'NUL'),
          first: fc.nat({ max: MAX_NUMBER }),
          second: fc.oneof(fc.nat({ max: 10 }), fc.nat({ max: MAX_NUMBER })),
        })
        .filter(({ first, second }) => first !== second),
    },
    async (peer, { keyword, first, second }) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} ${first} *`, '\r\nhel')
      peer.send(`${keyword} ${channel} ${second} .`, keyword === 'NUL' ? '' : 'lo')
      return peer.expectTermination()
    },
  ),
  must(
    'msgno-in-use',
    {
      title: 'a second MSG of a number whose reply is not complete',
      judges: ['R3080-2.2.1.1-25'],
      quote: 'completely received but for which a reply has not been completely sent',
      sends: 'MSG 0 of 6000 octets with no window for its reply, then MSG 0 again',
      expects: 'the session ends without an answer to the second',
      of: 'listener',
    },
    async (peer) => {
      const channel = await unfinished(peer)
      peer.send(`MSG ${channel} 0 .`, '\r\nhello')
      return peer.expectTermination([`RPY ${channel} 0`])
    },
  ),
  must.hold(
    'msgno-in-use-of-many',
    {
      title: 'any number in use while several are',
      judges: ['R3080-2.2.1.1-25'],
      quote: 'completely received but for which a reply has not been completely sent',
      sends: 'MSG 0 with no window for its reply, MSGs 1 to 5 behind it, and one of the six again',
      expects: 'the session ends without an answer',
      of: 'listener',
      samples: fc.nat({ max: 5 }),
    },
    async (peer, again) => {
      const channel = await unfinished(peer)
      for (let msgno = 1; msgno <= 5; msgno++) await peer.message(channel, msgno, plain('hello'))
      peer.send(`MSG ${channel} ${again} .`, '\r\nhello')
      return peer.expectTermination([`RPY ${channel} 0`])
    },
  ),
  must(
    'msgno-again',
    {
      title: 'a number is used again when its reply is complete',
      judges: ['R3080-2.2.1.1-07'],
      quote: 'for which a reply has not been completely received',
      sends: 'MSG 0 three times, each when the one before is answered',
      expects: 'each body comes back',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      for (const body of ['a', 'b', 'c']) await peer.echo(channel, 0, body)
      return undefined
    },
  ),
  must.hold(
    'msgno-any',
    {
      title: 'any message numbers in any order',
      judges: ['R3080-2.2.1.1-08', 'R3080-2.2.1.1-05'],
      quote: 'must be a non-negative integer (in the range 0..2147483647)',
      sends: 'a few messages with any numbers that differ, without waiting for replies',
      expects: 'each comes back under its number',
      of: 'listener',
      samples: fc.uniqueArray(fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: MAX_NUMBER })), { minLength: 1, maxLength: 6 }),
    },
    async (peer, numbers) => {
      const channel = await peer.channel()
      for (const msgno of numbers) await peer.message(channel, msgno, plain(`number ${msgno}`))
      for (const msgno of numbers) await peer.echoed(channel, msgno, `number ${msgno}`)
      return undefined
    },
  ),
  must(
    'incomplete',
    {
      title: 'a message whose last frame is missing',
      judges: ['R3080-2.2.1.1-09'],
      quote: 'intermediate ("*"): at least one other frame follows for the message',
      sends: 'MSG with *, then a start on channel 0, then the rest',
      expects: 'no whole positive reply before the rest is there; then the body comes back',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, '\r\nhel')
      await peer.expectAlive()
      const early = peer.connection.heard.find((heard) => heard.kind === 'data' && heard.channel === channel && !heard.more)
      if (early?.kind === 'data' && early.keyword === 'ERR') return 'refused before it was complete (§2.6.3)'
      if (early?.kind === 'data') throw new Failure(`${early.keyword} came before the message was complete`)
      peer.send(`MSG ${channel} 0 .`, 'lo')
      await peer.echoed(channel, 0, 'hello')
      return undefined
    },
  ),
  must(
    'three-frames',
    {
      title: 'a message of three frames',
      judges: ['R3080-2.2.1.1-09', 'R3080-2.2.1.1-10'],
      quote: 'complete ("."): this frame completes the message',
      sends: 'MSG with *, with *, with .',
      expects: 'one body comes back',
    },
    async (peer) => {
      const channel = await peer.channel()
      for (const [more, piece] of [
        ['*', '\r\nab'],
        ['*', 'cd'],
        ['.', 'ef'],
      ] as const)
        peer.send(`MSG ${channel} 0 ${more}`, piece)
      return expectTaken(peer, channel, 0, 'abcdef')
    },
  ),
  must.hold(
    'frames-any',
    {
      title: 'a message in frames of any lengths',
      judges: ['R3080-2.2.1.1-10', 'R3080-2.2.1.1-18'],
      quote: 'When a message is segmented and sent as several frames',
      sends: 'a message cut into frames at any places',
      expects: 'one body comes back',
      samples: fc.record({ body: fc.uint8Array({ maxLength: 400 }), cut: fc.integer({ min: 1, max: 100 }) }),
    },
    async (peer, { body, cut }) => {
      const channel = await peer.channel()
      await peer.message(channel, 0, plain(body), cut)
      return expectTaken(peer, channel, 0, body)
    },
  ),
  must.hold(
    'interleaved-channels',
    {
      title: 'frames of two channels in any order',
      judges: ['R3080-2.2.1.1-19', 'R3080-2.2.1.2-01'],
      quote: INTERLEAVED,
      sends: 'two messages on two channels, their frames in any order',
      expects: 'both bodies come back',
      of: 'listener',
      samples: orders,
    },
    async (peer, order) => {
      const [one, two] = [await peer.channel(), await peer.channel()]
      const bodies = new Map([
        [one, ''],
        [two, ''],
      ])
      for (const channel of [one, two]) peer.send(`MSG ${channel} 0 *`, '\r\n')
      for (const [at, first] of order.entries()) {
        const channel = first ? one : two
        bodies.set(channel, `${bodies.get(channel)}${at},`)
        peer.send(`MSG ${channel} 0 *`, `${at},`)
      }
      for (const channel of [one, two]) peer.send(`MSG ${channel} 0 .`)
      for (const channel of [two, one]) await peer.echoed(channel, 0, bodies.get(channel)!)
      return undefined
    },
  ),
  must.hold(
    'interleaved-with-channel-0',
    {
      title: 'frames of a start between those of a message, in any order',
      judges: ['R3080-2.2.1.1-19'],
      quote: INTERLEAVED,
      sends: 'a message, and a start that is cut into frames, their frames in any order',
      expects: 'the start is answered, and the body comes back',
      samples: orders,
    },
    async (peer, order) => {
      const channel = await peer.channel()
      const msgno = peer.next()
      const start = Buffer.from(`${BEEP_XML}<start number='${peer.number()}'><profile uri='${NOWHERE}' /></start>`)
      let at = 0
      let body = ''
      peer.send(`MSG ${channel} 0 *`, '\r\n')
      for (const first of order) {
        if (first) {
          peer.send(`MSG ${channel} 0 *`, 'ab')
          body += 'ab'
        } else {
          peer.send(`MSG 0 ${msgno} *`, start.subarray(at, at + 7))
          at += 7
        }
      }
      peer.send(`MSG 0 ${msgno} .`, start.subarray(at))
      peer.send(`MSG ${channel} 0 .`)
      peer.expectError(await peer.answer(msgno))
      return expectTaken(peer, channel, 0, body)
    },
  ),
  must(
    'channel-closed',
    {
      title: 'a message on a channel that was closed',
      judges: ['R3080-2.2.1.1-24'],
      quote: NO_CHANNEL,
      sends: 'a start, a close, and a MSG on the channel',
      expects: 'the session ends without an answer',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      const { keyword, element } = await peer.ask(`<close number='${channel}' code='200' />`)
      if (keyword === 'ERR') throw new Unsupported(`the target does not close the channel (${element.attributes.code})`)
      peer.send(`MSG ${channel} 0 .`, '\r\nhello')
      return peer.expectTermination()
    },
  ),
  must.hold(
    'reply-never-asked',
    {
      title: 'a reply to a message that was never sent',
      judges: ['R3080-2.2.1.1-27'],
      quote: NEVER_SENT,
      sends: 'a reply of any keyword with any number from 1000 on, on the channel or on channel 0',
      expects: 'the session ends without an answer',
      samples: fc.record({
        keyword: fc.constantFrom('RPY', 'ERR', 'ANS', 'NUL'),
        msgno: fc.integer({ min: 1000, max: MAX_NUMBER }),
        zero: fc.boolean(),
      }),
    },
    async (peer, { keyword, msgno, zero }) => {
      const channel = await peer.channel()
      const payload = keyword === 'NUL' ? '' : zero ? `${BEEP_XML}<ok />` : '\r\nhello'
      peer.send(`${keyword} ${zero ? 0 : channel} ${msgno} .`, payload, keyword === 'ANS' ? { ansno: 0 } : {})
      return peer.expectTermination()
    },
  ),
  must(
    'reply-to-nobody',
    {
      title: 'RPY 0 on a channel on which the target asked nothing',
      judges: ['R3080-2.2.1.1-27'],
      quote: NEVER_SENT,
      sends: 'RPY 0 on the channel that we started',
      expects: 'the session ends without an answer',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`RPY ${channel} 0 .`, '\r\nhello')
      return peer.expectTermination()
    },
  ),
  must(
    'second-greeting',
    {
      title: 'a second greeting',
      judges: ['R3080-2.2.1.1-26'],
      quote: 'for which a reply has already been completely received',
      sends: 'the greeting twice',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      await peer.greet()
      peer.manage('RPY 0', '<greeting />')
      return peer.expectTermination()
    },
  ),
])
