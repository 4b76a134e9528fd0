// Closes that an initiator under test asks for (RFC 3080 §2.3.1.3), and how it goes on.
import { may, must } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { askedToClose, askedToCloseIt } from '../harness/initiator.js'
import { close, error, expectRefusal, expectValid, goesOnOrEnds, isData } from '../harness/management.js'
import type { Peer } from '../harness/peer.js'

/** @throws Failure when the target has asked to close anything */
function expectNoClose(peer: Peer, when: string): void {
  const early = peer.connection.heard.filter(isData).find(({ channel, keyword }) => channel === 0 && keyword === 'MSG')
  if (early !== undefined) throw new Failure(`MSG 0 ${early.msgno} came ${when}`)
}

/** What became of our MSG 0 so far. */
function reaction(peer: Peer, number: number): string {
  const reply = peer.connection.heard.filter(isData).find(({ channel, keyword }) => channel === number && keyword !== 'MSG')
  return reply === undefined ? 'the MSG was taken' : `the MSG was answered with ${reply.keyword}`
}

export const said = [
  must(
    'said',
    {
      title: 'the close of an initiator',
      judges: ['R3080-2.3.1.3-01', 'R3080-2.3.1.3-02', 'R3080-8-09'],
      quote: 'is a three-digit reply code meaningful to programs',
      sends: 'the replies to everything it asks',
      expects: 'MSG on channel 0 with a close that is valid',
      of: 'initiator',
    },
    async (peer) => {
      const { element } = await askedToClose(peer)
      expectValid(element, 'close')
      return `code ${element.attributes.code}`
    },
  ),
  must(
    'said-language',
    {
      title: 'the language of the text in the close of an initiator',
      judges: ['R3080-2.3.1.3-04', 'R3080-2.3.1.1-06'],
      quote: 'attribute is absent only if the language indicated',
      sends: "a greeting with localize='tlh'",
      expects: 'no text, or a text with xml:lang',
      of: 'initiator',
    },
    async (peer) => {
      await peer.greet([peer.profile], " localize='tlh'")
      const { element } = await askedToClose(peer)
      if (element.text === '') return 'no text'
      const language = element.attributes['xml:lang']
      if (language === undefined) throw new Failure(`the text ${JSON.stringify(element.text)} has no xml:lang`)
      return `xml:lang='${language}'`
    },
  ),
  must(
    'said-after-replies',
    {
      title: 'an initiator does not close a channel on which a MSG of its own is unacknowledged',
      judges: ['R3080-2.3.1.3-07'],
      quote: 'whenever all "MSG" messages it has sent on that channel have been acknowledged',
      sends: 'no reply to its MSG; a start of ours, which it has to answer',
      expects: 'no close',
      of: 'initiator',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.asked(channel)
      await peer.expectAlive()
      expectNoClose(peer, 'while a MSG of the target was unanswered')
      return undefined
    },
  ),
  may(
    'said-after-first-frames',
    {
      title: 'whether an initiator closes a channel when the first frame of its reply has come',
      judges: ['R3080-2.3.1.3-08'],
      quote: 'Acknowledgement consists of the first frame of a reply being received',
      sends: 'the first frame of the reply; a start of ours, which the target has to answer; then the rest',
      expects: 'either; the close comes in the end',
      of: 'initiator',
    },
    async (peer) => {
      const channel = await peer.channel()
      const { msgno, payload } = await peer.asked(channel)
      peer.send(`RPY ${channel} ${msgno} *`, payload.subarray(0, 1))
      await peer.expectAlive()
      const early = peer.connection.heard.some((each) => isData(each) && each.channel === 0 && each.keyword === 'MSG')
      await peer.message(channel, msgno, payload.subarray(1), undefined, 'RPY')
      await askedToCloseIt(peer, channel)
      return early ? 'it asks at the first frame' : 'it waits for the whole reply'
    },
  ),
  must(
    'said-then-silent',
    {
      title: 'an initiator that has asked to close a channel sends no more MSG on it',
      judges: ['R3080-2.3.1.3-09'],
      quote: 'must not send any more "MSG" messages on that channel being closed',
      sends: 'no answer to its close; a start of ours, which it has to answer',
      expects: 'no MSG on the channel',
      of: 'initiator',
    },
    async (peer) => {
      const { number } = await askedToClose(peer)
      await peer.expectAlive()
      const late = peer.connection.heard.filter(isData).find(({ channel, keyword }) => channel === number && keyword === 'MSG')
      if (late !== undefined) throw new Failure(`MSG ${number} ${late.msgno} came behind the close`)
      return undefined
    },
  ),
  must(
    'said-and-still-serving',
    {
      title: 'an initiator that has asked to close a channel still takes a MSG on it',
      judges: ['R3080-2.3.1.3-11', 'R3080-2.3.1.3-21'],
      quote: 'must be prepared to process any "MSG" messages that it receives on that channel',
      sends: 'a MSG on the channel before any answer to the close',
      expects: 'the session lives; the reply is the business of the application',
      of: 'initiator',
    },
    async (peer) => {
      const { number, msgno } = await askedToClose(peer)
      await peer.message(number, 0, '\r\nlate')
      await peer.expectAlive()
      const saw = reaction(peer, number)
      peer.manage(`RPY ${msgno}`, '<ok />')
      return saw
    },
  ),
  must(
    'said-and-refused',
    {
      title: 'an initiator whose close is refused',
      judges: ['R3080-2.3.1.3-10', 'R3080-2.3.1.3-12', 'R3080-2.3.1.5-04'],
      quote: 'by an "error" message rejecting the request to close the channel',
      sends: 'ERR with 550, and a MSG on the channel',
      expects: 'the channel is as before: the session lives, or the target ends it',
      of: 'initiator',
    },
    async (peer) => {
      const { number, msgno } = await askedToClose(peer)
      peer.manage(`ERR ${msgno}`, error(550, 'still working'))
      await peer.message(number, 0, '\r\nas before')
      const how = await goesOnOrEnds(peer)
      return `${reaction(peer, number)}; ${how}`
    },
  ),
  must(
    'said-and-crossed',
    {
      title: 'closes of one channel that cross',
      judges: ['R3080-2.3.1.3-19', 'R3080-2.3.1.3-17'],
      quote: '',
      sends: 'our close of the channel that the target asks to close, then <ok>',
      expects: 'an answer to our close; the session goes on, or it ends it',
      of: 'initiator',
    },
    async (peer) => {
      const { number, msgno } = await askedToClose(peer)
      const own = peer.next()
      peer.manage(`MSG ${own}`, close(number))
      peer.manage(`RPY ${msgno}`, '<ok />')
      const answer = await peer.answer(own)
      const saw = answer.keyword === 'ERR' ? expectRefusal(peer, answer) : 'both agreed'
      if (answer.keyword === 'RPY') expectValid(answer.element, 'ok')
      return `${saw}; ${await goesOnOrEnds(peer)}`
    },
  ),
]
