// The address book: in which order what is dialled, what never is, and who makes room.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type AddressBook, MAX_DIALLED } from './address-book.js'
import { MAX_ADDRESSES, MAX_PEOPLE } from './known-address.js'
import { WrongKeyError } from './profiles/person.js'
import { ada, bob, card, hosts, name, open } from './test-kit-book.js'

describe('the order', () => {
  test('is: where it worked last, what was typed, the link with both families in turn, the public address', async () => {
    let time = 1
    const book = await open({ now: () => time++ })
    book.learn(card(), ['fe80::2%eth0'])
    book.type(ada, { host: 'ada.example', port: 5000 })
    expect(hosts(book.dialable(ada))).toEqual([
      'ada.example',
      'fe80::2%eth0',
      '192.168.7.2',
      'fd77::2',
      '192.168.7.3',
      '44.128.0.1',
    ])
    await book.dial(ada, async ({ host }) => (host === '192.168.7.3' ? host : Promise.reject(new Error('no'))), { discard() {} })
    expect(hosts(book.dialable(ada)).slice(0, 2)).toEqual(['192.168.7.3', 'ada.example'])
    book.learn(card({ addresses: ['192.168.7.2'] }))
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.3', 'ada.example', '192.168.7.2', '44.128.0.1'])
  })

  test('does not go back to an older card, whoever brings it', async () => {
    const book = await open()
    book.learn(card({ addresses: ['192.168.7.2'], sequence: 200 }))
    book.learn(card({ addresses: ['192.168.7.66'], sequence: 100 }))
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.2', '44.128.0.1'])
    book.learn(card({ addresses: ['192.168.7.3'], sequence: 200 }), ['192.168.7.3'])
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.3', '44.128.0.1'])
    book.forget(ada)
    book.learn(card({ addresses: ['192.168.7.4'], sequence: 3 }))
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.4', '44.128.0.1'])
  })

  test('goes back to a lower number once the card with the higher one has expired: its owner’s clock was ahead', async () => {
    let now = 1_000_000
    const book = await open({ now: () => now })
    const show = (host: string, sequence: number) => book.learn(card({ addresses: [host], sequence, expires: now / 1000 + 600 }))
    show('192.168.7.2', 87_400)
    now += 599_000
    show('192.168.7.3', 1599)
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.2', '44.128.0.1'])
    now += 1000
    show('192.168.7.3', 1600)
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.3', '44.128.0.1'])
    show('192.168.7.4', 1599)
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.3', '44.128.0.1'])
  })

  test('does not go back to an older card of somebody who was typed or reached, however many strangers come', async () => {
    const book = await open()
    book.type(ada, { host: 'ada.example', port: 5000 })
    book.learn(card({ addresses: ['192.168.7.2'], sequence: 2 }))
    for (let n = 100; n < 100 + MAX_PEOPLE; n++) book.learn(card({ fingerprint: name(n) }))
    book.learn(card({ addresses: ['192.168.7.66'], sequence: 1 }))
    expect(hosts(book.dialable(ada))).toEqual(['ada.example', '192.168.7.2', '44.128.0.1'])
  })

  test('does not go back to an older card of a stranger while there is room that expired cards take', async () => {
    let now = 1_000_000
    const book = await open({ now: () => now })
    book.learn(card({ sequence: 2 }))
    for (let n = 101; n < 100 + MAX_PEOPLE; n++) book.learn(card({ fingerprint: name(n), expires: 1001 }))
    now = 1_001_000
    // One more than there is room for. Of Ada, who was heard of first, the addresses are forgotten with it, but not how new her card was.
    book.learn(card({ fingerprint: bob }))
    book.learn(card({ sequence: 1 }))
    expect(book.addressesOf(ada)).toEqual([])
  })

  test('has the newest card in it alone, and its ports', async () => {
    const book = await open()
    book.learn(card(), ['192.168.7.2'])
    book.learn(card({ addresses: ['192.168.7.2'], port: 4001, external: { address: '44.128.0.2', port: 41_000 } }))
    expect(book.dialable(ada)).toMatchObject([
      { host: '192.168.7.2', port: 4001, source: 'card' },
      { host: '44.128.0.2', port: 41_000, source: 'public' },
    ])
  })

  test('what was typed stays typed, whoever says the same', async () => {
    const book = await open()
    book.type(ada, { host: '192.168.7.2', port: 4000 })
    book.learn(card({ addresses: ['192.168.7.2'] }))
    book.learn(card({ addresses: [] }))
    expect(book.dialable(ada)).toMatchObject([{ host: '192.168.7.2', source: 'typed' }, { source: 'public' }])
  })
})

