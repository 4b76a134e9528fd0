// The TLS tuning profile (RFC 3080 §3.1). It alters the transport below all channels (§2.6.4): with `<proceed/>` every channel, channel 0
// too, is closed without a word, and after the handshake a new session begins. A failed negotiation ends the session: never back to clear text.
import { constants, type X509Certificate } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  connect as connectTls,
  createServer,
  type SecureContextOptions,
  type SecureVersion,
  type Server,
  type TLSSocket,
} from 'node:tls'
import { type Profile, ReplyError, type Session, Tuning } from '../beep/index.js'
import { after, deferred } from '../beep/promises.js'
import { isReplyCode } from '../beep/reply-code.js'
import { ElementError, formatElement, formatSimple, parseSimple } from '../beep/wire/elements.js'

/** The URI of the profile (RFC 3080 §3.1.1). */
export const TLS = 'http://iana.org/beep/TLS'

/**
 * Decides on the certificate of the peer: returning accepts it, throwing refuses it. It may be self-signed, expired or for another
 * name: whoever gives a `verify` judges alone.
 */
export type Verify = (certificate: X509Certificate, socket: TLSSocket) => void | Promise<void>

export interface TlsOptions extends Pick<SecureContextOptions, 'key' | 'cert' | 'ca' | 'passphrase' | 'ciphers' | 'maxVersion'> {
  /** `TLSv1.2` by default; nothing older is accepted. */
  readonly minVersion?: Extract<SecureVersion, 'TLSv1.2' | 'TLSv1.3'> | undefined
  /** Judges the certificate of the peer. Without it, a certificate authority must vouch for it: those of `ca`, or the system's. */
  readonly verify?: Verify | undefined
  /** Milliseconds for the handshake; 30,000 by default, 0 for ever. */
  readonly handshakeTimeout?: number | undefined
}

export interface TlsListenOptions extends TlsOptions {
  /**
   * Other credentials for the server name that was asked for (RFC 3080 §2.3.1.2); undefined keeps those given. A ReplyError refuses to be that
   * server.
   */
  credentialsFor?(serverName: string | undefined): Pick<TlsOptions, 'key' | 'cert' | 'passphrase'> | undefined
  /** Whether the initiator must show a certificate; `required` when there is a `verify`, else `none`. */
  readonly clientCertificate?: 'required' | 'optional' | 'none' | undefined
}

export interface TlsConnectOptions extends TlsOptions {
  /** The name or address that the certificate must be for; a name is told to the peer (SNI). Needed unless there is a `verify`. */
  readonly servername?: string | undefined
  /** The server name to ask for in BEEP's own terms (RFC 3080 §2.3.1.2). Some peers do not answer a start that has one. */
  readonly serverName?: string | undefined
  /** Stops the waiting for what is outstanding. Once `<ready/>` has been said there is no way back: then it ends the session. */
  readonly signal?: AbortSignal | undefined
}

const HANDSHAKE_TIMEOUT = 30_000
/** Servers that wait for their next handshake, of one set of credentials. */
const MAX_IDLE = 16

/**
 * Serves TLS: whoever sends `<ready/>` becomes the client of the handshake (A34). Offered in clear text only.
 * @param options are read now, once; `credentialsFor` is asked for each session
 * @throws TypeError without a key and a certificate, or what TLS says when they are of no use
 */
export function tls(options: TlsListenOptions): Profile {
  // Without them every handshake would fail, and the peer would be told nothing of use.
  if (options.credentialsFor === undefined && (options.key === undefined || options.cert === undefined))
    throw new TypeError('A listener in TLS needs a key and a certificate')
  const usual = new Handshakes(options)
  const answer = (ready: Uint8Array, serverName: string | undefined): Tuning => {
    checkReady(ready)
    const own = options.credentialsFor?.(serverName)
    const handshakes = own === undefined ? usual : new Handshakes({ ...options, ...own })
    return new Tuning(formatSimple('proceed'), (transport) => handshakes.serve(transport))
  }
  return {
    uri: TLS,
    tuning: true,
    available: (session) => session.tls === undefined,
    start({ initial, serverName }) {
      if (initial === undefined) return undefined
      try {
        // The first successful start decides, and this may be it.
        return answer(initial, serverName)
      } catch (error) {
        // The channel exists although its first operation failed (§3.1.1).
        if (error instanceof ReplyError) return formatElement({ name: 'error', code: error.replyCode, text: error.text })
        throw error
      }
    },
    message: async (message, { session }) => answer(await message.bytes(), session.serverName),
  }
}

