// NAT-PMP with the default gateway: maps, renews, checks and removes (RFC 6886). The octets are in nat-pmp.ts, the socket in datagram.ts.
import { ask, type DatagramOptions } from './datagram.js'
import { type Epoch, isSameNatPmpEpoch } from './epoch.js'
import type { Gateway } from './gateway.js'
import {
  decodeAnnouncement,
  decodeAnswer,
  encodeAddressRequest,
  encodeMapRequest,
  type NatPmpAnswer,
  type NatPmpQuestion,
} from './nat-pmp.js'
import { type Failure, type FailureReason, failed, leased, type MappingProtocol } from './protocol.js'

const CHECK_INTERVAL = 60_000

/** By result code (RFC 6886 §3.5); any other is a refusal. */
const REASONS: readonly (FailureReason | undefined)[] = [
  undefined,
  'unsupported',
  'refused',
  'no-address',
  'refused',
  'unsupported',
]

export interface NatPmpOptions extends DatagramOptions {
  readonly gateway: Gateway
  /** Seconds; the process's monotonic clock by default. */
  readonly clock?: () => number
}

export function natPmp({ gateway, clock = () => performance.now() / 1000, ...options }: NatPmpOptions): MappingProtocol {
  let last: Epoch | undefined
  /** Remembers the gateway's clock. @returns whether it has run on since the last answer */
  const runsOn = (server: number): boolean => {
    const now = { server, client: clock() }
    const same = last === undefined || isSameNatPmpEpoch(last, now)
    last = now
    return same
  }
  const put = (octets: Uint8Array, question: NatPmpQuestion, signal: AbortSignal): Promise<NatPmpAnswer | Failure> => {
    const read = (datagram: Uint8Array) => {
      const answer = decodeAnswer(datagram, question)
      return answer.kind === 'ignored' ? undefined : answer
    }
    return ask<NatPmpAnswer | Failure>(gateway, { octets, read }, { ...options, signal })
  }
  const judge = (answer: NatPmpAnswer | Failure): Failure => {
    if (answer.kind === 'failed') return answer
    if (answer.kind !== 'refused') return failed('broken', 'the router answered something else than was asked')
    runsOn(answer.epoch)
    return failed(REASONS[answer.code] ?? 'refused', `the router answered “${answer.name}”`)
  }

  return {
    name: 'NAT-PMP',
    checkInterval: CHECK_INTERVAL,
    async map({ internalPort, externalPort: suggestedPort, lifetime }, signal) {
      const place = await put(encodeAddressRequest(), 'address', signal)
      if (place.kind !== 'address') return judge(place)
      const answer = await put(encodeMapRequest({ internalPort, suggestedPort, lifetime }), { internalPort }, signal)
      if (answer.kind !== 'mapped') return judge(answer)
      runsOn(answer.epoch)
      const { externalPort } = answer
      return leased({ externalAddress: place.externalAddress, externalPort, lifetime: answer.lifetime })
    },
    async check(_wish, grant, signal) {
      const answer = await put(encodeAddressRequest(), 'address', signal)
      if (answer.kind !== 'address') return judge(answer)
      if (!runsOn(answer.epoch)) return { kind: 'lost', detail: 'the router has started anew, or we have slept' }
      if (answer.externalAddress !== grant.externalAddress) return { kind: 'lost', detail: 'the router has another address' }
      return { kind: 'kept' }
    },
    async unmap({ internalPort }, _grant, signal) {
      await put(encodeMapRequest({ internalPort, suggestedPort: 0, lifetime: 0 }), { internalPort }, signal)
    },
    heard(datagram, grant) {
      const said = decodeAnnouncement(datagram)
      return said === undefined ? undefined : !runsOn(said.epoch) || said.externalAddress !== grant.externalAddress
    },
  }
}
