// PCP, the Port Control Protocol (RFC 6887): octets of requests from values, values from octets of answers. No socket, no clock; nothing is
// thrown on what a stranger sends.
import { isIPv4 } from 'node:net'

export const PCP_VERSION = 2
/** Octets of a nonce (§11.1): random, it tells that an answer is to us, and a mapping is ours. */
export const NONCE_SIZE = 12
/** Largest datagram (§7). */
const MAX_SIZE = 1100
const HEADER = 24
const MAP_SIZE = HEADER + 36
const ANNOUNCE = 0
const MAP = 1
/** The R bit: an answer. */
const RESPONSE = 0x80
/** IANA's number of TCP, on which BEEP runs. */
const TCP = 6

/** §7.4. */
export const PCP_RESULTS: readonly string[] = [
  'SUCCESS',
  'UNSUPP_VERSION',
  'NOT_AUTHORIZED',
  'MALFORMED_REQUEST',
  'UNSUPP_OPCODE',
  'UNSUPP_OPTION',
  'MALFORMED_OPTION',
  'NETWORK_FAILURE',
  'NO_RESOURCES',
  'UNSUPP_PROTOCOL',
  'USER_EX_QUOTA',
  'CANNOT_PROVIDE_EXTERNAL',
  'ADDRESS_MISMATCH',
  'EXCESSIVE_REMOTE_PEERS',
]

/** A mapping asked for (§11.1). */
export interface PcpMapRequest {
  /** Our address as the gateway sees it; the answer is ADDRESS_MISMATCH when it is another. IPv4. */
  readonly clientAddress: string
  readonly nonce: Uint8Array
  /** 1..65535. */
  readonly internalPort: number
  /** 0 when any will do. */
  readonly suggestedPort: number
  /** IPv4; 0.0.0.0 when any will do. */
  readonly suggestedAddress: string
  /** Seconds; 0 removes the mapping (§15). */
  readonly lifetime: number
}

/** What an answer has to be about. */
export type PcpQuestion = Pick<PcpMapRequest, 'nonce' | 'internalPort'> | 'announce'

export type PcpAnswer =
  | {
      readonly kind: 'mapped'
      readonly epoch: number
      readonly lifetime: number
      readonly externalPort: number
      readonly externalAddress: string
    }
  | { readonly kind: 'alive'; readonly epoch: number }
  /** `lifetime`: seconds for which the same error will be given again. */
  | { readonly kind: 'refused'; readonly code: number; readonly name: string; readonly lifetime: number; readonly epoch: number }
  /** Not an answer to us, or not one at all: to be silently ignored (§8.3). */
  | { readonly kind: 'ignored'; readonly reason: string }

/** Asks for a mapping of a TCP port, for its renewal or, with lifetime 0, for its removal. */
export function encodeMap(request: PcpMapRequest): Uint8Array {
  const { clientAddress, nonce, internalPort, suggestedPort, suggestedAddress, lifetime } = request
  if (nonce.length !== NONCE_SIZE) throw new RangeError(`A nonce has ${NONCE_SIZE} octets; got ${nonce.length}`)
  const octets = Buffer.alloc(MAP_SIZE)
  writeHeader(octets, MAP, lifetime, clientAddress)
  octets.set(nonce, HEADER)
  octets.writeUInt8(TCP, HEADER + 12)
  octets.writeUInt16BE(internalPort, HEADER + 16)
  octets.writeUInt16BE(suggestedPort, HEADER + 18)
  writeAddress(octets, HEADER + 20, suggestedAddress)
  return octets
}

/** Asks for nothing but an answer, which has the epoch in it (§14.1). */
export function encodeAnnounce(clientAddress: string): Uint8Array {
  const octets = Buffer.alloc(HEADER)
  writeHeader(octets, ANNOUNCE, 0, clientAddress)
  return octets
}

