// A visit to a Cloudy peer: dialled, tuned to TLS with a certificate on both sides, profiles started, things said and answered.
import { Buffer } from 'node:buffer'
import { X509Certificate } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Connection, show, type TlsCredentials } from '../../harness/connection.js'
import { Failure, Unsupported } from '../../harness/failure.js'
import { close, expectValid, labelled, profile, start } from '../../harness/management.js'
import { type Answer, bodyOf, elementOf, type Peer, type Reply } from '../../harness/peer.js'
import { askForTls, expectProceed } from '../../harness/tuning.js'
import { credentialsOf, type Person, somebody } from './certificates.js'
import { fingerprintOf, sha256 } from './keys.js'

const PREFIX = 'urn:cloudy:beep:profiles:'
export const CERTIFICATES = `${PREFIX}certificates`
export const OBJECTS = `${PREFIX}objects`
export const FILES = `${PREFIX}files`
export const PROFILES = [CERTIFICATES, OBJECTS, FILES]

export const SIGNED = 'application/pkcs7-mime; smime-type=signed-data'
export const JSON_TEXT = 'application/json'
export const OCTETS = 'application/octet-stream'

/** Who visits is somebody else each time, out of so many: each has quotas of their own, and whoever came before is remembered. */
const REGULARS = 16
/** A quota that is used up may come back: so often, and after so many milliseconds, it is tried again. */
const TRIES = 12
const TRY_AGAIN = 1000

/** Who is not visiting now, those who were longest ago at the beginning. */
const regulars: { readonly who: Person; readonly last: Connection }[] = []

function regular(connection: Connection): Person {
  const [longestAgo] = regulars
  const free = regulars.length >= REGULARS && longestAgo?.last.ending !== 'open'
  const who = (free ? regulars.shift()?.who : undefined) ?? somebody()
  regulars.push({ who, last: connection })
  return who
}

/** TLS up to the new greetings, with any credentials. @throws Failure when there is no handshake, or no greeting after it */
export async function tuneWith(peer: Peer, credentials: TlsCredentials): Promise<void> {
  expectProceed(await askForTls(peer))
  await peer.tune('client', credentials)
  await peer.greet([])
}

/** Tunes the session. `who` is one of several regulars unless somebody is given. */
export async function visit(peer: Peer, who: Person = regular(peer.connection)): Promise<Visit> {
  await tuneWith(peer, credentialsOf(who))
  const certificate = peer.connection.tls?.certificate
  if (certificate === undefined) throw new Failure('the target has shown no certificate')
  return new Visit(peer, who, certificate)
}

/** Somebody whom the target has met before, in a session that was released. */
export async function remembered(peer: Peer, who: Person = somebody()): Promise<Visit> {
  const first = await visit(await peer.another(), who)
  await first.peer.ask(close(0))
  first.peer.connection.end()
  await first.peer.connection.ended()
  return visit(peer, who)
}

export class Visit {
  readonly peer: Peer
  readonly who: Person
  /** The target's certificate, as TLS has shown it. */
  readonly certificate: Buffer
  /** The target's fingerprint. */
  readonly host: string
  #msgnos = new Map<number, number>()

  constructor(peer: Peer, who: Person, certificate: Buffer) {
    this.peer = peer
    this.who = who
    this.certificate = certificate
    this.host = ownerOf(certificate)
  }

  /** Asks for a channel; an initialization message goes in base64. */
  start(uri: string, initial?: Uint8Array, number = this.peer.number()): Promise<Answer> {
    const content = initial === undefined ? '' : Buffer.from(initial).toString('base64')
    return this.peer.ask(start(number, profile(uri, content, initial === undefined ? '' : " encoding='base64'")))
  }

  /** A channel. @throws Failure when it is refused */
  async open(uri: string, initial?: Uint8Array): Promise<number> {
    const number = this.peer.number()
    for (let tries = 1; ; tries++) {
      const answer = await this.start(uri, initial, number)
      if (answer.keyword === 'RPY') return number
      const { code } = answer.element.attributes
      if (code !== '450' || tries === TRIES)
        throw new Failure(`it refuses a channel with ${uri}: ${code} ${answer.element.text.trim()}`)
      await pause(TRY_AGAIN)
    }
  }

  /** Sends a MSG. @returns its number */
  async send(channel: number, contentType: string, octets: Uint8Array | string): Promise<number> {
    const msgno = this.#msgnos.get(channel) ?? 0
    this.#msgnos.set(channel, msgno + 1)
    await this.peer.message(
      channel,
      msgno,
      labelled(octets, contentType === '' ? '\r\n' : `Content-Type: ${contentType}\r\n\r\n`),
    )
    return msgno
  }

