// From the rates of all rounds to what is printed and what is kept as JSON.
import { OURS } from './contestants/index.js'
import { ratios, type Summary, summarize } from './statistics.js'
import type { Workload } from './workloads.js'

/** What one contestant reached in one workload. */
export interface Line {
  readonly contestant: string
  /** One a round. */
  readonly rates: readonly number[]
  readonly rate: Summary
  /** Ours by theirs; undefined for ourselves, and when we did not take part. */
  readonly ratio: Summary | undefined
  readonly target: number | undefined
  readonly met: boolean | undefined
}

export interface Section {
  readonly workload: Workload
  readonly lines: readonly Line[]
}

/** @param rates of each workload and each contestant, one a round */
export function section(workload: Workload, rates: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>): Section {
  const own = rates.get(workload.name)!
  const ours = own.get(OURS)
  const elsewhere = Object.keys(workload.targets).flatMap((key) => {
    const [contestant, other] = key.split('@') as [string, string?]
    const values = other === undefined ? undefined : rates.get(other)?.get(contestant)
    return values === undefined ? [] : [[key, values] as const]
  })
  const lines = [...own, ...elsewhere].map(([contestant, values]): Line => {
    const ratio = ours === undefined || contestant === OURS ? undefined : summarize(ratios(ours, values))
    const target = ratio === undefined ? undefined : workload.targets[contestant]
    const met = ratio === undefined || target === undefined ? undefined : ratio.median >= target
    return { contestant, rates: values, rate: summarize(values), ratio, target, met }
  })
  return { workload, lines }
}

export function print(sections: readonly Section[]): string {
  const rows = [['', 'median', 'least..most', '', `${OURS} / it`, 'least..most', 'target', '']]
  for (const { workload, lines } of sections) {
    rows.push([`${workload.name}: ${workload.title}`])
    for (const { contestant, rate, ratio, target, met } of lines) {
      const rated = [whole(rate.median), `${whole(rate.least)}..${whole(rate.most)}`, workload.unit]
      const compared = ratio === undefined ? ['', ''] : [fixed(ratio.median), `${fixed(ratio.least)}..${fixed(ratio.most)}`]
      rows.push([`  ${contestant}`, ...rated, ...compared, target === undefined ? '' : fixed(target), verdict(met)])
    }
  }
  const widths = Array.from({ length: 8 }, (_, column) =>
    Math.max(...rows.filter((row) => row.length > 1).map((row) => row[column]!.length)),
  )
  const align = (cell: string, column: number) =>
    column === 0 || column === 3 || column === 7 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
  return `${rows.map((row) => row.map(align).join('  ').trimEnd()).join('\n')}\n`
}

function verdict(met: boolean | undefined): string {
  return met === undefined ? '' : met ? 'met' : 'MISSED'
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function fixed(value: number): string {
  return value.toFixed(2)
}
