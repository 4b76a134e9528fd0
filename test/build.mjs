// Before any test: the programs are built once, so that tests which run them as their user does run what is in the tree.
import { execFileSync } from 'node:child_process'

export default function build() {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
}
