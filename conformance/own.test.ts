// Our own stack passes every case, SHOULDs included, in both roles.
import { describe, expect, test } from '@jest/globals'
import { isUnexpected } from './harness/results.js'
import { run } from './harness/run.js'
import type { Target } from './harness/target.js'
import { CASES } from './index.js'
import { ECHO, ownInitiator, ownListener } from './test-kit-own.js'

/** One section, or cases, when one is at work on them: `CONFORM=2.3.1.2 npm test -- own`. */
const pattern = process.env.CONFORM ?? ''

async function failures(target: Target): Promise<readonly string[]> {
  const results = await run({
    target,
    name: 'cloudy-beep',
    profile: ECHO,
    cases: CASES.filter(({ id }) => id.includes(pattern)),
    patience: 1000,
    concurrency: 8,
    seed: 1,
    strict: true,
    tls: false,
  })
  if (process.env.CONFORM !== undefined)
    for (const { outcome, id, saw } of results.cases) console.log(`${outcome} ${id}: ${saw}`.slice(0, 300))
  const died = results.died === undefined ? [] : [results.died]
  return [...died, ...results.cases.filter((each) => isUnexpected(each, true)).map(({ id, saw }) => `${id}: ${saw}`)]
}

describe('our own stack, strict', () => {
  test('as a listener', async () => {
    expect(await failures(ownListener())).toEqual([])
  }, 120_000)

  test('as an initiator', async () => {
    expect(await failures(ownInitiator())).toEqual([])
  }, 120_000)
})
