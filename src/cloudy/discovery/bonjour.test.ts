// Real multicast DNS, on the loopback interface only: peers in one process see each other, change, leave, and survive what a stranger says.

import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from '@jest/globals'
import { deferred } from '../../beep/promises.js'
import { type AdvertiseOptions, advertise, type Browse, browse, type Sighting } from './bonjour.js'
import { announcement, question } from './test-kit-datagrams.js'
import { cardToTxt, MAX_CARD } from './txt-record.js'

type Seen = { seen: Sighting } | { gone: string } | { ignored: string; reason: string }

const open: { close(): Promise<void> }[] = []
const errors: Error[] = []
const onError = (error: Error) => errors.push(error)

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
  expect(errors.splice(0)).toEqual([])
})

async function advertised(options: Omit<AdvertiseOptions, 'loopbackOnly'>) {
  const advertisement = await advertise({ host: 'test-host.local', ...options, loopbackOnly: true, onError })
  open.push({ close: () => advertisement.withdraw() })
  return advertisement
}

/** A browser whose events are kept, and awaited one condition at a time. */
async function watcher() {
  const events: Seen[] = []
  const waiting = new Set<() => void>()
  const note = (event: Seen) => {
    events.push(event)
    for (const wake of waiting) wake()
    waiting.clear()
  }
  const browser: Browse = await browse({
    loopbackOnly: true,
    onError,
    onSeen: (seen) => note({ seen }),
    onGone: ({ instance }) => note({ gone: instance }),
    onIgnored: (ignored, reason) => note({ ignored, reason }),
  })
  open.push({ close: () => browser.stop() })
  const until = async <T>(find: (events: readonly Seen[]) => T | undefined, patience = 5000): Promise<T> => {
    const late = AbortSignal.timeout(patience)
    for (;;) {
      const found = find(events)
      if (found !== undefined) return found
      await new Promise<void>((resolve, reject) => {
        waiting.add(resolve)
        late.addEventListener('abort', () => reject(new Error(`not seen within ${patience} ms`)), { once: true })
      })
    }
  }
  const of = (instance: string) => events.filter((event) => nameOf(event) === instance)
  const sighted = (instance: string, card: Uint8Array) =>
    until(() => {
      for (const event of events)
        if ('seen' in event && event.seen.instance === instance && same(event.seen.card, card)) return event.seen
      return undefined
    })
  const gone = (instance: string, patience?: number) =>
    until(() => events.find((event) => 'gone' in event && event.gone === instance), patience)
  const ignored = (instance: string) => until(() => of(instance).find((event) => 'ignored' in event))
  return { events, of, until, sighted, gone, ignored, browser }
}

const nameOf = (event: Seen) => ('seen' in event ? event.seen.instance : 'gone' in event ? event.gone : event.ignored)
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
const unique = (name: string) => `${name} ${randomBytes(4).toString('hex')}`

/** Octets that a text would not survive: zero, equals signs, line breaks, no UTF-8. */
function card(length: number): Buffer {
  return Buffer.concat([Buffer.from([0x00, 0x3d, 0x3d, 0x0a, 0xff, 0xc0, 0x00]), randomBytes(length - 7)])
}

