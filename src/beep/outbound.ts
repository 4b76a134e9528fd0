// Bodies on their way out: a string or octets at once, a stream as fast as the peer's window opens.
import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import type { OutgoingMessage } from './engine/outbox.js'
import { MAX_SESSION_REPLIES } from './limits.js'
import type { LiveSession } from './live-session.js'
import type { Body, Entity, Outgoing } from './message.js'
import { InboundMessage, tooLarge } from './message.js'
import { EMPTY, kept } from './pieces.js'
import { type Deferred, deferred } from './promises.js'
import { type EntityHeaders, formatEntity } from './wire/entity.js'
import type { Keyword } from './wire/frame.js'

/** A message that is being sent. */
export interface Sending {
  readonly message: OutgoingMessage
  /** Of a stream: resolves when it has been read to its end, rejects when it failed before anything left. */
  readonly pumped: Promise<void> | undefined
}

/**
 * Queues a message on a channel.
 * @throws TypeError when `what` is no body or its entity headers are not lawful
 */
export function sendMessage(
  session: LiveSession,
  channel: number,
  keyword: Keyword,
  msgno: number,
  ansno: number,
  what: Outgoing,
): Sending {
  const { body, header } = unwrap(what)
  const whole =
    typeof body === 'string' ? (body === '' ? EMPTY : Buffer.from(body)) : body instanceof Uint8Array ? body : undefined
  if (whole !== undefined) {
    const message = session.engine.send(channel, keyword, msgno, ansno, [header, whole])
    session.schedule()
    return { message, pumped: undefined }
  }
  const message = session.engine.send(channel, keyword, msgno, ansno)
  // Only a Readable can be left while its next piece is awaited.
  const stream = body instanceof ReadableStream ? Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]) : body
  return { message, pumped: pump(session, message, header, stream as AsyncIterable<Uint8Array | string>) }
}

/** Queues a message that came as a reply: with the headers it had, and in as many pieces as it came in. */
export function sendBack(
  session: LiveSession,
  channel: number,
  msgno: number,
  what: InboundMessage,
  pieces: readonly Uint8Array[],
): OutgoingMessage {
  const header = headerOf(what)
  const octets = pieces.reduce((sum, { length }) => sum + length, header.length)
  // What has to wait must not keep the chunks that it came in.
  const own = session.engine.leaves(channel, octets) ? pieces : pieces.map(kept)
  // Mostly there is one, and to spread it costs as much as all the rest here.
  const payload = own.length === 1 ? [header, own[0]!] : [header, ...own]
  const message = session.engine.send(channel, 'RPY', msgno, 0, payload)
  session.schedule()
  return message
}

function headerOf({ headers }: InboundMessage): Uint8Array {
  return headers.size === 0 ? formatEntity() : formatEntity({ headers: Object.fromEntries(headers) })
}

function unwrap(what: Outgoing): { body: Body; header: Uint8Array } {
  if (typeof what === 'string' || what instanceof Uint8Array) return { body: what, header: formatEntity() }
  // A message that came is sent on with the headers it had.
  if (what instanceof InboundMessage) return { body: what, header: headerOf(what) }
  if (isIterable(what)) return { body: what, header: formatEntity() }
  const entity: Partial<Entity> | null = what
  const body = entity?.body
  if (typeof body !== 'string' && !(body instanceof Uint8Array) && !isIterable(body)) {
    throw new TypeError('A body is a string, a Uint8Array, an async iterable of these, or { body, contentType?, headers? }')
  }
  const headers: EntityHeaders = { contentType: entity?.contentType, headers: entity?.headers }
  return { body, header: formatEntity(headers) }
}

function isIterable(value: unknown): value is AsyncIterable<Uint8Array | string> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

/** Lets go of a body that will not be sent, or of the rest of one: a stream is destroyed, a generator returns as soon as it can. */
export function letGo(what: unknown): void {
  // One that fails on its way out fails for nobody.
  void (async () => {
    const body = isEntity(what) ? what.body : what
    if (body instanceof InboundMessage) return body.discard()
    if (body instanceof Readable) body.on('error', () => {})
    return wayOut(body)?.call(body)
  })().catch(() => {})
}

/** What ends a body early: of a Readable, of a ReadableStream of the Web, of a generator. */
function wayOut(body: unknown): ((this: unknown) => unknown) | undefined {
  const { destroy, cancel, return: end } = Object(body) as { destroy?: unknown; cancel?: unknown; return?: unknown }
  return [destroy, cancel, end].find((each) => typeof each === 'function') as ((this: unknown) => unknown) | undefined
}

function isEntity(what: unknown): what is Entity {
  return typeof what === 'object' && what !== null && !(what instanceof InboundMessage) && !isIterable(what) && 'body' in what
}

