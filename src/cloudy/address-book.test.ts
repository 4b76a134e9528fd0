// The address book: in which order what is dialled, what never is, and what is kept on the disk.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { AddressBook, type AddressBookOptions, MAX_ADDRESSES, MAX_DIALLED, MAX_PEOPLE } from './address-book.js'
import { formatFingerprint } from './fingerprint.js'
import { WrongKeyError } from './profiles/person.js'

const name = (n: number) => formatFingerprint(Buffer.alloc(32, n % 256).fill(n >> 8, 0, 1))
const ada = name(1)
const bob = name(2)
const onLink = (address: string) => address.startsWith('192.168.7.') || address.startsWith('fd77:') || address.startsWith('fe80:')
const card = (
  fields: Partial<{
    fingerprint: string
    addresses: string[]
    port: number
    external: { address: string; port: number }
    sequence: number
    expires: number
  }> = {},
) => ({
  fingerprint: ada,
  addresses: ['192.168.7.2', 'fd77::2', '10.1.1.1', '192.168.7.3'],
  port: 4000,
  external: { address: '44.128.0.1', port: 40_000 },
  sequence: 1,
  expires: 4_000_000_000,
  ...fields,
})
const hosts = (addresses: readonly { host: string }[]) => addresses.map(({ host }) => host)
const open = (options: AddressBookOptions = {}) => AddressBook.open({ onLink, ...options })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-book-'))
})
afterAll(() => rm(folder, { recursive: true }))

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

