// What the parts of the engine share: the channels, their counts and credit, the queue of events, and the end of the session.
import type { ProtocolError } from '../errors.js'
import { type Limits, MAX_CLOSED_REMEMBERED, MAX_SESSION_REPLIES } from '../limits.js'
import { Channel } from './channel.js'
import type { Event } from './events.js'
import { type Load, noLoad } from './exchange.js'
import type { OutgoingMessage } from './outbox.js'
import { Queue } from './queue.js'
import { Scheduler } from './scheduler.js'
import { Traffic } from './traffic.js'
import type { Budget } from './window.js'

/** Who opened the session and who awaited it (RFC 3080 §2.1). */
export type Role = 'initiator' | 'listener'

export class Core {
  readonly role: Role
  readonly limits: Limits
  /** Channel 0, which stands outside of `channels`. */
  readonly zero: Channel
  readonly channels = new Map<number, Channel>()
  readonly scheduler: Scheduler
  /** Everything that passed, on channel 0 too. */
  readonly traffic = new Traffic()
  /** How the session ended; undefined while it lives. */
  over: 'released' | 'terminated' | undefined
  /** Told when something ended on a channel: perhaps a close may be said or answered now. */
  management: { progress(channel: Channel): void } | undefined
  readonly #load: Load = noLoad()
  readonly #budget: Budget
  /** Channels with credit that is not worth a SEQ of its own yet. */
  readonly #creditKept = new Set<Channel>()
  readonly #closed = new Set<number>()
  readonly #events = new Queue<Event>()

  constructor(role: Role, limits: Limits) {
    this.role = role
    this.limits = limits
    this.#budget = { left: limits.maxSessionWindow }
    this.zero = new Channel(0, '', true, noLoad(), this.traffic, limits)
    this.scheduler = new Scheduler(this.zero, limits.frameSize, this)
  }

  // Events

  emit(event: Event): void {
    this.#events.push(event)
  }

  takeEvent(): Event | undefined {
    return this.#events.shift()
  }

  get hasEvent(): boolean {
    return this.#events.length > 0
  }

  // Channels

  /** @throws RangeError when there is no such channel */
  existing(number: number): Channel {
    const channel = number === 0 ? this.zero : this.channels.get(number)
    if (channel === undefined) throw new RangeError(`There is no channel ${number}`)
    return channel
  }

  open(number: number, profile: string, born: boolean): Channel {
    const channel = new Channel(number, profile, born, this.#load, this.traffic, this.limits)
    this.channels.set(number, channel)
    return channel
  }

  /** The reply that creates the channel has left: what waits on it may follow. */
  bear(channel: Channel): void {
    channel.born = true
    this.scheduler.touch(channel)
  }

  forget(channel: Channel): void {
    this.channels.delete(channel.number)
    // Many may be opened and closed before credit is said again: none of them is kept for that.
    this.#creditKept.delete(channel)
    channel.receiving.release(this.#budget)
    for (const message of channel.abandon()) this.wake(message)
    this.#closed.add(channel.number)
    if (this.#closed.size > MAX_CLOSED_REMEMBERED) this.#closed.delete(this.#closed.values().next().value!)
  }

  /** Whether the channel was closed a moment ago: a SEQ for it may have crossed our `<ok/>` (A09). */
  closedLately(number: number): boolean {
    return this.#closed.has(number)
  }

  // Counts and credit

  /** Exchanges of data channels under way and messages queued there. */
  get load(): Readonly<Load> {
    return this.#load
  }

  /** Nothing is outstanding or queued on any data channel. */
  get settled(): boolean {
    const { asked, owed, queued } = this.#load
    return asked + owed + queued === 0
  }

  queue(message: OutgoingMessage): void {
    message.channel.push(message)
    this.scheduler.touch(message.channel)
  }

  /** Octets of the channel have been taken: perhaps a SEQ is due; if not, it will be when the channel rests. */
  credit(channel: Channel, octets: number): void {
    const owed = channel.prepaid === 0 ? octets : channel.payFrom(octets)
    if (owed === 0) return
    if (channel.receiving.consume(owed, this.limits.maxWindow, this.#budget)) this.scheduler.credit(channel)
    else if (!channel.creditKept) {
      channel.creditKept = true
      this.#creditKept.add(channel)
    }
  }

  /** Whether a channel has credit for the peer that is not worth a SEQ of its own yet. */
  get keepsCredit(): boolean {
    return this.#creditKept.size > 0
  }

  /** Says it all the same. */
  sayCredit(): void {
    for (const channel of this.#creditKept) {
      channel.creditKept = false
      if (channel.receiving.creditable) this.scheduler.credit(channel)
    }
    this.#creditKept.clear()
  }

  /** Whether who writes the message should wait: enough of it is queued; or enough of all replies together, and something of this one. */
  pressed(message: OutgoingMessage): boolean {
    if (message.full) return true
    return this.#load.replies > MAX_SESSION_REPLIES && message.keyword !== 'MSG' && message.queued > 0
  }

  /** Some of the message has been cut, or the rest of it is not wanted: if its writer waits, it may go on. */
  wake(message: OutgoingMessage): void {
    if (!message.waiting || (!message.sent && this.pressed(message))) return
    message.waiting = false
    this.emit({ type: 'drain', message })
  }

  /** The last frame of the message has been cut. */
  sent(message: OutgoingMessage): void {
    const { channel } = message
    if (message.keyword === 'MSG') channel.exchanges.sent()
    else if (message.owed?.answered && message.keyword !== 'ANS') channel.exchanges.replied(message.owed)
    this.wake(message)
    message.afterwards?.()
    this.progress(channel)
  }

  /** Something ended on the channel, or its state changed. */
  progress(channel: Channel): void {
    // By far the most usual: nobody is closing anything.
    if (isUntroubled(channel) && isUntroubled(this.zero)) return
    this.management?.progress(channel)
    if (channel !== this.zero) this.management?.progress(this.zero)
  }

  // The end

  /** The session ends by agreement, or because it never began; what is queued does not leave any more. */
  finish(): void {
    this.over = 'released'
    this.scheduler.silent = true
  }

  terminate(by: 'us' | 'peer', error: ProtocolError | undefined): void {
    this.over = 'terminated'
    this.scheduler.silent = true
    this.emit({ type: 'terminated', by, error })
  }
}

function isUntroubled({ state, closeWanted }: Channel): boolean {
  return state === 'open' && closeWanted === undefined
}
