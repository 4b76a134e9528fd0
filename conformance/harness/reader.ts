// The judge's own reader of frames. Lenient: it takes whatever still has a shape, and notes what is wrong with it as a fault, so that one fault of a
// target does not hide its other answers. It shares no code with the engine that the suite also judges.
import { Buffer } from 'node:buffer'
import { advance } from '../../src/beep/seqno.js'

export type Keyword = 'MSG' | 'RPY' | 'ERR' | 'ANS' | 'NUL'

/** A data frame as it came (RFC 3080 §2.2.1). */
export interface DataFrame {
  readonly kind: 'data'
  readonly keyword: Keyword
  readonly channel: number
  readonly msgno: number
  readonly more: boolean
  readonly seqno: number
  readonly size: number
  readonly ansno?: number | undefined
  readonly payload: Buffer
  /** All of the message, or of the answer, that ends with this frame. */
  readonly whole?: Buffer | undefined
}

/** A SEQ frame as it came (RFC 3081 §3.1.3). */
export interface SeqFrame {
  readonly kind: 'seq'
  readonly channel: number
  readonly ackno: number
  readonly window: number
}

/** Octets that are no frame: nothing behind them can be read. */
export interface Garbage {
  readonly kind: 'garbage'
  readonly octets: Buffer
  readonly why: string
}

export type Heard = DataFrame | SeqFrame | Garbage

/** Something that no peer may send, by the id of the requirement it goes against. */
export interface Fault {
  readonly requirement: string
  readonly detail: string
}

/** A fault for people, with the clause that it goes against. */
export function told({ detail, requirement }: Fault): string {
  const [, rfc, section] = /^R(30\d\d)-([0-9.]+)-/.exec(requirement) ?? []
  return `the target sent what no peer may send: ${detail} (${rfc === undefined ? '' : `RFC ${rfc} §${section}, `}${requirement})`
}

const DATA = /^(MSG|RPY|ERR|ANS|NUL) +(\d{1,20}) +(\d{1,20}) +([.*]) +(\d{1,20}) +(\d{1,20})(?: +(\d{1,20}))? *\r?\n/
const SEQ = /^SEQ +(\d{1,20}) +(\d{1,20}) +(\d{1,20}) *\r?\n/
const EXACT = /^[A-Z]{3}( (0|[1-9][0-9]*|[.*]))+\r\n$/
/** More than any lenient form of a header has. */
const LONGEST_HEADER = 160
/** Largest payload of one frame that is waited for: no case asks a target for more. */
const LARGEST_PAYLOAD = 4 * 1024 * 1024

export class FrameReader {
  readonly faults: Fault[] = []
  #rest: Buffer = Buffer.alloc(0)
  #dead = false
  /** What is due next, by channel. */
  readonly #seqnos = new Map<number, number>()
  /** The payloads so far of messages that have begun, by channel, keyword, msgno and ansno. */
  readonly #begun = new Map<string, Buffer[]>()

  /** Takes octets and gives the frames that they complete. */
  push(octets: Uint8Array): Heard[] {
    if (this.#dead) return []
    this.#rest = Buffer.concat([this.#rest, octets])
    const heard: Heard[] = []
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      heard.push(next)
      if (next.kind === 'garbage') break
    }
    return heard
  }

  /** Octets of a frame that is not complete. */
  get pending(): Buffer {
    return this.#rest
  }

