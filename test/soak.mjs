// A long soak: `npm run test:soak -- MINUTES` (10 by default). Two engines under random commands, and garbage against one, each property for its share of
// the time, with seeds that are printed: `SOAK_SEED=N` runs the same again.
import { spawn } from 'node:child_process'

const minutes = Number(process.argv[2] ?? 10)
if (!(minutes > 0)) {
  process.stderr.write('npm run test:soak -- MINUTES: a number above 0\n')
  process.exit(2)
}
const seed = process.env.SOAK_SEED ?? String(Date.now() % 2 ** 31)
process.stdout.write(`Soaking for ${minutes} minutes with SOAK_SEED=${seed}\n`)
const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js']
const patterns = ['src/beep/engine/properties', 'src/beep/engine/robustness']
const child = spawn(process.execPath, [...jest, ...patterns, '--verbose', '--testTimeout', String((minutes + 5) * 60_000)], {
  stdio: 'inherit',
  env: { ...process.env, SOAK_MINUTES: String(minutes), SOAK_SEED: seed },
})
child.on('exit', (code) => {
  process.exitCode = code ?? 1
})
