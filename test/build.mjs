// Before any test: the programs are built once, so that tests which run them as their user does run what is in the tree.
import { spawnSync } from 'node:child_process'

export default function build() {
  // What is emitted runs in spite of errors of types; those are for `npm run typecheck` to judge.
  for (const project of ['tsconfig.build.json', 'tsconfig.conformance.json']) {
    const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], { stdio: 'inherit' })
    if (status === null) throw new Error(`tsc -p ${project} could not run`)
  }
}
