// One MSG of ours and its reply, as users hold it (RFC 3080 §2.1.1).

import type { OutgoingMessage } from './engine/outbox.js'
import { Queue } from './engine/queue.js'
import { ReplyError } from './errors.js'
import { MAX_ERR } from './limits.js'
import type { InboundMessage, Message } from './message.js'
import type { Writers } from './outbound.js'
import { Wake } from './wake.js'
import { ElementError, parseElement } from './wire/elements.js'
import { isBeepXml } from './wire/entity.js'
import type { Keyword } from './wire/frame.js'

/**
 * One MSG and its reply. Iterating yields one RPY, or each ANS until the NUL; an ERR throws ReplyError. Whoever leaves the iteration takes no more: what
 * still comes is passed over, for BEEP has no word that stops a reply. The peer's handler hears of it when the channel is closed.
 */
export interface Exchange extends AsyncIterable<Message> {
  /** The number of the MSG (§2.2.1.1). */
  readonly msgno: number
  /** The MSG has been handed to the transport: whole, or as far as it went when an ERR came before its end (§2.6.3). */
  readonly sent: Promise<void>
  /** The reply of a one-to-one exchange. @throws ReplyError for ERR; TypeError when answers come instead: iterate then */
  reply(): Promise<Message>
}

export class OutboundExchange implements Exchange {
  readonly msgno: number
  readonly #arrived = new Queue<InboundMessage>()
  /** Messages of the reply in progress, by answer number. */
  #inProgress: Map<number, InboundMessage> | undefined
  readonly #message: OutgoingMessage
  readonly #writers: Writers
  #style: Keyword | undefined
  #ended = false
  #error: Error | undefined
  /** Nobody wants the reply any more: it is drained. */
  #abandoned = false
  /** Made when somebody waits for more than the one reply. */
  #wake: Wake | undefined
  /** Answers that hold no window and that nobody has taken. */
  #weightless: Set<InboundMessage> | undefined
  /** Who awaits the one reply. */
  #awaiting: { resolve(message: Message): void; reject(error: unknown): void } | undefined
  /** Told once when no more of the reply will come. */
  onEnd: (() => void) | undefined

  constructor(message: OutgoingMessage, writers: Writers) {
    this.msgno = message.msgno
    this.#message = message
    this.#writers = writers
  }

