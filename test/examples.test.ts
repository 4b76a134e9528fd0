// The examples do what they say.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { count } from '../examples/countdown.js'
import { echo } from '../examples/echo.js'
import { greet } from '../examples/engines.js'
import { whisper } from '../examples/private.js'
import { upload } from '../examples/upload.js'

test('echo', async () => {
  expect(await echo()).toBe('hello')
})

test('countdown', async () => {
  expect(await count('3')).toEqual(['3', '2', '1'])
  expect(await count('three')).toEqual(['refused with 501'])
})

test('upload', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'beep-upload-'))
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  await writeFile(from, Buffer.alloc(1_000_000, 'BEEP'))
  expect(await upload(from, to)).toBe('stored')
  expect((await readFile(to)).equals(await readFile(from))).toBe(true)
  await rm(folder, { recursive: true })
})

test('private', async () => {
  expect(await whisper()).toBe('the word is swordfish')
})

test('engines', () => {
  expect(greet()).toEqual(['http://example.org/echo'])
})
