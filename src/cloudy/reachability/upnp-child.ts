// The process that speaks UPnP: nat-api's client, which reads datagrams and XML of strangers with old code, kept where it can do little harm. It has
// no secrets, talks to the default gateway alone and is ended by our own process when it takes too long. The only file that imports nat-api.
//
// Of nat-api only the UPnP client is loaded: what is around it crashes on any NAT-PMP answer, doubles its timers and cannot ask for a permanent lease.
import { BlockList, isIPv4, Socket } from 'node:net'
import os from 'node:os'
import { errorCodeIn, isGatewaysAnswer, MAX_VALUE, valuesOf } from './igd.js'
import type { ActionCall, ChildSays, Errand } from './upnp-messages.js'

/** Most octets that one connection may bring. A description has a few thousand. */
const MAX_ANSWER = 262_144

const errand = JSON.parse(process.argv[2] ?? '{}') as Errand
/** The UPnP error code in what the gateway answered last: nat-api drops it. */
let errorCode: number | undefined

fenceConnections(errand.gateway)
fenceInterfaces(errand)
// An import would run before the fences are up.
const { default: Upnp } = await import('nat-api/lib/upnp/index.js')
const client = Upnp.createClient()
const read = client.ssdp._parseResponse.bind(client.ssdp)
client.ssdp._parseResponse = (datagram, localAddress, from) => {
  if (isGatewaysAnswer(datagram, from.address, errand.gateway)) read(datagram, localAddress, from)
}

client.findGateway((error, device) => {
  if (error !== null || device === undefined) return tell({ kind: 'none', text: 'the router does not answer a search for UPnP' })
  process.on('message', ({ action, args }: ActionCall) => {
    errorCode = undefined
    device.run(action, args, (failure, body) => {
      if (failure === null) tell({ kind: 'done', values: valuesOf(body, action) })
      else tell({ kind: 'error', code: errorCode, text: failure.message.slice(0, MAX_VALUE) })
    })
  })
  tell({ kind: 'found' })
})
process.on('disconnect', () => process.exit())

function tell(message: ChildSays): void {
  process.send?.(message)
}

/** Whatever asks for a connection, a description that points elsewhere or a redirection too, gets one to the gateway or none. */
function fenceConnections(gateway: string): void {
  const prototype = Socket.prototype as unknown as { connect(...args: unknown[]): Socket }
  const { connect } = prototype
  prototype.connect = function (this: Socket, ...args: unknown[]) {
    // `net` passes its arguments on in an array of its own.
    const [options] = (Array.isArray(args[0]) ? args[0] : args) as [{ readonly host?: unknown } | undefined]
    if (options?.host !== gateway) {
      this.destroy(new Error('the description points to another host than the router'))
      return this
    }
    let said = ''
    this.on('data', (octets) => {
      if (this.bytesRead > MAX_ANSWER) this.destroy(new Error('the router says too much'))
      said = (said + octets.toString('latin1')).slice(-4096)
      errorCode = errorCodeIn(said) ?? errorCode
    })
    return connect.apply(this, args)
  }
}

/** The search leaves by the interface to the gateway alone: that of our address towards it or, when the address is ours no more, of its network. */
function fenceInterfaces({ localAddress, gateway }: Errand): void {
  const all = os.networkInterfaces
  os.networkInterfaces = () => {
    const each = Object.entries(all()).flatMap(([key, infos]) => (infos ?? []).map((info) => [key, info] as const))
    const [name, info] =
      each.find(([, { address }]) => address === localAddress) ?? each.find(([, { cidr }]) => isIn(cidr, gateway)) ?? []
    return name === undefined || info === undefined ? {} : { [name]: [info] }
  }
}

/** Whether an IPv4 address is in a network. */
function isIn(cidr: string | null, address: string): boolean {
  const [net = '', prefix] = (cidr ?? '').split('/')
  if (!isIPv4(net)) return false
  const list = new BlockList()
  list.addSubnet(net, Number(prefix))
  return list.check(address)
}
