// HTTP/2 in clear by `node:http2`: a request for each message, all on one connection.
import { once } from 'node:events'
import { connect, createServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type Contestant, keepAsking } from '../contestant.js'

/** Windows large enough that they do not limit it. */
const SETTINGS = { initialWindowSize: 1_048_576, maxConcurrentStreams: 1000 }

export const http2: Contestant = {
  name: 'http2',
  takesPart: ({ service, secure }) => (service === 'echo' || service === 'sink') && secure !== true,
  async serve() {
    const sessions = new Set<ServerHttp2Session>()
    const server = createServer({ settings: SETTINGS })
    server.on('session', (session) => {
      sessions.add(session)
      session.on('error', () => session.destroy())
      session.on('close', () => sessions.delete(session))
      session.setLocalWindowSize(16_777_216)
    })
    server.on('stream', (stream, headers) => {
      stream.on('error', () => stream.destroy())
      stream.respond({ ':status': 200 })
      if (headers[':path'] === '/echo') stream.pipe(stream)
      else stream.resume().on('end', () => stream.end())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      ports: { clear: (server.address() as AddressInfo).port, secure: 0 },
      close: async () => {
        for (const session of sessions) session.destroy()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  },
  async open({ clear }) {
    return {
      async run(workload, meter) {
        const session = connect(`http://127.0.0.1:${clear}`, { settings: SETTINGS })
        await once(session, 'connect')
        session.setLocalWindowSize(16_777_216)
        const headers = { ':method': 'POST', ':path': `/${workload.service}` }
        await keepAsking(workload, meter, (message) => {
          const stream = session.request(headers)
          stream.end(message)
          return new Promise((resolve, reject) => {
            let octets = 0
            stream.on('data', (piece: Buffer) => {
              octets += piece.length
            })
            stream.on('error', reject)
            stream.on('end', () => resolve(octets))
          })
        })
        session.destroy()
      },
      close: async () => {},
    }
  },
}
