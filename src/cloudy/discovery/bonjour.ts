// Calling cards on the local link: advertised and found by multicast DNS. The only file that imports bonjour-service, whose defects end here.
//
// The library sends, answers questions and repeats announcements. Done here instead: probing for a free name, TXT records of octets and their
// change in place, membership of the multicast group, and what is read from answers (sightings.ts), since its browser compares TXT records as
// text, cuts names at dots and holds without bound whatever it is told.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { type EventEmitter, once } from 'node:events'
import { BlockList } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { Bonjour } from 'bonjour-service'
import { ClosedError } from '../../beep/errors.js'
import { claimName } from './name-claim.js'
import { type DnsRecord, folded, MAX_LABEL, type Mdns, orderOfPlaces, type SendDone, TYPE } from './records.js'
import { type Sighting, SightingTable } from './sightings.js'
import { cardToTxt } from './txt-record.js'

export type { Sighting } from './sightings.js'

const MDNS_PORT = 5353
const GROUP = '224.0.0.251'
const LOOPBACK = '127.0.0.1'
/** Largest datagram read (RFC 6762 §17). */
const MAX_DATAGRAM = 9000
/** Addresses in one announcement, so that it stays near the size of one packet. */
const MAX_ANNOUNCED_ADDRESSES = 8
/** Lifetime of a pointer in seconds, the 75 minutes of RFC 6762 §10; the library says eight hours. */
const POINTER_TTL = 4500
/** Time between announcements of one change (RFC 6762 §8.3), and the least between two defences of our records. */
const SECOND = 1000
/** How often the network interfaces are looked at. */
const INTERFACES_INTERVAL = 5000

export interface BonjourOptions {
  /** Stay on the loopback interface: nothing leaves the machine, nothing from outside is heard. For tests and demonstrations. */
  readonly loopbackOnly?: boolean
  /** Told what went wrong while things go on, for instance that there is no network; the same error in a row once only. */
  onError?(error: Error): void
}

export interface AdvertiseOptions extends BonjourOptions {
  /** The name wished for. Dots become hyphens, control characters go, what is longer than 63 octets is cut; see `Advertisement.instance`. */
  readonly instance: string
  readonly port: number
  /** The card's DER, up to 1275 octets. */
  readonly card: Uint8Array
  /** Name of this machine on the link, one label and `.local`; made from its host name when it is left out. */
  readonly host?: string
}

export interface Advertisement {
  /** The name that was free: the one wished for, or with a number behind it. */
  readonly instance: string
  readonly host: string
  /**
   * Puts another card in place and announces it; watchers see a change, no departure.
   * @throws RangeError when the card does not fit, ClosedError after `withdraw()`
   */
  update(card: Uint8Array): Promise<void>
  /** Says goodbye and closes. Again is harmless. */
  withdraw(): Promise<void>
}

export interface BrowseOptions extends BonjourOptions {
  /** A service is new, or something in it changed. Its card is not verified. */
  onSeen(sighting: Sighting): void
  /** A service seen before said goodbye or fell silent. */
  onGone(instance: string): void
  /** A service, or its TXT record, was left out. The reason is our own text, the name is the network's. */
  onIgnored?(instance: string, reason: string): void
}

export interface Browse {
  /** Ends it; no callback comes afterwards. Again is harmless. */
  stop(): Promise<void>
}

/** The name of this machine that `advertise` uses when none is given. */
export function defaultHost(): string {
  const label = hostname()
    .split('.')[0]
    ?.replace(/[^A-Za-z0-9-]+/g, '-')
    .slice(0, MAX_LABEL)
  return `${label === undefined || label === '' ? 'cloudy' : label}.local`
}

/**
 * Advertises a card; resolves when it has been announced, a second after the call unless names are taken.
 * Without a network it resolves too, and announces as soon as there is one.
 * @throws RangeError for a card, port or host name that cannot be advertised; Error when port 5353 cannot be shared or every name is taken
 */
export async function advertise(options: AdvertiseOptions): Promise<Advertisement> {
  const { port, host = defaultHost() } = options
  const txt = cardToTxt(options.card)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`A port is 1 to 65535, not ${port}`)
  if (!/^[a-z0-9-]{1,63}\.local$/i.test(host))
    throw new RangeError('A host name on the link is one label of letters, digits and hyphens, and .local')
  const link = await openLink(options)
  try {
    const instance = await claimName(link.mdns, link.sent, options.instance, { port, target: host })
    return await announce(link, { instance, host, port, txt })
  } catch (error) {
    await link.close()
    throw error
  }
}

