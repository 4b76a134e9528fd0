// A peer for the tests of discovery, a process of its own in a namespace of its own. Its orders come as words on the lines of standard input; what it
// sees it tells as JSON, a line for each event.
import { createInterface } from 'node:readline'
import { Identity, Peer } from '../dist/cloudy/index.js'

const { name, age = 0, directory } = JSON.parse(process.argv[2])
const tell = (event, more = {}) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`)
const about = ({ card, addresses }) => ({
  name: card.nickname,
  state: card.availability,
  status: card.status,
  fingerprint: card.fingerprint,
  addresses,
})

const identity = await Identity.generate({ nickname: name })
const peer = await Peer.start({
  identity,
  downloads: directory,
  // A clock that is behind makes cards that expire early.
  now: () => Date.now() - age * 1000,
  onSeen: (seen) => tell('seen', about(seen)),
  onGone: (seen) => tell('gone', about(seen)),
  onIgnored: (instance, reason) => tell('ignored', { instance, reason }),
  onFriend: (person) => tell('friend', { fingerprint: person.fingerprint }),
  onError: (error) => tell('error', { message: error.message }),
})
tell('ready', { fingerprint: peer.fingerprint, port: peer.port, card: Buffer.from(peer.card).toString('base64') })

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    await peer.close()
    tell('closed')
    process.exit(0)
  })

createInterface({ input: process.stdin }).on('line', async (line) => {
  const [order, ...words] = line.split(' ')
  if (order === 'state') await peer.setState(words[0], words.slice(1).join(' '))
  else if (order === 'meet') {
    const [seen] = [...peer.nearby.values()].filter(({ card }) => card.fingerprint === words[0])
    const friend = await peer.meet(seen)
    tell('met', { fingerprint: friend.fingerprint })
    await friend.release()
  }
})
