// The name of a service: made lawful, then probed for until one is free (RFC 6762 §8.1).
import { setTimeout as wait } from 'node:timers/promises'
import { type DnsRecord, folded, MAX_LABEL, orderOfRecords, type Packet, type Voice } from './records.js'

/** Names tried in a row, `Ada`, `Ada (2)` …: after fifteen conflicts RFC 6762 §8.1 asks for patience. */
export const MAX_NAMES = 15
/** After a random wait three probes, 250 ms apart (RFC 6762 §8.1). */
const PROBES = 3
const PROBE_INTERVAL = 250

/** What a name is claimed for. */
export interface Claim {
  /** The name wished for. */
  readonly wish: string
  /** Those records that only the owner of the name may have, under a name. */
  records(instance: string): readonly DnsRecord[]
  readonly signal: AbortSignal
}

/**
 * Finds a name that nobody has: the one wished for, or that with a number behind it.
 * @param first 1 for the name wished for, N for `Ada (N)`
 * @returns the name and its number
 * @throws Error when every name is taken, or the signal fires
 */
export async function claimName(voice: Voice, claim: Claim, first = 1): Promise<{ instance: string; number: number }> {
  for (let number = first; number < first + MAX_NAMES; number++) {
    const instance = instanceName(claim.wish, number === 1 ? '' : ` (${number})`)
    if (await isFree(voice, claim.records(instance), claim.signal)) return { instance, number }
  }
  throw new Error(`All of ${MAX_NAMES} names for the service are taken on this network`)
}

/**
 * A text as an instance name: one label of Unicode, without the dots that the library would cut it at and without control characters (RFC 6763
 * §4.1.1).
 */
export function instanceName(wish: string, suffix: string): string {
  const clean = wish
    .replace(/\p{Cs}/gu, '\ufffd')
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

/**
 * Probes for a name. An answer about it takes it; of two that probe together, the one whose records are later in order goes on (RFC 6762 §8.2). What
 * was said before our first probe counts for nothing (§8.1).
 * @param patience milliseconds before the first probe, beside a random wait
 */
export async function isFree(voice: Voice, ours: readonly DnsRecord[], signal: AbortSignal, patience = 0): Promise<boolean> {
  const name = ours[0]?.name ?? ''
  const fqdn = folded(name)
  const taken = new AbortController()
  const onResponse = ({ answers, additionals }: Packet) => {
    if ([...answers, ...additionals].some((record) => record.ttl > 0 && folded(record.name) === fqdn)) taken.abort()
  }
  const onQuery = ({ authorities }: Packet) => {
    const theirs = authorities.filter((record) => folded(record.name) === fqdn)
    if (theirs.length > 0 && orderOfRecords(theirs, ours) > 0) taken.abort()
  }
  const pause = (time: number) => wait(time, undefined, { ref: false, signal: AbortSignal.any([taken.signal, signal]) })
  try {
    await pause(patience + Math.random() * PROBE_INTERVAL)
    voice.on('response', onResponse)
    voice.on('query', onQuery)
    for (let probe = 0; probe < PROBES; probe++) {
      voice.query({ questions: [{ name, type: 'ANY' }], authorities: ours })
      await pause(PROBE_INTERVAL)
    }
    return true
  } catch (error) {
    if (taken.signal.aborted && !signal.aborted) return false
    throw error
  } finally {
    voice.off('response', onResponse)
    voice.off('query', onQuery)
  }
}
