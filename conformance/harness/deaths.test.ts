// Targets that die: of which case they did, and all that was said to them until then.
import { Buffer } from 'node:buffer'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ECHO, ownListener } from '../test-kit-own.js'
import { type Case, must, section } from './case.js'
import type { Peer } from './peer.js'
import { brief, type CaseResult, type Results } from './results.js'
import { type RunOptions, run } from './run.js'
import { dialled, executed, type Target } from './target.js'

const about = { title: 'a case', judges: [], quote: '', sends: 'something', expects: 'something' }
const [passes] = section('rfc3080/0', 'Trial', [must('passes', about, async () => undefined)]) as [Case]

function asked(target: Target, cases: readonly Case[]): RunOptions {
  const options = { patience: 5000, concurrency: 1, seed: 1, strict: false, tls: false }
  return { target, name: 'trial', profile: ECHO, cases, sanity: passes, ...options }
}

function trial(target: Target, cases: readonly Case[]): Promise<Results> {
  return run(asked(target, cases))
}

/** Octets that are in the log of a case. */
function octetsOf({ log }: CaseResult): number {
  return log.reduce((sum, each) => sum + ('octets' in each ? Buffer.from(each.octets, 'base64').length : 0), 0)
}

/** Leaves when it hears `die`, and closes the connection of whoever says anything else. */
const MORTAL = `exec '${process.execPath}' -e "require('node:net').createServer((socket) => { let heard = ''; socket.on('error', () => {}); socket.on('data', (octets) => { heard += octets; if (heard.endsWith('die')) process.exit(3); if (heard.endsWith('bye')) socket.end() }) }).listen(Number(process.argv[1]))" {port}`

test('all that was said until it died is kept, of the case before that passed, too', async () => {
  const said = Buffer.from('x'.repeat(100_000))
  const listener = ownListener()
  let count = 0
  const dying: Target = { ...listener, open: (patience) => (++count > 2 ? dialled('127.0.0.1', 1) : listener).open(patience) }
  const talks = { ...passes, run: async (peer: Peer) => void peer.write(said) }
  const results = await trial(dying, [talks, passes])
  const [first] = brief(results).cases
  expect(first).toMatchObject({ outcome: 'passed', last: true })
  expect(octetsOf(first!)).toBe(said.length)
})

test('all that was said to a program until it ended is in the report', async () => {
  const started = await executed(MORTAL)
  const [deadly] = section('rfc3080/0', 'Trial', [
    must('deadly', about, async (peer) => {
      for (let frame = 0; frame < 50; frame++) peer.send('MSG 1 0 *', 'x'.repeat(2000))
      return peer.write('die').expectTermination()
    }),
  ])
  try {
    const { cases } = await trial(started, [deadly!])
    expect(cases[0]).toMatchObject({ outcome: 'failed' })
    expect(cases[0]!.saw).toMatch(/its program ended \(exit code 3\)$/)
    expect(octetsOf(cases[0]!)).toBeGreaterThan(100_000)
    expect(cases[0]!.log.filter((each) => 'omitted' in each)).toEqual([])
  } finally {
    await started.close()
  }
})

test('the sample of which a program died is told, though what was said was right', async () => {
  const started = await executed(MORTAL)
  const [deadly] = section('rfc3080/0', 'Trial', [
    must.hold('deadly', { ...about, samples: fc.nat(9) }, async (peer, sample) =>
      peer.write(sample === 4 ? 'die' : 'bye').expectTermination(),
    ),
  ])
  try {
    const { cases } = await trial(started, [deadly!])
    expect(cases[0]).toMatchObject({ outcome: 'failed', counterexample: '4' })
    expect(cases[0]!.saw).toMatch(/its program ended \(exit code 3\)$/)
    expect(octetsOf(cases[0]!)).toBe(3)
  } finally {
    await started.close()
  }
})

describe('a death counts against the case that it was of', () => {
  const [deadly, ends] = section('rfc3080/0', 'Trial', [
    must.hold('deadly', { ...about, samples: fc.integer({ min: 10, max: 99 }) }, async (peer) => {
      await peer.write('die').greeted()
      return undefined
    }),
    must('ends', about, async (peer) => peer.write('bye').expectTermination()),
  ]) as [Case, Case]

  test('though it died of sample after sample', async () => {
    const started = await executed(MORTAL)
    try {
      const { cases, died } = await trial(started, [deadly, ends])
      expect(cases[0]!.saw).toMatch(/its program ended \(exit code 3\)$/)
      expect(cases[1]).toMatchObject({ outcome: 'passed', ending: 'closed' })
      expect(died).toBeUndefined()
    } finally {
      await started.close()
    }
  })

  test('though it is seen only when the next starts it again', async () => {
    const listener = ownListener()
    let count = 0
    const dying: Target = {
      ...listener,
      open: (patience) => {
        count++
        return listener.open(patience)
      },
      lost: async () => undefined,
      fell: () => (count === 3 ? 'its program ended (late)' : undefined),
    }
    const told: string[] = []
    const cases = ['one', 'two'].map((name) => ({ ...passes, id: `rfc3080/0/${name}` }))
    const results = await run({ ...asked(dying, cases), onResult: ({ id, outcome }) => told.push(`${id} ${outcome}`) })
    expect(results.cases.map(({ outcome, saw }) => [outcome, saw])).toEqual([
      ['failed', 'its program ended (late)'],
      ['passed', ''],
    ])
    expect(told).toEqual(['rfc3080/0/one passed', 'rfc3080/0/one failed', 'rfc3080/0/two passed'])
  })

  test('seen by a second connection, of the case that opened it', async () => {
    const started = await executed(MORTAL)
    const twice = {
      ...ends,
      run: async (peer: Peer) =>
        (await peer.write('die').expectTermination()) && (await peer.another()).write('bye').expectTermination(),
    }
    try {
      const { cases } = await trial(started, [twice, ends])
      expect(cases.map(({ outcome }) => outcome)).toEqual(['failed', 'passed'])
    } finally {
      await started.close()
    }
  })
})

test('of a target that takes no second connection the case fails that wants one', async () => {
  const listener = ownListener()
  let count = 0
  const once: Target = { ...listener, open: (patience) => (++count === 3 ? dialled('127.0.0.1', 1) : listener).open(patience) }
  const twice = { ...passes, run: async (peer: Peer) => void (await peer.another()) }
  const { cases } = await trial(once, [twice, passes])
  expect(cases.map(({ outcome }) => outcome)).toEqual(['failed', 'passed'])
  expect(cases[0]!.saw).toMatch(/^one connection more: cannot connect to /)
})
