// Discovery on networks of namespaces: several hosts, several interfaces, Avahi as the foreign party, cables that are pulled, networks that merge, and
// somebody who says whatever they like.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect } from '@jest/globals'
import { verifyCard } from '../src/cloudy/calling-card.js'
import { announcement, pointer, response } from '../src/cloudy/discovery/test-kit-datagrams.js'
import { cardFromTxt, cardToTxt } from '../src/cloudy/discovery/txt-record.js'
import { Identity, type ObjectError, signCard } from '../src/cloudy/index.js'
import { AVAHI, type Avahi, avahi, unescaped } from './avahi.js'
import { type Host, type Namespace, type Network, network, type Running } from './namespaces.js'
import { testInNamespaces } from './needs.js'

const TYPE = '_cloudy._tcp'
/** Milliseconds after which something that is awaited will not come. */
const PATIENCE = 20_000

const testOnLan = await testInNamespaces(...AVAHI)

interface Lan {
  readonly net: Network
  /** Has Avahi too. */
  readonly first: Host
  readonly second: Host
  readonly third: Host
  readonly avahi: Avahi
}

let lan: Promise<Lan> | undefined
let directory: string | undefined
const running: Running[] = []
const peers: Peer[] = []

/** One LAN for all tests of this file, made for the first of them. */
function theLan(): Promise<Lan> {
  lan ??= (async () => {
    directory = await mkdtemp(join(tmpdir(), 'cloudy-lan-'))
    const net = await network()
    const [first, second, third] = (await net.lan(3)) as [Host, Host, Host]
    return { net, first, second, third, avahi: await avahi(first, 'first') }
  })()
  return lan
}

afterAll(async () => {
  const made = await lan?.catch(() => undefined)
  await made?.avahi[Symbol.asyncDispose]()
  await made?.net.close()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
})

afterEach(async () => {
  const { third } = await theLan()
  await third.attach()
  await Promise.all(peers.splice(0).map((each) => each.close()))
  await Promise.all(running.splice(0).map((each) => each.stop()))
})

interface Peer {
  readonly fingerprint: string
  readonly port: number
  /** The first one: its octets. */
  readonly card: Buffer
  readonly process: Running
  /** What it has said, or will say, of an event, with this text in it. */
  hears(event: string, text: string): Promise<{ readonly addresses: readonly string[]; readonly name: string }>
  /** What it has said of an event so far. */
  heard(event: string, text: string): readonly string[]
  show(state: string, status: string): void
  meet(fingerprint: string): void
  close(): Promise<void>
}

/** The process on a host in which peers live that need none of their own. */
const homes = new Map<Namespace, Running>()
let ids = 0

/** Starts a peer; resolves when its card has been announced. */
async function peerOn(host: Namespace, name: string, { alone = false, age = 0 } = {}): Promise<Peer> {
  const id = `p${++ids}`
  const home = (alone ? undefined : homes.get(host)) ?? host.start([process.execPath, 'test/lan-peer.mjs', directory!])
  if (alone) running.push(home)
  else homes.set(host, home)
  const order = (what: string, more: object = {}) => home.write(`${JSON.stringify({ id, order: what, ...more })}\n`)
  const pattern = (event: string, text: string) => new RegExp(`^{"id":"${id}","event":"${event}".*${text}.*$`)
  const hears = async (event: string, text = '') => JSON.parse((await home.line(pattern(event, text), PATIENCE))[0])
  order('start', { name, age })
  const { fingerprint, port, card } = await hears('ready')
  const peer: Peer = {
    ...{ fingerprint, port, card: Buffer.from(card, 'base64'), process: home, hears },
    heard: (event, text) => home.lines.filter((line) => pattern(event, text).test(line)),
    show: (state, status) => order('state', { state, status }),
    meet: (whom) => order('meet', { fingerprint: whom }),
    async close() {
      order('close')
      await hears('closed')
    },
  }
  if (!alone) peers.push(peer)
  return peer
}

const NEARBY = [process.execPath, 'dist/cli/cloudy.js', 'nearby'] as const

function watchOn(host: Namespace) {
  const watch = host.start([...NEARBY, '--watch', '--json'])
  running.push(watch)
  const pattern = (event: string, text: string) => new RegExp(`^{"event":"${event}".*${text}.*$`)
  return {
    process: watch,
    hears: (event: string, text: string) => watch.line(pattern(event, text), PATIENCE),
    heard: (event: string, text: string) => watch.lines.filter((line) => pattern(event, text).test(line)),
  }
}