describe('never dialled', () => {
  test('are addresses of others that are not on the link, or that are loopback, multicast or nobody’s', async () => {
    const book = await open({ onLink: () => false })
    const addresses = ['8.8.8.8', '127.0.0.1', '224.0.0.1', '0.0.0.0', '::1', 'ff02::1', '::ffff:127.0.0.1', 'fe80::1']
    book.learn(card({ addresses, external: { address: '192.168.1.1', port: 80 } }), ['1.1.1.1', '127.0.0.2', 'fe80::9'])
    expect(book.addressesOf(ada)).toHaveLength(12)
    expect(book.dialable(ada)).toEqual([])
    await expect(book.dial(ada, () => Promise.resolve(1), { discard() {} })).rejects.toThrow(/may be dialled from here/)
    await expect(book.dial(bob, () => Promise.resolve(1), { discard() {} })).rejects.toThrow(bob)
  })

  test('are loopback and multicast, even if everything were on the link', async () => {
    const book = await open({ onLink: () => true })
    const odd = fc.constantFrom('127.0.0.1', '::1', '224.0.0.251', 'ff02::fb', '0.0.0.0', '::', '::ffff:127.0.0.1', '239.1.1.1')
    const some = fc.array(fc.oneof(odd, fc.ipV4(), fc.ipV6()), { maxLength: 8 })
    fc.assert(
      fc.property(some, some, fc.ipV4(), (addresses, announced, address) => {
        book.learn(card({ addresses, external: { address, port: 1 } }), announced)
        const dialled = hosts(book.dialable(ada))
        expect(dialled.length).toBeLessThanOrEqual(5)
        for (const host of dialled)
          expect(host).not.toMatch(/^(0\.|127\.|22[4-9]\.|23\d\.|ff[0-9a-f]{2}:|::1$|::$|::ffff:127\.)/i)
      }),
    )
  })

  test('is this machine, unless it is announced by somebody on it, or typed', async () => {
    const isOwn = (address: string) => ['192.168.7.9', '44.128.0.9'].includes(address)
    const book = await open({ isOwn })
    const named = card({ addresses: ['192.168.7.2', '192.168.7.9'], external: { address: '44.128.0.9', port: 40_000 } })
    book.learn(named)
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.2'])
    book.learn(named, ['192.168.7.9'])
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.9', '192.168.7.2'])
    book.learn(named)
    book.type(ada, { host: '44.128.0.9', port: 22 })
    expect(hosts(book.dialable(ada))).toEqual(['44.128.0.9', '192.168.7.2'])
  })

  test('is anything but loopback, where that is asked for', async () => {
    const book = await open({ loopbackOnly: true })
    book.learn(card({ addresses: ['127.0.0.1', '192.168.7.2'] }))
    book.type(ada, { host: 'ada.example', port: 1 })
    expect(hosts(book.dialable(ada))).toEqual(['127.0.0.1'])
  })

  test('is what cannot be an address: it is not even kept', async () => {
    const book = await open()
    for (const host of ['', 'a b', '-x', 'x'.repeat(254), '\u001b[31m'])
      expect(() => book.type(ada, { host, port: 1 })).toThrow(RangeError)
    for (const port of [0, 65_536, 1.5, Number.NaN])
      expect(() => book.type(ada, { host: 'ada.example', port })).toThrow(RangeError)
  })
})

