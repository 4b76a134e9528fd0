// The turns that an initiator under test takes: it starts a channel, sends messages, closes the channel, releases the session.
import { Buffer } from 'node:buffer'
import type { Element } from './element.js'
import { Failure, Unsupported } from './failure.js'
import { plain } from './framing.js'
import { answerTo, expectValid, ownChannel, type Request } from './management.js'
import { type Answer, elementOf, type Peer } from './peer.js'
import type { Keyword } from './reader.js'

/** The channel exists for the target: it uses it. */
export async function expectUsed(peer: Peer, channel: number): Promise<string> {
  const { msgno } = await peer.asked(channel)
  return `MSG ${channel} ${msgno} followed`
}

/** A message as a server sees it. */
interface Turn {
  readonly keyword: Keyword
  readonly msgno: number
  readonly element: Element
  readonly payload: Buffer
}

/** Echoes what comes on a channel, and agrees to close it, or one of `ours`, until something `last` comes on channel 0. */
async function serve(peer: Peer, channel: number, last: (turn: Turn) => boolean, what: string, ours?: number): Promise<Turn> {
  const pieces = new Map<string, Buffer[]>()
  for (;;) {
    const frame = await peer.take((each) => each.channel === 0 || (each.channel === channel && each.keyword === 'MSG'), what)
    const { keyword, msgno } = frame
    const key = `${keyword} ${frame.channel} ${msgno}`
    const payload = [...(pieces.get(key) ?? []), frame.payload]
    pieces.set(key, payload)
    if (frame.more) continue
    pieces.delete(key)
    const whole = Buffer.concat(payload)
    if (frame.channel === channel) {
      await peer.message(channel, msgno, whole, undefined, 'RPY')
      continue
    }
    const turn = { keyword, msgno, element: elementOf(whole), payload: whole }
    if (last(turn)) return turn
    if (numberOf(turn) === 0) throw new Unsupported('the target releases the session without a request to close its channel')
    if (numberOf(turn) === ours && ours !== undefined)
      throw new Unsupported('the target closes our channel, too, before it releases the session')
    if (numberOf(turn) !== channel) throw new Failure(`expected ${what}; ${keyword} 0 ${msgno} with <${turn.element.name}> came`)
    peer.manage(`RPY ${msgno}`, '<ok />')
  }
}

/** The channel that a turn asks to close, if it does; 0 is the session. */
function numberOf({ keyword, element }: Turn): number | undefined {
  return keyword === 'MSG' && element.name === 'close' ? Number(element.attributes.number ?? 0) : undefined
}

/** An initiator's request to close its channel, when it has no more to say. */
export async function askedToClose(peer: Peer): Promise<Request> {
  return askedToCloseIt(peer, await peer.channel())
}

/** The same of a channel that is open. */
export async function askedToCloseIt(peer: Peer, number: number): Promise<Request> {
  const what = `a MSG of the target on channel ${number}, or its request to close it`
  return { ...(await serve(peer, number, (turn) => numberOf(turn) === number, what)), number }
}

/** An initiator's request to release the session. */
export async function askedToRelease(peer: Peer): Promise<Request> {
  const channel = await peer.channel()
  const what = 'the work of the target, and then its request to release the session'
  return { ...(await serve(peer, channel, (turn) => numberOf(turn) === 0, what)), number: 0 }
}

/** The same, while a channel that we started is open. @throws Unsupported when the target grants none, or closes it first */
export async function askedToReleaseBeside(peer: Peer): Promise<Request & { readonly ours: number }> {
  const channel = await peer.channel()
  const ours = await ownChannel(peer)
  const what = 'the work of the target, and then its request to release the session'
  return { ...(await serve(peer, channel, (turn) => numberOf(turn) === 0, what, ours)), number: 0, ours }
}

/** A MSG of ours is answered, in whatever way. `when` says in what state of the session. */
export async function expectServed(peer: Peer, channel: number, msgno: number, when: string): Promise<string> {
  await peer.message(channel, msgno, plain('hello'))
  try {
    const { keyword } = await peer.reply(channel, msgno)
    return `our MSG is answered with ${keyword === 'NUL' ? 'answers' : keyword}`
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(`${when}, MSG ${channel} ${msgno} of ours was not served: ${error.message}`, error.ending)
  }
}

/** The answer to a request of ours on channel 0 while the target may have work to finish; undefined when it asks to release the session first. */
export async function answerAtWork(peer: Peer, channel: number, msgno: number): Promise<Answer | undefined> {
  const isAnswer = (turn: Turn) => turn.keyword !== 'MSG' && turn.msgno === msgno
  const turn = await serve(peer, channel, (each) => isAnswer(each) || numberOf(each) === 0, `the answer to MSG 0 ${msgno}`)
  if (isAnswer(turn)) return { keyword: turn.keyword as Answer['keyword'], msgno, element: turn.element, payload: turn.payload }
  peer.manage(`RPY ${turn.msgno}`, '<ok />')
  return undefined
}

/** How a target takes our request to release the session. */
export type Released = 'released' | 'crossed' | { readonly refused: string }

/**
 * Asks the target to release the session, whatever its role.
 * @throws Failure when anything follows the `<ok>` with which it agrees
 */
export async function releases(peer: Peer, element: string): Promise<Released> {
  if (peer.greeting === undefined) await peer.greet()
  const channel = peer.target === 'initiator' ? await peer.channel() : undefined
  const msgno = peer.next()
  peer.manage(`MSG ${msgno}`, element)
  const answer = channel === undefined ? await answerTo(peer, msgno) : await answerAtWork(peer, channel, msgno)
  if (answer?.keyword === 'ERR') return { refused: peer.expectError(answer) }
  if (answer !== undefined) expectValid(answer.element, 'ok')
  await expectSilence(peer)
  return answer === undefined ? 'crossed' : 'released'
}

/**
 * We close our side of a session that was released. The target says nothing more, but for the `<ok>` of crossing releases.
 * Whether it closes the connection, too, is a question of its own: one that does not is heard for as long as patience lasts.
 */
export async function expectSilence(peer: Peer): Promise<void> {
  const more = () => peer.connection.heard.find((each) => each.kind === 'data' && (each.channel !== 0 || each.keyword !== 'RPY'))
  peer.connection.end()
  await peer.connection.until(() => more() !== undefined)
  const frame = more()
  if (frame?.kind === 'data')
    throw new Failure(`${frame.keyword} ${frame.channel} ${frame.msgno} came after the <ok> of the release`)
}
