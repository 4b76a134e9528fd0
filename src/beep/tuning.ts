// Tuning (RFC 3080 §3): a last message in clear, then the transport goes to the tuning profile and comes back as that of a new session.
import type { Duplex } from 'node:stream'
import { ClosedError, ProtocolError } from './errors.js'
import type { LiveSession } from './live-session.js'
import type { Tuning } from './profile.js'
import { abortable } from './promises.js'
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
  const channel = await session.ask([{ uri, content: Buffer.from(initial) }], serverName, [], true).promise
  try {
    check(channel.initial)
  } catch (error) {
    session.resume()
    await channel.close()
    throw error
  }
  return handOver(session, takeOver)
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
  reply(tuning.reply)
  session.schedule()
  while (!session.engine.silent && !session.over) await session.wrote.wait()
  await session.driver.flushed()
  await handOver(session, tuning.takeOver)
}

/** Resolves when no more than `count` exchanges, queued messages and questions are outstanding. */
async function quiet(session: LiveSession, count: number): Promise<void> {
  while (session.engine.outstanding > count) {
    await session.wrote.wait()
    session.assertAlive('The session ended before it could be tuned')
  }
}

/** All channels are closed without a word (§3.1.3.2), and a new session begins on what the profile makes of the transport. */
async function handOver(session: LiveSession, takeOver: TakeOver): Promise<Session> {
  session.assertAlive('The session ended before it could be tuned')
  if (session.engine.unread) {
    const error = new ProtocolError('rfc3080/3.1.3/injected')
    session.broken(error)
    throw new ClosedError('The session could not be tuned', { kind: 'terminated', by: 'us', error })
  }
  const transport = session.driver.detach()
  // Errors of the old transport reach its new owner, too, and need nobody here; without a listener they would end the process.
  transport.on('error', () => {})
  try {
    const next = session.successor(await takeOver(transport))
    session.end({ kind: 'tuned', next })
    await next.ready()
    return next
  } catch (error) {
    transport.destroy()
    session.end({ kind: 'terminated', by: 'us', error: error as Error })
    throw error
  }
}
