// Passphrases: from a file, from the environment, or asked for on a terminal. The only file that imports `@clack/prompts`, and only when it asks.
import { readBounded } from './files.js'

/** Variable of the environment with the passphrase of the identity. */
export const PASSPHRASE_VARIABLE = 'CLOUDY_PASSPHRASE'
/** Largest passphrase file, in octets. */
const MAX_FILE = 1024

/** The first line of a file that only its owner can read. */
export async function passphraseFrom(path: string): Promise<string> {
  const octets = await readBounded(path, MAX_FILE, { onlyOwner: true })
  const [line = ''] = new TextDecoder('utf-8', { fatal: true }).decode(octets).split(/\r?\n/)
  if (octets.length > MAX_FILE || line === '')
    throw new Error(`The first line of ${path} is to be the passphrase, in at most ${MAX_FILE} octets`)
  return line
}

/** The passphrase that was given without anybody being asked. */
export async function givenPassphrase(file: string | undefined): Promise<string | undefined> {
  return file === undefined ? process.env[PASSPHRASE_VARIABLE] || undefined : passphraseFrom(file)
}

/** Whether somebody can be asked. Questions go to stderr, so that stdout may be a file. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true
}

/**
 * Asks for a passphrase.
 * @throws Error when the user would rather not
 */
export async function askPassphrase(message: string): Promise<string> {
  const { isCancel, password } = await import('@clack/prompts')
  const answer = await password({ message, output: process.stderr })
  if (isCancel(answer)) throw new Error('No passphrase was given, so nothing was done')
  return answer ?? ''
}

/**
 * Asks for a new passphrase, twice.
 * @returns undefined when it is empty: none is wanted
 * @throws Error when the two differ
 */
export async function askNewPassphrase(): Promise<string | undefined> {
  const passphrase = await askPassphrase('New passphrase (empty: none)')
  if (passphrase === '') return undefined
  if ((await askPassphrase('The same again')) !== passphrase) throw new Error('The two passphrases differ, so nothing was done')
  return passphrase
}