/** Watches for services; resolves when the first question is on its way. */
export async function browse(options: BrowseOptions): Promise<Browse> {
  const link = await openLink(options)
  const table = new SightingTable(TYPE)
  let timer: NodeJS.Timeout | undefined
  let stopped: Promise<void> | undefined
  const deliver = (events: ReturnType<SightingTable['expire']>) => {
    for (const event of events) {
      if (stopped !== undefined) return
      if (event.kind === 'seen') options.onSeen(event.sighting)
      else if (event.kind === 'gone') options.onGone(event.instance)
      else options.onIgnored?.(event.instance, event.reason)
    }
  }
  const act = () => {
    deliver(table.expire(performance.now()))
    if (stopped !== undefined) return
    const questions = table.questions(performance.now())
    if (questions.length > 0) link.mdns.query({ questions }, link.sent)
    clearTimeout(timer)
    timer = setTimeout(act, Math.max(1, Math.ceil(table.due() - performance.now()))).unref()
  }
  link.mdns.on('response', ({ answers, additionals }, { address }) => {
    deliver(table.receive([...answers, ...additionals], performance.now(), address))
    if (stopped === undefined) act()
  })
  link.mdns.on('networkInterface', () => {
    table.restart()
    act()
  })
  act()
  return {
    stop() {
      clearTimeout(timer)
      stopped ??= link.close()
      return stopped
    },
  }
}

// The parts of the library that are used, as they are: its own types leave out most of them.

interface Library {
  readonly server: { readonly mdns: Mdns; register(records: DnsRecord[]): void; unregister(records: DnsRecord[]): void }
  publish(config: {
    name: string
    type: string
    port: number
    host: string
    probe: boolean
  }): EventEmitter & { records(): DnsRecord[] }
  unpublishAll(done: SendDone): void
  destroy(done: () => void): void
}

interface LibraryOptions {
  readonly socket: Socket
  readonly multicast: false
  readonly bind: string
  readonly interface?: string
}

const Library = Bonjour as unknown as new (options: LibraryOptions, onError: (error: Error) => void) => Library

/** One library instance on its socket: one for each service, since stopping one service of an instance stops all of its type. */
interface Link {
  readonly bonjour: Library
  readonly mdns: Mdns
  readonly loopbackOnly: boolean
  /** To be called back when something was sent: reports a failure. */
  readonly sent: SendDone
  report(error: Error): void
  close(): Promise<void>
}

/** Opens the socket ourselves: so the group is joined before anything is sent, no timer outlives us, and datagrams are sifted before they are read. */
async function openLink({ loopbackOnly = false, onError }: BonjourOptions): Promise<Link> {
  let last: string | undefined
  const report = (error: Error) => {
    if (error.message !== last) onError?.(error)
    last = error.message
  }
  const sent: SendDone = (error) => {
    if (error) report(error)
  }
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const place = loopbackOnly ? { interface: LOOPBACK, bind: '0.0.0.0' } : { bind: '0.0.0.0' }
  const bonjour = new Library({ socket, multicast: false, ...place }, report)
  const { mdns } = bonjour.server
  let neighbours = onLink(loopbackOnly)
  sift(socket, ({ address, port, size }) => port === MDNS_PORT && size <= MAX_DATAGRAM && neighbours.check(address))
  mdns.on('error', report)
  mdns.on('warning', (error) => {
    if ('syscall' in error) report(error) // anything else is a datagram that is not DNS
  })
  let timer: NodeJS.Timeout | undefined
  const close = () => {
    clearInterval(timer)
    return new Promise<void>((resolve) => bonjour.destroy(resolve))
  }
  try {
    await once(mdns, 'ready')
    socket.setMulticastTTL(255)
    socket.setMulticastLoopback(true)
    if (loopbackOnly) {
      socket.addMembership(GROUP, LOOPBACK)
      socket.setMulticastInterface(LOOPBACK) // a failure ends it here: nothing has been sent yet
    } else {
      mdns.update()
      timer = setInterval(() => {
        neighbours = onLink(false)
        mdns.update()
      }, INTERFACES_INTERVAL).unref()
    }
  } catch (error) {
    await close()
    throw error
  }
  return { bonjour, mdns, loopbackOnly, sent, report, close }
}

/** The addresses believed to be on the link (RFC 6762 §11): those of our networks, and the link-local ones. */
function onLink(loopbackOnly: boolean): BlockList {
  const list = new BlockList()
  list.addSubnet('127.0.0.0', 8)
  if (loopbackOnly) return list
  list.addSubnet('169.254.0.0', 16)
  for (const { family, address, cidr } of Object.values(networkInterfaces()).flatMap((all) => all ?? []))
    if (family === 'IPv4' && cidr !== null) list.addSubnet(address, Number(cidr.split('/')[1]))
  return list
}

