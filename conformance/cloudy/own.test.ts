// Our own peer passes every case of Cloudy, and none is left out as unsupported.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { Identity } from '../../src/cloudy/identity.js'
import { Peer } from '../../src/cloudy/peer.js'
import { CLOUDY_CASES } from './index.js'
import { judge } from './test-kit-judge.js'

/** Cases, when one is at work on them: `CONFORM=cards npm test -- cloudy/own`. */
const pattern = process.env.CONFORM

test('our own peer passes every case', async () => {
  const downloads = await mkdtemp(join(tmpdir(), 'cloudy-conform-'))
  const identity = await Identity.generate({ nickname: 'Bob' })
  const peer = await Peer.start({ identity, downloads, loopbackOnly: true, onFile: { offered: () => {} } })
  try {
    const chosen = CLOUDY_CASES.filter(({ id }) => id.includes(pattern ?? ''))
    const { died, cases } = await judge(peer.port, chosen)
    if (pattern !== undefined)
      for (const { outcome, id, saw, milliseconds } of cases)
        console.log(`${outcome} ${id} (${milliseconds} ms): ${saw}`.slice(0, 300))
    expect(died).toBeUndefined()
    const others = cases.filter(({ outcome }) => outcome !== 'passed')
    expect(others.map(({ id, outcome, saw, counterexample }) => ({ id, outcome, saw, counterexample }))).toEqual([])
  } finally {
    await peer.close()
    await rm(downloads, { recursive: true })
  }
}, 60_000)
