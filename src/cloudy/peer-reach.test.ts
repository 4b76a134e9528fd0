// How peers get to each other: both dial at once and have one session; a port of a router is on the card for as long as it is true.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { Session } from '../beep/index.js'
import { deferred } from '../beep/promises.js'
import { verifyCard } from './calling-card.js'
import { Identity } from './identity.js'
import { Peer, type PeerOptions, type Seen } from './peer.js'
import type { Reachability } from './reachability/port-mapper.js'
import type { Check, Grant, MappingProtocol, Outcome } from './reachability/protocol.js'

let people: Identity[]
let directory: string
const peers: Peer[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cloudy-reach-'))
  people = await Promise.all(['Ada', 'Bob'].map((nickname) => Identity.generate({ nickname })))
  // The one whose session stays is the first.
  people.sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1))
})
afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.close()
})
afterAll(() => rm(directory, { recursive: true }))

async function start(identity: Identity, options: Partial<PeerOptions> = {}): Promise<Peer> {
  const peer = await Peer.start({ identity, downloads: directory, loopbackOnly: true, ...options })
  peers.push(peer)
  return peer
}

test('two peers that dial each other at once have one session, that of the smaller fingerprint, and both friends go on in it', async () => {
  const [first, second] = people as [Identity, Identity]
  const told: Session[][] = [[], []]
  const received = deferred<unknown>()
  const [one, two] = await Promise.all([
    start(first, { onFriend: (_person, session) => told[0]!.push(session), onReceived: (each) => received.resolve(each) }),
    start(second, { onFriend: (_person, session) => told[1]!.push(session) }),
  ])
  one.addressBook.type(two.fingerprint, { host: '127.0.0.1', port: two.port })
  two.addressBook.type(one.fingerprint, { host: '127.0.0.1', port: one.port })
  const [ofOne, ofTwo] = await Promise.all([one.meet(two.fingerprint), two.meet(one.fingerprint)])
  // What the second began in its own session before the other came ends in it; what it begins now goes by the one that stays.
  const note = await second.sign(1, { type: 'example/note', lifetime: 60, to: first.fingerprint })
  expect(await ofTwo.give(note.octets)).toBe(note.digest)
  await received.promise
  // Theirs, if the first was told of it, is over in good order.
  for (const session of told[0]!) expect(await session.closed).toMatchObject({ kind: 'released' })
  expect(told[1]).toHaveLength(1)
  expect([ofOne.session.role, ofTwo.session.role]).toEqual(['initiator', 'listener'])
  expect(ofTwo.session).toBe(told[1]![0])
  await ofOne.release()
})

/** A router of a few lines. */
class Router implements MappingProtocol {
  readonly name = 'PCP'
  readonly checkInterval = 60_000
  readonly removed = deferred<Grant | undefined>()
  grant: Grant = { externalAddress: '44.128.0.1', externalPort: 40_000, lifetime: 7200 }
  async map(): Promise<Outcome> {
    return { kind: 'granted', ...this.grant }
  }
  async check(): Promise<Check> {
    return { kind: 'kept' }
  }
  async unmap(_wish: unknown, grant: Grant | undefined): Promise<void> {
    this.removed.resolve(grant)
  }
  heard(): boolean {
    return true
  }
}

test('a port that the router gives is on the card, another one on the next, and none when it is lost; what is seen says so', async () => {
  const [first, second] = people as [Identity, Identity]
  const router = new Router()
  const gateway = { address: '192.168.1.1', localAddress: '192.168.1.2' }
  let announce = () => {}
  let change = () => {}
  const surroundings = {
    watchNetwork(onChange: () => void) {
      change = onChange
      return () => {}
    },
    hearAnnouncements(onDatagram: (octets: Uint8Array, from: string) => void) {
      announce = () => onDatagram(new Uint8Array(0), gateway.address)
      return () => {}
    },
  }
  let there = true
  const findGateway = async () => (there ? gateway : undefined)
  const seen = new Map<string, () => void>()
  const place = (card: Seen['card']) => (card.external ? `${card.external.address} ${card.external.port}` : 'none')
  const shows = (what: string) => new Promise<void>((resolve) => seen.set(what, resolve))
  const watching = shows('44.128.0.1 40000')
  const watcher = await start(second, {
    onSeen: ({ card }) => card.fingerprint === first.fingerprint && seen.get(place(card))?.(),
  })
  const problem = deferred<Reachability>()
  const peer = await start(first, {
    reachability: { protocols: () => [router], findGateway, surroundings, random: () => 0 },
    onReachability: (each) => each.problem && problem.resolve(each),
  })
  await watching
  expect(peer.reachability).toMatchObject({ problem: undefined, mapping: { externalPort: 40_000 } })
  expect(verifyCard(peer.card, { now: Date.now() }).external).toEqual({ address: '44.128.0.1', port: 40_000 })
  expect(watcher.addressBook.addressesOf(first.fingerprint)).toContainEqual(
    expect.objectContaining({ host: '44.128.0.1', port: 40_000, source: 'public' }),
  )

  const moved = shows('44.128.0.2 41000')
  router.grant = { externalAddress: '44.128.0.2', externalPort: 41_000, lifetime: 7200 }
  announce()
  await moved

  const lost = shows('none')
  there = false
  change()
  await lost
  expect(await problem.promise).toMatchObject({ problem: 'no-gateway', mapping: undefined })
  there = true
  const back = shows('44.128.0.2 41000')
  change()
  await back
  await peer.close()
  expect(await router.removed.promise).toMatchObject({ externalPort: 41_000 })
}, 20_000)

test('a card that would be too long has fewer addresses, and still the public one', async () => {
  const [first] = people as [Identity]
  const router = new Router()
  const mapped = deferred<void>()
  const peer = await start(first, {
    status: '\u{1f600}'.repeat(140),
    reachability: { protocols: () => [router], findGateway: async () => ({ address: '10.0.0.1', localAddress: '10.0.0.2' }) },
    onReachability: () => mapped.resolve(),
  })
  await mapped.promise
  await peer.setState('away', '\u{1f600}'.repeat(140))
  expect(verifyCard(peer.card, { now: Date.now() })).toMatchObject({ external: { port: 40_000 } })
})

test('a peer whose key is too large for a card runs without one, says so, and can be met by whoever knows where it is', async () => {
  const [first] = people as [Identity]
  const errors: unknown[] = []
  const rsa = await Identity.generate({ nickname: 'Large', algorithm: 'RSA-3072' })
  const large = await start(rsa, { onError: (error) => errors.push(error) })
  expect(errors).toMatchObject([{ code: 'CLOUDY_ERR_KEY_TOO_LARGE', message: expect.not.stringContaining('shorten') }])
  expect(large.advertised).toBe(false)
  expect(() => large.card).toThrow(TypeError)
  await large.setState('away', 'unseen')
  const small = await start(first)
  expect(small.advertised).toBe(true)
  small.addressBook.type(rsa.fingerprint, { host: '127.0.0.1', port: large.port })
  const friend = await small.meet(rsa.fingerprint)
  const note = await first.sign(1, { type: 'example/note', lifetime: 60, to: rsa.fingerprint })
  expect(await friend.give(note.octets)).toBe(note.digest)
  await friend.release()
})
