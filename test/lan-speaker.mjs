// Says datagrams of multicast DNS on a link, for the tests of discovery: every line of standard input is a source address, how often, and the datagram
// in base64; it answers with a line. Sending is all it does, so what it says may be anything.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const GROUP = '224.0.0.251'
const PORT = 5353
/** Datagrams sent in a row before the others have their turn. */
const ROW = 50

const sockets = new Map()

async function socketOf(address) {
  const known = sockets.get(address)
  if (known !== undefined) return known
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.bind(PORT, address)
  await once(socket, 'listening')
  socket.setMulticastInterface(address)
  sockets.set(address, socket)
  return socket
}

process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const [address, times, base64] = line.split(' ')
  const socket = await socketOf(address)
  const datagram = Buffer.from(base64, 'base64')
  for (let n = 0; n < Number(times); n++) {
    const sent = new Promise((resolve) => socket.send(datagram, PORT, GROUP, resolve))
    if (n % ROW === 0) await sent
  }
  process.stdout.write('said\n')
}
process.exit(0)
