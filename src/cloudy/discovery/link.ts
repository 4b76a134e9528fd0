// One interface and everyone behind it: sockets for IPv4 and IPv6, and the library that reads and writes multicast DNS on them. The only file that
// imports bonjour-service, whose defects end here.
//
// The library decodes, encodes, and answers questions with the records that are registered. Opening sockets, choosing the interface, sifting what
// comes in and holding back what was just said is done here; probing, announcing and saying goodbye in announcement.ts.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import { Bonjour } from 'bonjour-service'
import { Allowance } from './allowance.js'
import { isCheap } from './datagram.js'
import type { Interface } from './interfaces.js'
import { type DnsRecord, folded, type Packet, type Question, type Voice } from './records.js'

const MDNS_PORT = 5353
const GROUPS = { udp4: '224.0.0.251', udp6: 'ff02::fb' } as const
type Family = keyof typeof GROUPS

/** Datagrams that are read: of each source, and of all. At the worst they cost half a millisecond each. */
export const DATAGRAMS = { each: { perSecond: 100, atOnce: 300 }, all: { perSecond: 400, atOnce: 1200 } } as const
/**
 * What was said is not said again within a second (RFC 6762 §6), but at its end if it was asked for. Answers without additional records may go to
 * somebody who probes, who cannot wait that long.
 */
const SECOND = 1000
const PROBE_ANSWER = 250
/**
 * Milliseconds for which IPv6 may be silent on an interface that has just come: its addresses are tested for duplicates, and nothing can be sent from them
 * until then (RFC 4862 §5.4). What is asked or said is repeated.
 */
const TENTATIVE = 5000
/** Different questions of one datagram that are answered; there is no sensible reason to ask a host for more. */
const MAX_QUESTIONS = 32
/** The octet of a datagram with the bit of a response, and where its additional records are counted. */
const FLAGS_AT = 2
const RESPONSE = 0x80
const ADDITIONAL_AT = 10

// The parts of the library that are used, as they are: its own types leave out most of them.

type Done = (error?: Error | null) => void

interface MdnsEvents {
  /** Comes before `query` and `response`. */
  packet: [{ questions: readonly Question[] }]
  query: [Packet, RemoteInfo]
  response: [Packet, RemoteInfo]
  warning: [Error]
  error: [Error]
}

interface Library {
  readonly server: {
    register(records: DnsRecord[]): void
    unregister(records: DnsRecord[]): void
    readonly mdns: EventEmitter<MdnsEvents> & {
      query(packet: { questions: readonly Question[] }, done: Done): void
      respond(answers: readonly DnsRecord[], done: Done): void
    }
  }
  destroy(done: () => void): void
}

const Library = Bonjour as unknown as new (
  options: { readonly socket: EventEmitter; readonly multicast: false; readonly bind: false },
  onError: (error: Error) => void,
) => Library

export interface Link extends Voice {
  /** How the interface is now. */
  readonly interface: Interface
  /** Answers questions with these records from now on. */
  register(records: readonly DnsRecord[]): void
  unregister(records: readonly DnsRecord[]): void
  /** Says something unasked; resolves when it is on its way, or when that has failed and been reported. */
  say(records: readonly DnsRecord[]): Promise<void>
  /** Takes over what has changed in the interface, or has failed before: sockets are opened and closed as its addresses come and go. */
  refresh(now: Interface): Promise<void>
  close(): Promise<void>
}

/**
 * Opens an interface. A family of addresses that does not work is reported and tried again with each `refresh`.
 * @throws Error when port 5353 cannot be shared
 */
export async function openLink(place: Interface, report: (error: Error) => void): Promise<Link> {
  const air = new Air(place, report)
  try {
    await air.refresh(place)
  } catch (error) {
    air.close(() => {})
    throw error
  }
  const library = new Library({ socket: air, multicast: false, bind: false }, report)
  const { server } = library
  const { mdns } = server
  const done: Done = (error) => {
    if (error) report(error)
  }
  mdns.on('packet', (packet) => {
    packet.questions = answerable(packet.questions)
  })
  mdns.on('warning', () => {}) // a datagram that is not DNS
  mdns.on('error', report)
  return {
    get interface() {
      return air.interface
    },
    query: (packet) => mdns.query(packet, done),
    on: (event, listener) => mdns.on(event, listener),
    off: (event, listener) => mdns.off(event, listener),
    register: (records) => server.register([...records]),
    unregister(records) {
      server.unregister([...records])
      air.forget()
    },
    say(records) {
      air.forget()
      return new Promise((resolve) => {
        mdns.respond(records, (error) => {
          done(error)
          resolve()
        })
      })
    },
    refresh: (now) => air.refresh(now),
    close: () => new Promise((resolve) => library.destroy(resolve)),
  }
}

