// For the tests of the suite for Cloudy: a run of it against a peer in this process.
import type { Case } from '../harness/case.js'
import type { Results } from '../harness/results.js'
import { run } from '../harness/run.js'
import { dialled } from '../harness/target.js'
import { OBJECTS } from './kit/visit.js'
import { CLOUDY_SANITY } from './sanity.js'

/** Fewer samples than usual: what they are about has tests of its own in src. */
const SAMPLES = 4

export function judge(port: number, cases: readonly Case[]): Promise<Results> {
  return run({
    target: dialled('127.0.0.1', port),
    name: 'a Cloudy peer',
    profile: OBJECTS,
    cases,
    sanity: CLOUDY_SANITY,
    samples: SAMPLES,
    patience: 5000,
    concurrency: 8,
    seed: 1,
    strict: true,
    tls: true,
  })
}
