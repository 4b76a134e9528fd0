// Runs cases against a target: each on fresh connections, in bounded time, and judged twice, by what was said and by how it ended.
import fc from 'fast-check'
import type { Case } from './case.js'
import { Connection } from './connection.js'
import { type Expectations, knownDeviation } from './expectations.js'
import { Failure, Unreachable, Unsupported } from './failure.js'
import { Peer } from './peer.js'
import type { CaseResult, Ending, LogEntry, Outcome, Results } from './results.js'
import { DYING, type Target } from './target.js'

export interface RunOptions {
  readonly target: Target
  /** For people: what is being tested. */
  readonly name: string
  /** URI of the profile that echoes. */
  readonly profile: string
  readonly cases: readonly Case[]
  /** The case that runs first and last; by default an echo. */
  readonly sanity?: Case | undefined
  /** Samples of a property. */
  readonly samples?: number | undefined
  /** Milliseconds that anything awaited may take. */
  readonly patience: number
  /** Cases that run at a time; an initiator is awaited by one case at a time. */
  readonly concurrency: number
  readonly seed: number
  readonly strict: boolean
  /** The target offers the TLS profile, and that is to be tested. */
  readonly tls: boolean
  readonly expectations?: Expectations | undefined
  /** Stops the run: cases under way are given up, and those that have not begun are not run. */
  readonly signal?: AbortSignal | undefined
  /** Told of each case that begins and of each that has ended; once more of one when the target turns out to have died of it. */
  onBegin?(one: Case): void
  onResult?(result: CaseResult, done: number, total: number): void
}

/** Samples of a property, unless somebody says otherwise, and how long they may take together, in milliseconds: time may end them, but not before the least number. */
const SAMPLES = 25
const LEAST_SAMPLES = 20
const SAMPLES_TIME = 10_000
/** Time for shrinking a sample that fails. */
const SHRINKING_TIME = 10_000
/** Milliseconds that a target has between two samples, or behind a case that left the connection open, to be seen dead. */
const GLANCE = 3
/** A case that takes longer than this many patiences is given up, whatever it does. */
const PATIENCES = 12

/** After so many cases in a row that waited in vain the sanity case tells whether the target hangs. */
const LATE = 3

/** The case that runs first and last, unless the suite has its own. */
const SANITY: Case = {
  id: 'rfc3080/2.1/sanity',
  section: 'rfc3080/2.1',
  sectionTitle: 'Roles',
  slug: 'sanity',
  level: 'MUST',
  title: 'an ordinary session',
  judges: [],
  quote: '',
  sends: 'greetings, a channel, an echo',
  expects: 'the message comes back',
  async run(peer) {
    const channel = await peer.channel()
    if (peer.target === 'listener') await peer.echo(channel, 1)
    else await peer.asked(channel)
    return undefined
  },
}

/** Of a case that the end of the run kept from its own. */
const STOPPED = 'the run was stopped'

/** The target could not be tested at all. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun'
}

/**
 * Runs the suite.
 * @throws CannotRun when the sanity case does not pass at the beginning
 */
