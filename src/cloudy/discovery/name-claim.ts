// The name of a service: made lawful, then probed for on the link until one is free (RFC 6762 §8.1). A name that is taken later is not given up.
import { setTimeout as wait } from 'node:timers/promises'
import {
  folded,
  MAX_LABEL,
  type Mdns,
  orderOfPlaces,
  type Packet,
  type Place,
  type PlaceRecord,
  type SendDone,
  TYPE,
} from './records.js'

/** Names tried before giving up, `Ada`, `Ada (2)` …: after fifteen conflicts RFC 6762 §8.1 asks for patience. */
const MAX_NAMES = 15
/** After a random wait three probes, 250 ms apart (RFC 6762 §8.1). */
const PROBES = 3
const PROBE_INTERVAL = 250

/**
 * Finds a name that nobody on the link has: the one wished for, or that with a number behind it.
 * @throws Error when every name is taken
 */
export async function claimName(mdns: Mdns, sent: SendDone, wish: string, place: Place): Promise<string> {
  for (let attempt = 1; attempt <= MAX_NAMES; attempt++) {
    const instance = instanceName(wish, attempt === 1 ? '' : ` (${attempt})`)
    if (await isFree(mdns, sent, { name: `${instance}.${TYPE}`, type: 'SRV', ttl: 120, data: place })) return instance
  }
  throw new Error(`All of ${MAX_NAMES} names for the service are taken on this network`)
}

/** A text as an instance name: one label, without the dots that the library would cut it at and without control characters (RFC 6763 §4.1.1). */
export function instanceName(wish: string, suffix: string): string {
  const clean = wish
    .normalize('NFC')
    .replaceAll('.', '-')
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
  let name = ''
  for (const character of clean === '' ? 'cloudy' : clean) {
    if (Buffer.byteLength(name + character + suffix) > MAX_LABEL) break
    name += character
  }
  return name + suffix
}

/** Probes for a name. An answer about it takes it; of two that probe together, the one whose record is later in order goes on (RFC 6762 §8.2). */
async function isFree(mdns: Mdns, sent: SendDone, ours: PlaceRecord): Promise<boolean> {
  const fqdn = folded(ours.name)
  const taken = new AbortController()
  const onResponse = ({ answers, additionals }: Packet) => {
    if ([...answers, ...additionals].some(({ name, ttl }) => ttl > 0 && folded(name) === fqdn)) taken.abort()
  }
  const onQuery = ({ authorities }: Packet) => {
    for (const record of authorities)
      if (record.type === 'SRV' && folded(record.name) === fqdn && orderOfPlaces(record.data, ours.data) > 0) taken.abort()
  }
  mdns.on('response', onResponse)
  mdns.on('query', onQuery)
  const pause = (time: number) => wait(time, undefined, { ref: false, signal: taken.signal })
  try {
    await pause(Math.random() * PROBE_INTERVAL)
    for (let probe = 0; probe < PROBES; probe++) {
      mdns.query({ questions: [{ name: ours.name, type: 'ANY' }], authorities: [ours] }, sent)
      await pause(PROBE_INTERVAL)
    }
    return true
  } catch (error) {
    if (taken.signal.aborted) return false
    throw error
  } finally {
    mdns.off('response', onResponse)
    mdns.off('query', onQuery)
  }
}
