// Every requirement of both RFCs is shown by a test that names it, or is not applicable for a reason in words. docs/REQUIREMENTS.md is made from this:
// `UPDATE_REQUIREMENTS=1 npm test -- requirements` writes it anew.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'

interface Requirement {
  readonly id: string
  readonly section: string
  readonly level: string
  readonly side: string
  readonly requirement: string
}

const root = resolve('.')
const DOCUMENT = join(root, 'docs', 'REQUIREMENTS.md')
/** The parts of the catalogue, in order. */
const PARTS = [
  ['framing', 'Framing and messages (RFC 3080 §2 to §2.2)'],
  ['management', 'Channel management (RFC 3080 §2.3, §2.4)'],
  ['exchanges', 'Mapping, asynchrony, peer-to-peer (RFC 3080 §2.5 to §2.7)'],
  ['tuning', 'TLS and SASL (RFC 3080 §3, §4)'],
  ['registrations', 'Registrations, media type, DTDs, reply codes, security (RFC 3080 §5 to §9)'],
  ['transport', 'BEEP on TCP (RFC 3081)'],
  ['robustness', 'Implied: robustness'],
] as const
const ID = /\b(?:R308[01]-[0-9.]+-\d\d|RIMP-\d\d)\b/g

function catalogue(part: string): Requirement[] {
  return JSON.parse(readFileSync(join(root, 'conformance', 'requirements', `${part}.json`), 'utf8')) as Requirement[]
}

/** Why some rows have no test, by id. */
const exempt = JSON.parse(readFileSync(join(root, 'conformance', 'requirements', 'without-test.json'), 'utf8')) as Record<
  string,
  string
>

/** Test files, and tables of cases that they share, that name each id. A name may be spread over a table of cases, so the whole text counts, except of this file. */
function named(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const folder of ['src', 'test', 'conformance']) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
      if (!entry.isFile() || !/\.test\.ts$|^test-kit.*\.ts$/.test(entry.name) || entry.name === 'requirements.test.ts') continue
      const path = join(entry.parentPath, entry.name)
      for (const [id] of readFileSync(path, 'utf8').matchAll(ID))
        found.set(id, (found.get(id) ?? new Set()).add(relative(root, path)))
    }
  }
  return found
}

const tests = named()
const requirements = PARTS.flatMap(([part]) => catalogue(part))

/** Names of ambiguities in the code and its tests, each with a file that has it. */
function readings(): Map<string, string> {
  const found = new Map<string, string>()
  for (const entry of readdirSync(join(root, 'src', 'beep'), { withFileTypes: true, recursive: true })) {
    if (!entry.name.endsWith('.ts')) continue
    const path = join(entry.parentPath, entry.name)
    for (const [id] of readFileSync(path, 'utf8').matchAll(/\bA[0-4][0-9]\b/g)) found.set(id, relative(root, path))
  }
  return found
}

function document(): string {
  const shown = requirements.filter(({ id }) => tests.has(id)).length
  const lines = [
    '# Requirements',
    '',
    'Every requirement of RFC 3080 and RFC 3081, in our own words, and the tests that show it. Made by `test/requirements.test.ts`; do not edit.',
    '',
    `${requirements.length} requirements: ${shown} are shown by tests, ${requirements.length - shown} have none for the reason given.`,
  ]
  for (const [part, title] of PARTS) {
    lines.push('', `## ${title}`, '', '| id | section | level | requirement | shown by |', '|---|---|---|---|---|')
    for (const { id, section, level, requirement } of catalogue(part)) {
      const files = [...(tests.get(id) ?? [])].toSorted().map((file) => `\`${file}\``)
      const shown = files.length > 0 ? files.join(', ') : `not tested: ${exempt[id] ?? '?'}`
      lines.push(`| ${id} | ${section} | ${level} | ${requirement.replaceAll('|', '\\|')} | ${shown} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

describe('the catalogue of requirements', () => {
  test('each is shown by a test or has a reason', () => {
    expect(requirements.map(({ id }) => id).filter((id) => !tests.has(id) && exempt[id] === undefined)).toEqual([])
  })

  test('no reason is given for one that has a test', () => {
    expect(Object.keys(exempt).filter((id) => tests.has(id))).toEqual([])
  })

  test('no test names one that does not exist', () => {
    const known = new Set([...requirements.map(({ id }) => id)])
    expect([...tests.keys()].filter((id) => !known.has(id))).toEqual([])
  })

  test('docs/REQUIREMENTS.md is up to date', () => {
    if (process.env.UPDATE_REQUIREMENTS === '1') writeFileSync(DOCUMENT, document())
    expect(readFileSync(DOCUMENT, 'utf8')).toBe(document())
  })
})

test('what the RFCs leave open is written down for each number that the code names', () => {
  const written = [...readFileSync(join(root, 'docs', 'AMBIGUITIES.md'), 'utf8').matchAll(/^\| (A\d\d) \|/gm)].map(
    ([, id]) => id!,
  )
  expect([...readings()].filter(([id]) => !written.includes(id))).toEqual([])
  expect(written).toEqual(written.map((_, index) => `A${String(index + 1).padStart(2, '0')}`))
})
