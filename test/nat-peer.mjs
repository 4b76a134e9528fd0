// A peer for the tests of reachability, a process of its own in a namespace of its own. Its orders come as words on the lines of standard input; what
// happens it tells as JSON, a line for each event.
import { createInterface } from 'node:readline'
import { Identity, Peer, verifyCard } from '../dist/cloudy/index.js'

const { name, directory, port = 0, memory } = JSON.parse(process.argv[2])
const tell = (event, more = {}) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`)

const identity = await Identity.generate({ nickname: name })
const peer = await Peer.start({
  identity,
  port,
  downloads: directory,
  // Who is told of a restart asks at once: there are no others that would come at the same time.
  reachability: { memory, random: () => 0 },
  onReachability: ({ mapping, problem }) => tell('reachability', { problem, ...mapping }),
  onFriend: async (person, session) => {
    tell('friend', { fingerprint: person.fingerprint, from: session.tls.remoteAddress })
  },
  onReceived: (received) =>
    tell('received', received.kind === 'card' ? { card: received.card.nickname } : { value: received.object.value }),
  onError: (error) => tell('error', { message: error.message }),
})
tell('ready', { fingerprint: peer.fingerprint, port: peer.port })

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    await peer.close()
    tell('closed')
    process.exit(0)
  })

createInterface({ input: process.stdin }).on('line', async (line) => {
  const [order, word] = line.split(' ')
  if (order === 'card') tell('card', { card: Buffer.from(peer.card).toString('base64') })
  else if (order === 'meet') {
    // Somebody whose card came another way, by mail perhaps.
    const card = verifyCard(Buffer.from(word, 'base64'), { now: Date.now() })
    peer.addressBook.learn(card)
    try {
      const friend = await peer.meet(card.fingerprint)
      await friend.give(peer.card)
      const note = await identity.sign(
        { text: 'through the router' },
        { type: 'example/note', lifetime: 60, to: card.fingerprint },
      )
      const digest = await friend.give(note.octets)
      tell('met', { fingerprint: friend.fingerprint, confirmed: digest === note.digest, at: friend.session.tls.remotePort })
      await friend.release()
    } catch (error) {
      tell('failed', { message: error.message })
    }
  }
})
