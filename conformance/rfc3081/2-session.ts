// Sessions on TCP (RFC 3081 §2): who is who, the release, the end.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { must, section, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { plain, writeInPieces } from '../harness/framing.js'
import { askedToRelease } from '../harness/initiator.js'
import { askedToStart, close, isData, profile, start } from '../harness/management.js'
import { BEEP_XML, type Peer } from '../harness/peer.js'

const NUMBERED = 'the BEEP peer that issues a passive TCP OPEN call is termed the'

/** The octets of an ordinary visit to a listener: greeting, start, a message. */
function visit(peer: Peer): Buffer {
  const element = (head: string, text: string) => peer.frame(head, Buffer.from(BEEP_XML + text))
  return Buffer.concat([
    element('RPY 0 0 .', '<greeting />'),
    element('MSG 0 1 .', start(1, profile(peer.profile))),
    element('MSG 0 2 .', start(3, profile(peer.profile))),
  ])
}

export const onTcp = section('rfc3081/2', 'Session Management', [
  must(
    'listener-numbers',
    {
      title: 'who awaited the connection is the listener',
      judges: ['R3081-2-01'],
      quote: NUMBERED,
      sends: 'a start with an odd number, then one with an even number',
      expects: 'the odd one is granted, the even one is refused',
      of: 'listener',
    },
    async (peer) => {
      await peer.channel()
      return peer.expectError(await peer.start(2, peer.profile))
    },
  ),
  must(
    'initiator-numbers',
    {
      title: 'who opened the connection is the initiator',
      judges: ['R3081-2-01'],
      quote: 'the BEEP peer that issues an active TCP OPEN call is termed the',
      sends: 'a greeting',
      expects: 'a start with an odd number',
      of: 'initiator',
    },
    async (peer) => {
      const { number } = await askedToStart(peer)
      if (number % 2 !== 1) throw new Failure(`it starts channel ${number}`)
      return `it starts channel ${number}`
    },
  ),
  must(
    'order-across-channels',
    {
      title: 'a request, and the close of its channel behind it, in one write',
      judges: ['R3081-2-03', 'R3080-2.6.1-03'],
      quote: 'This also provides ordered delivery of messages',
      sends: 'a MSG, then on channel 0 the close of its channel',
      expects: 'the whole reply before ok',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      const msgno = peer.next()
      const request = peer.frame(`MSG ${channel} 0 .`, plain('hello'))
      peer.write(Buffer.concat([request, peer.frame(`MSG 0 ${msgno} .`, Buffer.from(BEEP_XML + close(channel)))]))
      const { keyword, element } = await peer.answer(msgno)
      if (keyword === 'ERR') return `it refuses to close with ${element.attributes.code}`
      if (!peer.connection.heard.some((each) => isData(each) && each.channel === channel && !each.more))
        throw new Failure('ok came before the reply on the channel that it closes')
      return undefined
    },
  ),
  must(
    'release-closes',
    {
      title: 'the target grants a release',
      judges: ['R3081-2-04'],
      quote: 'the peer sending the "ok" reply, immediately issues the TCP CLOSE',
      sends: 'a close of channel 0, and nothing after it, our side of TCP left open',
      expects: 'ok, then the end of the connection',
      of: 'listener',
    },
    async (peer) => {
      await peer.greet()
      const { keyword, element } = await peer.ask(close(0))
      if (keyword === 'ERR') throw new Unsupported(`it refuses the release with ${element.attributes.code}`)
      const how = await peer.connection.ended()
      if (how === 'reset') throw new Failure('it resets the connection')
      return undefined
    },
  ),
  must(
    'released-closes',
    {
      title: 'the target asks for a release, and has it',
      judges: ['R3081-2-05'],
      quote: 'Upon receiving the reply, the other peer immediately issues the TCP CLOSE',
      sends: 'what the target asks for, and ok to its release, our side of TCP left open',
      expects: 'the end of the connection, and nothing before it',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno } = await askedToRelease(peer)
      const { length } = peer.connection.history
      peer.manage(`RPY ${msgno}`, '<ok />')
      await peer.connection.ended()
      const after = peer.connection.history.slice(length).find(isData)
      if (after !== undefined) throw new Failure(`${after.keyword} ${after.channel} ${after.msgno} came after ok`)
      return undefined
    },
  ),
  should(
    'terminates-by-abort',
    {
      title: 'how the target ends a session that has gone wrong',
      judges: ['R3081-2-06'],
      quote: 'terminated when either peer issues the TCP ABORT call',
      sends: 'what is no frame',
      expects: 'the end of the connection without a further octet',
    },
    async (peer) => {
      await peer.greet()
      peer.write('FOO 0 1 . 0 0\r\nEND\r\n')
      return peer.expectTermination()
    },
  ),
  must(
    'end-in-mid-session',
    {
      title: 'we close our side without a release',
      judges: ['R3081-2-07'],
      quote: '',
      sends: 'the end of our octets while a channel is open',
      expects: 'the target ends the connection, too',
    },
    async (peer) => {
      await peer.channel()
      peer.connection.end()
      await peer.connection.ended()
      return undefined
    },
  ),
  must.hold(
    'end-in-mid-frame',
    {
      title: 'our octets end anywhere in a frame',
      judges: ['R3081-2-07'],
      quote: '',
      sends: 'the first octets of a MSG, then the end',
      expects: 'the target ends the connection, and answers nothing',
      samples: fc.integer({ min: 1, max: 30 }),
    },
    async (peer, length) => {
      const channel = await peer.channel()
      peer.write(peer.frame(`MSG ${channel} 9 .`, plain('hello, world')).subarray(0, length))
      peer.connection.end()
      await peer.connection.ended()
      // What is refused may be refused before it is whole (RFC 3080 §2.6.3).
      const answer = peer.connection.heard.find(
        (each) =>
          isData(each) && each.channel === channel && each.msgno === 9 && each.keyword !== 'MSG' && each.keyword !== 'ERR',
      )
      if (answer !== undefined) throw new Failure('it answered a message that is not whole')
      return undefined
    },
  ),
  must(
    'end-in-mid-request',
    {
      title: 'we close our side while requests of the target are outstanding',
      judges: ['R3081-2-07'],
      quote: '',
      sends: 'no reply to its MSG but the end of our octets',
      expects: 'the target ends the connection, too',
      of: 'initiator',
    },
    async (peer) => {
      await peer.asked(await peer.channel())
      peer.connection.end()
      await peer.connection.ended()
      return undefined
    },
  ),
])

