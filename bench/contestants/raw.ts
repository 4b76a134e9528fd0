// Bare TCP and bare TLS, what nothing above them can beat: plain echo for one message in flight, else a length of four octets before each message.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { type Contestant, keepDoing, Lanes, payload } from '../contestant.js'
import type { Workload } from '../workloads.js'
import { framed, LENGTH } from './framed.js'

// The first octet of a connection says what is wanted.
const PLAIN = 1
const ECHO = 2
const SINK = 3

const HOST = '127.0.0.1'
const EMPTY = Buffer.alloc(LENGTH)

/** In clear. It has no channels and no answers of its own. */
export const net: Contestant = raw('net', false)
/** In TLS, for the workloads that are. */
export const tls: Contestant = raw('tls', true)

function raw(name: string, secure: boolean): Contestant {
  return {
    name,
    takesPart: (workload) =>
      (workload.secure ?? false) === secure && workload.service !== 'answers' && workload.channels === undefined,
    async serve(credentials) {
      const sockets = new Set<Socket>()
      const accept = (socket: Socket) => {
        sockets.add(socket)
        socket.on('error', () => socket.destroy())
        socket.on('close', () => sockets.delete(socket))
        socket.once('data', (chunk: Buffer) => {
          const serve = service(socket, chunk[0]!)
          socket.on('data', serve)
          if (chunk.length > 1) serve(chunk.subarray(1))
        })
      }
      const server: Server = secure ? createTlsServer(credentials, accept) : createServer({ noDelay: true }, accept)
      server.listen(0, HOST)
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      return {
        ports: { clear: port, secure: port },
        close: async () => {
          for (const socket of sockets) socket.destroy()
          await new Promise((resolve) => server.close(resolve))
        },
      }
    },
    async open({ clear: port }) {
      const dial = async (): Promise<Socket> => {
        const socket = secure
          ? connectTls({ host: HOST, port, rejectUnauthorized: false })
          : connect({ host: HOST, port, noDelay: true })
        await once(socket, secure ? 'secureConnect' : 'connect')
        return socket
      }
      return {
        async run(workload, meter) {
          if (workload.service === 'session') {
            return keepDoing(meter, async () => {
              const socket = await dial()
              socket.end().resume()
              await once(socket, 'close')
              meter.count++
            })
          }
          const socket = await dial()
          const kind = kindOf(workload)
          socket.write(Buffer.of(kind))
          const message = kind === PLAIN ? payload(workload) : framed(payload(workload))
          socket.cork()
          const lanes = new Lanes(workload, meter, () => socket.write(message))
          socket.uncork()
          socket.on('error', (error) => lanes.fail(error))
          socket.on('close', () => lanes.fail(new Error('The connection was closed')))
          socket.on('data', kind === PLAIN ? pieces(workload.size, lanes) : messages(socket, (size) => lanes.answered(size)))
          await lanes.done
          socket.destroy()
        },
        close: async () => {},
      }
    },
  }
}

function kindOf(workload: Workload): number {
  if (workload.service === 'sink') return SINK
  return workload.inFlight === 1 ? PLAIN : ECHO
}

function service(socket: Socket, kind: number): (chunk: Buffer) => void {
  if (kind === PLAIN) return (chunk) => socket.write(chunk)
  if (kind === SINK) return messages(socket, () => socket.write(EMPTY))
  return messages(socket, (_, whole) => socket.write(whole()))
}

/** Without lengths: `size` octets are an answer. */
function pieces(size: number, lanes: Lanes): (chunk: Buffer) => void {
  let seen = 0
  return (chunk) => {
    seen += chunk.length
    if (seen < size) return
    seen -= size
    lanes.answered(size)
  }
}

/**
 * Reads lengths and messages; what is written in reply to one chunk leaves together.
 * @param each is told the size of a message whose last octet is in; `whole` gives it with its length before it
 */
function messages(socket: Socket, each: (size: number, whole: () => Buffer) => void): (chunk: Buffer) => void {
  /** Octets of the current message in earlier chunks. */
  let held: Buffer[] = []
  let heldSize = 0
  return (chunk) => {
    let from = 0
    const whole = () => (heldSize === 0 ? chunk.subarray(from, end) : Buffer.concat([...held, chunk.subarray(from, end)]))
    let end = 0
    socket.cork()
    for (;;) {
      const length = lengthAt(held, heldSize, chunk, from)
      if (length < 0) break
      end = from + LENGTH + length - heldSize
      if (end > chunk.length) break
      each(length, whole)
      held = []
      heldSize = 0
      from = end
    }
    socket.uncork()
    if (from === chunk.length) return
    held.push(chunk.subarray(from))
    heldSize += chunk.length - from
  }
}

/** The length at the head of what is held and of the chunk; -1 when it is not all there. */
function lengthAt(held: readonly Buffer[], heldSize: number, chunk: Buffer, from: number): number {
  if (heldSize === 0) return chunk.length - from < LENGTH ? -1 : chunk.readUInt32BE(from)
  if (held[0]!.length >= LENGTH) return held[0]!.readUInt32BE()
  if (heldSize + chunk.length - from < LENGTH) return -1
  return Buffer.concat([...held, chunk.subarray(from, from + LENGTH)]).readUInt32BE()
}
