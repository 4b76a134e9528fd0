// Tuning (RFC 3080 §3): a last message in clear, then the transport goes to the tuning profile and comes back as that of a new session.
import type { Duplex } from 'node:stream'
import { ClosedError, ProtocolError, ReplyError } from './errors.js'
import { SETTLE_TIMEOUT, START_TIMEOUT } from './limits.js'
import type { LiveSession } from './live-session.js'
import type { Tuning } from './profile.js'
import { abortable, onAbort, within } from './promises.js'
import type { Session } from './session.js'

/** What the start of a tuning channel says. */
export interface TuningStart {
  /** The tuning message, which rides in the start. */
  readonly initial: string
  readonly serverName?: string | undefined
  /** Stops the waiting until the message is said; from then on it ends the session. */
  readonly signal?: AbortSignal | undefined
}

export type TakeOver = (transport: Duplex) => Promise<Duplex>

/** Our side asks: nothing may be outstanding when the tuning message leaves, and nothing is sent after it (§3.1.3.1). */
export async function tune(
  session: LiveSession,
  uri: string,
  start: TuningStart,
  check: (reply: Buffer | undefined) => void,
  takeOver: TakeOver,
): Promise<Session> {
  const { signal } = start
  // Looked at again when it is over: something may have been said meanwhile.
  while (session.engine.outstanding > 0) await abortable(quiet(session), signal)
  signal?.throwIfAborted()
  if (signal === undefined) return begin(session, uri, start, check, takeOver)
  const undo = onAbort(signal, () => session.terminate(signal.reason as Error))
  try {
    return await abortable(begin(session, uri, start, check, takeOver), signal)
  } finally {
    undo()
  }
}

async function begin(
  session: LiveSession,
  uri: string,
  { initial, serverName }: TuningStart,
  check: (reply: Buffer | undefined) => void,
  takeOver: TakeOver,
): Promise<Session> {
  const { promise } = session.questions.ask([{ uri, content: Buffer.from(initial) }], serverName, [], true)
  const channel = await answered(session, promise)
  try {
    check(channel.initial)
  } catch (error) {
    session.resume()
    // Why the tuning failed is what the caller must hear, not what became of its channel.
    await channel.close().catch(() => {})
    throw error
  }
  return handOver(session, takeOver)
}

/** The answer to our tuning message. Until it comes nothing may be said (§3.1.3.1), not even that we give up: only the end is left. */
async function answered<T>(session: LiveSession, answer: Promise<T>): Promise<T> {
  try {
    return await within(session.options.startTimeout ?? START_TIMEOUT, 'The answer to a tuning message', answer)
  } catch (error) {
    if (!(error instanceof ReplyError)) session.terminate(error as Error)
    throw error
  }
}

/**
 * The peer asked: the answer leaves once everything outstanding has ended (§3.1.3.1).
 * @param own what is outstanding because of the tuning message itself
 * @param reply queues the answer, after which nothing may be sent; undefined when the rest could not be ended
 */
export async function answerTuning(
  session: LiveSession,
  tuning: Tuning,
  own: number,
  reply: (what: string | undefined) => void,
): Promise<void> {
  session.hold()
  const { settleTimeout = SETTLE_TIMEOUT } = session.options
  try {
    await within(settleTimeout, 'The end of what is outstanding', drained(session, own))
  } catch {
    if (session.over) return
    reply(undefined)
    session.resume()
    return
  }
  assertNothingBehind(session)
  // What comes from now on is the handshake, and on a fast transport it comes before we have let go.
  session.driver.pause()
  reply(tuning.reply)
  session.schedule()
  try {
    await within(settleTimeout, 'The answer to a tuning message', left(session))
  } catch (error) {
    session.terminate(error as Error)
    throw error
  }
  await handOver(session, tuning.takeOver)
}

/** The last message in clear is with the kernel. */
async function left(session: LiveSession): Promise<void> {
  while (!session.engine.silent && !session.over) await session.moved.wait()
  await session.driver.flushed()
}

/** Resolves when no exchange, no queued message and no question is outstanding. */
async function quiet(session: LiveSession): Promise<void> {
  while (session.engine.outstanding > 0) {
    session.assertAlive('The session ended before it could be tuned')
    await session.moved.wait()
  }
}

/** The same but for `own`. The peer says nothing until its tuning message is answered: what we have asked meanwhile, it cannot answer before. */
async function drained(session: LiveSession, own: number): Promise<void> {
  while (session.engine.outstanding > own) {
    session.assertAlive('The session ended before it could be tuned')
    if (session.engine.asking) throw new TypeError('What the peer was asked cannot be answered before its tuning message is')
    await session.moved.wait()
  }
}

/** @throws ClosedError when octets stand behind the last message in clear: nobody lawful said them, and they must not be taken for secured ones */
function assertNothingBehind(session: LiveSession): void {
  session.assertAlive('The session ended before it could be tuned')
  if (!session.engine.unread) return
  const error = new ProtocolError('rfc3080/3.1.3/injected')
  session.broken(error)
  throw new ClosedError('The session could not be tuned', { kind: 'terminated', by: 'us', error })
}

/** All channels are closed without a word (§3.1.3.2), and a new session begins on what the profile makes of the transport. */
async function handOver(session: LiveSession, takeOver: TakeOver): Promise<Session> {
  assertNothingBehind(session)
  // The handshake and the next greeting have clocks of their own.
  session.timers.end()
  const transport = session.driver.detach()
  // Errors of the old transport reach its new owner, too, and need nobody here; without a listener they would end the process.
  transport.off('error', ignore).on('error', ignore)
  // Whoever ends the session meanwhile means the negotiation, too.
  void session.closed.then(({ kind }) => kind === 'tuned' || transport.destroy())
  try {
    const next = session.successor(await takeOver(transport))
    // Until its greeting is in, this session stands for the next: whoever counts sessions, or ends them, finds it.
    await next.ready()
    session.assertAlive('The session ended while it was being tuned')
    session.end({ kind: 'tuned', next })
    return next
  } catch (error) {
    transport.destroy()
    session.end({ kind: 'terminated', by: 'us', error: error as Error })
    throw error
  }
}

function ignore(): void {}
