// What cases about channel management share: questions on channel 0, and what may come of them.
import { Buffer } from 'node:buffer'
import { type Element, escapeXml } from './element.js'
import { Failure, Unsupported } from './failure.js'
import { type Answer, BEEP_XML, elementOf, NOWHERE, type Peer } from './peer.js'
import type { DataFrame, Heard } from './reader.js'

// Elements to say

/** `<profile>`, with content as it stands: the caller escapes it. */
export function profile(uri: string, content = '', attributes = ''): string {
  return `<profile uri='${escapeXml(uri)}'${attributes}>${content}</profile>`
}

/** `<start>`, with profiles as they stand. */
export function start(number: number | string, profiles: string, attributes = ''): string {
  return `<start number='${number}'${attributes}>${profiles}</start>`
}

/** `<close>`, with a text as it stands. */
export function close(number: number | string, code: number | string = 200, text = ''): string {
  return `<close number='${number}' code='${code}'>${text}</close>`
}

/** `<error>`, with a text as it stands. */
export function error(code: number | string = 550, text = ''): string {
  return `<error code='${code}'>${text}</error>`
}

// What comes of them

/** Asks with a payload as it is: entity headers, empty line, octets that need not be XML. */
export async function askRaw(peer: Peer, payload: Uint8Array | string): Promise<Answer> {
  const msgno = peer.next()
  await peer.message(0, msgno, payload)
  return answerTo(peer, msgno)
}

/** The answer to our MSG on channel 0, read leniently where it refuses. */
export async function answerTo(peer: Peer, msgno: number): Promise<Answer> {
  const { keyword, payload } = await peer.reply(0, msgno)
  if (keyword === 'NUL') throw new Failure(`NUL came on channel 0 as the reply to MSG ${msgno}`)
  return { keyword, msgno, payload, element: (keyword === 'ERR' ? poorError(payload) : undefined) ?? elementOf(payload) }
}

/** An `<error>` with a text that is not escaped: a fault of its own, which must not hide that the target refuses, and with which code. */
function poorError(payload: Buffer): Element | undefined {
  const said = payload.toString().trimEnd()
  const begin = /<error code='([0-9]{3})'[^<>]*>/.exec(said)
  if (begin === null || !said.endsWith('</error>')) return undefined
  const text = said.slice(begin.index + begin[0].length, -'</error>'.length)
  if (!text.includes('<')) return undefined
  return { name: 'error', attributes: { code: begin[1]! }, children: [], text, notes: ['a text that is not escaped'] }
}

/** Asks several things in one piece. @returns the message numbers, in the order of the elements */
export function askTogether(peer: Peer, ...elements: readonly string[]): number[] {
  const asked = elements.map((element) => ({ msgno: peer.next(), element }))
  peer.write(Buffer.concat(asked.map(({ msgno, element }) => peer.frame(`MSG 0 ${msgno} .`, labelled(element)))))
  return asked.map(({ msgno }) => msgno)
}

/** Octets behind the headers that channel 0 has. */
export function labelled(octets: Uint8Array | string, headers = BEEP_XML): Buffer {
  return Buffer.concat([Buffer.from(headers, 'latin1'), typeof octets === 'string' ? Buffer.from(octets) : octets])
}

/** The answer is a refusal, well made (§2.3.1.5), with one of the codes if there are any. */
export function expectRefusal(peer: Peer, answer: Answer, codes: readonly number[] = []): string {
  const saw = peer.expectError(answer, codes)
  const wrong = invalid(answer.element)
  if (wrong !== undefined) throw new Failure(`the refusal is not what the DTD has: ${wrong}`)
  return saw
}

/** A MSG of channel 0 is refused, and the session lives. `payload` is an element, or octets with their headers. */
export async function refused(peer: Peer, payload: string | Uint8Array, codes: readonly number[] = []): Promise<string> {
  if (peer.greeting === undefined) await peer.greet()
  const answer = await askRaw(peer, typeof payload === 'string' ? labelled(payload) : payload)
  const saw = expectRefusal(peer, answer, codes)
  await peer.expectAlive()
  return saw
}

