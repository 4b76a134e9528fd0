// Awaiting sessions (RFC 3081 §2): whoever awaits is the listener.
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { noteError } from './diagnostics.js'
import { Engine } from './engine/engine.js'
import { ReplyError } from './errors.js'
import { GREETING_GRACE, MAX_REFUSED, MAX_SESSIONS, RELEASE_TIMEOUT } from './limits.js'
import { LiveSession } from './live-session.js'
import { checkNumber, checkOptions, checkPort } from './options.js'
import type { Profile } from './profile.js'
import { after } from './promises.js'
import type { Session, SessionOptions } from './session.js'

export interface ListenOptions extends SessionOptions {
  /** 0..65535; 0, the default, takes a free one. */
  readonly port?: number | undefined
  /** Address to listen on; all of them by default. */
  readonly host?: string | undefined
  /** A Unix socket, instead of host and port. */
  readonly path?: string | undefined
  readonly profiles: readonly Profile[]
  /**
   * Sessions at a time, 10,000 by default; one more is answered with ERR 421 (RFC 3080 §2.4). Those count whose greeting has not come, and those that
   * are over until their connection is closed. Whoever has not greeted for a second gives way, so that silent connections alone never fill a listener.
   */
  readonly maxSessions?: number | undefined
}

export interface Listener extends AsyncDisposable {
  /** Where it listens; for a Unix socket its path is in `address`. */
  readonly address: AddressInfo
  readonly sessions: ReadonlySet<Session>
  /** Stops accepting, asks every session to be released, and resolves when all are over. */
  close(): Promise<void>
}

/**
 * Listens. A handler that throws, or a peer that breaks the protocol, ends no other session.
 * @throws RangeError or TypeError when an option is not lawful, or what the server throws
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  checkOptions(options)
  checkNumber('maxSessions', options.maxSessions)
  const { host, port = 0, path, maxSessions = MAX_SESSIONS, releaseTimeout = RELEASE_TIMEOUT } = options
  checkPort(port, 0)
  const sessions = new Set<Session>()
  /** Sessions whose greeting has not come, the oldest first, and since when. */
  const pending = new Map<LiveSession, number>()
  let stopping = false
  /** Connections that are not closed, whatever became of their sessions, and those that were refused one. */
  let accepted = 0
  let refused = 0
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    if (!stopping && (accepted < maxSessions || makeRoom())) {
      accepted++
      socket.on('close', () => accepted--)
      void accept(socket)
    } else if (refused < MAX_REFUSED) {
      refused++
      socket.on('close', () => refused--)
      refuse(socket, releaseTimeout)
    } else socket.destroy()
  })

  /** Has the connection that has been silent for longest give way. */
  function makeRoom(): boolean {
    const [oldest] = pending
    if (oldest === undefined || performance.now() - oldest[1] < GREETING_GRACE) return false
    const [session] = oldest
    pending.delete(session)
    session.terminate(new Error('It had not greeted when its place was needed'))
    return true
  }

  const onSession = (session: Session): unknown => {
    sessions.add(session)
    // It has greeted: whoever closes the listener from here on asks for its release.
    pending.delete(session as LiveSession)
    void session.closed.then(() => sessions.delete(session))
    // It may have been in the midst of a tuning when the others were released.
    if (stopping) return session[Symbol.asyncDispose]()
    return options.onSession?.(session)
  }

  const forEach = { ...options, onSession }

  async function accept(socket: Socket): Promise<void> {
    let session: LiveSession
    try {
      session = new LiveSession(socket, 'listener', forEach)
    } catch (error) {
      // Options that no greeting can say.
      noteError(undefined, error)
      socket.destroy()
      return
    }
    pending.set(session, performance.now())
    try {
      await session.ready()
    } catch (error) {
      noteError(session, error)
    } finally {
      pending.delete(session)
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path === undefined ? { port, host } : { path }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  // A connection that could not be accepted, for want of descriptors perhaps: the next may be.
  server.on('error', (error) => noteError(undefined, error))
  const address = server.address()

  const close = async (): Promise<void> => {
    stopping = true
    const closed = new Promise((resolve) => server.close(resolve))
    for (const session of pending.keys()) session.terminate(new Error('The listener was closed'))
    await Promise.all([...sessions].map((session) => session[Symbol.asyncDispose]()))
    await closed
  }
  return {
    address: typeof address === 'string' || address === null ? { address: path ?? '', family: 'unix', port: 0 } : address,
    sessions,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** We are not available: ERR instead of a greeting, then the end (RFC 3080 §2.3.1.5), whether the peer closes its side or not. */
function refuse(socket: Socket, patience: number): void {
  const engine = new Engine('listener')
  engine.refuseSession(421)
  // §2.3.1.5: both peers log it.
  noteError(undefined, new ReplyError(421, `a session from ${socket.remoteAddress ?? 'a Unix socket'} was not accepted`))
  const timer = after(patience, () => socket.destroy())
  socket.on('close', () => clearTimeout(timer))
  socket.on('error', () => socket.destroy())
  socket.end(Buffer.concat(engine.transmit()))
  socket.resume()
}
