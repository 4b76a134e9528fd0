// The reports: for people, for programs, and the page in a real browser.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Browser, chromium, type Page } from 'playwright-core'
import { SaxesParser } from 'saxes'
import { anyText } from '../../../test/any-text.js'
import { testWith } from '../../../test/needs.js'
import type { CaseResult, Results } from '../results.js'
import { html, pageData } from './html.js'
import { junit } from './junit.js'
import { rungs } from './ladder.js'
import { printable } from './printable.js'
import { caseLine, summary } from './terminal.js'

const NASTY = `\u001b[31m</script><img src=x onerror="document.title='owned'"> \u202e "quoted" & 'all'\u2028\u0000`

function result(id: string, more: Partial<CaseResult> = {}): CaseResult {
  return {
    id,
    title: `the title of ${id}`,
    level: 'MUST',
    judges: ['R3080-2.2-01'],
    quote: 'a phrase of the clause',
    sends: 'a frame',
    expects: 'an end',
    outcome: 'passed',
    saw: '',
    ending: 'open',
    milliseconds: 12,
    log: [
      { from: 'I', at: 0.1, octets: Buffer.from('MSG 1 0 . 0 3\r\na\\\u0001END\r\n').toString('base64') },
      { from: 'L', at: 0.4, octets: Buffer.from('END').toString('base64'), omitted: 7 },
      { at: 1, note: 'L closes the connection' },
    ],
    ...more,
  }
}

const CASES = [
  result('rfc3080/2.2/one'),
  result('rfc3080/2.2/two', {
    outcome: 'failed',
    saw: `it said ${NASTY}`,
    ending: 'timeout',
    samples: 25,
    counterexample: '[3]',
  }),
  result('rfc3081/3.1/three', { outcome: 'weak', level: 'SHOULD', saw: 'it could be better' }),
  result('rfc3081/3.1/four', { outcome: 'failed', saw: 'as ever', known: 'it never did' }),
  result('rfc3081/3.1/five', { outcome: 'unsupported', saw: 'no TLS', log: [] }),
  result('rfc3081/3.1/six', { mended: true }),
]
const RESULTS: Results = {
  format: 'beep-conformance-results',
  version: 1,
  target: { name: `A target ${NASTY}`, place: 'tcp://localhost:1', role: 'listener' },
  began: '2026-11-24T10:00:00.000Z',
  seconds: 1.5,
  seed: 42,
  strict: false,
  cases: CASES,
}