/** A MSG of channel 0 is answered, one way or the other, and the session lives. */
export async function answered(peer: Peer, payload: string | Uint8Array): Promise<string> {
  if (peer.greeting === undefined) await peer.greet()
  const answer = await askRaw(peer, typeof payload === 'string' ? labelled(payload) : payload)
  const saw = answer.keyword === 'ERR' ? expectRefusal(peer, answer) : `accepted with <${answer.element.name}>`
  await peer.expectAlive()
  return saw
}

/**
 * The target may go on with the session or end it, by a release or without a word; in no case it hangs.
 * @returns in words what it did
 */
export async function goesOnOrEnds(
  peer: Peer,
): Promise<'the session went on' | 'the target released' | 'the target ended the session'> {
  const msgno = peer.next()
  peer.manage(`MSG ${msgno}`, start(peer.number(), profile(NOWHERE)))
  const isRelease = (heard: Heard) => isData(heard) && isClose(heard, 0)
  const settled = await peer.connection.until(() =>
    peer.connection.heard.some((each) => isAnswer(each, msgno) || isRelease(each)),
  )
  const { heard } = peer.connection
  const release = heard.find(isRelease)
  if (release !== undefined && isData(release)) {
    peer.manage(`RPY ${release.msgno}`, '<ok />')
    return 'the target released'
  }
  if (heard.some((each) => isAnswer(each, msgno))) return 'the session went on'
  if (!settled) throw new Failure('the session neither went on nor ended', 'timeout')
  return 'the target ended the session'
}

/** The target accepts what a poorly-formed reply may be taken for, or ends the session; nothing else. */
export async function acceptsOrEnds(peer: Peer): Promise<string> {
  const how = await goesOnOrEnds(peer)
  return how === 'the target ended the session' ? 'not accepted: the session ended' : 'accepted'
}

/** Where in what was heard the answer to our MSG on channel 0 stands; -1 when it has not come. */
export function answerAt(peer: Peer, msgno: number): number {
  return peer.connection.heard.findIndex((each) => isAnswer(each, msgno))
}

/** All that was heard behind the last frame of the answer to our MSG on channel 0, taken or not. */
export function heardBehind({ connection: { history } }: Peer, msgno: number): readonly Heard[] {
  const at = history.findLastIndex((each) => isAnswer(each, msgno))
  return at === -1 ? [] : history.slice(at + 1)
}

/** Whether with a frame the answer to our MSG on channel 0 is whole. */
function isAnswer(heard: Heard, msgno: number): boolean {
  return isData(heard) && heard.channel === 0 && heard.keyword !== 'MSG' && heard.msgno === msgno && !heard.more
}

export function isData(heard: Heard): heard is DataFrame {
  return heard.kind === 'data'
}

/** Whether with a frame the MSG is whole that asks to close channel `number`. */
export function isClose({ keyword, channel, whole }: DataFrame, number: number): boolean {
  if (keyword !== 'MSG' || channel !== 0 || whole === undefined) return false
  const element = elementOf(whole)
  return element.name === 'close' && Number(element.attributes.number ?? 0) === number
}

// What the target says, against the DTD (§7.1)

const ATTRIBUTES: Readonly<Record<string, { readonly required: readonly string[]; readonly optional: readonly string[] }>> = {
  greeting: { required: [], optional: ['features', 'localize'] },
  start: { required: ['number'], optional: ['serverName'] },
  profile: { required: ['uri'], optional: ['encoding'] },
  close: { required: ['code'], optional: ['number', 'xml:lang'] },
  ok: { required: [], optional: [] },
  error: { required: ['code'], optional: ['xml:lang'] },
}
const HOLDS_PROFILES = new Set(['greeting', 'start'])
const HOLDS_TEXT = new Set(['profile', 'close', 'error'])

