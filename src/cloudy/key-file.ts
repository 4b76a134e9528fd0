// The file an identity is kept in: its private key and its certificate as PEM, written so that there is never half of it.
import { randomBytes } from 'node:crypto'
import { link, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Largest file read, in octets. */
const MAX_FILE = 65_536
/** Milliseconds for which whoever else replaces a file is waited for, and between two looks. */
const LOCK_PATIENCE = 1000
const LOCK_INTERVAL = 10
/** Seconds after which a lock was left behind by a program that ended: a file is replaced in a few milliseconds. */
const LOCK_LIFETIME = 10

/** Why an identity cannot be loaded. Test `reason`. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError'
  readonly code = 'CLOUDY_ERR_IDENTITY'
  readonly reason: 'passphrase' | 'permissions' | 'malformed' | 'mismatch' | 'changed'

  constructor(reason: IdentityError['reason'], message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.reason = reason
  }
}

/**
 * Writes a file that only its owner can read, all of it or nothing: a new file is filled, synced and then takes the place of the old one. Where there
 * is a symbolic link, it takes the place of what that leads to: an old key stays nowhere.
 * @param options.replace when false, there may be no old one
 * @param options.before what the old one held when it was read
 * @throws IdentityError `changed` when it holds something else by now, or somebody else is replacing it
 */
export async function writePrivateFile(
  path: string,
  text: string,
  options: { readonly replace: boolean; readonly before?: string | undefined },
): Promise<void> {
  const real = options.replace ? await realPathOf(path) : path
  const folder = dirname(real)
  const temporary = join(folder, `.${basename(real)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await fill(temporary, text)
    if (options.replace) await replaceFile(real, temporary, options.before)
    else {
      // A link fails where there is a file already, in one step.
      await link(temporary, path)
      await rm(temporary)
    }
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** Between the comparison and the rename nobody else who writes like this has a say. */
async function replaceFile(path: string, temporary: string, before: string | undefined): Promise<void> {
  await using _lock = await lockOf(path)
  if (before !== undefined && (await present(path)) !== before)
    throw new IdentityError('changed', `${path} was changed meanwhile, by another program perhaps: it was left as it is now`)
  await rename(temporary, path)
}

/** A file beside the one that is replaced, which only one can make. */
async function lockOf(path: string): Promise<AsyncDisposable> {
  const lock = `${path}.lock`
  for (const end = performance.now() + LOCK_PATIENCE; ; await wait(LOCK_INTERVAL)) {
    if (await makeLock(lock)) return { [Symbol.asyncDispose]: () => rm(lock, { force: true }) }
    if (await isLeftBehind(lock)) await rm(lock, { force: true })
    else if (performance.now() >= end)
      throw new IdentityError('changed', `${path} is being replaced by another program (${lock}): it was left as it is`)
  }
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
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** The one path of a file, however it is named; of one that is not there, the path that it would have. */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return join(await realpath(dirname(path)), basename(path))
  }
}

/** What a file holds; undefined when it is not there. */
async function present(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function fill(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.chmod(0o600)
  await file.writeFile(text)
  await file.sync()
}

/** So that the new name survives a loss of power; not every system can. */
async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, 'r')
    await handle.sync()
  } catch {
    // The file itself is on the disk; its name will follow.
  }
}

/**
 * Reads a file that only its owner may be able to read.
 * @throws IdentityError when others may, or it is too large to be one
 */
export async function readPrivateFile(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const stats = await file.stat()
  if (!stats.isFile() || stats.size > MAX_FILE) throw new IdentityError('malformed', `${path} is no file of an identity`)
  const text = await file.readFile('utf8')
  // Anybody may read what holds no key, and to say otherwise would make somebody lock it.
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0 && text.includes('PRIVATE KEY-----'))
    throw new IdentityError('permissions', `Others may read ${path}, which holds a private key: chmod 600 it`)
  return text
}
