// One Duplex and one engine: octets in are parsed at once, octets out are gathered until the turn ends and written together.
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Engine } from './engine/engine.js'
import { after } from './promises.js'

/** What the driver tells its session. */
export interface DriverEvents {
  /** Octets are in the engine. */
  received(octets: Uint8Array): void
  /** Octets are about to be written. */
  sending(octets: Uint8Array): void
  /** Octets have been written: the engine may have more to tell. */
  wrote(): void
  /** The transport ended, or failed with `error`. */
  ended(error: Error | undefined): void
}

export class Driver {
  readonly #stream: Duplex
  readonly #engine: Engine
  readonly #events: DriverEvents
  /** The transport asked us to wait. */
  #full = false
  /** Undoes what was done to the transport. */
  #restore: (() => void) | undefined
  #detached = false

  constructor(stream: Duplex, engine: Engine, events: DriverEvents) {
    this.#stream = stream
    this.#engine = engine
    this.#events = events
    stream.on('data', this.#onData)
    // One that comes from a tuning, or was accepted paused.
    if (stream.isPaused()) stream.resume()
    if (stream instanceof Socket) this.#shorten(stream)
    stream.on('drain', this.#onDrain)
    stream.on('end', this.#onEnd)
    stream.on('error', this.#onError)
    stream.on('close', this.#onClose)
    // What has ended already will not say so again.
    if (stream.destroyed || stream.readableEnded) process.nextTick(this.#onEnd)
  }

  /** Writes what there is to say, until the transport is full. */
  flush(): void {
    const stream = this.#stream
    while (!this.#full && !this.#detached && stream.writable) {
      const parts = this.#engine.transmit()
      if (parts.length === 0) break
      if (parts.length > 1) stream.cork()
      for (const part of parts) {
        this.#events.sending(part)
        if (!stream.write(part)) this.#full = true
      }
      if (parts.length > 1) stream.uncork()
      if (!this.#engine.pending) break
    }
    this.#events.wrote()
  }

  /**
   * The session was released: what was written still arrives, then the transport is closed (RFC 3081 §2).
   * @param patience milliseconds that the peer has to close its side too, 0 for ever
   */
  end(patience: number): void {
    if (this.#detached) return
    const stream = this.#stream
    const timer = after(patience, () => stream.destroy())
    stream.once('close', () => clearTimeout(timer))
    stream.end()
  }

  /** The session is terminated: the connection is aborted (RFC 3081 §2). */
  abort(): void {
    if (this.#detached) return
    const stream = this.#stream
    // A reset tells the peer that this was no orderly close; only a TCP socket can say it.
    if (stream instanceof Socket && !(stream instanceof TLSSocket) && stream.remoteFamily !== undefined) stream.resetAndDestroy()
    else stream.destroy()
  }

  /** Resolves once everything that was written has left for the kernel. */
  async flushed(): Promise<void> {
    this.flush()
    if (this.#stream.writableLength > 0) await new Promise<void>((resolve) => this.#stream.write(NOTHING, () => resolve()))
  }

  /** Takes no more octets from the transport: what comes waits for its next owner. */
  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    if (!this.#detached && this.#stream.isPaused()) this.#stream.resume()
  }

  /** Lets go of the transport, paused. */
  detach(): Duplex {
    this.#detached = true
    const stream = this.#stream
    stream.pause()
    this.#letGo()
    return stream
  }

  #letGo(): void {
    const stream = this.#stream
    this.#restore?.()
    stream.off('data', this.#onData)
    stream.off('drain', this.#onDrain)
    stream.off('end', this.#onEnd)
    stream.off('error', this.#onError)
    stream.off('close', this.#onClose)
  }

  /**
   * What a socket has read comes here at once instead of by way of the stream's queue and its 'data' event, which cost a twelfth of a round trip or so.
   * They still serve when the socket is paused, when octets wait in the queue already, and when somebody else listens, too.
   */
  #shorten(socket: Socket): void {
    const { push } = socket
    socket.push = (chunk: Uint8Array | null, encoding) => {
      if (chunk === null || socket.readableFlowing !== true || socket.readableLength > 0 || socket.listenerCount('data') > 1)
        return push.call(socket, chunk, encoding)
      this.#onData(chunk)
      return true
    }
    this.#restore = () => {
      socket.push = push
      this.#restore = undefined
    }
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#engine.receive(chunk)
    this.#events.received(chunk)
  }

  readonly #onDrain = (): void => {
    this.#full = false
    this.flush()
  }

  /** A socket that is closed stays in memory until everything is collected, for its handle is a root till then; the session does not hang on it. */
  readonly #onClose = (): void => {
    this.#events.ended(undefined)
    this.#letGo()
    // Where it still fails, nobody is concerned.
    this.#stream.on('error', ignore)
  }

  readonly #onEnd = (): void => this.#events.ended(undefined)
  readonly #onError = (error: Error): void => this.#events.ended(error)
}

const NOTHING = new Uint8Array(0)
const ignore = (): void => {}
