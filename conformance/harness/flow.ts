// What the cases about flow control share: a target that has more to say than its window holds, and what it says when the window opens.
import { Buffer } from 'node:buffer'
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { advance, distance } from '../../src/beep/seqno.js'
import { Failure, Unsupported } from './failure.js'
import { plain } from './framing.js'
import { elementOf, type Peer } from './peer.js'
import type { DataFrame, SeqFrame } from './reader.js'

/** A window that holds whatever a case makes a target say. */
export const WIDE = 1_000_000
/** Payload of the message that `stalled` makes a listener send back: two windows, so that one which hands on as it reads needs no credit to take it. */
const TWO_WINDOWS = 2 * INITIAL_WINDOW

/** A message of the target that does not fit in the window which it was given. */
export interface Stalled {
  readonly channel: number
  readonly keyword: 'RPY' | 'MSG'
  readonly msgno: number
  /** Right edge that the target has run into. */
  readonly edge: number
  /** What comes back, where the target is a listener. */
  readonly body: Buffer | undefined
}

/** Octets that all differ from their neighbours, so that a wrong order shows. */
export function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31 + Math.floor(at / 251)) % 256))
}

/**
 * Lets the target begin a message that its window does not hold: a listener sends ours back, an initiator sends its own. Nothing is credited from here on.
 * @throws Unsupported when the target begins none
 */
export async function stalled(peer: Peer, channel?: number): Promise<Stalled> {
  return peer.target === 'listener' ? stallReply(peer, channel) : stallRequest(peer)
}

async function stallReply(peer: Peer, given: number | undefined): Promise<Stalled> {
  peer.credits = false
  const channel = given ?? (await peer.channel())
  const body = pattern(TWO_WINDOWS - 2)
  await peer.message(channel, 0, plain(body))
  await filled(peer, channel, INITIAL_WINDOW)
  if (peer.received(channel) === 0) throw new Unsupported('it sends nothing of a reply that the window does not hold whole')
  return { channel, keyword: 'RPY', msgno: 0, edge: INITIAL_WINDOW, body }
}

async function stallRequest(peer: Peer): Promise<Stalled> {
  peer.credits = false
  const channel = await peer.channel()
  let edge = INITIAL_WINDOW
  const requests = () => dataOf(peer).filter((each) => each.channel === channel && each.keyword === 'MSG')
  const full = () => peer.received(channel) === edge
  for (;;) {
    const whole = () => requests().some(({ more }) => !more)
    const closes = () => dataOf(peer).some((each) => each.channel === 0 && each.keyword === 'MSG')
    const seen = await peer.connection.until(() => whole() || full() || closes())
    if (whole()) {
      const { msgno, payload } = await peer.asked(channel)
      if (full()) {
        peer.seq(channel, edge, INITIAL_WINDOW)
        edge = advance(edge, INITIAL_WINDOW)
      }
      await peer.message(channel, msgno, payload, undefined, 'RPY')
    } else if (full()) return { channel, keyword: 'MSG', msgno: requests()[0]?.msgno ?? 0, edge, body: undefined }
    else if (closes()) throw new Unsupported('it sends no message that is larger than a window')
    else if (!seen) throw new Unsupported('it sends nothing of a message that the window does not hold whole')
    else throw new Failure(`the target ended the connection (${peer.connection.ending})`)
  }
}

/** Data frames that nobody has taken. */
function dataOf(peer: Peer): DataFrame[] {
  return peer.connection.heard.filter((each) => each.kind === 'data')
}

/** Waits until the target has used a window up to its right edge, has ended its message, or has let patience run out. */
export async function filled(peer: Peer, channel: number, edge: number): Promise<void> {
  const last = () => dataOf(peer).some((each) => each.channel === channel && !each.more)
  await peer.connection.until(() => peer.received(channel) === edge || last())
}

/**
 * A SEQ that moves the right edge to `edge`: the target goes on, and not beyond.
 * @returns in words how it uses the window
 */
export async function expectUpTo(peer: Peer, channel: number, ackno: number, edge: number): Promise<string> {
  peer.seq(channel, ackno, distance(ackno, edge))
  await filled(peer, channel, edge)
  return expectStill(peer, channel, edge)
}

/** The target sends nothing beyond the edge of its window. @returns in words how it uses the window, which it may do as it likes (RFC 3081 §3.1.2) */
export async function expectStill(peer: Peer, channel: number, edge: number): Promise<string> {
  await peer.expectAlive()
  const unused = distance(peer.received(channel), edge)
  if (unused > 0x7fff_ffff) throw new Failure(`the window ends at ${edge}, and octets up to ${peer.received(channel)} came`)
  const last = dataOf(peer).some((each) => each.channel === channel && !each.more)
  return unused === 0 || last ? 'it uses its window to the last octet' : `it leaves ${unused} octets of its window unused`
}

/** Opens the window wide; the message has to come to its end, and, when it is an echo, to be right. */
export async function finish(peer: Peer, held: Stalled): Promise<void> {
  peer.seq(held.channel, peer.received(held.channel), WIDE)
  await whole(peer, held)
}

/** The same, when the window is wide already. */
export async function whole(peer: Peer, { channel, keyword, msgno, body }: Stalled): Promise<void> {
  if (keyword === 'RPY') await peer.echoed(channel, msgno, body ?? '')
  else await peer.asked(channel)
}

/** SEQ frames that came for a channel. */
export function seqsOf(peer: Peer, channel: number): SeqFrame[] {
  return peer.seqs.filter((each) => each.channel === channel)
}

/** What every SEQ of a target keeps to: it acknowledges what was sent, no more, never less than before, and never takes credit back. */
export function expectSound(peer: Peer, channel: number): void {
  let ackno = 0
  let edge = INITIAL_WINDOW
  for (const seq of seqsOf(peer, channel)) {
    const said = `SEQ ${channel} ${seq.ackno} ${seq.window}`
    if (distance(seq.ackno, peer.due(channel)) > 0x7fff_ffff)
      throw new Failure(`${said} came, which acknowledges more than the ${peer.due(channel)} octets that were sent`)
    if (distance(ackno, seq.ackno) > 0x7fff_ffff) throw new Failure(`${said} came after one that acknowledges ${ackno}`)
    const next = advance(seq.ackno, seq.window)
    if (distance(edge, next) > 0x7fff_ffff)
      throw new Failure(`${said} came, whose window ends at ${next}; it was promised up to ${edge}`)
    ackno = seq.ackno
    edge = next
  }
}

/** A request on channel 0 that the target made, as its element; frames of other channels stay. */
export async function requested(peer: Peer, name: string): Promise<{ readonly msgno: number; readonly number: number }> {
  const { msgno, payload } = await peer.asked(0)
  const element = elementOf(payload)
  if (element.name !== name) throw new Unsupported(`the target sends <${element.name}> where <${name}> is awaited`)
  return { msgno, number: Number(element.attributes.number ?? 0) }
}

/** Numbers of whole MSGs of the target that nobody has taken. */
export function outstanding(peer: Peer, channel: number): number[] {
  return peer.connection.heard.flatMap((each) =>
    each.kind === 'data' && each.channel === channel && each.keyword === 'MSG' && !each.more ? [each.msgno] : [],
  )
}
