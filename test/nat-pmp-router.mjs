// A router that speaks NAT-PMP and calls a private address its public one, as those of some makers do behind another router. The argument is that address;
// with a second one, it never says that it opened a port.
import { createSocket } from 'node:dgram'

const socket = createSocket('udp4')
socket.on('message', (request, { port, address }) => {
  const [version, opcode] = request
  const head = Buffer.from([0, 128 + opcode, 0, version === 0 ? 0 : 1, 0, 0, 0, 60])
  // The public port is the one inside.
  const mapping = () => [...request.subarray(4, 6), ...request.subarray(4, 6), ...request.subarray(8, 12)]
  const rest = version !== 0 ? [] : opcode === 0 ? process.argv[2].split('.').map(Number) : mapping()
  const lifetime = version === 0 && opcode === 2 ? request.readUInt32BE(8) : undefined
  if (process.argv[3] === undefined || !lifetime) socket.send(Buffer.concat([head, Buffer.from(rest)]), port, address)
  process.stdout.write(`version ${version}, opcode ${opcode}${lifetime === undefined ? '' : `, lifetime ${lifetime}`}\n`)
})
socket.bind(5351, () => process.stdout.write('ready\n'))
