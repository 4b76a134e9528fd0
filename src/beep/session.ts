// What a session is to its user, and what may be chosen about it.
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Channel } from './channel.js'
import type { Role } from './engine/core.js'
import type { Greeting } from './engine/events.js'
import type { TrafficCounts } from './engine/traffic.js'
import type { CloseReason } from './errors.js'
import type { Limits } from './limits.js'
import type { Profile } from './profile.js'

export interface SessionOptions extends Partial<Limits> {
  /** What this peer serves. Handlers exist before the peer can speak. */
  readonly profiles?: readonly Profile[] | undefined
  /** Largest message that `bytes()`, `text()` and `json()` gather, and that may be a reply before it is whole (`message => message`), in octets; 16 MiB by default. */
  readonly maxMessage?: number | undefined
  /** Languages that we would like diagnostics in, most desirable first (RFC 3080 §2.3.1.1). */
  readonly localize?: readonly string[] | undefined
  /** Optional features that we offer (§5.2): registered names, or names that begin with `x-`. */
  readonly features?: readonly string[] | undefined
  /** Milliseconds that the greeting of the peer may take; 30,000 by default, 0 for ever. */
  readonly greetingTimeout?: number | undefined
  /** Milliseconds that the answer to a start may take; 30,000 by default, 0 for ever. */
  readonly startTimeout?: number | undefined
  /** Milliseconds that the close of a channel, or a release, may take; 60,000 by default, 0 for ever. */
  readonly closeTimeout?: number | undefined
  /** Milliseconds without an octet from the peer after which, or at most as long again, the session is terminated; 0, the default, for never. TCP keep-alive finds peers that are gone. */
  readonly idleTimeout?: number | undefined
  /** Milliseconds that `await using` gives a release before it terminates, and that the peer has afterwards to close the transport; 5,000 by default, 0 for ever. */
  readonly releaseTimeout?: number | undefined
  /** Milliseconds that a close or release asked by the peer may be held back by unfinished exchanges, before it is refused with 550; 30,000 by default, 0 for ever. So long may a tuning message wait for them, too. */
  readonly settleTimeout?: number | undefined
  /** Told of each session that begins: the one that was accepted or opened, and each that follows a tuning. */
  onSession?(session: Session): void
}

export interface StartOptions {
  /** An initialization message, at most 4096 octets as character data (§2.3.1.2). */
  readonly initial?: string | Uint8Array | undefined
  /** The desired server name; the first successful start decides (§2.3.1.2). */
  readonly serverName?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** A BEEP session (RFC 3080 §2). */
export interface Session extends AsyncDisposable {
  readonly role: Role
  /** What the peer said it offers. */
  readonly greeting: Greeting
  readonly channels: ReadonlyMap<number, Channel>
  /** The server name that the first successful start of the peer asked for (§2.3.1.2). */
  readonly serverName: string | undefined
  /** What passed in this session, on channel 0 too. */
  readonly traffic: TrafficCounts
  /** The TLS socket below this session, when there is one. */
  readonly tls: TLSSocket | undefined
  /**
   * Asks the peer for a channel. Several profiles are proposed together; `channel.profileUri` tells which was taken. A `Profile` also
   * serves what the peer asks on that channel, as do those of the session's options.
   * @throws ReplyError when the peer declines, ClosedError when the session ends first
   */
  start(profile: string | Profile | readonly (string | Profile)[], options?: StartOptions): Promise<Channel>
  /** Asks the peer to release the session (§2.4). @throws ReplyError when it refuses */
  release(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Ends the session now. */
  terminate(error?: Error): void
  /** For tuning profiles (§3): asks for `uri`, and with an answer that `check` lets pass hands the transport over. */
  tune(
    uri: string,
    ready: {
      readonly initial: string
      readonly serverName?: string | undefined
      /** Stops the waiting for what is outstanding; once the tuning message has been said, it ends the session. */
      readonly signal?: AbortSignal | undefined
    },
    check: (reply: Buffer | undefined) => void,
    takeOver: (transport: Duplex) => Promise<Duplex>,
  ): Promise<Session>
  /** Resolves, never rejects, once the session is over. */
  readonly closed: Promise<CloseReason<Session>>
}
