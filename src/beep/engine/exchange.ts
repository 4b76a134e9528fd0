// Exchanges of one channel (RFC 3080 §2.1.1): which messages are under way in each direction, and every rule of §2.2.1.1 about
// which frame may come next. The two directions have separate spaces of message numbers (§2.7, A11).
import { ProtocolError } from '../errors.js'
import { type Limits, MAX_NUMBER } from '../limits.js'
import type { EntityReader } from '../wire/entity.js'
import { type DataHeader, formatHeader, type Keyword } from '../wire/frame.js'
import type { OutgoingMessage } from './outbox.js'
import { Queue } from './queue.js'

/** One message on its way in. */
export interface Incoming {
  readonly keyword: Keyword
  readonly msgno: number
  readonly ansno: number
  /** Of a MSG: the reply that it is owed. */
  owed: Owed | undefined
  /** Of a reply: what it replies to. */
  readonly asked: Asked | undefined
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

/** Replies come in the order of their requests (§2.6.1), so exchanges end in the order in which they began: what is under way is a queue. */
export class Exchanges {
  /** Our MSGs, from their first frame on. */
  readonly #asked = new Queue<Asked>()
  /** The peer's MSGs, from their first frame on. */
  readonly #owed = new Queue<Owed>()
  /** So many at the head of those have been answered whole. */
  #answered = 0
  /** One more than the largest number that the peer has used since nothing was owed; one above is not in use, and mostly the next is. */
  #owedBelow = 0
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

  /** How many MSGs of ours are under way, from their first frame on. */
  get asked(): number {
    return this.#asked.length
  }

  /** How many MSGs of the peer are. */
  get owed(): number {
    return this.#owed.length
  }

  /** The MSG of the peer that has this number. */
  owedTo(msgno: number): Owed | undefined {
    return this.#owed.find(({ incoming }) => incoming.msgno === msgno)
  }

  /** A message number that no MSG of ours uses (§2.2.1.1): they are given in turn and become free in turn, and there are 2,147,483,648. */
  allot(): number {
    const msgno = this.#nextMsgno
    this.#nextMsgno = msgno === MAX_NUMBER ? 0 : msgno + 1
    return msgno
  }

  /** Both greetings are replies to a MSG 0 that nobody sent (§2.3.1.1, A18). */
  greetings(): void {
    this.#load.unacknowledged++
    this.ask(this.allot(), undefined)
    this.#owe(0).complete = true
  }

  /** The first frame of a MSG of ours has been cut. */
  ask(msgno: number, outgoing: OutgoingMessage | undefined): void {
    this.#asked.push({ msgno, outgoing, keyword: undefined, incoming: undefined, answers: undefined, replied: false })
    this.#askedBelow = Math.max(this.#askedBelow, msgno + 1)
    this.#load.asked++
  }

  /** The last frame of a MSG of ours has been cut. A number stays in use until its reply is complete as well. */
  sent(): void {
    // One that is replied to before it has left whole is the oldest and the newest: requests and replies come in order.
    if (this.#asked.last?.replied) this.#forgetAsked()
  }

  /** The last frame of a reply of ours has been cut. */
  replied(owed: Owed): void {
    owed.replied = true
    if (owed.complete) this.#forgetOwed(owed)
  }

  /** The oldest MSG of the peer whose reply has not been queued whole: the only one that may be answered next (§2.6.1). */
  get due(): Owed | undefined {
    while (this.#owed.at(this.#answered)?.answered) this.#answered++
    return this.#owed.at(this.#answered)
  }

  /** The reply to a MSG of the peer was taken back: it is due again. */
  reopen(owed: Owed): void {
    owed.answered = false
    this.#answered = Math.min(this.#answered, this.#owed.indexOf(owed))
  }

  /** Whether the first frame of a reply has come for every MSG that we sent: then the channel may be closed (§2.3.1.3). */
  get acknowledged(): boolean {
    return this.#asked.find(({ keyword }) => keyword === undefined) === undefined
  }

  /** Whether a MSG of ours has left, at least in part, and its reply is not complete. */
  get unreplied(): boolean {
    return this.#asked.find(({ replied }) => !replied) !== undefined
  }

  get idle(): boolean {
    return this.#asked.length === 0 && this.#owed.length === 0
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
    const { owed, asked } = incoming
    if (owed !== undefined) {
      owed.complete = true
      if (owed.replied) this.#forgetOwed(owed)
    } else if (asked !== undefined) this.#completeReply(incoming, asked)
  }

  #completeReply(incoming: Incoming, asked: Asked): void {
    if (incoming.keyword === 'ANS') {
      asked.answers?.delete(incoming.ansno)
      return
    }
    asked.replied = true
    if (asked.outgoing === undefined || asked.outgoing.sent) this.#forgetAsked()
  }

  /** The channel is closed: what a peer left unfinished against §2.3.1.3 counts no longer. */
  abandon(): void {
    this.#load.asked -= this.#asked.clear().length
    this.#load.owed -= this.#owed.clear().length
    this.#answered = 0
  }

  #request(header: DataHeader): Incoming {
    const { last } = this.#owed
    // One that is coming in is the last: where a peer has thousands unanswered, its frames must not have them looked through.
    if (last !== undefined && !last.complete && last.incoming.msgno === header.msgno) return last.incoming
    if (header.msgno < this.#owedBelow && this.owedTo(header.msgno) !== undefined)
      throw new ProtocolError('rfc3080/2.2.1.1/msgno-in-use', formatHeader(header))
    const { maxUnanswered } = this.#limits
    if (this.#owed.length >= maxUnanswered || this.#load.owed >= maxUnanswered * 10) {
      throw new ProtocolError('limits/unanswered', `at most ${maxUnanswered} on a channel and ten times as many in the session`)
    }
    return this.#owe(header.msgno).incoming
  }

  #owe(msgno: number): Owed {
    const incoming = begin('MSG', msgno, 0, undefined)
    const owed = { incoming, complete: false, answered: false, replied: false, ignored: false, style: undefined, answers: 0 }
    incoming.owed = owed
    this.#owed.push(owed)
    this.#owedBelow = Math.max(this.#owedBelow, msgno + 1)
    this.#load.owed++
    return owed
  }

