// From a MSG to its reply: the handler of the profile runs, and what it does becomes RPY, ANS … NUL, or ERR (RFC 3080 §2.1.1).
import type { OpenChannel } from './channel.js'
import { ReplyError } from './errors.js'
import type { InboundMessage, Outgoing } from './message.js'
import { checkHeld, letGo, mayNotWait, type Sending, sendBack, sendMessage } from './outbound.js'
import { type Reply, Tuning } from './profile.js'
import { isPromise } from './promises.js'
import { answerTuning } from './tuning.js'
import { formatElement } from './wire/elements.js'
import { BEEP_XML } from './wire/entity.js'

/** What an answer that is held costs besides its octets. */
const ANSWER_COST = 256

/** A MSG that waits for its handler, or is in its hands. */
export interface Pending {
  readonly msgno: number
  readonly message: InboundMessage
}

/** Serves one MSG. Without a promise it is done; handlers that need no time cost none. */
export function serve(channel: OpenChannel, pending: Pending): Promise<void> | undefined {
  const { profile } = channel
  const { message } = pending
  let reply: Reply | Promise<Reply>
  try {
    message.acknowledge()
    // §2.7: a peer that serves nothing here still answers.
    if (profile?.message === undefined) throw new ReplyError(550, 'this channel takes no messages here')
    reply = profile.message(message, channel, channel.context)
    // What only looks like a promise may call back at once, twice or never: one of ours stands before it.
    if (isPromise(reply))
      return Promise.resolve(reply).then(
        (value) => give(channel, pending, value),
        (error) => refuse(channel, pending, error),
      )
  } catch (error) {
    return refuse(channel, pending, error)
  }
  return give(channel, pending, reply)
}

function give(channel: OpenChannel, pending: Pending, reply: Reply): Promise<void> | undefined {
  if (channel.over) {
    letGo(reply)
    return undefined
  }
  try {
    if (reply instanceof Tuning) return answerTuning(channel.session, reply, 1, (what) => tuned(channel, pending, what))
    if (reply === pending.message) return giveBack(channel, pending)
    if (isGenerator(reply)) return giveAnswers(channel, pending, reply)
    return after(channel, pending, sendReply(channel, pending, 'RPY', reply as Outgoing))
  } catch (error) {
    letGo(reply)
    return refuse(channel, pending, error)
  }
}

/** §3.1.3.2: the answer is the last message in clear, or an error when exchanges could not be ended. */
function tuned(channel: OpenChannel, pending: Pending, what: string | undefined): void {
  if (what === undefined) refuse(channel, pending, new ReplyError(450, 'exchanges are outstanding'))
  else channel.session.engine.hushAfter(sendReply(channel, pending, 'RPY', { body: what, contentType: BEEP_XML }).message)
}

function after(channel: OpenChannel, pending: Pending, sending: Sending): Promise<void> | undefined {
  if (sending.pumped === undefined) {
    pending.message.discard()
    return undefined
  }
  return sending.pumped.then(
    () => pending.message.discard(),
    (error) => (sending.message.started ? undefined : refuse(channel, pending, error)),
  )
}

/** The request itself is the reply: no RPY may leave before it is complete, so it is gathered first. */
function giveBack(channel: OpenChannel, pending: Pending): Promise<void> | undefined {
  const { message } = pending
  const reply = (pieces: readonly Uint8Array[]): undefined => {
    if (!channel.over) channel.replied(sendBack(channel.session, channel.number, pending.msgno, message, pieces))
  }
  const whole = message.takeWhole()
  if (whole !== undefined) return reply([whole])
  // What cannot be gathered is refused, and what cannot be sent: a peer may have headers that we may not say.
  return message
    .pieces()
    .then(reply)
    .catch((error) => refuse(channel, pending, error))
}

/** One-to-many: each yield is an ANS, the end a NUL. An exception after the first ANS has no frame (A15): the session ends. */
async function giveAnswers(channel: OpenChannel, pending: Pending, answers: AsyncGenerator<Outgoing, void, void>): Promise<void> {
  const { session, number } = channel
  let ansno = 0
  let held = 0
  let answer: Outgoing | undefined
  try {
    for await (answer of answers) {
      if (channel.over) return letGo(answer)
      const { message, pumped } = sendMessage(session, number, 'ANS', pending.msgno, ansno, answer)
      // One that fails before anything of it has left is none.
      await pumped
      ansno++
      if (message.owed !== undefined && !message.owed.complete) {
        // The answers are made while the request still comes in, perhaps from it: waiting would stop both. They are gathered, up to a limit.
        held += message.queued + ANSWER_COST
        checkHeld(session, held)
      } else if (!mayNotWait(session, message) && session.engine.backlog(message)) await session.writers.drained(message)
      // Back-pressure: the next answer is asked for when the peer has taken the last ones.
      if (channel.over) return
    }
    if (channel.over) return
    session.engine.send(number, 'NUL', pending.msgno, 0, [])
    session.schedule()
    pending.message.discard()
  } catch (error) {
    letGo(answer)
    if (ansno === 0) return refuse(channel, pending, error)
    if (channel.over) return
    session.failed(new Error('A handler failed after its first answer', { cause: error }))
  }
}

/** ERR, with the reply code and text of a ReplyError; anything else is a mistake of ours that the peer need not read (RIMP-08). */
function refuse(channel: OpenChannel, pending: Pending, error: unknown): undefined {
  const { session } = channel
  if (channel.over) return
  const { replyCode, text, lang } = session.refusal(error)
  const body = formatElement({ name: 'error', ...session.engine.words(replyCode, text, lang) })
  sendMessage(session, channel.number, 'ERR', pending.msgno, 0, { body, contentType: BEEP_XML })
  pending.message.discard()
}

function sendReply(channel: OpenChannel, pending: Pending, keyword: 'RPY', what: Outgoing): Sending {
  const sending = sendMessage(channel.session, channel.number, keyword, pending.msgno, 0, what)
  channel.replied(sending.message)
  return sending
}

/** A returned async generator is always one-to-many; a generated body is wrapped: `{ body }`. */
function isGenerator(value: unknown): value is AsyncGenerator<Outgoing, void, void> {
  return typeof value === 'object' && Object.prototype.toString.call(value) === '[object AsyncGenerator]'
}
