// The suite as a whole: enough cases, each well described, and every requirement that can be seen from outside judged by one.
// docs/CONFORMANCE.md is made from this: `UPDATE_CONFORMANCE=1 npm test -- coverage` writes it anew.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { CLOUDY_CASES } from './cloudy/index.js'
import type { Case } from './harness/case.js'
import { CASES } from './index.js'

const root = resolve('.')
const CATALOGUE = join(root, 'conformance', 'requirements')
const DOCUMENT = join(root, 'docs', 'CONFORMANCE.md')
/** Parts of the catalogue in the order of the RFCs. */
const PARTS = ['framing', 'management', 'exchanges', 'tuning', 'registrations', 'transport', 'robustness']

interface Requirement {
  readonly id: string
  readonly section: string
  readonly requirement: string
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(CATALOGUE, `${name}.json`), 'utf8')) as T
}

const requirements = PARTS.flatMap((part) => read<Requirement[]>(part))
/** Why some requirements cannot be judged from outside, by id. */
const unseen = read<Record<string, string>>('not-observable')
const judged = judgedBy(CASES)
/** Those of Cloudy, which are docs/PROFILES.md in single sentences. */
const rules = read<Requirement[]>('cloudy')
const judgedOfCloudy = judgedBy(CLOUDY_CASES)

/** Ids of cases by the id of the requirement that they judge. */
function judgedBy(cases: readonly Case[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const { id, judges } of cases) for (const each of judges) found.set(each, [...(found.get(each) ?? []), id])
  return found
}

function propertiesOf(cases: readonly Case[]): readonly Case[] {
  return cases.filter(({ samples }) => samples !== undefined)
}

/** A table for each section. */
function tables(cases: readonly Case[]): string[] {
  const sections = new Map<string, Case[]>()
  for (const one of cases) sections.set(one.section, [...(sections.get(one.section) ?? []), one])
  return [...sections].flatMap(([section, those]) => [
    '',
    `### ${section}: ${those[0]!.sectionTitle}`,
    '',
    '| case | level | what is tried | judges |',
    '|---|---|---|---|',
    ...those.map(({ slug, level, samples, title, of, judges }) => {
      const kind = `${level}${samples === undefined ? '' : ', property'}${of === undefined ? '' : `, ${of}s`}`
      return `| ${slug} | ${kind} | ${cell(title)} | ${judges.join(', ')} |`
    }),
  ])
}

function document(): string {
  const lines = [
    '# Conformance',
    '',
    'What `beep conform` judges, and what nobody can judge from outside. Made by `conformance/coverage.test.ts`; do not edit.',
    '',
    `${CASES.length} cases, ${propertiesOf(CASES).length} of them properties, judge ${judged.size} of ${requirements.length} requirements; ${Object.keys(unseen).length} cannot be observed from outside.`,
    '',
    '`beep conform --help` says how to run it; a target needs one profile whose MSGs it answers with their own octets. Verdicts, exit codes and the form of',
    'a case are in `conformance/README.md`; results of other implementations in `docs/conformance/`.',
    '',
    '## Cases',
    ...tables(CASES),
    '',
    '## Not observable from outside',
    '',
    '| id | requirement | why |',
    '|---|---|---|',
    ...requirements
      .filter(({ id }) => unseen[id] !== undefined)
      .map(({ id, requirement }) => `| ${id} | ${cell(requirement)} | ${cell(unseen[id]!)} |`),
    '',
    '## Cloudy',
    '',
    `\`beep conform --cloudy\` judges a Cloudy peer by \`docs/PROFILES.md\`: ${CLOUDY_CASES.length} cases, ${propertiesOf(CLOUDY_CASES).length} of them properties, judge all ${rules.length} rules.`,
    ...tables(CLOUDY_CASES),
    '',
    '### The rules of Cloudy',
    '',
    '| id | section of `docs/PROFILES.md` | rule |',
    '|---|---|---|',
    ...rules.map(({ id, section, requirement }) => `| ${id} | ${section} | ${cell(requirement)} |`),
  ]
  return `${lines.join('\n')}\n`
}

