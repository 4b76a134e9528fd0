// What happens around a mapper without its asking: the network changes, and routers tell everybody that they have started.
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { GATEWAY_PORT } from './gateway.js'

/** Where gateways tell everybody on the link, by multicast to all hosts (224.0.0.1), that they started or have another address (RFC 6886 §3.2.1, RFC 6887 §14.1.2). */
const ANNOUNCEMENT_PORT = 5350
/** Milliseconds between looks at our own interfaces. */
const INTERFACES_INTERVAL = 5000

export interface Surroundings {
  /** Calls back when our own IPv4 addresses changed. @returns a function that ends it */
  watchNetwork(onChange: () => void): () => void
  /** Calls back with each datagram that came from a gateway's port. @returns a function that ends it */
  hearAnnouncements(onDatagram: (datagram: Uint8Array, from: string) => void): () => void
}

/** The real ones. */
export const surroundings: Surroundings = {
  watchNetwork(onChange) {
    let before = ownAddresses()
    const timer = setInterval(() => {
      const now = ownAddresses()
      if (now === before) return
      before = now
      onChange()
    }, INTERFACES_INTERVAL).unref()
    return () => clearInterval(timer)
  },
  hearAnnouncements(onDatagram) {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    let over = false
    const end = () => {
      if (!over) socket.close()
      over = true
    }
    // Somebody else may have the port: then the looks at the clock have to do.
    socket.on('error', end)
    socket.on('message', (datagram, from) => {
      if (from.port === GATEWAY_PORT) onDatagram(datagram, from.address)
    })
    socket.bind(ANNOUNCEMENT_PORT)
    socket.unref()
    return end
  },
}

function ownAddresses(): string {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
    .sort()
    .join()
}
