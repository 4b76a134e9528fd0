// Messages as users hold them: what a peer sent, taken once, credited as it is taken.
import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import type { Gathering, Place } from './gathering.js'
import { EMPTY, kept, Pieces, settled } from './pieces.js'
import { Wake } from './wake.js'
import { contentType, type Headers } from './wire/entity.js'

/**
 * Octets to send. They are sent by reference: do not change them before they have left. A stream is cut into frames as the peer's window
 * opens; one whose rest is not wanted any more, or that cannot be sent at all, is destroyed.
 */
export type Body = string | Uint8Array | AsyncIterable<Uint8Array | string>

/** A body with its MIME entity headers (RFC 3080 §2.2). */
export interface Entity {
  readonly body: Body
  readonly contentType?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export type Outgoing = Body | Entity

/**
 * A message that the peer sent. Its octets are taken once: by one of the readers, or by iterating. One that is longer than the window and is
 * neither read nor let go (`for await … break`, or `stream().destroy()`) holds up its channel.
 */
export interface Message extends AsyncIterable<Uint8Array> {
  /** MIME entity headers, names in lower case. A transfer encoding other than binary is named here and not decoded. */
  readonly headers: Headers
  /** `application/octet-stream` unless the peer said otherwise (RFC 3080 §2.2). */
  readonly contentType: string
  /** Gathers the body. @param limit octets, at most; the session's `maxMessage` by default. @throws RangeError with code `BEEP_ERR_TOO_LARGE` beyond it */
  bytes(limit?: number): Promise<Buffer>
  /** Gathers the body as UTF-8. */
  text(limit?: number): Promise<string>
  /** Gathers the body and parses it as JSON. */
  json(limit?: number): Promise<unknown>
  /** The body as a stream of its octets. */
  stream(): Readable
  /** Lets go of what was not taken, so that the peer may send more: what nobody takes holds its place in the window. */
  discard(): void
}

/** The two functions of a promise of an iteration. */
interface Awaiting {
  resolve(result: IteratorResult<Uint8Array, undefined>): void
  reject(error: unknown): void
}

/** What an arriving message needs of its session. */
export interface Receiving {
  readonly maxMessage: number
  readonly gathering: Gathering
  /** The application has taken `octets`. */
  credit(octets: number): void
}

/** No pieces; nothing is ever put into it. */
const NONE: Uint8Array[] = []

/** A message on its way in. The session writes to it, the user reads from it. */
export class InboundMessage implements Message {
  readonly headers: Headers
  /** Every octet has arrived. */
  complete = false
  readonly #receiving: Receiving
  #pieces = NONE
  #head = 0
  /** Pieces before this one were laid together, or are too large for that. */
  #settled = 0
  #overhead: number
  /** The user holds it: once it is complete it is theirs, whether they look at it or not. */
  #handed = false
  /** Nothing of it holds window any more. */
  #paid = false
  #taken = false
  #discarded = false
  #error: Error | undefined
  /** Who iterates and waits for a piece. */
  #awaiting: Awaiting | undefined
  /** Made when somebody else waits. */
  #wake: Wake | undefined
  /** While it is gathered. */
  #place: Place | undefined

  /** @param overhead octets of entity headers, credited when the message is taken */
  constructor(headers: Headers, overhead: number, receiving: Receiving) {
    this.headers = headers
    this.#overhead = overhead
    this.#receiving = receiving
  }

  get contentType(): string {
    return contentType(this.headers)
  }

  // What the session does

