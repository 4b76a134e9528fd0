// What the cases about TLS share (RFC 3080 §3.1): asking for it, granting it, and the session behind it.
import { Buffer } from 'node:buffer'
import { CREDENTIALS } from './credentials.js'
import { type Element, parseElement } from './element.js'
import { Failure, Unsupported } from './failure.js'
import { labelled } from './management.js'
import { type Answer, elementOf, type Peer } from './peer.js'

/** The URI of the profile (§3.1.1). */
export const TLS = 'http://iana.org/beep/TLS'
/** How most peers write an initialization message. */
export const cdata = (element: string): string => `<![CDATA[${element}]]>`
export const READY = cdata('<ready />')

/** Greets, if need be. @throws Unsupported when the target does not offer TLS */
export async function offeredTls(peer: Peer): Promise<void> {
  if (peer.greeting === undefined) await peer.greet()
  if (!peer.offered.includes(TLS)) throw new Unsupported('the target does not offer TLS')
}

/** Asks a listener for a channel with TLS; `content` stands in `<profile>` as it is. */
export async function askForTls(peer: Peer, content = READY, number = peer.number()): Promise<Answer> {
  await offeredTls(peer)
  return peer.ask(startTls(number, content))
}

/** The start of a channel with TLS. */
export function startTls(number: number, content: string): string {
  return `<start number='${number}'><profile uri='${TLS}'>${content}</profile></start>`
}

/** The initialization message in a positive reply to a start, as an element; undefined when there is none. */
export function contentOf({ keyword, element }: Answer): Element | undefined {
  if (keyword !== 'RPY' || element.name !== 'profile')
    throw new Failure(`expected RPY with <profile>; ${keyword} with <${element.name}> came`)
  if (element.attributes.uri !== TLS) throw new Failure(`expected the profile ${TLS}; ${element.attributes.uri} came`)
  return element.text.trim() === '' ? undefined : within(element.text)
}

function within(text: string): Element {
  try {
    return parseElement(text.trim())
  } catch {
    throw new Failure(`the content of <profile> is not XML: ${JSON.stringify(text.slice(0, 200))}`)
  }
}

/** @throws Failure unless the answer to `<ready>` is `<proceed />` */
export function expectProceed(answer: Answer): void {
  const content = contentOf(answer)
  if (content?.name !== 'proceed')
    throw new Failure(`expected <proceed /> in the reply; ${content === undefined ? 'no content' : `<${content.name}>`} came`)
}

/** TLS on a session with a listener, up to its new greeting. @throws Unsupported when it does not offer TLS */
export async function tuneListener(peer: Peer): Promise<void> {
  expectProceed(await askForTls(peer))
  await secure(peer)
}

/** The handshake after `<proceed />`, and the new greetings. */
export async function secure(peer: Peer, profiles?: readonly string[]): Promise<void> {
  await peer.tune(peer.target === 'listener' ? 'client' : 'server', CREDENTIALS)
  await peer.greet(profiles)
}

/** An initiator that asks for TLS: in the start, or with a MSG on its channel. */
export interface Ready {
  readonly element: Element
  /** Where the reply to it goes: in the reply to the start, or on the channel. */
  readonly msgno: number
  readonly number: number
  readonly inStart: boolean
}

/** Offers TLS to an initiator and awaits its `<ready>`. @throws Unsupported when it does not ask for TLS */
export async function readyOf(peer: Peer): Promise<Ready> {
  if (peer.greeting === undefined) await peer.greet([peer.profile, TLS])
  const { msgno, payload } = await peer.asked(0)
  const element = elementOf(payload)
  const profile = element.children.find(({ attributes }) => attributes.uri === TLS)
  if (element.name !== 'start' || profile === undefined)
    throw new Unsupported(`the target was offered TLS, and its first request is <${element.name}> without it`)
  const number = Number(element.attributes.number)
  if (profile.text.trim() !== '') return { element: within(profile.text), msgno, number, inStart: true }
  peer.manage(`RPY ${msgno}`, `<profile uri='${TLS}' />`)
  const ready = await peer.asked(number)
  return { element: elementOf(ready.payload), msgno: ready.msgno, number, inStart: false }
}

/** The octets of a positive reply to `<ready>`: `content` stands in `<profile>` as it is; on the channel `bare` is the message. */
export function replyToReady(peer: Peer, { msgno, number, inStart }: Ready, bare: string, content = cdata(bare)): Buffer {
  const headers = 'Content-Type: application/beep+xml\r\n\r\n'
  return inStart
    ? peer.frame(`RPY 0 ${msgno} .`, Buffer.from(`${headers}<profile uri='${TLS}'>${content}</profile>`))
    : peer.frame(`RPY ${number} ${msgno} .`, Buffer.from(headers + bare))
}

/** TLS on a session with an initiator, up to its new greeting; then only the profile that echoes is offered. */
export async function tuneInitiator(peer: Peer): Promise<void> {
  peer.write(replyToReady(peer, await readyOf(peer), '<proceed />'))
  await secure(peer)
}

/** TLS on a session, whichever end the target is. */
export function tuned(peer: Peer): Promise<void> {
  return peer.target === 'listener' ? tuneListener(peer) : tuneInitiator(peer)
}

/** A channel with TLS on which nothing has been said. @throws Unsupported when the target wants `<ready />` at once */
export async function quietChannel(peer: Peer): Promise<number> {
  await offeredTls(peer)
  const number = peer.number()
  const answer = await peer.start(number, TLS)
  if (answer.keyword === 'ERR') throw new Unsupported('it refuses TLS without an initialization message')
  if (contentOf(answer) !== undefined) throw new Failure('its reply has content, although nothing was asked')
  return number
}

/** A message on the TLS channel, and what it is answered. */
export async function say(peer: Peer, channel: number, msgno: number, element: string): Promise<Answer> {
  await peer.message(channel, msgno, labelled(element))
  const { keyword, payload } = await peer.reply(channel, msgno)
  if (keyword === 'NUL') throw new Failure('NUL came on the TLS channel')
  return { keyword, msgno, payload, element: elementOf(payload) }
}

/** The operation failed, and the answer is in the reply to the start; or the start itself is refused, where `mayRefuse`. */
export function expectFailing(answer: Answer, mayRefuse: boolean): string {
  if (answer.keyword === 'ERR') {
    if (mayRefuse) return `it refuses the channel with ${answer.element.attributes.code}`
    throw new Failure(
      `the channel was refused with ${answer.element.attributes.code}; the answer belongs into the positive reply`,
    )
  }
  const content = contentOf(answer)
  if (content?.name !== 'error')
    throw new Failure(`${content === undefined ? 'no content' : `<${content.name}>`} came in the reply`)
  return `it answers ${content.attributes.code} in the reply`
}
