// The package nat-api brings no types; this is the part that we use: its UPnP client.
declare module 'nat-api/lib/upnp/index.js' {
  import type { EventEmitter } from 'node:events'

  /** A gateway device, by the address of its description. */
  export interface Device {
    /** Calls an action of its WAN connection service. @param callback given the body of the SOAP envelope, as xml2js makes it */
    run(
      action: string,
      args: readonly (readonly [name: string, value: string])[],
      callback: (error: Error | null, body?: unknown) => void,
    ): void
    readonly url: string
  }

  export interface Client {
    readonly ssdp: EventEmitter & {
      /** Reads a datagram that came to a socket of ours. */
      _parseResponse(datagram: string, localAddress: string, from: { readonly address: string }): void
    }
    /** Gives the first gateway that answers a search, within 1.8 s. */
    findGateway(callback: (error: Error | null, device?: Device) => void): void
    destroy(): void
  }

  const Upnp: { createClient(): Client }
  export default Upnp
}