  arrive(octets: Uint8Array, last: boolean): void {
    if (this.#discarded) this.#receiving.credit(octets.length)
    else if (octets.length > 0) {
      // Mostly it is the only one: room for more would cost more than the message.
      if (this.#pieces.length === 0) this.#pieces = [octets]
      else this.#pieces.push(octets)
    }
    if (last) {
      this.complete = true
      if (this.#handed) this.#pay()
      this.#place?.wake.rouse()
    }
    this.#rouse()
  }

  /** The rest will never come. */
  fail(error: Error): void {
    if (this.complete || this.#error !== undefined) return
    this.#error = error
    this.#rouse()
    this.#place?.wake.rouse()
  }

  /** Nobody will take what is left: it is credited as it comes. */
  discard(): void {
    if (this.#discarded) return
    this.acknowledge()
    this.#discarded = true
    // Whoever still reads must not take what is missing for the end.
    if (this.#taken && !(this.complete && this.#pieces.length === 0)) this.#error ??= discarded()
    while (this.#next() !== undefined);
    this.#rouse()
    this.#place?.wake.rouse()
  }

  /** A reply is given to who asked for it: what they do not look at must not stall the channel, so long as it is here whole. */
  hand(): this {
    this.#handed = true
    if (this.complete) this.#pay()
    else this.acknowledge()
    return this
  }

  get handed(): boolean {
    return this.#handed
  }

  /** Whether it holds no window. */
  get weightless(): boolean {
    return this.#pieces.length === 0 && this.#overhead === 0
  }

  /** The message has been handed to somebody: its headers no longer hold window. */
  acknowledge(): void {
    if (this.#overhead > 0) this.#receiving.credit(this.#overhead)
    this.#overhead = 0
  }

  /** Whether views are held that must not outlive the turn. */
  get unsettled(): boolean {
    return this.#settled < this.#pieces.length
  }

  /**
   * The turn ends: what is still held is held for longer. A piece that is a small part of its chunk would pin it, so such pieces are
   * laid together.
   */
  settle(): void {
    // What was taken meanwhile is out of it.
    this.#pieces = settled(this.#pieces.slice(this.#head), Math.max(0, this.#settled - this.#head))
    this.#head = 0
    this.#settled = this.#pieces.length
  }

  // What the user does

  async bytes(limit = this.#receiving.maxMessage): Promise<Buffer> {
    this.#take()
    const only = this.#only(limit)
    if (only !== undefined) return asBuffer(kept(only))
    return (await this.#gather(limit)).join()
  }

  /** Gathers the body, in as many pieces as it came in: for whoever sends it on. @throws as `bytes` does */
  async pieces(): Promise<readonly Uint8Array[]> {
    this.#take()
    return (await this.#gather(this.#receiving.maxMessage)).list()
  }

  async text(limit = this.#receiving.maxMessage): Promise<string> {
    this.#take()
    const only = this.#only(limit)
    return (only === undefined ? (await this.#gather(limit)).join() : asBuffer(only)).toString('utf8')
  }

  async json(limit?: number): Promise<unknown> {
    return JSON.parse(await this.text(limit))
  }

  stream(): Readable {
    return Readable.from(this, { objectMode: false, highWaterMark: 65_536 })
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    this.#take()
    return {
      next: () => this.#iterate(),
      return: async () => {
        this.discard()
        return { done: true, value: undefined }
      },
    }
  }

  #pay(): void {
    if (this.#paid) return
    let octets = this.#overhead
    for (let index = this.#head; index < this.#pieces.length; index++) octets += this.#pieces[index]!.length
    this.#overhead = 0
    this.#paid = true
    if (octets > 0) this.#receiving.credit(octets)
  }

  #take(): void {
    if (this.#taken) throw new TypeError('The body of this message has been taken already')
    if (this.#discarded) throw discarded()
    this.#taken = true
    this.acknowledge()
  }

  /** Takes the whole body at once, when it is here in one piece. */
  takeWhole(): Uint8Array | undefined {
    if (!this.complete || this.#taken || this.#pieces.length !== 1 || this.#head !== 0) return undefined
    this.#take()
    return this.#only()
  }

  /** The whole body when it is here in one piece, or without any: the usual case of small messages. */
  #only(limit = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    if (!this.complete || this.#pieces.length > 1 || this.#head !== 0) return undefined
    if (this.#pieces.length === 0) return EMPTY
    const only = this.#next()!
    if (only.length > limit) throw tooLarge(limit)
    return only
  }

  async #gather(limit: number): Promise<Pieces> {
    const { gathering } = this.#receiving
    const pieces = new Pieces()
    const place = gathering.enter()
    this.#place = place
    try {
      for (;;) {
        const piece = this.#next()
        if (piece === undefined) {
          if (this.#error !== undefined) throw this.#error
          if (this.complete) return pieces
          await this.#more()
          continue
        }
        gathering.add(place, piece.length)
        if (place.octets > limit) {
          this.discard()
          throw tooLarge(limit)
        }
        pieces.push(piece)
        // What comes meanwhile holds window, which is what holds the peer.
        while (!this.#final() && gathering.crowded(place)) await gathering.room(place)
      }
    } finally {
      gathering.leave(place)
      this.#place = undefined
    }
  }

  /** Nothing more of it will come. */
  #final(): boolean {
    return this.complete || this.#discarded || this.#error !== undefined
  }

  /** A piece costs one promise, whether it is here or comes: in TLS there are four of them in 64 KiB. */
  #iterate(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#awaiting !== undefined) return this.#more().then(() => this.#iterate())
    try {
      const result = this.#result()
      if (result !== undefined) return Promise.resolve(result)
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => {
      this.#awaiting = { resolve, reject }
    })
  }

  /** What an iteration gives next; undefined when that has yet to come. */
  #result(): IteratorResult<Uint8Array, undefined> | undefined {
    const value = this.#next()
    if (value !== undefined) return { done: false, value }
    if (this.#error !== undefined) throw this.#error
    return this.complete ? { done: true, value: undefined } : undefined
  }

  #rouse(): void {
    const awaiting = this.#awaiting
    if (awaiting !== undefined) {
      try {
        const result = this.#result()
        if (result !== undefined) {
          this.#awaiting = undefined
          awaiting.resolve(result)
        }
      } catch (error) {
        this.#awaiting = undefined
        awaiting.reject(error)
      }
    }
    this.#wake?.rouse()
  }

  #more(): Promise<void> {
    this.#wake ??= new Wake()
    return this.#wake.wait()
  }

  /** The next piece that is here, credited. */
  #next(): Uint8Array | undefined {
    const piece = this.#pieces[this.#head]
    if (piece === undefined) return undefined
    if (!this.#paid) this.#receiving.credit(piece.length)
    this.#head++
    if (this.#head === this.#pieces.length) {
      this.#pieces = NONE
      this.#head = 0
      this.#settled = 0
    }
    return piece
  }
}

/** More than `limit` octets. Thrown out of a handler it becomes ERR 554. */
export function tooLarge(limit: number): RangeError {
  return Object.assign(new RangeError(`The message is longer than ${limit} octets: take it as a stream, or raise maxMessage`), {
    code: 'BEEP_ERR_TOO_LARGE',
  })
}

function discarded(): TypeError {
  return new TypeError('The rest of this message was discarded: its handler had ended, or nobody waited for it any more')
}

function asBuffer(octets: Uint8Array): Buffer {
  return Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
}
