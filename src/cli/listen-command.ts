// `beep listen`: awaits sessions and serves echo, sink and refusing profiles until it is told to stop.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import {
  describeReason,
  type EndNotice,
  type ErrorNotice,
  listen,
  type Profile,
  ReplyError,
  type Session,
} from '../beep/index.js'
import { sanitise } from '../cloudy/text.js'
import { echoAt, sinkAt, tls } from '../profiles/index.js'
import { readPem } from './files.js'

export interface ListenCommandOptions {
  readonly port: number
  readonly host: string
  readonly path?: string
  readonly echo: readonly string[]
  readonly sink: readonly string[]
  readonly accept: readonly string[]
  readonly tls?: boolean
  readonly key?: string
  readonly cert?: string
  readonly verbose?: boolean
}

/** @returns the exit code */
export async function listenCommand(options: ListenCommandOptions): Promise<number> {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  const names = new WeakMap<Session, number>()
  let count = 0
  const verbose = options.verbose ?? false
  const profiles = [...options.echo.map(echoAt), ...options.sink.map(sinkAt), ...options.accept.map(acceptAt)]
  const served = verbose
    ? profiles.map((profile) => told(profile, (session, what) => print(`session ${names.get(session)}: ${what}`)))
    : profiles
  if (!options.tls && (options.key ?? options.cert) !== undefined)
    throw new Error('--key and --cert are for --tls, which is not given')
  if (options.tls) served.push(tls(await credentials(options)))
  await using listener = await listen({
    ...(options.path === undefined ? { port: options.port, host: options.host } : { path: options.path }),
    profiles: served,
    onSession(session) {
      names.set(session, ++count)
      if (verbose) print(`session ${count}: begins${session.tls === undefined ? '' : `, ${session.tls.getProtocol()}`}`)
    },
  })
  if (verbose) {
    subscribe('beep:end', (notice) => {
      const { session, reason } = notice as EndNotice
      const name = names.get(session)
      if (name !== undefined) print(`session ${name}: ${reason.kind}: ${sanitise(describeReason(reason), 300)}`)
    })
    subscribe('beep:error', (notice) => {
      const { session, error } = notice as ErrorNotice
      print(
        `session ${(session && names.get(session)) ?? '(none)'}: error: ${sanitise(error instanceof Error ? error.message : String(error), 300)}`,
      )
    })
  }
  const { address, port, family } = listener.address
  print(`listening on ${options.path ?? `${family === 'IPv6' ? `[${address}]` : address}:${port}`}`)
  if (profiles.length === 0)
    process.stderr.write('beep: no profile is served, so no channel can be started: --echo, --sink and --accept name one\n')
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  return 0
}

/** Opens channels and answers every MSG with ERR 550. */
function acceptAt(uri: string): Profile {
  return {
    uri,
    message: () => {
      throw new ReplyError(550, 'this peer only opens channels of this profile')
    },
  }
}

/** The profile, with a line for each channel and message. */
function told(profile: Profile, tell: (session: Session, what: string) => void): Profile {
  return {
    ...profile,
    open: (channel) => tell(channel.session, `channel ${channel.number} opens: ${sanitise(channel.profileUri, 200)}`),
    message: (message, channel, context) => {
      tell(channel.session, `channel ${channel.number}: MSG, ${sanitise(message.contentType, 100)}`)
      return profile.message!(message, channel, context)
    },
    close: (channel, { code }) => tell(channel.session, `channel ${channel.number} closes with ${code}`),
  }
}

async function credentials({ key, cert }: ListenCommandOptions) {
  if ((key === undefined) !== (cert === undefined)) throw new Error('--key and --cert belong together')
  if (key !== undefined && cert !== undefined)
    return {
      key: await readPem(key, 'private key without a passphrase in PEM (--key)', (octets) => createPrivateKey(octets)),
      cert: await readPem(cert, 'certificate in PEM (--cert)', (octets) => new X509Certificate(octets)),
    }
  // Half of what this program would load, for a key of the moment.
  const { Identity } = await import('../cloudy/identity.js')
  const identity = await Identity.generate({ nickname: 'beep listen' })
  return { key: identity.privateKeyPem(), cert: identity.certificatePem() }
}