/** Reads the stream while there is room. When it fails and part of the message has left, no frame can take that back: the session ends. */
async function pump(
  session: LiveSession,
  message: OutgoingMessage,
  header: Uint8Array,
  body: AsyncIterable<Uint8Array | string>,
): Promise<void> {
  const { engine, writers } = session
  writers.read(message, body)
  let begun = false
  // Not before the stream has given something: of one that cannot be opened nothing has left.
  const begin = () => {
    if (!begun) engine.write(message, header)
    begun = true
  }
  try {
    const pieces = body[Symbol.asyncIterator]()
    if (wayOut(body) === undefined) writers.read(message, pieces)
    for await (const piece of { [Symbol.asyncIterator]: () => pieces }) {
      // The peer refused the message early, or the session is over: nobody wants the rest.
      if (message.ended || session.over) return
      if (typeof piece !== 'string' && !(piece instanceof Uint8Array))
        throw new TypeError('A stream gives strings or Uint8Arrays')
      begin()
      const room = engine.write(message, typeof piece === 'string' ? Buffer.from(piece) : piece)
      session.schedule()
      if (room || mayNotWait(session, message)) continue
      if (message.owed !== undefined && !message.owed.complete) {
        // The reply is made while its request still comes in, perhaps from it: waiting would stop both. It is gathered, up to a limit.
        checkHeld(session, message.queued)
      } else await writers.drained(message)
    }
    if (!writers.reading(message)) return
    begin()
    engine.end(message)
    session.schedule()
  } catch (error) {
    // It was let go of, and says so.
    if (!writers.reading(message)) return
    if (!writers.withdraw(message) && !message.ended) {
      session.failed(new Error('The body of a message failed after part of it had been sent', { cause: error }))
    }
    throw error
  } finally {
    writers.done(message)
  }
}

/**
 * Whether a reply goes on though the peer has not taken what is there of it: where we ask, too, our own MSG may stand before it, and the peer may
 * take that only when it has our reply. What is held for that has the limits of other replies.
 */
export function mayNotWait(session: LiveSession, { keyword, channel }: OutgoingMessage): boolean {
  if (keyword === 'MSG' || session.channels.get(channel.number)?.asks !== true) return false
  return channel.waiting <= session.maxMessage && session.engine.replies <= MAX_SESSION_REPLIES
}

/** @throws RangeError with code `BEEP_ERR_TOO_LARGE` when a reply that may not leave before its request is complete cannot be held any longer */
export function checkHeld(session: LiveSession, octets: number): void {
  if (octets > session.maxMessage || session.engine.replies > MAX_SESSION_REPLIES + session.maxMessage)
    throw tooLarge(session.maxMessage)
}

/** Those who wait for their messages to leave. */
export class Writers {
  readonly #session: LiveSession
  // Most sessions need none of these tables.
  /** Messages whose writer waits for room. */
  #waiting: Map<OutgoingMessage, Deferred<void>> | undefined
  #withdrawn: WeakSet<OutgoingMessage> | undefined
  /** Streams that messages are being made of. */
  #streams: Map<OutgoingMessage, unknown> | undefined

  constructor(session: LiveSession) {
    this.#session = session
  }

  /** Resolves when there is room to write more of the message, or when nothing of it is wanted any more. */
  async drained(message: OutgoingMessage): Promise<void> {
    if (!message.waiting || this.#session.over) return
    this.#waiting ??= new Map()
    let waiting = this.#waiting.get(message)
    if (waiting === undefined) {
      waiting = deferred()
      this.#waiting.set(message, waiting)
    }
    await waiting.promise
  }

  /** Resolves when the message has left whole. @throws ClosedError when it never will: taken back, or its channel or session ended first */
  async sent(message: OutgoingMessage): Promise<void> {
    while (!message.sent) {
      if (this.#session.over || message.channel.state === 'closed' || this.#withdrawn?.has(message)) {
        throw this.#session.closing('The message was not sent')
      }
      await this.#session.moved.wait()
    }
  }

  /** A message is being made of a stream. */
  read(message: OutgoingMessage, stream: unknown): void {
    this.#streams ??= new Map()
    this.#streams.set(message, stream)
  }

  /** Whether what the stream gives is still wanted. */
  reading(message: OutgoingMessage): boolean {
    return this.#streams?.has(message) ?? false
  }

  done(message: OutgoingMessage): void {
    this.#streams?.delete(message)
  }

  /** Nobody wants the rest of the message: its stream need not give it. */
  drop(message: OutgoingMessage): void {
    const stream = this.#streams?.get(message)
    if (this.#streams?.delete(message)) letGo(stream)
  }

  /** A channel is closed: nothing of its messages leaves any more. */
  dropClosed(): void {
    for (const message of this.#streams?.keys() ?? []) if (message.channel.state === 'closed') this.drop(message)
  }

  /** Takes back a message of which nothing has left. @returns false when it is too late for that */
  withdraw(message: OutgoingMessage): boolean {
    if (!this.#session.engine.withdraw(message)) return false
    this.#withdrawn ??= new WeakSet()
    this.#withdrawn.add(message)
    this.drain(message)
    this.#session.moved.rouse()
    // A close may have waited for it.
    this.#session.schedule()
    return true
  }

  /** There is room for more of the message. */
  drain(message: OutgoingMessage): void {
    this.#waiting?.get(message)?.resolve()
    this.#waiting?.delete(message)
  }

  /** The session is over. */
  end(): void {
    for (const waiting of this.#waiting?.values() ?? []) waiting.resolve()
    this.#waiting?.clear()
    for (const message of this.#streams?.keys() ?? []) this.drop(message)
  }
}
