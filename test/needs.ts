// Tests that need a foreign program, or network namespaces: they run wherever those are, are listed by name where they are not, and under .ci/run
// nothing may be left out.
import { spawnSync } from 'node:child_process'
import { test } from '@jest/globals'
import { namespacesMissing } from './namespaces.js'

type Test = (name: string, run: () => void | Promise<void>, timeout?: number) => void

const found = new Map<string, boolean>()
let noNamespaces: Promise<string | undefined> | undefined

function has(program: string): boolean {
  const known = found.get(program) ?? spawnSync('which', [program]).status === 0
  found.set(program, known)
  return known
}

function leftOut(reason: string): Test {
  if (process.env.NOTHING_LEFT_OUT !== '1') return (name) => test.todo(`${name} (left out: ${reason})`)
  return (name) =>
    test(name, () => {
      throw new Error(`${reason}, and nothing may be left out`)
    })
}

/** `test` for tests that run one of Debian's programs. */
export function testWith(program: string): Test {
  return has(program) ? test : leftOut(`${program} is not installed`)
}

/**
 * `test` for tests that make network namespaces (`network` of namespaces.ts) and run programs of Debian in them. `await` it at the top of the file.
 * Make the network in the tests, once, not in `beforeAll`: that runs for tests that are left out, too.
 */
export async function testInNamespaces(...programs: string[]): Promise<Test> {
  const missing = ['ip', ...programs].find((program) => !has(program))
  if (missing !== undefined) return leftOut(`${missing} is not installed`)
  noNamespaces ??= namespacesMissing()
  const reason = await noNamespaces
  return reason === undefined ? test : leftOut(reason)
}
