// What a run of the suite says, as the reports and the JSON file have it.

/** What the words of the RFC make of it; `fact` are definitions and grammar, which bind like MUST. */
export type Level = 'MUST' | 'SHOULD' | 'MAY'

/** Which end of the session the target is. */
export type Role = 'listener' | 'initiator'

/**
 * The first verdict: what was said.
 * `weak`: a SHOULD that the target does not follow, a failure only with `--strict`.
 */
export type Outcome = 'passed' | 'failed' | 'weak' | 'unsupported' | 'not-run'

/** The second verdict: how it ended. `timeout`: something awaited did not come. */
export type Ending = 'open' | 'released' | 'closed' | 'reset' | 'timeout' | 'none'

/** Octets on the wire: of whom, when in milliseconds since the case began, in base64; `omitted` octets more were not kept. */
export interface Said {
  readonly from: 'I' | 'L'
  readonly at: number
  readonly octets: string
  readonly omitted?: number | undefined
}

/** A note between octets, such as `TLS begins`. */
export interface Direction {
  readonly at: number
  readonly note: string
}

export type LogEntry = Said | Direction

export interface CaseResult {
  /** For instance `rfc3080/2.2.1.2/seqno-gap`. */
  readonly id: string
  readonly title: string
  readonly level: Level
  /** Requirements of the catalogue that it judges. */
  readonly judges: readonly string[]
  /** A short phrase of the clause. */
  readonly quote: string
  readonly sends: string
  readonly expects: string
  readonly outcome: Outcome
  /** What was seen, in words: the lawful choice that was taken, or what was wrong, or why it could not be run. */
  readonly saw: string
  readonly ending: Ending
  readonly milliseconds: number
  /** Samples that were tried, where the case is a property. */
  readonly samples?: number | undefined
  /** The smallest sample that fails. */
  readonly counterexample?: string | undefined
  /** The reason given in the target's file of known deviations; then a failure is expected. */
  readonly known?: string | undefined
  /** Listed as a deviation, and it passed all the same. */
  readonly mended?: boolean | undefined
  /** One of the last before the target died or hung: its log is whole. */
  readonly last?: boolean | undefined
  readonly log: readonly LogEntry[]
}

export interface Results {
  readonly format: 'beep-conformance-results'
  readonly version: 1
  readonly target: { readonly name: string; readonly place: string; readonly role: Role }
  /** ISO 8601. */
  readonly began: string
  readonly seconds: number
  readonly seed: number
  readonly strict: boolean
  /** In words, when the target died or stopped to answer: when that was noticed. */
  readonly died?: string | undefined
  readonly cases: readonly CaseResult[]
}

/** Whether a result is one that nobody expected: it fails and is not known to, or it is known to and passes. */
export function isUnexpected(result: CaseResult, strict: boolean): boolean {
  if (result.mended === true) return true
  if (result.outcome === 'not-run') return true
  const fails = result.outcome === 'failed' || (strict && result.outcome === 'weak')
  return fails && result.known === undefined
}

/**
 * The same with fewer conversations, for files that are kept: those of what did not pass, those before the target died, and one of each section for comparison.
 */
export function brief(results: Results): Results {
  const shown = new Set<string>()
  const cases = results.cases.map((one) => {
    const section = one.id.slice(0, one.id.lastIndexOf('/'))
    if (one.outcome !== 'passed' || one.mended === true || one.last === true) return one
    if (shown.has(section)) return { ...one, log: [] }
    shown.add(section)
    return one
  })
  return { ...results, cases }
}
