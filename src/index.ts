// The package: BEEP sessions, in clear or with TLS in one call.
import {
  type ConnectOptions as ClearConnectOptions,
  type ListenOptions as ClearListenOptions,
  connect as connectInClear,
  type Listener,
  listen as listenInClear,
  type Session,
} from './beep/index.js'
import { startTls, TLS, type TlsConnectOptions, type TlsListenOptions, tls as tlsProfile, whenTuned } from './profiles/tls.js'

export * from './beep/index.js'

export interface ConnectOptions extends ClearConnectOptions {
  /**
   * Tunes the session to TLS before it is given. The certificate must be for `host` unless a `verify` judges it. What we serve is not told in
   * clear, and a peer that offers no TLS is refused: somebody in between may have taken it out of the greeting (RFC 3080 §9).
   */
  readonly tls?: TlsConnectOptions | undefined
}

export interface ListenOptions extends ClearListenOptions {
  /** Offers TLS, and unless `required` is false nothing else before it: in clear the greeting names the TLS profile alone. */
  readonly tls?: (TlsListenOptions & { readonly required?: boolean | undefined }) | undefined
}

/**
 * Dials and exchanges greetings, with `tls` also tunes; we are the initiator.
 * @throws ReplyError when the listener is not available or refuses TLS, an error with code `BEEP_ERR_NO_TLS` when it does not offer it,
 *   ClosedError when it is no BEEP peer, or what the socket or TLS throws
 */
export async function connect(options: ConnectOptions): Promise<Session> {
  if (options.tls === undefined) return connectInClear(options)
  const { tls, host = 'localhost', profiles = [], ...rest } = options
  const clear = await connectInClear({ ...rest, host, profiles: profiles.map(whenTuned) })
  if (!clear.greeting.profiles.includes(TLS)) {
    await clear[Symbol.asyncDispose]()
    const what = 'The peer offers no TLS, or somebody in between took it out of its greeting (RFC 3080 §9): nothing was sent'
    throw Object.assign(new Error(what), { code: 'BEEP_ERR_NO_TLS' })
  }
  try {
    return await startTls(clear, { servername: host, signal: options.signal, ...tls })
  } catch (error) {
    // A peer that refuses leaves the session as it was, and nobody else has it. Whoever waits hears of the failure at once, not when it is released.
    void clear[Symbol.asyncDispose]()
    throw error
  }
}

/** Listens; with `tls`, sessions are tuned before they are of use. A handler that throws, or a peer that breaks the protocol, ends no other session. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { tls, profiles } = options
  if (tls === undefined) return listenInClear(options)
  const { required = true, ...how } = tls
  return listenInClear({ ...options, profiles: [tlsProfile(how), ...(required ? profiles.map(whenTuned) : profiles)] })
}
