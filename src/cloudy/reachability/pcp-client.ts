// PCP with the default gateway: maps, renews, checks and removes (RFC 6887). The octets are in pcp.ts, the socket in datagram.ts.
import { ask, type DatagramOptions } from './datagram.js'
import { type Epoch, isSamePcpEpoch } from './epoch.js'
import type { Gateway } from './gateway.js'
import { decodeAnnouncement as decodeNatPmpAnnouncement, saysNatPmp } from './nat-pmp.js'
import { decodeAnnouncement, decodeAnswer, encodeAnnounce, encodeMap, type PcpAnswer, type PcpQuestion } from './pcp.js'
import { type Failure, type FailureReason, failed, leased, type MappingProtocol, type Outcome, type Wish } from './protocol.js'

const ANY = '0.0.0.0'
const CHECK_INTERVAL = 60_000
/** Another address or port does not show in the router's clock: every so many looks, the mapping itself is asked for again. */
const CHECKS_PER_MAP = 5

/** Which results mean something of their own (RFC 6887 §7.4); any other is a refusal. */
const REASONS: Readonly<Record<string, FailureReason>> = {
  UNSUPP_VERSION: 'unsupported',
  UNSUPP_OPCODE: 'unsupported',
  UNSUPP_PROTOCOL: 'unsupported',
  NETWORK_FAILURE: 'no-address',
  CANNOT_PROVIDE_EXTERNAL: 'conflict',
  ADDRESS_MISMATCH: 'translated',
}

export interface PcpOptions extends DatagramOptions {
  readonly gateway: Gateway
  /** 12 octets by which the gateway knows our mapping again: the same for its renewals and its removal. */
  readonly nonce: Uint8Array
  /** Seconds; the process's monotonic clock by default. */
  readonly clock?: () => number
}

export function pcp({ gateway, nonce, clock = () => performance.now() / 1000, ...options }: PcpOptions): MappingProtocol {
  let last: Epoch | undefined
  let checks = 0
  /** Remembers the gateway's clock. @returns whether it has run on since the last answer */
  const runsOn = (server: number): boolean => {
    const now = { server, client: clock() }
    const same = last === undefined || isSamePcpEpoch(last, now)
    last = now
    return same
  }
  const put = (octets: Uint8Array, question: PcpQuestion, signal: AbortSignal): Promise<PcpAnswer | Failure> => {
    const read = (datagram: Uint8Array) => {
      if (saysNatPmp(datagram)) return failed('unsupported', 'the router knows NAT-PMP only')
      const answer = decodeAnswer(datagram, question)
      return answer.kind === 'ignored' ? undefined : answer
    }
    return ask<PcpAnswer | Failure>(gateway, { octets, read }, { ...options, signal })
  }
  const putMap = (wish: Wish, lifetime: number, suggestedAddress: string, signal: AbortSignal) => {
    const { internalPort, externalPort: suggestedPort } = wish
    const request = { clientAddress: gateway.localAddress, nonce, internalPort, suggestedPort, suggestedAddress, lifetime }
    return put(encodeMap(request), { nonce, internalPort }, signal)
  }
  const judge = (answer: PcpAnswer | Failure): Failure => {
    if (answer.kind === 'failed') return answer
    if (answer.kind !== 'refused') return failed('broken', 'the router answered something else than was asked')
    runsOn(answer.epoch)
    return failed(REASONS[answer.name] ?? 'refused', `the router answered ${answer.name}`)
  }
  const map = async (wish: Wish, signal: AbortSignal): Promise<Outcome> => {
    const answer = await putMap(wish, wish.lifetime, ANY, signal)
    if (answer.kind !== 'mapped') return judge(answer)
    runsOn(answer.epoch)
    const { externalAddress, externalPort, lifetime } = answer
    return leased({ externalAddress, externalPort, lifetime })
  }

  return {
    name: 'PCP',
    checkInterval: CHECK_INTERVAL,
    map,
    async check(wish, _grant, signal) {
      if (++checks % CHECKS_PER_MAP === 0) return map(wish, signal)
      const answer = await put(encodeAnnounce(gateway.localAddress), 'announce', signal)
      if (answer.kind !== 'alive' && answer.kind !== 'refused') return judge(answer)
      // An error has the clock in it, too.
      return runsOn(answer.epoch) ? { kind: 'kept' } : { kind: 'lost', detail: 'the router has started anew, or we have slept' }
    },
    async unmap(wish, _grant, signal) {
      // §15: with lifetime 0 both suggestions are zero.
      await putMap({ ...wish, externalPort: 0 }, 0, ANY, signal)
    },
    heard(datagram, grant) {
      const epoch = decodeAnnouncement(datagram)
      if (epoch !== undefined) return !runsOn(epoch)
      // The address is told in the older protocol only.
      const said = decodeNatPmpAnnouncement(datagram)
      return said && said.externalAddress !== grant.externalAddress
    },
  }
}