/** The cards that avahi-browse shows, verified, by the name of their service. */
async function cardsOf(by: Avahi) {
  const cards = new Map<string, ReturnType<typeof verifyCard>>()
  for (const [kind, , , name = '', , , , , , ...txt] of await by.list(TYPE)) {
    if (kind !== '=') continue
    const strings = [...txt.join(';').matchAll(/"((?:\\.|[^"\\])*)"/gs)].map(([, string = '']) => unescaped(string))
    try {
      cards.set(unescaped(name).toString(), verifyCard(cardFromTxt(strings), { now: Date.now() }))
    } catch (error) {
      // Avahi keeps the card of who crashed for longer than it is valid.
      if ((error as Partial<ObjectError>).reason !== 'expired') throw error
    }
  }
  return cards
}

testOnLan(
  'peers see each other, change in place and say goodbye; Avahi sees the same',
  async () => {
    const { first, second, third, avahi: foreign } = await theLan()
    const watch = watchOn(third)
    const foreigner = foreign.watch(TYPE)
    running.push(foreigner)
    const name = 'Dr. “Ada” 🎈; .'
    // Ada is on a machine where Avahi has the port, too.
    const [ada, bob] = await Promise.all([peerOn(first, name, { alone: true }), peerOn(second, 'Bob', { alone: true })])
    await ada.hears('seen', bob.fingerprint)
    expect(await bob.hears('seen', ada.fingerprint)).toMatchObject({ name, addresses: [first.ipv4, first.ipv6] })
    await watch.hears('appeared', ada.fingerprint)
    expect((await cardsOf(foreign)).get('Dr- “Ada” 🎈; -')).toMatchObject({ nickname: name, fingerprint: ada.fingerprint })

    bob.meet(ada.fingerprint)
    await bob.hears('met', ada.fingerprint)
    await ada.hears('friend', bob.fingerprint)

    bob.show('away', 'back at “five”')
    await ada.hears('seen', 'back at “five”')
    // In JSON, whatever is not ASCII stands there escaped.
    await watch.hears('changed', 'back at \\\\u201cfive\\\\u201d')
    expect((await cardsOf(foreign)).get('Bob')).toMatchObject({ availability: 'away', status: 'back at “five”' })
    expect(foreigner.lines.filter((each) => each.startsWith('-'))).toEqual([])
    expect(watch.heard('gone', '')).toEqual([])

    const list = await third.run(...NEARBY, '--timeout', '2')
    expect(list.split('\n').sort()).toEqual([
      '',
      expect.stringMatching(
        `^seen, available {2}“Dr\\. 'Ada' 🎈; \\.” {2}\\d+ s {2}10\\.77\\.0\\.1:${ada.port} {2}${ada.fingerprint}$`,
      ),
      expect.stringMatching(
        `^seen, away {7}“Bob” {2}\\d+ s {2}10\\.77\\.0\\.2:${bob.port} {2}${bob.fingerprint} {2}“back at 'five'”$`,
      ),
    ])

    expect(await bob.process.stop('SIGINT')).toBe(0)
    await watch.hears('gone', bob.fingerprint)
    await foreigner.line(/^-;eth0;IPv[46];Bob;/)
    expect(await ada.process.stop('SIGTERM')).toBe(0)
    await watch.hears('gone', ada.fingerprint)
    expect(await watch.process.stop('SIGINT')).toBe(0)
  },
  60_000,
)

testOnLan(
  'a card that Avahi publishes is believed, and what is no card is named and left out',
  async () => {
    const { first, third, avahi: foreign } = await theLan()
    const watch = watchOn(third)
    const fields = {
      nickname: 'A guest',
      host: 'first.local',
      port: 4711,
      addresses: [first.ipv4],
      availability: 'busy',
      sequence: 1,
    } as const
    // avahi-publish takes texts, which cannot have the octet 0; of a few keys and signatures one does without.
    let identity: Identity
    let txt: Buffer[]
    do {
      identity = await Identity.generate({ nickname: 'A guest' })
      txt = cardToTxt(await signCard(identity, fields, { now: Date.now() }))
    } while (txt.some((string) => string.includes(0) || string.at(-1) === 0x0a))
    const guest = await foreign.publish('G.u\\e "st" é', TYPE, 4711, txt)
    const printer = await foreign.publish('A. printer', TYPE, 9100, [Buffer.from('paper=A4')])
    await watch.hears('appeared', identity.fingerprint)
    await watch.hears('ignored', '"A. printer","reason":"the TXT record has no card"')
    await guest.stop()
    await watch.hears('gone', identity.fingerprint)
    await printer.stop()
  },
  60_000,
)

