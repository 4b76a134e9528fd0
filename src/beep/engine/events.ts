// What the engine tells: one value an event, in the order in which things happened.
import type { ProtocolError, ReplyError } from '../errors.js'
import type { ProfileElement } from '../wire/elements.js'
import type { Headers } from '../wire/entity.js'
import type { Keyword } from '../wire/frame.js'
import type { OutgoingMessage } from './outbox.js'

/** What a peer says of itself (RFC 3080 §2.3.1.1). */
export interface Greeting {
  /** URIs of the profiles it serves. */
  readonly profiles: readonly string[]
  /** Optional features of channel management; unknown ones are ignored. */
  readonly features: readonly string[]
  /** Languages for diagnostics, most desirable first; `['i-default']` when it did not say. */
  readonly localize: readonly string[]
}

export type Event =
  | { readonly type: 'greeting'; readonly greeting: Greeting }
  /** The listener is not available: ERR came instead of its greeting (§2.4). */
  | { readonly type: 'refused'; readonly error: ReplyError }
  /** The peer asks for a channel: `accept` or `decline` it. */
  | {
      readonly type: 'start'
      readonly channel: number
      readonly profiles: readonly ProfileElement[]
      /** What it asks for: see `serverNameFor`. */
      readonly serverName: string | undefined
    }
  /** A channel that we asked for exists. `content` is the answer to our initialization message. */
  | { readonly type: 'started'; readonly channel: number; readonly uri: string; readonly content: Uint8Array | undefined }
  | { readonly type: 'declined'; readonly channel: number; readonly error: ReplyError }
  /** The entity headers of a message are in, and `octets` of its body. With `last`, it is complete. */
  | {
      readonly type: 'message'
      readonly channel: number
      readonly keyword: Keyword
      readonly msgno: number
      readonly ansno: number
      readonly headers: Headers
      /** Octets of entity headers, to be consumed like those of the body: a message that nobody takes must cost window. */
      readonly overhead: number
      readonly octets: Uint8Array
      readonly last: boolean
    }
  /** More of the body of a message. */
  | {
      readonly type: 'data'
      readonly channel: number
      readonly keyword: Keyword
      readonly msgno: number
      readonly ansno: number
      readonly octets: Uint8Array
      readonly last: boolean
    }
  /** A message whose writer was asked to wait has room again, or has been sent whole. */
  | { readonly type: 'drain'; readonly message: OutgoingMessage }
  /** The peer asks to close a channel, or with 0 to release the session: `agree` or `refuse`. */
  | { readonly type: 'close'; readonly channel: number; readonly code: number; readonly text: string }
  /** The peer's close, or release, crossed ours: nothing is to be decided, but it too waits for what is under way, and may be refused. */
  | { readonly type: 'crossed'; readonly channel: number }
  /** A channel is closed; number 0: the session is released. */
  | { readonly type: 'closed'; readonly channel: number; readonly by: 'us' | 'peer' }
  /** The peer refused our close or release: everything is as before. */
  | { readonly type: 'closeRefused'; readonly channel: number; readonly error: ReplyError }
  /** The session is over without a release. With an error, the peer broke a rule. */
  | { readonly type: 'terminated'; readonly by: 'us' | 'peer'; readonly error: ProtocolError | undefined }
