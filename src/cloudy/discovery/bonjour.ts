// Calling cards on the local link: advertised and found by multicast DNS (RFC 6762, RFC 6763). What the rest of the project uses of this folder to
// show a card and to look for others; whom to believe is in neighbours.ts.
//
// The library behind it sends and answers questions (link.ts). Done here instead of there: probing for a free name, TXT records of octets and their
// change in place, every interface and both families, and what is read from answers (sightings.ts), since its browser compares TXT records as text,
// cuts names at dots and holds without bound whatever it is told.
import { randomBytes } from 'node:crypto'
import { ClosedError } from '../../beep/errors.js'
import { isPort } from '../reachability/address.js'
import { Announcement } from './announcement.js'
import type { Link } from './link.js'
import { type LinkOptions, openLinks } from './links.js'
import { TYPE } from './records.js'
import { type Sighting, type SightingEvent, SightingTable } from './sightings.js'
import { cardToTxt } from './txt-record.js'

export type { Sighting } from './sightings.js'

export interface AdvertiseOptions extends LinkOptions {
  /** The name wished for. Dots become hyphens, control characters go, what is longer than 63 octets is cut; see `Advertisement.instance`. */
  readonly instance: string
  readonly port: number
  /** The card's DER, up to 1275 octets. */
  readonly card: Uint8Array
  /** Name of this machine on the link, one label and `.local`; `defaultHost()` when it is left out. */
  readonly host?: string
  /** The addresses of this machine have changed, and have been announced: a card that names them is to be signed anew. */
  onAddresses?(): void
}

export interface Advertisement {
  /** The name that was free: the one wished for, or with a number behind it. It changes when somebody turns out to have an older right to it. */
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

export interface BrowseOptions extends LinkOptions {
  /** A service is new, or something in it changed. Its card is not verified. On several interfaces it is seen several times. */
  onSeen(sighting: Sighting): void
  /** A service seen before said goodbye or fell silent, or the interface `via` which it was seen has gone. */
  onGone(gone: Pick<Sighting, 'instance' | 'via'>): void
  /** A service, or its TXT record, was left out. The reason is our own text, the name is the network's. */
  onIgnored?(instance: string, reason: string): void
}

export interface Browse {
  /** Ends it; no callback comes afterwards. Again is harmless. */
  stop(): Promise<void>
}

const HOST = `cloudy-${randomBytes(4).toString('hex')}.local`

/**
 * The name of this machine that `advertise` uses when none is given: another one in each process. The machine's own name is left to the responder of
 * the system, which would take a second one that announces addresses for it for a conflict, and give it up.
 */
export function defaultHost(): string {
  return HOST
}

/**
 * Advertises a card; resolves when it has been announced, a second after the call unless names are taken.
 * Without a network it resolves too, and announces as soon as there is one.
 * Where every name is taken it resolves, reports that, and tries again every five seconds.
 * @throws RangeError for a card, port or host name that cannot be advertised; Error when port 5353 cannot be shared
 */
export async function advertise(options: AdvertiseOptions): Promise<Advertisement> {
  const { port, instance: wish, host = HOST } = options
  const txt = cardToTxt(options.card)
  if (!isPort(port)) throw new RangeError(`A port is 1 to 65535, not ${port}`)
  if (!/^[a-z0-9-]{1,63}\.local$/i.test(host))
    throw new RangeError('A host name on the link is one label of letters, digits and hyphens, and .local')
  const links = await openLinks(options)
  const announcement = new Announcement(links, { wish, host, port, txt })
  try {
    await announcement.begin()
  } catch (error) {
    await links.close()
    throw error
  }
  for (const event of ['opened', 'changed', 'closed'] as const) links.on(event, () => options.onAddresses?.())
  let withdrawn: Promise<void> | undefined
  return {
    get instance() {
      return announcement.instance
    },
    host,
    async update(card) {
      if (withdrawn !== undefined) throw new ClosedError('The advertisement', { kind: 'released', by: 'us' })
      await announcement.update(cardToTxt(card))
    },
    withdraw() {
      withdrawn ??= announcement.end().finally(() => links.close())
      return withdrawn
    },
  }
}

/** Watches for services; resolves when the first question is on its way. */
export async function browse(options: BrowseOptions): Promise<Browse> {
  const links = await openLinks(options)
  const tables = new Map<Link, SightingTable>()
  let timer: NodeJS.Timeout | undefined
  let stopped: Promise<void> | undefined
  const deliver = (events: readonly SightingEvent[], via: string) => {
    for (const event of events) {
      if (stopped !== undefined) return
      if (event.kind === 'seen') options.onSeen({ ...event.sighting, via })
      else if (event.kind === 'gone') options.onGone({ instance: event.instance, via })
      else options.onIgnored?.(event.instance, event.reason)
    }
  }
  /** Does what is due on every link, and sees to it that it is called when something is due next. */
  const act = () => {
    let due = Number.POSITIVE_INFINITY
    for (const [link, table] of tables) {
      deliver(table.expire(performance.now()), link.interface.name)
      if (stopped !== undefined) return
      const questions = table.questions(performance.now())
      if (questions.length > 0) link.query({ questions })
      due = Math.min(due, table.due())
    }
    clearTimeout(timer)
    if (tables.size > 0) timer = setTimeout(act, Math.max(1, Math.ceil(due - performance.now()))).unref()
  }
  const open = (link: Link) => {
    tables.set(link, new SightingTable(TYPE))
    act()
  }
  links.on('opened', open)
  links.on('changed', (link) => {
    tables.get(link)?.restart()
    act()
  })
  links.on('closed', (link) => {
    const gone = tables.get(link)?.clear() ?? []
    tables.delete(link)
    deliver(gone, link.interface.name)
  })
  links.on('response', ({ answers, additionals }, { address }, link) => {
    const events = tables.get(link)?.receive([...answers, ...additionals], performance.now(), address) ?? []
    deliver(events, link.interface.name)
    if (stopped === undefined) act()
  })
  for (const link of links.all.values()) open(link)
  return {
    stop() {
      clearTimeout(timer)
      stopped ??= links.close()
      return stopped
    },
  }
}
