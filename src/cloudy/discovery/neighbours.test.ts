// Whom to believe, with a clock of the test's own: cards that are good, forged, replayed, stolen or expired, and more of them than anybody can read.
import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { CARD_LIFETIME, type CardFields, signCard } from '../calling-card.js'
import { Identity } from '../identity.js'
import { MAX_PLACES, MAX_SEEN_EACH, MAX_WAITING, MAX_WAITING_EACH, Neighbours, type Seen, VERIFICATIONS } from './neighbours.js'
import type { Sighting } from './sightings.js'

const START = 1_700_000_000_000
const HOST = 'host.local'
/** Addresses of this machine. */
const OWN = ['192.0.2.200', 'fe80::200%eth0']

let ada: Identity
let bob: Identity
beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
})

function watching(self?: Identity) {
  const clock = { now: START }
  const events: string[] = []
  /** How often the addresses of this machine were asked for. */
  const looks = { count: 0 }
  const note = (what: string) => (seen: Seen) =>
    void events.push(`${what} ${seen.card.nickname} ${seen.card.sequence} ${seen.addresses.join()}`)
  const neighbours = new Neighbours({
    self: self?.fingerprint,
    now: () => clock.now,
    ownAddresses() {
      looks.count++
      return (address) => OWN.includes(address)
    },
    onAppeared: note('appeared'),
    onChanged: note('changed'),
    onGone: note('gone'),
    onIgnored: (instance, reason) => void events.push(`ignored ${instance}: ${reason}`),
  })
  /** What has been told since the last time. */
  const told = () => events.splice(0)
  return { neighbours, clock, told, looks }
}

function cardOf(identity: Identity, sequence: number, more: Partial<CardFields> & { now?: number } = {}): Promise<Uint8Array> {
  const { now = START, ...fields } = more
  const base = { host: HOST, port: 4000, addresses: ['192.0.2.1'], availability: 'available' } as const
  return signCard(identity, { nickname: identity.nickname, ...base, sequence, ...fields }, { now })
}

function sighting(card: Uint8Array, more: Partial<Sighting> = {}): Sighting {
  return { instance: 'x', host: HOST, port: 4000, addresses: ['192.0.2.1'], source: '192.0.2.1', via: 'eth0', card, ...more }
}

