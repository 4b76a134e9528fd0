// The four kinds of error, and the table of everything a peer can do wrong.
// They broke it: ProtocolError. They said no: ReplyError. It is over: ClosedError. You misused it: TypeError or RangeError.
import { isReplyCode } from './reply-code.js'

/** Each rule that a peer can break, with its section and what breaking it means. The id is the same in errors, tests, reports and documents. */
export const VIOLATIONS = {
  'rfc3080/2.2.1.1/keyword': ['RFC 3080 §2.2.1.1', 'the header starts with none of MSG, RPY, ERR, ANS, NUL and SEQ'],
  'rfc3080/2.2.1.1/syntax': ['RFC 3080 §2.2.1.1', 'a parameter of the header cannot be determined'],
  'rfc3080/2.2.1.1/range': ['RFC 3080 §2.2.1.1', 'a number in the header is out of its range'],
  'rfc3080/2.2.1.1/channel-unknown': ['RFC 3080 §2.2.1.1', 'the frame names a channel that does not exist'],
  'rfc3080/2.2.1.1/msgno-in-use': ['RFC 3080 §2.2.1.1', 'the MSG reuses a number whose reply has not been completely sent'],
  'rfc3080/2.2.1.1/reply-again': ['RFC 3080 §2.2.1.1', 'the reply is for a message whose reply is already complete'],
  'rfc3080/2.2.1.1/reply-unasked': ['RFC 3080 §2.2.1.1', 'the reply is for a message that was never sent'],
  'rfc3080/2.2.1.1/keyword-changed': ['RFC 3080 §2.2.1.1', 'the keyword differs from the previous frame of the same message'],
  'rfc3080/2.2.1.1/nul-after-other': ['RFC 3080 §2.2.1.1', 'NUL follows a frame of the same reply that is not ANS'],
  'rfc3080/2.2.1.1/nul-unfinished': ['RFC 3080 §2.2.1.1', 'NUL comes while an answer is unfinished'],
  'rfc3080/2.2.1.1/nul-not-empty': ['RFC 3080 §2.2.1.1', 'NUL is not complete or not empty'],
  'rfc3080/2.2.1.1/interleaved': [
    'RFC 3080 §2.2.1.1',
    'a frame of another message comes inside an unfinished one of the same channel',
  ],
  'rfc3080/2.2.1.2/seqno': [
    'RFC 3080 §2.2.1.2',
    'the sequence number is not the expected one: the peers have lost synchronization',
  ],
  'rfc3080/2.2.1.3/trailer': ['RFC 3080 §2.2.1.3', 'the payload is not followed by END CR LF'],
  'rfc3080/2.2.2.1/poor-reply': ['RFC 3080 §2.2.2.1', 'the reply on channel 0 is poorly formed'],
  'rfc3080/2.3.1.1/greeting-first': ['RFC 3080 §2.3.1.1', 'the first frame is not the greeting'],
  'rfc3080/2.6.1/reply-order': ['RFC 3080 §2.6.1', 'a reply overtakes the reply to an older message of its channel'],
  'rfc3080/3.1.3/injected': ['RFC 3080 §3.1.3', 'octets stand behind the message after which nothing may be sent in clear'],
  'rfc3080/6.1/one-to-many': ['RFC 3080 §6.1', 'ANS or NUL on channel 0, which has no one-to-many exchanges'],
  'rfc3081/3.1.2/window': ['RFC 3081 §3.1.2', 'the payload does not fit the window'],
  'rfc3081/3.1.3/syntax': ['RFC 3081 §3.1.3', 'a parameter of the SEQ frame cannot be determined'],
  'rfc3081/3.1.3/range': ['RFC 3081 §3.1.3', 'a number in the SEQ frame is out of its range'],
  'rfc3081/3.1.3/channel-unknown': ['RFC 3081 §3.1.3', 'the SEQ frame names a channel that does not exist'],
  'rfc3081/3.1.3/ackno': ['RFC 3081 §3.1.3', 'the SEQ frame acknowledges octets that were never sent'],
  'limits/unanswered': ['limit maxUnanswered', 'more messages are unanswered than this peer allows'],
  'limits/answers': ['limit maxAnswers', 'more answers are in progress than this peer allows'],
  'limits/empty-frames': ['limit maxEmptyFrames', 'more frames without payload follow one another than this peer allows'],
  'limits/entity-headers': ['limit maxEntityHeaders', 'the entity headers of a message are longer than this peer allows'],
  'limits/management': ['limit maxManagement', 'a reply on channel 0 is longer than this peer allows'],
} as const satisfies Record<string, readonly [section: string, sentence: string]>

