// `cloudy identity`: makes an identity, shows it, and ends it.
import { access, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Command, Option } from 'commander'
import { isCardKey } from '../cloudy/calling-card.js'
import { Identity } from '../cloudy/identity.js'
import { timeText, toSeconds } from '../cloudy/signed-object.js'
import { acceptSuccession, revoke, succeed } from '../cloudy/succession.js'
import { inQuotes, MAX_NICKNAME, NO_NICKNAME } from '../cloudy/text.js'
import { isExisting, writeNew } from './files.js'
import { describeIdentity, type IdentityOptions, identityPath, openIdentity, withIdentity } from './identity-file.js'
import { askNewPassphrase, canAsk, givenPassphrase, passphraseFrom } from './passphrase.js'
import { qrLines } from './qr.js'
import { printJson, printLines, printWritten, TIME_FORM, textArgument, timeArgument } from './report.js'

interface Options extends IdentityOptions {
  readonly json?: boolean
}

export function addIdentityCommands(program: Command): void {
  const identity = program.command('identity').description('your key: make it, show it, protect it, pass it on, end it')

  withIdentity(identity.command('make'))
    .description('make a key and a certificate for it; an identity that is there is not replaced')
    .addOption(
      new Option('--nickname <name>', `what you call yourself, up to ${MAX_NICKNAME} characters`)
        .argParser(textArgument(MAX_NICKNAME))
        .default('', NO_NICKNAME),
    )
    .addOption(
      new Option('--algorithm <kind>', 'kind of key; one of RSA-3072 is too large for a calling card')
        .choices(['P-256', 'RSA-2048', 'RSA-3072'])
        .default('P-256'),
    )
    .option('--json', 'one JSON object instead of lines')
    .addHelpText(
      'after',
      '\nWithout a terminal, a passphrase file or $CLOUDY_PASSPHRASE the key is not\nencrypted.\n\nExample:\n  $ cloudy identity make --nickname Alice',
    )
    .action(makeIdentity)

  withIdentity(identity.command('show'))
    .description('show who you are: fingerprint, nickname, key and certificate')
    .option('--qr', 'the fingerprint as a QR code, too (default: on a terminal)')
    .option('--no-qr', 'no QR code')
    .option('--json', 'one JSON object instead of lines')
    .addHelpText('after', '\nExample:\n  $ cloudy identity show --qr')
    .action(showIdentity)

  withIdentity(identity.command('passphrase'))
    .description('change the passphrase of the private key')
    .option('--new-passphrase-file <file>', 'the new one is the first line of this file; otherwise you are asked')
    .option('--remove', 'none from now on')
    .option('--json', 'one JSON object instead of lines')
    .addHelpText('after', '\nExample:\n  $ cloudy identity passphrase --new-passphrase-file secret.txt')
    .action(changePassphrase)

  withIdentity(identity.command('renew'))
    .description('make a new certificate for the same key: you stay who you are')
    .option('--nickname <name>', 'another nickname', textArgument(MAX_NICKNAME))
    .option('--json', 'one JSON object instead of lines')
    .addHelpText('after', '\nExample:\n  $ cloudy identity renew --nickname "Alice B."')
    .action(renewIdentity)

  withIdentity(identity.command('succeed'))
    .description('say that another key of yours takes the place of this one, signed with both')
    .requiredOption('--successor <file>', 'the new identity')
    .option('--successor-passphrase-file <file>', 'its passphrase, if it is another one')
    .requiredOption('--out <file>', 'where to write the statement (DER); - is stdout')
    .option('--json', 'one JSON object instead of lines')
    .addHelpText(
      'after',
      '\nExample:\n  $ cloudy identity make --identity new.pem\n  $ cloudy identity succeed --successor new.pem --out succession.der',
    )
    .action(succeedIdentity)

  withIdentity(identity.command('revoke'))
    .description('sign the statement that this key is compromised, for whoever you give it to')
    .option('--since <time>', `since when, if you know: ${TIME_FORM}`, timeArgument)
    .requiredOption('--out <file>', 'where to write the statement (DER); - is stdout')
    .option('--json', 'one JSON object instead of lines')
    .addHelpText(
      'after',
      '\nMake one now and keep it away from the key, for the day on which you need it:\nnothing happens until it is given to somebody. It never expires and cannot be\ntaken back.\n\nExample:\n  $ cloudy identity revoke --out revocation.der',
    )
    .action(revokeIdentity)
}