testOnLan(
  'who crashes is gone when the card expires; an interface may go and come, or come late',
  async () => {
    const { first, second, third } = await theLan()
    const [ada, bob, crashing] = await Promise.all([
      peerOn(first, 'Ada'),
      peerOn(second, 'Bob'),
      peerOn(second, 'Crashing', { alone: true, age: 590 }),
    ])
    await ada.hears('seen', crashing.fingerprint)
    await crashing.process.stop('SIGKILL')

    await third.down('eth0')
    const watch = watchOn(third)
    await watch.process.line(/^cloudy: There is no network interface that is up/, PATIENCE)
    const late = await peerOn(third, 'Late')
    await third.plugIn()
    for (const each of [ada, bob, late]) await watch.hears('appeared', each.fingerprint)
    await ada.hears('seen', late.fingerprint)

    await second.down('eth0')
    await bob.hears('gone', ada.fingerprint)
    expect(watch.heard('gone', bob.fingerprint)).toEqual([])
    bob.process.forget()
    await second.plugIn()
    await bob.hears('seen', ada.fingerprint)
    bob.show('busy', 'again')
    await watch.hears('changed', 'again')
    await ada.hears('gone', crashing.fingerprint)
    expect(ada.heard('gone', bob.fingerprint)).toEqual([])
  },
  60_000,
)

testOnLan(
  'a name that is taken gets a number; when networks merge, one of two owners gives way and nobody is gone',
  async () => {
    const { first, second, third, avahi: foreign } = await theLan()
    const names = async () => new Map([...(await cardsOf(foreign))].map(([name, { fingerprint }]) => [name, fingerprint]))
    await third.detach()
    const [ada, other] = await Promise.all([peerOn(first, 'Ada'), peerOn(third, 'Ada')])
    const next = await peerOn(second, 'Ada')
    await ada.hears('seen', next.fingerprint)
    expect((await names()).get('Ada (2)')).toBe(next.fingerprint)

    await third.attach()
    // Whoever asks hears both, and so do they.
    const watch = watchOn(second)
    for (const each of [ada, other, next]) await watch.hears('appeared', each.fingerprint)
    const message = 'Another peer on this network announces our service name'
    await Promise.any([ada.hears('error', message), other.hears('error', message)])
    const rivals = [ada.fingerprint, other.fingerprint]
    const isSettled = (all: Map<string, string>) => rivals.every((each) => [all.get('Ada'), all.get('Ada (3)')].includes(each))
    let settled = await names()
    // Each look takes what Avahi takes for it; how long it takes until both have settled depends on the machine.
    while (!isSettled(settled)) settled = await names()
    expect(settled.get('Ada (2)')).toBe(next.fingerprint)
    expect([settled.get('Ada'), settled.get('Ada (3)')].sort()).toEqual(rivals.sort())
    expect([...ada.heard('gone', ''), ...next.heard('gone', ''), ...watch.heard('gone', '')]).toEqual([])
  },
  60_000,
)

testOnLan(
  'on two interfaces each LAN hears the addresses that are of use there; IPv6 alone will do',
  async () => {
    const { net, first, third } = await theLan()
    const [far] = (await net.lan(1)) as [Host]
    const between = await net.join(third, 'eth1', far)
    await far.ip('addr flush dev eth0 scope global')
    const [ada, middle, zoe] = await Promise.all([peerOn(first, 'Ada'), peerOn(third, 'Middle'), peerOn(far, 'Zoe')])
    expect((await ada.hears('seen', middle.fingerprint)).addresses).toEqual([third.ipv4, third.ipv6])
    expect((await zoe.hears('seen', middle.fingerprint)).addresses).toEqual([between.ipv4, between.ipv6])
    await middle.hears('seen', ada.fingerprint)
    const { addresses } = await middle.hears('seen', zoe.fingerprint)
    expect(addresses).toEqual([expect.stringMatching(/^fe80::[0-9a-f:]+%eth1$/)])
    middle.meet(zoe.fingerprint)
    await zoe.hears('friend', middle.fingerprint)
    await middle.hears('met', zoe.fingerprint)
    expect(ada.heard('.*', zoe.fingerprint)).toEqual([])
    await third.run('ip', 'link', 'delete', 'eth1')
    await middle.hears('gone', zoe.fingerprint)
  },
  60_000,
)

testOnLan(
  'an interface whose IPv6 address is still tested for duplicates is no error',
  async () => {
    const { net } = await theLan()
    const fresh = await net.add('fresh')
    await fresh.shell(`cd /proc/sys/net/ipv6/conf
      for each in all default; do echo 1 > $each/accept_dad; echo 4 > $each/dad_transmits; done; ip link add eth0 type veth peer name eth1; ip link set eth1 up
      ip addr add 10.79.0.1/24 dev eth0; ip link set eth0 up`)
    const ada = await peerOn(fresh, 'Ada', { alone: true })
    const isTentative = async () => (await fresh.shell('ip -6 addr show dev eth0')).includes('tentative')
    while (await isTentative()); // what is said meanwhile does not go
    expect(ada.heard('error', '')).toEqual([])
  },
  60_000,
)

