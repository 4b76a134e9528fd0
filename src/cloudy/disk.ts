// What files need that several programs write and that have to outlive a crash: one path however they are named, one writer at a time, names that are on
// the disk, and are nobody else's.
import { link, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Milliseconds for which whoever else replaces a file is waited for, and between two looks. */
const LOCK_PATIENCE = 1000
const LOCK_INTERVAL = 10
/** Seconds after which a lock was left behind by a program that ended: a file is replaced in a few milliseconds. */
const LOCK_LIFETIME = 10

/** The one path of a file, however it is named; of one that is not there, the path that it would have. */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isAbsent(error)) throw error
    return join(await realpath(dirname(path)), basename(path))
  }
}

/**
 * Keeps others who do the same from writing a file, until it is disposed of: a file beside it, which only one can make.
 * @returns undefined when somebody else keeps it for longer than is waited
 */
export async function lockFile(path: string): Promise<AsyncDisposable | undefined> {
  const lock = lockPathOf(path)
  for (const end = performance.now() + LOCK_PATIENCE; ; await wait(LOCK_INTERVAL)) {
    if (await makeLock(lock)) return { [Symbol.asyncDispose]: () => rm(lock, { force: true }) }
    if (await isLeftBehind(lock)) await breakLock(lock)
    else if (performance.now() >= end) return undefined
  }
}

export function lockPathOf(path: string): string {
  return `${path}.lock`
}

async function makeLock(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx', 0o600)).close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isLeftBehind(lock: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(lock)
    // In the future, too: the clock was set.
    return Math.abs(Date.now() - mtimeMs) > LOCK_LIFETIME * 1000
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

/** Takes away a lock that was left behind. One at a time: whoever looked before another took it away would take away the next one's. */
async function breakLock(lock: string): Promise<void> {
  const turn = `${lock}.break`
  if (!(await makeLock(turn))) {
    // Twice in a row somebody ended in the wrong moment.
    if (await isLeftBehind(turn)) await rm(turn, { force: true })
    return
  }
  try {
    if (await isLeftBehind(lock)) await rm(lock, { force: true })
  } finally {
    await rm(turn, { force: true })
  }
}

/** How file systems say that they know no links, as FAT does not. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/**
 * Moves a file to a name that nobody has.
 * @param makeLink for tests
 * @throws EEXIST when somebody has it: both files are left as they are
 */
export async function giveName(path: string, name: string, makeLink = link): Promise<void> {
  try {
    // A link fails where a rename would overwrite.
    await makeLink(path, name)
    await rm(path)
  } catch (error) {
    if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    // Whoever makes it has the name, and overwrites then no more than an empty file of its own.
    await (await open(name, 'wx')).close()
    await rename(path, name)
  }
}

/** So that a new name survives a loss of power; not every system can. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, 'r')
    await handle.sync()
  } catch {
    // The file itself is on the disk; its name will follow.
  }
}

/** Whether something failed because there is no such file. */
export function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}
