// The life of a mapping as data: what it is now, what comes next and when. No clock, no timer, no network: events in, the next state out.
import type { Grant, ProtocolName } from './protocol.js'

/** A port of the router that leads to ours. */
export interface Mapping extends Grant {
  readonly protocol: ProtocolName
  /** The router's address on our side. */
  readonly gateway: string
  readonly internalPort: number
}

/** What the mapper does next. */
export type Operation = 'seek' | 'renew' | 'check'

export type MapperEvent =
  | { readonly kind: 'started' }
  /** A router granted a mapping, the first or a renewed one. */
  | { readonly kind: 'granted'; readonly mapping: Mapping; readonly checkInterval: number }
  /** Nobody grants one; `final` when what there was is gone too. */
  | { readonly kind: 'failed'; readonly final: boolean }
  | { readonly kind: 'checked'; readonly checkInterval: number }
  | { readonly kind: 'unchecked' }
  /** The router has started anew, or has another address: the mapping has to be asked for again, after `delay` milliseconds. */
  | { readonly kind: 'doubted'; readonly delay: number }
  /** Our address or the gateway is another. */
  | { readonly kind: 'networkChanged' }
  | { readonly kind: 'stopped' }

/** All times are milliseconds on one clock. */
export type MapperState =
  | { readonly phase: 'off' }
  /** Nothing is mapped, and routers are asked at `at`; `failures` in a row came before. */
  | { readonly phase: 'seeking'; readonly at: number; readonly failures: number }
  | {
      readonly phase: 'mapped'
      readonly mapping: Mapping
      readonly expires: number
      readonly renewAt: number
      readonly checkAt: number
      /** Looks in a row that nobody answered. */
      readonly unanswered: number
      /** The router is believed to have forgotten it: when it is not granted again, it is lost. */
      readonly doubted: boolean
    }

/** Milliseconds until routers are asked again after a failure: twice as long after each. */
const FIRST_REST = 15_000
const LONGEST_REST = 900_000
/**
 * A renewal comes at half of the lease, and one that failed is tried again at half of what is left, but never within four seconds (RFC 6887 §11.2.1):
 * of a lease that is shorter than that, the mapping is not there all the time.
 */
const SHORTEST_RENEWAL = 4000
/** A lease without end is renewed this often, in case the router forgot it. */
const ENDLESS_RENEWAL = 3_600_000
/** Looks that nobody answers before the mapping is doubted, and the time between them. */
const MAX_UNANSWERED = 3
const UNANSWERED_INTERVAL = 10_000

export const OFF: MapperState = { phase: 'off' }

/** The next state. An event that comes at the wrong time changes nothing. */
export function step(state: MapperState, event: MapperEvent, now: number): MapperState {
  if (event.kind === 'stopped') return OFF
  if (state.phase === 'off') return event.kind === 'started' ? { phase: 'seeking', at: now, failures: 0 } : state
  switch (event.kind) {
    case 'started':
      return state
    case 'networkChanged':
      return { phase: 'seeking', at: now, failures: 0 }
    case 'granted':
      return mapped(event, now)
    case 'failed':
      return state.phase === 'mapped' && !event.final && !state.doubted ? renewalFailed(state, now) : rest(state, now)
    default:
      return state.phase === 'mapped' ? looked(state, event, now) : state
  }
}

/** What is due, and when; undefined when nothing is. */
export function next(state: MapperState): { readonly operation: Operation; readonly at: number } | undefined {
  if (state.phase === 'off') return undefined
  if (state.phase === 'seeking') return { operation: 'seek', at: state.at }
  return state.renewAt <= state.checkAt ? { operation: 'renew', at: state.renewAt } : { operation: 'check', at: state.checkAt }
}

export function mappingOf(state: MapperState): Mapping | undefined {
  return state.phase === 'mapped' ? state.mapping : undefined
}

/** Whether the world reaches us by another address or port than before. */
export function isElsewhere(before: Mapping, after: Mapping): boolean {
  return before.externalAddress !== after.externalAddress || before.externalPort !== after.externalPort
}

type Mapped = Extract<MapperState, { phase: 'mapped' }>

function mapped({ mapping, checkInterval }: Extract<MapperEvent, { kind: 'granted' }>, now: number): MapperState {
  const lifetime = mapping.lifetime === 0 ? Number.POSITIVE_INFINITY : mapping.lifetime * 1000
  const renewAt = now + Math.max(Math.min(lifetime / 2, ENDLESS_RENEWAL), SHORTEST_RENEWAL)
  return {
    phase: 'mapped',
    mapping,
    expires: now + lifetime,
    renewAt,
    checkAt: now + checkInterval,
    unanswered: 0,
    doubted: false,
  }
}

function renewalFailed(state: Mapped, now: number): MapperState {
  const left = state.expires - now
  if (left <= SHORTEST_RENEWAL) return { phase: 'seeking', at: now, failures: 0 }
  const pause = Math.min(Math.max(left / 2, SHORTEST_RENEWAL), ENDLESS_RENEWAL)
  // The failure may be that of a look: it is not due again at once.
  return { ...state, renewAt: now + pause, checkAt: Math.max(state.checkAt, now + UNANSWERED_INTERVAL) }
}

function rest(state: MapperState, now: number): MapperState {
  const failures = (state.phase === 'seeking' ? state.failures : 0) + 1
  return { phase: 'seeking', at: now + Math.min(FIRST_REST * 2 ** (failures - 1), LONGEST_REST), failures }
}

function looked(state: Mapped, event: MapperEvent, now: number): MapperState {
  if (event.kind === 'checked') return { ...state, checkAt: now + event.checkInterval, unanswered: 0 }
  if (event.kind === 'doubted') return state.doubted ? state : doubted(state, now + event.delay)
  const unanswered = state.unanswered + 1
  if (unanswered >= MAX_UNANSWERED) return doubted(state, now)
  return { ...state, unanswered, checkAt: now + UNANSWERED_INTERVAL }
}

/** Another look would tell nothing new. */
function doubted(state: Mapped, renewAt: number): MapperState {
  return { ...state, doubted: true, renewAt: Math.min(state.renewAt, renewAt), checkAt: Number.POSITIVE_INFINITY }
}