describe('a card', () => {
  test('that is good is believed, changes, and goes with its service', async () => {
    const { neighbours, told } = watching()
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    expect(told()).toEqual(['appeared Ada 1 192.0.2.1'])
    neighbours.sighted(sighting(await cardOf(ada, 2, { status: 'lunch' })))
    expect(told()).toEqual(['changed Ada 2 192.0.2.1'])
    expect(neighbours.seen.get(ada.fingerprint)?.card.status).toBe('lunch')
    neighbours.left({ instance: 'y', via: 'eth0' })
    neighbours.left({ instance: 'x', via: 'eth1' })
    expect(told()).toEqual([])
    neighbours.left({ instance: 'x', via: 'eth0' })
    expect(told()).toEqual(['gone Ada 2 192.0.2.1'])
    expect(neighbours.seen.size).toBe(0)
  })

  test('of our own key is no news', async () => {
    const { neighbours, told } = watching(ada)
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    expect(told()).toEqual([])
  })

  test('that is forged, expired or of the future is not, and each reason is told once', async () => {
    const { neighbours, clock, told } = watching()
    const good = await cardOf(ada, 1)
    const forged = Uint8Array.from(good)
    forged[forged.length - 1]! ^= 1
    for (let n = 0; n < 3; n++) neighbours.sighted(sighting(forged))
    expect(told()).toEqual(['ignored x: the signature does not hold'])
    clock.now = START + CARD_LIFETIME * 1000
    neighbours.sighted(sighting(good))
    expect(told()).toEqual([expect.stringMatching(/it has expired/)])
    const future = await cardOf(ada, 2, { now: START + CARD_LIFETIME * 1000 + 300_000 })
    neighbours.sighted(sighting(future))
    expect(told()).toEqual([expect.stringMatching(/issued in the future/)])
    clock.now += 300_000
    neighbours.sighted(sighting(future))
    expect(told()).toEqual(['appeared Ada 2 192.0.2.1'])
  })

  test('is judged again when the clock that it was judged by has been set, or has gone on', async () => {
    const { neighbours, clock, told } = watching()
    const card = await cardOf(ada, 1)
    for (const wrong of [3_600_000, -3_600_000]) {
      clock.now = START + wrong
      neighbours.sighted(sighting(card))
      neighbours.tick()
      expect(told()).toEqual([expect.stringMatching(/^ignored x: it (has expired|is issued in the future)/)])
      clock.now = START + 5000
      neighbours.tick()
      expect(told()).toEqual(['appeared Ada 1 192.0.2.1'])
      // Set ahead while they are seen, and right again.
      clock.now = START + 3_600_000
      neighbours.tick()
      clock.now = START + 10_000
      neighbours.tick()
      expect(told()).toEqual(['gone Ada 1 192.0.2.1', 'appeared Ada 1 192.0.2.1'])
      neighbours.left({ instance: 'x', via: 'eth0' })
      told()
    }
    expect(neighbours.sizes.untimely).toBe(0)
    const future = await cardOf(bob, 1, { now: START + 200_000 })
    clock.now = START
    neighbours.sighted(sighting(future))
    expect(neighbours.due()).toBe(START + 1000)
    for (; clock.now < START + 79_000; clock.now = neighbours.due()) neighbours.tick()
    told()
    clock.now = START + 81_000
    neighbours.tick()
    expect(told()).toEqual(['appeared Bob 1 192.0.2.1'])
  })

  test('that is untimely is not judged again once it is gone, or another took its place', async () => {
    const { neighbours, clock, told } = watching()
    clock.now = START + 3_600_000
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    neighbours.left({ instance: 'x', via: 'eth0' })
    neighbours.sighted(sighting(await cardOf(bob, 1), { instance: 'y' }))
    neighbours.sighted(sighting(Buffer.from('no card'), { instance: 'y' }))
    told()
    clock.now = START
    neighbours.tick()
    expect(told()).toEqual([])
  })

  test('of somebody else, announced from one’s own host, port or address, is not', async () => {
    const { neighbours, told } = watching()
    const card = await cardOf(ada, 1)
    neighbours.sighted(sighting(card, { instance: 'host', host: 'thief.local' }))
    neighbours.sighted(sighting(card, { instance: 'port', port: 4001 }))
    neighbours.sighted(sighting(card, { instance: 'address', addresses: ['192.0.2.66'] }))
    expect(told()).toEqual(
      ['host', 'port', 'address'].map((each) => `ignored ${each}: it is not a calling card: it is announced from elsewhere`),
    )
    neighbours.sighted(sighting(card, { host: 'HOST.local', addresses: ['192.0.2.66', '192.0.2.1'] }))
    expect(told()).toEqual(['appeared Ada 1 192.0.2.1'])
  })

  test('is not followed by an older one for as long as it is valid, even after a goodbye', async () => {
    const { neighbours, clock, told } = watching()
    const [old, recent] = [await cardOf(ada, 1, { status: 'old' }), await cardOf(ada, 2)]
    neighbours.sighted(sighting(recent))
    neighbours.sighted(sighting(old, { instance: 'echo' }))
    expect(told()).toEqual(['appeared Ada 2 192.0.2.1', 'ignored echo: a newer card of the same key has been seen'])
    neighbours.left({ instance: 'x', via: 'eth0' })
    neighbours.sighted(sighting(old))
    expect(told()).toEqual(['gone Ada 2 192.0.2.1', 'ignored x: a newer card of the same key has been seen'])
    clock.now += CARD_LIFETIME * 1000
    neighbours.tick()
    expect(neighbours.sizes.sequences).toBe(0)
    // Their clock was wrong, and is right now: that must not mute them for longer.
    neighbours.sighted(sighting(await cardOf(ada, 1, { now: clock.now })))
    expect(told()).toEqual(['appeared Ada 1 192.0.2.1'])
  })

  test('is gone when it expires, whatever is still announced', async () => {
    const { neighbours, clock, told } = watching()
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    expect(neighbours.due()).toBe(START + CARD_LIFETIME * 1000)
    clock.now = neighbours.due() - 1
    neighbours.tick()
    expect(told()).toHaveLength(1)
    clock.now += 1
    neighbours.tick()
    expect(told()).toEqual(['gone Ada 1 192.0.2.1'])
  })

  test('seen at several places has the addresses of all, and goes with the last', async () => {
    const { neighbours, told } = watching()
    const card = await cardOf(ada, 1, { addresses: ['192.0.2.1', '2001:db8::1'] })
    neighbours.sighted(sighting(card))
    neighbours.sighted(sighting(card, { via: 'eth1', addresses: ['2001:DB8:0:0::1', 'fe80::1'] }))
    neighbours.left({ instance: 'x', via: 'eth0' })
    neighbours.left({ instance: 'x', via: 'eth1' })
    expect(told()).toEqual([
      'appeared Ada 1 192.0.2.1',
      'changed Ada 1 192.0.2.1,2001:DB8:0:0::1',
      'changed Ada 1 2001:DB8:0:0::1',
      'gone Ada 1 2001:DB8:0:0::1',
    ])
  })

  test('without addresses is reached where it is announced; one of this link alone comes with the interface', async () => {
    const { neighbours, told } = watching()
    neighbours.sighted(sighting(await cardOf(ada, 1, { addresses: [] }), { addresses: ['fe80::1', '192.0.2.9'] }))
    expect(told()).toEqual(['appeared Ada 1 fe80::1%eth0,192.0.2.9'])
  })

  test('that names an address of this machine is found there only when it is announced from this machine', async () => {
    const own = OWN[0]!
    const card = await cardOf(ada, 1, { addresses: ['192.0.2.1', own] })
    const announced = { addresses: ['192.0.2.1', own] }
    const { neighbours, told } = watching()
    neighbours.sighted(sighting(card, announced))
    expect(told()).toEqual(['appeared Ada 1 192.0.2.1'])
    neighbours.sighted(sighting(card, { ...announced, source: OWN[1]! }))
    expect(told()).toEqual([`changed Ada 1 192.0.2.1,${own}`])
    const nowhere = await cardOf(bob, 1, { addresses: [] })
    neighbours.sighted(sighting(nowhere, { instance: 'y', addresses: [own] }))
    expect(told()).toEqual(['appeared Bob 1 '])
  })

  test('announced without addresses by somebody else, however often, does not hide its owner', async () => {
    const { neighbours, told } = watching()
    const card = await cardOf(ada, 1)
    const stolen = Array.from({ length: 20 }, (_, n) => ({ instance: `stolen ${n}`, via: 'eth0' }))
    for (const each of stolen) neighbours.sighted(sighting(card, { ...each, addresses: [], source: '192.0.2.66' }))
    neighbours.sighted(sighting(card))
    expect(told()).toEqual(['appeared Ada 1 ', 'changed Ada 1 192.0.2.1'])
    for (const each of stolen) neighbours.left(each)
    expect(told()).toEqual([])
    neighbours.left({ instance: 'x', via: 'eth0' })
    expect(told()).toEqual(['gone Ada 1 192.0.2.1'])
  })

  test('under the name of somebody else does not hide them', async () => {
    const { neighbours, told } = watching()
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    neighbours.sighted(sighting(Buffer.from('no card')))
    neighbours.sighted(sighting(await cardOf(bob, 1)))
    expect([...neighbours.seen.keys()].sort()).toEqual([ada.fingerprint, bob.fingerprint].sort())
    expect(told()[1]).toMatch(/^ignored x/)
  })
})

