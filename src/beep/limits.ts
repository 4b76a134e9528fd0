// Every number that bounds something: first those that the RFCs fix, then those that we choose, each with its reason.

/** Largest channel number, message number, payload size and window (RFC 3080 §2.2.1, RFC 3081 §3.1.3). */
export const MAX_NUMBER = 2_147_483_647
/** Largest sequence number; also the largest answer number accepted: the prose of §2.2.1.1 allows it, the ABNF does not (A01). */
export const MAX_SEQNO = 4_294_967_295
/** Longest legal header with its CRLF: an ANS with five numbers of ten digits. */
export const MAX_HEADER = 62
/** The window of every new channel, in each direction, without any SEQ (RFC 3081 §3.1.1). */
export const INITIAL_WINDOW = 4096
/** Longest initialization message in a `<profile>`, in octets of UTF-8 character data (RFC 3080 §2.3.1.2, A31). */
export const MAX_INITIALIZATION = 4096

/** Longest name of an entity header, in octets: no line of headers is longer (RFC 5322 §2.1.1), so what is longer never was a name (A29). */
export const MAX_FIELD_NAME = 998

/** Limits that we choose and that a user may change; each is an option of a session. Without another range, each is a whole number from 1 on, or `Infinity`. */
export interface Limits {
  /** Largest window a channel may grow to, in octets, 4096..2147483647. 1 MiB, the default, measured best on loopback, with what is cut at a time half of it. */
  readonly maxWindow: number
  /** Octets that all channels of a session together may hold unread beyond the 4096 of each; growth stops there. 16 MiB by default; may be 0. */
  readonly maxSessionWindow: number
  /** Channels open at a time, channel 0 not counted. RFC 3080 §2.3 asks for at least 257 with it; ours cost little while idle: 100,000 by default; may be 0. */
  readonly maxChannels: number
  /** MSGs of the peer on one channel, and ten times as many in the session, whose replies are still owed. Empty messages cost no window, so a count must bound them: 4096 by default. */
  readonly maxUnanswered: number
  /** Answers of one reply that may be in progress together: each costs state though it may cost no window. 1024 by default. */
  readonly maxAnswers: number
  /** Frames without payload that may follow one another in one message, `*` on each: they cost no window either. 1024 by default. */
  readonly maxEmptyFrames: number
  /** Octets of entity headers of one message, their empty line counted, 2 or more; 16 KiB by default. */
  readonly maxEntityHeaders: number
  /** Octets of one channel-0 message: room for a greeting of thousands of profiles. 256 KiB by default, 128 or more. */
  readonly maxManagement: number
  /** Largest payload of one frame, in octets; 0, the default, adapts: 64 KiB with one ready channel, 4 KiB when several share the transport. */
  readonly frameSize: number
}

export const DEFAULT_LIMITS: Limits = {
  maxWindow: 1_048_576,
  maxSessionWindow: 16_777_216,
  maxChannels: 100_000,
  maxUnanswered: 4096,
  maxAnswers: 1024,
  maxEmptyFrames: 1024,
  maxEntityHeaders: 16_384,
  maxManagement: 262_144,
  frameSize: 0,
}

/** A limit, and the least and the most that it may be. */
interface Range {
  readonly name: keyof Limits
  readonly least: number
  readonly most: number
}

const RANGES: readonly Range[] = [
  { name: 'maxWindow', least: INITIAL_WINDOW, most: MAX_NUMBER },
  { name: 'maxSessionWindow', least: 0, most: Number.POSITIVE_INFINITY },
  { name: 'maxChannels', least: 0, most: Number.POSITIVE_INFINITY },
  { name: 'maxUnanswered', least: 1, most: Number.POSITIVE_INFINITY },
  { name: 'maxAnswers', least: 1, most: Number.POSITIVE_INFINITY },
  { name: 'maxEmptyFrames', least: 1, most: Number.POSITIVE_INFINITY },
  { name: 'maxEntityHeaders', least: 2, most: Number.POSITIVE_INFINITY },
  { name: 'maxManagement', least: 128, most: Number.POSITIVE_INFINITY },
  { name: 'frameSize', least: 0, most: MAX_NUMBER },
]

/** Other options of a session that are numbers: a size, and times in milliseconds. */
export const SESSION_NUMBERS = [
  'maxMessage',
  'greetingTimeout',
  'startTimeout',
  'closeTimeout',
  'idleTimeout',
  'releaseTimeout',
  'settleTimeout',
] as const

/**
 * The limits that are given, and the defaults for the rest. Written out: objects that are spread are slow to make and slow to read.
 * @throws RangeError when one is out of its range
 */
