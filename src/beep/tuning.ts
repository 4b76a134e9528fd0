// Tuning (RFC 3080 §3): a last message in clear, then the transport goes to the tuning profile and comes back as that of a new session.
import type { Duplex } from 'node:stream'
import { ClosedError, ProtocolError, ReplyError } from './errors.js'
import type { LiveSession } from './live-session.js'
import type { Tuning } from './profile.js'
import { abortable, within } from './promises.js'
import { START_TIMEOUT } from './questions.js'
import type { Session } from './session.js'

const DRAIN_TIMEOUT = 30_000

/** What the start of a tuning channel says. */
export interface TuningStart {
  /** The tuning message, which rides in the start. */
  readonly initial: string
  readonly serverName?: string | undefined
}

export type TakeOver = (transport: Duplex) => Promise<Duplex>

/** Our side asks: nothing may be outstanding when the tuning message leaves, and nothing is sent after it (§3.1.3.1). */
export async function tune(
  session: LiveSession,
  uri: string,
  { initial, serverName }: TuningStart,
  check: (reply: Buffer | undefined) => void,
  takeOver: TakeOver,
): Promise<Session> {
  await quiet(session, 0)
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
  try {
    await abortable(quiet(session, own), AbortSignal.timeout(session.options.settleTimeout ?? DRAIN_TIMEOUT))
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
    await within(session.options.settleTimeout ?? DRAIN_TIMEOUT, 'The answer to a tuning message', left(session))
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

/** Resolves when no more than `count` exchanges, queued messages and questions are outstanding. */
async function quiet(session: LiveSession, count: number): Promise<void> {
  while (session.engine.outstanding > count) {
    await session.moved.wait()
    session.assertAlive('The session ended before it could be tuned')
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
  const transport = session.driver.detach()
  // Errors of the old transport reach its new owner, too, and need nobody here; without a listener they would end the process.
  transport.on('error', () => {})
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