export async function run(options: RunOptions): Promise<Results> {
  const { target, cases, sanity = SANITY } = options
  const began = new Date()
  const results = new Map<Case, CaseResult>()
  const { result: first } = await judge(sanity, options)
  if (options.signal?.aborted) throw new CannotRun('The run was stopped before its first case')
  if (first.outcome !== 'passed') throw new CannotRun(`The target does not pass the sanity case (${sanity.sends}): ${first.saw}`)
  let died: string | undefined
  let late = 0
  // Of cases that run at a time none could be charged with the death of a program.
  const workers = target.role === 'initiator' || target.lost !== undefined ? 1 : Math.max(1, options.concurrency)
  /** The cases that ended last: when the target is gone, or hangs, it is one of these that it did not survive. */
  const recent: Judged[] = []
  const stopped = (when: string) => {
    died = when
    for (const { one, trial } of recent)
      if (trial.whole !== undefined) results.set(one, { ...results.get(one)!, last: true, log: trial.whole() })
  }
  /** That it had died of the case before was seen when it was started anew. */
  const fell = (before: string | undefined) => {
    const previous = recent.at(-1)
    if (before === undefined || previous === undefined) return
    const { one, trial, result } = previous
    const again = verdict(one, fallen(trial, before), result.milliseconds, options)
    results.set(one, again.result)
    options.onResult?.(again.result, results.size, cases.length)
  }
  const pending = [...cases]
  const work = async () => {
    for (let one = pending.shift(); one !== undefined; one = pending.shift()) {
      const stop = died !== undefined ? `the target is gone: ${died}` : options.signal?.aborted ? STOPPED : undefined
      if (stop === undefined) options.onBegin?.(one)
      const judged = stop === undefined ? await judge(one, options) : notRun(one, stop)
      const { result, trial } = judged
      fell(trial.before)
      late = result.ending === 'timeout' ? late + 1 : 0
      results.set(one, result)
      // What was stopped by us says nothing about the target.
      const ours = options.signal?.aborted ?? false
      if (result.outcome === 'not-run') {
        if (died === undefined && !ours) stopped(`noticed in ${one.id}: ${result.saw}`)
      } else if (trial.whole !== undefined) {
        recent.push(judged)
        if (recent.length > LATE + workers) recent.shift()
      }
      if (late >= LATE && died === undefined && !ours) {
        late = 0
        const { result: again, trial } = await judge(sanity, options)
        const { outcome, saw } = again
        fell(trial.before)
        if (outcome !== 'passed') stopped(`noticed after ${one.id}: ${saw}`)
      }
      options.onResult?.(result, results.size, cases.length)
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  if (died === undefined && options.signal?.aborted !== true) {
    const { result: last, trial } = await judge(sanity, options)
    fell(trial.before)
    if (last.outcome !== 'passed') stopped(`the sanity case does not pass any more: ${last.saw}`)
  }
  return {
    format: 'beep-conformance-results',
    version: 1,
    target: { name: options.name, place: target.place, role: target.role },
    began: began.toISOString(),
    seconds: Math.round((Date.now() - began.getTime()) / 100) / 10,
    seed: options.seed,
    strict: options.strict,
    ...(died === undefined ? {} : { died }),
    cases: cases.map((one) => results.get(one)!),
  }
}

/** What became of a case, and of what it was concluded. */
interface Judged {
  readonly one: Case
  readonly trial: Trial
  readonly result: CaseResult
}

/** How far a case came. */
interface Trial {
  readonly outcome: Outcome
  readonly saw: string
  readonly ending?: Ending | undefined
  readonly log?: readonly LogEntry[]
  /** The log without its bounds, for the case that the target died of it. */
  readonly whole?: () => readonly LogEntry[]
  readonly samples?: number
  readonly counterexample?: string
  /** How the target's program had ended before the case connected: it is the case before that it died of. */
  readonly before?: string | undefined
}

function notRun(one: Case, saw: string): Judged {
  const trial: Trial = { outcome: 'not-run', saw }
  return { one, trial, result: resultOf(one, trial) }
}

async function judge(one: Case, options: RunOptions): Promise<Judged> {
  const began = performance.now()
  const missing = unsupported(one, options)
  let trial: Trial =
    missing !== undefined
      ? { outcome: 'unsupported', saw: missing }
      : one.samples === undefined
        ? await attempt(one, undefined, options)
        : await sample(one, one.samples, options)
  // One that ended the connection may have died of the case, and one that did not may die of how it ended.
  if (trial.ending !== undefined) trial = fallen(trial, await options.target.lost?.(trial.ending === 'open' ? GLANCE : DYING))
  return verdict(one, trial, Math.round(performance.now() - began), options)
}

function verdict(one: Case, trial: Trial, milliseconds: number, { expectations }: RunOptions): Judged {
  const known = knownDeviation(expectations, one.id)
  const fails = trial.outcome === 'failed' || trial.outcome === 'weak'
  const result = {
    ...resultOf(one, trial),
    milliseconds,
    ...(known !== undefined && fails ? { known: known.reason } : {}),
    ...(known?.sometimes === false && trial.outcome === 'passed' ? { mended: true } : {}),
  }
  return { one, trial, result }
}

/** The trial of which the target died, if it did: all that was exchanged until then is in its log. */
function fallen(trial: Trial, lost: string | undefined): Trial {
  if (lost === undefined) return trial
  const saw = `${trial.saw === '' ? '' : `${trial.saw}; `}${lost}`
  return { ...trial, outcome: 'failed', saw, log: trial.whole?.() ?? [] }
}

function unsupported(one: Case, { target, tls }: RunOptions): string | undefined {
  if (one.of !== undefined && one.of !== target.role) return `it is about ${one.of}s, and the target is the ${target.role}`
  if (one.needs === 'tls' && !tls) return 'the TLS profile is tested with --tls only'
  return undefined
}

function resultOf(one: Case, trial: Trial): CaseResult {
  const { id, title, level, judges, quote, sends, expects } = one
  const { outcome, saw, ending = 'none', log = [], whole: _, before: __, ...rest } = trial
  return { id, title, level, judges, quote, sends, expects, outcome, saw, ending, milliseconds: 0, ...rest, log }
}

/** One run of a case on a connection of its own. */
async function attempt(one: Case, value: unknown, { target, profile, patience, signal }: RunOptions): Promise<Trial> {
  const connections: Connection[] = []
  const peers: Peer[] = []
  let over = false
  let before: string | undefined
  const open = async (): Promise<Peer> => {
    const stream = await target.open(patience).catch((error: Error) => {
      // It took one connection, so it is there, and takes no other.
      throw error instanceof Unreachable && connections.length > 0 ? new Failure(`one connection more: ${error.message}`) : error
    })
    if (connections.length === 0) before = target.fell?.()
    const connection = new Connection(stream, target.role === 'listener' ? 'I' : 'L', patience)
    connections.push(connection)
    if (over) connection.destroy()
    const peer = new Peer(connection, target.role, profile, open)
    peers.push(peer)
    return peer
  }
  let timer: NodeJS.Timeout | undefined
  let onAbort: (() => void) | undefined
  try {
    const givenUp = new Promise<never>((_, reject) => {
      onAbort = () => reject(new Unreachable(STOPPED))
      signal?.addEventListener('abort', onAbort)
      if (signal?.aborted) onAbort()
    })
    const running = open().then((peer) => {
      if (over) return undefined
      const late = new Failure(`the case took longer than ${PATIENCES * patience} ms`, 'timeout')
      const timeUp = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(late), PATIENCES * patience)
      })
      return Promise.race([one.run(peer, value), timeUp])
    })
    // When it was stopped nobody waits for it any more; what it says then is of no interest.
    running.catch(() => {})
    const saw = await Promise.race([running, givenUp])
    const [{ ending, log }] = connections as [Connection]
    return { outcome: 'passed', saw: saw ?? '', ending, log: log.entries, whole: () => wholeOf(connections), before }
  } catch (error) {
    const log = connections[0]?.log.entries ?? []
    const ending = connections[0]?.ending
    const whole = () => wholeOf(connections)
    if (error instanceof Unsupported) return { outcome: 'unsupported', saw: error.message, ending, log, whole, before }
    if (error instanceof Unreachable) return { outcome: 'not-run', saw: error.message, log: whole(), before }
    if (error instanceof Failure) {
      const outcome = one.level === 'SHOULD' ? 'weak' : 'failed'
      const how = error.ending ?? ending
      return { outcome, saw: explained(error.message, peers, how), ending: how, log, whole, before }
    }
    // A fault of the case itself: never silently the target's.
    throw new Error(`The case ${one.id} failed in itself: ${(error as Error).message}`, { cause: error })
  } finally {
    clearTimeout(timer)
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort)
    over = true
    for (const connection of connections) connection.destroy()
  }
}

