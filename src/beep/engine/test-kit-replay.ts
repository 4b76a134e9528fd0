// Replays a recorded session: the engine plays one side by commands that mirror what that side said, and the other side's octets are fed to it.
//
// The engine chooses some numbers itself, and writes the XML of channel 0 in its own form. So in what is fed to it, those parameters that
// speak of the mirrored side are those of the engine: the channels that it started, the MSGs that are replied to, the octets that are
// acknowledged. Payloads, sizes, sequence numbers, windows, and the order of everything are as recorded.
import { Buffer } from 'node:buffer'
import type { Keyword } from '../wire/frame.js'
import type { Side } from '../wire/transcript.js'
import { Engine } from './engine.js'
import type { Event } from './events.js'
import type { OutgoingMessage } from './outbox.js'
import { type Frame, heard, octets, readFrames, text, writeFrame } from './test-kit.js'
import { elementOf, entityOf, keyOf, Ledger, type Said, type Step } from './test-kit-recorded.js'

// What happens, one line each: from the engine's events, and from the recorded frames.

const profileLine = (uri: string, content: Uint8Array | undefined) => (content === undefined ? uri : `${uri} [${text(content)}]`)
const profileLines = (profiles: Said['profiles']) => profiles.map(({ uri, content }) => profileLine(uri, content)).join(', ')

function eventLine(event: Exclude<Event, { type: 'message' | 'data' }>): string {
  switch (event.type) {
    case 'greeting':
      return `greeting ${event.greeting.profiles.join(', ')}`
    case 'start':
      return `start ${event.channel} ${event.serverName ?? '-'} ${profileLines(event.profiles.map(buffered))}`
    case 'started':
      return `started ${event.channel} ${profileLine(event.uri, event.content)}`
    case 'declined':
    case 'closeRefused':
      return `${event.type} ${event.channel} ${event.error.replyCode} ${event.error.text}`
    case 'close':
      return `close ${event.channel} ${event.code} ${event.text}`
    case 'closed':
      return `closed ${event.channel} by ${event.by}`
    case 'terminated':
      return `terminated by ${event.by}: ${event.error?.rule}`
    default:
      return event.type
  }
}

function buffered({ uri, content }: { uri: string; content?: Uint8Array | undefined }): Said['profiles'][number] {
  return content === undefined ? { uri } : { uri, content: Buffer.from(content) }
}

/** Cuts octets into chunks; each call goes on where the last one ended. */
export type Chunker = (octets: Buffer) => Buffer[]

export const whole: Chunker = (fed) => [fed]

/** Chunks of these sizes, over and over. */
export function chunksOf(sizes: readonly number[]): Chunker {
  let turn = 0
  return (fed) => {
    const chunks: Buffer[] = []
    for (let at = 0; at < fed.length; ) {
      const size = sizes[turn++ % sizes.length]!
      chunks.push(fed.subarray(at, at + size))
      at += size
    }
    return chunks
  }
}

export interface Replayed {
  readonly engine: Engine
  /** What the engine told, a line each. */
  readonly events: readonly string[]
  /** What it should have told, by the recorded frames. */
  readonly expected: readonly string[]
  /** The messages that the engine sent on data channels, and those that the mirrored side had sent. */
  readonly sent: readonly string[]
  readonly mirrored: readonly string[]
}

/** Plays `side` with an engine. Stops when the engine has ended the session because of a violation. */
export function replay(steps: readonly Step[], side: Side, chunker: Chunker = whole): Replayed {
  return new Replay(side, chunker).run(steps)
}

class Replay {
  readonly #side: Side
  readonly #chunker: Chunker
  readonly #engine: Engine
  readonly #events: string[] = []
  readonly #expected: string[] = []
  /** Frames of the foreign side that have not been fed yet. */
  #group: Frame[] = []
  /** SEQ frames for what the engine has not said yet: where it waits with a reply for the whole request, a recorded peer did not. */
  #early: Frame[] = []
  /** Messages that are not complete: of the transcript, of the engine's events, and on the way out of the engine. */
  readonly #gathered = new Map<string, string>()
  readonly #arriving = new Map<string, string>()
  readonly #leaving = new Map<string, OutgoingMessage>()
  /** The mirrored side as recorded, and the engine in its place. */
  readonly #recorded = new Ledger()
  readonly #own = new Ledger()
  /** Recorded numbers of the channels that the mirrored side started, with the engine's. */
  readonly #numbers = new Map<number, number>()
  /** MSGs on channel 0, by who asked and the recorded number. */
  readonly #asked = { us: new Map<number, Said>(), peer: new Map<number, Said>() }

