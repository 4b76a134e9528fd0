// What both sides have said on the channels of a session: sequence numbers, windows and message numbers; what of it no peer may say, and what of it
// explains to the implementer of a target how a case came to fail.
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { advance, distance } from '../../src/beep/seqno.js'
import type { DataFrame, Fault, SeqFrame } from './reader.js'
import type { Ending } from './results.js'

const MAX_FAULTS = 100
/** Windows above this need more than 16 bits. */
const SIXTEEN_BITS = 65_536

/** One channel, both ways. */
class Page {
  /** The seqno that is due next from us. */
  due = 0
  /** How far we may send, and how far the target may. */
  room = INITIAL_WINDOW
  granted = INITIAL_WINDOW
  /** Octets that came from the target, modulo 2^32. */
  received = 0
  /** Our last SEQ. */
  seq: SeqFrame | undefined
  /** Our last frame, if it filled the window and nothing came for the channel since. */
  filled: string | undefined
  /** Numbers of MSGs of the target that have no whole reply, and of the one that is unfinished. */
  readonly unanswered = new Set<number>()
  unfinished: number | undefined
}

export class Ledger {
  readonly faults: Fault[] = []
  readonly #pages = new Map<number, Page>()

  /** The seqno that is due next from us. */
  due(channel: number): number {
    return this.#page(channel).due
  }

  /** How many octets the target has room for. */
  room(channel: number): number {
    const { due, room } = this.#page(channel)
    return Math.max(0, signed(due, room))
  }

  /** Octets that were received. */
  received(channel: number): number {
    return this.#page(channel).received
  }

  /** Octets that the target may still send; below 0 when it sent too many. */
  left(channel: number): number {
    const { received, granted } = this.#page(channel)
    return signed(received, granted)
  }

  /** Channel `number` was closed: both sides count anew. */
  forget(number: number): void {
    this.#pages.delete(number)
  }

  /** The session was tuned: all channels are closed. */
  restart(): void {
    this.#pages.clear()
  }

  /** A frame of ours: `MSG 1 0 .`, its seqno and the size of its payload. */
  sent(head: string, seqno: number, size: number): void {
    const [keyword, channel, msgno, more] = head.split(' ')
    const page = this.#page(Number(channel))
    page.due = advance(seqno, size)
    page.filled = size > 0 && page.due === page.room ? `${head} ${seqno} ${size}` : undefined
    if (keyword !== 'MSG' && keyword !== 'ANS' && more === '.') page.unanswered.delete(Number(msgno))
  }

  /** A SEQ of ours. */
  credited(channel: number, ackno: number, window: number): void {
    const page = this.#page(channel)
    page.granted = advance(ackno, window)
    page.seq = { kind: 'seq', channel, ackno, window }
  }

  /** A frame of the target. */
  heard(frame: DataFrame | SeqFrame): void {
    const page = this.#page(frame.channel)
    page.filled = undefined
    if (frame.kind === 'seq') {
      page.room = advance(frame.ackno, frame.window)
      return
    }
    const end = advance(frame.seqno, frame.size)
    page.received = end
    if (frame.size > 0 && signed(end, page.granted) < 0)
      this.#fault('R3081-3.1.2-01', `on channel ${frame.channel} octets up to ${end} came, the window ends at ${page.granted}`)
    if (frame.keyword === 'MSG') this.#asked(frame, page)
  }

  /** What explains that the target ended the session, or that it said nothing more. */
  remarks(ending: Ending | undefined): readonly string[] {
    const remarks: string[] = []
    for (const [channel, { filled, seq, received }] of this.#pages) {
      if (filled !== undefined && (ending === 'closed' || ending === 'reset'))
        remarks.push(
          `our frame ${filled} filled the window of channel ${channel} to its last octet, which is within the window (RFC 3081 §3.1.2): is it refused because a check is off by one?`,
        )
      if (ending === 'timeout' && seq !== undefined && seq.window >= SIXTEEN_BITS) {
        const low = seq.window % SIXTEEN_BITS
        if (received === advance(seq.ackno, low))
          remarks.push(
            `on channel ${channel} ${low} octets came on our SEQ ${channel} ${seq.ackno} ${seq.window}, and ${low} is what 16 bits hold of its window: a window has up to 2147483647 octets (RFC 3081 §3.1.3)`,
          )
      }
    }
    return remarks
  }

  #asked({ channel, msgno, more }: DataFrame, page: Page): void {
    if (page.unfinished !== msgno && page.unanswered.has(msgno))
      this.#fault(
        'R3080-2.2.1.1-06',
        `a second MSG ${channel} ${msgno} came before the first had its whole reply: which of the two a reply is for cannot be told`,
      )
    page.unanswered.add(msgno)
    page.unfinished = more ? msgno : undefined
  }

  #fault(requirement: string, detail: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push({ requirement, detail })
  }

  #page(channel: number): Page {
    const page = this.#pages.get(channel) ?? new Page()
    this.#pages.set(channel, page)
    return page
  }
}

/** How far it is from one sequence number to another; below 0 when that is behind. */
function signed(from: number, to: number): number {
  return distance(from, to) | 0
}
