// What of an address book is on the disk, and what becomes of it when two have it open.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { deferred } from '../beep/promises.js'
import { AddressBook } from './address-book.js'
import { lockPathOf } from './disk.js'
import { MAX_PEOPLE } from './known-address.js'
import { ada, bob, card, hosts, name, open } from './test-kit-book.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-book-'))
})
afterAll(() => rm(folder, { recursive: true }))

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

  test('that somebody else kept for too long is written by the next flush', async () => {
    const path = join(folder, 'kept.json')
    const told = deferred<unknown>()
    const book = await open({ path, onError: told.resolve })
    await writeFile(lockPathOf(path), '')
    book.type(ada, { host: 'ada.example', port: 1 })
    expect(await told.promise).toBeInstanceOf(Error)
    await rm(lockPathOf(path))
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
