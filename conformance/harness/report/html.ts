// The report as one page: cases down, targets across. Everything is in the one file, so it works from a disk and without a network.
import type { CaseResult, Results } from '../results.js'
import { source } from './page-script.js'
import { STYLE } from './page-style.js'
import { counts, sectionOf } from './terminal.js'

/** What differs by target. */
export type PageResult = Pick<
  CaseResult,
  'outcome' | 'saw' | 'ending' | 'samples' | 'counterexample' | 'known' | 'mended' | 'log'
>

/** What the page is told. */
export interface PageData {
  readonly targets: readonly { readonly name: string; readonly role: string }[]
  readonly cases: readonly {
    readonly id: string
    readonly section: string
    readonly slug: string
    readonly title: string
    readonly level: string
    readonly quote: string
    readonly judges: readonly string[]
    readonly sends: string
    readonly expects: string
    /** By target, in their order; `null` where a run had no such case. */
    readonly results: readonly (PageResult | null)[]
  }[]
}

/** What the cases judge: those of Cloudy have its own document. */
function lead(runs: readonly Results[]): string {
  const cloudy = runs.some(({ cases }) => cases.some(({ id }) => id.startsWith('cloudy/')))
  return `Every case judges one clause of ${cloudy ? 'docs/PROFILES.md' : 'RFC 3080 or RFC 3081'} from outside, over the wire.`
}

/** Makes one page of one run or of several. */
export function html(runs: readonly Results[]): string {
  const title = runs.length === 1 ? `BEEP conformance of ${runs[0]!.target.name}` : 'BEEP conformance'
  // In a script no text can end it but `</`, and U+2028 and U+2029 are for JSON only.
  const data = JSON.stringify(pageData(runs)).replace(
    /[<\u2028\u2029]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>${asText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${asText(title)}</h1>
<p class="lead">${asText(lead(runs))} Choose a case to see the clause, what was sent and expected, and what each target said.</p>
<ul class="targets">
${runs.map(card).join('\n')}
</ul>
</header>
<main>
<form onsubmit="return false">
<label>Section<select id="section"><option value="">all</option></select></label>
<label>Level<select id="level"><option value="">all</option><option>MUST</option><option>SHOULD</option><option>MAY</option></select></label>
<label>Outcome<select id="outcome"><option value="">all</option><option value="passed">passed</option><option value="failed">failed</option><option value="weak">recommendation not followed</option><option value="known">known deviation</option><option value="mended">passes, though listed</option><option value="unsupported">unsupported</option><option value="not-run">not run</option></select></label>
<label>Words<input id="words" type="search" placeholder="seqno, R3080-2.4, …"></label>
<output id="shown"></output>
</form>
<table id="matrix"></table>
<noscript><p>This page needs scripts to show its table; the JSON results hold the same.</p></noscript>
</main>
<script>
${source()}
main(${data})
</script>
</body>
</html>
`
}

function card({ target, began, seconds, seed, strict, died, cases }: Results): string {
  const kinds = ['passed', 'weak', 'known', 'failed', 'mended', 'not-run', 'unsupported'] as const
  const bars = kinds
    .map((kind) => [kind, cases.filter((each) => kindOf(each) === kind).length] as const)
    .filter(([, count]) => count > 0)
  const bar = bars.map(([kind, count]) => `<i class="${kind}" style="flex:${count}" title="${count} ${kind}"></i>`).join('')
  const when = `${began.slice(0, 16).replace('T', ' ')} UTC, ${seconds} s, seed ${seed}${strict ? ', strict' : ''}`
  const dead = died === undefined ? '' : `<small class="died">stopped to work, ${asText(died)}</small>`
  return `<li><b>${asText(target.name)}</b><small>${asText(target.role)}</small><div class="bar">${bar}</div><small>${asText(counts(cases))}</small>${dead}<small>${asText(when)}</small></li>`
}

function kindOf({ outcome, known, mended }: CaseResult): string {
  return mended === true ? 'mended' : known !== undefined ? 'known' : outcome
}

/** All cases of all runs, in the order of the run that has most of them: an older one lacks those that are new. */
export function pageData(runs: readonly Results[]): PageData {
  const first = new Map<string, CaseResult>()
  const longestFirst = runs.toSorted((a, b) => b.cases.length - a.cases.length)
  for (const { cases } of longestFirst) for (const one of cases) if (!first.has(one.id)) first.set(one.id, one)
  const byId = runs.map(({ cases }) => new Map(cases.map((one) => [one.id, one])))
  return {
    targets: runs.map(({ target }) => ({ name: target.name, role: target.role })),
    cases: [...first.values()].map(({ id, title, level, quote, judges, sends, expects }) => ({
      id,
      section: sectionOf(id),
      slug: id.slice(id.lastIndexOf('/') + 1),
      title,
      level,
      quote,
      judges,
      sends,
      expects,
      results: byId.map((results) => pageResult(results.get(id))),
    })),
  }
}

function pageResult(result: CaseResult | undefined): PageResult | null {
  if (result === undefined) return null
  const { outcome, saw, ending, samples, counterexample, known, mended, log } = result
  const rest = Object.fromEntries(
    Object.entries({ samples, counterexample, known, mended }).filter(([, value]) => value !== undefined),
  )
  return { outcome, saw, ending, ...rest, log }
}

function asText(text: string): string {
  return text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`)
}
