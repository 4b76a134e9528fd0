// `cloudy nearby`: who shows a card on this network.
import { type Command, InvalidArgumentError } from 'commander'
import { deferred } from '../beep/promises.js'
import type { Seen } from '../cloudy/index.js'
import { inQuotes, sanitise } from '../cloudy/text.js'
import { printJson } from './report.js'

interface NearbyOptions {
  readonly watch?: boolean
  readonly json?: boolean
  readonly timeout?: number
  readonly loopback?: boolean
}

type Event = 'appeared' | 'changed' | 'gone'

/** Seconds to listen when nothing is said: whoever is there has been heard by then. */
const LISTEN = 3
const MAX_TIMEOUT = 86_400
const HOUR = 3_600_000

export function addNearbyCommand(program: Command): void {
  program
    .command('nearby')
    .description('who shows a card on this network; seen, not met: that they are there only a session proves')
    .option('--watch', 'go on, and tell who comes, changes and goes, until SIGINT or the timeout')
    .option('--json', 'one JSON object; with --watch one a line for each event')
    .option('--timeout <seconds>', `listen for so long; ${LISTEN} by default, with --watch without end`, seconds)
    .option('--loopback', 'look on this machine only, at peers that do the same')
    .addHelpText(
      'after',
      '\nA line says: the state, the name (nobody has vouched for it), the age of the card, address and port, the fingerprint of the key.\n' +
        'Exit codes: 0 it was looked, be nobody there, 2 it could not be looked: there is no network.\n' +
        '\nExamples:\n  $ cloudy nearby\n  $ cloudy nearby --watch --json',
    )
    .action(nearby)
}

async function nearby({ watch = false, json = false, timeout, loopback = false }: NearbyOptions): Promise<void> {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  const complain = (text: string) => process.stderr.write(`cloudy: ${sanitise(text, 500)}\n`)
  const tell = (event: Event) => (seen: Seen) => {
    if (!watch) return
    if (json) printJson({ event, ...describe(seen) })
    else print(`${event.padEnd(8)}  ${lineOf(seen)}`)
  }
  const over = deferred<void>()
  const stop = () => over.resolve()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  process.stdout.once('error', stop) // whoever read it has gone
  const { watchNeighbours } = await import('../cloudy/index.js')
  const { interfacesNow } = await import('../cloudy/discovery/interfaces.js')
  /** To see nobody is an answer only where somebody could be seen. Who watches may wait for a network. */
  const assertNetwork = () => {
    if (!watch && !loopback && interfacesNow().length === 0)
      throw new Error('This computer is in no network: no interface has an address but the one that leads to itself (--loopback)')
  }
  assertNetwork()
  const watching = await watchNeighbours({
    loopbackOnly: loopback,
    onAppeared: tell('appeared'),
    onChanged: tell('changed'),
    onGone: tell('gone'),
    onIgnored(instance, reason) {
      if (!watch) return
      if (json) printJson({ event: 'ignored', name: sanitise(instance), reason })
      else print(`${'ignored'.padEnd(8)}  ${inQuotes(instance)}: ${reason}`)
    },
    onError: (error) => complain(error.message),
  })
  const time = timeout ?? (watch ? undefined : LISTEN)
  const timer = time === undefined ? setInterval(() => {}, HOUR) : setTimeout(stop, time * 1000) // it keeps the process alive, too
  await over.promise
  clearTimeout(timer)
  const people = [...watching.seen.values()]
  await watching.stop()
  if (watch) return
  if (people.length === 0) assertNetwork()
  if (json) printJson({ people: people.map(describe) })
  else for (const line of people.length === 0 ? ['Nobody is seen.'] : people.map(lineOf)) print(line)
}

function lineOf(seen: Seen): string {
  const { name, state, status, age, address, port, fingerprint } = describe(seen)
  const place = address === undefined ? 'no address' : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const said = status === '' ? '' : `  ${inQuotes(status, status.length)}`
  return `seen, ${state.padEnd(9)}  ${inQuotes(name)}  ${age} s  ${place}  ${fingerprint}${said}`
}

/** What a card says, as values. Its texts have been sanitised when it was verified. */
function describe({ card, addresses, since }: Seen) {
  const { nickname, availability, status, fingerprint, port, issued, expires } = card
  return {
    presence: 'seen',
    state: availability,
    name: nickname,
    status,
    fingerprint,
    /** Seconds since the card was signed. */
    age: Math.max(0, Math.floor(Date.now() / 1000) - issued),
    since: Math.floor(since / 1000),
    issued,
    expires,
    address: addresses[0],
    addresses,
    port,
  }
}

function seconds(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= MAX_TIMEOUT))
    throw new InvalidArgumentError(`A time is more than 0 and at most ${MAX_TIMEOUT} seconds.`)
  return value
}