describe('two peers and a browser in one process', () => {
  test('see each other, octet by octet', async () => {
    const [ada, bob] = [unique('Ada'), unique('Bob')]
    const [cardOfAda, cardOfBob] = [card(645), card(MAX_CARD)]
    const here = await watcher()
    await Promise.all([
      advertised({ instance: ada, port: 4001, card: cardOfAda }),
      advertised({ instance: bob, port: 4002, card: cardOfBob }),
    ])
    const seen = await Promise.all([here.sighted(ada, cardOfAda), here.sighted(bob, cardOfBob)])
    expect(seen[0]).toMatchObject({ host: 'test-host.local', port: 4001, addresses: ['127.0.0.1'], source: '127.0.0.1' })
    expect(seen[1]).toMatchObject({ instance: bob, port: 4002 })

    const later = await watcher() // one that comes after the announcements asks, and is answered
    await Promise.all([later.sighted(ada, cardOfAda), later.sighted(bob, cardOfBob)])
    expect([...here.of(ada), ...here.of(bob)]).toHaveLength(2)
  })

  test('a card that changes in place is seen changed, never gone', async () => {
    const name = unique('Ada')
    const [first, second, third] = [card(500), card(900), card(20)]
    const here = await watcher()
    const ada = await advertised({ instance: name, port: 4003, card: first })
    await here.sighted(name, first)
    await ada.update(second)
    await here.sighted(name, second)
    await ada.update(third)
    await here.sighted(name, third)
    const later = await watcher()
    await later.sighted(name, third)
    expect(here.of(name).map((event) => Object.keys(event)[0])).toEqual(['seen', 'seen', 'seen'])
    await expect(ada.update(card(MAX_CARD + 1))).rejects.toThrow(RangeError)
  })

  test('who withdraws is gone, and the others are not', async () => {
    const [ada, bob] = [unique('Ada'), unique('Bob')]
    const here = await watcher()
    const [first, second] = await Promise.all([
      advertised({ instance: ada, port: 4004, card: card(100) }),
      advertised({ instance: bob, port: 4005, card: card(100) }),
    ])
    const renewed = card(101)
    await second.update(renewed)
    await here.sighted(bob, renewed)
    await first.withdraw()
    await first.withdraw()
    await here.gone(ada)
    await expect(first.update(card(100))).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    const again = card(102)
    await second.update(again)
    await here.sighted(bob, again)
    expect(here.of(bob).some((event) => 'gone' in event)).toBe(false)
  })

  test('a name that is taken gets a number, with or without a race, and its owner stays', async () => {
    const name = unique('Dr. Ada')
    const lawful = name.replaceAll('.', '-')
    const here = await watcher()
    const racers = await Promise.all(
      [4006, 4007].map((port) => advertised({ instance: name, port, card: Buffer.from(`card ${port}`) })),
    )
    const third = await advertised({ instance: name, port: 4008, card: Buffer.from('card 4008') })
    expect([...racers.map(({ instance }) => instance).sort(), third.instance]).toEqual([lawful, `${lawful} (2)`, `${lawful} (3)`])
    expect(racers[1]?.instance).toBe(lawful) // of two that probe together the larger port goes on
    for (const [index, port] of [4006, 4007].entries())
      await here.sighted(racers[index]?.instance ?? '', Buffer.from(`card ${port}`))
    await here.sighted(third.instance, Buffer.from('card 4008'))
    expect(here.events.filter((event) => 'gone' in event && event.gone.startsWith(lawful))).toEqual([])
  }, 10_000)

  test('after stop() the browser says nothing more', async () => {
    const name = unique('Ada')
    const here = await watcher()
    const other = await watcher()
    const octets = card(50)
    const ada = await advertised({ instance: name, port: 4009, card: octets })
    await Promise.all([here.sighted(name, octets), other.sighted(name, octets)])
    await here.browser.stop()
    const before = here.events.length // of anybody
    await ada.withdraw()
    await other.gone(name)
    expect(here.events).toHaveLength(before)
  })
})

