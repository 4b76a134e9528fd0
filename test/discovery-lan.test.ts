// Discovery on networks of namespaces: several hosts, several interfaces, Avahi as the foreign party, cables that are pulled, networks that merge, and
// somebody who says whatever they like.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect } from '@jest/globals'
import { verifyCard } from '../src/cloudy/calling-card.js'
import { announcement, pointer, response } from '../src/cloudy/discovery/test-kit-datagrams.js'
import { cardFromTxt, cardToTxt } from '../src/cloudy/discovery/txt-record.js'
import { Identity, signCard } from '../src/cloudy/index.js'
import { AVAHI, type Avahi, avahi, unescaped } from './avahi.js'
import { type Host, type Namespace, type Network, network, type Running } from './namespaces.js'
import { testInNamespaces } from './needs.js'

const TYPE = '_cloudy._tcp'

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
  await Promise.all(running.splice(0).map((each) => each.stop()))
})

/** Starts a peer; resolves when its card has been announced. */
async function peerOn(host: Namespace, options: { name: string; age?: number }) {
  const process_ = host.start([process.execPath, 'test/lan-peer.mjs', JSON.stringify({ directory, ...options })])
  running.push(process_)
  const [ready] = await process_.line(/^{"event":"ready".*$/)
  const { fingerprint, port, card } = JSON.parse(ready) as { fingerprint: string; port: number; card: string }
  return { process: process_, fingerprint, port, card: Buffer.from(card, 'base64') }
}

function watchOn(host: Namespace): Running {
  const watch = host.start([process.execPath, 'dist/cli/cloudy.js', 'nearby', '--watch', '--json'])
  running.push(watch)
  return watch
}

const says = (event: string, text: string) => new RegExp(`^{"event":"${event}".*${text}.*$`)

/** The cards that avahi-browse shows, verified, by the name of their service. */
async function cardsOf(by: Avahi) {
  const cards = new Map<string, ReturnType<typeof verifyCard>>()
  for (const [kind, , , name = '', , , , , , ...txt] of await by.list(TYPE)) {
    if (kind !== '=') continue
    const strings = [...txt.join(';').matchAll(/"((?:\\.|[^"\\])*)"/gs)].map(([, string = '']) => unescaped(string))
    cards.set(unescaped(name).toString(), verifyCard(cardFromTxt(strings), { now: Date.now() }))
  }
  return cards
}

testOnLan(
  'peers see each other, change in place and say goodbye; Avahi sees the same',
  async () => {
    const { first, second, third, avahi: foreign } = await theLan()
    const watch = watchOn(third)
    const foreigner = foreign.watch(TYPE)
    const name = 'Dr. “Ada” 🎈; .'
    // On a machine where Avahi has the port, too.
    const [ada, bob] = await Promise.all([peerOn(first, { name }), peerOn(second, { name: 'Bob' })])
    await Promise.all([
      ada.process.line(says('seen', bob.fingerprint)),
      bob.process.line(says('seen', ada.fingerprint)),
    ])
    const [line] = await bob.process.line(says('seen', ada.fingerprint))
    expect(JSON.parse(line)).toMatchObject({ name, addresses: [first.ipv4, first.ipv6] })
    await watch.line(says('appeared', ada.fingerprint))
    expect((await cardsOf(foreign)).get('Dr- “Ada” 🎈; -')).toMatchObject({ nickname: name, fingerprint: ada.fingerprint })

    const friend = ada.process.line(says('friend', bob.fingerprint))
    bob.process.write(`meet ${ada.fingerprint}\n`)
    await Promise.all([bob.process.line(says('met', ada.fingerprint)), friend])

    bob.process.write('state away back at “five”\n')
    await ada.process.line(says('seen', 'back at “five”'))
    await watch.line(says('changed', 'back at “five”'))
    expect((await cardsOf(foreign)).get('Bob')).toMatchObject({ availability: 'away', status: 'back at “five”' })
    expect(foreigner.lines.filter((each) => each.startsWith('-'))).toEqual([])
    expect(watch.lines.filter((each) => each.includes('"gone"'))).toEqual([])

    const list = await third.run(process.execPath, 'dist/cli/cloudy.js', 'nearby', '--timeout', '2')
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
    await watch.line(says('gone', bob.fingerprint))
    await foreigner.line(/^-;eth0;IPv[46];Bob;/)
    expect(await ada.process.stop('SIGTERM')).toBe(0)
    await watch.line(says('gone', ada.fingerprint))
    expect(await watch.stop('SIGINT')).toBe(0)
    await foreigner.stop()
    expect(JSON.parse(await third.run(process.execPath, 'dist/cli/cloudy.js', 'nearby', '--json', '--timeout', '0.5'))).toEqual({
      people: [],
    })
  },
  30_000,
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
    const printer = await foreign.publish('A printer', TYPE, 9100, [Buffer.from('paper=A4')])
    await watch.line(says('appeared', identity.fingerprint))
    await watch.line(/"ignored","name":"A printer","reason":"the TXT record has no card"/)
    await guest.stop()
    await watch.line(says('gone', identity.fingerprint))
    await printer.stop()
  },
  30_000,
)

