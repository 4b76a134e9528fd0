// Few numbers from many: medians, spreads, and ratios taken within one round.

export interface Summary {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** @throws RangeError without values */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('There is nothing to summarize')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, least: sorted[0]!, most: sorted.at(-1)! }
}

/** The ratio of each round: what disturbs a whole round disturbs both sides of it. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  if (ours.length !== theirs.length) throw new RangeError('Both must have taken part in the same rounds')
  return ours.map((value, round) => value / theirs[round]!)
}
