// Asks the router of this namespace by UPnP alone, as often as the first argument says, and tells each outcome on a line.
import { findGateway } from '../dist/cloudy/reachability/gateway.js'
import { upnp } from '../dist/cloudy/reachability/upnp.js'

const times = Number(process.argv[2])
const gateway = await findGateway()
for (let n = 0; n < times; n++) {
  const wish = { internalPort: 4000, externalPort: 0, lifetime: 600 }
  const outcome = await upnp({ gateway }).map(wish, new AbortController().signal)
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}