  get sent(): Promise<void> {
    return this.#writers.sent(this.#message).catch((error) => {
      throw this.#error ?? error
    })
  }

  // What the session does

  /** A message of the reply begins. */
  arrive(keyword: Keyword, ansno: number, message: InboundMessage, last: boolean): void {
    this.#style = keyword
    if (!last) {
      this.#inProgress ??= new Map()
      this.#inProgress.set(ansno, message)
    }
    // It may have come before the MSG had left whole (§2.6.3).
    if (keyword === 'ERR') this.#writers.drop(this.#message)
    if (this.#abandoned) message.discard()
    else if (keyword === 'RPY' && this.#awaiting !== undefined) {
      // The usual case: somebody awaits the one reply.
      const { resolve } = this.#awaiting
      this.#awaiting = undefined
      this.#end()
      resolve(message.hand())
      this.#wake?.rouse()
      return
    } else if (keyword === 'ERR') {
      void refusal(message).then((error) => this.fail(error))
      return
    } else if (keyword !== 'NUL') {
      this.#arrived.push(message)
      if (message.weightless && keyword === 'ANS') {
        this.#weightless ??= new Set()
        this.#weightless.add(message)
      }
    }
    if (keyword !== 'ANS') this.#end()
    this.#rouse()
  }

  /** More of a message of the reply. @returns the message */
  more(ansno: number, octets: Uint8Array, last: boolean): InboundMessage | undefined {
    const message = this.#inProgress?.get(ansno)
    if (message === undefined) return undefined
    if (last) this.#inProgress?.delete(ansno)
    if (octets.length > 0) this.#weightless?.delete(message)
    message.arrive(octets, last)
    return message
  }

  /** The exchange cannot be completed, or was refused. */
  fail(error: Error): void {
    for (const message of this.#inProgress?.values() ?? []) message.fail(error)
    if (this.#ended) return
    this.#end()
    this.#error ??= error
    this.#rouse()
  }

  /** The user stops waiting: what still comes is drained silently, but for the messages that they hold already. */
  abandon(error: Error): void {
    this.#abandoned = true
    for (const message of this.#arrived.clear()) message.discard()
    this.#weightless?.clear()
    for (const message of this.#inProgress?.values() ?? []) if (!message.handed) message.discard()
    if (this.#error === undefined) {
      this.#error = error
      this.#rouse()
    }
  }

  /** The MSG was taken back: there is no exchange. */
  cancel(error: Error): void {
    this.abandon(error)
    this.#end()
  }

  /** Answers that wait to be taken and cost the peer no window. */
  get free(): number {
    return this.#weightless?.size ?? 0
  }

  // What the user does

  reply(): Promise<Message> {
    if (this.#awaiting !== undefined || this.#settled()) return this.#something().then(() => this.#outcome())
    // The usual case costs one promise: what comes settles it.
    return new Promise((resolve, reject) => {
      this.#awaiting = { resolve, reject }
    })
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return {
      next: async () => {
        // Of two that wait, one takes what comes, and the other waits on.
        for (;;) {
          await this.#something()
          const message = this.#next()
          if (message !== undefined) return { done: false, value: message }
          if (this.#error !== undefined) throw this.#error
          if (this.#ended) return { done: true, value: undefined }
        }
      },
      return: async () => {
        this.abandon(new TypeError('The iteration over this exchange was left'))
        return { done: true, value: undefined }
      },
    }
  }

  #next(): InboundMessage | undefined {
    const message = this.#arrived.shift()
    if (message === undefined) return undefined
    this.#weightless?.delete(message)
    return message.hand()
  }

  #end(): void {
    this.#ended = true
    this.onEnd?.()
  }

  /** The one reply, once something has come. */
  #outcome(): Message {
    if (this.#style === 'ANS' || this.#style === 'NUL') {
      this.abandon(new TypeError('The reply was discarded'))
      throw new TypeError(
        `The peer answers one-to-many (${this.#style}): iterate over the exchange instead of awaiting one reply`,
      )
    }
    const message = this.#next()
    if (message !== undefined) return message
    throw this.#error !== undefined ? this.#error : new TypeError('The reply of this exchange has been taken already')
  }

  /** There is a message, an error or the end. */
  #settled(): boolean {
    return this.#arrived.length > 0 || this.#ended || this.#error !== undefined
  }

  #rouse(): void {
    const awaiting = this.#awaiting
    if (awaiting !== undefined && this.#settled()) {
      this.#awaiting = undefined
      try {
        awaiting.resolve(this.#outcome())
      } catch (error) {
        awaiting.reject(error)
      }
    }
    this.#wake?.rouse()
  }

  async #something(): Promise<void> {
    while (!this.#settled()) {
      this.#wake ??= new Wake()
      await this.#wake.wait()
    }
  }
}

/** What an ERR says: its `<error>` element (§2.3.1.5), or its text when the profile has a form of its own. */
async function refusal(message: InboundMessage): Promise<ReplyError> {
  let body: Buffer
  try {
    body = await message.bytes(MAX_ERR)
  } catch (error) {
    return new ReplyError(550, 'the refusal could not be read', { cause: error })
  }
  if (isBeepXml(message.headers)) {
    try {
      const element = parseElement(body)
      if (element.name === 'error') return new ReplyError(element.code, element.text, { lang: element.lang })
    } catch (error) {
      if (!(error instanceof ElementError)) throw error
    }
  }
  return new ReplyError(550, body.toString('utf8'))
}