async function makeIdentity(
  options: Options & { nickname: string; algorithm: 'P-256' | 'RSA-2048' | 'RSA-3072' },
): Promise<void> {
  const path = identityPath(options)
  // Before anybody has to think of a passphrase. What counts is that saving does not replace it, either.
  if (await isThere(path)) throw overwriting(path)
  const given = await givenPassphrase(options.passphraseFile)
  const passphrase = given ?? (canAsk() ? await askNewPassphrase() : undefined)
  const identity = await Identity.generate({ nickname: options.nickname, algorithm: options.algorithm })
  if (options.identity === undefined) await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await identity.save(path, { passphrase, replace: false }).catch((cause) => {
    throw isExisting(cause) ? overwriting(path) : cause
  })
  await report(path, options)
  if (!isCardKey(identity.publicKey))
    process.stderr.write(
      'cloudy: This key is too large for a calling card: nobody sees a peer with it nearby, and whoever dials it has to know its address. One on P-256 has a card.\n',
    )
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function overwriting(path: string): Error {
  return new Error(`${path} exists, and no identity is overwritten`)
}

async function showIdentity(options: Options & { qr?: boolean }): Promise<void> {
  const { fingerprint } = await report(identityPath(options), options)
  const colours = process.stdout.isTTY === true && process.env.NO_COLOR === undefined
  if (options.json || !(options.qr ?? process.stdout.isTTY === true)) return
  process.stdout.write(`\n${qrLines(fingerprint.toUpperCase(), { colours }).join('\n')}\n`)
}

/** Says what is in the file of an identity. */
async function report(path: string, { json }: Options): Promise<{ readonly fingerprint: string }> {
  const { certificate, encrypted } = await describeIdentity(path)
  const { fingerprint, nickname, publicKey, notBefore, notAfter } = certificate
  const algorithm = publicKey.algorithm === 'RSA' ? `RSA-${publicKey.bits}` : publicKey.algorithm
  if (json) printJson({ fingerprint, nickname, algorithm, notBefore, notAfter, encrypted, file: path })
  else
    printLines({
      fingerprint,
      nickname: inQuotes(nickname),
      key: `${algorithm}, ${encrypted ? 'encrypted' : 'not encrypted'}`,
      certificate: `from ${timeText(notBefore.getTime() / 1000)} to ${timeText(notAfter.getTime() / 1000)}`,
      file: path,
    })
  return { fingerprint }
}

async function changePassphrase(options: Options & { newPassphraseFile?: string; remove?: boolean }): Promise<void> {
  const { newPassphraseFile, remove = false } = options
  if (remove && newPassphraseFile !== undefined) throw new Error('Either there is a new passphrase, or none')
  if (!remove && newPassphraseFile === undefined && !canAsk())
    throw new Error('There is no terminal to ask for the new passphrase: give --new-passphrase-file, or --remove')
  const { identity, path } = await openIdentity(options)
  const passphrase = remove
    ? undefined
    : newPassphraseFile === undefined
      ? await askNewPassphrase()
      : await passphraseFrom(newPassphraseFile)
  await identity.save(path, { passphrase })
  await report(path, options)
}

async function renewIdentity(options: Options & { nickname?: string }): Promise<void> {
  const { identity, path, passphrase } = await openIdentity(options)
  const renewed = await identity.renew(options.nickname === undefined ? {} : { nickname: options.nickname })
  await renewed.save(path, { passphrase })
  await report(path, options)
}

async function succeedIdentity(
  options: Options & { successor: string; successorPassphraseFile?: string; out: string },
): Promise<void> {
  const { identity: old } = await openIdentity(options)
  const passphraseFile = options.successorPassphraseFile ?? options.passphraseFile
  const { identity: successor } = await openIdentity({
    identity: options.successor,
    ...(passphraseFile === undefined ? {} : { passphraseFile }),
  })
  if (successor.fingerprint === old.fingerprint)
    throw new Error('A key does not take its own place: name another identity with --successor')
  const now = Date.now()
  const acceptance = await acceptSuccession(successor, old.fingerprint, { now })
  const { octets, digest } = await succeed(old, acceptance.octets, { now })
  await writeNew(options.out, octets)
  const said = { key: old.fingerprint, successor: successor.fingerprint, digest }
  printWritten(options.out, options.json, { json: said, lines: said })
}

async function revokeIdentity(options: Options & { since?: number; out: string }): Promise<void> {
  const { identity } = await openIdentity(options)
  const { octets, digest } = await revoke(identity, { now: Date.now(), since: options.since })
  await writeNew(options.out, octets, { secret: true })
  const since = options.since === undefined ? undefined : toSeconds(options.since)
  const said = { key: identity.fingerprint, digest }
  const note = 'whoever has this file can end the key, for good: keep it where only you can get it'
  printWritten(options.out, options.json, {
    json: { ...said, since },
    lines: { ...said, since: since === undefined ? 'not said' : timeText(since), note },
  })
}
