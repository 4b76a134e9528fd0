// The suite as a whole: enough cases, each well described, and every requirement that can be seen from outside judged by one.
// docs/CONFORMANCE.md is made from this: `UPDATE_CONFORMANCE=1 npm test -- coverage` writes it anew.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { CASES } from './index.js'

const root = resolve('.')
const CATALOGUE = join(root, 'conformance', 'requirements')
const DOCUMENT = join(root, 'docs', 'CONFORMANCE.md')
/** Parts of the catalogue in the order of the RFCs. */
const PARTS = ['framing', 'management', 'exchanges', 'tuning', 'registrations', 'transport', 'robustness']

interface Requirement {
  readonly id: string
  readonly requirement: string
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(CATALOGUE, `${name}.json`), 'utf8')) as T
}

const requirements = PARTS.flatMap((part) => read<Requirement[]>(part))
/** Why some requirements cannot be judged from outside, by id. */
const unseen = read<Record<string, string>>('not-observable')
const judged = new Map<string, string[]>()
for (const { id, judges } of CASES) for (const each of judges) judged.set(each, [...(judged.get(each) ?? []), id])

function document(): string {
  const properties = CASES.filter(({ samples }) => samples !== undefined).length
  const sections = new Map<string, (typeof CASES)[number][]>()
  for (const one of CASES) sections.set(one.section, [...(sections.get(one.section) ?? []), one])
  const lines = [
    '# Conformance',
    '',
    'What `beep conform` judges, and what nobody can judge from outside. Made by `conformance/coverage.test.ts`; do not edit.',
    '',
    `${CASES.length} cases, ${properties} of them properties, judge ${judged.size} of ${requirements.length} requirements; ${Object.keys(unseen).length} cannot be observed from outside.`,
    '',
    '`beep conform --help` says how to run it; a target needs one profile whose MSGs it answers with their own octets. Verdicts, exit codes and the form of',
    'a case are in `conformance/README.md`; results of other implementations in `docs/conformance/`.',
    '',
    '## Cases',
  ]
  for (const [section, cases] of sections) {
    lines.push(
      '',
      `### ${section}: ${cases[0]!.sectionTitle}`,
      '',
      '| case | level | what is tried | judges |',
      '|---|---|---|---|',
    )
    for (const { slug, level, samples, title, of, judges } of cases) {
      const kind = `${level}${samples === undefined ? '' : ', property'}${of === undefined ? '' : `, ${of}s`}`
      lines.push(`| ${slug} | ${kind} | ${cell(title)} | ${judges.join(', ')} |`)
    }
  }
  lines.push('', '## Not observable from outside', '', '| id | requirement | why |', '|---|---|---|')
  for (const { id, requirement } of requirements)
    if (unseen[id] !== undefined) lines.push(`| ${id} | ${cell(requirement)} | ${cell(unseen[id])} |`)
  return `${lines.join('\n')}\n`
}

/** Text for a cell of a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<')
}

describe('the suite', () => {
  test('has at least 250 cases, 60 of them properties', () => {
    expect(CASES.length).toBeGreaterThanOrEqual(250)
    expect(CASES.filter(({ samples }) => samples !== undefined).length).toBeGreaterThanOrEqual(60)
  })

  test('gives each case an id of its own, a title, and a word on what is sent and expected', () => {
    expect(new Set(CASES.map(({ id }) => id)).size).toBe(CASES.length)
    expect(CASES.filter(({ id }) => !/^(rfc308[01]\/[0-9.]+|robustness)\/[A-Za-z0-9-]+$/.test(id)).map(({ id }) => id)).toEqual(
      [],
    )
    expect(
      CASES.filter(({ title, sends, expects }) => title === '' || sends === '' || expects === '').map(({ id }) => id),
    ).toEqual([])
  })

  test('quotes short phrases only', () => {
    expect(CASES.filter(({ quote }) => quote.split(/\s+/).length > 16).map(({ id }) => id)).toEqual([])
  })

  test('judges nothing that is not in the catalogue', () => {
    const known = new Set(requirements.map(({ id }) => id))
    expect([...judged.keys(), ...Object.keys(unseen)].filter((id) => !known.has(id))).toEqual([])
  })

  test('judges every requirement that can be observed from outside', () => {
    expect(requirements.map(({ id }) => id).filter((id) => !judged.has(id) && unseen[id] === undefined)).toEqual([])
    expect(Object.keys(unseen).filter((id) => judged.has(id))).toEqual([])
  })

  test('leaves no file of cases out', () => {
    const folders = ['rfc3080', 'rfc3081', 'robustness']
    const files = folders.flatMap((folder) => readdirSync(join(root, 'conformance', folder)).map((name) => join(folder, name)))
    const texts = ['index.ts', ...files].map((name) => readFileSync(join(root, 'conformance', name), 'utf8'))
    const imported = new Set(
      texts.flatMap((text) => [...text.matchAll(/from '(?:\.\/|\.\.\/)*([^']+)\.js'/g)].map(([, path]) => basename(path!))),
    )
    expect(files.filter((name) => !imported.has(basename(name, '.ts')))).toEqual([])
  })

  test('docs/CONFORMANCE.md is up to date', () => {
    if (process.env.UPDATE_CONFORMANCE === '1') writeFileSync(DOCUMENT, document())
    expect(readFileSync(DOCUMENT, 'utf8')).toBe(document())
  })
})
