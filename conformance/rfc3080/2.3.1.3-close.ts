// Closes of ours (RFC 3080 §2.3.1.3): how a target agrees, when, and to what.
import fc from 'fast-check'
import { INITIAL_WINDOW, MAX_NUMBER } from '../../src/beep/limits.js'
import { must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { answerAtWork } from '../harness/initiator.js'
import {
  answerAt,
  answered,
  askTogether,
  close,
  closed,
  expectRefusal,
  expectValid,
  heardBehind,
  isData,
  ownChannel,
  profile,
  refused,
  start,
} from '../harness/management.js'
import { NOWHERE, type Peer } from '../harness/peer.js'
import { STYLES, spell } from '../harness/spelling.js'
import { syntax } from './2.3.1.3-close-invalid.js'
import { said } from './2.3.1.3-close-said.js'

/** A channel with an echo of `size` octets of which only as much has come as the window takes: it is acknowledged, and not whole. */
async function unfinished(peer: Peer, size: number): Promise<number> {
  const channel = await ownChannel(peer)
  peer.credits = false
  await peer.message(channel, 0, `\r\n${'x'.repeat(size)}`)
  if (!(await peer.connection.until(() => peer.received(channel) >= INITIAL_WINDOW)))
    throw new Failure(`of the echo ${peer.received(channel)} octets came, and the window is ${INITIAL_WINDOW}`, 'timeout')
  return channel
}

/** The answer to our close stands behind the last frame of the reply; behind `<ok>` the channel is gone. */
async function expectOkBehind(peer: Peer, channel: number, msgno: number): Promise<string> {
  const { connection } = peer
  if (!(await connection.until(() => answerAt(peer, msgno) !== -1))) throw new Failure('the close was never answered', 'timeout')
  const at = answerAt(peer, msgno)
  const last = connection.heard.findIndex((each) => isData(each) && each.channel === channel && each.msgno === 0 && !each.more)
  const answer = await peer.answer(msgno)
  if (answer.keyword === 'ERR') return expectRefusal(peer, answer)
  expectValid(answer.element, 'ok')
  if (last === -1 || last > at) throw new Failure('<ok> came before the reply on the channel was whole')
  const behind = heardBehind(peer, msgno).find((each) => each.kind !== 'garbage' && each.channel === channel)
  if (behind !== undefined) throw new Failure(`a frame on channel ${channel} came behind the <ok>`)
  return 'closed'
}

const taken = [
  must(
    'agreed',
    {
      title: 'a close of a channel that is at rest',
      judges: ['R3080-2.3.1.3-01', 'R3080-2.3.1.4-01'],
      quote: 'accepting the request to close the channel',
      sends: 'a start, a message, and a close',
      expects: '<ok>, or ERR; the session lives',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      await peer.echo(channel, 0)
      return answered(peer, close(channel))
    },
  ),
  must(
    'refused-leaves-channel',
    {
      title: 'the channel after the answer to a close',
      judges: ['R3080-2.3.1.3-12', 'R3080-2.3.1.3-18', 'R3080-2.3.1.5-04'],
      quote: 'at any time, reject the request to close the channel',
      sends: 'a close; then a message on the channel if it was refused, or a start with its number',
      expects: 'the echo, or the channel anew',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      const answer = await peer.ask(close(channel))
      if (answer.keyword === 'ERR') {
        await peer.echo(channel, 0, 'as before')
        return expectRefusal(peer, answer)
      }
      peer.forget(channel)
      await ownChannel(peer, channel)
      await peer.echo(channel, 0, 'anew')
      return 'closed'
    },
  ),
  must.hold(
    'number-anew',
    {
      title: 'a number that is used again and again',
      judges: ['R3080-2.3.1.3-18'],
      quote: 'subsequently followed by the channel being successfully started',
      sends: 'starts with one number, any messages on the channel, closes',
      expects: 'each time the channel, counting from 0 in both directions, with a window of 4096 octets',
      samples: fc.array(fc.array(fc.integer({ min: 0, max: 1500 }), { maxLength: 3 }), { minLength: 2, maxLength: 4 }),
    },
    async (peer, lives) => {
      await peer.greet()
      const number = peer.number()
      for (const life of lives) {
        await ownChannel(peer, number)
        for (const [msgno, size] of life.entries()) await peer.echo(number, msgno, 'x'.repeat(size))
        await closed(peer, number)
      }
      const wrong = peer.faults.find(({ requirement }) => requirement === 'R3080-2.2.1.2-03')
      if (wrong !== undefined) throw new Failure(wrong.detail)
      return undefined
    },
  ),
  must(
    'reply-before-ok',
    {
      title: 'a close while a reply of the target is unfinished',
      judges: ['R3080-2.3.1.3-15', 'R3080-2.3.1.3-16', 'R3080-2.3.1.3-21'],
      quote: 'the replies must be sent prior to sending the "ok" message',
      sends: 'a message whose echo does not fit into the window; the close; a message on another channel; then SEQ',
      expects: 'no <ok> before the whole reply, or ERR',
    },
    async (peer) => {
      const other = await ownChannel(peer)
      const channel = await unfinished(peer, 6000)
      const msgno = peer.next()
      peer.manage(`MSG ${msgno}`, close(channel))
      await peer.echo(other, 0, 'barrier')
      peer.seq(channel, peer.received(channel), INITIAL_WINDOW)
      return expectOkBehind(peer, channel, msgno)
    },
  ),
  must.hold(
    'reply-before-ok-any',
    {
      title: 'a close at any point of a reply, whatever its length',
      judges: ['R3080-2.3.1.3-15', 'R3080-2.3.1.3-16'],
      quote: 'finish sending complete replies to any outstanding "MSG" messages',
      sends: 'a message whose echo does not fit into the window; the close; room for the echo in steps',
      expects: 'no <ok> before the whole reply, or ERR',
      samples: fc.record({ size: fc.integer({ min: 4097, max: 12_000 }), step: fc.integer({ min: 500, max: 4096 }) }),
    },
    async (peer, { size, step }) => {
      const channel = await unfinished(peer, size)
      const msgno = peer.next()
      peer.manage(`MSG ${msgno}`, close(channel))
      for (let edge = INITIAL_WINDOW; edge < size + 2; edge += step) {
        peer.seq(channel, peer.received(channel), Math.max(0, edge + step - peer.received(channel)))
        await peer.connection.until(
          () => peer.received(channel) >= Math.min(edge + step, size + 2) || answerAt(peer, msgno) !== -1,
        )
      }
      return expectOkBehind(peer, channel, msgno)
    },
  ),
  must(
    'delays-others',
    {
      title: 'a close that is not answered yet, and a start behind it',
      judges: ['R3080-2.3.1.3-23'],
      quote: '',
      sends: 'a close that has to wait for a reply, and a start of an unknown profile; then room for the reply',
      expects: 'the answers in the order of the requests',
    },
    async (peer) => {
      const other = await ownChannel(peer)
      const channel = await unfinished(peer, 6000)
      const [first, second] = askTogether(peer, close(channel), start(peer.number(), profile(NOWHERE)))
      await peer.echo(other, 0, 'barrier')
      if (answerAt(peer, second!) !== -1 && answerAt(peer, first!) === -1)
        throw new Failure('the start was answered before the close')
      peer.seq(channel, peer.received(channel), INITIAL_WINDOW)
      await peer.connection.until(() => answerAt(peer, first!) !== -1 && answerAt(peer, second!) !== -1)
      if (answerAt(peer, second!) < answerAt(peer, first!)) throw new Failure('the start was answered before the close')
      return (await peer.answer(first!)).keyword === 'ERR' ? 'the close was refused' : 'closed'
    },
  ),
  must(
    'own-exchange-first',
    {
      title: 'a close of a channel on which a MSG of the target is unanswered',
      judges: ['R3080-2.3.1.3-13', 'R3080-2.3.1.3-14', 'R3080-2.3.1.3-17', 'R3080-2.3.1.3-21'],
      quote: 'await complete replies to any outstanding "MSG" messages it has sent on that channel',
      sends: 'our close of its channel; then most of the reply to its MSG; then the rest',
      expects: 'no <ok> before the whole reply, or ERR',
      of: 'initiator',
    },
    async (peer) => {
      const channel = await peer.channel()
      const { msgno } = await peer.asked(channel)
      const asked = peer.next()
      peer.manage(`MSG ${asked}`, close(channel))
      peer.send(`RPY ${channel} ${msgno} *`, `\r\n${'x'.repeat(INITIAL_WINDOW - 2)}`)
      const credited = () => peer.seqs.some((seq) => seq.channel === channel && seq.ackno > 0)
      await peer.connection.until(() => credited() || answerAt(peer, asked) !== -1)
      const early = peer.connection.heard[answerAt(peer, asked)]
      if (early !== undefined && isData(early) && early.keyword === 'RPY')
        throw new Failure('<ok> came before the reply to the MSG of the target was whole')
      if (early === undefined && !credited()) throw new Unsupported('it gives no credit for a reply that is not whole')
      peer.send(`RPY ${channel} ${msgno} .`, 'the rest')
      const answer = await answerAtWork(peer, channel, asked)
      if (answer === undefined) return 'the target released first'
      return answer.keyword === 'ERR' ? peer.expectError(answer) : 'closed'
    },
  ),
  must(
    'whoever-created-it',
    {
      title: 'a close of a channel that the target created, at rest',
      judges: ['R3080-2.3.1.3-17', 'R3080-2.3.1.3-13'],
      quote: '',
      sends: 'the reply to its MSG, and behind it our close of its channel',
      expects: '<ok> when it has no more to say, or ERR',
      of: 'initiator',
    },
    async (peer) => {
      const channel = await peer.channel()
      const { msgno, payload } = await peer.asked(channel)
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      const asked = peer.next()
      peer.manage(`MSG ${asked}`, close(channel))
      const answer = await answerAtWork(peer, channel, asked)
      if (answer === undefined) return 'the target released first'
      return answer.keyword === 'ERR' ? peer.expectError(answer) : 'closed'
    },
  ),
]

const refusals = [
  must.hold(
    'no-such-channel',
    {
      title: 'a close of any channel that is not there',
      judges: ['R3080-2.3.1.3-06', 'R3080-2.3.1.5-04'],
      quote: 'the value of the "number" attribute refers to an existing channel',
      sends: 'a close of a number that no channel has',
      expects: 'ERR; the session lives',
      // Not 1 to 9: an initiator under test has one of them.
      samples: fc.oneof(fc.integer({ min: 10, max: 300 }), fc.integer({ min: 10, max: MAX_NUMBER })),
    },
    async (peer, number) => refused(peer, close(number)),
  ),
  must(
    'twice',
    {
      title: 'two closes of one channel, sent together',
      judges: ['R3080-2.3.1.3-06', 'R3080-2.3.1.3-18'],
      quote: 'refers to an existing channel',
      sends: 'two closes in one piece',
      expects: 'an answer to each, in order; ERR to the second if the channel is gone',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      const [first, second] = askTogether(peer, close(channel), close(channel))
      const one = await peer.answer(first!)
      const two = await peer.answer(second!)
      if (one.keyword === 'RPY' && two.keyword === 'RPY') throw new Failure('the channel was closed twice')
      const saw = two.keyword === 'ERR' ? expectRefusal(peer, two) : 'closed at the second'
      await peer.expectAlive()
      return saw
    },
  ),
  must(
    'data-behind',
    {
      title: 'a MSG on a channel that was closed',
      judges: ['R3080-2.3.1.3-20'],
      quote: '',
      sends: 'a start, a close, and when it is agreed to a MSG on the channel',
      expects: 'the session ends without an answer',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      await closed(peer, channel)
      peer.send(`MSG ${channel} 0 .`, '\r\nlate')
      return peer.expectTermination()
    },
  ),
  must.hold(
    'any-code-and-text',
    {
      title: 'a close with any code and any text, in any spelling',
      judges: ['R3080-2.3.1.3-02', 'R3080-2.3.1.3-22', 'R3080-8-10', 'R3080-6.4-06'],
      quote: 'possibly even users, but never programs',
      sends: 'a close with a code from 100 to 599, a language and a text',
      expects: '<ok>, or ERR that is not for the syntax; the session lives',
      samples: fc.tuple(
        fc.integer({ min: 100, max: 599 }),
        fc.constantFrom(
          '',
          "<close number='0' code='200' />",
          'bis bald\r\nund danke für alles',
          'ERR 0 1 . 0 0\r\nEND\r\n',
          '&amp;',
          '<ok />',
        ),
        STYLES,
      ),
    },
    async (peer, [code, content, style]) => {
      const channel = await ownChannel(peer)
      const attributes = { number: String(channel), code: String(code), 'xml:lang': 'de' }
      const saw = await answered(peer, spell({ name: 'close', attributes, content }, style))
      if (/50[01]$/.test(saw)) throw new Failure(`a close that is valid was ${saw}`)
      return saw
    },
  ),
  must(
    'text-is-for-people',
    {
      title: 'a close whose text looks like a release',
      judges: ['R3080-2.3.1.3-22'],
      quote: 'possibly even users, but never programs',
      sends: "a close that holds <close number='0' code='200' /> in CDATA",
      expects: 'the channel is closed and not the session, or ERR',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      return answered(peer, close(channel, 200, "<![CDATA[<close number='0' code='200' />]]>"))
    },
  ),
  must(
    'with-its-start',
    {
      title: 'a start and a close of its channel, sent together',
      judges: ['R3080-2.3.1.3-01', 'R3080-2.3.1.2-29'],
      quote: '',
      sends: 'both in one piece',
      expects: 'an answer to each, in order; the session lives',
      of: 'listener',
    },
    async (peer) => {
      await peer.greet()
      const number = peer.number()
      const [one, two] = askTogether(peer, start(number, profile(peer.profile)), close(number))
      const first = await peer.answer(one!)
      if (first.keyword !== 'RPY') throw new Failure(`the start was refused with ${first.element.attributes.code}`)
      const second = await peer.answer(two!)
      await peer.expectAlive()
      return second.keyword === 'ERR' ? expectRefusal(peer, second) : 'closed'
    },
  ),
]

export const closes = section('rfc3080/2.3.1.3', 'The Close Message', [...taken, ...refusals, ...syntax, ...said])