describe('the file', () => {
  test('has what was typed or worked, and gives it back', async () => {
    const path = join(folder, 'deep', 'addresses.json')
    const book = await open({ path })
    book.learn(card({ addresses: ['192.168.7.2', '192.168.7.3'] }))
    book.learn(card({ fingerprint: bob }))
    book.type(ada, { host: 'ada.example', port: 5000 })
    await book.dial(ada, ({ host }) => (host === '192.168.7.3' ? Promise.resolve(1) : Promise.reject(new Error('no'))), {
      discard() {},
    })
    await book.flush()
    expect(await readdir(join(folder, 'deep'))).toEqual(['addresses.json'])
    const again = await open({ path })
    expect(hosts(again.dialable(ada))).toEqual(['192.168.7.3', 'ada.example'])
    expect(again.addressesOf(bob)).toEqual([])
    again.forget(ada)
    await again.flush()
    expect((await open({ path })).addressesOf(ada)).toEqual([])
  })

  test('is opened again, whatever the clock said', async () => {
    for (const time of [1.5, -3, performance.now()]) {
      const path = join(folder, 'odd.json')
      const book = await open({ path, now: () => time })
      book.type(ada, { host: 'ada.example', port: 5000 })
      await book.dial(ada, () => Promise.resolve(1), { discard() {} })
      await book.flush()
      expect(hosts((await open({ path })).dialable(ada))).toEqual(['ada.example'])
    }
  })

  test('is believed as a whole or not at all, and left alone', async () => {
    const path = join(folder, 'whole.json')
    const book = await open({ path })
    book.type(ada, { host: 'ada.example', port: 5000 })
    await book.flush()
    const good = await readFile(path, 'utf8')
    const damaged = [
      good.slice(0, -3),
      good.replace('5000', '70000'),
      good.replace('typed', 'told'),
      good.replace('"learnt"', '"more": 1, "learnt"'),
      good.replace('"version": 1', '"version": 2'),
      good.replace('ada.example', 'ada example'),
      good.replace(
        ada,
        ada.replace(/^./, (c) => (c === 'a' ? 'b' : 'a')),
      ),
      '[]',
      '',
    ]
    for (const text of damaged) {
      await writeFile(path, text)
      await expect(open({ path })).rejects.toThrow()
      expect(await readFile(path, 'utf8')).toBe(text)
    }
  })

  test('of two that have it open at the same time has what both learnt', async () => {
    const path = join(folder, 'two.json')
    const [first, second] = [await open({ path }), await open({ path })]
    first.type(ada, { host: 'ada.example', port: 1 })
    await first.flush()
    second.type(bob, { host: 'bob.example', port: 2 })
    second.type(ada, { host: 'ada.test', port: 3 })
    second.type(ada, { host: '192.168.7.9', port: 4 })
    await second.flush()
    // What was typed stays so, also where another only met them; and what worked is not lost to who did not try.
    first.learn(card({ addresses: ['192.168.7.9'], port: 4 }))
    await first.dial(ada, ({ host }) => (host === '192.168.7.9' ? Promise.resolve(1) : Promise.reject(new Error('no'))), {
      discard() {},
    })
    await first.flush()
    second.type(ada, { host: '192.168.7.9', port: 4 })
    await second.flush()
    const again = await open({ path })
    expect(hosts(again.addressesOf(ada)).toSorted()).toEqual(['192.168.7.9', 'ada.example', 'ada.test'])
    expect(again.addressesOf(ada)[0]).toMatchObject({ host: '192.168.7.9', source: 'typed', worked: expect.any(Number) })
    expect(hosts(again.addressesOf(bob))).toEqual(['bob.example'])
    // Whom one forgets is forgotten, though it has never heard of them and the other has; until the other meets them again.
    first.forget(bob)
    await first.flush()
    second.type(name(3), { host: 'c.example', port: 5 })
    await second.flush()
    expect((await open({ path })).addressesOf(bob)).toEqual([])
    expect(await readdir(folder)).not.toContain('two.json.lock')
  })

  test('of two that write all the time loses nothing', async () => {
    const path = join(folder, 'busy.json')
    const books = [await open({ path }), await open({ path })]
    const write = async (book: AddressBook, odd: number) => {
      for (let n = odd; n < 40; n += 2) {
        book.type(name(n), { host: `h${n}.example`, port: 1 })
        await book.flush()
      }
    }
    await Promise.all(books.map(write))
    const again = await open({ path })
    for (let n = 0; n < 40; n++) expect(hosts(again.addressesOf(name(n)))).toEqual([`h${n}.example`])
  })

  test('that was spoilt while it was open is left as it is; what was learnt gets there once it is right again', async () => {
    const path = join(folder, 'spoilt.json')
    const errors: unknown[] = []
    const book = await open({ path, onError: (error) => errors.push(error) })
    await writeFile(path, '[]')
    book.type(ada, { host: 'ada.example', port: 1 })
    await book.flush()
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('is no address book') })])
    expect(await readFile(path, 'utf8')).toBe('[]')
    await rm(path)
    book.type(bob, { host: 'bob.example', port: 2 })
    await book.flush()
    expect(hosts((await open({ path })).addressesOf(ada))).toEqual(['ada.example'])
  })

  test('has room for so many people, of whom those that were changed last stay', async () => {
    const path = join(folder, 'full.json')
    const [first, second] = [await open({ path }), await open({ path })]
    for (let n = 0; n < MAX_PEOPLE; n++) first.type(name(n), { host: 'a.example', port: 1 })
    await first.flush()
    first.type(name(0), { host: 'b.example', port: 1 })
    await first.flush()
    second.type(name(MAX_PEOPLE), { host: 'c.example', port: 1 })
    await second.flush()
    const again = await open({ path })
    expect(hosts(again.addressesOf(name(0))).toSorted()).toEqual(['a.example', 'b.example'])
    expect(again.addressesOf(name(1))).toEqual([])
    expect(hosts(again.addressesOf(name(MAX_PEOPLE)))).toEqual(['c.example'])
  })

  test('that cannot be written is told, and the book goes on', async () => {
    const errors: unknown[] = []
    await writeFile(join(folder, 'file'), '')
    const book = await open({ path: join(folder, 'other.json') })
    const failing = await AddressBook.open({ path: join(folder, 'gone', 'x.json'), onError: (error) => errors.push(error) })
    await writeFile(join(folder, 'gone'), 'a file where a folder should be')
    failing.type(ada, { host: 'ada.example', port: 1 })
    await failing.flush()
    expect(errors).toHaveLength(1)
    expect(hosts(failing.dialable(ada))).toEqual(['ada.example'])
    await book.flush()
  })
})