export const exchangeOnTcp = section('rfc3081/3', 'Message Exchange', [
  must(
    'octet-by-octet',
    {
      title: 'a whole visit, one octet at a time',
      judges: ['R3081-3-01'],
      quote: "sent and received using TCP's SEND and RECEIVE calls",
      sends: 'greeting, two starts and a message, each octet in a write of its own',
      expects: 'the same as in one write',
      of: 'listener',
    },
    async (peer) => {
      await writeInPieces(peer, visit(peer), [1])
      return visited(peer)
    },
  ),
  must.hold(
    'octets-in-any-pieces',
    {
      title: 'a whole visit, cut anywhere',
      judges: ['R3081-3-01'],
      quote: "sent and received using TCP's SEND and RECEIVE calls",
      sends: 'greeting, two starts and a message in pieces of any lengths',
      expects: 'the same as in one write',
      of: 'listener',
      samples: fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }),
    },
    async (peer, lengths) => {
      await writeInPieces(peer, visit(peer), lengths)
      return visited(peer)
    },
  ),
  must.hold(
    'replies-in-any-pieces',
    {
      title: 'what an initiator is told, cut anywhere',
      judges: ['R3081-3-01'],
      quote: "sent and received using TCP's SEND and RECEIVE calls",
      sends: 'the greeting, and the reply to its start, in pieces of any lengths',
      expects: 'it uses the channel',
      of: 'initiator',
      samples: fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 8 }),
    },
    async (peer, lengths) => {
      await writeInPieces(
        peer,
        peer.frame('RPY 0 0 .', Buffer.from(`${BEEP_XML}<greeting>${profile(peer.profile)}</greeting>`)),
        lengths,
      )
      await peer.greeted()
      const { msgno, number } = await askedToStart(peer)
      await writeInPieces(peer, peer.frame(`RPY 0 ${msgno} .`, Buffer.from(BEEP_XML + profile(peer.profile))), lengths)
      await peer.asked(number)
      return undefined
    },
  ),
  must(
    'two-windows',
    {
      title: 'the window of one channel is used up, another is fresh',
      judges: ['R3081-3-02', 'R3081-3.1.1-02'],
      quote: 'each channel has a sliding window',
      sends: 'MSGs of two windows on each of two channels, and credit for neither reply',
      expects: 'on each channel no more than 4096 octets',
      of: 'listener',
    },
    async (peer) => {
      const [one, two] = [await peer.channel(), await peer.channel()]
      peer.credits = false
      for (const channel of [one, two]) await peer.message(channel, 0, plain('x'.repeat(8190)))
      await peer.connection.until(() => [one, two].every((channel) => peer.received(channel) === 4096))
      await peer.expectAlive()
      const told = [one, two].map((channel) => peer.received(channel))
      if (told.some((octets) => octets > 4096)) throw new Failure(`${told.join(' and ')} octets came`)
      return `${told.join(' and ')} octets came`
    },
  ),
])

/** The channels of a visit are there, and work. */
async function visited(peer: Peer): Promise<string | undefined> {
  await peer.greeted()
  const granted: number[] = []
  for (const [msgno, number] of [
    [1, 1],
    [2, 3],
  ] as const) {
    peer.next()
    peer.number()
    if ((await peer.answer(msgno)).keyword === 'RPY') granted.push(number)
  }
  if (!granted.includes(1)) throw new Failure('channel 1 was refused')
  for (const number of granted) await peer.echo(number, 0, 'hello')
  return granted.length === 1 ? 'it grants one channel only' : undefined
}
