#!/usr/bin/env node
// The program `cloudy`: the peer-to-peer network on the command line. Each group of commands has a file of its own, which adds it here.
//
// Exit codes, of every command: 0 it is as it should be; 1 something was judged and is not valid, or a step of the demonstration failed;
// 2 the command could not run: a wrong option, no such file, a passphrase that is not the one.
import { createRequire } from 'node:module'
import { Command } from 'commander'
import { addCardCommands } from './card-command.js'
import { addDemoCommands } from './demo-command.js'
import { addDoctorCommand } from './doctor-command.js'
import { addIdentityCommands } from './identity-command.js'
import { addNearbyCommand } from './nearby-command.js'
import { addObjectCommands } from './object-command.js'
import { endsWithCode, runProgram } from './run-program.js'
import { addStatusCommand } from './status-command.js'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

// The network is loaded when a command needs it, and so are the libraries that make keys and certificates: help, a wrong option and a card that is shown wait for none.
const program = endsWithCode(new Command('cloudy'))
  .description('Cloudy: peers that find each other, prove their keys and exchange signed objects, without a server')
  .version(version)
  .addHelpText('after', '\nExit codes: 0 good, 1 not valid, 2 could not run.')

addDemoCommands(program)
addIdentityCommands(program)
addCardCommands(program)
addObjectCommands(program)
addNearbyCommand(program)
addStatusCommand(program)
addDoctorCommand(program)

await runProgram(program)