export function completeLimits(given: Partial<Limits>): Limits {
  for (const range of RANGES) {
    const value = given[range.name]
    if (value !== undefined && !isWithin(value, range))
      throw new RangeError(`The limit ${range.name} is a whole number from ${range.least} to ${range.most}; got ${String(value)}`)
  }
  return {
    maxWindow: given.maxWindow ?? DEFAULT_LIMITS.maxWindow,
    maxSessionWindow: given.maxSessionWindow ?? DEFAULT_LIMITS.maxSessionWindow,
    maxChannels: given.maxChannels ?? DEFAULT_LIMITS.maxChannels,
    maxUnanswered: given.maxUnanswered ?? DEFAULT_LIMITS.maxUnanswered,
    maxAnswers: given.maxAnswers ?? DEFAULT_LIMITS.maxAnswers,
    maxEmptyFrames: given.maxEmptyFrames ?? DEFAULT_LIMITS.maxEmptyFrames,
    maxEntityHeaders: given.maxEntityHeaders ?? DEFAULT_LIMITS.maxEntityHeaders,
    maxManagement: given.maxManagement ?? DEFAULT_LIMITS.maxManagement,
    frameSize: given.frameSize ?? DEFAULT_LIMITS.frameSize,
  }
}

function isWithin(value: number, { least, most }: Range): boolean {
  return (Number.isInteger(value) || value === Number.POSITIVE_INFINITY) && value >= least && value <= most
}

/** Our own channel-0 requests that may be unanswered at a time: replies of both peers must always fit beside them, or both would wait for ever. */
export const MAX_MANAGEMENT_ASKED = 16
/** Channel-0 requests of the peer that we credit before their replies are cut; from there on a peer that asks and never reads stops itself. */
export const MAX_MANAGEMENT_OWED = 256
/** Numbers of closed channels remembered, so that a SEQ which crossed our `<ok/>` is ignored (A09). */
export const MAX_CLOSED_REMEMBERED = 4096
/** Payload of one frame when one channel has the transport for itself (a message of 64 KiB with its entity headers fits), and when several share it. */
export const FRAME_ALONE = 66_560
export const FRAME_SHARED = 4096
/** Octets that are cut into frames at a time, or a frame more: each time costs a turn and a write, and what is cut is before all that is said later. */
export const BATCH = 524_288
/** Octets queued for sending on one message before its writer is asked to wait. */
export const HIGH_WATER = 65_536
/** Messages queued on one channel before whoever makes answers is asked to wait. */
export const MAX_BACKLOG = 256
/** Octets that may wait to be sent on one channel before the next handler waits, too: a peer may ask and never read. */
export const MAX_REPLIES = 1_048_576
/**
 * The same for all channels of a session together: a peer may open many. Beyond it no handler begins, and those at work add to a channel only once
 * nothing waits there: what each then gives at once, a body or a piece of one, is all that comes on top.
 */
export const MAX_SESSION_REPLIES = 16_777_216
/** Octets of messages that are being gathered (`bytes()`, `text()`, `json()`), all of a session together, before all but the first of them wait. */
export const MAX_SESSION_GATHERED = 16_777_216
/** Answers without an octet that may wait to be taken: they cost no window, so a count must bound them. `MAX_EVENTS` of them come at a time. */
export const MAX_EMPTY_ANSWERS = 4096
/** Largest message that `bytes()`, `text()` and `json()` gather, in octets. */
export const MAX_MESSAGE = 16_777_216
/** Octets of an ERR that are looked at. */
export const MAX_ERR = 65_536
/** Octets of a chunk from which on more of them are likely to wait. */
export const BULK = 16_384
/** Octets that a session gathers before it handles them, at most a chunk more. */
export const MAX_TURN = 1_048_576
/** The same in all sessions of a process together; beyond it each handles what has come at once. */
export const MAX_TURNS = 16_777_216
/** Events that a session handles at a time, before those who were given something have their turn: they may take what would else be too much. */
export const MAX_EVENTS = 1024
/** Sessions that a listener holds at a time. */
export const MAX_SESSIONS = 10_000
/** Connections without a session that a listener lets read why, at a time; what comes beyond them is closed without a word. */
export const MAX_REFUSED = 64

// Times, in milliseconds; what each is for stands at the option of a session that changes it.

export const GREETING_TIMEOUT = 30_000
/** Who has not greeted for as long gives way to a new connection when a listener is full. */
export const GREETING_GRACE = 1000
export const START_TIMEOUT = 30_000
export const CLOSE_TIMEOUT = 60_000
export const SETTLE_TIMEOUT = 30_000
export const RELEASE_TIMEOUT = 5000
/** Within this time credit is said that is less than half a window: a peer that does not segment may wait for it (RFC 3081 §3.1.2). */
export const CREDIT_DELAY = 200
