// `cloudy sign` and `cloudy verify-object`: signed objects as files, DER as they travel.
import type { Command } from 'commander'
import { CARD_TYPE, verifyCard } from '../cloudy/calling-card.js'
import { type Json, parseJson } from '../cloudy/json.js'
import type { ObjectError } from '../cloudy/object-error.js'
import { LAST_SECOND, MAX_LIFETIME, MAX_OBJECT, type SignedObject, timeText, verifyObject } from '../cloudy/signed-object.js'
import { isKeyStatement, type KeyStatement, verifyKeyStatement } from '../cloudy/succession.js'
import { inQuotes } from '../cloudy/text.js'
import { readBounded, STANDARD, writeNew } from './files.js'
import { type IdentityOptions, openIdentity, withIdentity } from './identity-file.js'
import { fingerprintArgument, judge, numberArgument, printWritten, TIME_FORM, timeArgument, type Verdict } from './report.js'

interface SignOptions extends IdentityOptions {
  readonly type: string
  readonly lifetime: number
  readonly to?: string
  readonly out: string
  readonly json?: boolean
}

export function addObjectCommands(program: Command): void {
  withIdentity(program.command('sign'))
    .description('sign a JSON value')
    .argument('[file]', 'the value; - is stdin', STANDARD)
    .requiredOption('--type <type>', 'such as example/note; those that begin with cloudy/ are reserved')
    .requiredOption('--lifetime <seconds>', 'how long it is valid', numberArgument(1, MAX_LIFETIME))
    .option('--to <fingerprint>', 'for this one alone', fingerprintArgument)
    .option('--out <file>', 'where to write the object (DER); - is stdout', STANDARD)
    .option('--json', 'with --out: one JSON object instead of lines')
    .addHelpText(
      'after',
      '\nExample:\n  $ echo \'{"text":"hello"}\' | cloudy sign --type example/note --lifetime 21600 --out note.der',
    )
    .action(signFile)

  program
    .command('verify-object')
    .description('verify a signed object, and show it')
    .argument('<file>', 'the object (DER); - is stdin')
    .option('--at <time>', `at another time than now, ${TIME_FORM}`, timeArgument)
    .option('--json', 'one JSON object instead of lines')
    .addHelpText(
      'after',
      '\nCards, successions and revocations have to keep to the rules of their type, too.\nThat an object is valid says which key signed it, not who that is: compare the\nfingerprint. An object to somebody else is valid here, too: `to` says for whom it\nis.\n\nExit codes: 0 valid, 1 not valid, 2 could not run.\n\nExample:\n  $ cloudy verify-object note.der --json',
    )
    .action(async (file: string, options: { at?: number; json?: boolean }) => {
      process.exitCode = await judge(options.json, async () =>
        judgeObject(await readBounded(file, MAX_OBJECT), options.at ?? Date.now()),
      )
    })
}

async function signFile(file: string, options: SignOptions): Promise<void> {
  const value = jsonIn(file, await readBounded(file, MAX_OBJECT))
  const { type, lifetime, to, out } = options
  const { identity } = await openIdentity(options)
  const object = await identity.sign(value, { type, lifetime, to })
  await writeNew(out, object.octets)
  printWritten(out, options.json, { json: jsonOf(object), lines: linesOf(object) })
}

/** @throws Error that says where in which file it is no JSON, or that it is too large for an object */
function jsonIn(file: string, octets: Uint8Array): Json {
  const name = file === STANDARD ? 'stdin' : file
  if (octets.length > MAX_OBJECT) throw new Error(`${name}: it has more than ${MAX_OBJECT} octets, which no object holds`)
  try {
    return parseJson(octets)
  } catch (error) {
    const { message, cause } = error as ObjectError
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    throw new Error(`${name}: ${message}${why}`, { cause: error })
  }
}

function judgeObject(octets: Uint8Array, now: number): Verdict {
  const object = verifyObject(octets, { now })
  if (object.type === CARD_TYPE) verifyCard(octets, { now })
  const statement = isKeyStatement(object.type) ? verifyKeyStatement(octets, { now }) : undefined
  return {
    json: { ...jsonOf(object), statement: statement && { ...statement, object: undefined, successorKeyDer: undefined } },
    lines: { ...linesOf(object), ...(statement && { value: undefined, statement: sentence(statement) }) },
  }
}

function jsonOf({ type, issued, expires, to, value, signer, digest, octets }: SignedObject): object {
  const { fingerprint, certificate } = signer
  return {
    type,
    signer: { fingerprint, nickname: certificate?.nickname },
    issued,
    expires,
    to,
    digest,
    octets: octets.length,
    value,
  }
}

function linesOf({ type, issued, expires, to, value, signer, digest }: SignedObject): Verdict['lines'] {
  return {
    type,
    signer: signer.fingerprint,
    nickname: signer.certificate && inQuotes(signer.certificate.nickname),
    issued: timeText(issued),
    expires: expires === LAST_SECOND ? 'never' : timeText(expires),
    to,
    digest,
    value: JSON.stringify(value),
  }
}

function sentence(statement: KeyStatement): string {
  if (statement.kind === 'succession') return `${statement.successor} takes the place of the signer’s key, and has agreed`
  const since = statement.since === 0 ? 'its owner does not say since when' : `since ${timeText(statement.since)}`
  return `the signer’s key is compromised, ${since}: do not trust it`
}