  #reply(header: DataHeader): Incoming {
    const asked = this.#asked.first
    if (asked === undefined || asked.msgno !== header.msgno || asked.replied) throw this.#wrongReply(header)
    const before = asked.keyword
    if (header.keyword === 'NUL') checkNul(header, asked)
    else if (before !== undefined && before !== header.keyword) {
      throw new ProtocolError('rfc3080/2.2.1.1/keyword-changed', `it was ${before}, got ${formatHeader(header)}`)
    }
    if (before === undefined) this.#load.unacknowledged--
    asked.keyword = header.keyword
    if (header.keyword === 'ANS') return this.#answer(header, asked)
    asked.incoming ??= begin(header.keyword, header.msgno, 0, asked)
    return asked.incoming
  }

  /** The reply is not to the oldest of our MSGs that has none: to which rule that comes. */
  #wrongReply(header: DataHeader): ProtocolError {
    const asked = this.#asked.find(({ msgno }) => msgno === header.msgno)
    if (asked === undefined) {
      const once = header.msgno < this.#askedBelow
      return new ProtocolError(once ? 'rfc3080/2.2.1.1/reply-again' : 'rfc3080/2.2.1.1/reply-unasked', formatHeader(header))
    }
    if (asked.replied) return new ProtocolError('rfc3080/2.2.1.1/reply-again', formatHeader(header))
    // The peer owes the replies in our order (§2.6.1, A16).
    const detail = `${this.#asked.first!.msgno} is older, got ${formatHeader(header)}`
    return new ProtocolError('rfc3080/2.6.1/reply-order', detail)
  }

  /** Answers in progress are told apart by their number; a number is free again when its answer is complete (§2.2.1.1). */
  #answer(header: DataHeader, asked: Asked): Incoming {
    asked.answers ??= new Map()
    const known = asked.answers.get(header.ansno)
    if (known !== undefined) return known
    if (asked.answers.size >= this.#limits.maxAnswers)
      throw new ProtocolError('limits/answers', `at most ${this.#limits.maxAnswers}`)
    const incoming = begin('ANS', header.msgno, header.ansno, asked)
    asked.answers.set(header.ansno, incoming)
    return incoming
  }

  /** The oldest of ours is over. */
  #forgetAsked(): void {
    this.#asked.shift()
    this.#load.asked--
  }

  #forgetOwed(owed: Owed): void {
    // Not when the channel has been closed meanwhile.
    if (this.#owed.first !== owed) return
    this.#owed.shift()
    if (this.#answered > 0) this.#answered--
    if (this.#owed.length === 0) this.#owedBelow = 0
    this.#load.owed--
  }
}

function begin(keyword: Keyword, msgno: number, ansno: number, asked: Asked | undefined): Incoming {
  return { keyword, msgno, ansno, owed: undefined, asked, entity: undefined, headed: false, empties: 0 }
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