/** Judges a datagram from the gateway (§8.3, §11.4). */
export function decodeAnswer(datagram: Uint8Array, question: PcpQuestion): PcpAnswer {
  const octets = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length)
  const opcode = question === 'announce' ? ANNOUNCE : MAP
  const flaw = headerFlaw(octets, opcode)
  if (flaw !== undefined) return { kind: 'ignored', reason: flaw }
  const code = octets.readUInt8(3)
  const lifetime = octets.readUInt32BE(4)
  const epoch = octets.readUInt32BE(8)
  const refused = code === 0 ? undefined : { kind: 'refused' as const, code, name: resultName(code), lifetime, epoch }
  // A server of another version says which it speaks, and can repeat nothing of ours (§9).
  if (refused?.name === 'UNSUPP_VERSION') return refused
  if (octets[0] !== PCP_VERSION) return { kind: 'ignored', reason: `it is of version ${octets[0]}` }
  if (question === 'announce') return refused ?? { kind: 'alive', epoch }
  const foreign = mapFlaw(octets, question)
  if (foreign !== undefined) return { kind: 'ignored', reason: foreign }
  if (refused !== undefined) return refused
  const externalAddress = readAddress(octets, HEADER + 20)
  if (externalAddress === undefined) return { kind: 'ignored', reason: 'its external address is not of IPv4' }
  return { kind: 'mapped', epoch, lifetime, externalPort: octets.readUInt16BE(HEADER + 18), externalAddress }
}

/** The epoch in what a server tells everybody, unasked, when it has started (§14.1.2), or undefined. */
export function decodeAnnouncement(datagram: Uint8Array): number | undefined {
  const answer = decodeAnswer(datagram, 'announce')
  return answer.kind === 'alive' ? answer.epoch : undefined
}

function writeHeader(octets: Buffer, opcode: number, lifetime: number, clientAddress: string): void {
  octets.writeUInt8(PCP_VERSION, 0)
  octets.writeUInt8(opcode, 1)
  octets.writeUInt32BE(lifetime, 4)
  writeAddress(octets, 8, clientAddress)
}

function headerFlaw(octets: Buffer, opcode: number): string | undefined {
  // A gateway that knows NAT-PMP alone answers in 8 octets, of version 0 (RFC 6886 §3.5): that is `saysNatPmp`, not this.
  if (octets.length < HEADER || octets.length > MAX_SIZE || octets.length % 4 !== 0) return `it has ${octets.length} octets`
  const second = octets.readUInt8(1)
  if ((second & RESPONSE) === 0) return 'it is a request'
  if ((second & ~RESPONSE) !== opcode) return `it is about opcode ${second & ~RESPONSE}`
  return undefined
}

function mapFlaw(octets: Buffer, { nonce, internalPort }: Exclude<PcpQuestion, 'announce'>): string | undefined {
  if (octets.length < MAP_SIZE) return `it has ${octets.length} octets`
  if (!octets.subarray(HEADER, HEADER + NONCE_SIZE).equals(nonce)) return 'its nonce is not ours'
  if (octets.readUInt8(HEADER + 12) !== TCP) return 'it is about another protocol than TCP'
  if (octets.readUInt16BE(HEADER + 16) !== internalPort) return 'it is about another port'
  return undefined
}

function resultName(code: number): string {
  return PCP_RESULTS[code] ?? `result ${code}`
}

/** An IPv4 address in the form of IPv6 (§5). */
function writeAddress(octets: Buffer, at: number, address: string): void {
  if (!isIPv4(address)) throw new RangeError(`This needs an IPv4 address, not ${address}`)
  octets.writeUInt16BE(0xffff, at + 10)
  octets.set(address.split('.').map(Number), at + 12)
}

const PREFIX = Buffer.from('00000000000000000000ffff', 'hex')

function readAddress(octets: Buffer, at: number): string | undefined {
  return octets.subarray(at, at + 12).equals(PREFIX) ? octets.subarray(at + 12, at + 16).join('.') : undefined
}
