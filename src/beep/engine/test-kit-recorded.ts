// Recorded sessions as frames, and what an oracle reads in them: the entities and the XML of channel 0 by regular expressions, good
// enough for what the recorded peers wrote, and where the messages of each side ended.
import { Buffer } from 'node:buffer'
import { parseTranscript, type Side } from '../wire/transcript.js'
import { type Frame, readFrame, text } from './test-kit.js'

/** A frame and who said it. */
export interface Step {
  readonly from: Side
  readonly frame: Frame
}

/** The frames of both sides, in the order in which they were complete. */
export function stepsOf(transcript: string): Step[] {
  const steps: Step[] = []
  const rest = { I: '', L: '' }
  for (const entry of parseTranscript(transcript)) {
    if (!('octets' in entry)) continue
    const { from } = entry
    rest[from] += text(entry.octets)
    for (let found = readFrame(rest[from]); found !== undefined; found = readFrame(rest[from])) {
      steps.push({ from, frame: found.frame })
      rest[from] = found.rest
    }
  }
  if (rest.I !== '' || rest.L !== '') throw new Error(`No frame: ${JSON.stringify((rest.I || rest.L).slice(0, 80))}`)
  return steps
}

/** All octets of one side. */
export function octetsOf(transcript: string, side: Side): Buffer {
  return Buffer.concat(
    parseTranscript(transcript).flatMap((entry) => ('octets' in entry && entry.from === side ? [entry.octets] : [])),
  )
}

/** An element of channel 0. */
export interface Said {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly profiles: readonly { readonly uri: string; readonly content?: Buffer }[]
  readonly text: string
}

const ATTRIBUTES = String.raw`((?:\s+[\w:]+\s*=\s*(?:'[^']*'|"[^"]*"))*)\s*`
const ELEMENT = new RegExp(String.raw`<([a-z]+)${ATTRIBUTES}(?:/>|>([\s\S]*)</\1>)`)
const PROFILE = new RegExp(String.raw`<profile${ATTRIBUTES}(?:/>|>([\s\S]*?)</profile>)`, 'g')
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', apos: "'", quot: '"' }

function attributesOf(list: string): Record<string, string> {
  const pairs = [...list.matchAll(/([\w:]+)\s*=\s*(?:'([^']*)'|"([^"]*)")/g)]
  return Object.fromEntries(pairs.map(([, name, single, double]) => [name, single ?? double]))
}

function characters(content: string): string {
  const cdata = /^<!\[CDATA\[([\s\S]*)\]\]>$/.exec(content)
  return cdata?.[1] ?? content.replace(/&(\w+);/g, (_, name: string) => ENTITIES[name]!)
}

/** The element in a message of channel 0. */
export function elementOf(payload: string): Said {
  const [document, name, list = '', content = ''] = ELEMENT.exec(entityOf(payload).body) ?? []
  if (document === undefined) throw new Error(`No element: ${JSON.stringify(payload)}`)
  const profiles = [...document.matchAll(PROFILE)].map(([, own = '', inner = '']) => {
    const { uri, encoding } = attributesOf(own)
    const data = characters(inner)
    return data.trim() === ''
      ? { uri: uri! }
      : { uri: uri!, content: Buffer.from(data, encoding === 'base64' ? 'base64' : 'latin1') }
  })
  return { name: name!, attributes: attributesOf(list), profiles, text: characters(content) }
}

/** The entity headers of a message, for comparison, and its body. */
export function entityOf(payload: string): { headers: string; body: string } {
  const [block = '', fields = ''] = /^((?:[!-9;-~]+:.*\r\n)*)\r\n/.exec(payload) ?? []
  const headers = fields.split('\r\n').filter((field) => field !== '')
  const shown = headers.map(
    (field) => `${field.slice(0, field.indexOf(':')).toLowerCase()}=${field.slice(field.indexOf(':') + 1).trim()} `,
  )
  return { headers: shown.join(''), body: payload.slice(block.length) }
}

/** What tells a message from the others that are under way. */
export function keyOf({ channel, word, msgno, ansno }: Pick<Frame, 'channel' | 'word' | 'msgno' | 'ansno'>): string {
  return `${channel} ${word} ${msgno} ${ansno}`
}

/** What one side said, channel by channel: where its messages ended, and the numbers of its MSGs, in order. Channels have the engine's numbers. */
export class Ledger {
  /** Messages on data channels, without their numbers: a line each, as they were complete. A NUL says nothing but that it is one. */
  readonly messages: string[] = []
  readonly #ends = new Map<number, number[]>()
  readonly #asked = new Map<number, number[]>()
  readonly #next = new Map<number, number>()
  readonly #payloads = new Map<string, string>()

  note(frame: Frame, channel: number): void {
    const { word, msgno, more, seqno, payload } = frame
    const next = seqno + payload.length
    this.#next.set(channel, next)
    const key = keyOf({ ...frame, channel })
    const before = this.#payloads.get(key)
    // The greeting of the other side replies to a MSG 0 that nobody sent.
    if (word === 'MSG' && before === undefined) this.#list(this.#asked, channel).push(msgno)
    this.#payloads.set(key, (before ?? '') + payload)
    if (more) return
    this.#list(this.#ends, channel).push(next)
    if (channel !== 0) this.messages.push(`${channel} ${word} ${frame.ansno} ${word === 'NUL' ? '' : this.#payloads.get(key)}`)
    this.#payloads.delete(key)
  }

  /** How many MSGs before the latest one of this number, the greeting's counted. */
  turn(channel: number, msgno: number): number {
    const turn = this.#list(this.#asked, channel).lastIndexOf(msgno)
    if (turn < 0) throw new Error(`MSG ${channel} ${msgno} was never sent`)
    return turn
  }

  asked(channel: number, turn: number): number {
    return this.#list(this.#asked, channel)[turn] ?? -1
  }

  /** A sequence number as so many whole messages and so many octets of the next. */
  place(channel: number, seqno: number): { whole: number; octets: number } {
    const ends = this.#list(this.#ends, channel)
    const whole = ends.filter((end) => end <= seqno).length
    return { whole, octets: seqno - (ends[whole - 1] ?? 0) }
  }

  /** The sequence number of such a place; undefined when it has not been said yet. */
  position(channel: number, { whole, octets }: { whole: number; octets: number }): number | undefined {
    const ends = this.#list(this.#ends, channel)
    const position = (whole === 0 ? 0 : ends[whole - 1]!) + octets
    // Of a message of channel 0, which need not be as long here as it was there, the end will do.
    if (whole < ends.length) return Math.min(position, ends[whole]!)
    return whole > ends.length || position > (this.#next.get(channel) ?? 0) ? undefined : position
  }

  #list(lists: Map<number, number[]>, channel: number): number[] {
    const list = lists.get(channel) ?? (lists === this.#asked && channel === 0 ? [0] : [])
    lists.set(channel, list)
    return list
  }
}
