#!/usr/bin/env node
// The program `beep`: a BEEP peer on the command line, to try other implementations against.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Place } from './ping-command.js'
import { endsWithCode, runProgram } from './run-program.js'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

// What a command needs is loaded when it is given: help, a wrong option and the judge wait for nothing of it.
const program = endsWithCode(new Command('beep'))
  .description('A BEEP peer (RFC 3080, RFC 3081) on the command line')
  .version(version)
  .addHelpText('after', '\nExit codes: 0 good, 1 a reply or a case was not as it should be, 2 could not run.')

program
  .command('listen')
  .description('await sessions and serve echo, sink and refusing profiles')
  .option('-p, --port <port>', 'TCP port; 0 takes a free one', number(0, 65_535), 10_288)
  .option('--host <host>', 'address to listen on', 'localhost')
  .option('--path <socket>', 'a Unix socket instead')
  .addOption(several('--echo <uri>', 'serve echo under this URI (may repeat)'))
  .addOption(several('--sink <uri>', 'serve sink under this URI (may repeat)'))
  .addOption(several('--accept <uri>', 'open channels under this URI and refuse every MSG with 550 (may repeat)'))
  .option('--tls', 'offer the TLS profile, with a fresh self-signed key unless --key and --cert are given')
  .option('--key <file>', 'private key, PEM')
  .option('--cert <file>', 'certificate, PEM')
  .option('-v, --verbose', 'one line an event')
  .addHelpText('after', '\nExample:\n  $ beep listen --port 10288 --echo http://example.org/echo --verbose')
  .action(async (options) => {
    const { listenCommand } = await import('./listen-command.js')
    process.exitCode = await listenCommand(options)
  })

program
  .command('ping')
  .description('start a channel, send messages and time the replies')
  .argument('<place>', 'HOST:PORT, [ADDRESS]:PORT, or the path of a Unix socket', place)
  .requiredOption('--profile <uri>', 'the profile to start: one that echoes')
  .option('-c, --count <count>', 'messages to send', number(1, 1e9), 4)
  .option('-s, --size <octets>', 'octets of a message', number(0, 2 ** 30), 64)
  .option('--tls', 'tune the session to TLS first')
  .option('--ca <file>', 'who may vouch for the certificate, PEM; the system trusts otherwise')
  .option('--any-certificate', 'take whatever certificate the peer shows, and print it')
  .option('--timeout <seconds>', 'for the whole of it', number(1, 86_400), 30)
  .option('--json', 'one JSON object instead of lines')
  .addHelpText('after', '\nExample:\n  $ beep ping localhost:10288 --profile http://example.org/echo -c 3 -s 1000')
  .action(async (where: Place, options) => {
    const { pingCommand } = await import('./ping-command.js')
    process.exitCode = await pingCommand(where, options)
  })

// The judge is a program of its own: it shares nothing with the engine that it judges.
program.command('conform', 'judge an implementation of BEEP by the clauses of RFC 3080 and RFC 3081', {
  executableFile: fileURLToPath(new URL('../judge/conformance/beep-conform.js', import.meta.url)),
})

await runProgram(program)

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^[0-9]+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It is a number from ${least} to ${most}.`)
    return value
  }
}

function several(flags: string, description: string): Option {
  const collect = (uri: string, before: readonly string[]): readonly string[] => [...before, uri]
  return new Option(flags, description).argParser(collect).default([], 'none')
}

function place(text: string): Place {
  // With or without the tcp:// that conform asks for.
  const found = /^(?:tcp:\/\/)?(?:\[(?<address>[^\]]+)\]|(?<host>[^:/]+)):(?<port>[0-9]{1,5})$/.exec(text)
  if (found?.groups !== undefined)
    return { host: found.groups.address ?? found.groups.host!, port: number(1, 65_535)(found.groups.port!) }
  if (text.includes('/')) return { path: text }
  throw new InvalidArgumentError('It is HOST:PORT, [ADDRESS]:PORT, or a path with a slash.')
}
