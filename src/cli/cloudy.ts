#!/usr/bin/env node
// The program `cloudy`: the peer-to-peer network on the command line.
import { createRequire } from 'node:module'
import { Command } from 'commander'
import { demo } from './demo.js'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

const program = new Command('cloudy')
  .description('Cloudy: peers that find each other, prove their keys and exchange signed objects, without a server')
  .version(version)
  .showHelpAfterError()

program
  .command('demo')
  .description('two peers on this machine meet, from a fresh key to a file that arrived')
  .option('--trace', 'print the sessions in the notation of RFC 3080, too')
  .addHelpText('after', '\nExample:\n  $ cloudy demo --trace')
  .action(async ({ trace = false }: { trace?: boolean }) => {
    process.exitCode = await demo({ trace, print: (line) => process.stdout.write(`${line}\n`) })
  })

program.parseAsync().catch((error) => {
  process.stderr.write(`cloudy: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
})
