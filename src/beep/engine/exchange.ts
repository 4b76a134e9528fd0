// Exchanges of one channel (RFC 3080 §2.1.1): which messages are under way in each direction, and every rule of §2.2.1.1 about
// which frame may come next. The two directions have separate spaces of message numbers (§2.7, A11).
import { ProtocolError } from '../errors.js'
import { type Limits, MAX_NUMBER } from '../limits.js'
import type { EntityReader } from '../wire/entity.js'
import { type DataHeader, formatHeader, type Keyword } from '../wire/frame.js'
import type { OutgoingMessage } from './outbox.js'

/** One message on its way in. */
export interface Incoming {
  readonly keyword: Keyword
  readonly msgno: number
  readonly ansno: number
  /** Reads the entity headers while they are not complete; undefined before the first octet. */
  entity: EntityReader | undefined
  /** The entity headers are in: what follows is body. */
  headed: boolean
  /** Frames without payload since the last octet. */
  empties: number
}

/** A MSG of the peer whose reply is owed. */
export interface Owed {
  readonly incoming: Incoming
  /** Its last frame has arrived. */
  complete: boolean
  /** The last frame of its reply has been queued. */
  answered: boolean
  /** The last frame of its reply has been cut. */
  replied: boolean
  /** ERR was given before the last frame arrived: what still comes is ignored (§2.6.3). */
  ignored: boolean
  /** The keyword of the reply so far. */
  style: Keyword | undefined
  /** Answers queued or sent. */
  answers: number
}

/** A MSG of ours whose exchange is not over. */
export interface Asked {
  readonly msgno: number
  readonly outgoing: OutgoingMessage | undefined
  /** The keyword of the previous frame of its reply. */
  keyword: Keyword | undefined
  /** The RPY or ERR that is coming in. */
  incoming: Incoming | undefined
  /** Answers in progress, by number. */
  answers: Map<number, Incoming> | undefined
  /** The reply is complete. */
  replied: boolean
}

/** Counts over all channels that share it: the data channels of a session have one, channel 0 has its own. */
export interface Load {
  /** MSGs of ours whose exchange is not over. */
  asked: number
  /** MSGs of ours, queued ones too, for which not even the first frame of a reply has come. */
  unacknowledged: number
  /** MSGs of the peer whose exchange is not over. */
  owed: number
  /** Messages queued or half sent. */
  queued: number
  /** Octets of replies that wait to be sent. */
  replies: number
}

export function noLoad(): Load {
  return { asked: 0, unacknowledged: 0, owed: 0, queued: 0, replies: 0 }
}

/** An idle channel has no tables of its own: a session may have a hundred thousand. Nothing is ever put into these. */
const NONE_ASKED = new Map<number, Asked>()
const NONE_OWED = new Map<number, Owed>()

export class Exchanges {
  #asked = NONE_ASKED
  #owed = NONE_OWED
  /** The peer's MSGs from the oldest on that has not been answered whole; those at its head that have been are dropped now and then. */
  readonly #unanswered: Owed[] = []
  /** The previous data frame on the channel. SEQ frames do not count. */
  #last: Incoming | undefined
  #lastMore = false
  #nextMsgno: number
  /** One more than the largest number that was ever asked with. */
  #askedBelow = 0
  readonly #load: Load
  readonly #limits: Limits

  /** @param first where our numbers begin: anywhere is lawful, and they go round */
  constructor(load: Load, limits: Limits, first = 0) {
    this.#load = load
    this.#limits = limits
    this.#nextMsgno = first
  }

  /** Our MSGs, from their first frame on, in the order in which replies must come (§2.6.1). */
  get asked(): ReadonlyMap<number, Asked> {
    return this.#asked
  }

  /** The peer's MSGs, from their first frame on, in the order in which we must reply. */
  get owed(): ReadonlyMap<number, Owed> {
    return this.#owed
  }

