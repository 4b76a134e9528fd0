// Who may speak next (RFC 3081 §3.1.4): every SEQ first, then channel 0, then one frame of each channel that is ready, round and round; a channel
// of higher priority before all of lower.
import { FRAME_ALONE, FRAME_SHARED } from '../limits.js'
import { FrameWriter } from '../wire/frame-writer.js'
import type { Channel } from './channel.js'
import { cut, nextSize, type OutgoingMessage } from './outbox.js'
import { Queue } from './queue.js'

/** The channels of one priority that have something to send, first come first. */
interface Lane {
  readonly priority: number
  readonly channels: Queue<Channel>
}

/** Who is told of frames. Methods of one object, not functions made for each session: what V8 has compiled for one then serves the next, too. */
interface Told {
  /** A frame that was not the last of its message has been cut: its writer may go on. */
  wake(message: OutgoingMessage): void
  /** The last frame of a message has been cut. */
  sent(message: OutgoingMessage): void
}

export class Scheduler {
  /** Nothing leaves any more, not even a SEQ: a tuning message asks for silence (RFC 3080 §3.1.3.1), or the session is over. */
  silent = false
  readonly #writer = new FrameWriter()
  readonly #zero: Channel
  readonly #frameSize: number
  readonly #told: Told
  /** Highest priority first; one lane serves everybody as long as all have one priority. Channel 0 stands in none. */
  readonly #lanes: Lane[] = [{ priority: 0, channels: new Queue() }]
  /** Channels that stand in a lane. */
  #ready = 0
  #creditDue: Channel[] = []

  /** @param frameSize largest payload of a frame, or 0 to adapt it to how many channels are ready */
  constructor(zero: Channel, frameSize: number, told: Told) {
    this.#zero = zero
    this.#frameSize = frameSize
    this.#told = told
  }

  /** Something about the channel changed: if a frame can be cut, it stands in the queue from now on. */
  touch(channel: Channel): void {
    if (channel.ready || !channel.born || channel === this.#zero) return
    if (nextSize(channel.outbox.first, channel.sending, FRAME_SHARED) < 0) return
    channel.ready = true
    this.#ready++
    this.#lane(channel.priority).channels.push(channel)
  }

  /** The channel owes a SEQ; a second debt before it is paid makes no second frame. */
  credit(channel: Channel): void {
    if (channel.creditDue) return
    channel.creditDue = true
    this.#creditDue.push(channel)
  }

  /** Whether `transmit` would give anything. */
  get pending(): boolean {
    if (this.silent) return false
    if (this.#creditDue.length > 0 || this.#ready > 0) return true
    return nextSize(this.#zero.outbox.first, this.#zero.sending, FRAME_SHARED) >= 0
  }

  /** The next octets to write, `budget` of them or a frame more. */
  transmit(budget: number): readonly Uint8Array[] {
    if (this.silent) return []
    const writer = this.#writer
    for (const channel of this.#creditDue) {
      channel.creditDue = false
      if (channel.state === 'closed') continue
      const { ackno, window } = channel.receiving.seq()
      writer.seq(channel.number, ackno, window)
    }
    if (this.#creditDue.length > 0) this.#creditDue = []
    while (writer.octets < budget && !this.silent && (this.#cut(this.#zero) || this.#turn())) {}
    return writer.take()
  }

  /** One frame of the channel whose turn it is. @returns false when none is ready */
  #turn(): boolean {
    if (this.#ready === 0) return false
    const lane = this.#lanes.find(waits)!
    const channel = lane.channels.shift()!
    // Priorities come and go: a lane goes when nobody stands in it, unless it is the only one.
    if (this.#lanes.length > 1 && !waits(lane)) this.#lanes.splice(this.#lanes.indexOf(lane), 1)
    channel.ready = false
    this.#ready--
    this.#cut(channel)
    this.touch(channel)
    return true
  }

  #lane(priority: number): Lane {
    const at = this.#lanes.findIndex((lane) => lane.priority <= priority)
    const known = this.#lanes[at]
    if (known?.priority === priority) return known
    const lane: Lane = { priority, channels: new Queue() }
    this.#lanes.splice(at === -1 ? this.#lanes.length : at, 0, lane)
    return lane
  }

  #cut(channel: Channel): boolean {
    const message = channel.outbox.first
    if (message === undefined) return false
    const limit = this.#frameSize > 0 ? this.#frameSize : this.#ready > 0 ? FRAME_SHARED : FRAME_ALONE
    const size = nextSize(message, channel.sending, limit)
    if (size < 0) return false
    const first = !message.started
    channel.discount(message, size)
    const last = cut(message, size, channel.sending, this.#writer)
    channel.traffic.sent(size, last)
    if (first && message.keyword === 'MSG') channel.exchanges.ask(message.msgno, message)
    if (last) {
      channel.shift()
      this.#told.sent(message)
    } else this.#told.wake(message)
    return true
  }
}

function waits({ channels }: Lane): boolean {
  return channels.length > 0
}
