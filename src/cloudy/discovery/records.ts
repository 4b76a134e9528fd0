// Multicast DNS as this folder speaks of it: records, packets, and the part of a sender that is used. Types, and how names compare.
import type { RemoteInfo } from 'node:dgram'
import type { EventEmitter } from 'node:events'

/** The service type of calling cards. */
export const TYPE = '_cloudy._tcp.local'
/** Longest label of a DNS name, so longest instance name too, in octets (RFC 1035 §2.3.4). */
export const MAX_LABEL = 63

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

export type SendDone = (error?: Error | null) => void

interface MdnsEvents {
  query: [Packet, RemoteInfo]
  response: [Packet, RemoteInfo]
  /** Nothing can be sent or heard, for instance because the port cannot be shared. */
  error: [Error]
  /** A failure that may pass, or a datagram that is not DNS. */
  warning: [Error]
  ready: []
  /** An interface has joined. */
  networkInterface: []
}

/** Sends queries and responses to everyone on the link, and hears theirs. */
export interface Mdns extends EventEmitter<MdnsEvents> {
  query(packet: { questions: readonly Question[]; authorities?: readonly DnsRecord[] }, done: SendDone): void
  respond(answers: readonly DnsRecord[], done: SendDone): void
  /** Joins the interfaces that are new. */
  update(): void
}

/** A name for comparing: DNS knows no case in ASCII letters, and only there (RFC 6762 §16). */
export function folded(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** Orders places as their octets in a record are ordered, as far as priority and weight are 0. */
export function orderOfPlaces(a: Place, b: Place): number {
  return a.port - b.port || Buffer.compare(Buffer.from(folded(a.target)), Buffer.from(folded(b.target)))
}
