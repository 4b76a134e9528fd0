// How often properties run: as often as their test says, more in a soak (`npm run test:soak`), less against mutants (`npm run test:mutation`).

/** @returns parameters for `fc.assert`: `count` runs, times PROPERTY_RUNS where that is set; with the seed PROPERTY_SEED, or one by chance */
export function runs(count: number): { numRuns: number; seed?: number } {
  const { PROPERTY_RUNS, PROPERTY_SEED } = process.env
  const numRuns = Math.ceil(count * Number(PROPERTY_RUNS ?? 1))
  return PROPERTY_SEED === undefined ? { numRuns } : { numRuns, seed: Number(PROPERTY_SEED) }
}