describe('what a stranger says', () => {
  test('a TXT record without a card is ignored with the reason, once, and becomes a sighting when it is mended', async () => {
    const name = unique('Mallory')
    const here = await watcher()
    await say(announcement({ instance: name, txt: [Buffer.from('c0=begin'), Buffer.from('c2=end')] }))
    await say(announcement({ instance: name, txt: [Buffer.from('c0=begin'), Buffer.from('c2=end')] }))
    expect(await here.ignored(name)).toEqual({ ignored: name, reason: 'c1 is missing from the TXT record' })
    await say(announcement({ instance: name, txt: cardToTxt(Buffer.from('whole')) }))
    await here.sighted(name, Buffer.from('whole'))
    expect(here.of(name)).toHaveLength(2)
  })

  test('a name with dots is not cut', async () => {
    const name = unique('A.B.')
    const here = await watcher()
    await say(announcement({ instance: name, txt: cardToTxt(Buffer.from('card')) }))
    expect(await here.sighted(name, Buffer.from('card'))).toMatchObject({ instance: name, host: 'stranger.local', port: 1 })
  })

  test('what comes from another port is not heard (RFC 6762 §6)', async () => {
    const [name, other] = [unique('Mallory'), unique('Other')]
    const here = await watcher()
    const txt = cardToTxt(Buffer.from('card'))
    await say(announcement({ instance: name, txt }), 0)
    await say(announcement({ instance: other, txt }))
    await here.sighted(other, Buffer.from('card'))
    expect(here.of(name)).toEqual([])
  })

  test('a forged goodbye, or a lifetime cut short, is contradicted, and nobody is gone', async () => {
    const name = unique('Ada')
    const here = await watcher()
    const ada = await advertised({ instance: name, port: 4010, card: Buffer.from('card') })
    await here.sighted(name, Buffer.from('card'))
    await say(announcement({ instance: name, txt: cardToTxt(Buffer.from('card')), ttl: 0 }))
    await say(announcement({ instance: name, txt: cardToTxt(Buffer.from('card')), host: 'test-host', port: 4010, ttl: 1 }))
    await expect(here.gone(name, 1500)).rejects.toThrow('not seen within')
    await ada.withdraw()
    await here.gone(name)
  }, 10_000)

  test('a claim to our name that nobody defends is gone into, and the name is kept', async () => {
    const name = unique('Ada')
    const here = await watcher()
    const reported: string[] = []
    const octets = Buffer.from('card')
    const ada = await advertise({
      ...{ instance: name, host: 'test-host.local', port: 4012, card: octets, loopbackOnly: true },
      onError: ({ message }) => reported.push(message),
    })
    open.push({ close: () => ada.withdraw() })
    await here.sighted(name, octets)
    await say(announcement({ instance: name, txt: cardToTxt(Buffer.from('theirs')) }))
    await here.sighted(name, Buffer.from('theirs'))
    await here.until(() => (here.of(name).length < 3 ? undefined : here.of(name)))
    await ada.update(Buffer.from('still here'))
    await here.sighted(name, Buffer.from('still here'))
    expect(ada.instance).toBe(name)
    expect(reported).toEqual(['Another peer on this network announces our service name'])
    expect(here.of(name).some((event) => 'gone' in event)).toBe(false)
  }, 10_000)

  test('somebody who says that every name is theirs keeps nobody from beginning; when they stop, a name is claimed', async () => {
    const name = unique('Ada')
    const here = await watcher()
    const names = [name, ...Array.from({ length: 14 }, (_, at) => `${name} (${at + 2})`)]
    const theirs = cardToTxt(Buffer.from('theirs'))
    const squatting = setInterval(() => {
      for (const instance of names) void say(announcement({ instance, txt: theirs }))
    }, 100)
    const reported: string[] = []
    const octets = Buffer.from('card')
    try {
      const ada = await advertise({
        ...{ instance: name, host: 'test-host.local', port: 4014, card: octets, loopbackOnly: true },
        onError: ({ message }) => reported.push(message),
      })
      open.push({ close: () => ada.withdraw() })
      expect(reported).toEqual(['All of 15 names for the service are taken on this network'])
    } finally {
      clearInterval(squatting)
    }
    await here.until((events) => events.find((event) => 'seen' in event && same(event.seen.card, octets)), 15_000)
  }, 30_000)

  test('what is asked a hundred times is answered once a second', async () => {
    const ada = await advertised({ instance: unique('Ada'), port: 4013, card: Buffer.from('card') })
    const ear = createSocket({ type: 'udp4', reuseAddr: true })
    open.push({ close: async () => void ear.close() })
    ear.bind(5353, '0.0.0.0')
    await once(ear, 'listening')
    ear.addMembership('224.0.0.251', '127.0.0.1')
    const marker = randomBytes(20)
    let answers = 0
    const twice = deferred<void>()
    const marked = deferred<void>()
    ear.on('message', (datagram) => {
      if (datagram.equals(marker)) marked.resolve()
      // With additional records it is an answer to a question for the type, not an announcement.
      const isAnswer = (datagram[2]! & 0x80) !== 0 && datagram.readUInt16BE(10) > 0
      if (isAnswer && datagram.includes(ada.instance) && ++answers === 2) twice.resolve()
    })
    // Again and again: others on this machine may have asked just before, and an announcement answers, too.
    const ask = () => {
      for (let n = 0; n < 5; n++) void say(question(20))
    }
    ask()
    const asking = setInterval(ask, 200)
    await twice.promise
    clearInterval(asking)
    await say(marker)
    await marked.promise
    expect(answers).toBe(2)
  }, 10_000)

  test('octets that are not DNS do no harm', async () => {
    const name = unique('Ada')
    const here = await watcher()
    await advertised({ instance: name, port: 4011, card: Buffer.from('card') })
    await say(randomBytes(300))
    await say(Buffer.from('00008400ffffffffffffffff', 'hex'))
    const later = await watcher()
    await Promise.all([here.sighted(name, Buffer.from('card')), later.sighted(name, Buffer.from('card'))])
  })
})

test('what cannot be advertised is refused before anything is sent', async () => {
  const base = { instance: 'x', card: Buffer.from('card'), loopbackOnly: true }
  await expect(advertise({ ...base, port: 0 })).rejects.toThrow(RangeError)
  await expect(advertise({ ...base, port: 1, card: Buffer.alloc(MAX_CARD + 1) })).rejects.toThrow(RangeError)
  await expect(advertise({ ...base, port: 1, host: 'a.b.local' })).rejects.toThrow(RangeError)
})

async function say(datagram: Buffer, port = 5353): Promise<void> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.bind(port, '0.0.0.0')
  await once(socket, 'listening')
  socket.setMulticastInterface('127.0.0.1')
  await new Promise((resolve) => socket.send(datagram, 5353, '224.0.0.251', resolve))
  await new Promise<void>((resolve) => socket.close(() => resolve()))
}