/**
 * Tunes the session to TLS and gives the one that follows; the one given is over. Waits until nothing is outstanding.
 * @throws ReplyError when the peer does not want to, ClosedError or what TLS says when the negotiation fails
 */
export async function startTls(session: Session, options: TlsConnectOptions = {}): Promise<Session> {
  if (session.tls !== undefined) throw new TypeError('The session is tuned to TLS already')
  if (options.verify === undefined && options.servername === undefined) {
    throw new TypeError('startTls needs a servername to check the certificate against, or a verify to judge it')
  }
  const ready = { initial: formatSimple('ready'), serverName: options.serverName, signal: options.signal }
  return session.tune(TLS, ready, checkProceed, (transport) => handshake(transport, options))
}

/** Keeps a profile out of the greeting, and declines it, until the session is tuned to TLS. */
export function whenTuned(profile: Profile): Profile {
  const { uri, tuning = false } = profile
  return {
    uri,
    tuning,
    available: (session) => session.tls !== undefined && (profile.available?.(session) ?? true),
    // Each by itself: a copy of an object would lack what its class gives it.
    ...(profile.start && { start: profile.start.bind(profile) }),
    ...(profile.open && { open: profile.open.bind(profile) }),
    ...(profile.message && { message: profile.message.bind(profile) }),
    ...(profile.close && { close: profile.close.bind(profile) }),
  }
}

/** Asked once: on the side of the client, Node 20 gives the certificate to the first who asks and to nobody after. */
const certificates = new WeakMap<TLSSocket, X509Certificate>()

/** The certificate that the peer showed when the session was tuned to TLS, if it showed one. That it was accepted, the session itself proves. */
export function peerCertificate(session: Session): X509Certificate | undefined {
  return session.tls === undefined ? undefined : certificates.get(session.tls)
}

/** `<ready/>`, perhaps with the earliest version that the peer accepts (§3.1.3.1). */
function checkReady(octets: Uint8Array): void {
  const element = read(octets)
  if (element.name !== 'ready') throw new ReplyError(501, 'a MSG of the TLS profile holds ready')
  if (element.text.trim() !== '' || element.children.length > 0) throw new ReplyError(501, 'a <ready> element has no content')
  const version = element.attributes.version ?? '1'
  if (!/^[0-9]+(\.[0-9]+)?$/.test(version)) throw new ReplyError(501, 'version attribute poorly formed in <ready> element')
  if (Number(version) > 1.3) throw new ReplyError(504, `TLS ${version} is not available`)
}

function checkProceed(octets: Uint8Array | undefined): void {
  if (octets === undefined) throw new ReplyError(500, 'the peer opened the channel without an answer to <ready/>')
  const element = read(octets)
  if (element.name === 'error') {
    const code = Number(element.attributes.code)
    throw new ReplyError(isReplyCode(code) ? code : 500, element.text)
  }
  if (element.name !== 'proceed') throw new ReplyError(501, 'the answer to <ready/> is neither proceed nor error')
}

function read(octets: Uint8Array): ReturnType<typeof parseSimple> {
  try {
    return parseSimple(octets)
  } catch (error) {
    if (error instanceof ElementError) throw new ReplyError(error.replyCode, error.message)
    throw error
  }
}

function context(options: TlsOptions) {
  const { key, cert, ca, passphrase, ciphers, maxVersion, minVersion = 'TLSv1.2' } = options
  // No tickets and no resumption: an identity is proved anew by every handshake.
  return { key, cert, ca, passphrase, ciphers, maxVersion, minVersion, secureOptions: constants.SSL_OP_NO_TICKET }
}

