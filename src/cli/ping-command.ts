// `beep ping`: starts a channel on a profile that echoes, sends messages and times the replies.
import { randomBytes, type X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Channel, connect, type Session } from '../beep/index.js'
import { sanitise } from '../cloudy/text.js'
import { startTls, TLS, type TlsConnectOptions } from '../profiles/index.js'

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

/** @returns the exit code: 0 when every reply was the message, 1 when one was not */
export async function pingCommand(place: Place, options: PingCommandOptions): Promise<number> {
  const print = options.json ? () => {} : (line: string) => process.stdout.write(`${line}\n`)
  if (!options.tls && (options.ca !== undefined || options.anyCertificate))
    throw new Error('--ca and --any-certificate are for --tls, which is not given')
  const late = new AbortController()
  const { signal } = late
  const timer = setTimeout(
    () => late.abort(new Error(`It took longer than ${options.timeout} s (--timeout)`)),
    options.timeout * 1000,
  )
  let session: Session
  try {
    session = await connect({ ...place, signal })
  } catch (error) {
    clearTimeout(timer)
    throw error
  }
  signal.addEventListener('abort', () => session.terminate(signal.reason as Error))
  try {
    const { profiles } = session.greeting
    print(`greeting: ${profiles.length} profiles${profiles.map((uri) => `\n  ${sanitise(uri, 200)}`).join('')}`)
    if (options.tls) session = await secure(session, place, options, print)
    const channel = await session.start(options.profile, { signal })
    const times: number[] = []
    let wrong = 0
    for (let count = 0; count < options.count; count++) {
      const { milliseconds, right } = await ping(channel, options.size, signal)
      times.push(milliseconds)
      if (!right) wrong++
      print(
        `${options.size} octets: message ${count}, ${milliseconds.toFixed(3)} ms${right ? '' : ', the reply is another message'}`,
      )
    }
    // Some peers release no session that has an open channel.
    await channel.close({ signal })
    await session.release({ signal })
    const summary = { sent: times.length, wrong, size: options.size, milliseconds: spread(times) }
    const { min, median, max } = summary.milliseconds
    print(
      `${summary.sent} sent, ${wrong} wrong; min/median/max ${[min, median, max].map((each) => each.toFixed(3)).join('/')} ms`,
    )
    if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
    return wrong === 0 ? 0 : 1
  } finally {
    clearTimeout(timer)
    // A ping that failed parts in good order all the same.
    await session[Symbol.asyncDispose]()
  }
}

function spread(times: readonly number[]): { min: number; median: number; max: number } {
  const sorted = times.toSorted((a, b) => a - b)
  return { min: sorted[0]!, median: sorted[(sorted.length - 1) >> 1]!, max: sorted.at(-1)! }
}

async function ping(channel: Channel, size: number, signal: AbortSignal): Promise<{ milliseconds: number; right: boolean }> {
  const body = randomBytes(size)
  const began = performance.now()
  const reply = await channel.request(body, { signal })
  const octets = await reply.bytes()
  return { milliseconds: performance.now() - began, right: octets.equals(body) }
}

async function secure(
  session: Session,
  place: Place,
  options: PingCommandOptions,
  print: (line: string) => void,
): Promise<Session> {
  const show = (certificate: X509Certificate) => {
    print(`certificate: ${sanitise(certificate.subject, 200)}, SHA-256 ${certificate.fingerprint256}`)
  }
  const judge: TlsConnectOptions = options.anyCertificate
    ? { verify: show }
    : {
        servername: 'host' in place ? place.host : 'localhost',
        ...(options.ca === undefined ? {} : { ca: await readFile(options.ca) }),
      }
  if (!session.greeting.profiles.includes(TLS)) throw new Error('The peer offers no TLS in its greeting')
  const secured = await startTls(session, judge).catch((error: Error) => {
    if (options.anyCertificate) throw error
    throw new Error(`${error.message} (--ca FILE says who may vouch for it, --any-certificate takes any)`, { cause: error })
  })
  print(`TLS: ${secured.tls?.getProtocol()} with ${secured.tls?.getCipher().name}`)
  return secured
}
