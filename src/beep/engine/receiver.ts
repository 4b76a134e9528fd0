// Frames to events: what may be refused is refused at the header, before one octet of payload is held.
import { ProtocolError } from '../errors.js'
import { EntityReader, type Headers, NO_HEADERS, splitEntity } from '../wire/entity.js'
import { type DataHeader, formatHeader, type Keyword, type SeqFrame } from '../wire/frame.js'
import { FrameReader } from '../wire/frame-reader.js'
import { join } from '../wire/octets.js'
import type { Channel } from './channel.js'
import type { ChannelZero } from './channel-zero.js'
import type { Core } from './core.js'
import type { Event } from './events.js'
import type { Incoming } from './exchange.js'

const NOTHING = new Uint8Array(0)
/** Octets of CR LF. */
const EMPTY_LINE = 2
const GREETS: ReadonlySet<Keyword> = new Set(['RPY', 'ERR'])

export class Receiver {
  readonly #core: Core
  readonly #management: ChannelZero
  readonly #reader = new FrameReader()
  // The frame that is coming in.
  #channel: Channel | undefined
  #incoming: Incoming | undefined
  #more = false
  /** Of a message that begins in it, the empty line has been taken: it has no headers. */
  #bare = false

  constructor(core: Core, management: ChannelZero) {
    this.#core = core
    this.#management = management
  }

  receive(octets: Uint8Array): void {
    this.#reader.receive(octets)
  }

  /** Whether every octet received has been accounted for by whole frames. */
  get betweenFrames(): boolean {
    return this.#reader.betweenFrames
  }

  /**
   * Parses until something has happened; no further than that.
   * @throws ProtocolError when the peer breaks a rule
   */
  next(): Event | undefined {
    const core = this.#core
    while (core.over === undefined && !core.hasEvent) {
      const part = this.#reader.next()
      if (part === undefined) return undefined
      let event: Event | undefined
      if (part === 'header') this.#header(this.#reader.header!)
      else if (part === 'payload') event = this.#payload(this.#reader.payload)
      else if (part === 'end') event = this.#end(NOTHING)
      else this.#seq(this.#reader.seq!)
      // Before whatever it brought about: the last reply on a channel comes before the channel's end.
      if (event !== undefined) return event
    }
    return core.takeEvent()
  }

  #header(header: DataHeader): void {
    const core = this.#core
    const channel = header.channel === 0 ? core.zero : core.channels.get(header.channel)
    if (this.#management.greeting === undefined && (channel !== core.zero || header.msgno !== 0 || !GREETS.has(header.keyword))) {
      throw new ProtocolError('rfc3080/2.3.1.1/greeting-first', formatHeader(header))
    }
    if (channel === undefined || !channel.born) throw new ProtocolError('rfc3080/2.2.1.1/channel-unknown', formatHeader(header))
    const { expected, room } = channel.receiving
    if (header.seqno !== expected)
      throw new ProtocolError('rfc3080/2.2.1.2/seqno', `expected ${expected}, got ${formatHeader(header)}`)
    if (header.size > room)
      throw new ProtocolError('rfc3081/3.1.2/window', `${room} octets are left, got ${formatHeader(header)}`)
    if (channel === core.zero && (header.keyword === 'ANS' || header.keyword === 'NUL')) {
      throw new ProtocolError('rfc3080/6.1/one-to-many', formatHeader(header))
    }
    this.#channel = channel
    this.#more = header.more
    const incoming = channel.exchanges.arrive(header)
    this.#incoming = incoming
    channel.traffic.received(header.size, !header.more)
    // The usual entity, at the cost of no view of it.
    this.#bare = begins(incoming) && this.#reader.takeEmptyLine()
    if (this.#bare) channel.receiving.arrive(EMPTY_LINE)
    if (header.keyword === 'ERR') this.#refusedEarly(channel, incoming)
  }