testOnLan(
  'who crashes is gone when the card expires; an interface may go and come, or come late',
  async () => {
    const { first, second, third } = await theLan()
    await third.down('eth0')
    const watch = watchOn(third)
    await watch.line(/^cloudy: There is no network interface that is up/)
    const late = peerOn(third, { name: 'Late' })
    const [ada, bob, crashing] = await Promise.all([
      peerOn(first, { name: 'Ada' }),
      peerOn(second, { name: 'Bob' }),
      peerOn(second, { name: 'Crashing', age: 592 }),
    ])
    await late
    await third.plugIn()
    for (const each of [ada, bob, await late, crashing]) await watch.line(says('appeared', each.fingerprint))
    await ada.process.line(says('seen', (await late).fingerprint))
    await crashing.process.stop('SIGKILL')

    await second.down('eth0')
    await bob.process.line(says('gone', ada.fingerprint))
    expect(watch.lines.filter((each) => each.includes('"gone"') && each.includes(bob.fingerprint))).toEqual([])
    bob.process.forget()
    await second.plugIn()
    await bob.process.line(says('seen', ada.fingerprint))
    bob.process.write('state busy again\n')
    await watch.line(says('changed', 'again'))
    await ada.process.line(says('gone', crashing.fingerprint))
    await watch.line(says('gone', crashing.fingerprint))
  },
  30_000,
)

testOnLan(
  'a name that is taken gets a number; when networks merge, one of two owners gives way and nobody is gone',
  async () => {
    const { first, second, third, avahi: foreign } = await theLan()
    await third.detach()
    const [ada, other] = await Promise.all([peerOn(first, { name: 'Ada' }), peerOn(third, { name: 'Ada' })])
    const second_ = await peerOn(second, { name: 'Ada' })
    await ada.process.line(says('seen', second_.fingerprint))
    expect((await cardsOf(foreign)).get('Ada (2)')?.fingerprint).toBe(second_.fingerprint)

    await third.attach()
    // Whoever asks hears both, and so do they.
    const watch = watchOn(second)
    for (const each of [ada, other, second_]) await watch.line(says('appeared', each.fingerprint))
    const message = says('error', 'Another peer on this network announces our service name')
    await Promise.any([ada.process.line(message), other.process.line(message)])
    const names = async () => new Map([...(await cardsOf(foreign))].map(([name, { fingerprint }]) => [name, fingerprint]))
    let settled = await names()
    for (let looks = 0; looks < 8 && new Set(settled.values()).size < 3; looks++) settled = await names()
    expect([...settled.keys()].sort()).toEqual(['Ada', 'Ada (2)', 'Ada (3)'])
    expect(new Set(settled.values())).toEqual(new Set([ada, other, second_].map(({ fingerprint }) => fingerprint)))
    expect(settled.get('Ada (2)')).toBe(second_.fingerprint)
    expect(watch.lines.filter((each) => each.includes('"gone"'))).toEqual([])
  },
  30_000,
)

