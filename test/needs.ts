// Tests that need a foreign program: they run wherever it is, are listed by name where it is not, and under .ci/run nothing may be left out.
import { spawnSync } from 'node:child_process'
import { test } from '@jest/globals'

const found = new Map<string, boolean>()

function has(program: string): boolean {
  const known = found.get(program) ?? spawnSync('which', [program]).status === 0
  found.set(program, known)
  return known
}

/** `test` for tests that run one of Debian's programs. */
export function testWith(program: string): (name: string, run: () => void | Promise<void>, timeout?: number) => void {
  if (has(program)) return test
  if (process.env.NOTHING_LEFT_OUT === '1') {
    return (name) =>
      test(name, () => {
        throw new Error(`${program} is not installed, and nothing may be left out`)
      })
  }
  return (name) => test.todo(`${name} (left out: ${program} is not installed)`)
}