describe('a flood', () => {
  const junk = (n: number, source = 'flooder') => sighting(Buffer.from(`junk ${n}`), { instance: `junk ${n}`, source })

  test('of bad cards is verified so often a second and no more, waits in a bounded queue, and fills no log', async () => {
    const { neighbours, clock, told } = watching()
    for (let n = 0; n < 5000; n++) neighbours.sighted(junk(n))
    expect(neighbours.sizes).toMatchObject({ outcomes: VERIFICATIONS.each.atOnce, waiting: MAX_WAITING_EACH })
    for (let n = 0; n < 5000; n++) neighbours.sighted(junk(n, `source ${n % 500}`))
    expect(neighbours.sizes.outcomes).toBe(VERIFICATIONS.all.atOnce)
    expect(neighbours.sizes.waiting).toBeLessThanOrEqual(MAX_WAITING)
    const before = neighbours.sizes.outcomes
    for (let step = 0; step < 10; step++) {
      clock.now += 100
      neighbours.tick()
    }
    expect(neighbours.sizes.outcomes - before).toBeLessThanOrEqual(VERIFICATIONS.all.perSecond)
    expect(told().length).toBeLessThan(100)
  })

  test('from one source delays nobody else', async () => {
    const { neighbours, told } = watching()
    for (let n = 0; n < 500; n++) neighbours.sighted(junk(n))
    told()
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    expect(told()).toEqual(['appeared Ada 1 192.0.2.1'])
  })

  test('is worked off: who waits is seen in the end', async () => {
    const { neighbours, clock, told } = watching()
    for (let n = 0; n < 30; n++) neighbours.sighted(junk(n, '192.0.2.1'))
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    expect(told().some((each) => each.startsWith('appeared'))).toBe(false)
    for (let step = 0; step < 20; step++) {
      expect(neighbours.due()).toBeGreaterThan(clock.now)
      clock.now += 100
      neighbours.tick()
    }
    expect(told()).toContain('appeared Ada 1 192.0.2.1')
    expect(neighbours.sizes.waiting).toBe(0)
  })

  test('of the same card costs one verification', async () => {
    const { neighbours } = watching()
    const card = await cardOf(ada, 1)
    for (let n = 0; n < 1000; n++) neighbours.sighted(sighting(card, { instance: `x ${n}` }))
    expect(neighbours.sizes).toMatchObject({ outcomes: 1, waiting: 0, people: 1 })
  })

  test('of expired cards is kept within bounds, and looked at a few at a time', async () => {
    const { neighbours, clock } = watching()
    const card = await cardOf(ada, 1)
    clock.now = START + CARD_LIFETIME * 1000
    for (let n = 0; n < 100; n++)
      for (let source = 0; source < 100; source++) {
        clock.now += 25
        neighbours.sighted(sighting(card, { instance: `x ${n} ${source}`, source: `${source % 40}` }))
      }
    expect(neighbours.sizes.untimely).toBe(MAX_WAITING)
    expect(neighbours.sizes).toMatchObject({ outcomes: 0, waiting: 0 })
  })

  test('of sightings asks the system for the addresses of this machine once a second', async () => {
    const { neighbours, clock, looks } = watching()
    const addresses = Array.from({ length: 16 }, (_, n) => `192.0.2.${n + 1}`)
    const card = await cardOf(ada, 1, { addresses: addresses.slice(0, 8) })
    for (let n = 0; n < 64; n++) neighbours.sighted(sighting(card, { instance: `n${n}`, addresses }))
    expect(looks.count).toBe(1)
    clock.now += 1000
    neighbours.sighted(sighting(card, { addresses }))
    expect(looks.count).toBe(2)
  })

  test('of places where one person is announced is kept within bounds', async () => {
    const { neighbours } = watching()
    const card = await cardOf(ada, 1)
    for (let n = 0; n < 100; n++) neighbours.sighted(sighting(card, { instance: `x ${n}` }))
    expect(neighbours.sizes).toMatchObject({ people: 1, places: MAX_PLACES })
  })

  test('of good cards from one source fills its own share alone', async () => {
    const { neighbours, clock } = watching()
    const cards: Uint8Array[] = []
    for (let n = 0; n < MAX_SEEN_EACH + 6; n++)
      cards.push(await cardOf(await Identity.generate({ nickname: 'Mallory' }), 1, { addresses: ['192.0.2.66'] }))
    for (const card of cards) {
      clock.now += 150
      neighbours.sighted(sighting(card, { source: '192.0.2.66', addresses: ['192.0.2.66'] }))
    }
    expect(neighbours.seen.size).toBe(MAX_SEEN_EACH)
    neighbours.sighted(sighting(await cardOf(ada, 1)))
    expect(neighbours.seen.has(ada.fingerprint)).toBe(true)
    neighbours.left({ instance: 'x', via: 'eth0' })
    expect(neighbours.seen.size).toBe(0)
  })
})

