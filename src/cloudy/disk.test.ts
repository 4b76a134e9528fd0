// What files need that several write, and names that nobody else has.
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { giveName, lockFile, lockPathOf } from './disk.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-disk-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('a lock that was left behind is one of many next, never of two at a time', async () => {
  const path = join(folder, 'file')
  const long = Date.now() / 1000 - 60
  for (let round = 0; round < 20; round++) {
    await writeFile(lockPathOf(path), '')
    await utimes(lockPathOf(path), long, long)
    let holders = 0
    const one = async () => {
      await wait(Math.random() * 14)
      await using lock = await lockFile(path)
      expect([typeof lock, ++holders]).toEqual(['object', 1])
      await wait(2)
      holders--
    }
    await Promise.all(Array.from({ length: 12 }, one))
  }
  expect(await readdir(folder)).toEqual([])
}, 60_000)

test.each(['EPERM', 'EOPNOTSUPP'])(
  'where the file system knows no links (%s), a file gets a name that is free, and no other',
  async (code) => {
    const noLinks = () => Promise.reject(Object.assign(new Error('no links here'), { code }))
    const folder = await mkdtemp(join(tmpdir(), 'cloudy-names-'))
    try {
      const [came, taken, free] = ['came', 'taken', 'free'].map((name) => join(folder, name)) as [string, string, string]
      await writeFile(came, 'new')
      await writeFile(taken, 'old')
      await expect(giveName(came, taken, noLinks)).rejects.toMatchObject({ code: 'EEXIST' })
      expect([await readFile(came, 'utf8'), await readFile(taken, 'utf8')]).toEqual(['new', 'old'])
      await giveName(came, free, noLinks)
      expect(await readFile(free, 'utf8')).toBe('new')
      expect((await readdir(folder)).toSorted()).toEqual(['free', 'taken'])
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)
