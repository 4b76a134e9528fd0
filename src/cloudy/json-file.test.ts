// Small JSON files: what is read of them, and that none is half of one.
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readJsonFile, updateJsonFile, writeJsonFile } from './json-file.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-json-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('a file that is too large is not read', async () => {
  const path = join(folder, 'large.json')
  await writeFile(path, '[1,2,3,45]')
  expect(await readJsonFile(path, 10)).toEqual([1, 2, 3, 45])
  await expect(readJsonFile(path, 9)).rejects.toThrow(`${path} has 10 octets; more than 9 are not read`)
  await truncate(path, 4 * 1024 * 1024 + 1)
  await expect(readJsonFile(path)).rejects.toThrow('has 4194305 octets; more than 4194304 are not read')
})

test('no file is no value; a file without JSON is an error', async () => {
  expect(await readJsonFile(join(folder, 'none.json'))).toBeUndefined()
  await writeFile(join(folder, 'empty.json'), '')
  await expect(readJsonFile(join(folder, 'empty.json'))).rejects.toMatchObject({ reason: 'json' })
})

test('a file is for its owner alone, in a folder that is made', async () => {
  const path = join(folder, 'new', 'own.json')
  await writeJsonFile(path, { a: 1 })
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readJsonFile(path)).toEqual({ a: 1 })
})

test('changes of many at the same time are all there; one that throws changes nothing', async () => {
  const path = join(folder, 'count', 'number.json')
  await Promise.all(Array.from({ length: 20 }, () => updateJsonFile(path, (value) => Number(value ?? 0) + 1)))
  await expect(
    updateJsonFile(path, () => {
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  expect(await readFile(path, 'utf8')).toBe('20\n')
  expect(await readdir(join(folder, 'count'))).toEqual(['number.json'])
})

test('a file that another program is replacing is left as it is', async () => {
  const path = join(folder, 'kept.json')
  await writeJsonFile(path, 1)
  await writeFile(`${path}.lock`, '')
  await expect(updateJsonFile(path, () => 2)).rejects.toThrow(`${path} is being replaced by another program`)
  expect(await readJsonFile(path)).toBe(1)
})
