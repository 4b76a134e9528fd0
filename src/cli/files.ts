// Files as the commands read and write them: no more is read than can be meant, nothing is overwritten, and no octets go to a terminal.
import { constants } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'

/** Stands for stdin and stdout. */
export const STANDARD = '-'
/** Octets of a file of keys or certificates: all authorities of a system take a tenth of it. */
const MAX_PEM = 2 ** 21

/**
 * Reads a file, or stdin for `-`.
 * @param limit octets; of what is larger only one more than that is read, which is enough to refuse it
 * @param options.onlyOwner refuses a file that others can read
 */
export async function readBounded(
  path: string,
  limit: number,
  options: { readonly onlyOwner?: boolean } = {},
): Promise<Uint8Array> {
  if (path === STANDARD) return readStdin(limit)
  return readFile(path, limit, options).catch(withName(path))
}

async function readFile(path: string, limit: number, options: { readonly onlyOwner?: boolean }): Promise<Uint8Array> {
  await using file = await open(path, constants.O_RDONLY)
  const status = await file.stat()
  if (options.onlyOwner && process.platform !== 'win32' && status.isFile() && (status.mode & 0o077) !== 0)
    throw new Error(`Others may read ${path}: chmod 600 it`)
  const octets = Buffer.alloc(limit + 1)
  let length = 0
  for (let more = -1; more !== 0 && length < octets.length; length += more)
    more = (await file.read(octets, length, octets.length - length)).bytesRead
  return new Uint8Array(octets.subarray(0, length))
}

async function readStdin(limit: number): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    length += chunk.length
    if (length > limit) break
  }
  return new Uint8Array(Buffer.concat(chunks).subarray(0, limit + 1))
}

/** Reads a file that has to hold `what`: that it does not is said with its name, and by us instead of by OpenSSL. */
export async function readPem(path: string, what: string, parse: (octets: Buffer) => unknown): Promise<Buffer> {
  const octets = Buffer.from(await readBounded(path, MAX_PEM))
  try {
    parse(octets)
  } catch (cause) {
    throw new Error(`${path} holds no ${what}`, { cause })
  }
  return octets
}

/**
 * Writes octets to a new file, or to stdout for `-`.
 * @param options.secret only its owner can read it
 * @throws Error when the file is there, or stdout is a terminal
 */
export async function writeNew(path: string, octets: Uint8Array, options: { readonly secret?: boolean } = {}): Promise<void> {
  if (path !== STANDARD) {
    await writeFile(path, octets, { flag: 'wx', mode: options.secret ? 0o600 : 0o666 }).catch((cause) => {
      throw isExisting(cause) ? new Error(`${path} exists, and nothing is overwritten`, { cause }) : cause
    })
    return
  }
  if (process.stdout.isTTY) throw new Error('This is nothing for a terminal: name a file, or redirect the output')
  await new Promise<void>((resolve, reject) => process.stdout.write(octets, (error) => (error ? reject(error) : resolve())))
}

/** Throws an error again, with the name of the file that it is about when it does not say so itself. */
export function withName(path: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof Error) || error.message.includes(path)) throw error
    throw new Error(`${path}: ${error.message}`, { cause: error })
  }
}

/** Whether something failed because a file is there. */
export function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST'
}
