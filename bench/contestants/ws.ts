// WebSocket by the `ws` package: binary messages, no compression. The path says what is wanted.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { type Contestant, Lanes, payload } from '../contestant.js'

const EMPTY = Buffer.alloc(0)
const BINARY = { binary: true }

export const ws: Contestant = {
  name: 'ws',
  takesPart: ({ service, secure, channels }) =>
    (service === 'echo' || service === 'sink') && secure !== true && channels === undefined,
  async serve() {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
    server.on('connection', (socket, request) => {
      const sink = request.url === '/sink'
      socket.on('error', () => socket.terminate())
      socket.on('message', (message: Buffer) => socket.send(sink ? EMPTY : message, BINARY))
    })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return {
      ports: { clear: port, secure: 0 },
      close: async () => {
        for (const socket of server.clients) socket.terminate()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  },
  async open({ clear: port }) {
    return {
      async run(workload, meter) {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/${workload.service}`, { perMessageDeflate: false })
        await once(socket, 'open')
        const message = payload(workload)
        const lanes = new Lanes(workload, meter, () => socket.send(message, BINARY))
        socket.on('error', (error) => lanes.fail(error))
        socket.on('close', () => lanes.fail(new Error('The connection was closed')))
        socket.on('message', (answer: Buffer) => lanes.answered(answer.length))
        await lanes.done
        socket.terminate()
      },
      close: async () => {},
    }
  },
}
