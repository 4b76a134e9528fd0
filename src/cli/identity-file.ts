// Where the identity is kept, and how a command comes by it.
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { Command } from 'commander'
import { Identity } from '../cloudy/identity.js'
import { withName } from './files.js'
import { askPassphrase, canAsk, givenPassphrase, PASSPHRASE_VARIABLE } from './passphrase.js'

/** The options of every command that needs the identity. */
export interface IdentityOptions {
  readonly identity?: string
  readonly passphraseFile?: string
}

/** An identity, and what is needed to save it again as it was. */
export interface OpenIdentity {
  readonly identity: Identity
  readonly path: string
  readonly passphrase: string | undefined
}

export function withIdentity(command: Command): Command {
  return command
    .option('--identity <file>', 'the identity (default: cloudy/identity.pem in $XDG_DATA_HOME or ~/.local/share)')
    .option(
      '--passphrase-file <file>',
      `its passphrase is the first line of this file; otherwise $${PASSPHRASE_VARIABLE}, or you are asked`,
    )
}

/** The file of the identity. An XDG_DATA_HOME that is not absolute does not count (XDG Base Directory Specification). */
export function identityPath({ identity }: IdentityOptions): string {
  if (identity !== undefined) return identity
  const home = process.env.XDG_DATA_HOME ?? ''
  return join(isAbsolute(home) ? home : join(homedir(), '.local', 'share'), 'cloudy', 'identity.pem')
}

/** Loads the identity; asks for the passphrase when it needs one that was not given. */
export async function openIdentity(options: IdentityOptions): Promise<OpenIdentity> {
  const path = identityPath(options)
  const { encrypted } = await describeIdentity(path)
  const passphrase = encrypted ? ((await givenPassphrase(options.passphraseFile)) ?? (await ask(path))) : undefined
  return { identity: await Identity.load(path, { passphrase }).catch(withName(path)), path, passphrase }
}

/** `Identity.describe`, which says how to make one when there is none. */
export async function describeIdentity(path: string): ReturnType<typeof Identity.describe> {
  return Identity.describe(path).catch((cause) => {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) return withName(path)(cause)
    throw new Error(
      `There is no identity in ${path}: make one with \`cloudy identity make\`, or name another file with --identity`,
      { cause },
    )
  })
}

function ask(path: string): Promise<string> {
  if (!canAsk())
    throw new Error(
      `${path} is encrypted, and there is no terminal to ask for its passphrase: give --passphrase-file or $${PASSPHRASE_VARIABLE}`,
    )
  return askPassphrase(`Passphrase of ${path}`)
}
