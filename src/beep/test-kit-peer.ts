// For the tests of sessions: a peer that speaks by hand, octet by octet, and so may do what no session of ours would.
import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { attach } from './connect.js'
import type { Role } from './engine/core.js'
import type { Session, SessionOptions } from './session.js'
import { duplexPair } from './testing.js'

const BEEP_XML = 'Content-Type: application/beep+xml\r\n\r\n'
/** How a TLS client begins. */
export const CLIENT_HELLO = new RegExp(String.fromCharCode(0x16, 3, 1))
/** Longest that a test waits for an octet. */
const PATIENCE = 3000

export class RawPeer {
  readonly stream: Duplex
  /** Everything that the session has said. */
  heard = ''
  /** The transport is closed. */
  closed = false
  readonly #seqnos = new Map<number, number>()
  #look: () => void = () => {}
  #read = 0

  constructor(stream: Duplex) {
    this.stream = stream
    stream.on('data', (octets: Uint8Array) => {
      this.heard += Buffer.from(octets).toString('latin1')
      this.#look()
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      this.closed = true
      this.#look()
    })
  }

  /** Says octets as they are. */
  say(octets: string | Uint8Array): this {
    this.stream.write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets)
    return this
  }

  /** Gives a frame; the seqno is the one that is due, whichever way it is sent. */
  frame(head: string, payload = '', ansno?: number): string {
    const [keyword, channel, msgno, more = '.'] = head.split(' ')
    const seqno = this.#seqnos.get(Number(channel)) ?? 0
    this.#seqnos.set(Number(channel), seqno + payload.length)
    const answer = ansno === undefined ? '' : ` ${ansno}`
    return `${keyword} ${channel} ${msgno} ${more} ${seqno} ${payload.length}${answer}\r\n${payload}END\r\n`
  }

  /** Gives a frame of channel 0. `head` is keyword and msgno. */
  management(head: string, element: string): string {
    const [keyword, msgno] = head.split(' ')
    return this.frame(`${keyword} 0 ${msgno}`, BEEP_XML + element)
  }

  greet(profiles: readonly string[] = []): this {
    const elements = profiles.map((uri) => `<profile uri='${uri}' />`).join('')
    return this.say(this.management('RPY 0', `<greeting>${elements}</greeting>`))
  }

  /** Channel `number` was closed: its next user counts from 0. */
  forget(number: number): void {
    this.#seqnos.delete(number)
  }

  /** Waits until what was said since the last match matches. */
  async expect(pattern: RegExp): Promise<string> {
    const found = await this.#until(() => pattern.exec(this.heard.slice(this.#read)))
    if (found === null) throw new Error(`expected ${pattern}, heard: ${JSON.stringify(this.heard.slice(this.#read))}`)
    this.#read += found.index + found[0].length
    return found[0]
  }

  /** Waits until the session has closed the transport. */
  async end(): Promise<void> {
    if ((await this.#until(() => (this.closed ? true : null))) === null) throw new Error('the transport was not closed')
  }

  async #until<T>(look: () => T | null): Promise<T | null> {
    const first = look()
    if (first !== null) return first
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), PATIENCE)
      this.#look = () => {
        const found = look()
        if (found === null && !this.closed) return
        clearTimeout(timer)
        this.#look = () => {}
        resolve(found)
      }
    })
  }
}

/** A session of ours in memory and, at the other end, a peer that has greeted. */
export async function rawPair(
  role: Role,
  options: SessionOptions = {},
  profiles: readonly string[] = [],
): Promise<{ session: Session; peer: RawPeer }> {
  const [ours, theirs] = duplexPair()
  const peer = new RawPeer(theirs)
  peer.greet(profiles)
  const session = await attach(ours, role, options)
  await peer.expect(/^RPY 0 0 [\s\S]*?END\r\n/)
  return { session, peer }
}

/** A peer that dialled. */
export async function rawDial(port: number): Promise<RawPeer> {
  const socket = dial({ host: '127.0.0.1', port })
  const peer = new RawPeer(socket)
  await once(socket, 'connect')
  return peer
}

/** A peer that awaits sessions; `serve` is told of each. */
export async function rawServer(serve: (peer: RawPeer) => void): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    serve(new RawPeer(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port: (server.address() as { port: number }).port, close }
}

/** Opens channel `number` on a session of ours, which is the listener. */
export async function rawStart(peer: RawPeer, number: number, uri: string, msgno = 1, content = ''): Promise<void> {
  peer.say(peer.management(`MSG ${msgno}`, `<start number='${number}'><profile uri='${uri}'>${content}</profile></start>`))
  await peer.expect(new RegExp(`RPY 0 ${msgno} [\\s\\S]*?END\\r\\n`))
}

/** Lets everything that is ready happen. */
export async function turns(count = 3): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve))
}

/** The promise within a second, or `'pending'`. */
export async function soon<T>(promise: Promise<T>, milliseconds = 1000): Promise<T | 'pending'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'pending'>((resolve) => {
    timer = setTimeout(() => resolve('pending'), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