/** Text for a cell of a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<')
}

const EVERY = [...CASES, ...CLOUDY_CASES]

describe('the suite', () => {
  test('has at least 250 cases, 60 of them properties', () => {
    expect(CASES.length).toBeGreaterThanOrEqual(250)
    expect(propertiesOf(CASES).length).toBeGreaterThanOrEqual(60)
  })

  test('has at least 40 cases of Cloudy, a third of them properties', () => {
    expect(CLOUDY_CASES.length).toBeGreaterThanOrEqual(40)
    expect(propertiesOf(CLOUDY_CASES).length).toBeGreaterThanOrEqual(CLOUDY_CASES.length / 3)
  })

  test('gives each case an id of its own, a title, and a word on what is sent and expected', () => {
    expect(new Set(EVERY.map(({ id }) => id)).size).toBe(EVERY.length)
    const form = /^(rfc308[01]\/[0-9.]+|robustness|cloudy\/[a-z-]+)\/[A-Za-z0-9.-]+$/
    expect(EVERY.filter(({ id }) => !form.test(id)).map(({ id }) => id)).toEqual([])
    expect(
      EVERY.filter(({ title, sends, expects }) => title === '' || sends === '' || expects === '').map(({ id }) => id),
    ).toEqual([])
  })

  test('quotes short phrases only', () => {
    expect(EVERY.filter(({ quote }) => quote.split(/\s+/).length > 16).map(({ id }) => id)).toEqual([])
  })

  test('quotes docs/PROFILES.md as it stands there', () => {
    const plain = (text: string) => text.replaceAll(/<!--.*?-->|`/g, '').replaceAll(/[*_\s]+/g, ' ')
    const document = plain(readFileSync(join(root, 'docs', 'PROFILES.md'), 'utf8')).toLowerCase()
    expect(
      CLOUDY_CASES.filter(({ quote }) => !document.includes(plain(quote).trim().toLowerCase())).map(
        ({ id, quote }) => `${id}: ${quote}`,
      ),
    ).toEqual([])
  })

  test('judges nothing that is not in the catalogue', () => {
    const known = new Set(requirements.map(({ id }) => id))
    expect([...judged.keys(), ...Object.keys(unseen)].filter((id) => !known.has(id))).toEqual([])
  })

  test('judges every rule of Cloudy, and no other', () => {
    expect([...judgedOfCloudy.keys()].toSorted()).toEqual(rules.map(({ id }) => id).toSorted())
    const document = readFileSync(join(root, 'docs', 'PROFILES.md'), 'utf8')
    const parts = new Set(rules.flatMap(({ section }) => section.split(': ')))
    expect([...parts].filter((part) => !new RegExp(`^## ${part}$|\\*${part}\\.?\\*`, 'm').test(document))).toEqual([])
  })

  test('judges every requirement that can be observed from outside', () => {
    expect(requirements.map(({ id }) => id).filter((id) => !judged.has(id) && unseen[id] === undefined)).toEqual([])
    expect(Object.keys(unseen).filter((id) => judged.has(id))).toEqual([])
  })

  test('leaves no file of cases out', () => {
    const folders = ['rfc3080', 'rfc3081', 'robustness', 'cloudy', join('cloudy', 'kit')]
    const files = folders.flatMap((folder) =>
      readdirSync(join(root, 'conformance', folder))
        .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|^test-kit/.test(name))
        .map((name) => join(folder, name)),
    )
    const texts = ['index.ts', 'beep-conform.ts', ...files].map((name) => readFileSync(join(root, 'conformance', name), 'utf8'))
    const imported = new Set(
      texts.flatMap((text) =>
        [...text.matchAll(/(?:from |import\()'(?:\.\/|\.\.\/)*([^']+)\.js'/g)].map(([, path]) => basename(path!)),
      ),
    )
    expect(files.filter((name) => !imported.has(basename(name, '.ts')))).toEqual([])
  })

  test('docs/CONFORMANCE.md is up to date', () => {
    if (process.env.UPDATE_CONFORMANCE === '1') writeFileSync(DOCUMENT, document())
    expect(readFileSync(DOCUMENT, 'utf8')).toBe(document())
  })
})
