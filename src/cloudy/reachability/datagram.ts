// A question to the gateway by UDP and the answer to it: sent again until it is answered, believed from the gateway alone.
import { createSocket } from 'node:dgram'
import { deferred } from '../../beep/promises.js'
import { GATEWAY_PORT, type Gateway } from './gateway.js'
import { type Failure, failed } from './protocol.js'

/** Milliseconds until the question is sent again, the first time; then twice as many, and so on (RFC 6886 §3.1). */
const FIRST_WAIT = 250
/**
 * How often it is sent. RFC 6886 would go on for a minute; after 1.75 s without an answer the next protocol has its turn, and the mapper comes back
 * later. A router on the link answers within milliseconds.
 */
const SENDS = 3

export interface Question<T> {
  readonly octets: Uint8Array
  /** The answer, or undefined when the datagram is not one: then it is ignored. */
  read(datagram: Uint8Array): T | undefined
}

export interface DatagramOptions {
  readonly signal?: AbortSignal | undefined
  /** Other than the standard's, for tests. */
  readonly port?: number | undefined
  /** Milliseconds; 250 by default. */
  readonly firstWait?: number | undefined
}

/**
 * Asks. Each question has a socket of its own, on a port that the system draws and that ends with it: what comes late or twice comes to nobody, and the
 * socket is connected, so the system lets nothing through that is not from the gateway's address and port.
 * @throws the signal's reason when it aborts
 */
export async function ask<T>(
  { address }: Gateway,
  { octets, read }: Question<T>,
  { signal, port = GATEWAY_PORT, firstWait = FIRST_WAIT }: DatagramOptions = {},
): Promise<T | Failure> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = deferred<T | Failure>()
  const socket = createSocket('udp4')
  let timer: NodeJS.Timeout | undefined
  let sent = 0
  const send = () => {
    if (sent === SENDS) return resolve(failed('silent', `${address} does not answer on UDP port ${port}`))
    timer = setTimeout(send, firstWait * 2 ** sent++)
    socket.send(octets)
  }
  const onAbort = () => reject(signal?.reason as Error)
  signal?.addEventListener('abort', onAbort, { once: true })
  // Also "connection refused", the ICMP message by which a gateway says that nobody listens on the port.
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ECONNREFUSED' ? 'closed' : 'unreachable'
    const words = reason === 'closed' ? `nobody listens on UDP port ${port} of ${address}` : error.message
    resolve(failed(reason, words))
  })
  socket.on('message', (datagram, from) => {
    // The system has seen to it; this is the rule, in one line.
    if (from.address !== address || from.port !== port) return
    const answer = read(datagram)
    if (answer !== undefined) resolve(answer)
  })
  socket.once('connect', send)
  socket.connect(port, address)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    socket.close()
  }
}