  /** Channel `number` begins anew: its next seqno is 0. */
  forget(number: number): void {
    this.#seqnos.delete(number)
    for (const message of this.#begun.keys()) if (message.startsWith(`${number} `)) this.#begun.delete(message)
  }

  /** Everything begins anew: the session was tuned. */
  restart(): void {
    this.#seqnos.clear()
    this.#begun.clear()
  }

  #take(): Heard | undefined {
    if (this.#rest.length === 0) return undefined
    const head = this.#rest.subarray(0, LONGEST_HEADER).toString('latin1')
    const seq = SEQ.exec(head)
    if (seq !== null) return this.#seq(seq)
    const data = DATA.exec(head)
    if (data !== null) return this.#data(data)
    return head.includes('\n') || head.length === LONGEST_HEADER ? this.#garbage('no frame begins like this') : undefined
  }

  #seq(found: RegExpExecArray): SeqFrame {
    this.#exact(found[0], 'R3081-3.1.3-02')
    const [channel, ackno, window] = [Number(found[1]), Number(found[2]), Number(found[3])] as const
    this.#rest = this.#rest.subarray(found[0].length)
    return { kind: 'seq', channel, ackno, window }
  }

  #data(found: RegExpExecArray): DataFrame | Garbage | undefined {
    const [header, keyword, channel, msgno, more, seqno, size, ansno] = found
    const end = header.length + Number(size)
    if (Number(size) > LARGEST_PAYLOAD) return this.#garbage(`a payload of ${size} octets is announced`)
    if (this.#rest.length < end + 3) return undefined
    const payload = Buffer.from(this.#rest.subarray(header.length, end))
    const trailer = this.#rest.subarray(end, end + 5).toString('latin1')
    // Net::BEEP::Lite leaves the trailer of a NUL out; the next frame tells.
    if (!'END\r\n'.startsWith(trailer.slice(0, 5))) {
      if (!/^(MSG|RPY|ERR|ANS|NUL|SEQ)/.test(trailer)) return this.#garbage(`after ${size} octets of payload there is no END`)
      this.#fault('R3080-2.2.1.3-01', `${header.trimEnd()}: the trailer is missing`)
      this.#rest = this.#rest.subarray(end)
    } else {
      if (trailer.length < 5) return undefined
      this.#rest = this.#rest.subarray(end + 5)
    }
    this.#exact(header, 'R3080-2.2.1.1-02')
    const frame: DataFrame = {
      kind: 'data',
      keyword: keyword as Keyword,
      channel: Number(channel),
      msgno: Number(msgno),
      more: more === '*',
      seqno: Number(seqno),
      size: Number(size),
      ...(ansno === undefined ? {} : { ansno: Number(ansno) }),
      payload,
      whole: this.#whole(`${Number(channel)} ${keyword} ${Number(msgno)} ${ansno}`, payload, more === '*'),
    }
    this.#check(frame)
    return frame
  }

  #whole(message: string, payload: Buffer, more: boolean): Buffer | undefined {
    const before = this.#begun.get(message)
    if (!more) {
      this.#begun.delete(message)
      return before === undefined ? payload : Buffer.concat([...before, payload])
    }
    if (before === undefined) this.#begun.set(message, [payload])
    else before.push(payload)
    return undefined
  }

  #check({ keyword, channel, seqno, size, more, ansno }: DataFrame): void {
    const due = this.#seqnos.get(channel) ?? 0
    if (seqno !== due) this.#fault('R3080-2.2.1.2-03', `on channel ${channel} seqno ${due} was due, ${seqno} came`)
    this.#seqnos.set(channel, advance(seqno, size))
    if (keyword === 'NUL' && (more || size > 0)) this.#fault('R3080-2.2.1.1-32', `a NUL with ${more ? '*' : `${size} octets`}`)
    if ((keyword === 'ANS') !== (ansno !== undefined))
      this.#fault('R3080-2.2.1-04', `${keyword} ${ansno === undefined ? 'without' : 'with'} an ansno`)
  }

  /** Headers are upper case, with single spaces, numbers without leading zeros, and CR LF. */
  #exact(header: string, requirement: string): void {
    if (!EXACT.test(header)) this.#fault(requirement, `${JSON.stringify(header)} is not exact`)
  }

  #fault(requirement: string, detail: string): void {
    if (this.faults.length < 100) this.faults.push({ requirement, detail })
  }

  #garbage(why: string): Garbage {
    this.#dead = true
    return { kind: 'garbage', octets: this.#rest, why }
  }
}
