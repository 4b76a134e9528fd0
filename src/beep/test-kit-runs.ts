// How often properties run: as often as their test says, more in a soak (`npm run test:soak`), less against mutants (`npm run test:mutation`).

/** What a property may take at least, in milliseconds, however late it is: one that did not run once is no property that holds. */
const LEAST = 100

/**
 * @returns parameters for `fc.assert`: `count` runs, times PROPERTY_RUNS where that is set, no longer than until PROPERTY_DEADLINE (milliseconds since
 *   the epoch); with the seed PROPERTY_SEED, or one by chance
 */
export function runs(count: number): {
  numRuns: number
  seed?: number
  interruptAfterTimeLimit?: number
  markInterruptAsFailure?: boolean
} {
  const { PROPERTY_RUNS, PROPERTY_SEED, PROPERTY_DEADLINE } = process.env
  return {
    numRuns: Math.ceil(count * Number(PROPERTY_RUNS ?? 1)),
    ...(PROPERTY_SEED === undefined ? {} : { seed: Number(PROPERTY_SEED) }),
    ...(PROPERTY_DEADLINE === undefined
      ? {}
      : { interruptAfterTimeLimit: Math.max(LEAST, Number(PROPERTY_DEADLINE) - Date.now()), markInterruptAsFailure: false }),
  }
}
