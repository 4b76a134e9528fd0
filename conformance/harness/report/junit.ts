// The report for continuous integration, in the form that JUnit made common: a test suite for each section.
import type { CaseResult, Results } from '../results.js'
import { isUnexpected } from '../results.js'
import { sectionOf } from './terminal.js'

/** Gives the XML of a run. A known deviation counts as skipped, with its reason. */
export function junit(results: Results): string {
  const { cases, target, strict, died } = results
  const names = [...new Set(cases.map(({ id }) => sectionOf(id)))]
  const suites = names.map((name) =>
    suite(
      name,
      cases.filter(({ id }) => sectionOf(id) === name),
      results,
    ),
  )
  const dead = died === undefined ? 0 : 1
  const failures = cases.filter((each) => isUnexpected(each, strict)).length + dead
  const head = `name="${text(`BEEP conformance of ${target.name}`)}" tests="${cases.length + dead}" failures="${failures}" time="${results.seconds}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${head}>\n${suites.join('')}${died === undefined ? '' : dying(died)}</testsuites>\n`
}

/** That the target stopped to work is a failure of its own: every case may have passed before. */
function dying(died: string): string {
  const failure = `<failure message="${text(`it stopped to work, ${died}`)}" />`
  return `  <testsuite name="target" tests="1" failures="1" skipped="0">\n    <testcase classname="target" name="it works until the end">${failure}</testcase>\n  </testsuite>\n`
}

function suite(name: string, cases: readonly CaseResult[], { strict, began }: Results): string {
  const failures = cases.filter((each) => isUnexpected(each, strict)).length
  const skipped = cases.filter((each) => skip(each, strict) !== undefined).length
  const time = cases.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000
  const head = `name="${text(name)}" tests="${cases.length}" failures="${failures}" skipped="${skipped}" time="${time}" timestamp="${began}"`
  return `  <testsuite ${head}>\n${cases.map((each) => testcase(each, strict)).join('')}  </testsuite>\n`
}

function testcase(result: CaseResult, strict: boolean): string {
  const { id, title, expects, saw, counterexample, milliseconds, mended } = result
  const head = `classname="${text(sectionOf(id))}" name="${text(`${id.slice(id.lastIndexOf('/') + 1)}: ${title}`)}" time="${milliseconds / 1000}"`
  const skipped = skip(result, strict)
  if (skipped !== undefined) return `    <testcase ${head}><skipped message="${text(skipped)}" /></testcase>\n`
  if (!isUnexpected(result, strict)) return `    <testcase ${head} />\n`
  const message = mended === true ? 'it passes, though it is listed as a deviation' : saw
  const body = `expected: ${expects}\nsaw: ${saw}${counterexample === undefined ? '' : `\nsmallest sample: ${counterexample}`}`
  return `    <testcase ${head}><failure message="${text(message)}">${text(body)}</failure></testcase>\n`
}

function skip({ outcome, saw, known }: CaseResult, strict: boolean): string | undefined {
  if (outcome === 'unsupported') return saw
  if (known !== undefined) return `known: ${known}`
  return outcome === 'weak' && !strict ? `recommended: ${saw}` : undefined
}

/** Text for XML 1.0: what it cannot hold at all is shown as an escape. */
function text(value: string): string {
  const held = value.replace(
    /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu,
    (each) => `\\x${each.codePointAt(0)!.toString(16).padStart(2, '0')}`,
  )
  return held.replace(/[&<>"\n\r\t]/g, (each) => `&#${each.charCodeAt(0)};`)
}
