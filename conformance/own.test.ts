// Our own stack passes every case, SHOULDs included, in both roles, in memory and over TCP, TLS with it.
import { describe, expect, test } from '@jest/globals'
import { isUnexpected } from './harness/results.js'
import { run } from './harness/run.js'
import type { Target } from './harness/target.js'
import { CASES } from './index.js'
import { ECHO, ownInitiator, ownInitiatorOnTcp, ownListener, ownListenerOnTcp } from './test-kit-own.js'

/** One section, or cases, when one is at work on them: `CONFORM=2.3.1.2 npm test -- own`. */
const pattern = process.env.CONFORM

/** Properties are for the runs in memory; over TCP it is the plain cases that tell something new. */
const ALL = CASES.filter(({ id }) => id.includes(pattern ?? ''))
const PLAIN = ALL.filter(({ samples }) => samples === undefined)

async function failures(target: Target, cases = ALL): Promise<readonly string[]> {
  const results = await run({
    target,
    name: 'cloudy-beep',
    profile: ECHO,
    cases,
    patience: 5000,
    // In memory nothing is waited for, so more at a time would only make each of them late on a busy machine.
    concurrency: 1,
    seed: 1,
    strict: true,
    tls: true,
  }).finally(() => target.close())
  if (pattern !== undefined)
    for (const { outcome, id, saw, milliseconds } of results.cases)
      console.log(`${outcome} ${id} (${milliseconds} ms): ${saw}`.slice(0, 300))
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

  test('as an initiator that pipelines its requests', async () => {
    const asynchrony = PLAIN.filter(({ id }) => /^rfc3080\/2\.(1\.1|6|7)/.test(id))
    expect(await failures(ownInitiator(true), asynchrony)).toEqual([])
  }, 120_000)

  test('as a listener on TCP', async () => {
    expect(await failures(await ownListenerOnTcp(), PLAIN)).toEqual([])
  }, 120_000)

  test('as an initiator on TCP', async () => {
    expect(await failures(await ownInitiatorOnTcp(), PLAIN)).toEqual([])
  }, 120_000)
})
