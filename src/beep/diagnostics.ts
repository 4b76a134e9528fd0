// What may be watched from outside, by `node:diagnostics_channel`; with NODE_DEBUG=beep the sessions are printed in the RFC's notation too.
import { channel } from 'node:diagnostics_channel'
import { debuglog, inspect } from 'node:util'
import type { Role } from './engine/core.js'
import type { CloseReason } from './errors.js'
import type { Session } from './session.js'
import { Trace } from './trace.js'

/** Published on `beep:session` when a session is up, its greetings exchanged. */
export interface SessionNotice {
  readonly session: Session
}
/** Published on `beep:end` when a session is over. */
export interface EndNotice {
  readonly session: Session
  readonly reason: CloseReason
}
/** Published on `beep:error`: what went wrong in a handler or a body without an ERR that says it, a violation, or what kept a session from beginning. */
export interface ErrorNotice {
  /** Undefined for what concerns none: a connection that was not accepted. */
  readonly session: Session | undefined
  readonly error: unknown
}
/** Published on `beep:octets` for all octets of a session as they pass. They must not be changed. */
export interface OctetsNotice {
  readonly session: Session
  /** Who said it. */
  readonly from: Role
  readonly octets: Uint8Array
}

const sessions = channel('beep:session')
const ends = channel('beep:end')
const errors = channel('beep:error')
const octetsPassed = channel('beep:octets')
const debug = debuglog('beep')
/** NODE_DEBUG is read once: asking each time would cost every chunk a call. */
const debugging = debug.enabled

/** The traces of the sessions alive, for NODE_DEBUG=beep. */
const traces = new WeakMap<Session, { readonly trace: Trace; readonly number: number }>()
let traced = 0

export function noteSession(session: Session): void {
  if (sessions.hasSubscribers) sessions.publish({ session } satisfies SessionNotice)
}

export function noteEnd(session: Session, reason: CloseReason): void {
  if (ends.hasSubscribers) ends.publish({ session, reason } satisfies EndNotice)
}

export function noteError(session: Session | undefined, error: unknown): void {
  if (debugging) debug('%s', inspect(error))
  if (errors.hasSubscribers) errors.publish({ session, error } satisfies ErrorNotice)
}

/** Whether anybody watches octets: asked before they are looked at, so that watching costs nothing when unused. */
export function watched(): boolean {
  return debugging || octetsPassed.hasSubscribers
}

export function noteOctets(session: Session, from: Role, octets: Uint8Array): void {
  if (debugging) {
    const known = traces.get(session) ?? { trace: new Trace(), number: ++traced }
    traces.set(session, known)
    const lines = known.trace.push(from, octets)
    if (lines !== '') debug('session %d, we are its %s\n%s', known.number, session.role, lines.trimEnd())
  }
  if (octetsPassed.hasSubscribers) octetsPassed.publish({ session, from, octets } satisfies OctetsNotice)
}
