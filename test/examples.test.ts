// The examples do what they say.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { count } from '../examples/countdown.js'
import { echo } from '../examples/echo.js'
import { greet } from '../examples/engines.js'
import { stay } from '../examples/peer.js'
import { whisper } from '../examples/private.js'
import { upload } from '../examples/upload.js'
import { Wake } from '../src/beep/wake.js'

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

test('peer', async () => {
  // Other tests have peers on the same link: an Ada and a Bob, too.
  const [first, second] = ['Ada of peer.ts', 'Bob of peer.ts'] as const
  const folders = [await mkdtemp(join(tmpdir(), 'cloudy-ada-')), await mkdtemp(join(tmpdir(), 'cloudy-bob-'))] as const
  const said: string[] = []
  const heard = new Wake()
  const says = (name: string) => (line: string) => {
    said.push(`${name}: ${line}`)
    heard.rouse()
  }
  const hears = async (...lines: string[]) => {
    while (!lines.every((line) => said.includes(line))) await heard.wait()
  }
  const ada = await stay(folders[0], first, says('Ada'), true)
  const bob = await stay(folders[1], second, says('Bob'), true)
  await hears(`Ada: “${second}” is near`, `Bob: “${first}” is near`)
  const friend = await ada.meet(bob.fingerprint)
  await hears(`Bob: “${first}” comes`, `Ada: “${second}” gives a note`)
  await writeFile(join(folders[0], 'letter.txt'), 'hello')
  await friend.sendFile(join(folders[0], 'letter.txt'))
  expect(await readFile(join(folders[1], 'letter.txt'), 'utf8')).toBe('hello')
  await writeFile(join(folders[0], 'large'), Buffer.alloc(1_000_001))
  await expect(friend.sendFile(join(folders[0], 'large'))).rejects.toMatchObject({ replyCode: 554 })
  await friend.release()
  await ada.close()
  await hears(`Bob: “${first}” is gone`)
  const again = await stay(folders[0], first, says('Ada'), true)
  expect(again.fingerprint).toBe(ada.fingerprint)
  await Promise.all([again.close(), bob.close()])
  expect(said).toContain(`Bob: “${first}” sends “letter.txt”`)
  for (const folder of folders) await rm(folder, { recursive: true })
})