/** What the library takes for its socket: those of both families on one interface. */
class Air extends EventEmitter {
  interface: Interface
  readonly #report: (error: Error) => void
  readonly #sockets = new Map<Family, { readonly socket: Socket; readonly key: string; readonly since: number }>()
  readonly #allowance = new Allowance(DATAGRAMS.each, DATAGRAMS.all)
  /** What was said within the last second: until when it is not said again, and whether it was asked for meanwhile. */
  readonly #said = new Map<string, { wanted: Buffer | undefined; timer: NodeJS.Timeout }>()
  #closed = false

  constructor(place: Interface, report: (error: Error) => void) {
    super()
    this.interface = place
    this.#report = report
  }

  async refresh(now: Interface): Promise<void> {
    this.interface = now
    const keys = { udp4: now.ipv4, udp6: now.hasIPv6 ? `::%${now.name}` : undefined }
    for (const family of ['udp4', 'udp6'] as const) {
      const key = keys[family]
      const open = this.#sockets.get(family)
      if (open?.key === key) continue
      this.#sockets.delete(family)
      open?.socket.close()
      if (key === undefined) continue
      try {
        const socket = await openSocket(family, key)
        if (this.#closed) return void socket.close()
        socket.on('error', this.#report)
        socket.on('message', (message, from) => this.#hear(message, from))
        this.#sockets.set(family, { socket, key, since: performance.now() })
      } catch (error) {
        if (isPortTaken(error)) throw error
        this.#report(error as Error)
      }
    }
  }

  #hear(message: Buffer, from: RemoteInfo): void {
    const { address, port } = from
    if (port !== MDNS_PORT || !this.interface.isOnLink(address)) return
    if (!this.#allowance.take(address, performance.now()) || !isCheap(message)) return
    this.emit('message', message, from)
  }

  /** Called by the library. Where to is known: everyone on the link. */
  send(message: Buffer, _offset: number, _length: number, _port: number, _address: string, done: Done): void {
    if ((message[FLAGS_AT]! & RESPONSE) !== 0 && this.#isHeldBack(message)) done()
    else this.#send(message, done)
  }

  #send(message: Buffer, done: Done): void {
    let pending = this.#sockets.size
    let failure: Error | null = null
    if (pending === 0) done()
    for (const [family, { socket, since }] of this.#sockets)
      socket.send(message, MDNS_PORT, GROUPS[family], (error) => {
        if (!isTentative(family, since, error)) failure ??= error
        if (--pending === 0) done(failure)
      })
  }

  #isHeldBack(message: Buffer): boolean {
    const key = message.toString('latin1')
    const said = this.#said.get(key)
    if (said !== undefined) {
      said.wanted = message
      return true
    }
    const repeat = () => {
      const { wanted } = this.#said.get(key)!
      this.#said.delete(key)
      if (wanted !== undefined && !this.#isHeldBack(wanted)) this.#send(wanted, () => {})
    }
    const pause = message.readUInt16BE(ADDITIONAL_AT) === 0 ? PROBE_ANSWER : SECOND
    this.#said.set(key, { wanted: undefined, timer: setTimeout(repeat, pause).unref() })
    return false
  }

  /** What was said is not true any more, or is to be said anew. */
  forget(): void {
    for (const { timer } of this.#said.values()) clearTimeout(timer)
    this.#said.clear()
  }

  /** Called by the library. */
  close(done: () => void): void {
    this.#closed = true
    this.forget()
    const sockets = [...this.#sockets.values()].map(({ socket }) => new Promise<void>((resolve) => socket.close(() => resolve())))
    this.#sockets.clear()
    void Promise.all(sockets).then(done)
  }
}

/** Whether what was sent did not go because an address of IPv6 is not in use yet. */
function isTentative(family: Family, since: number, error: NodeJS.ErrnoException | null): boolean {
  return family === 'udp6' && error?.code === 'EADDRNOTAVAIL' && performance.now() - since < TENTATIVE
}

/** The questions of a datagram, each once: the library would answer the same one as often as it stands there. */
function answerable(questions: readonly Question[]): Question[] {
  const different = new Map(questions.map((question) => [`${question.type} ${folded(question.name)}`, question]))
  return [...different.values()].slice(0, MAX_QUESTIONS)
}

/** Whether the port belongs to somebody who does not share it: that does not pass. */
export function isPortTaken(error: unknown): boolean {
  return ['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** @param key what the interface is called towards the system: its IPv4 address, or `::%` and its name */
async function openSocket(family: Family, key: string): Promise<Socket> {
  const socket = createSocket({ type: family, reuseAddr: true, ipv6Only: family === 'udp6' })
  try {
    socket.bind(MDNS_PORT)
    await once(socket, 'listening')
    socket.addMembership(GROUPS[family], key)
    socket.setMulticastInterface(key)
    socket.setMulticastTTL(255)
    socket.setMulticastLoopback(true)
    return socket
  } catch (error) {
    socket.close()
    if (!isPortTaken(error)) throw error
    const { code } = error as NodeJS.ErrnoException
    const message = `UDP port ${MDNS_PORT} of multicast DNS belongs to a program that does not share it (${code}): end that program`
    throw Object.assign(new Error(message, { cause: error }), { code })
  }
}