describe('text for people', () => {
  test('the summary has what matters: sections, the unexpected in detail, reasons, the seed', () => {
    const text = summary(RESULTS)
    expect(text).toContain('rfc3080/2.2  2 cases: 1 passed, 1 failed')
    expect(text).toContain('✗ rfc3080/2.2/two (MUST): the title')
    expect(text).toContain('“a phrase of the clause”')
    expect(text).toContain('smallest sample: [3]')
    expect(text).toContain('rfc3081/3.1/four: it never did')
    expect(text).toContain('seed 42')
    expect(text).toContain('2 unexpected.')
    expect(summary({ ...RESULTS, cases: [CASES[0]!] })).toContain('Nothing unexpected.')
  })

  test('a strict run takes recommendations for rules', () => {
    expect(summary({ ...RESULTS, strict: true })).toContain('3 unexpected.')
  })

  test('a dead target is told once', () => {
    const gone = Array.from({ length: 30 }, (_, at) =>
      result(`rfc3080/2.2/${at}`, { outcome: 'not-run', saw: 'the target is gone' }),
    )
    const text = summary({ ...RESULTS, died: 'noticed in rfc3080/2.2/0', cases: gone })
    expect(text.match(/noticed in/g)).toHaveLength(1)
    expect(text).toContain('30 cases were not run')
    expect(text).toContain('30 unexpected, 30 of them not run.')
  })

  test('a target that stopped to work at the end is no success', () => {
    const text = summary({ ...RESULTS, died: 'the sanity case does not pass any more', cases: [CASES[0]!] })
    expect(text).toMatch(/\nNothing unexpected but that the target stopped to work\.\n$/)
  })

  test('nothing that a target says can act on a terminal', () => {
    fc.assert(
      fc.property(anyText(), (text) => {
        expect(printable(text)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
        expect(caseLine(result('a/b/c', { outcome: 'failed', saw: text }))).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
      }),
    )
    expect(summary(RESULTS).replaceAll('\n', '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
  })
})

describe('JUnit', () => {
  function read(xml: string): { name: string; attributes: Record<string, string> }[] {
    const elements: { name: string; attributes: Record<string, string> }[] = []
    const parser = new SaxesParser()
    parser.on('error', (error) => {
      throw error
    })
    parser.on('opentag', ({ name, attributes }) => elements.push({ name, attributes: attributes as Record<string, string> }))
    parser.write(xml).close()
    return elements
  }

  test('each section is a suite; the unexpected fail, the known and the unsupported are skipped', () => {
    const elements = read(junit(RESULTS))
    expect(elements[0]!.attributes).toMatchObject({ tests: '6', failures: '2' })
    expect(
      elements
        .filter(({ name }) => name === 'testsuite')
        .map(({ attributes }) => [attributes.name, attributes.failures, attributes.skipped]),
    ).toEqual([
      ['rfc3080/2.2', '1', '0'],
      ['rfc3081/3.1', '1', '3'],
    ])
    expect(elements.filter(({ name }) => name === 'skipped').map(({ attributes }) => attributes.message)).toEqual([
      'recommended: it could be better',
      'known: it never did',
      'no TLS',
    ])
  })

  test('a target that stopped to work at the end is a failure', () => {
    const elements = read(junit({ ...RESULTS, died: 'the sanity case does not pass any more', cases: [CASES[0]!] }))
    expect(elements[0]!.attributes).toMatchObject({ tests: '2', failures: '1' })
    expect(elements.filter(({ name }) => name === 'failure').map(({ attributes }) => attributes.message)).toEqual([
      'it stopped to work, the sanity case does not pass any more',
    ])
  })

  test('is well-formed whatever a target says', () => {
    fc.assert(
      fc.property(anyText(), (saw) => {
        read(
          junit({ ...RESULTS, target: { ...RESULTS.target, name: saw }, cases: [result('a/b/c', { outcome: 'failed', saw })] }),
        )
      }),
    )
  })
})

test('the ladder shows the octets in the notation of the RFC and in hexadecimal', () => {
  expect(rungs(CASES[0]!.log)).toEqual([
    {
      at: 0.1,
      from: 'I',
      lines: ['I: MSG 1 0 . 0 3', 'I: a\\\\\\x01END'],
      hex: expect.arrayContaining([expect.stringMatching(/^000000 {2}4d 53 47 20/)]),
      omitted: 0,
    },
    { at: 0.4, from: 'L', lines: ['L: END\\'], hex: [expect.stringMatching(/45 4e 44 .*END$/)], omitted: 7 },
    { at: 1, lines: ['L closes the connection'], hex: [], omitted: 0 },
  ])
})

test('cases that an older run lacks stand where the newer one has them', () => {
  const older = { ...RESULTS, cases: RESULTS.cases.filter(({ id }) => id !== 'rfc3080/2.2/two') }
  const { cases } = pageData([older, RESULTS])
  expect(cases.map(({ slug }) => slug)).toEqual(['one', 'two', 'three', 'four', 'five', 'six'])
  expect(cases[1]!.results).toMatchObject([null, { outcome: 'failed' }])
})

describe('the page in Chromium', () => {
  let browser: Browser
  let directory: string
  let page: Page
  const faults: string[] = []

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'beep-report-'))
    await writeFile(
      join(directory, 'index.html'),
      html([RESULTS, { ...RESULTS, target: { ...RESULTS.target, name: 'Another' }, cases: CASES.slice(0, 2) }]),
    )
    try {
      browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
    } catch {
      return // Then the tests below are left out, or fail by name.
    }
    page = await browser.newPage()
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('request', (request) => {
      if (!request.url().startsWith('file:')) faults.push(`asks for ${request.url()}`)
    })
    await page.goto(pathToFileURL(join(directory, 'index.html')).href)
  }, 30_000)

  afterAll(async () => {
    await browser?.close()
    await rm(directory, { recursive: true, force: true })
  })

  testWith('chromium')('shows cases down and targets across', async () => {
    expect(await page.locator('#matrix thead th').allTextContents()).toEqual([
      'Case',
      'Level',
      expect.stringMatching(/^A target/),
      'Anotherlistener',
    ])
    expect(await page.locator('#matrix tr.section').allTextContents()).toEqual(['rfc3080/2.2', 'rfc3081/3.1'])
    expect(await page.locator('#matrix tr[id] .mark').allTextContents()).toEqual([
      '✓',
      '✓',
      '✗',
      '✗',
      '~',
      '',
      '✗',
      '',
      '–',
      '',
      '!',
      '',
    ])
  })

  testWith('chromium')('unfolds a case to clause, expectation and wire, with octets on demand', async () => {
    const row = page.locator('tr[id="rfc3080/2.2/two"]')
    await row.locator('button').click()
    const details = page.locator('tr.unfolded:visible')
    expect(await details.locator('blockquote').textContent()).toBe('a phrase of the clause')
    expect(await details.locator('dd').allTextContents()).toEqual(
      expect.arrayContaining(['a frame', 'an end', 'timeout', '25', '[3]']),
    )
    expect(await details.locator('pre.said').first().textContent()).toContain('I: MSG 1 0 . 0 3')
    expect(await details.locator('pre.hex').first().isVisible()).toBe(false)
    await details.locator('.ladder button').first().click()
    expect(await details.locator('pre.hex').first().textContent()).toContain('4d 53 47')
    expect(await details.locator('pre.hex').first().isVisible()).toBe(true)
    await row.locator('button').click()
    expect(await page.locator('tr.unfolded:visible').count()).toBe(0)
  })

  testWith('chromium')('filters by section, level, outcome and words', async () => {
    const shown = async () =>
      (await page.locator('#matrix tr[id]:visible').evaluateAll((rows) => rows.map(({ id }) => id.split('/')[2]))).join(' ')
    await page.selectOption('#section', 'rfc3081/3.1')
    expect(await shown()).toBe('three four five six')
    await page.selectOption('#level', 'SHOULD')
    expect(await shown()).toBe('three')
    await page.selectOption('#level', '')
    await page.selectOption('#outcome', 'known')
    expect(await shown()).toBe('four')
    await page.selectOption('#section', '')
    await page.selectOption('#outcome', '')
    await page.fill('#words', 'TITLE of rfc3080')
    expect(await shown()).toBe('one two')
    expect(await page.textContent('#shown')).toBe('2 of 6 cases')
    await page.fill('#words', '')
  })

  testWith('chromium')('needs no network, has no errors, and takes nothing that a target said for markup', async () => {
    expect(faults).toEqual([])
    expect(await page.title()).toBe('BEEP conformance')
    expect(await page.locator('img').count()).toBe(0)
  })

  testWith('chromium')('is legible in the light and in the dark', async () => {
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await paper()
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await paper()).not.toBe(light)
  })
})
