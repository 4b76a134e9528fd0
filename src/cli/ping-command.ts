// `beep ping`: starts a channel on a profile that echoes, sends messages and times the replies.
import { randomBytes, X509Certificate } from 'node:crypto'
import { type Channel, connect, ReplyError, type Session } from '../beep/index.js'
import { sanitise } from '../cloudy/text.js'
import { peerCertificate, startTls, TLS, type TlsConnectOptions } from '../profiles/index.js'
import { readPem } from './files.js'

/** Whom to ping. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string }

export interface PingCommandOptions {
  readonly profile: string
  readonly count: number
  readonly size: number
  readonly tls?: boolean
  readonly ca?: string
  readonly anyCertificate?: boolean
  /** Seconds. */
  readonly timeout: number
  readonly json?: boolean
}

/** @returns the exit code: 0 when every reply was the message, 1 when one was not, or was a refusal */
export async function pingCommand(place: Place, options: PingCommandOptions): Promise<number> {
  const print = options.json ? () => {} : (line: string) => process.stdout.write(`${line}\n`)
  if (!options.tls && (options.ca !== undefined || options.anyCertificate))
    throw new Error('--ca and --any-certificate are for --tls, which is not given')
  const judge = options.tls ? await judgeOf(place, options) : undefined
  const end = new AbortController()
  const { signal } = end
  const timer = setTimeout(
    () => end.abort(new Error(`It took longer than ${options.timeout} s (--timeout)`)),
    options.timeout * 1000,
  )
  // Whoever has had enough is told what was measured, and parts in good order, if there is something; a second time ends the program.
  const stop = new AbortController()
  const times: number[] = []
  let wrong = 0
  let lastFault: string | undefined
  const onInterrupt = () =>
    times.length === 0 ? end.abort(new Error('Interrupted before a reply came')) : stop.abort(new Error('Interrupted'))
  process.once('SIGINT', onInterrupt)
  let session: Session | undefined
  signal.addEventListener('abort', () => session?.terminate(signal.reason as Error))
  try {
    session = await connect({ ...place, signal })
    const { profiles } = session.greeting
    print(`greeting: ${profiles.length} profiles${profiles.map((uri) => `\n  ${sanitise(uri, 200)}`).join('')}`)
    if (judge !== undefined) session = await secure(session, { ...judge, signal }, options)
    const secured = describeTls(session)
    if (secured !== undefined) {
      const { protocol, cipher, subject, sha256 } = secured
      print(`certificate: ${subject}, SHA-256 ${sha256}\nTLS: ${protocol} with ${cipher}`)
    }
    const channel = await session.start(options.profile, { signal })
    try {
      for (let count = 0; count < options.count && !stop.signal.aborted; count++) {
        const { milliseconds, fault } = await ping(channel, options.size, AbortSignal.any([signal, stop.signal]))
        times.push(milliseconds)
        if (fault !== undefined) {
          wrong++
          lastFault = sanitise(fault, 500)
        }
        print(
          `${options.size} octets: message ${count}, ${milliseconds.toFixed(3)} ms${fault === undefined ? '' : `, ${lastFault}`}`,
        )
      }
      // Some peers release no session that has an open channel.
      await channel.close({ signal })
      await session.release({ signal })
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      // What was measured counts, though time was up or somebody had enough.
      if (times.length > 0) summarise({ times, wrong, lastFault, tls: secured }, options, print)
    }
    return wrong === 0 ? 0 : 1
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', onInterrupt)
    // A ping that failed parts in good order all the same.
    await session?.[Symbol.asyncDispose]()
  }
}

/** Milliseconds to the microsecond: what is finer is noise. */
const round = (milliseconds: number) => Math.round(milliseconds * 1000) / 1000

function spread(times: readonly number[]): { min: number; median: number; max: number } {
  const sorted = times.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
  return { min: round(sorted[0]!), median: round(median), max: round(sorted.at(-1)!) }
}

interface Measured {
  /** Milliseconds of each. */
  readonly times: readonly number[]
  readonly wrong: number
  readonly lastFault: string | undefined
  readonly tls: ReturnType<typeof describeTls>
}

function summarise(
  { times, wrong, lastFault, tls }: Measured,
  { size, json }: PingCommandOptions,
  print: (line: string) => void,
): void {
  const milliseconds = spread(times)
  const { min, median, max } = milliseconds
  print(`${times.length} sent, ${wrong} wrong; min/median/max ${[min, median, max].map((each) => each.toFixed(3)).join('/')} ms`)
  if (!json) return
  process.stdout.write(`${JSON.stringify({ sent: times.length, wrong, lastFault, size, milliseconds, tls })}\n`)
}

/** @returns what was wrong with the reply, in words; a refusal is a reply, too */
async function ping(
  channel: Channel,
  size: number,
  signal: AbortSignal,
): Promise<{ milliseconds: number; fault: string | undefined }> {
  const body = randomBytes(size)
  const began = performance.now()
  const octets = await channel.request(body, { signal }).then(
    (reply) => reply.bytes(),
    (error: unknown) => {
      if (error instanceof ReplyError) return error
      throw error
    },
  )
  const milliseconds = performance.now() - began
  if (octets instanceof ReplyError) return { milliseconds, fault: `it was refused with ${octets.message}` }
  return { milliseconds, fault: octets.equals(body) ? undefined : 'the reply is another message' }
}

/** Who judges the certificate. What cannot be read is known before anybody is dialled. */
async function judgeOf(place: Place, { ca, anyCertificate }: PingCommandOptions): Promise<TlsConnectOptions> {
  if (anyCertificate) return { verify: () => {} }
  const servername = 'host' in place ? place.host : 'localhost'
  if (ca === undefined) return { servername }
  return { servername, ca: await readPem(ca, 'certificate in PEM (--ca)', (octets) => new X509Certificate(octets)) }
}

async function secure(session: Session, judge: TlsConnectOptions, options: PingCommandOptions): Promise<Session> {
  if (!session.greeting.profiles.includes(TLS)) throw new Error('The peer offers no TLS in its greeting')
  return startTls(session, judge).catch((error: Error) => {
    if (options.anyCertificate) throw error
    throw new Error(`${error.message} (--ca FILE says who may vouch for it, --any-certificate takes any)`, { cause: error })
  })
}

/** Asked while the session is up: a socket that is closed knows it no more. */
function describeTls(session: Session) {
  const { tls } = session
  const certificate = peerCertificate(session)
  if (tls === undefined || certificate === undefined) return undefined
  const { subject, fingerprint256 } = certificate
  return {
    protocol: tls.getProtocol(),
    cipher: tls.getCipher().name,
    subject: sanitise(subject, 200),
    sha256: fingerprint256,
  }
}
