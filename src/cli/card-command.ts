// `cloudy card`: makes a calling card, shows one, verifies one.
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  AVAILABILITIES,
  type Availability,
  type CallingCard,
  MAX_CARD_ADDRESSES,
  MAX_STATUS,
  signCard,
  verifyCard,
} from '../cloudy/calling-card.js'
import { readCms } from '../cloudy/cms.js'
import { MAX_CARD } from '../cloudy/discovery/txt-record.js'
import { parseJson } from '../cloudy/json.js'
import { ObjectError } from '../cloudy/object-error.js'
import { isObject, timeText } from '../cloudy/signed-object.js'
import { inQuotes } from '../cloudy/text.js'
import { readBounded, writeNew } from './files.js'
import { type IdentityOptions, openIdentity, withIdentity } from './identity-file.js'
import { judge, numberArgument, printWritten, TIME_FORM, textArgument, timeArgument, type Verdict } from './report.js'

interface DerOptions {
  readonly der: string
  readonly at?: number
  readonly json?: boolean
}

interface MakeOptions extends IdentityOptions, DerOptions {
  readonly host: string
  readonly port: number
  readonly address: readonly string[]
  readonly external?: { readonly address: string; readonly port: number }
  readonly availability: Availability
  readonly status: string
  readonly sequence?: number
}

export function addCardCommands(program: Command): void {
  const card = program.command('card').description('calling cards: what a peer shows to say who and where it is')

  withIdentity(card.command('make'))
    .description('sign a card of your own, good for ten minutes')
    .requiredOption('--port <port>', 'TCP port of the peer', numberArgument(1, 65_535))
    .option('--host <name>', 'DNS name of the host', `${hostname().split('.')[0]}.local`)
    .option('--address <address>', `IP address, without a zone (may repeat, up to ${MAX_CARD_ADDRESSES})`, collectAddress, [])
    .option('--external <address:port>', 'where the router lets the world in', place)
    .addOption(
      new Option('--availability <state>', 'the state in which you are online').choices(AVAILABILITIES).default('available'),
    )
    .option('--status <text>', `status text, up to ${MAX_STATUS} characters`, textArgument(MAX_STATUS), '')
    .option(
      '--sequence <number>',
      'grows with every card (default: the time in milliseconds)',
      numberArgument(0, Number.MAX_SAFE_INTEGER),
    )
    .requiredOption('--der <file>', 'where to write the card; - is stdout')
    .option('--json', 'one JSON object instead of lines')
    .addHelpText('after', '\nExample:\n  $ cloudy card make --port 10288 --address 192.168.1.20 --der card.der')
    .action(makeCard)

  card
    .command('show')
    .description('show what a card says, though it may have expired; its signature has to hold')
    .requiredOption('--der <file>', 'the card; - is stdin')
    .option('--json', 'one JSON object instead of lines')
    .addHelpText(
      'after',
      '\nExit codes: 0 valid, 1 not valid, be it only that it has expired, 2 could not run.\n\nExample:\n  $ cloudy card show --der card.der',
    )
    .action(async (options: DerOptions) => {
      process.exitCode = await judge(options.json, async () => showCard(await readBounded(options.der, MAX_CARD)))
    })

  card
    .command('verify')
    .description('verify a card: signature, fields and times')
    .requiredOption('--der <file>', 'the card; - is stdin')
    .option('--at <time>', `at another time than now, ${TIME_FORM}`, timeArgument)
    .option('--json', 'one JSON object instead of lines')
    .addHelpText(
      'after',
      '\nExit codes: 0 valid, 1 not valid, 2 could not run.\n\nExample:\n  $ cloudy card verify --der card.der --at 2026-05-01T12:00:00Z',
    )
    .action(async (options: DerOptions) => {
      process.exitCode = await judge(options.json, async () => {
        const card = verifyCard(await readBounded(options.der, MAX_CARD), { now: options.at ?? Date.now() })
        return { json: jsonOf(card), lines: linesOf(card) }
      })
    })
}

async function makeCard(options: MakeOptions): Promise<void> {
  const now = Date.now()
  const { host, port, address: addresses, external, availability, status, sequence = now } = options
  const { identity } = await openIdentity(options)
  const fields = { nickname: identity.nickname, host, port, addresses, external, availability, status, sequence }
  const der = await signCard(identity, fields, { now })
  await writeNew(options.der, der)
  const card = verifyCard(der, { now })
  printWritten(options.der, options.json, { json: jsonOf(card), lines: linesOf(card) })
}

/** A card as it was when it was issued, and whether it still is. */
function showCard(der: Uint8Array): Verdict {
  const card = verifyCard(der, { now: issuedAt(der) * 1000 })
  try {
    verifyCard(der, { now: Date.now() })
    return { json: jsonOf(card), lines: linesOf(card) }
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error
    return { not: error, json: jsonOf(card), lines: linesOf(card) }
  }
}

function jsonOf({ publicKeyDer, ...card }: CallingCard): object {
  return { ...card, publicKey: Buffer.from(publicKeyDer).toString('base64') }
}

/** When a card says that it was issued. */
function issuedAt(der: Uint8Array): number {
  if (der.length > MAX_CARD) throw new ObjectError('oversized')
  const envelope = parseJson(readCms(der).content)
  const issued = isObject(envelope) ? envelope.issued : undefined
  if (typeof issued !== 'number' || !(issued >= 0 && issued <= 1e11)) throw new ObjectError('envelope', 'issued')
  return issued
}

function linesOf(card: CallingCard): Verdict['lines'] {
  const { fingerprint, nickname, host, port, addresses, external, availability, status, sequence, issued, expires, digest } = card
  return {
    fingerprint,
    nickname: inQuotes(nickname),
    host: `${host} port ${port}`,
    addresses: addresses.length === 0 ? undefined : addresses.join(', '),
    external: external && `${external.address} port ${external.port}`,
    state: availability,
    status: status === '' ? undefined : inQuotes(status, 140),
    sequence: String(sequence),
    issued: timeText(issued),
    expires: timeText(expires),
    digest,
  }
}

function collectAddress(address: string, before: readonly string[]): readonly string[] {
  if (isIP(address) === 0 || address.includes('%')) throw new InvalidArgumentError('It is an IP address without a zone.')
  return [...before, address]
}

function place(text: string): { readonly address: string; readonly port: number } {
  const [, six, four, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const address = six ?? four ?? ''
  if (isIP(address) === 0) throw new InvalidArgumentError('It is ADDRESS:PORT or [ADDRESS]:PORT.')
  return { address, port: numberArgument(1, 65_535)(port) }
}