testOnLan(
  'on two interfaces each LAN hears the addresses that are of use there; IPv6 alone will do',
  async () => {
    const { net, first, third } = await theLan()
    const [far] = (await net.lan(1)) as [Host]
    const between = await net.join(third, 'eth1', far)
    await far.ip('addr flush dev eth0 scope global')
    const [ada, middle, zoe] = await Promise.all([
      peerOn(first, { name: 'Ada' }),
      peerOn(third, { name: 'Middle' }),
      peerOn(far, { name: 'Zoe' }),
    ])
    const [atAda] = await ada.process.line(says('seen', middle.fingerprint))
    const [atZoe] = await zoe.process.line(says('seen', middle.fingerprint))
    expect(JSON.parse(atAda).addresses).toEqual([third.ipv4, third.ipv6])
    expect(JSON.parse(atZoe).addresses).toEqual([between.ipv4, between.ipv6])
    await middle.process.line(says('seen', ada.fingerprint))
    const [link] = await middle.process.line(says('seen', zoe.fingerprint))
    expect(JSON.parse(link).addresses).toEqual([expect.stringMatching(/^fe80::[0-9a-f:]+%eth1$/)])
    middle.process.write(`meet ${zoe.fingerprint}\n`)
    await zoe.process.line(says('friend', middle.fingerprint))
    await middle.process.line(says('met', zoe.fingerprint))
    expect(ada.process.lines.filter((each) => each.includes(zoe.fingerprint))).toEqual([])
  },
  30_000,
)

testOnLan(
  'forged, replayed, stolen and oversized records, and a flood of services, fool nobody and hide nobody',
  async () => {
    const { first, second, third } = await theLan()
    const sources = Array.from({ length: 16 }, (_, n) => `10.77.0.${100 + n}`)
    await third.ip(...sources.map((each) => `addr add ${each}/24 dev eth0`))
    const speaker = third.start([process.execPath, 'test/lan-speaker.mjs'])
    running.push(speaker)
    await speaker.line(/ready/)
    const speak = async (source: string, times: number, datagram: Buffer) => {
      speaker.forget()
      speaker.write(`${source} ${times} ${datagram.toString('base64')}\n`)
      await speaker.line(/said/)
    }
    const source = sources[0]!
    const [ada, bob] = await Promise.all([peerOn(first, { name: 'Ada' }), peerOn(second, { name: 'Bob' })])
    await bob.process.line(says('seen', ada.fingerprint))
    ada.process.write('state away now\n')
    await bob.process.line(says('seen', '"status":"now"'))

    // What Ada said before, from elsewhere, and in her place; what she never said; what nobody can read.
    const { host } = verifyCard(ada.card, { now: Date.now() })
    const hers = { instance: 'Ada', host, port: ada.port, txt: cardToTxt(ada.card) }
    const forged = Buffer.from(ada.card)
    forged[forged.length - 1]! ^= 1
    await speak(source, 1, announcement({ ...hers, instance: 'Thief', addresses: [source] }))
    await bob.process.line(says('ignored', 'Thief.*announced from elsewhere'))
    await speak(source, 1, announcement({ ...hers, instance: 'Echo' }))
    await bob.process.line(says('ignored', 'Echo.*a newer card of the same key has been seen'))
    await speak(source, 1, announcement({ ...hers, instance: 'Forger', txt: cardToTxt(forged) }))
    await bob.process.line(says('ignored', 'Forger.*the signature does not hold'))
    await speak(
      source,
      1,
      announcement({ ...hers, instance: 'Giant', txt: Array.from({ length: 30 }, () => Buffer.alloc(255, 'c')) }),
    )
    await bob.process.line(says('ignored', 'Giant.*more than 1299 octets'))
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

    const late = await peerOn(first, { name: 'Late' })
    await bob.process.line(says('seen', late.fingerprint))
    ada.process.write('state busy still here\n')
    await bob.process.line(says('seen', 'still here'))
    const { people } = JSON.parse(
      await second.run(process.execPath, 'dist/cli/cloudy.js', 'nearby', '--json', '--timeout', '2'),
    ) as {
      people: { fingerprint: string; name: string; addresses: string[]; status: string }[]
    }
    const byKey = new Map(people.map((each) => [each.fingerprint, each]))
    expect(byKey.get(ada.fingerprint)).toMatchObject({ status: 'still here', addresses: [first.ipv4, first.ipv6] })
    expect(byKey.has(late.fingerprint) && byKey.has(bob.fingerprint)).toBe(true)
    expect(bob.process.lines.filter((each) => each.includes('"gone"') && each.includes(ada.fingerprint))).toEqual([])
  },
  30_000,
)
