// What the cases about frames share: lawful messages judged in either role, ordinary sessions, octets in pieces.
import { Buffer } from 'node:buffer'
import { setImmediate as turn } from 'node:timers/promises'
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { show } from './connection.js'
import { escapeXml } from './element.js'
import { Failure, Unsupported } from './failure.js'
import { BEEP_XML, bodyOf, elementOf, NOWHERE, type Peer, type Reply } from './peer.js'
import { type DataFrame, told } from './reader.js'

/** The payload of a message without entity headers: an empty line and the body. */
export function plain(body: Uint8Array | string): Buffer {
  return Buffer.concat([Buffer.from('\r\n'), typeof body === 'string' ? Buffer.from(body, 'latin1') : body])
}

/** Writes octets in pieces of these lengths, again and again, each by a write of its own. No SEQ of ours gets between them. */
export async function writeInPieces(peer: Peer, octets: Uint8Array, lengths: readonly number[]): Promise<void> {
  const { credits } = peer
  const before = peer.received(0)
  peer.credits = false
  for (let at = 0, piece = 0; at < octets.length && peer.connection.ending === 'open'; piece++) {
    const end = at + (lengths[piece % lengths.length] ?? 1)
    peer.write(octets.subarray(at, end))
    // Not after each: a turn is long when much else is going on.
    if (piece % 8 === 7) await turn()
    at = end
  }
  peer.credits = credits
  // A long greeting may wait for it.
  if (credits && peer.received(0) > Math.max(before, INITIAL_WINDOW / 2)) peer.seq(0, peer.received(0), INITIAL_WINDOW)
}

/**
 * Judges what became of a lawful MSG. A listener sends its body back. An initiator may know no way to serve it: it is still there, and what it answers,
 * if it does by then, is the body or ERR.
 */
export async function expectTaken(
  peer: Peer,
  channel: number,
  msgno: number,
  body: Uint8Array | string,
): Promise<string | undefined> {
  if (peer.target === 'listener') {
    await peer.echoed(channel, msgno, body)
    return undefined
  }
  await peer.expectAlive()
  const reply = await replyHeard(peer, channel, msgno)
  if (reply === undefined) return 'taken, and not answered yet'
  return replied(reply, body)
}

/** The reply to a MSG, if it is here already. */
async function replyHeard(peer: Peer, channel: number, msgno: number): Promise<Reply | undefined> {
  const here = peer.connection.heard.some(
    (heard) =>
      heard.kind === 'data' && heard.keyword !== 'MSG' && heard.channel === channel && heard.msgno === msgno && !heard.more,
  )
  return here ? peer.reply(channel, msgno) : undefined
}

function replied(
  { keyword, payload }: { readonly keyword: string; readonly payload: Buffer },
  body: Uint8Array | string,
): string {
  if (keyword === 'ERR') return 'refused with ERR'
  if (keyword !== 'RPY') return 'answered by a one-to-many reply'
  const expected = typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.from(body)
  const came = bodyOf(payload)
  if (!came.equals(expected)) throw new Failure(`RPY came with other octets than were sent: ${show(came)}`)
  return 'echoed'
}

/** For messages whose answer the RFC leaves open: any whole reply will do, or none by an initiator. The session goes on. */
export async function expectAnswered(peer: Peer, channel: number, msgno: number): Promise<string> {
  if (peer.target === 'listener') {
    const { keyword, payload } = await peer.reply(channel, msgno)
    await peer.expectAlive()
    return keyword === 'RPY' ? `RPY: ${show(bodyOf(payload))}` : keyword
  }
  await peer.expectAlive()
  const reply = await replyHeard(peer, channel, msgno)
  return reply === undefined ? 'not answered yet' : reply.keyword
}

/** The first MSG of an initiator under test, on the channel that it started. */
export async function expectRequest(peer: Peer): Promise<{ channel: number; msgno: number; payload: Buffer }> {
  const channel = await peer.channel()
  return peer.asked(channel)
}

/**
 * The session goes on after a lawful reply that the initiator under test may not want: it answers on channel 0, or asks there to close the channel
 * (§2.2.2.1), or to release. What it asks may have left before it had all of the reply: it must not end the session behind it, either.
 */
export async function expectGoingOn(peer: Peer): Promise<string> {
  const msgno = peer.next()
  peer.manage(`MSG ${msgno}`, `<start number='${peer.number()}'><profile uri='${NOWHERE}' /></start>`)
  const frame = await peer.take(
    (each) =>
      each.channel === 0 &&
      each.whole !== undefined &&
      (each.keyword === 'MSG' ? each.whole.includes('<close') : each.msgno === msgno),
    'its answer on channel 0, or its request to close there, after a reply that is lawful',
  )
  if (frame.keyword !== 'MSG') return 'the session goes on'
  const { connection } = peer
  const answered = () =>
    connection.heard.some(
      (each) => each.kind === 'data' && each.channel === 0 && each.keyword !== 'MSG' && each.msgno === msgno && !each.more,
    )
  await connection.until(answered)
  if (!answered() && connection.ending !== 'open')
    throw new Failure(
      `it asked to close (MSG 0 ${frame.msgno}) and ended the connection (${connection.ending}) before it had <ok />: it takes a reply that is lawful for one that ends the session`,
    )
  return 'it asks to close'
}