  /** Says something and gives the whole reply. What is refused for now is tried again. */
  async say(channel: number, contentType: string, octets: Uint8Array | string, most = TRIES): Promise<Said> {
    for (let tries = 1; ; tries++) {
      const said = await this.reply(channel, await this.send(channel, contentType, octets))
      if (said.code !== 450 || tries === most) return said
      await pause(TRY_AGAIN)
    }
  }

  async reply(channel: number, msgno: number): Promise<Said> {
    const reply = await this.peer.reply(channel, msgno)
    if (reply.keyword !== 'ERR') return { ...reply, code: undefined, text: bodyOf(reply.payload).toString() }
    const element = elementOf(reply.payload)
    expectValid(element, 'error')
    return { ...reply, code: Number(element.attributes.code), text: element.text }
  }

  /** Gives an object that has to be accepted. @returns its digest, as the target says it */
  async give(channel: number, object: Uint8Array, contentType = SIGNED): Promise<string> {
    return accepted(await this.say(channel, contentType, object))
  }

  /** The session lives, and something is refused with one of the codes. */
  async refused(said: Said, codes: readonly number[]): Promise<string> {
    const saw = refusedWith(said, codes)
    await this.peer.expectAlive()
    return saw
  }
}

/** The fingerprint of the key of a certificate. @throws Failure when it is none */
export function ownerOf(certificate: Buffer): string {
  try {
    return fingerprintOf(sha256(new X509Certificate(certificate).publicKey.export({ format: 'der', type: 'spki' })))
  } catch {
    throw new Failure(`this is no certificate: ${show(certificate)}`)
  }
}

/** A reply to a MSG on a channel of Cloudy. */
export interface Said extends Reply {
  /** Of ERR. */
  readonly code: number | undefined
  /** Of ERR the words; of RPY the body. */
  readonly text: string
}

/** @returns the body of RPY. @throws Failure when it is none */
export function accepted({ keyword, code, text }: Said): string {
  if (keyword === 'ERR') throw new Failure(`expected RPY; it refuses with ${code}: ${text}`)
  if (keyword !== 'RPY') throw new Failure(`expected RPY; ${keyword} came`)
  return text
}

/** @throws Failure when it is not refused with one of the codes */
export function refusedWith({ keyword, code, text, payload }: Said, codes: readonly number[]): string {
  if (keyword !== 'ERR') throw new Failure(`expected ERR ${codes.join(' or ')}; ${keyword} came: ${show(payload)}`)
  if (!codes.includes(code ?? 0)) throw new Failure(`expected ERR ${codes.join(' or ')}; ERR ${code} came: ${text}`)
  return `refused with ${code}`
}

/** A start is declined with one of the codes, and the session lives. */
export async function declined(peer: Peer, answer: Answer, codes: readonly number[]): Promise<string> {
  const saw = peer.expectError(answer, codes)
  await peer.expectAlive()
  return saw
}

/** Gives an object that has to be refused, on a session and a channel of its own. */
export async function giveRefused(
  peer: Peer,
  make: (here: Visit) => Uint8Array,
  codes: readonly number[] = [553],
): Promise<string> {
  const here = await visit(peer)
  const channel = await here.open(OBJECTS)
  return here.refused(await here.say(channel, SIGNED, make(here)), codes)
}

/** Gives an object that has to be accepted. */
export async function giveAccepted(peer: Peer, make: (here: Visit) => Uint8Array): Promise<string> {
  const here = await visit(peer)
  return here.give(await here.open(OBJECTS), make(here))
}

/** What answers tell beside notes: the octets of each, in order. */
export function answersOf({ keyword, answers, code, text }: Said): readonly { readonly type: string; readonly body: Buffer }[] {
  if (keyword === 'ERR' && code === 537) throw new Unsupported(`this is not for the judge: ${text}`)
  if (keyword === 'ERR') throw new Failure(`expected answers; it refuses with ${code}: ${text}`)
  if (keyword === 'RPY') throw new Failure('expected answers; RPY came')
  return answers.map(({ payload }) => ({ type: typeOf(payload), body: bodyOf(payload) }))
}

/** The media type of a message. */
function typeOf(payload: Buffer): string {
  const headers = payload.subarray(0, payload.indexOf('\r\n\r\n')).toString('latin1')
  return /^content-type:\s*([^;\s]+)/im.exec(headers)?.[1]?.toLowerCase() ?? OCTETS
}

/** The session never begins: the handshake fails, or what follows it ends without a greeting. */
export async function refusedByTls(peer: Peer, credentials: TlsCredentials): Promise<string> {
  expectProceed(await askForTls(peer))
  try {
    await peer.tune('client', credentials)
  } catch (error) {
    if (!(error instanceof Failure) || error.ending === 'timeout') throw error
    return 'the handshake fails'
  }
  const { connection } = peer
  await connection.until(() => connection.heard.length > 0)
  if (connection.heard.length > 0) throw new Failure('a greeting came all the same')
  await connection.ended()
  return 'it ends the connection after the handshake'
}