  /** ERR came before the last frame of our MSG left: one empty frame ends it (§2.6.3). */
  #refusedEarly(channel: Channel, { asked }: Incoming): void {
    const outgoing = asked?.outgoing
    if (outgoing === undefined || outgoing.sent) return
    channel.discount(outgoing, outgoing.queued)
    outgoing.truncate()
    this.#core.wake(outgoing)
    this.#core.scheduler.touch(channel)
  }

  #seq(seq: SeqFrame): void {
    const core = this.#core
    const channel = seq.channel === 0 ? core.zero : core.channels.get(seq.channel)
    const seen = `SEQ ${seq.channel} ${seq.ackno} ${seq.window}`
    if (channel === undefined || !channel.born) {
      if (core.closedLately(seq.channel)) return
      throw new ProtocolError('rfc3081/3.1.3/channel-unknown', seen)
    }
    if (!channel.sending.update(seq.ackno, seq.window)) {
      throw new ProtocolError('rfc3081/3.1.3/ackno', `${channel.sending.next} was the next to be sent, got ${seen}`)
    }
    core.scheduler.touch(channel)
  }

  #payload(piece: Uint8Array): Event | undefined {
    this.#channel!.receiving.arrive(piece.length)
    // Mostly the rest of the frame is there too: then its last piece and its end are one event.
    return this.#reader.takeEnd() ? this.#end(piece) : this.#deliver(piece, false)
  }

  /** The frame is in, and its trailer was right. */
  #end(piece: Uint8Array): Event | undefined {
    const channel = this.#channel!
    const event = this.#deliver(piece, !this.#more)
    // The first frame of a reply is an acknowledgement: a close may have waited for it (§2.3.1.3).
    if (this.#more && (channel.closeWanted ?? this.#core.zero.closeWanted) !== undefined) this.#core.progress(channel)
    return event
  }

  /** Octets of the frame that is coming in; with `last`, its message is complete and the trailer has been checked. */
  #deliver(octets: Uint8Array, last: boolean): Event | undefined {
    const channel = this.#channel!
    const incoming = this.#incoming!
    if (incoming.owed?.ignored) {
      // Seqno and window go on, and so must the credit (§2.6.3).
      this.#core.credit(channel, octets.length + (this.#bare ? EMPTY_LINE : 0))
      this.#bare = false
      if (last) this.#complete(channel, incoming)
      return undefined
    }
    if (this.#bare) {
      this.#bare = false
      return this.#message(channel, incoming, NO_HEADERS, EMPTY_LINE, octets, last)
    }
    if (!incoming.headed) return this.#entity(channel, incoming, octets, last)
    if (octets.length === 0 && !last) return undefined
    if (last) this.#complete(channel, incoming)
    if (channel === this.#core.zero) {
      this.#management.deliver(incoming, undefined, octets, last)
      return undefined
    }
    const { keyword, msgno, ansno } = incoming
    return { type: 'data', channel: channel.number, keyword, msgno, ansno, octets, last }
  }

  /** Entity headers belong to the message, not to a frame: they may be cut anywhere (§2.2). */
  #entity(channel: Channel, incoming: Incoming, octets: Uint8Array, last: boolean): Event | undefined {
    if (incoming.entity === undefined) {
      const whole =
        incoming.keyword === 'NUL'
          ? { headers: NO_HEADERS, body: octets }
          : splitEntity(octets, this.#core.limits.maxEntityHeaders)
      if (whole !== undefined) {
        return this.#message(channel, incoming, whole.headers, octets.length - whole.body.length, whole.body, last)
      }
      incoming.entity = new EntityReader(this.#core.limits.maxEntityHeaders)
    }
    const reader = incoming.entity
    const { held } = reader
    const pieces = reader.push(octets) ?? (last ? reader.finish() : undefined)
    if (pieces === undefined) {
      // What the reader holds is a copy with a limit of its own: credited now, or headers larger than the window would never end.
      this.#core.credit(channel, octets.length)
      return undefined
    }
    incoming.entity = undefined
    const body = join(pieces)
    // From now on the user holds it: what was credited in advance holds window like the rest, or headers would cost a peer nothing.
    channel.prepaid += held
    return this.#message(channel, incoming, reader.headers, held + octets.length - body.length, body, last)
  }

  #message(
    channel: Channel,
    incoming: Incoming,
    headers: Headers,
    overhead: number,
    octets: Uint8Array,
    last: boolean,
  ): Event | undefined {
    incoming.headed = true
    if (last) this.#complete(channel, incoming)
    if (channel === this.#core.zero) {
      this.#core.credit(channel, overhead)
      this.#management.deliver(incoming, headers, octets, last)
      return undefined
    }
    const { keyword, msgno, ansno } = incoming
    return { type: 'message', channel: channel.number, keyword, msgno, ansno, headers, overhead, octets, last }
  }

  #complete(channel: Channel, incoming: Incoming): void {
    channel.exchanges.complete(incoming)
    // A reply that waited for the end of its request may leave now.
    if (incoming.keyword === 'MSG') this.#core.scheduler.touch(channel)
    this.#core.progress(channel)
  }
}

/** Whether the next octet of the message is the first one of its entity. */
function begins({ keyword, headed, entity }: Incoming): boolean {
  return !headed && entity === undefined && keyword !== 'NUL'
}
