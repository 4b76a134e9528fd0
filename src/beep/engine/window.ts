// Flow control of one channel in one direction (RFC 3081 §3.1): what the peer may send us, and what we may send the peer.
import { INITIAL_WINDOW } from '../limits.js'
import { advance, distance, precedes } from '../seqno.js'

/** Octets of window beyond the initial one that the channels of a session may still be given together. */
export interface Budget {
  left: number
}

/** What the peer may send. Credit follows consumption, never arrival; the right edge never moves left (RFC 3081 §3.1.4). */
export class ReceiveWindow {
  /** The sequence number of the next payload octet. */
  expected = 0
  #consumed = 0
  #edge = INITIAL_WINDOW
  #edgeBefore = INITIAL_WINDOW
  #size = INITIAL_WINDOW
  /** The peer filled the window to its edge since the last SEQ: the window is what limits it. */
  #limited = false

  /** Octets that the peer may still send. */
  get room(): number {
    return distance(this.expected, this.#edge)
  }

  /** Octets that arrived and were not consumed. */
  get unread(): number {
    return distance(this.#consumed, this.expected)
  }

  /** The window that the next SEQ offers when everything has been consumed. */
  get size(): number {
    return this.#size
  }

  arrive(octets: number): void {
    this.expected = advance(this.expected, octets)
    if (this.expected === this.#edge || this.expected === this.#edgeBefore) this.#limited = true
  }

  /**
   * The application has taken `octets`.
   * @returns whether a SEQ is due: at half a window (RFC 3081 §3.1.4)
   * @throws RangeError when that is more than has arrived
   */
  consume(octets: number, maxWindow: number, budget: Budget): boolean {
    if (octets < 0 || octets > this.unread) throw new RangeError(`Cannot consume ${octets} octets: ${this.unread} are unread`)
    this.#consumed = advance(this.#consumed, octets)
    if (this.#limited && this.unread <= this.#size >>> 2) this.#grow(maxWindow, budget)
    return distance(this.#edge, advance(this.#consumed, this.#size)) >= this.#size >>> 1
  }

  /** Whether a SEQ would say more than the last one. */
  get creditable(): boolean {
    return distance(this.#edge, advance(this.#consumed, this.#size)) > 0
  }

  /** Moves the right edge as far as it may go, and says what the SEQ frame says. */
  seq(): { ackno: number; window: number } {
    this.#edgeBefore = this.#edge
    this.#edge = advance(this.#consumed, this.#size)
    return { ackno: this.expected, window: this.room }
  }

  /** Gives back what growth took from the session's budget. */
  release(budget: Budget): void {
    budget.left += this.#size - INITIAL_WINDOW
  }

  /** The reader keeps up and the window is what limits the sender: twice as much, as far as the channel and the session allow. */
  #grow(maxWindow: number, budget: Budget): void {
    this.#limited = false
    const more = Math.min(this.#size, maxWindow - this.#size, budget.left)
    if (more <= 0) return
    this.#size += more
    budget.left -= more
  }
}

/** What we may send. */
export class SendWindow {
  /** The sequence number of the next payload octet. */
  next = 0
  #ackno = 0
  #window = INITIAL_WINDOW

  /** Octets that we may send now. A peer that moves its edge left (it should not, RFC 3081 §3.1.4) makes it 0, not negative. */
  get usable(): number {
    return Math.max(0, this.#window - distance(this.#ackno, this.next))
  }

  sent(octets: number): void {
    this.next = advance(this.next, octets)
  }

  /**
   * A SEQ frame came. One that goes back is ignored (A07).
   * @returns false when it acknowledges what was never sent
   */
  update(ackno: number, window: number): boolean {
    if (distance(this.#ackno, ackno) > distance(this.#ackno, this.next)) return precedes(ackno, this.#ackno)
    this.#ackno = ackno
    this.#window = window
    return true
  }
}
