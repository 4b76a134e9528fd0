// Yamux by `@chainsafe/libp2p-yamux`, straight on a socket: a stream for each channel, a length of four octets before each message.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { yamux as createYamux } from '@chainsafe/libp2p-yamux'
import type { Stream } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import { type Contestant, Lanes, payload } from '../contestant.js'
import { framed, LENGTH } from './framed.js'

/** Its multiplexer on a socket of ours. */
class SocketStream extends AbstractMessageStream {
  readonly #socket: Socket

  constructor(socket: Socket, direction: 'inbound' | 'outbound') {
    super({ log: defaultLogger().forComponent('bench'), direction })
    this.#socket = socket
    socket.on('data', (octets) => this.onData(octets))
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    socket.on('error', () => {})
    socket.on('close', () => this.onTransportClosed())
  }

  sendData(data: Parameters<AbstractMessageStream['sendData']>[0]): SendResult {
    let more = true
    this.#socket.cork()
    for (const piece of data) more = this.#socket.write(piece)
    this.#socket.uncork()
    return { sentBytes: data.byteLength, canSendMore: more }
  }

  sendReset(): void {
    this.#socket.destroy()
  }

  sendPause(): void {
    this.#socket.pause()
  }

  sendResume(): void {
    this.#socket.resume()
  }

  async close(): Promise<void> {
    this.#socket.end()
  }
}

/**
 * Reads lengths and messages of a stream.
 * @param each is told the size of a message whose last octet is in; `whole` gives it with its length before it
 */
function messages(stream: Stream, each: (size: number, whole: () => Buffer) => void): void {
  let held: Buffer[] = []
  let size = 0
  const take = (piece: Buffer) => {
    held.push(piece)
    size += piece.length
    while (size >= LENGTH) {
      if (held[0]!.length < LENGTH) held = [Buffer.concat(held)]
      const length = held[0]!.readUInt32BE()
      const rest = size - LENGTH - length
      if (rest < 0) return
      each(length, () => (held.length === 1 ? held[0]! : Buffer.concat(held)).subarray(0, LENGTH + length))
      const last = held.at(-1)!
      held = rest === 0 ? [] : [last.subarray(last.length - rest)]
      size = rest
    }
  }
  stream.addEventListener('message', ({ data }) => {
    for (const piece of data instanceof Uint8Array ? [data] : data)
      take(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))
  })
}

export const yamux: Contestant = {
  name: 'yamux',
  takesPart: ({ service, secure }) => (service === 'echo' || service === 'sink') && secure !== true,
  async serve() {
    const sockets = new Set<Socket>()
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      const muxer = createYamux()().createStreamMuxer(new SocketStream(socket, 'inbound'))
      muxer.addEventListener('stream', ({ detail: stream }) => {
        // The first octet says whether it is to come back.
        messages(stream, (_, whole) => {
          const message = whole()
          stream.send(message[LENGTH] === SINK ? EMPTY : message)
        })
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      ports: { clear: (server.address() as AddressInfo).port, secure: 0 },
      close: async () => {
        for (const socket of sockets) socket.destroy()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  },
  async open({ clear: port }) {
    return {
      async run(workload, meter) {
        const socket = connect({ host: '127.0.0.1', port, noDelay: true })
        await once(socket, 'connect')
        const muxer = createYamux()().createStreamMuxer(new SocketStream(socket, 'outbound'))
        const streams = await Promise.all(Array.from({ length: workload.channels ?? 1 }, () => muxer.createStream()))
        const body = payload(workload)
        if (workload.service === 'sink') body[0] = SINK
        const message = framed(body)
        const send = (lane: number) => void streams[lane % streams.length]!.send(message)
        const lanes = new Lanes(workload, meter, send)
        for (const [lane, stream] of streams.entries()) messages(stream, (octets) => lanes.answered(octets, lane))
        socket.on('close', () => lanes.fail(new Error('The connection was closed')))
        await lanes.done
        socket.destroy()
      },
      close: async () => {},
    }
  },
}

const SINK = 1
const EMPTY = Buffer.alloc(LENGTH)
