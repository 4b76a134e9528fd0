// How a case ends other than by passing.
import type { Ending } from './results.js'

/** The target did not do what the case expects. The message is what was seen. */
export class Failure extends Error {
  override readonly name = 'Failure'
  /** How it ended, where the failure knows it better than the connection. */
  readonly ending: Ending | undefined

  constructor(saw: string, ending?: Ending) {
    super(saw)
    this.ending = ending
  }
}

/** The case cannot be run against this target; the message is the reason. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported'
}

/** The target cannot be reached: what a run makes of it depends on when. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}