/** All that was said, on one connection after the other. */
function wholeOf(connections: readonly Connection[]): LogEntry[] {
  return connections.flatMap(({ log }, at) => [...(at === 0 ? [] : [{ at: 0, note: `connection ${at + 1}` }]), ...log.whole])
}

/** What a case saw, and what else its peers know that may be why. */
function explained(saw: string, peers: readonly Peer[], ending: Ending | undefined): string {
  const remarks = new Set(peers.flatMap((peer) => peer.remarks(ending)))
  return [saw, ...[...remarks].filter((each) => !saw.includes(each))].join('; ')
}

/** Many samples of a property, and of those that fail the smallest that was found. */
async function sample(one: Case, samples: fc.Arbitrary<unknown>, options: RunOptions): Promise<Trial> {
  let tried = 0
  let failed: Trial | undefined
  let last: Trial | undefined
  let lastValue: unknown
  let before: string | undefined
  let other: Trial | undefined
  let fault: unknown
  const began = performance.now()
  let failedAt = 0
  const property = fc.asyncProperty(samples, async (value) => {
    if (other !== undefined || fault !== undefined) return true
    if (failed === undefined && tried >= LEAST_SAMPLES && performance.now() - began > SAMPLES_TIME) return true
    if (failed !== undefined && performance.now() - failedAt > SHRINKING_TIME) return true
    try {
      // One that died of a sample is noticed before the next, or else by it, which starts it anew; of which smaller one it died again is no news.
      const diedOf = (lost: string) => {
        if (last !== undefined && failed === undefined) other = { ...fallen(last, lost), counterexample: fc.stringify(lastValue) }
        return other !== undefined
      }
      const lost = last === undefined || last.ending === 'open' ? undefined : await options.target.lost?.(GLANCE)
      if (lost !== undefined && diedOf(lost)) return true
      const trial = await attempt(one, value, options)
      if (trial.before !== undefined && tried > 0 && diedOf(trial.before)) return true
      if (tried === 0) before = trial.before
      if (failed === undefined) tried++
      if (trial.outcome === 'passed') {
        last = trial
        lastValue = value
        return true
      }
      if (trial.outcome !== 'failed' && trial.outcome !== 'weak') {
        other = trial
        return true
      }
      if (failed === undefined) failedAt = performance.now()
      failed = { ...trial, counterexample: fc.stringify(value) }
      return false
    } catch (error) {
      fault = error
      return true
    }
  })
  await fc.check(property, { numRuns: options.samples ?? SAMPLES, seed: options.seed })
  if (fault !== undefined) throw fault
  const trial = failed ?? other ?? last!
  return { ...trial, samples: tried, before }
}