test('whatever is announced: who appears was not there, who goes was, and no card goes back', async () => {
  const cards = await Promise.all(
    [ada, bob].flatMap((who) =>
      [1, 2, 3].map((sequence) => cardOf(who, sequence, { now: START - 1000 * (CARD_LIFETIME - 20 * sequence) })),
    ),
  )
  const place = fc.record({ instance: fc.constantFrom('x', 'y'), via: fc.constantFrom('eth0', 'eth1') })
  const sighted = fc.record({ place, card: fc.constantFrom(...cards), source: fc.constantFrom('a', 'b') })
  const step = fc.oneof(
    sighted.map((each) => ({ kind: 'sighted' as const, ...each })),
    place.map((each) => ({ kind: 'left' as const, place: each })),
    fc.nat(20_000).map((pass) => ({ kind: 'tick' as const, pass })),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = { now: START }
      const there = new Map<string, number>()
      const neighbours = new Neighbours({
        now: () => clock.now,
        ownAddresses: () => () => false,
        onAppeared({ card }) {
          expect(there.has(card.fingerprint)).toBe(false)
          there.set(card.fingerprint, card.sequence)
        },
        onChanged({ card }) {
          expect(there.get(card.fingerprint)).toBeLessThanOrEqual(card.sequence)
          there.set(card.fingerprint, card.sequence)
        },
        onGone: ({ card }) => expect(there.delete(card.fingerprint)).toBe(true),
      })
      for (const each of steps) {
        if (each.kind === 'sighted') neighbours.sighted(sighting(each.card, { ...each.place, source: each.source }))
        else if (each.kind === 'left') neighbours.left(each.place)
        else {
          clock.now += each.pass
          neighbours.tick()
        }
        expect([...neighbours.seen.keys()].sort()).toEqual([...there.keys()].sort())
      }
      clock.now += CARD_LIFETIME * 1000
      neighbours.tick()
      expect(there.size).toBe(0)
      expect(neighbours.sizes).toMatchObject({ people: 0, sequences: 0 })
    }),
    { numRuns: 60 },
  )
})
