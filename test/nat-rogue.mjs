// Routers that do not keep to what UPnP says, for the tests. Answers searches on the address of the first argument; the second is another host, to which it
// would like to send whoever asks; the third names what it does, one thing after the other, another with each search. What arrives is told on lines.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'

const [, , address, elsewhere, kinds] = process.argv
const say = (line) => process.stdout.write(`${line}\n`)

const description = (
  control,
) => `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><SCPDURL>/scpd.xml</SCPDURL><controlURL>${control}</controlURL>
</service></serviceList></device></root>`

/** Ten entities, each ten times the one before. */
const entities = Array.from('bcdefghij', (name, at) => `<!ENTITY ${name} "${`&${'abcdefghi'[at]};`.repeat(10)}">`)
const bomb = `<!DOCTYPE r [<!ENTITY a "${'x'.repeat(1000)}">${entities.join('')}]><root>&j;</root>`

/** By what it does: the answer to a request. */
const BEHAVIOUR = {
  'points-away': (_request, response) => response.end(description('/control')),
  redirects: (_request, response) => response.writeHead(302, { location: `http://${elsewhere}:8000/` }).end(),
  'controls-away': (_request, response) => response.end(description(`http://${elsewhere}:8000/control`)),
  garbage: (_request, response) => response.end('<root><device><<<&&& \u0000'),
  bomb: (_request, response) => response.end(bomb),
  endless: (_request, response) => {
    const more = () => response.destroyed || response.write('<device>'.repeat(4096), more)
    more()
  },
  nonsense: (request, response) => response.end(request.method === 'GET' ? description('/control') : '<a>no</a>'),
}

const list = kinds.split(',')
let at = -1
const server = createServer((request, response) => {
  say(`request ${request.method} ${request.url} while it ${list[at]}`)
  response.on('error', () => {})
  BEHAVIOUR[list[Math.max(at, 0)]](request, response)
})
server.listen(8000, address)
const ssdp = createSocket({ type: 'udp4', reuseAddr: true })
ssdp.on('message', (search, from) => {
  const target = /^ST: *(\S+)/m.exec(String(search))?.[1]
  if (target === undefined) return
  at = Math.min(at + 1, list.length - 1)
  say(`search ${at}: ${list[at]}`)
  const location = `http://${list[at] === 'points-away' ? elsewhere : address}:8000/`
  ssdp.send(
    `HTTP/1.1 200 OK\r\nST: ${target}\r\nUSN: uuid:x::${target}\r\nLOCATION: ${location}\r\n\r\n`,
    from.port,
    from.address,
  )
})
ssdp.bind(1900, () => {
  ssdp.addMembership('239.255.255.250', address)
  say('ready')
})
