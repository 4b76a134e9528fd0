// Peers for the tests of discovery: a process of its own in a namespace of its own. Orders come as JSON, one on each line of standard input; what its
// peers see it tells as JSON, a line for each event, which begins with the id of the peer.
import { createInterface } from 'node:readline'
import { Identity, Peer } from '../dist/cloudy/index.js'

const [downloads] = process.argv.slice(2)
const peers = new Map()
const tell = (id, event, more = {}) => process.stdout.write(`${JSON.stringify({ id, event, ...more })}\n`)
const about = ({ card, addresses }) => ({ name: card.nickname, status: card.status, fingerprint: card.fingerprint, addresses })

const orders = {
  /** A clock that is `age` seconds behind makes cards that expire early. */
  async start({ id, name, age = 0 }) {
    const peer = await Peer.start({
      identity: await Identity.generate({ nickname: name }),
      downloads,
      now: () => Date.now() - age * 1000,
      onSeen: (seen) => tell(id, 'seen', about(seen)),
      onGone: (seen) => tell(id, 'gone', about(seen)),
      onIgnored: (instance, reason) => tell(id, 'ignored', { instance, reason }),
      onFriend: (person) => tell(id, 'friend', { fingerprint: person.fingerprint }),
      onError: (error) => tell(id, 'error', { message: error.message }),
    })
    peers.set(id, peer)
    tell(id, 'ready', { fingerprint: peer.fingerprint, port: peer.port, card: Buffer.from(peer.card).toString('base64') })
  },
  state: ({ id, state, status }) => peers.get(id).setState(state, status),
  async meet({ id, fingerprint }) {
    const peer = peers.get(id)
    const friend = await peer.meet(peer.nearby.get(fingerprint))
    tell(id, 'met', { fingerprint: friend.fingerprint })
    await friend.release()
  },
  async close({ id }) {
    await peers.get(id).close()
    peers.delete(id)
    tell(id, 'closed')
  },
}

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    for (const id of peers.keys()) await orders.close({ id })
    process.exit(0)
  })

createInterface({ input: process.stdin }).on('line', async (line) => {
  const order = JSON.parse(line)
  await orders[order.order](order)
})
