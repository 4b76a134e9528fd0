// A ping on one channel while another is saturated, against two bare sockets under the same load.
import { once } from 'node:events'
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net'
import { connect, listen } from '../../src/index.js'
import { ECHO, echo } from '../../src/profiles/echo.js'
import { SINK, sink } from '../../src/profiles/sink.js'
import type { Finding, Study } from './study.js'

const PINGS = 2000
const BULK = Buffer.alloc(65_536, 'a')
const PING = Buffer.alloc(64, 'a')
/** Bulk messages under way; on the bare socket as many octets are written ahead. */
const IN_FLIGHT = 4

export const beside: Study = {
  name: 'beside',
  title: 'the 99th percentile of a 64-octet ping beside a saturated channel',
  async serve() {
    const listener = await listen({ port: 0, profiles: [echo, sink] })
    // A connection that says little is echoed, one that says much is swallowed.
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => {})
      socket.on('data', (octets) => {
        if (octets.length <= PING.length) socket.write(octets)
      })
    }).listen(0)
    await once(server, 'listening')
    return { ports: [listener.address.port, (server.address() as AddressInfo).port], answer: async () => 0 }
  },
  async measure([beepPort, rawPort]) {
    const raw = await rawTimes(rawPort!)
    const ours = await beepTimes(beepPort!)
    return [
      { what: 'two bare sockets', value: raw, unit: 'ms' },
      { what: 'two channels', value: ours, unit: 'ms', most: raw },
    ] satisfies Finding[]
  },
}

async function beepTimes(port: number): Promise<number> {
  const session = await connect({ port })
  const [ping, bulk] = [await session.start(ECHO), await session.start(SINK)]
  let running = true
  const load = async () => {
    while (running) await bulk.request(BULK)
  }
  const loads = Array.from({ length: IN_FLIGHT }, load)
  const times = await timed(async () => {
    await (await ping.request(PING)).bytes()
  })
  running = false
  await Promise.all(loads)
  await session.release()
  return times
}

async function rawTimes(port: number): Promise<number> {
  const [ping, bulk] = [await dial(port), await dial(port)]
  let running = true
  const load = async () => {
    while (running) if (!bulk.write(BULK)) await once(bulk, 'drain')
  }
  const loading = load()
  const times = await timed(async () => {
    const answer = once(ping, 'data')
    ping.write(PING)
    await answer
  })
  running = false
  await loading
  ping.destroy()
  bulk.destroy()
  return times
}

async function dial(port: number): Promise<Socket> {
  const socket = connectSocket({ port, noDelay: true })
  await once(socket, 'connect')
  return socket
}

/** The 99th percentile, in milliseconds. */
async function timed(once: () => Promise<void>): Promise<number> {
  const times: number[] = []
  for (let count = 0; count < PINGS * 1.2; count++) {
    const begin = performance.now()
    await once()
    times.push(performance.now() - begin)
  }
  // The first are for warming up.
  const sorted = times.slice(PINGS * 0.2).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)]!
}
