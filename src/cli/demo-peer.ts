// One of the two peers of the demonstration, a process of its own. What it does it does with the library alone; what it says goes to the stage.
import { randomBytes } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type OctetsNotice, type Session, Trace } from '../beep/index.js'
import { deferred } from '../beep/promises.js'
import {
  FILE_TYPE,
  Identity,
  type IdentityCertificate,
  inQuotes,
  OBJECTS,
  Peer,
  type Received,
  type Seen,
  sanitise,
} from '../cloudy/index.js'
import { give } from '../cloudy/profiles/objects.js'
import type { Report, Role } from './demo.js'

const FILE_NAME = 'holiday.bin'
/** Octets: enough to fill and reopen the largest window dozens of times. */
const FILE_SIZE = 12 * 1024 * 1024
const MEBI = 1024 * 1024
const LETTER = { type: 'example/note', lifetime: 21_600 }

const role = JSON.parse(process.argv[2] ?? '{}') as Role
let step = 1

function tell(report: Report): void {
  // That nobody is there to be told is said by 'disconnect'.
  process.send?.(report, () => {})
}

function say(text: string, at: number = step): void {
  step = at
  tell({ kind: 'say', step, text })
}

function short(fingerprint: string): string {
  return `${fingerprint.slice(0, 14)}…`
}

/** Who is who in a line: nobody has vouched for the other, so their name stands in quotes. */
function person(who: { readonly nickname: string; readonly fingerprint: string }): string {
  return `${inQuotes(who.nickname)} (${short(who.fingerprint)})`
}

async function main(): Promise<void> {
  if (role.trace && role.dials) traceSessions()
  const identity = await Identity.generate({ nickname: role.name })
  await identity.save(join(role.directory, 'identity.pem'))
  say(`makes a P-256 key and a self-signed certificate of ${identity.certificate.der.length} octets: ${identity.fingerprint}`, 1)

  const other = deferred<Seen>()
  const met = deferred<{ readonly who: IdentityCertificate; readonly session: Session }>()
  const card = deferred<void>()
  const peer = await Peer.start({
    identity,
    downloads: role.directory,
    loopbackOnly: true,
    status: role.rendezvous,
    onSeen: (seen) => {
      if (seen.card.status === role.rendezvous) other.resolve(seen)
    },
    onIgnored: (instance, reason) =>
      say(`ignores the card of ${inQuotes(instance)}: ${sanitise(reason, 200)}`, Math.max(step, 2)),
    onFriend: (who, session) => met.resolve({ who, session }),
    onReceived: (received) => {
      hear(received)
      if (received.kind === 'card') card.resolve()
    },
    onFile: {
      offered: (manifest, from) =>
        say(`accepts ${inQuotes(manifest.name)}, ${mebi(manifest.size)}, from ${inQuotes(from.nickname)}`, 4),
      received: (manifest) => say(`has the whole file; its SHA-256 is ${manifest.sha256}`, 4),
    },
  })
  say(`signs a calling card of ${peer.card.length} octets (CMS) and listens on 127.0.0.1 port ${peer.port}`, 1)
  say('shows the card as the TXT record of a service _cloudy._tcp', 2)
  const seen = await other.promise
  say(`sees ${person(seen.card)} and believes the card: signature, lifetime and place are right; the name is not vouched for`, 2)

  if (role.dials) await ask(peer, identity, seen, card.promise)
  else {
    const { who, session } = await met.promise
    if (who.fingerprint !== seen.card.fingerprint) throw new Error(`Somebody else dialled: ${person(who)}`)
    await answer(peer, session, seen)
  }

  await peer.close()
  say('has withdrawn the card', 5)
}

/** The one who dials. */
async function ask(peer: Peer, identity: Identity, seen: Seen, theirs: Promise<void>): Promise<void> {
  say(`dials 127.0.0.1 port ${seen.card.port}: greetings in clear, then the TLS profile`, 3)
  const friend = await peer.meet(seen)
  say(`has a private session, ${tlsOf(friend.session)}; TLS proved the key on the card: it is ${person(friend.person)}`, 3)

  say('gives the card over the objects profile', 4)
  await friend.give(peer.card)
  await theirs
  const text = 'The weather is fine. Wish you were here!'
  const letter = await identity.sign({ text }, { ...LETTER, to: friend.fingerprint })
  const digest = await friend.give(letter.octets)
  if (digest !== letter.digest) throw new Error('The other knows the message by another digest')
  say(`signs and sends a message to ${inQuotes(friend.person.nickname)}, who confirms ${digest.slice(0, 16)}…`, 4)

  const path = join(role.directory, FILE_NAME)
  await writeFile(path, randomBytes(FILE_SIZE))
  let quarter = 0
  const manifest = await friend.sendFile(path, (octets) => {
    for (; quarter < 4 && octets >= ((quarter + 1) * FILE_SIZE) / 4; quarter++) {
      say(`sends the file: ${String((quarter + 1) * 25).padStart(3)} %  ${mebi(octets)} of ${mebi(FILE_SIZE)}`, 4)
    }
  })
  say(`hears the file confirmed: ${manifest.sha256}`, 4)

  await friend.release()
  say('releases the session', 5)
}

/** The one who is dialled. */
async function answer(peer: Peer, session: Session, seen: Seen): Promise<void> {
  say(`is dialled by ${person(seen.card)}; TLS proved the key on the card`, 3)
  say('gives the card over the objects profile, too', 4)
  const channel = await session.start(OBJECTS)
  await give(channel, peer.card)
  const end = await session.closed
  if (end.kind !== 'released') throw new Error('The session did not end with a release')
  say('agrees to the release', 5)
}

function hear(received: Received): void {
  if (received.kind === 'card') say(`receives the card of ${person(received.card)} and verifies it`, 4)
  else if (received.object.type === LETTER.type) {
    const { text } = received.object.value as { readonly text?: unknown }
    say(`receives a signed message from ${inQuotes(received.from.nickname)}: ${sanitise(String(text), 200)}`, 4)
  } else if (received.object.type !== FILE_TYPE) say(`receives an object of type ${received.object.type}`, 4)
}

function tlsOf(session: Session): string {
  return `${session.tls?.getProtocol() ?? 'no TLS'} with ${session.tls?.getCipher().name ?? 'no cipher'}`
}

function mebi(octets: number): string {
  return `${(octets / MEBI).toFixed(1)} MiB`
}

function traceSessions(): void {
  const traces = new WeakMap<Session, Trace>()
  subscribe('beep:octets', (notice) => {
    const { session, from, octets } = notice as OctetsNotice
    const trace = traces.get(session) ?? new Trace()
    traces.set(session, trace)
    const lines = trace.push(from, octets)
    if (lines !== '') tell({ kind: 'trace', lines })
  })
}

// Where there is no stage any more, nobody would send us home.
process.on('disconnect', () => process.exit())
main().then(
  () => process.send?.({ kind: 'done' } satisfies Report, () => process.disconnect()),
  (error) => {
    process.exitCode = 1
    const text = error instanceof Error ? sanitise(error.message, 500) : String(error)
    process.send?.({ kind: 'failed', step, text } satisfies Report, () => process.exit(1))
  },
)
