// One channel as the engine sees it: where it is in its life, its two windows, its exchanges, and what waits to be sent on it.
import type { Limits } from '../limits.js'
import { Exchanges, type Load } from './exchange.js'
import { Outbox, type OutgoingMessage } from './outbox.js'
import type { ChannelState } from './states.js'
import { Traffic } from './traffic.js'
import { ReceiveWindow, SendWindow } from './window.js'

export class Channel {
  readonly number: number
  /** The URI of its profile; `''` for channel 0. */
  readonly profile: string
  state: ChannelState = 'open'
  /** The reply that creates it has been cut: before that, neither SEQ nor data may leave for it, and none may come (RFC 3081 §3.1.3). */
  born: boolean
  /** The `<close>` with which we mean to close it, once every MSG of ours has been acknowledged. */
  closeWanted: Uint8Array | undefined
  readonly receiving = new ReceiveWindow()
  readonly sending = new SendWindow()
  readonly outbox = new Outbox()
  readonly exchanges: Exchanges
  readonly load: Load
  readonly traffic: Traffic
  /** Channels of higher priority send first. */
  priority = 0
  /** Octets of a body that were credited before anyone knew that they were not entity headers. */
  prepaid = 0
  /** Payload octets that wait in the outbox. */
  waiting = 0
  /** It stands in the scheduler's queue of channels with something to send. */
  ready = false
  /** It stands in the scheduler's list of channels that owe a SEQ. */
  creditDue = false
  /** It has credit for the peer that is not worth a SEQ of its own yet. */
  creditKept = false

  constructor(number: number, profile: string, born: boolean, load: Load, traffic: Traffic, limits: Limits) {
    this.number = number
    this.profile = profile
    this.born = born
    this.load = load
    this.traffic = new Traffic(traffic)
    this.exchanges = new Exchanges(load, limits)
  }

  push(message: OutgoingMessage): void {
    this.outbox.push(message)
    this.load.queued++
    this.count(message, message.queued)
    if (message.keyword === 'MSG') this.load.unacknowledged++
  }

  /** The first message of the outbox has left whole. */
  shift(): void {
    this.outbox.shift()
    this.load.queued--
  }

  /** So many octets of the message wait more than before. */
  count(message: OutgoingMessage, octets: number): void {
    this.waiting += octets
    if (message.keyword !== 'MSG') this.load.replies += octets
  }

  /** So many wait no longer. Not `count(message, -octets)`: adding -0 turns a small integer into a double, and the class of all channels with it. */
  discount(message: OutgoingMessage, octets: number): void {
    this.waiting -= octets
    if (message.keyword !== 'MSG') this.load.replies -= octets
  }

  /** Takes back a message of which nothing has left. @returns false when it is too late for that */
  withdraw(message: OutgoingMessage): boolean {
    if (!this.outbox.withdraw(message)) return false
    this.load.queued--
    this.discount(message, message.queued)
    if (message.keyword === 'MSG') this.load.unacknowledged--
    message.ended = true
    return true
  }

  /** It is closed: what waits never leaves. @returns that */
  abandon(): OutgoingMessage[] {
    const left = this.outbox.clear()
    this.exchanges.abandon()
    this.load.queued -= left.length
    for (const message of left) {
      this.discount(message, message.queued)
      message.truncate()
    }
    return left
  }

  /** @returns how many of `octets` are to be credited, after what was credited in advance */
  payFrom(octets: number): number {
    const paid = Math.min(this.prepaid, octets)
    this.prepaid -= paid
    return octets - paid
  }

  /** Nothing is outstanding in either direction and nothing waits: what §2.3.1.3 asks for before `<ok/>`. */
  get settled(): boolean {
    return this.outbox.length === 0 && this.exchanges.idle
  }

  /** Every MSG of ours has left and has at least the first frame of its reply: what §2.3.1.3 asks for before `<close>`. */
  get acknowledged(): boolean {
    return !this.outbox.hasRequest && this.exchanges.acknowledged
  }
}
