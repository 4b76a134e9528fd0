// The file an identity is kept in: its private key and its certificate as PEM, written so that there is never half of it.
import { randomBytes } from 'node:crypto'
import { link, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isAbsent, lockFile, lockPathOf, realPathOf, syncFolder } from './disk.js'

/** Largest file read, in octets. */
const MAX_FILE = 65_536
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
  const temporary = join(folder, temporaryOf(basename(real), randomBytes(6).toString('hex')))
  // Between the comparison and the rename nobody else who writes like this has a say.
  await using lock = await lockFile(real)
  if (lock === undefined)
    throw new IdentityError('changed', `${path} is being replaced by another program (${lockPathOf(real)}): it was left as it is`)
  await removeLeftovers(folder, basename(real))
  try {
    await fill(temporary, text)
    if (options.before !== undefined && (await present(real)) !== options.before)
      throw new IdentityError('changed', `${path} was changed meanwhile, by another program perhaps: it was left as it is now`)
    if (options.replace) await rename(temporary, real)
    else {
      // A link fails where there is a file already, in one step.
      await link(temporary, real)
      await rm(temporary)
    }
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** Written by a program that ended before it could rename it: a private key in clear, perhaps, of a file that is encrypted from now on. Under the lock nobody else has one. */
async function removeLeftovers(folder: string, name: string): Promise<void> {
  for (const each of await readdir(folder)) {
    const random = /\.([0-9a-f]{12})\.tmp$/.exec(each)?.[1]
    if (random !== undefined && each === temporaryOf(name, random)) await rm(join(folder, each), { force: true })
  }
}

function temporaryOf(name: string, random: string): string {
  return `.${name}.${random}.tmp`
}

/** What a file holds; undefined when it is not there. */
async function present(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

async function fill(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.chmod(0o600)
  await file.writeFile(text)
  await file.sync()
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
