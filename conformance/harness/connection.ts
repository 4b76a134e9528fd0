// One connection to the target: octets written as they are, frames heard in order, and how it ended.
import { Buffer } from 'node:buffer'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type SecureVersion, TLSSocket } from 'node:tls'
import { Failure } from './failure.js'
import { expectNothingBehind, inClear, isTls, seen } from './handover.js'
import { FrameReader, type Heard } from './reader.js'
import type { Ending } from './results.js'
import { show } from './show.js'
import { WireLog } from './wire-log.js'

export { show } from './show.js'

/** Frames, and octets, that one connection may bring: no case asks a target for as much, so a target that gives more floods. */
const MAX_FRAMES = 100_000
const MAX_OCTETS = 64 * 1024 * 1024

/** With what the judge speaks TLS. Without a key it shows no certificate. */
export interface TlsCredentials {
  readonly key?: string
  readonly cert?: string
  readonly maxVersion?: SecureVersion
  /** A ticket, to resume a session. */
  readonly session?: Buffer
}

/** What TLS has shown of the target. */
export interface TlsPeer {
  /** `TLSv1.3` */
  readonly protocol: string
  /** Its certificate in DER, if it has shown one. */
  readonly certificate?: Buffer | undefined
  /** Whether it resumed a session. */
  readonly resumed: boolean
}

export class Connection {
  readonly log = new WireLog()
  readonly reader = new FrameReader()
  /** Milliseconds that anything awaited may take. */
  readonly patience: number
  /** Frames that were heard and that nobody has taken yet. */
  readonly heard: Heard[] = []
  /** Every frame that was heard, in order, taken or not. */
  readonly history: Heard[] = []
  /** How many frames had been heard when octets were written last. */
  heardAtWrite = 0
  /** All frames that were heard. */
  count = 0
  ending: Ending = 'open'
  /** Once TLS has begun. */
  tls: TlsPeer | undefined
  /** The ticket of TLS that came last, with which a session might be resumed. */
  ticket: Buffer | undefined
  #octets = 0
  #flooded = false
  readonly #ours: 'I' | 'L'
  #stream: Duplex
  #look: () => void = () => {}
  #hear: (heard: Heard) => void = () => {}

  constructor(stream: Duplex, ours: 'I' | 'L', patience: number) {
    this.#stream = stream
    this.#ours = ours
    this.patience = patience
    this.#watch(stream)
  }

  /** Called with each frame before it is queued. */
  onHeard(hear: (heard: Heard) => void): void {
    this.#hear = hear
  }

  /** Writes octets as they are; text is written as Latin-1. */
  write(octets: Uint8Array | string): void {
    const buffer = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : Buffer.from(octets)
    this.heardAtWrite = this.count
    if (this.ending !== 'open' || buffer.length === 0) return
    this.log.said(this.#ours, buffer)
    this.#stream.write(buffer)
  }

  /** Ends our side in good order. */
  end(): void {
    this.log.note(`${this.#ours} closes its side`)
    this.#stream.end()
  }

  /** Is done with the connection, whatever its state. */
  destroy(): void {
    this.#stream.destroy()
  }

  /** Stops to read: the target's octets pile up on its side. */
  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  /**
   * Takes the first frame, heard or to come, that `matches`; SEQ frames stay out of the way.
   * @throws Failure when it does not come in time, or when the connection ends or breaks first
   */
  async take<T extends Heard>(matches: (heard: Heard) => heard is T, what: string): Promise<T> {
    const found = await this.#until(() => {
      const at = this.heard.findIndex((each) => matches(each))
      if (at !== -1) return this.heard.splice(at, 1)[0] as T
      const garbage = this.heard.find((each) => each.kind === 'garbage')
      if (garbage?.kind === 'garbage')
        throw new Failure(`expected ${what}; what came is no frame: ${garbage.why}: ${show(garbage.octets)}`)
      if (this.#flooded) throw flood(what)
      if (this.ending !== 'open') throw new Failure(`expected ${what}; the target ended the connection (${this.ending})`)
      return undefined
    })
    if (found !== undefined) return found
    const rest = this.reader.pending
    throw new Failure(
      `expected ${what}; nothing of the kind came within ${this.patience} ms${this.#instead()}${rest.length > 0 ? `; an unfinished frame: ${show(rest)}` : ''}`,
      'timeout',
    )
  }

