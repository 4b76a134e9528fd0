// Messages on their way out of one channel: queued as messages, cut into frames only when the transport asks for octets.
import { HIGH_WATER } from '../limits.js'
import type { Keyword } from '../wire/frame.js'
import type { FrameWriter } from '../wire/frame-writer.js'
import type { Channel } from './channel.js'
import type { Owed } from './exchange.js'
import { Queue } from './queue.js'
import type { SendWindow } from './window.js'

/** Nothing is ever put into it. */
const NO_PIECES: Uint8Array[] = []
const NOTHING = new Uint8Array(0)

/** One message on its way out. */
export class OutgoingMessage {
  readonly keyword: Keyword
  readonly channel: Channel
  readonly msgno: number
  readonly ansno: number
  /** The request that this replies to. */
  readonly owed: Owed | undefined
  /** Payload octets queued and not yet cut. */
  queued = 0
  /** Nothing more will be written. */
  ended = false
  /** At least one frame has been cut. */
  started = false
  /** The last frame has been cut. */
  sent = false
  /** Its writer was asked to wait and is told when there is room, or when the message has been cut whole. */
  waiting = false
  /** What the engine does once the last frame has been cut. */
  afterwards: (() => void) | undefined
  #pieces = NO_PIECES
  #head = 0

  constructor(keyword: Keyword, channel: Channel, msgno: number, ansno: number, owed: Owed | undefined) {
    this.keyword = keyword
    this.channel = channel
    this.msgno = msgno
    this.ansno = ansno
    this.owed = owed
  }

  /** Says at once all that there is to say: `payload` is ours from now on. */
  complete(payload: Uint8Array[]): void {
    this.#pieces = payload.every(isSomething) ? payload : payload.filter(isSomething)
    for (const piece of this.#pieces) this.queued += piece.length
    this.ended = true
  }

  write(octets: Uint8Array): void {
    if (octets.length === 0) return
    if (this.#pieces === NO_PIECES) this.#pieces = [octets]
    else this.#pieces.push(octets)
    this.queued += octets.length
  }

  /** Whether its writer should wait before it writes more. */
  get full(): boolean {
    return this.queued >= HIGH_WATER
  }

  /**
   * Drops what has not been cut and ends the message: the peer answered with ERR before it was complete (RFC 3080 §2.6.3),
   * or the channel is gone. What was to follow the whole message does not.
   */
  truncate(): void {
    this.afterwards = undefined
    this.#pieces = NO_PIECES
    this.#head = 0
    this.queued = 0
    this.ended = true
  }

  /** Takes exactly `size` of the queued octets. */
  take(size: number): readonly Uint8Array[] {
    this.queued -= size
    if (size === 0) return NO_PIECES
    const first = this.#pieces[this.#head]!
    if (this.queued === 0 && this.#head === 0) {
      const all = this.#pieces
      this.#pieces = NO_PIECES
      return all
    }
    if (first.length === size) {
      this.#forward()
      return [first]
    }
    const taken: Uint8Array[] = []
    let rest = size
    while (rest > 0) {
      const piece = this.#pieces[this.#head]!
      if (piece.length <= rest) {
        taken.push(piece)
        rest -= piece.length
        this.#forward()
      } else {
        taken.push(piece.subarray(0, rest))
        this.#pieces[this.#head] = piece.subarray(rest)
        rest = 0
      }
    }
    return taken
  }

  /** What has been cut must not be kept alive by what has not: a stream may never run dry before its end. */
  #forward(): void {
    this.#pieces[this.#head++] = NOTHING
    if (this.#head === this.#pieces.length) {
      this.#pieces = NO_PIECES
      this.#head = 0
    } else if (this.#head === 1024) {
      this.#pieces = this.#pieces.slice(this.#head)
      this.#head = 0
    }
  }
}

function isSomething(piece: Uint8Array): boolean {
  return piece.length > 0
}

/**
 * The queue of one channel. Requests and replies share one stream of frames: each message is finished before the next begins
 * (RFC 3080 §2.2.1.1). Answers are sent one after the other, though the RFC would let them interleave: a known peer mixes them up.
 */
export class Outbox extends Queue<OutgoingMessage> {
  /**
   * Takes a message out.
   * @returns false when it is too late for that: it has been started, or a reply to a later MSG stands behind it, and another
   * reply in its place would come out of order (RFC 3080 §2.6.1)
   */
  withdraw(message: OutgoingMessage): boolean {
    if (message.started) return false
    const { owed } = message
    let passed = false
    const later = this.find((each) => {
      passed ||= each === message
      return passed && owed !== undefined && each.owed !== undefined && each.owed !== owed
    })
    return later === undefined && this.remove(message)
  }

  /** Whether a MSG is queued or half sent. */
  get hasRequest(): boolean {
    return this.find(({ keyword }) => keyword === 'MSG') !== undefined
  }
}

/** How many octets of `message` the next frame carries; -1 when no frame can be cut now. Frames without payload need no window (A05). */
export function nextSize(message: OutgoingMessage | undefined, window: SendWindow, limit: number): number {
  if (message === undefined) return -1
  // Only ERR may leave before the request is complete (RFC 3080 §2.6.3).
  if (message.owed !== undefined && !message.owed.complete && message.keyword !== 'ERR') return -1
  const size = Math.min(message.queued, window.usable, limit)
  return size > 0 || (message.ended && message.queued === 0) ? size : -1
}

/** Cuts one frame of `size` octets. @returns whether it was the last of its message */
export function cut(message: OutgoingMessage, size: number, window: SendWindow, writer: FrameWriter): boolean {
  const last = message.ended && size === message.queued
  writer.frame(
    message.keyword,
    message.channel.number,
    message.msgno,
    !last,
    window.next,
    size,
    message.ansno,
    message.take(size),
  )
  window.sent(size)
  message.started = true
  message.sent = last
  return last
}
