// What is kept of other implementations: their known deviations, the results of runs against them, and the page that is made of these.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { knownDeviation, parseExpectations } from './harness/expectations.js'
import { type PageData, pageData } from './harness/report/html.js'
import { isUnexpected, type Results } from './harness/results.js'
import { CASES } from './index.js'

const TARGETS = join('conformance', 'targets')
const RESULTS = join('docs', 'conformance', 'results')
const PAGE = join('docs', 'conformance', 'index.html')
const KEYS = ['beepcore-java-listener', 'beepcore-java-initiator', 'vortex-listener', 'vortex-initiator']

const ids = CASES.map(({ id }) => id)
const names = (directory: string) =>
  readdirSync(directory)
    .filter((each) => each.endsWith('.json'))
    .map((each) => basename(each, '.json'))
const expectationsOf = (name: string) => parseExpectations(readFileSync(join(TARGETS, `${name}.json`), 'utf8'))
const resultsOf = (name: string) => JSON.parse(readFileSync(join(RESULTS, `${name}.json`), 'utf8')) as Results

describe.each(names(TARGETS))('the known deviations of %s', (name) => {
  test('are those of cases that there are', () => {
    const { about, deviations } = expectationsOf(name)
    expect(about.length).toBeGreaterThan(20)
    const stale = Object.keys(deviations).filter((key) =>
      key.endsWith('*') ? !ids.some((id) => id.startsWith(key.slice(0, -1))) : !ids.includes(key),
    )
    expect(stale).toEqual([])
  })
})

describe.each(names(RESULTS))('the results of %s', (name) => {
  const results = resultsOf(name)

  test('are a whole run of this suite, with nothing unexpected in it', () => {
    expect([results.format, results.version, results.died]).toEqual(['beep-conformance-results', 1, undefined])
    // Cases may have come since.
    expect(results.cases.map(({ id }) => id).filter((id) => !ids.includes(id))).toEqual([])
    expect(results.cases.length).toBeGreaterThanOrEqual(800)
    expect(results.cases.filter((each) => isUnexpected(each, results.strict)).map(({ id }) => id)).toEqual([])
  })

  test('give the reasons of the file of deviations', () => {
    const expectations = expectationsOf(name)
    expect(results.target.name).toBe(expectations.name)
    const failed = results.cases.filter(({ outcome }) => outcome === 'failed' || outcome === 'weak')
    expect(failed.map(({ id, known }) => [id, known])).toEqual(
      failed.map(({ id }) => [id, knownDeviation(expectations, id)?.reason]),
    )
  })

  test('name no place of the machine that they were recorded on', () => {
    const said = results.cases.flatMap(({ saw, log }) => [
      saw,
      ...log.map((entry) => ('octets' in entry ? Buffer.from(entry.octets, 'base64').toString('latin1') : entry.note)),
    ])
    expect(said.filter((each) => /\/(home|root|tmp|usr|work)\//.test(each))).toEqual([])
    expect(results.target.place).toMatch(/^(a port of its own|port [0-9]+)$/)
  })
})

test('the stacks that matter most are among them', () => {
  expect(names(RESULTS)).toEqual(expect.arrayContaining(KEYS))
})

test('the page shows exactly these results', () => {
  const made = pageData(names(RESULTS).map(resultsOf))
  const [, data] = /\nmain\((.*)\)\n<\/script>/.exec(readFileSync(PAGE, 'utf8')) ?? []
  const page = JSON.parse(data ?? 'null') as PageData
  expect(outcomes(page)).toEqual(outcomes(made))
})

/** By target and case: what came of it. */
function outcomes({ targets, cases }: PageData): ReadonlyMap<string, readonly string[]> {
  return new Map(
    targets.map(({ name, role }, at) => [
      `${name}, ${role}`,
      cases.map(({ id, results }) => `${id}: ${results[at]?.outcome} ${results[at]?.saw} ${results[at]?.known ?? ''}`),
    ]),
  )
}