  /** Waits until `ready`, or until the connection ends, for so many milliseconds. @returns false when neither came in time */
  async until(ready: () => boolean, within = this.patience): Promise<boolean> {
    return (await this.#until(() => (ready() || this.ending !== 'open' ? true : undefined), within)) === true
  }

  /** Waits until the target has ended the connection. @throws Failure when it does not in time */
  async ended(): Promise<Ending> {
    await this.#until(() => (this.ending === 'open' ? undefined : true))
    // Then it is we who ended it.
    if (this.#flooded) throw flood('the end of the session')
    if (this.ending === 'open')
      throw new Failure(
        `expected the end of the session; it was still open after ${this.patience} ms${this.#instead()}`,
        'timeout',
      )
    return this.ending
  }

  /** TLS from here on, as client or server; resolves when the handshake is complete. @throws Failure when it fails, or when the target goes on in clear */
  async tune(role: 'client' | 'server', credentials: TlsCredentials): Promise<void> {
    expectNothingBehind(role, this.history, this.reader.pending)
    const socket = this.#stream
    socket.removeAllListeners()
    socket.pause()
    this.log.note('TLS begins')
    let first: Buffer | undefined
    const raw = seen(
      socket,
      (octets) => {
        if (first === undefined && !isTls(octets)) this.log.said(this.#ours === 'I' ? 'L' : 'I', octets)
        first ??= Buffer.from(octets)
      },
      (error) => this.#end(kindOf(error)),
    )
    const secure =
      role === 'client'
        ? connectTls({ socket: raw, rejectUnauthorized: false, checkServerIdentity: () => undefined, ...credentials })
        : new TLSSocket(raw as never, { isServer: true, ...credentials })
    secure.on('session', (ticket: Buffer) => {
      this.ticket = ticket
    })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Failure(`the TLS handshake took longer than ${this.patience} ms`, 'timeout')),
        this.patience,
      )
      const done = (error?: Error) => {
        clearTimeout(timer)
        if (error === undefined) resolve()
        else if (first !== undefined && !isTls(first)) reject(inClear(role, show(first)))
        else reject(new Failure(`the TLS handshake failed: ${error.message}`))
      }
      secure.once('error', done)
      secure.once('close', () => done(new Error('the connection was closed')))
      secure.once(role === 'client' ? 'secureConnect' : 'secure', () => done())
    })
    const protocol = secure.getProtocol() ?? 'nothing'
    this.log.note(`${protocol} begins`)
    this.tls = { protocol, certificate: secure.getPeerX509Certificate()?.raw, resumed: secure.isSessionReused() }
    secure.removeAllListeners('error').removeAllListeners('close')
    this.reader.restart()
    this.#stream = secure
    this.#watch(secure)
  }

  #watch(stream: Duplex): void {
    stream.on('data', (octets: Uint8Array) => this.#receive(octets))
    stream.on('end', () => this.#end('closed'))
    stream.on('error', (error) => this.#end(kindOf(error)))
    stream.on('close', () => this.#end('closed'))
    stream.resume()
  }

  #receive(octets: Uint8Array): void {
    this.#octets += octets.length
    if (this.#octets > MAX_OCTETS || this.count > MAX_FRAMES) {
      this.#flooded = true
      this.#stream.destroy()
    }
    if (this.#flooded) return
    this.log.said(this.#ours === 'I' ? 'L' : 'I', octets)
    for (const heard of this.reader.push(octets)) {
      this.count++
      this.#hear(heard)
      this.heard.push(heard)
      this.history.push(heard)
    }
    this.#look()
  }

  #end(ending: Ending): void {
    if (this.ending === 'open') {
      this.ending = ending
      this.log.note(`${this.#ours === 'I' ? 'L' : 'I'} ${ending === 'reset' ? 'resets' : 'closes'} the connection`)
    }
    this.#look()
  }

  #instead(): string {
    const last = this.heard.findLast((each) => each.kind === 'data')
    return last?.kind === 'data' ? `; instead ${last.keyword} ${last.channel} ${last.msgno} came: ${show(last.payload)}` : ''
  }

  async #until<T>(look: () => T | undefined, within = this.patience): Promise<T | undefined> {
    const first = look()
    if (first !== undefined) return first
    return new Promise((resolve, reject) => {
      const done = (found: T | undefined) => {
        clearTimeout(timer)
        this.#look = () => {}
        resolve(found)
      }
      const timer = setTimeout(() => done(undefined), within)
      this.#look = () => {
        try {
          const found = look()
          if (found !== undefined) done(found)
        } catch (error) {
          clearTimeout(timer)
          this.#look = () => {}
          reject(error)
        }
      }
    })
  }
}

function flood(what: string): Failure {
  return new Failure(`expected ${what}; the target floods: more than ${MAX_FRAMES} frames or ${MAX_OCTETS} octets came`)
}

function kindOf(error: NodeJS.ErrnoException): Ending {
  return error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'reset' : 'closed'
}
