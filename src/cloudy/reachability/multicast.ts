// Whether multicast works on this computer: a question for cards is sent on each interface, and has to come back to us.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { interfacesNow } from '../discovery/interfaces.js'
import { TYPE } from '../discovery/records.js'

const GROUP = '224.0.0.251'
const PORT = 5353
/** Milliseconds: what we sent ourselves comes back at once or never. */
const PATIENCE = 1000

/** By interface: it came back, it did not, or it could not be sent and why. */
export type MulticastReport = Readonly<Record<string, 'heard' | 'silent' | { readonly failed: string }>>

/** Sends one question of multicast DNS (RFC 6762 §5.1) on each interface with an IPv4 address. @param patience milliseconds */
export async function checkMulticast(patience = PATIENCE): Promise<MulticastReport> {
  const report: Record<string, MulticastReport[string]> = {}
  for (const { name, ipv4 } of interfacesNow()) if (ipv4 !== undefined) report[name] = await checkInterface(ipv4, patience)
  return report
}

async function checkInterface(address: string, patience: number): Promise<MulticastReport[string]> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  // Errors after the first are of the same kind.
  socket.on('error', () => {})
  try {
    socket.bind(PORT)
    await once(socket, 'listening')
    socket.addMembership(GROUP, address)
    socket.setMulticastInterface(address)
    socket.setMulticastLoopback(true)
    return (await comesBack(socket, patience)) ? 'heard' : 'silent'
  } catch (error) {
    return { failed: (error as Error).message }
  } finally {
    socket.close()
  }
}

async function comesBack(socket: Socket, patience: number): Promise<boolean> {
  const question = questionFor(TYPE)
  const aborted = AbortSignal.timeout(patience)
  return new Promise((resolve, reject) => {
    aborted.addEventListener('abort', () => resolve(false))
    socket.on('message', (datagram) => {
      if (datagram.equals(question)) resolve(true)
    })
    socket.send(question, PORT, GROUP, (error) => {
      if (error !== null) reject(error)
    })
  })
}

/** A query for the pointers of a service type (RFC 1035 §4.1). */
function questionFor(type: string): Buffer {
  const header = Buffer.from('000000000001000000000000', 'hex')
  const labels = type.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]))
  return Buffer.concat([header, ...labels, Buffer.of(0, 0, 12, 0, 1)])
}