/** The id of a rule, for instance `rfc3080/2.2.1.2/seqno`. */
export type Rule = keyof typeof VIOLATIONS

/** The peer broke the protocol. The session is terminated without an answer, as RFC 3080 §2.2.1.1 asks. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code = 'BEEP_ERR_PROTOCOL'
  /** The id of the rule, the same in tests, reports and documents. */
  readonly rule: Rule
  /** For instance `RFC 3080 §2.2.1.2`. */
  readonly section: string

  /** @param detail what was seen and what was expected, already fit for a log */
  constructor(rule: Rule, detail?: string) {
    const [section, sentence] = VIOLATIONS[rule]
    super(`The peer broke ${section}: ${sentence}${detail === undefined ? '' : ` (${detail})`} [${rule}]`)
    this.rule = rule
    this.section = section
  }
}

/** A "no": an ERR reply, a declined start, a refused close or release. Thrown by a handler it becomes one. The session lives on. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError'
  readonly code = 'BEEP_ERR_REPLY'
  /** The reply code of RFC 3080 §8, 100..599. */
  readonly replyCode: number
  /** The diagnostic text, `''` when there is none. It came from the peer: never act on it. */
  readonly text: string
  /** The language of the text, where it was said. */
  readonly lang: string | undefined

  /** @throws RangeError when the code is not of the form that RFC 3080 §7.1 asks for */
  constructor(replyCode: number, text = '', options: { lang?: string | undefined; cause?: unknown } = {}) {
    if (!isReplyCode(replyCode))
      throw new RangeError(`A reply code has three digits, the first 1 to 5 (RFC 3080 §7.1); got ${replyCode}`)
    super(
      text === '' ? `reply code ${replyCode}` : `${replyCode}: ${text}`,
      options.cause === undefined ? {} : { cause: options.cause },
    )
    this.replyCode = replyCode
    // It may come from where there are no types.
    this.text = String(text)
    this.lang = options.lang
  }
}

/** How a session or a channel ended. */
export type CloseReason<Next = unknown> =
  /** Both peers agreed (RFC 3080 §2.4); a channel that was closed (§2.3.1.3) says so too. */
  | { readonly kind: 'released'; readonly by: 'us' | 'peer' }
  /** A tuning profile took the transport over; `next` is the session that follows (RFC 3080 §3). */
  | { readonly kind: 'tuned'; readonly next: Next }
  /** The listener was unavailable (ERR instead of a greeting, §2.4). */
  | { readonly kind: 'refused'; readonly error: ReplyError }
  /** Anything else: a violation, a vanished peer, `terminate()`. */
  | { readonly kind: 'terminated'; readonly by: 'us' | 'peer'; readonly error?: Error }

/** The channel or the session ended before the operation could. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError'
  readonly code = 'BEEP_ERR_CLOSED'
  readonly reason: CloseReason

  constructor(what: string, reason: CloseReason) {
    super(
      `${what}: ${describeReason(reason)}`,
      reason.kind === 'terminated' && reason.error !== undefined ? { cause: reason.error } : {},
    )
    this.reason = reason
  }
}

/** One line for people about how something ended. */
export function describeReason(reason: CloseReason): string {
  switch (reason.kind) {
    case 'released':
      return reason.by === 'us' ? 'we closed it' : 'the peer closed it'
    case 'tuned':
      return 'it was tuned: a new session took its place'
    case 'refused':
      return `the peer is not available (${reason.error.message})`
    case 'terminated':
      return (
        reason.error?.message ??
        (reason.by === 'us' ? 'we terminated the session' : 'the peer ended the connection without a release')
      )
  }
}
