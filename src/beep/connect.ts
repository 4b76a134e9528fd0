// Opening sessions: by dialling, or on a transport that is already there (RFC 3081 §2).
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Role } from './engine/core.js'
import { LiveSession } from './live-session.js'
import { checkOptions, checkPort } from './options.js'
import { abortable, deferred } from './promises.js'
import type { Session, SessionOptions } from './session.js'

/** The port that IANA registered for BEEP's first use; tools that know BEEP look there. */
export const DEFAULT_PORT = 10_288

export interface ConnectOptions extends SessionOptions {
  /** Host name or address; `localhost` by default. */
  readonly host?: string | undefined
  /** 1..65535; 10288, `DEFAULT_PORT`, by default. */
  readonly port?: number | undefined
  /** A Unix socket, instead of host and port. */
  readonly path?: string | undefined
  /** Stops the dialling, the waiting for the greeting and, where there is one, the tuning. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Dials and exchanges greetings; we are the initiator.
 * @throws ReplyError when the listener is not available (RFC 3080 §2.4), ClosedError when it is no BEEP peer, RangeError or TypeError when an option is
 *   not lawful, or what the socket throws
 */
export async function connect(options: ConnectOptions): Promise<Session> {
  const { host = 'localhost', port = DEFAULT_PORT, path, signal } = options
  signal?.throwIfAborted()
  checkOptions(options)
  checkPort(port, 1)
  // Made without options: Node copies those of `net.connect` in a way that costs 15 µs (Node 20).
  const socket = new Socket()
  if (path === undefined) socket.setNoDelay(true).setKeepAlive(true).connect({ host, port })
  else socket.connect({ path })
  try {
    await opened(socket, signal)
  } catch (error) {
    socket.destroy()
    throw error
  }
  return begin(socket, 'initiator', options, signal)
}

/**
 * Begins a session on a transport: a socket, a TLS socket, one end of a pair; paused or not, it is ours from now on. Resolves once the peer's
 * greeting is in.
 * @throws as `connect` does; the transport is closed then
 */
export async function attach(
  transport: Duplex,
  role: Role,
  options: SessionOptions = {},
  signal?: AbortSignal,
): Promise<Session> {
  try {
    checkOptions(options)
  } catch (error) {
    transport.destroy()
    throw error
  }
  return begin(transport, role, options, signal)
}

/** The same, with options that have been looked at. */
async function begin(
  transport: Duplex,
  role: Role,
  options: SessionOptions,
  signal: AbortSignal | undefined,
): Promise<LiveSession> {
  let session: LiveSession
  try {
    session = new LiveSession(transport, role, options)
  } catch (error) {
    // They ask for a greeting that cannot be said.
    transport.destroy()
    throw error
  }
  await session.ready(signal)
  return session
}

async function opened(socket: Socket, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = deferred<void>()
  socket.once('connect', resolve)
  socket.once('error', reject)
  try {
    await abortable(promise, signal)
  } finally {
    socket.off('connect', resolve)
    socket.off('error', reject)
  }
}
