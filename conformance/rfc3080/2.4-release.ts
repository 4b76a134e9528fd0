// The release of a session (RFC 3080 §2.4), asked for by either peer.
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { must, section, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { askedToRelease, askedToReleaseBeside, expectServed, expectSilence, releases } from '../harness/initiator.js'
import {
  answerAt,
  askTogether,
  close,
  error,
  expectValid,
  goesOnOrEnds,
  heardBehind,
  isData,
  ownChannel,
  profile,
  start,
} from '../harness/management.js'
import { NOWHERE, type Peer } from '../harness/peer.js'
import { STYLES, spell } from '../harness/spelling.js'

/** Asks for a release that the target may refuse; then the session has to live. */
async function expectReleased(peer: Peer, element: string): Promise<string> {
  const how = await releases(peer, element)
  if (typeof how === 'string') return how
  // One may refuse to release, but not to understand.
  if (/50[01]$/.test(how.refused)) throw new Failure(`a release that is valid was ${how.refused}`)
  await peer.expectAlive()
  return how.refused
}

const asked = [
  must(
    'by-number-0',
    {
      title: 'a release that says number 0',
      judges: ['R3080-2.4-03', 'R3080-2.4-04', 'R3080-2.3.1.3-05'],
      quote: 'element with a zero-valued "number" attribute on channel zero',
      sends: "<close number='0' code='200' />",
      expects: '<ok>, and nothing after it; or ERR, and the session lives',
    },
    (peer) => expectReleased(peer, close(0)),
  ),
  must(
    'by-default',
    {
      title: 'a release that says no number',
      judges: ['R3080-2.4-03', 'R3080-2.3.1.3-03', 'R3080-7.1-05'],
      quote: "<close code='200' />",
      sends: "<close code='200' />",
      expects: '<ok>, and nothing after it; or ERR, and the session lives',
    },
    (peer) => expectReleased(peer, "<close code='200' />"),
  ),
  must.hold(
    'in-any-spelling',
    {
      title: 'a release in any spelling that XML has',
      judges: ['R3080-2.4-03', 'R3080-6.4-06'],
      quote: 'element with a zero-valued "number" attribute on channel zero',
      sends: 'a release with other quotes, white space, references, comments and instructions',
      expects: '<ok>, and nothing after it; or ERR, and the session lives',
      samples: STYLES,
    },
    (peer, style) => {
      const attributes = { number: '0', code: '200', 'xml:lang': 'en' }
      return expectReleased(peer, spell({ name: 'close', attributes, content: 'good bye' }, style))
    },
  ),
  must(
    'after-work',
    {
      title: 'a release after channels were used',
      judges: ['R3080-2.4-03', 'R3080-2.4-07'],
      quote: 'indicates its willingness by sending an "ok" element',
      sends: 'two channels, messages on both, a close of one, and the release',
      expects: '<ok>, and nothing after it; or ERR, and the session lives',
      of: 'listener',
    },
    async (peer) => {
      const [one, two] = [await peer.channel(), await peer.channel()]
      await peer.echo(one, 0)
      await peer.echo(two, 0)
      await peer.ask(close(one))
      return expectReleased(peer, close(0))
    },
  ),
  must(
    'then-closes',
    {
      title: 'the connection after a release',
      judges: ['R3080-2.4-06'],
      quote: '<close connection>',
      sends: 'the release, and when it is agreed to the end of our side of the connection',
      expects: 'the end of the connection, too; or ERR',
    },
    async (peer) => {
      const how = await releases(peer, close(0))
      if (typeof how !== 'string') return how.refused
      await peer.connection.ended()
      return how
    },
  ),
  must(
    'behind-a-start',
    {
      title: 'a start and a release, sent together',
      judges: ['R3080-2.4-03', 'R3080-2.3.1.2-29'],
      quote: '',
      sends: 'a start of an unknown profile and the release, in one piece',
      expects: 'ERR to the start first, then <ok> or ERR',
      of: 'listener',
    },
    async (peer) => {
      await peer.greet()
      const [first, second] = askTogether(peer, start(peer.number(), profile(NOWHERE)), close(0))
      const next = await peer.take(({ channel, keyword }) => channel === 0 && keyword !== 'MSG', 'the first answer')
      if (next.msgno !== first || next.keyword !== 'ERR') throw new Failure(`${next.keyword} 0 ${next.msgno} came first`)
      if (next.more) await peer.reply(0, first)
      const answer = await peer.answer(second!)
      if (answer.keyword === 'ERR') return peer.expectError(answer)
      expectValid(answer.element, 'ok')
      await expectSilence(peer)
      return 'released'
    },
  ),
  must(
    'then-silence',
    {
      title: 'requests behind a release, sent together with it',
      judges: ['R3080-2.4-07'],
      quote: '<close connection>',
      sends: 'the release and two starts, in one piece',
      expects: '<ok>, and nothing after it; or ERR, and the starts are answered',
      of: 'listener',
    },
    async (peer) => {
      await peer.greet()
      const unknown = () => start(peer.number(), profile(NOWHERE))
      const [first, second, third] = askTogether(peer, close(0), unknown(), unknown())
      const answer = await peer.answer(first!)
      if (answer.keyword === 'ERR') {
        peer.expectError(await peer.answer(second!))
        peer.expectError(await peer.answer(third!))
        return peer.expectError(answer)
      }
      expectValid(answer.element, 'ok')
      await expectSilence(peer)
      return 'released'
    },
  ),
  must(
    'at-work',
    {
      title: 'a release while a reply of the target is unfinished',
      judges: ['R3080-2.4-04', 'R3080-2.4-07'],
      quote: "doesn't want to release the BEEP session",
      sends: 'a message whose echo does not fit into the window, and the release; then room for the echo',
      expects: 'ERR, the whole reply, and messages on that channel and another served as before; or <ok>, and nothing after it',
      of: 'listener',
    },
    async (peer) => {
      const other = await ownChannel(peer)
      const channel = await ownChannel(peer)
      peer.credits = false
      await peer.message(channel, 0, `\r\n${'x'.repeat(6000)}`)
      await peer.connection.until(() => peer.received(channel) >= INITIAL_WINDOW)
      const msgno = peer.next()
      peer.manage(`MSG ${msgno}`, close(0))
      peer.seq(channel, peer.received(channel), INITIAL_WINDOW)
      if (!(await peer.connection.until(() => answerAt(peer, msgno) !== -1)))
        throw new Failure('the release was never answered', 'timeout')
      const answer = await peer.answer(msgno)
      if (answer.keyword === 'ERR') {
        await peer.echoed(channel, 0, 'x'.repeat(6000))
        peer.credits = true
        for (const each of [channel, other])
          await expectServed(peer, each, 1, `after the release was ${peer.expectError(answer)}`)
        return peer.expectError(answer)
      }
      expectValid(answer.element, 'ok')
      peer.connection.end()
      await peer.connection.until(() => heardBehind(peer, msgno).some(isData))
      const more = heardBehind(peer, msgno).find(isData)
      if (more !== undefined) throw new Failure(`${more.keyword} ${more.channel} ${more.msgno} came after the <ok>`)
      const drained = peer.connection.heard.some((each) => isData(each) && each.channel === channel && !each.more)
      return drained ? 'the reply came whole, then <ok>' : '<ok> came at once, and the reply never'
    },
  ),
]

const said = [
  must(
    'said',
    {
      title: 'the release of an initiator',
      judges: ['R3080-2.4-03', 'R3080-2.3.1.3-02', 'R3080-2.3.1.3-05'],
      quote: 'element with a zero-valued "number" attribute on channel zero',
      sends: 'the replies to everything it asks',
      expects: 'MSG on channel 0 with a close that is valid, of number 0 or none',
      of: 'initiator',
    },
    async (peer) => {
      const { element } = await askedToRelease(peer)
      expectValid(element, 'close')
      return element.attributes.number === undefined ? 'without a number' : 'number 0'
    },
  ),
  should(
    'said-and-refused',
    {
      title: 'an initiator whose release is refused',
      judges: ['R3080-2.4-05', 'R3080-2.4-04'],
      quote: 'the BEEP session should not be terminated, if possible',
      sends: 'ERR with 550',
      expects: 'the session is not terminated',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno } = await askedToRelease(peer)
      peer.manage(`ERR ${msgno}`, error(550, 'still working'))
      const saw = await goesOnOrEnds(peer)
      if (saw === 'the target ended the session')
        throw new Failure(
          `it ended the connection (${peer.connection.ending}) when its release, MSG 0 ${msgno}, was refused by our ERR 0 ${msgno} with code 550. The session and its channels should stay as they were, if possible; a peer that has to go may ask for the release again (RFC 3080 §2.4)`,
        )
      return saw === 'the target released' ? 'it asked again' : saw
    },
  ),
  must(
    'said-and-still-serving',
    {
      title: 'an initiator that has asked for the release still answers',
      judges: ['R3080-2.4-09'],
      quote: '',
      sends: 'a start of an unknown profile before any answer to the release',
      expects: 'ERR to it; no MSG of its own',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno } = await askedToRelease(peer)
      await peer.expectAlive()
      const more = peer.connection.heard.filter(isData).find(({ keyword }) => keyword === 'MSG')
      if (more !== undefined) throw new Failure(`MSG ${more.channel} ${more.msgno} came behind the release`)
      peer.manage(`RPY ${msgno}`, '<ok />')
      await peer.connection.ended()
      return undefined
    },
  ),
  must(
    'said-and-still-serving-channels',
    {
      title: 'an initiator that has asked for the release still serves an open channel',
      judges: ['R3080-2.4-09', 'R3080-2.7-01', 'R3080-2.6.2-03'],
      quote: 'both peers must be prepared to receive all messages',
      sends: 'a channel that we start; when the target asks for the release a MSG on it, and <ok> when that is answered',
      expects: 'a reply, of whatever kind: until <ok> the session is what it was',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno, ours } = await askedToReleaseBeside(peer)
      const saw = await expectServed(peer, ours, 0, `while its release (MSG 0 ${msgno}) has no answer`)
      peer.manage(`RPY ${msgno}`, '<ok />')
      await peer.connection.ended()
      return saw
    },
  ),
  must(
    'said-and-refused-still-serving',
    {
      title: 'an initiator whose release was refused still serves an open channel',
      judges: ['R3080-2.4-05', 'R3080-2.7-01', 'R3080-2.6.2-03'],
      quote: 'the BEEP session should not be terminated, if possible',
      sends: 'a channel that we start; ERR with 550 to the release, and a MSG on the channel',
      expects: 'a reply, of whatever kind, or the end of the session',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno, ours } = await askedToReleaseBeside(peer)
      peer.manage(`ERR ${msgno}`, error(550, 'still working'))
      try {
        return await expectServed(peer, ours, 0, `after its release (MSG 0 ${msgno}) was refused with 550`)
      } catch (failure) {
        // That it should not is the business of another case.
        if (failure instanceof Failure && peer.connection.ending !== 'open') return 'the target ended the session'
        throw failure
      }
    },
  ),
  must(
    'said-and-crossed',
    {
      title: 'releases that cross',
      judges: ['R3080-2.4-08', 'R3080-2.4-06'],
      quote: '',
      sends: 'our release when the target asks for its own, then <ok>',
      expects: '<ok>, or ERR, or the end of the connection in its place; then the end',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno } = await askedToRelease(peer)
      const own = peer.next()
      peer.manage(`MSG ${own}`, close(0))
      peer.manage(`RPY ${msgno}`, '<ok />')
      await peer.connection.ended()
      const answer = peer.connection.heard.filter(isData).find((each) => each.channel === 0 && each.msgno === own)
      return answer === undefined ? 'the connection ended in place of an answer' : `answered with ${answer.keyword}`
    },
  ),
  must(
    'said-and-crossed-first',
    {
      title: 'releases that cross, ours answered before its own',
      judges: ['R3080-2.4-08', 'R3080-2.4-06'],
      quote: '',
      sends: 'our release when the target asks for its own; <ok> once ours is answered',
      expects: '<ok> or ERR, then the end of the connection',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno } = await askedToRelease(peer)
      const own = peer.next()
      peer.manage(`MSG ${own}`, close(0))
      const isAnswered = () => peer.connection.heard.some((each) => isData(each) && each.channel === 0 && each.msgno === own)
      if (!(await peer.connection.until(isAnswered))) throw new Failure('our release was never answered', 'timeout')
      peer.manage(`RPY ${msgno}`, '<ok />')
      await peer.connection.ended()
      return isAnswered() ? 'answered' : 'the connection ended in place of an answer'
    },
  ),
]

export const releasing = section('rfc3080/2.4', 'Session Establishment and Release', [...asked, ...said])