function sift(socket: Socket, wanted: (from: RemoteInfo) => boolean): void {
  const readers = socket.listeners('message')
  socket.removeAllListeners('message')
  socket.on('message', (message, from) => {
    if (wanted(from)) for (const read of readers) read(message, from)
  })
}

interface Announced {
  readonly instance: string
  readonly host: string
  readonly port: number
  txt: Buffer[]
}

/** Publishes under a name that has been found free. The library's two doors for records are where they become ours. */
async function announce(link: Link, service: Announced): Promise<Advertisement> {
  const { bonjour, mdns } = link
  const { server } = bonjour
  const register = server.register.bind(server)
  const unregister = server.unregister.bind(server)
  /** The array that the library repeats from time to time: what stands in it is what is announced. */
  let announced: DnsRecord[] = []
  const put = (list: DnsRecord[]) => {
    const records = ourRecords(list, service, link.loopbackOnly)
    register(records)
    list.splice(0, list.length, ...records.filter(({ name }) => !name.startsWith('_services.')))
    announced = list
  }
  server.register = put
  server.unregister = (list) => {
    unregister(list)
    // A goodbye is for what is ours alone: not for the type, nor for a host name that others on this machine use too.
    const records = ourRecords(list, service, link.loopbackOnly)
    list.splice(0, list.length, ...records.filter(({ name, type }) => type === 'SRV' || type === 'TXT' || folded(name) === TYPE))
  }
  const published = bonjour.publish({
    name: service.instance,
    type: 'cloudy',
    port: service.port,
    host: service.host,
    probe: false,
  })

  let again: NodeJS.Timeout | undefined
  let withdrawn: Promise<void> | undefined
  const say = () =>
    new Promise<void>((resolve) => {
      mdns.respond(announced, (error) => {
        link.sent(error)
        resolve()
      })
    })
  /** Announces twice, with the addresses of this moment. */
  const renew = async () => {
    const list = announced
    unregister(list)
    list.splice(0, list.length, ...published.records())
    put(list)
    clearTimeout(again)
    again = setTimeout(say, SECOND).unref()
    await say()
  }
  await once(published, 'up')
  mdns.on('networkInterface', () => {
    if (withdrawn === undefined) void renew()
  })
  defend(link, service, () => withdrawn === undefined, say)
  return {
    instance: service.instance,
    host: service.host,
    async update(card) {
      if (withdrawn !== undefined) throw new ClosedError('The advertisement', { kind: 'released', by: 'us' })
      service.txt = cardToTxt(card)
      await renew()
    },
    withdraw() {
      clearTimeout(again)
      withdrawn ??= new Promise<void>((resolve) => {
        bonjour.unpublishAll((error) => {
          link.sent(error)
          resolve(link.close())
        })
      })
      return withdrawn
    },
  }
}

/** The library's records of a service as they should be: octets in the TXT record, ours alone marked so (RFC 6762 §10.2), few addresses. */
function ourRecords(records: readonly DnsRecord[], { txt, host }: Announced, loopbackOnly: boolean): DnsRecord[] {
  const named: DnsRecord[] = []
  const addresses: DnsRecord[] = []
  for (const record of records) {
    if (record.type === 'TXT') named.push({ ...record, data: txt, flush: true })
    else if (record.type === 'SRV') named.push({ ...record, flush: true })
    else if (record.type === 'PTR') named.push({ ...record, ttl: Math.min(record.ttl, POINTER_TTL) })
    else addresses.push(record)
  }
  if (loopbackOnly) return [...named, { name: host, type: 'A', ttl: 120, data: LOOPBACK }]
  return [...named, ...addresses.slice(0, MAX_ANNOUNCED_ADDRESSES)]
}

/** Contradicts a goodbye that we did not say, and reports another owner of our name. */
function defend(
  { mdns, report }: Link,
  { instance, host, port }: Announced,
  active: () => boolean,
  say: () => Promise<void>,
): void {
  const fqdn = folded(`${instance}.${TYPE}`)
  let last = Number.NEGATIVE_INFINITY
  mdns.on('response', ({ answers, additionals }) => {
    if (!active()) return
    for (const record of [...answers, ...additionals]) {
      if (folded(record.type === 'PTR' ? record.data : record.name) !== fqdn) continue
      if (record.ttl === 0 && performance.now() - last >= SECOND) {
        last = performance.now()
        void say()
      } else if (record.ttl > 0 && record.type === 'SRV' && orderOfPlaces(record.data, { port, target: host }) !== 0)
        report(new Error('Another peer on this network announces our service name'))
    }
  })
}