  constructor(side: Side, chunker: Chunker) {
    this.#side = side
    this.#chunker = chunker
    this.#engine = new Engine(side === 'I' ? 'initiator' : 'listener')
  }

  run(steps: readonly Step[]): Replayed {
    for (const { from, frame } of steps) {
      if (from !== this.#side) {
        this.#group.push(frame)
        continue
      }
      this.#feed()
      if (this.#engine.state === 'terminated') break
      // The engine gives credit on its own.
      if (frame.word !== 'SEQ') this.#mirror(frame)
      this.#exchange()
    }
    this.#feed()
    if (this.#early.length > 0) throw new Error('A SEQ acknowledges what the engine never said')
    return {
      engine: this.#engine,
      events: this.#events,
      expected: this.#expected,
      sent: this.#own.messages,
      mirrored: this.#recorded.messages,
    }
  }

  // What the mirrored side said becomes a command

  #mirror(frame: Frame): void {
    const channel = this.#number(frame.channel)
    this.#recorded.note(frame, channel)
    if (frame.channel !== 0) this.#send({ ...frame, channel })
    else {
      const payload = this.#gather('us', frame)
      if (payload === undefined) return
      const said = elementOf(payload)
      if (frame.word === 'MSG') this.#ask(frame, said)
      else this.#reply(said, this.#asked.peer.get(frame.msgno))
    }
  }

  #send(frame: Frame): void {
    const key = keyOf(frame)
    const message = this.#leaving.get(key) ?? this.#engine.send(frame.channel, frame.word as Keyword, frame.msgno, frame.ansno)
    this.#leaving.set(key, message)
    this.#engine.write(message, octets(frame.payload))
    if (frame.more) return
    this.#engine.end(message)
    this.#leaving.delete(key)
  }

