// What a profile is: a value with a URI and the handlers that serve its channels.
import type { Duplex } from 'node:stream'
import type { Channel } from './channel.js'
import type { Message, Outgoing } from './message.js'
import type { Session } from './session.js'

/**
 * Returning gives RPY, yielding gives ANS … NUL, throwing a ReplyError gives ERR (RFC 3080 §2.1.1). After the first ANS, or the first piece of a streamed
 * body, no ERR is lawful any more: what fails then ends the session.
 */
export type Reply = Outgoing | Message | Tuning | AsyncGenerator<Outgoing, void, void>

/** What rides in the `<profile>` reply: an initialization message, the answer to a tuning message, or nothing. */
export type Initial = string | Uint8Array | Tuning | undefined

/** What a handler is told besides its message. */
export interface HandlerContext {
  /** Aborted when the session ends, or when the peer asks to close the channel or to release the session. */
  readonly signal: AbortSignal
}

/** A profile to serve. */
export interface Profile {
  /** Identifies it by exact string (§2.3.1.2). */
  readonly uri: string
  /** It tunes the session (RFC 3080 §2): only one channel of such profiles exists at a time, a second start is declined with 550. */
  readonly tuning?: boolean
  /** Whether it is offered in the greeting, and may be started, on this session; always by default. */
  available?(session: Session): boolean
  /** A peer proposes this profile. What is returned rides in the `<profile>` reply; a ReplyError declines. */
  start?(request: StartRequest): Initial | Promise<Initial>
  /** The channel is open. A profile that speaks first does so here. */
  open?(channel: Channel): void
  /** One MSG, as soon as its entity headers are in. Called in order; the next MSG of the channel waits for this reply (§2.6.1). */
  message?(message: Message, channel: Channel, context: HandlerContext): Reply | Promise<Reply>
  /** The peer asks to close. A ReplyError refuses (§2.3.1.3). */
  close?(channel: Channel, request: CloseRequest): void | Promise<void>
}

export interface StartRequest {
  readonly session: Session
  /** The channel number. */
  readonly number: number
  /** The server name that holds if this start is accepted: the one it asks for, or what the first start that succeeded has fixed (§2.3.1.2). */
  readonly serverName: string | undefined
  /** The initialization message that rides in the `<profile>` element, decoded. */
  readonly initial: Buffer | undefined
}

export interface CloseRequest {
  /** Reply code of §8, 200 when nothing is wrong. */
  readonly code: number
  readonly text: string
}

/**
 * What a tuning profile (RFC 3080 §3) gives back instead of a reply: the last message in clear, and what becomes of the transport.
 * It is sent once everything outstanding has ended; nothing follows it; then the session is over and a new one begins.
 */
export class Tuning {
  /** An element, for instance `<proceed />`. */
  readonly reply: string
  readonly takeOver: (transport: Duplex) => Promise<Duplex>

  /** @param takeOver is given the transport, paused, and gives the transport of the session that follows */
  constructor(reply: string, takeOver: (transport: Duplex) => Promise<Duplex>) {
    this.reply = reply
    this.takeOver = takeOver
  }
}
