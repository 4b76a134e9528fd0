// `cloudy doctor`: what is wrong with the network, in words, and what to do about it.
import { networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import type { Finding } from '../cloudy/index.js'
import { sanitise } from '../cloudy/text.js'
import { printJson } from './report.js'
import { askRouter } from './status-command.js'

const MARKS: { readonly [kind in Finding['kind']]: string } = { good: 'good ', note: 'note ', wrong: 'WRONG' }
const MAX_LINE = 1000

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('what is wrong with the network, and what to do about it')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      '\nIt sends one multicast question on each interface, asks the router for a port and gives it back; nobody else is asked.\n' +
        'Exit codes: 0 all is well, 1 something is wrong, 2 it could not be found out.\n\nExample:\n  $ cloudy doctor',
    )
    .action(async ({ json = false }: { json?: boolean }) => {
      const { checkMulticast, examine, isHealthy } = await import('../cloudy/index.js')
      const [reachability, multicast] = await Promise.all([askRouter(), checkMulticast()])
      const findings = examine({ interfaces: networkInterfaces(), reachability, multicast })
      const healthy = isHealthy(findings)
      if (json) printJson({ healthy, findings })
      else for (const finding of findings) print(finding)
      process.exitCode = healthy ? 0 : 1
    })
}

function print({ kind, what, todo }: Finding): void {
  process.stdout.write(`${MARKS[kind]}  ${sanitise(what, MAX_LINE)}\n`)
  if (todo !== undefined) process.stdout.write(`       ${sanitise(todo, MAX_LINE)}\n`)
}
