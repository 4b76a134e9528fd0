// The peer that memory.test.ts attacks, in a process of its own: serves, dials, and tells over IPC how much memory it holds.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const load = (name) => import(pathToFileURL(join(process.argv[2], name)).href)
const { connect, listen } = await load('index.js')
const { echo } = await load('profiles/index.js')

/** Milliseconds that the victim gives whatever should have happened. */
const PATIENCE = 15_000

async function* endless() {
  for (;;) yield Buffer.alloc(1024)
}

async function* large() {
  for (let n = 0; n < 1024; n++) yield Buffer.alloc(65_536)
}

const profiles = [
  echo,
  { uri: 'u:silent', message: () => new Promise(() => {}) },
  { uri: 'u:endless', message: () => endless() },
  { uri: 'u:large', message: () => ({ body: large() }) },
]

/** Every session there was, how it ended, and what it keeps of exchanges that nobody reads. Only the end outlives a session. */
const sessions = []
/** Called when the next session begins. */
const begun = []

function keep(session) {
  const entry = { session, end: undefined, ended: undefined, held: [] }
  entry.ended = session.closed.then(({ kind, by, error }) => {
    entry.session = undefined
    entry.held = []
    entry.end = { kind, by, rule: error?.rule, message: error?.message }
    return entry.end
  })
  sessions.push(entry)
  for (const call of begun.splice(0)) call()
  return sessions.length - 1
}

const listener = await listen({ host: '127.0.0.1', profiles, greetingTimeout: 1500, onSession: keep })

/** What a promise comes to, as a word. */
function outcome(promise) {
  let timer
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE, 'pending')
  })
  const end = promise.then(
    () => 'resolved',
    (error) => error.code ?? error.name,
  )
  return Promise.race([end, late]).finally(() => clearTimeout(timer))
}

/** An operation of an initiator that its peer does not survive. @returns every promise it gave */
async function begin(operation, port) {
  const options = { host: '127.0.0.1', port }
  if (operation === 'connect') return { connect: connect(options) }
  const session = await connect(options)
  const { closed } = session
  if (operation === 'start') return { start: session.start('u:x'), closed }
  if (operation === 'tune' || operation === 'take over') {
    const tuned = session.tune(
      'u:tuning',
      { initial: '<ready />' },
      () => {},
      async (transport) => transport,
    )
    return { tuned, closed }
  }
  const channel = await session.start('u:x')
  const ends = { closed, 'channel closed': channel.closed }
  if (operation === 'close') return { close: channel.close(), ...ends }
  if (operation === 'release') return { release: session.release(), ...ends }
  if (operation === 'request') return { request: channel.request('x'), ...ends }
  const exchange = channel.send(operation === 'stream' ? { body: endless() } : 'x')
  if (operation === 'stream') return { reply: exchange.reply(), sent: exchange.sent, ...ends }
  const iteration = async () => {
    for await (const answer of exchange) await answer.text()
  }
  return { iteration: iteration(), ...ends }
}

const commands = {
  /** Octets alive: the heap and what stands outside of it, array buffers included. */
  memory: () => {
    gc()
    gc()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  },
  /** The number of the session that began last. */
  latest: () => sessions.length - 1,
  /** Resolves once a session has begun after that one: a peer that has greeted may be ahead of us. */
  after: async ({ session }) => {
    while (sessions.length - 1 <= session) await new Promise((resolve) => begun.push(resolve))
    return true
  },
  /** Resolves once every session but the first is over. */
  alone: () => Promise.all(sessions.slice(1).map(({ ended }) => ended)).then(() => true),
  /** What the engine of a session says of a channel, once everything of this turn has been written. */
  look: async ({ session, channel }) => {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    const { session: live, end } = sessions[session]
    if (live === undefined) return { end }
    if (channel !== 0 && !live.channels.has(channel)) return { channels: live.channels.size }
    const { receivable } = live.engine.windows(channel)
    const { octetsReceived: received, framesReceived: frames } = live.engine.traffic(channel)
    return { receivable, received, frames, channels: live.channels.size }
  },
  /** How a session ended. */
  end: ({ session }) => Promise.race([sessions[session].ended, new Promise((resolve) => setTimeout(resolve, PATIENCE))]),
  /** Asks a peer once, on a channel of its own, and reads nothing of the reply. */
  ask: async ({ port }) => {
    const session = await connect({ host: '127.0.0.1', port })
    const number = keep(session)
    const channel = await session.start('u:x')
    sessions[number].held.push(channel.send('x'))
    return number
  },
  /** How every promise of an operation ends whose peer vanishes. */
  operation: async ({ operation, port }) => {
    const ends = {}
    for (const [name, promise] of Object.entries(await begin(operation, port))) ends[name] = outcome(promise)
    for (const name of Object.keys(ends)) ends[name] = await ends[name]
    return ends
  },
}

process.on('message', async ({ id, command, ...rest }) => {
  const value = await commands[command](rest)
  process.send({ id, value })
})
process.on('disconnect', () => process.exit(0))
process.send({ id: 0, value: listener.address.port })
