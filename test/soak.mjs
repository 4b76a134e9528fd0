// A long soak: `npm run test:soak -- MINUTES` (10 by default). Two engines under random commands, garbage against one, and the wire: round after round of all
// properties, each with a seed of its own and a minute or two long. A round that fails says its seed: `SOAK_SEED=N` begins with it.
import { spawn } from 'node:child_process'

/** How many times as often as in `npm test` a property runs in a full round, at most. Many rounds find more than one long one: each begins with small samples. */
const TIMES = 20

const minutes = Number(process.argv[2] ?? process.env.SOAK_MINUTES ?? 10)
if (!(minutes > 0)) {
  process.stderr.write('npm run test:soak -- MINUTES: a number above 0\n')
  process.exit(2)
}
const first = Number(process.env.SOAK_SEED ?? Date.now() % 2 ** 31)
process.stdout.write(`Soaking for ${minutes} minutes with SOAK_SEED=${first}\n`)

const begun = Date.now()
const elapsed = () => (Date.now() - begun) / 60_000
// A short round first, to see how fast this machine is; a seed that is named is meant to find something again.
let times = process.env.SOAK_SEED === undefined ? 1 : TIMES
let rounds = 0
for (; elapsed() < minutes; rounds++) {
  const before = elapsed()
  const seed = (first + rounds) % 2 ** 31
  const failed = await round(seed, times)
  process.stdout.write(`Round ${rounds + 1}, SOAK_SEED=${seed}: ${failed ? 'failed' : 'well'}, ${elapsed().toFixed(1)} min\n`)
  if (failed) process.exit(1)
  // The last round is shorter, so that it may end; where the machine got slower meanwhile, properties stop when the time is over.
  times = Math.max(1, Math.min(TIMES, (times * (minutes - elapsed())) / (elapsed() - before)))
}
process.stdout.write(`Soaked for ${elapsed().toFixed(1)} minutes: ${rounds} rounds, all well\n`)

/** Runs all properties with a seed. @returns whether one failed; what jest says of it has been printed */
function round(seed, times) {
  const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js']
  const options = ['--config', 'test/properties.jest.mjs', '--silent', '--testTimeout', String((minutes + 5) * 60_000)]
  const child = spawn(process.execPath, [...jest, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      PROPERTY_RUNS: String(times),
      PROPERTY_SEED: String(seed),
      PROPERTY_DEADLINE: String(begun + minutes * 60_000),
    },
  })
  const said = []
  child.stderr.on('data', (octets) => said.push(octets))
  return new Promise((resolve) => {
    child.on('close', (code) => {
      if (code !== 0) process.stderr.write(Buffer.concat(said))
      resolve(code !== 0)
    })
  })
}
