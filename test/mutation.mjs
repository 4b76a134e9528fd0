// Mutants of the wire and the engine, sampled: `npm run test:mutation`. Paragraphs of their files (a function, or a part of one) are drawn at random, every mutant in
// them is set against the tests, and the score is printed file by file. The seed is printed: `MUTATION_SEED=N` draws the same again. `MUTATION_SHARE` is the part of
// the lines that is drawn, 0 to 1. Other options go to Stryker; with `--mutate 'src/beep/engine/window.ts'` nothing is drawn.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const FOLDERS = ['src/beep/wire/', 'src/beep/engine/']
const REPORT = 'dist-bench/mutation.json'
/** As much as ends within an hour on two cores. */
const SHARE = 0.25

const seed = Number(process.env.MUTATION_SEED ?? Date.now() % 2 ** 31)
const share = Number(process.env.MUTATION_SHARE ?? SHARE)
const wanted = process.argv.slice(2)

/** A generator of numbers below 1 that gives the same to the same seed everywhere (mulberry32). */
function random(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The lines of a file between two empty ones, as Stryker names them. */
function paragraphs(file) {
  const found = []
  let from = 1
  const lines = readFileSync(file, 'utf8').split('\n')
  for (const [index, line] of lines.entries()) {
    if (line.trim() !== '' && index < lines.length - 1) continue
    if (index + 1 > from) found.push(`${file}:${from}-${index + 1}`)
    from = index + 2
  }
  return found
}

function sample() {
  const next = random(seed)
  const files = FOLDERS.flatMap((folder) => readdirSync(folder).map((name) => folder + name))
  const sources = files.filter((file) => file.endsWith('.ts') && !/\.test\.ts$|test-kit/.test(file))
  return sources.flatMap(paragraphs).filter(() => next() < share)
}

function score(states) {
  const valid = states.filter((state) => ['Killed', 'Timeout', 'Survived', 'NoCoverage'].includes(state))
  const found = valid.filter((state) => state === 'Killed' || state === 'Timeout').length
  return `${String(found).padStart(5)} of ${String(valid.length).padStart(4)} found  ${((100 * found) / Math.max(1, valid.length)).toFixed(1).padStart(5)} %`
}

const drawn = wanted.some((option) => option === '-m' || option.startsWith('--mutate'))
if (!drawn) process.stdout.write(`MUTATION_SEED=${seed}, a share of ${share} of the lines\n`)
const options = drawn ? wanted : ['--mutate', sample().join(','), ...wanted]
const { status } = spawnSync('npx', ['stryker', 'run', ...options], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)

const { files } = JSON.parse(readFileSync(REPORT, 'utf8'))
const all = []
for (const [file, { mutants }] of Object.entries(files)) {
  const states = mutants.map((mutant) => mutant.status)
  all.push(...states)
  process.stdout.write(`${score(states)}  ${file}\n`)
}
process.stdout.write(`${score(all)}  of all that were drawn; every mutant is in ${REPORT}\n`)