/** Our connection is cut: a listener serves the next; an initiator whose program we started has not crashed, which the end of the case tells. */
export async function goneAnd(peer: Peer): Promise<string> {
  peer.connection.destroy()
  if (peer.target === 'initiator') return 'gone'
  await (await peer.another()).expectAlive()
  return 'the next connection is served'
}

/** A session as any other, up to its end: all data frames that the target sent, in order, on all channels. */
export async function ordinary(peer: Peer): Promise<readonly DataFrame[]> {
  return peer.target === 'listener' ? visit(peer) : serve(peer)
}

/** Bodies of an ordinary visit: shorter and longer than a window, empty, and one that looks like frames. */
const BODIES = ['hello', '', 'x'.repeat(6000), 'END\r\nRPY 1 0 . 0 0\r\nEND\r\n', 'y']

async function visit(peer: Peer): Promise<readonly DataFrame[]> {
  const channel = await peer.channel()
  const frames = [...(await pipelined(peer, channel, BODIES))]
  for (const element of [
    `<start number='${peer.number()}'><profile uri='${NOWHERE}' /></start>`,
    `<close number='${channel}' code='200' />`,
  ]) {
    const msgno = peer.next()
    peer.manage(`MSG ${msgno}`, element)
    frames.push(...(await peer.reply(0, msgno)).frames)
  }
  return frames
}

/** Sends messages 0, 1 … without waiting for replies, and gives all frames of the replies in the order in which they came. Each has to be an echo. */
export async function pipelined(
  peer: Peer,
  channel: number,
  bodies: readonly (Uint8Array | string)[],
): Promise<readonly DataFrame[]> {
  for (const [msgno, body] of bodies.entries()) await peer.message(channel, msgno, plain(body))
  const frames: DataFrame[] = []
  for (let whole = 0; whole < bodies.length; ) {
    const frame = await peer.take(
      (each) => each.keyword !== 'MSG' && each.channel === channel,
      `${bodies.length - whole} of ${bodies.length} replies`,
    )
    frames.push(frame)
    if (!frame.more) whole++
  }
  for (const [msgno, body] of bodies.entries()) {
    const own = frames.filter((each) => each.msgno === msgno)
    const said = replied({ keyword: wordOf(own), payload: Buffer.concat(own.map(({ payload }) => payload)) }, body)
    if (said !== 'echoed') throw new Failure(`MSG ${msgno} did not come back: ${said}`)
  }
  return frames
}

function wordOf(frames: readonly DataFrame[]): string {
  const words = new Set(frames.map(({ keyword }) => keyword))
  if (words.size === 0) throw new Failure('one MSG was answered twice, and another not at all')
  if (words.size > 1) throw new Failure(`one reply is made of ${[...words].join(' and ')}`)
  return [...words].join()
}

/** Most messages that an initiator under test is served. */
const MAX_SERVED = 200

async function serve(peer: Peer): Promise<readonly DataFrame[]> {
  const frames: DataFrame[] = []
  const growing = new Map<number, Buffer[]>()
  await peer.greet()
  for (let served = 0; served < MAX_SERVED; ) {
    const frame = await peer.take(({ keyword }) => keyword === 'MSG', 'a MSG, or <close> of the session')
    const { channel, msgno } = frame
    frames.push(frame)
    growing.set(channel, [...(growing.get(channel) ?? []), frame.payload])
    if (frame.more) continue
    served++
    const payload = Buffer.concat(growing.get(channel) ?? [])
    growing.delete(channel)
    if (channel !== 0) await peer.message(channel, msgno, payload, undefined, 'RPY')
    else if (grant(peer, msgno, payload)) return frames
  }
  throw new Unsupported(`the target sent ${MAX_SERVED} messages and had not released the session`)
}

/** Grants what is asked on channel 0. @returns whether that was the end */
function grant(peer: Peer, msgno: number, payload: Buffer): boolean {
  const element = elementOf(payload)
  if (element.name === 'start') peer.manage(`RPY ${msgno}`, `<profile uri='${escapeXml(peer.profile)}' />`)
  else if (element.name === 'close') peer.manage(`RPY ${msgno}`, '<ok />')
  else throw new Failure(`<${element.name}> is no request on channel 0`)
  return element.name === 'close' && Number(element.attributes.number ?? 0) === 0
}

/** The octets of a start of a profile that nobody has: a question whose answer is known. @returns its msgno, and the frame */
export function question(peer: Peer): { msgno: number; octets: Buffer } {
  const msgno = peer.next()
  const element = `<start number='${peer.number()}'><profile uri='${NOWHERE}' /></start>`
  return { msgno, octets: peer.frame(`MSG 0 ${msgno} .`, Buffer.from(BEEP_XML + element)) }
}

/** @throws Failure when the reader noticed that the target went against a requirement */
export function expectNoFault(peer: Peer, requirement: string): void {
  const fault = peer.faults.find((each) => each.requirement === requirement)
  if (fault !== undefined) throw new Failure(told(fault))
}
