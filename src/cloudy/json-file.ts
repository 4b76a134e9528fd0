// Small JSON files that survive a crash at any moment: written beside and renamed, so that there is never half of one. The only file that imports
// write-file-atomic.
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { lockFile, lockPathOf, realPathOf } from './disk.js'
import { type Json, parseJson } from './json.js'

/** Largest file read, in octets. */
const MAX_FILE = 4 * 1024 * 1024

/**
 * The value in a file; undefined when there is no such file.
 * @throws ObjectError when what it holds is not JSON; Error when it cannot be read or is too large
 */
export async function readJsonFile(path: string, maxSize = MAX_FILE): Promise<Json | undefined> {
  try {
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    if (size > maxSize) throw new Error(`${path} has ${size} octets; more than ${maxSize} are not read`)
    return parseJson(await file.readFile())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Replaces a file, readable by its owner alone; its folder is made when there is none. Calls for one path at a time are written in order. */
export async function writeJsonFile(path: string, value: Json): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFileAtomic(path, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 })
}

/**
 * Replaces a file by what becomes of it, while nobody else does the same.
 * @throws what `readJsonFile` and `change` throw, and Error when somebody else is replacing it: it is left as it is then
 */
export async function updateJsonFile(path: string, change: (value: Json | undefined) => Json): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const real = await realPathOf(path)
  await using lock = await lockFile(real)
  if (lock === undefined)
    throw new Error(`${path} is being replaced by another program (${lockPathOf(real)}): it was left as it is`)
  await writeJsonFile(real, change(await readJsonFile(real)))
}