  #ask({ msgno }: Frame, said: Said): void {
    this.#asked.us.set(msgno, said)
    const number = Number(said.attributes.number ?? 0)
    if (said.name === 'close') this.#engine.close(this.#number(number), Number(said.attributes.code), said.text)
    else {
      const { serverName } = said.attributes
      this.#numbers.set(number, this.#engine.start(said.profiles, { serverName, hush: tuning(said) }))
    }
  }

  #reply(said: Said, asked: Said | undefined): void {
    const code = Number(said.attributes.code)
    if (said.name === 'greeting') this.#engine.greet({ profiles: said.profiles.map(({ uri }) => uri) })
    else if (asked === undefined) throw new Error(`<${said.name}> in reply to nothing`)
    else {
      const number = Number(asked.attributes.number ?? 0)
      if (said.name === 'ok') {
        this.#engine.agree(this.#number(number))
        this.#expected.push(`closed ${this.#number(number)} by peer`)
      } else if (said.name === 'profile') {
        const [profile] = said.profiles
        this.#engine.accept(number, profile!.uri, profile!.content, tuning(said))
      } else if (asked.name === 'start') this.#engine.decline(number, code, said.text)
      else this.#engine.refuse(this.#number(number), code, said.text)
    }
  }

  // What the foreign side said is fed

  #feed(): void {
    const frames = this.#group
    this.#group = []
    this.#receive([...this.#early.splice(0), ...frames])
    for (const frame of frames) this.#expect(frame)
  }

  #receive(frames: readonly Frame[]): void {
    let wire = ''
    for (const frame of frames) {
      const translated = this.#translated(frame)
      if (translated === undefined) this.#early.push(frame)
      else wire += writeFrame(translated)
    }
    for (const chunk of this.#chunker(octets(wire))) {
      this.#engine.receive(chunk)
      this.#exchange()
    }
  }

  #translated(frame: Frame): Frame | undefined {
    const channel = this.#number(frame.channel)
    if (frame.word === 'SEQ') {
      const seqno = this.#own.position(channel, this.#recorded.place(channel, frame.seqno))
      return seqno === undefined ? undefined : { ...frame, channel, seqno }
    }
    return { ...frame, channel, msgno: this.#msgno(frame, channel) }
  }

  /** The number of the MSG that a frame begins or replies to. */
  #msgno({ word, msgno }: Frame, channel: number): number {
    return word === 'MSG' ? msgno : this.#own.asked(channel, this.#recorded.turn(channel, msgno))
  }

  #expect(frame: Frame): void {
    if (frame.word === 'SEQ') return
    const payload = this.#gather('peer', frame)
    if (payload === undefined) return
    if (frame.channel === 0) this.#expectElement(frame, elementOf(payload))
    else {
      const channel = this.#number(frame.channel)
      const { headers, body } = entityOf(payload)
      this.#expected.push(`${keyOf({ ...frame, channel, msgno: this.#msgno(frame, channel) })} ${headers}| ${body}`)
    }
  }

  #expectElement({ word, msgno }: Frame, said: Said): void {
    const { name, attributes, profiles } = said
    const diagnostic = `${attributes.code} ${said.text}`
    if (word === 'MSG') {
      this.#asked.peer.set(msgno, said)
      const number = attributes.number ?? '0'
      if (name === 'close') this.#expected.push(`close ${number} ${diagnostic}`)
      else this.#expected.push(`start ${number} ${attributes.serverName ?? '-'} ${profileLines(profiles)}`)
    } else if (name === 'greeting') this.#expected.push(`greeting ${profiles.map(({ uri }) => uri).join(', ')}`)
    else {
      const asked = this.#asked.us.get(msgno)!
      const number = this.#number(Number(asked.attributes.number ?? 0))
      if (name === 'ok') this.#expected.push(`closed ${number} by us`)
      else if (name === 'profile') this.#expected.push(`started ${number} ${profileLines(profiles)}`)
      else this.#expected.push(`${asked.name === 'start' ? 'declined' : 'closeRefused'} ${number} ${diagnostic}`)
    }
  }

  // The engine

  /** Takes what it tells, consumes what came, and hears what it says. */
  #exchange(): void {
    for (let moved = true; moved; ) {
      for (let event = this.#engine.nextEvent(); event !== undefined; event = this.#engine.nextEvent()) this.#tell(event)
      const frames = readFrames(heard(this.#engine))
      for (const frame of frames) if (frame.word !== 'SEQ') this.#own.note(frame, frame.channel)
      moved = frames.length > 0
    }
  }

  #tell(event: Event): void {
    if (event.type !== 'message' && event.type !== 'data') {
      this.#events.push(eventLine(event))
      return
    }
    const key = keyOf({ ...event, word: event.keyword })
    const overhead = event.type === 'message' ? event.overhead : 0
    this.#engine.consume(event.channel, event.octets.length + overhead)
    const before =
      event.type === 'message'
        ? `${key} ${[...event.headers].map(([name, value]) => `${name}=${value} `).join('')}| `
        : this.#arriving.get(key)!
    const line = before + text(event.octets)
    if (event.last) {
      this.#events.push(line)
      this.#arriving.delete(key)
    } else this.#arriving.set(key, line)
  }

  /** The payload of the frame's message, once it is complete. */
  #gather(who: string, frame: Frame): string | undefined {
    const key = `${who} ${keyOf(frame)}`
    const payload = (this.#gathered.get(key) ?? '') + frame.payload
    if (frame.more) this.#gathered.set(key, payload)
    else this.#gathered.delete(key)
    return frame.more ? undefined : payload
  }

  #number(recorded: number): number {
    return this.#numbers.get(recorded) ?? recorded
  }
}

/** A tuning message of the TLS profile: nothing in clear may follow it. */
function tuning({ profiles }: Said): boolean {
  return profiles.some(({ content }) => content !== undefined && /^<(?:ready|proceed)/.test(text(content)))
}
