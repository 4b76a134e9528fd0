// Multicast DNS as this folder speaks of it: records, packets, a voice on the link, and how names and records compare.
import type { RemoteInfo } from 'node:dgram'

/** The service type of calling cards. */
export const TYPE = '_cloudy._tcp.local'
/** Longest label of a DNS name, so longest instance name too, in octets (RFC 1035 §2.3.4). */
export const MAX_LABEL = 63
/** Longest name, in octets as a text with dots. */
const MAX_NAME = 253

interface Common {
  readonly name: string
  /** In seconds; 0 is a goodbye. */
  readonly ttl: number
  /** Older records of the same name and type are void: said of records with one owner only (RFC 6762 §10.2). */
  readonly flush?: boolean
}
export interface PointerRecord extends Common {
  readonly type: 'PTR'
  readonly data: string
}
export interface PlaceRecord extends Common {
  readonly type: 'SRV'
  readonly data: Place
}
export interface TextRecord extends Common {
  readonly type: 'TXT'
  readonly data: readonly Uint8Array[]
}
export interface AddressRecord extends Common {
  readonly type: 'A' | 'AAAA'
  readonly data: string
}
/** A record as the decoder gives it. Other types occur, and are passed over. */
export type DnsRecord = PointerRecord | PlaceRecord | TextRecord | AddressRecord

/** Where a service is. */
export interface Place {
  readonly port: number
  readonly target: string
  /** 0 unless given, as `weight`. */
  readonly priority?: number
  readonly weight?: number
}

export interface Question {
  readonly name: string
  readonly type: DnsRecord['type'] | 'ANY'
}

export interface Packet {
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
}

/** Where one asks everyone on the link, or on several, and hears what they say. */
export interface Voice {
  query(packet: { questions: readonly Question[]; authorities?: readonly DnsRecord[] }): void
  on(event: 'query' | 'response', listener: (packet: Packet, from: RemoteInfo) => void): unknown
  off(event: 'query' | 'response', listener: (packet: Packet, from: RemoteInfo) => void): unknown
}

/** A name for comparing: DNS knows no case in ASCII letters, and only there (RFC 6762 §16). */
export function folded(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** Whether a name can be asked about. */
export function isName(name: string): boolean {
  const size = (text: string) => Buffer.byteLength(text)
  return size(name) <= MAX_NAME && name.split('.').every((label) => size(label) >= 1 && size(label) <= MAX_LABEL)
}

/**
 * Orders what two hosts say about one name, as RFC 6762 §8.2.1 does: records sorted by type, then compared octet by octet; who has more to say is
 * later. Of types that nobody probes for, only the type is compared.
 */
export function orderOfRecords(a: readonly DnsRecord[], b: readonly DnsRecord[]): number {
  const [first, second] = [a, b].map((records) => records.map(octetsOf).sort(Buffer.compare)) as [Buffer[], Buffer[]]
  for (const [at, octets] of first.entries()) {
    const other = second[at]
    const order = other === undefined ? 1 : Buffer.compare(octets, other)
    if (order !== 0) return order
  }
  return first.length - second.length
}

/** Whether two records of one name and type say the same. */
export function saysTheSame(a: DnsRecord, b: DnsRecord): boolean {
  return octetsOf(a).equals(octetsOf(b))
}

/** Type and data of a record as octets in which equal data are equal; a target's name, in which case does not count, is folded. */
function octetsOf(record: DnsRecord): Buffer {
  const type = Buffer.of(TYPE_NUMBERS[record.type] ?? 0xff)
  if (record.type === 'TXT')
    return Buffer.concat([type, ...record.data.map((string) => Buffer.concat([Buffer.of(string.length & 0xff), string]))])
  if (record.type !== 'SRV') return Buffer.concat([type, Buffer.from(String(record.data))])
  const { priority = 0, weight = 0, port, target } = record.data
  const fixed = Buffer.alloc(6)
  for (const [at, number] of [priority, weight, port].entries()) fixed.writeUInt16BE(number & 0xffff, 2 * at)
  const labels = folded(target)
    .split('.')
    .map((label) => Buffer.from(label))
  return Buffer.concat([type, fixed, ...labels.map((label) => Buffer.concat([Buffer.of(label.length & 0xff), label]))])
}

const TYPE_NUMBERS: Readonly<Record<string, number>> = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33 }