describe('bounds', () => {
  test('so many addresses of one, and dialled; what was typed or worked stays', async () => {
    const book = await open()
    book.type(ada, { host: 'first.example', port: 1 })
    for (let n = 0; n < 100; n++) book.type(ada, { host: `ada${n}.example`, port: 1 })
    book.learn(card())
    expect(book.addressesOf(ada)).toHaveLength(MAX_ADDRESSES)
    expect(book.dialable(ada)).toHaveLength(MAX_DIALLED)
  })

  test('so many people; those known by hearsay go first', async () => {
    const book = await open()
    book.type(ada, { host: 'ada.example', port: 1 })
    for (let n = 2; n < MAX_PEOPLE + 50; n++) book.learn(card({ fingerprint: name(n) }))
    expect(book.addressesOf(ada)).toHaveLength(1)
    expect(book.addressesOf(name(2))).toEqual([])
    expect(book.addressesOf(name(MAX_PEOPLE + 49))).toHaveLength(5)
  })
})

describe('somebody who is seen nearby', () => {
  const seen = card({ addresses: ['192.168.7.2'], sequence: 2 })
  const strangers = (book: AddressBook, from = 100) => {
    for (let n = from; n < from + MAX_PEOPLE; n++) book.learn(card({ fingerprint: name(n) }))
  }

  test('does not make room for those who are only told of, however many', async () => {
    const book = await open()
    book.learn(seen, ['192.168.7.2'])
    strangers(book)
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.2', '44.128.0.1'])
    // Nor does the number of their card.
    book.learn(card({ addresses: ['192.168.7.66'], sequence: 1 }))
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.2', '44.128.0.1'])
  })

  test('finds room, whoever was told of before', async () => {
    const book = await open()
    strangers(book)
    book.learn(seen, ['192.168.7.2'])
    strangers(book, 2000)
    expect(hosts(book.dialable(ada))).toEqual(['192.168.7.2', '44.128.0.1'])
  })

  test('makes room for others who are, and before somebody who was typed', async () => {
    const book = await open()
    book.type(bob, { host: 'bob.example', port: 1 })
    book.learn(seen, ['192.168.7.2'])
    for (let n = 100; n < 100 + MAX_PEOPLE; n++) book.learn(card({ fingerprint: name(n) }), ['192.168.7.3'])
    expect(book.addressesOf(ada)).toEqual([])
    expect(hosts(book.dialable(bob))).toEqual(['bob.example'])
  })
})

describe('dialling', () => {
  test('ends with the first that proves the key; one that comes later is given back', async () => {
    const book = await open()
    book.learn(card({ addresses: ['192.168.7.2', '192.168.7.3'] }))
    const discarded: string[] = []
    const won = await book.dial(
      ada,
      ({ host }, { signal }) =>
        host === '192.168.7.2'
          ? new Promise((resolve) => signal.addEventListener('abort', () => resolve(host)))
          : Promise.resolve(host),
      { discard: (loser: string) => void discarded.push(loser), stagger: 1 },
    )
    await new Promise((resolve) => setImmediate(resolve))
    expect([won, discarded]).toEqual(['192.168.7.3', ['192.168.7.2']])
    expect(book.dialable(ada)[0]).toMatchObject({ host: '192.168.7.3', worked: expect.any(Number) })
  })

  test('goes past an address where somebody else lives now; a wrong key is what is told when nobody else answers', async () => {
    const book = await open()
    book.learn(card())
    const wrong = new WrongKeyError(ada, bob)
    const onlyOutside = ({ host }: { host: string }) => (host === '44.128.0.1' ? Promise.resolve(host) : Promise.reject(wrong))
    expect(await book.dial(ada, onlyOutside, { discard() {} })).toBe('44.128.0.1')
    await expect(book.dial(ada, () => Promise.reject(wrong), { discard() {} })).rejects.toBe(wrong)
  })

  test('that fails says what became of each address', async () => {
    const book = await open()
    book.learn(card({ addresses: ['192.168.7.2'] }))
    const failing = book.dial(ada, ({ host }) => Promise.reject(new Error(`no ${host}`)), { discard() {} })
    await expect(failing).rejects.toThrow(
      /192\.168\.7\.2 port 4000: no 192\.168\.7\.2; 44\.128\.0\.1 port 40000: no 44\.128\.0\.1/,
    )
  })

  test('ends with its signal', async () => {
    const book = await open()
    book.learn(card())
    const controller = new AbortController()
    const dialling = book.dial(ada, () => new Promise(() => {}), { discard() {}, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(dialling).rejects.toThrow('enough')
  })
})
