// The report for people at a terminal, and for logs: one line a case while it runs, then what matters of it.
import type { CaseResult, Results } from '../results.js'
import { isUnexpected } from '../results.js'
import { printable } from './printable.js'

const MARKS = { passed: '✓', failed: '✗', weak: '~', unsupported: '-', 'not-run': '!' } as const

/** A case in one line. */
export function caseLine(result: CaseResult): string {
  const { outcome, id, samples, saw, known, mended } = result
  const tried = samples === undefined ? '' : ` (${samples} samples)`
  const remark = known !== undefined ? ` [known: ${known}]` : mended === true ? ' [listed as a deviation, but it passes]' : ''
  return printable(`${MARKS[outcome]} ${id}${tried}${saw === '' ? '' : `: ${saw}`}${remark}`)
}

/** Everything that matters, when the run is over. */
export function summary(results: Results): string {
  const { cases, strict, target, died } = results
  const unexpected = cases.filter((each) => isUnexpected(each, strict))
  const known = cases.filter(({ known }) => known !== undefined)
  const lines = ['', `${printable(target.name)}, ${target.role} at ${printable(target.place)}`, '', ...sections(cases)]
  const weak = cases.filter((each) => each.outcome === 'weak' && !unexpected.includes(each) && !known.includes(each))
  if (weak.length > 0) lines.push('', 'Recommendations that are not followed', ...weak.map((each) => `  ${caseLine(each)}`))
  if (known.length > 0)
    lines.push(
      '',
      'Known deviations',
      ...known.map((each) => `  ${MARKS[each.outcome]} ${each.id}: ${printable(each.known ?? '')}`),
    )
  // What is the same for every case, such as a dead target, is said once.
  const shown = unexpected.filter(({ outcome }) => outcome !== 'not-run')
  if (shown.length > 0) lines.push('', 'Unexpected', ...shown.flatMap(details))
  const missed = cases.filter(({ outcome }) => outcome === 'not-run').length
  const last = cases.filter((each) => each.last === true).map(({ id }) => id)
  if (died !== undefined) lines.push('', `The target stopped to work, ${printable(died)}`)
  if (last.length > 0)
    lines.push(`The last cases until then, with all that was said in the JSON and on the page: ${last.join(', ')}`)
  if (missed > 0) lines.push(`${missed} cases were not run`)
  lines.push(...reasons(cases))
  lines.push('', `${counts(cases)} in ${results.seconds} s, seed ${results.seed}${strict ? ', strict' : ''}`)
  const unseen = missed > 0 ? `, ${missed} of them not run` : ''
  const nothing = died === undefined ? 'Nothing unexpected.' : 'Nothing unexpected but that the target stopped to work.'
  lines.push(unexpected.length === 0 ? nothing : `${unexpected.length} unexpected${unseen}.`)
  return `${lines.join('\n')}\n`
}

/** Why cases are unsupported, where one reason holds for many: said once, with their number. */
function reasons(cases: readonly CaseResult[]): string[] {
  const counted = new Map<string, number>()
  for (const { outcome, saw } of cases) if (outcome === 'unsupported') counted.set(saw, (counted.get(saw) ?? 0) + 1)
  const many = [...counted].filter(([, count]) => count > 1)
  return many.length === 0 ? [] : ['', 'Unsupported', ...many.map(([saw, count]) => `  ${count} cases: ${printable(saw)}`)]
}

/** The section of a case: its id without the last part. */
export function sectionOf(id: string): string {
  return id.slice(0, id.lastIndexOf('/'))
}

/** For instance `12 cases: 11 passed, 1 failed`. */
export function counts(cases: readonly CaseResult[]): string {
  const kinds = Object.keys(MARKS).map((outcome) => [outcome, cases.filter((each) => each.outcome === outcome).length] as const)
  const parts = kinds.filter(([, count]) => count > 0).map(([outcome, count]) => `${count} ${outcome}`)
  return `${cases.length} cases: ${parts.length === 0 ? 'none' : parts.join(', ')}`
}

function sections(cases: readonly CaseResult[]): string[] {
  const groups = grouped(cases)
  const width = Math.max(...[...groups.keys()].map((each) => each.length), 0)
  return [...groups].map(([section, members]) => `  ${section.padEnd(width)}  ${counts(members)}`)
}

function grouped(cases: readonly CaseResult[]): Map<string, CaseResult[]> {
  const groups = new Map<string, CaseResult[]>()
  for (const one of cases) {
    const section = sectionOf(one.id)
    groups.set(section, [...(groups.get(section) ?? []), one])
  }
  return groups
}

function details(result: CaseResult): string[] {
  const { outcome, id, level, title, quote, sends, expects, saw, ending, counterexample, mended } = result
  const rows = [
    ['says', quote === '' ? '' : `“${quote}”`],
    ['sent', sends],
    ['expected', expects],
    ['saw', mended === true ? 'it passes, though the file of known deviations lists it' : saw],
    ['ended', ending === 'none' ? '' : ending],
    ['smallest sample', counterexample ?? ''],
  ].filter(([, text]) => text !== '')
  return [
    '',
    `  ${MARKS[outcome]} ${id} (${level}): ${title}`,
    ...rows.map(([name, text]) => `      ${name}: ${printable(text!)}`),
  ]
}
