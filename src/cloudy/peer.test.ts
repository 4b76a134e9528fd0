// Peers on the loopback interface, with real multicast and real TLS: whom they believe, whom they do not, and that a wrong key is met by silence.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { connect, type Listener, listen, ReplyError, type Session } from '../beep/index.js'
import { deferred } from '../beep/promises.js'
import { startTls, tls } from '../profiles/index.js'
import { signCard, verifyCard } from './calling-card.js'
import { advertise, defaultHost } from './discovery/bonjour.js'
import { Identity } from './identity.js'
import { Peer, type PeerOptions, type Seen } from './peer.js'
import { OBJECTS } from './profiles/uris.js'
import { RIGHTS, SESSION_LIMITS } from './trust.js'
import { MAX_UNTUNED } from './untuned.js'

let ada: Identity
let bob: Identity
let directory: string
const peers: AsyncDisposable[] = []

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
})
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cloudy-peer-'))
})
afterEach(async () => {
  for (const peer of peers.splice(0)) await peer[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

async function peer(identity: Identity, options: Partial<PeerOptions> = {}): Promise<Peer> {
  const started = await Peer.start({ identity, downloads: directory, loopbackOnly: true, ...options })
  peers.push(started)
  return started
}

/** A peer that looks, and what it makes of cards shown under `name`. */
async function watcher(name: string): Promise<{ seen: Promise<Seen>; ignored: Promise<string> }> {
  const seen = deferred<Seen>()
  const ignored = deferred<string>()
  await peer(bob, {
    onSeen: (each) => each.instance.startsWith(name) && seen.resolve(each),
    onIgnored: (instance, reason) => instance.startsWith(name) && ignored.resolve(reason),
  })
  return { seen: seen.promise, ignored: ignored.promise }
}

async function show(instance: string, card: Uint8Array, port: number): Promise<void> {
  const shown = await advertise({ instance, card, port, loopbackOnly: true })
  peers.push({ [Symbol.asyncDispose]: () => shown.withdraw() })
}

const fields = (port: number, host = defaultHost()) =>
  ({ nickname: 'Mallory', host, port, addresses: ['127.0.0.1'], availability: 'available', sequence: 1 }) as const

describe('cards', () => {
  test('a forged card is ignored with the reason', async () => {
    const { ignored } = await watcher('forged')
    const card = Buffer.from(await signCard(ada, fields(4000), { now: Date.now() }))
    card[card.length - 1]! ^= 1
    await show('forged', card, 4000)
    expect(await ignored).toMatch(/the signature does not hold/)
  })

  test('an expired card is ignored with the reason', async () => {
    const { ignored } = await watcher('expired')
    await show('expired', await signCard(ada, fields(4001), { now: Date.now() - 3_600_000 }), 4001)
    expect(await ignored).toMatch(/it has expired/)
  })

  test('a clock that is set gets the card signed anew', async () => {
    let skew = -3_600_000
    const late = await Identity.generate({ nickname: 'whose clock is late' })
    const { seen, ignored } = await watcher('whose clock')
    await peer(late, { now: () => Date.now() + skew })
    expect(await ignored).toMatch(/it has expired/)
    skew = 0
    expect((await seen).card.fingerprint).toBe(late.fingerprint)
  })

  test('a card that is announced from elsewhere than it says is ignored', async () => {
    const { ignored } = await watcher('stolen')
    await show('stolen', await signCard(ada, fields(4002), { now: Date.now() }), 4003)
    expect(await ignored).toMatch(/announced from elsewhere/)
  })

  test('octets that are no card at all are ignored with the reason', async () => {
    const { ignored } = await watcher('garbage')
    await show('garbage', Buffer.alloc(600, 7), 4004)
    expect(await ignored).toMatch(/not DER|structure/)
  })
})

test('the cards of the next start are newer, however often the last one changed its state', async () => {
  let now = Date.now()
  const sequenceOf = ({ card }: Peer) => verifyCard(card, { now }).sequence
  const first = await peer(ada, { now: () => now })
  for (let count = 0; count < 60; count++) await first.setState(count % 2 === 0 ? 'away' : 'busy')
  const last = sequenceOf(first)
  await first.close()
  now += 100
  expect(sequenceOf(await peer(ada, { now: () => now }))).toBeGreaterThan(last)
})

test('a state that does not fit a card is refused, and changes nothing: the card is renewed as it was', async () => {
  let now = Date.now()
  const later = now / 1000 + 300
  const renewed = deferred<void>()
  const errors: unknown[] = []
  const rsa = await Identity.generate({ nickname: 'with a large key', algorithm: 'RSA-2048' })
  const large = await peer(rsa, { now: () => now, status: 'here', onError: (error) => errors.push(error) })
  await peer(bob, {
    now: () => now,
    onSeen: ({ card }) => card.fingerprint === rsa.fingerprint && card.issued > later && renewed.resolve(),
  })
  const before = large.card
  const states = [
    large.setState('away', '\u{20000}'.repeat(140)),
    large.setState('busy', 'too'),
    large.setState('away', '\u{20000}'.repeat(140)),
  ]
  expect((await Promise.allSettled(states)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected'])
  expect(large.card).not.toEqual(before)
  now += 301_000
  await renewed.promise
  expect(verifyCard(large.card, { now })).toMatchObject({ availability: 'busy', status: 'too' })
  expect(errors).toEqual([])
})

test('a card that cannot be renewed is told of once, and tried again after a while', async () => {
  let now = Date.now()
  const errors: unknown[] = []
  const own = await peer(ada, { now: () => now, onError: (error) => errors.push(error) })
  const looks = async (count: number) => {
    const { sweep } = own.store
    const done = deferred<void>()
    own.store.sweep = () => {
      sweep.call(own.store)
      if (--count < 0) done.resolve()
    }
    await done.promise
    own.store.sweep = sweep
  }
  // No card can say such a time.
  now += 8e15 - now
  await looks(3)
  expect(errors).toMatchObject([{ name: 'RangeError' }])
  now += 31_000
  await looks(1)
  expect(errors).toHaveLength(2)
})

test('a card is renewed when the clock is set back, too: one from the future is believed by nobody', async () => {
  let now = Date.now()
  const seen = deferred<Seen>()
  const before = verifyCard((await peer(ada, { now: () => now })).card, { now }).issued
  now -= 3_600_000
  await peer(bob, { now: () => now, onSeen: (each) => each.card.fingerprint === ada.fingerprint && seen.resolve(each) })
  expect((await seen.promise).card.issued).toBeLessThan(before - 3000)
})

describe('keys', () => {
  const listeners: Listener[] = []
  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.close()
  })

  test('a wrong key fails closed: both fingerprints are named, nothing is sent', async () => {
    const mallory = await Identity.generate({ nickname: 'Ada' })
    const sessions: unknown[] = []
    const credentials = { key: mallory.privateKeyPem(), cert: mallory.certificatePem() }
    const impostor = await listen({
      host: '127.0.0.1',
      profiles: [tls({ ...credentials, verify: () => {} })],
      onSession: (session) => session.tls !== undefined && sessions.push(session),
    })
    listeners.push(impostor)
    const { port } = impostor.address
    const { seen } = await watcher('pinned')
    // Ada's own card, in her own hand, for a place that Mallory has taken.
    await show('pinned', await signCard(ada, { ...fields(port), nickname: 'Ada' }, { now: Date.now() }), port)
    const met = (peers[0] as Peer).meet(await seen)
    await expect(met).rejects.toMatchObject({
      code: 'CLOUDY_ERR_WRONG_KEY',
      expected: ada.fingerprint,
      proved: mallory.fingerprint,
    })
    expect(sessions).toEqual([])
  })

  test('somebody without a certificate gets no session', async () => {
    const target = await peer(ada)
    const clear = await connect({ host: '127.0.0.1', port: target.port })
    await expect(startTls(clear, { verify: () => {} })).rejects.toThrow()
  })
})

describe('what friends do', () => {
  async function friends(options: Partial<PeerOptions> = {}) {
    const seen = deferred<Seen>()
    await peer(bob, options)
    const mine = await peer(ada, { onSeen: (each) => each.card.fingerprint === bob.fingerprint && seen.resolve(each) })
    return { mine, friend: await mine.meet(await seen.promise) }
  }

  test('a signed object arrives verified, with the digest that its signer knows', async () => {
    const received = deferred<unknown>()
    const { friend } = await friends({ onReceived: (each) => received.resolve(each) })
    const letter = await ada.sign({ text: 'hello' }, { type: 'example/note', lifetime: 60, to: bob.fingerprint })
    expect(await friend.give(letter.octets)).toBe(letter.digest)
    expect(await received.promise).toMatchObject({
      kind: 'object',
      object: { value: { text: 'hello' } },
      from: { nickname: 'Ada' },
    })
    await friend.release()
  })

  test('an object for somebody else, altered or expired is refused', async () => {
    const { friend } = await friends()
    const to = (who: Identity, now: number) => ada.sign(1, { type: 'example/note', lifetime: 60, to: who.fingerprint, now })
    const good = await to(bob, Date.now())
    const altered = Buffer.from(good.octets)
    altered[altered.length - 1]! ^= 1
    await expect(friend.give(altered)).rejects.toMatchObject({ replyCode: 553 })
    await expect(friend.give((await to(ada, Date.now())).octets)).rejects.toMatchObject({ replyCode: 553 })
    await expect(friend.give((await to(bob, Date.now() - 3_600_000)).octets)).rejects.toMatchObject({ replyCode: 550 })
    expect(await friend.give(good.octets)).toBe(good.digest)
    await friend.release()
  })

  test('a file arrives whole under a name of ours, twice without overwriting', async () => {
    const { friend } = await friends({ onFile: { offered: () => {} } })
    const octets = Buffer.alloc(700_000, 'cloudy')
    const source = await mkdtemp(join(tmpdir(), 'cloudy-source-'))
    const path = join(source, 'letter.txt')
    await writeFile(path, octets)
    await friend.sendFile(path)
    await friend.sendFile(path)
    expect((await readdir(directory)).toSorted()).toEqual(['letter (2).txt', 'letter.txt'])
    expect((await readFile(join(directory, 'letter (2).txt'))).equals(octets)).toBe(true)
    await rm(source, { recursive: true })
    await friend.release()
  })

  test('an offer that is refused sends nothing', async () => {
    const { friend } = await friends({
      onFile: {
        offered: () => {
          throw new ReplyError(550, 'no, thank you')
        },
      },
    })
    const path = join(directory, 'unwanted')
    await writeFile(path, 'x')
    await expect(friend.sendFile(path)).rejects.toMatchObject({ replyCode: 550, text: 'no, thank you' })
    await friend.release()
  })

  test('a stranger may not ask for objects; whoever was met before may follow them until the peer closes', async () => {
    const { mine, friend } = await friends()
    const [other] = peers as [Peer]
    await expect(friend.query({}).next()).rejects.toMatchObject({ replyCode: 537 })
    for await (const { nickname } of friend.certificates([bob.fingerprint])) expect(nickname).toBe('Bob')
    await friend.release()
    const again = await mine.meet([...mine.nearby.values()].find(({ card }) => card.fingerprint === bob.fingerprint)!)
    const coming = await again.subscribe({ type: 'example/note' })
    other.store.put(await bob.sign({ text: 'news' }, { type: 'example/note', lifetime: 60 }))
    expect((await coming.next()).value).toMatchObject({ value: { text: 'news' } })
    const next = coming.next()
    await other.close()
    expect((await next).done).toBe(true)
    expect((await again.session.closed).kind).toBe('released')
  })

  test('a peer that closes ends the sessions that it dialled, too, and meets nobody any more', async () => {
    const sessions: Session[] = []
    const [from, to] = [await peer(ada), await peer(bob, { onFriend: (_, session) => sessions.push(session) })]
    from.addressBook.type(bob.fingerprint, { host: '127.0.0.1', port: to.port })
    const friend = await from.meet(bob.fingerprint)
    const meeting = expect(from.meet(bob.fingerprint)).rejects.toThrow('This peer is closed')
    await from.close()
    await meeting
    await expect(from.meet(bob.fingerprint)).rejects.toThrow('This peer is closed')
    expect(await friend.session.closed).toEqual({ kind: 'released', by: 'us' })
    expect(await sessions[0]!.closed).toEqual({ kind: 'released', by: 'peer' })
  })

  test('a release ends it for both', async () => {
    const met = deferred<{ closed: Promise<{ kind: string }> }>()
    const { friend } = await friends({ onFriend: (_person, session) => met.resolve(session) })
    await friend.release()
    expect((await (await met.promise).closed).kind).toBe('released')
  })

  test('has the channels that RFC 3080 §2.3 asks for, and no more', async () => {
    const { friend } = await friends({})
    const { maxChannels } = SESSION_LIMITS
    await Promise.all(Array.from({ length: maxChannels }, () => friend.session.start(OBJECTS)))
    await expect(friend.session.start(OBJECTS)).rejects.toMatchObject({ replyCode: 550 })
    await friend.release()
  })
})

test('sessions that are not tuned to TLS give way to new ones, the oldest first', async () => {
  const { port } = await peer(ada)
  const dial = () => connect({ host: '127.0.0.1', port })
  const first = await dial()
  const others = await Promise.all(Array.from({ length: MAX_UNTUNED - 1 }, dial))
  const over: unknown[] = []
  for (const { closed } of others) void closed.then((reason) => over.push(reason))
  // One that ends by itself leaves its place.
  await others.pop()!.release()
  const last = [await dial()]
  expect(over.splice(0)).toMatchObject([{ kind: 'released', by: 'us' }])
  last.push(await dial())
  expect(await first.closed).toMatchObject({ kind: 'terminated', by: 'peer' })
  await Promise.all(last.map((session) => session.release()))
  expect(over).toEqual([])
  for (const session of others) session.terminate()
})

test('a key has as many sessions as the table says: one more takes the place of another, and somebody blocked has none', async () => {
  const met: string[] = []
  const { port } = await peer(ada, {
    onFriend: ({ nickname }) => met.push(nickname),
    trustOf: (fingerprint) => (fingerprint === bob.fingerprint ? 'stranger' : 'blocked'),
  })
  const dial = async (who: Identity) => {
    const credentials = { key: who.privateKeyPem(), cert: who.certificatePem(), minVersion: 'TLSv1.3' as const }
    return startTls(await connect({ host: '127.0.0.1', port }), { ...credentials, verify: () => {} })
  }
  const { ofKey } = RIGHTS.stranger.sessions
  const sessions: Session[] = []
  for (let count = 0; count <= ofKey; count++) sessions.push(await dial(bob))
  expect(await sessions[0]!.closed).toMatchObject({ kind: 'terminated', by: 'peer' })
  // It may end before they have our greeting.
  const eve = dial(await Identity.generate({ nickname: 'Eve' }))
  const end = eve.then(
    ({ closed }) => closed,
    ({ reason }) => reason,
  )
  expect(await end).toMatchObject({ kind: 'terminated', by: 'peer' })
  expect(met).toEqual(Array.from({ length: ofKey + 1 }, () => 'Bob'))
  for (const session of sessions.slice(1)) await session.release()
})

test('whoever connects and does not begin with TLS in time is let go', async () => {
  const { port } = await peer(ada, { tuningTimeout: 50 })
  const silent = await connect({ host: '127.0.0.1', port })
  expect(await silent.closed).toMatchObject({ kind: 'terminated', by: 'peer' })
})