/** The side that sent `<proceed/>`, with one set of credentials. */
class Handshakes {
  readonly #options: TlsListenOptions
  readonly #clientCertificate: NonNullable<TlsListenOptions['clientCertificate']>
  /** Each serves one handshake at a time. Making one takes longer than a session in clear, most of it for the key and the certificate. */
  readonly #idle: Server[] = []

  /** @throws what TLS says when the key and the certificate are of no use */
  constructor(options: TlsListenOptions) {
    this.#options = options
    this.#clientCertificate = options.clientCertificate ?? (options.verify === undefined ? 'none' : 'required')
    this.#idle.push(this.#server())
  }

  async serve(transport: Duplex): Promise<Duplex> {
    const server = this.#idle.pop() ?? this.#server()
    const socket = await new Promise<TLSSocket>((resolve, reject) => {
      const timer = late(this.#options, reject)
      const fail = (error: Error) => {
        clearTimeout(timer)
        reject(error)
      }
      const left = () => fail(new Error('The peer left during the TLS handshake'))
      server.once('tlsClientError', fail)
      server.once('secureConnection', (secure) => {
        clearTimeout(timer)
        server.off('tlsClientError', fail)
        transport.off('close', left)
        resolve(secure)
      })
      transport.once('close', left)
      server.emit('connection', transport)
    })
    // One whose handshake failed may have more to tell of it, and tells no other session.
    if (this.#idle.length < MAX_IDLE) this.#idle.push(server)
    return judged(socket, this.#options.verify, this.#clientCertificate === 'required')
  }

  #server(): Server {
    return createServer({
      ...context(this.#options),
      // Ours is the clock that counts; Node's would be two minutes.
      handshakeTimeout: 0,
      requestCert: this.#clientCertificate !== 'none',
      // With a verify it judges; a certificate authority only when there is none.
      rejectUnauthorized: this.#options.verify === undefined && this.#clientCertificate === 'required',
    })
  }
}

/** The side that sent `<ready/>`. */
async function handshake(transport: Duplex, options: TlsConnectOptions): Promise<Duplex> {
  const { verify, servername } = options
  const socket = connectTls({
    ...context(options),
    socket: transport as Socket,
    ...(servername === undefined ? {} : isIP(servername) ? { host: servername } : { servername }),
    rejectUnauthorized: verify === undefined,
    ...(verify === undefined ? {} : { checkServerIdentity: () => undefined }),
  })
  await new Promise<void>((resolve, reject) => {
    const timer = late(options, reject)
    const fail = (error: Error) => {
      clearTimeout(timer)
      reject(error)
    }
    socket.once('error', fail)
    socket.once('close', () => fail(new Error('The peer left during the TLS handshake')))
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      resolve()
    })
  })
  return judged(socket, verify, true)
}

function late({ handshakeTimeout = HANDSHAKE_TIMEOUT }: TlsOptions, reject: (error: Error) => void): NodeJS.Timeout | undefined {
  return after(handshakeTimeout, () => reject(new Error(`The TLS handshake took longer than ${handshakeTimeout} ms`)))
}

/** The certificate of the peer is judged before one octet of BEEP is said. */
async function judged(socket: TLSSocket, verify: Verify | undefined, required: boolean): Promise<TLSSocket> {
  socket.disableRenegotiation()
  const onError = () => {}
  socket.on('error', onError)
  const gone = deferred<never>()
  const left = () => gone.reject(new Error('The peer left during the TLS handshake'))
  socket.on('close', left)
  try {
    const certificate = socket.getPeerX509Certificate()
    if (certificate !== undefined) {
      certificates.set(socket, certificate)
      // Whoever judges may take its time; the peer need not wait for it.
      await Promise.race([verify?.(certificate, socket), gone.promise])
    } else if (required) throw new Error('The peer showed no certificate')
    if (socket.destroyed) throw new Error('The peer left during the TLS handshake')
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    socket.off('error', onError)
    socket.off('close', left)
  }
}
