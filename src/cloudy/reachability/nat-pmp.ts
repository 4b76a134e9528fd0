// NAT-PMP, the NAT Port Mapping Protocol (RFC 6886): octets of requests from values, values from octets of answers. No socket, no clock;
// nothing is thrown on what a stranger sends.

const VERSION = 0
const ADDRESS = 0
/** Opcode of a mapping of a TCP port (§3.3). */
const MAP_TCP = 2
/** Answers have it on top of the opcode (§3.5). */
const RESPONSE = 128
const ADDRESS_SIZE = 12
const MAP_SIZE = 16
/** Octets that an error has at least: version, opcode, result, epoch (§3.5). */
const ERROR_SIZE = 8

/** §3.5. */
export const NAT_PMP_RESULTS: readonly string[] = [
  'success',
  'unsupported version',
  'not authorized or refused',
  'network failure',
  'out of resources',
  'unsupported opcode',
]

/** A mapping asked for (§3.3). */
export interface NatPmpMapRequest {
  /** 1..65535. */
  readonly internalPort: number
  /** 0 when any will do. */
  readonly suggestedPort: number
  /** Seconds; 0 removes the mapping (§3.4). */
  readonly lifetime: number
}

/** What an answer has to be about: the public address, or the mapping of a port. */
export type NatPmpQuestion = 'address' | Pick<NatPmpMapRequest, 'internalPort'>

export type NatPmpAnswer =
  | { readonly kind: 'address'; readonly epoch: number; readonly externalAddress: string }
  | { readonly kind: 'mapped'; readonly epoch: number; readonly externalPort: number; readonly lifetime: number }
  | { readonly kind: 'refused'; readonly code: number; readonly name: string; readonly epoch: number }
  /** Not an answer to us, or not one at all. */
  | { readonly kind: 'ignored'; readonly reason: string }

/** Asks for the public address (§3.2). */
export function encodeAddressRequest(): Uint8Array {
  return Uint8Array.of(VERSION, ADDRESS)
}

/** Asks for a mapping of a TCP port, for its renewal or, with lifetime 0, for its removal. */
export function encodeMapRequest({ internalPort, suggestedPort, lifetime }: NatPmpMapRequest): Uint8Array {
  const octets = Buffer.alloc(12)
  octets.writeUInt8(VERSION, 0)
  octets.writeUInt8(MAP_TCP, 1)
  octets.writeUInt16BE(internalPort, 4)
  octets.writeUInt16BE(suggestedPort, 6)
  octets.writeUInt32BE(lifetime, 8)
  return octets
}

/** Judges a datagram from the gateway (§3.2, §3.3, §3.5). */
export function decodeAnswer(datagram: Uint8Array, question: NatPmpQuestion): NatPmpAnswer {
  const octets = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length)
  const ignored = (reason: string): NatPmpAnswer => ({ kind: 'ignored', reason })
  if (octets.length < ERROR_SIZE || octets.length > MAP_SIZE) return ignored(`it has ${octets.length} octets`)
  if (octets[0] !== VERSION) return ignored(`it is of version ${octets[0]}`)
  const opcode = question === 'address' ? ADDRESS : MAP_TCP
  if (octets[1] !== RESPONSE + opcode) return ignored(`it is about opcode ${octets[1]}`)
  const code = octets.readUInt16BE(2)
  const epoch = octets.readUInt32BE(4)
  // Beyond the epoch, what an error carries is not defined.
  if (code !== 0) return { kind: 'refused', code, name: NAT_PMP_RESULTS[code] ?? `result ${code}`, epoch }
  if (octets.length !== (question === 'address' ? ADDRESS_SIZE : MAP_SIZE)) return ignored(`it has ${octets.length} octets`)
  if (question === 'address') return { kind: 'address', epoch, externalAddress: octets.subarray(8).join('.') }
  if (octets.readUInt16BE(8) !== question.internalPort) return ignored('it is about another port')
  return { kind: 'mapped', epoch, externalPort: octets.readUInt16BE(10), lifetime: octets.readUInt32BE(12) }
}

/** The epoch and address in what a gateway tells everybody, unasked, when either changed (§3.2.1), or undefined. */
export function decodeAnnouncement(datagram: Uint8Array): { epoch: number; externalAddress: string } | undefined {
  const answer = decodeAnswer(datagram, 'address')
  return answer.kind === 'address' ? answer : undefined
}

/**
 * Whether a datagram is a NAT-PMP gateway's answer to a request of a version that it does not know, such as PCP's: it speaks this protocol, and
 * asking it in the other again is useless (§3.5; RFC 6887 appendix A).
 */
export function saysNatPmp(datagram: Uint8Array): boolean {
  const octets = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length)
  if (octets.length < ERROR_SIZE || octets.length > MAP_SIZE) return false
  return octets[0] === VERSION && octets[1]! >= RESPONSE && octets.readUInt16BE(2) === 1
}
