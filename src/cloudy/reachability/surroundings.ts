// What happens around a mapper without its asking: the network changes, and routers tell everybody that they have started.
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { Interfaces } from './address.js'
import { GATEWAY_PORT } from './gateway.js'

/** Where gateways tell everybody on the link, by multicast to all hosts (224.0.0.1), that they started or have another address (RFC 6886 §3.2.1, RFC 6887 §14.1.2). */
const ANNOUNCEMENT_PORT = 5350
/** Milliseconds between looks at our own interfaces. */
const INTERFACES_INTERVAL = 5000

export interface Surroundings {
  /**
   * Calls back when our own IPv4 addresses changed. While the system cannot tell them, they count as unchanged.
   * @param onError told when the system could not, once until it can again
   * @returns a function that ends it
   */
  watchNetwork(onChange: () => void, onError: (error: unknown) => void): () => void
  /** Calls back with each datagram that came from a gateway's port. @returns a function that ends it */
  hearAnnouncements(onDatagram: (datagram: Uint8Array, from: string) => void): () => void
}

/** The real ones. */
export const surroundings: Surroundings = {
  watchNetwork: (onChange, onError) => watchAddresses({ onChange, onError }),
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

/** What `watchNetwork` does. @param watch.interfaces, watch.interval for tests */
export function watchAddresses({
  onChange,
  onError,
  interfaces = networkInterfaces,
  interval = INTERFACES_INTERVAL,
}: {
  onChange(): void
  onError(error: unknown): void
  readonly interfaces?: typeof networkInterfaces
  readonly interval?: number
}): () => void {
  let before: string | undefined
  let failing = false
  const look = () => {
    try {
      const now = addressesIn(interfaces())
      failing = false
      const changed = before !== undefined && now !== before
      before = now
      if (changed) onChange()
    } catch (error) {
      // As when descriptors have run out.
      if (!failing) onError(error)
      failing = true
    }
  }
  look()
  const timer = setInterval(look, interval).unref()
  return () => clearInterval(timer)
}

function addressesIn(interfaces: Interfaces): string {
  return Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
    .sort()
    .join()
}