/** What the DTD and the prose beside it have against an element, if anything. */
export function invalid(element: Element): string | undefined {
  const { name, attributes, children, text } = element
  const known = ATTRIBUTES[name]
  if (known === undefined) return `<${name}> is no element of channel management`
  const missing = known.required.find((each) => attributes[each] === undefined)
  if (missing !== undefined) return `<${name}> has no ${missing}`
  const strange = Object.keys(attributes).find((each) => !known.required.includes(each) && !known.optional.includes(each))
  if (strange !== undefined) return `<${name}> has an attribute ${strange}`
  if (!HOLDS_TEXT.has(name) && text.trim() !== '') return `<${name}> holds text`
  if (attributes.code !== undefined && !/^[1-5][0-9][0-9]$/.test(attributes.code)) return `code is '${attributes.code}'`
  if (attributes.encoding !== undefined && !['none', 'base64'].includes(attributes.encoding))
    return `encoding is '${attributes.encoding}'`
  for (const child of children) {
    if (!HOLDS_PROFILES.has(name) || child.name !== 'profile') return `<${name}> holds <${child.name}>`
    const wrong = invalid(child)
    if (wrong !== undefined) return wrong
  }
  return name === 'start' && children.length === 0 ? '<start> holds no <profile>' : undefined
}

/** @throws Failure when the element is not valid, or not of that name */
export function expectValid(element: Element, name: string): void {
  if (element.name !== name) throw new Failure(`expected <${name}>; <${element.name}> came`)
  const wrong = invalid(element)
  if (wrong !== undefined) throw new Failure(wrong)
}

// Channels of ours

/** Starts the profile that echoes, whichever role the target has. @throws Unsupported when an initiator does not serve it */
export async function ownChannel(peer: Peer, number = peer.number()): Promise<number> {
  if (peer.greeting === undefined) await peer.greet()
  if (peer.target === 'initiator' && !peer.offered.includes(peer.profile))
    throw new Unsupported('this initiator serves no profile that echoes')
  const { keyword, element } = await peer.start(number, peer.profile)
  if (keyword === 'RPY' && element.name === 'profile') return number
  if (peer.target === 'initiator' && keyword === 'ERR')
    throw new Unsupported(`this initiator refuses a channel with ${element.attributes.code}`)
  throw new Failure(`expected channel ${number} with ${peer.profile}; ${keyword} with <${element.name}> came`)
}

/** Closes a channel, on which everything is answered. @throws Unsupported when the target refuses, as it may at any time (§2.3.1.3) */
export async function closed(peer: Peer, number: number): Promise<Answer> {
  const answer = await peer.ask(close(number))
  if (answer.keyword === 'ERR')
    throw new Unsupported(`the target refuses to close a channel with ${answer.element.attributes.code}`)
  expectValid(answer.element, 'ok')
  peer.forget(number)
  return answer
}

// What an initiator asks

/** What an initiator asks on channel 0. */
export interface Request {
  readonly msgno: number
  readonly element: Element
  /** The channel that it is about; 0 is the session. */
  readonly number: number
  readonly payload: Buffer
}

/** Greets and awaits the start of the target. @throws Unsupported when it starts another profile than the one agreed on */
export async function askedToStart(peer: Peer): Promise<Request> {
  if (peer.greeting === undefined) await peer.greet()
  const { msgno, payload } = await peer.asked(0)
  const element = elementOf(payload)
  if (element.name !== 'start') throw new Failure(`expected <start> of the target; <${element.name}> came`)
  const uris = element.children.map(({ attributes }) => attributes.uri)
  if (!uris.includes(peer.profile)) throw new Unsupported(`the target starts ${uris.join(', ')}, not ${peer.profile}`)
  return { msgno, number: Number(element.attributes.number), element, payload }
}
