#!/usr/bin/env node
// The program `cloudy`: the peer-to-peer network on the command line. Each group of commands has a file of its own, which adds it here.
//
// Exit codes, of every command: 0 it is as it should be; 1 something was judged and is not valid, or a step of the demonstration failed;
// 2 the command could not run: a wrong option, no such file, a passphrase that is not the one.
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { sanitise } from '../cloudy/index.js'
import { addCardCommands } from './card-command.js'
import { addDemoCommands } from './demo-command.js'
import { addDoctorCommand } from './doctor-command.js'
import { addIdentityCommands } from './identity-command.js'
import { addNearbyCommand } from './nearby-command.js'
import { addObjectCommands } from './object-command.js'
import { addStatusCommand } from './status-command.js'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

const program = new Command('cloudy')
  .description('Cloudy: peers that find each other, prove their keys and exchange signed objects, without a server')
  .version(version)
  .showHelpAfterError()
  .exitOverride()
  .addHelpText('after', '\nExit codes: 0 good, 1 not valid, 2 could not run.')

addDemoCommands(program)
addIdentityCommands(program)
addCardCommands(program)
addObjectCommands(program)
addNearbyCommand(program)
addStatusCommand(program)
addDoctorCommand(program)

// Whoever reads may have had enough: `cloudy … | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

program.parseAsync().catch((error) => {
  if (error instanceof CommanderError) {
    // It has been said already.
    process.exitCode = error.exitCode === 0 ? 0 : 2
    return
  }
  process.stderr.write(`cloudy: ${sanitise(error instanceof Error ? error.message : String(error), 1000)}\n`)
  process.exitCode = 2
})