  /** A message number that no MSG of ours uses (§2.2.1.1). */
  allot(): number {
    while (this.#asked.has(this.#nextMsgno)) this.#nextMsgno = this.#nextMsgno === MAX_NUMBER ? 0 : this.#nextMsgno + 1
    const msgno = this.#nextMsgno
    this.#nextMsgno = msgno === MAX_NUMBER ? 0 : msgno + 1
    return msgno
  }

  /** Both greetings are replies to a MSG 0 that nobody sent (§2.3.1.1, A18). */
  greetings(): void {
    this.#load.unacknowledged++
    this.ask(this.allot(), undefined)
    this.#owe({ keyword: 'MSG', msgno: 0, ansno: 0, entity: undefined, headed: true, empties: 0 }).complete = true
  }

  /** The first frame of a MSG of ours has been cut. */
  ask(msgno: number, outgoing: OutgoingMessage | undefined): void {
    if (this.#asked === NONE_ASKED) this.#asked = new Map()
    this.#asked.set(msgno, { msgno, outgoing, keyword: undefined, incoming: undefined, answers: undefined, replied: false })
    this.#askedBelow = Math.max(this.#askedBelow, msgno + 1)
    this.#load.asked++
  }

  /** The last frame of a MSG of ours has been cut. A number stays in use until its reply is complete as well. */
  asking(msgno: number): void {
    if (this.#asked.get(msgno)?.replied) this.#forgetAsked(msgno)
  }

  /** The last frame of a reply of ours has been cut. */
  replied(owed: Owed): void {
    owed.replied = true
    if (owed.complete) this.#forgetOwed(owed)
  }

  /** The oldest MSG of the peer whose reply has not been queued whole: the only one that may be answered next (§2.6.1). */
  get due(): Owed | undefined {
    this.#dropAnswered()
    return this.#unanswered[0]
  }

  #dropAnswered(): void {
    while (this.#unanswered[0]?.answered) this.#unanswered.shift()
  }

  /** The reply to a MSG of the peer was taken back: it is due again. */
  reopen(owed: Owed): void {
    owed.answered = false
    if (this.#unanswered[0] !== owed) this.#unanswered.unshift(owed)
  }

  /** Whether the first frame of a reply has come for every MSG that we sent: then the channel may be closed (§2.3.1.3). */
  get acknowledged(): boolean {
    for (const asked of this.#asked.values()) if (asked.keyword === undefined) return false
    return true
  }

  /** Whether a MSG of ours has left, at least in part, and its reply is not complete. */
  get unreplied(): boolean {
    for (const asked of this.#asked.values()) if (!asked.replied) return true
    return false
  }

  get idle(): boolean {
    return this.#asked.size === 0 && this.#owed.size === 0
  }

  /**
   * A frame arrives: finds or begins the message it belongs to.
   * @throws ProtocolError for each rule of RFC 3080 §2.2.1.1 that it breaks
   */
  arrive(header: DataHeader): Incoming {
    const last = this.#last
    if (this.#lastMore && last !== undefined) {
      if (last.msgno !== header.msgno || (last.keyword === 'MSG') !== (header.keyword === 'MSG')) {
        throw new ProtocolError(
          'rfc3080/2.2.1.1/interleaved',
          `${last.keyword} ${last.msgno} is unfinished, got ${formatHeader(header)}`,
        )
      }
    }
    const incoming = header.keyword === 'MSG' ? this.#request(header) : this.#reply(header)
    if (header.size > 0 || !header.more) incoming.empties = 0
    else if (++incoming.empties > this.#limits.maxEmptyFrames) {
      throw new ProtocolError('limits/empty-frames', `at most ${this.#limits.maxEmptyFrames}, got ${formatHeader(header)}`)
    }
    this.#last = incoming
    this.#lastMore = header.more
    return incoming
  }

  /** The last frame of `incoming` is in, its trailer checked. */
  complete(incoming: Incoming): void {
    if (incoming.keyword === 'MSG') {
      const owed = this.#owed.get(incoming.msgno)!
      owed.complete = true
      if (owed.replied) this.#forgetOwed(owed)
      return
    }
    const asked = this.#asked.get(incoming.msgno)!
    if (incoming.keyword === 'ANS') {
      asked.answers?.delete(incoming.ansno)
      return
    }
    asked.replied = true
    if (asked.outgoing === undefined || asked.outgoing.sent) this.#forgetAsked(asked.msgno)
  }

  /** The channel is closed: what a peer left unfinished against §2.3.1.3 counts no longer. */
  abandon(): void {
    this.#load.asked -= this.#asked.size
    this.#load.owed -= this.#owed.size
    this.#asked = NONE_ASKED
    this.#owed = NONE_OWED
  }

  #request(header: DataHeader): Incoming {
    const known = this.#owed.get(header.msgno)
    if (known !== undefined) {
      if (known.complete) throw new ProtocolError('rfc3080/2.2.1.1/msgno-in-use', formatHeader(header))
      return known.incoming
    }
    const { maxUnanswered } = this.#limits
    if (this.#owed.size >= maxUnanswered || this.#load.owed >= maxUnanswered * 10) {
      throw new ProtocolError('limits/unanswered', `at most ${maxUnanswered} on a channel and ten times as many in the session`)
    }
    return this.#owe(begin(header)).incoming
  }

  #owe(incoming: Incoming): Owed {
    const owed = { incoming, complete: false, answered: false, replied: false, ignored: false, style: undefined, answers: 0 }
    if (this.#owed === NONE_OWED) this.#owed = new Map()
    this.#owed.set(incoming.msgno, owed)
    this.#unanswered.push(owed)
    this.#load.owed++
    return owed
  }

  #reply(header: DataHeader): Incoming {
    const asked = this.#asked.get(header.msgno)
    if (asked === undefined) {
      const once = header.msgno < this.#askedBelow
      throw new ProtocolError(once ? 'rfc3080/2.2.1.1/reply-again' : 'rfc3080/2.2.1.1/reply-unasked', formatHeader(header))
    }
    if (asked.replied) throw new ProtocolError('rfc3080/2.2.1.1/reply-again', formatHeader(header))
    for (const older of this.#asked.values()) {
      if (older === asked) break
      // The peer owes the replies in our order (§2.6.1, A16).
      if (!older.replied)
        throw new ProtocolError('rfc3080/2.6.1/reply-order', `${older.msgno} is older, got ${formatHeader(header)}`)
    }
    const before = asked.keyword
    if (header.keyword === 'NUL') checkNul(header, asked)
    else if (before !== undefined && before !== header.keyword) {
      throw new ProtocolError('rfc3080/2.2.1.1/keyword-changed', `it was ${before}, got ${formatHeader(header)}`)
    }
    if (before === undefined) this.#load.unacknowledged--
    asked.keyword = header.keyword
    if (header.keyword === 'ANS') return this.#answer(header, asked)
    asked.incoming ??= begin(header)
    return asked.incoming
  }

  /** Answers in progress are told apart by their number; a number is free again when its answer is complete (§2.2.1.1). */
  #answer(header: DataHeader, asked: Asked): Incoming {
    asked.answers ??= new Map()
    const known = asked.answers.get(header.ansno)
    if (known !== undefined) return known
    if (asked.answers.size >= this.#limits.maxAnswers)
      throw new ProtocolError('limits/answers', `at most ${this.#limits.maxAnswers}`)
    const incoming = begin(header)
    asked.answers.set(header.ansno, incoming)
    return incoming
  }

  #forgetAsked(msgno: number): void {
    if (this.#asked.delete(msgno)) this.#load.asked--
  }

  #forgetOwed(owed: Owed): void {
    if (this.#owed.delete(owed.incoming.msgno)) this.#load.owed--
    this.#dropAnswered()
  }
}

function begin(header: DataHeader): Incoming {
  return {
    keyword: header.keyword,
    msgno: header.msgno,
    ansno: header.ansno,
    entity: undefined,
    headed: false,
    empties: 0,
  }
}

function checkNul(header: DataHeader, asked: Asked): void {
  if (header.more || header.size > 0) throw new ProtocolError('rfc3080/2.2.1.1/nul-not-empty', formatHeader(header))
  if (asked.keyword !== undefined && asked.keyword !== 'ANS') {
    throw new ProtocolError('rfc3080/2.2.1.1/nul-after-other', `it was ${asked.keyword}, got ${formatHeader(header)}`)
  }
  if (asked.answers !== undefined && asked.answers.size > 0) {
    throw new ProtocolError(
      'rfc3080/2.2.1.1/nul-unfinished',
      `answers in progress: ${asked.answers.size}, got ${formatHeader(header)}`,
    )
  }
}
