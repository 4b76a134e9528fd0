// All links of this machine, together and one by one: they open and close as interfaces come and go.

import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { type Interface, interfacesNow, loopback, sameInterface } from './interfaces.js'
import { isPortTaken, type Link, openLink } from './link.js'
import type { Packet, Voice } from './records.js'

/** How often the interfaces are looked at, in milliseconds. */
const INTERVAL = 1000
/** Errors told last, which are not told again: where descriptors run out, each look and each datagram fails in a way of its own. */
const MAX_TOLD = 8

export interface LinkOptions {
  /** Stay on the loopback interface: nothing leaves the machine, nothing from outside is heard. For tests and demonstrations. */
  readonly loopbackOnly?: boolean | undefined
  /** Told what went wrong while things go on, for instance that there is no network; the same error, or several that take turns, once only. */
  onError?(error: Error): void
}

interface LinksEvents {
  query: [Packet, RemoteInfo, Link]
  response: [Packet, RemoteInfo, Link]
  /** An interface has come. */
  opened: [Link]
  /** An interface has other addresses. */
  changed: [Link]
  /** An interface has gone; the link is closed. */
  closed: [Link]
}

/** A voice on all links at once. */
export interface Links extends EventEmitter<LinksEvents>, Pick<Voice, 'query'> {
  readonly all: ReadonlyMap<string, Link>
  /** Says that something went wrong. */
  report(error: Error): void
  /** Closes them all; no event comes afterwards. Again is harmless. */
  close(): Promise<void>
}

/** How the interfaces are looked at; for tests. */
export interface LookOptions {
  readonly interfaces?: (() => readonly Interface[]) | undefined
  /** Milliseconds between looks. */
  readonly interval?: number | undefined
}

/**
 * Opens a link on every interface that is up, and on those that come later.
 * @throws Error when port 5353 cannot be shared
 */
export async function openLinks(
  { loopbackOnly = false, onError }: LinkOptions,
  { interfaces = loopbackOnly ? () => [loopback] : interfacesNow, interval = INTERVAL }: LookOptions = {},
): Promise<Links> {
  const all = new Map<string, Link>()
  const told = new Set<string>()
  let closed: Promise<void> | undefined
  const report = (error: Error) => {
    if (told.has(error.message)) return
    told.add(error.message)
    if (told.size > MAX_TOLD) told.delete(told.values().next().value!)
    onError?.(error)
  }
  const links: Links = Object.assign(new EventEmitter<LinksEvents>(), {
    all,
    report,
    query(packet: Parameters<Voice['query']>[0]) {
      for (const link of all.values()) link.query(packet)
    },
    close() {
      clearTimeout(timer)
      links.removeAllListeners()
      closed ??= looking.catch(() => {}).then(() => closeAll())
      return closed
    },
  })
  links.setMaxListeners(0)
  const closeAll = async () => {
    await Promise.all([...all.values()].map((link) => link.close()))
    all.clear()
  }
  const open = async (place: Interface) => {
    const link = await openLink(place, report)
    for (const event of ['query', 'response'] as const) link.on(event, (packet, from) => links.emit(event, packet, from, link))
    all.set(place.name, link)
    told.clear()
    links.emit('opened', link)
  }
  const look = async (fail: (error: Error) => void) => {
    let places: readonly Interface[]
    try {
      places = interfaces()
    } catch (error) {
      // The system cannot tell, as when descriptors have run out: the links stay as they are.
      return report(error as Error)
    }
    for (const [name, link] of [...all]) {
      if (places.some((place) => place.name === name)) continue
      all.delete(name)
      await link.close()
      links.emit('closed', link)
    }
    for (const place of places) {
      const link = all.get(place.name)
      try {
        if (link === undefined) await open(place)
        else {
          const changed = !sameInterface(link.interface, place)
          await link.refresh(place)
          if (changed) links.emit('changed', link)
        }
      } catch (error) {
        fail(error as Error)
      }
      if (closed !== undefined) return
    }
    if (all.size === 0) report(new Error('There is no network interface that is up: nobody can be seen until there is'))
  }
  const lookAgain = () => {
    if (closed !== undefined) return
    timer = setTimeout(() => {
      // Whatever goes wrong, somebody who listens to us included: the next look may go well.
      looking = look(report).catch(report).then(lookAgain)
    }, interval).unref()
  }
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> = look((error) => {
    if (isPortTaken(error)) throw error
    report(error)
  })
  try {
    await looking
  } catch (error) {
    await closeAll()
    throw error
  }
  if (!loopbackOnly) lookAgain()
  return links
}