testOnLan(
  'two peers on one machine find each other and meet, though nobody else leads them to it',
  async () => {
    const { first } = await theLan()
    const [ada, bob] = await Promise.all([peerOn(first, 'Ada'), peerOn(first, 'Bob', { alone: true })])
    expect((await ada.hears('seen', bob.fingerprint)).addresses).toEqual([first.ipv4, first.ipv6])
    await bob.hears('seen', ada.fingerprint)
    ada.meet(bob.fingerprint)
    await ada.hears('met', bob.fingerprint)
  },
  60_000,
)

testOnLan(
  'forged, replayed, stolen and oversized records, and a flood of services, fool nobody and hide nobody',
  async () => {
    const { first, second, third } = await theLan()
    const sources = Array.from({ length: 16 }, (_, n) => `10.77.0.${100 + n}`)
    await third.ip(...sources.map((each) => `addr add ${each}/24 dev eth0`))
    const speaker = third.start([process.execPath, 'test/lan-speaker.mjs'])
    running.push(speaker)
    await speaker.line(/ready/, PATIENCE)
    const speak = async (source: string, times: number, datagram: Buffer) => {
      speaker.forget()
      speaker.write(`${source} ${times} ${datagram.toString('base64')}\n`)
      await speaker.line(/said/, PATIENCE)
    }
    const source = sources[0]!
    const [ada, bob] = await Promise.all([peerOn(first, 'Ada'), peerOn(second, 'Bob')])
    await bob.hears('seen', ada.fingerprint)
    ada.show('away', 'now')
    await bob.hears('seen', '"status":"now"')

    // What Ada said before, from elsewhere, and in her place; what she never said; what nobody can read.
    const { host } = verifyCard(ada.card, { now: Date.now() })
    const hers = { instance: 'Ada', host, port: ada.port, txt: cardToTxt(ada.card) }
    const forged = Buffer.from(ada.card)
    forged[forged.length - 1]! ^= 1
    await speak(source, 1, announcement({ ...hers, instance: 'Thief', addresses: [source] }))
    await bob.hears('ignored', 'Thief.*announced from elsewhere')
    await speak(source, 1, announcement({ ...hers, instance: 'Echo' }))
    await bob.hears('ignored', 'Echo.*a newer card of the same key has been seen')
    await speak(source, 1, announcement({ ...hers, instance: 'Forger', txt: cardToTxt(forged) }))
    await bob.hears('ignored', 'Forger.*the signature does not hold')
    await speak(
      source,
      1,
      announcement({ ...hers, instance: 'Giant', txt: Array.from({ length: 30 }, () => Buffer.alloc(255, 'c')) }),
    )
    await bob.hears('ignored', 'Giant.*more than 1299 octets')
    await speak(source, 20, announcement({ ...hers, ttl: 0 }))
    await speak(source, 200, Buffer.alloc(9000, 0xc0))

    // Thousands of services, from many addresses, with cards that are good, and that are not.
    const mallory = await Promise.all(Array.from({ length: 100 }, () => Identity.generate({ nickname: 'Mallory' })))
    const fields = {
      nickname: 'Mallory',
      host: 'm.local',
      port: 1,
      addresses: [source],
      availability: 'available',
      sequence: 1,
    } as const
    for (const [n, identity] of mallory.entries()) {
      const txt = cardToTxt(await signCard(identity, fields, { now: Date.now() }))
      await speak(source, 1, announcement({ instance: `Mallory ${n}`, host: 'm.local', txt, addresses: [source] }))
    }
    for (const [n, each] of sources.entries())
      for (let part = 0; part < 4; part++)
        await speak(each, 1, response(...Array.from({ length: 60 }, (_, m) => pointer(`flood ${n} ${part} ${m}`, 4500))))
    const junk = (n: number) => announcement({ instance: `junk ${n}`, txt: cardToTxt(Buffer.alloc(600, n)) })
    for (let n = 0; n < 100; n++) await speak(sources[n % 16]!, 20, junk(n))

    const late = await peerOn(first, 'Late')
    await bob.hears('seen', late.fingerprint)
    ada.show('busy', 'still here')
    await bob.hears('seen', 'still here')
    const { people } = JSON.parse(await second.run(...NEARBY, '--json', '--timeout', '2')) as {
      people: { fingerprint: string; name: string; addresses: string[]; status: string }[]
    }
    const byKey = new Map(people.map((each) => [each.fingerprint, each]))
    expect(byKey.get(ada.fingerprint)).toMatchObject({ status: 'still here', addresses: [first.ipv4, first.ipv6] })
    expect(byKey.has(late.fingerprint) && byKey.has(bob.fingerprint)).toBe(true)
    expect(bob.heard('gone', ada.fingerprint)).toEqual([])
  },
  60_000,
)
