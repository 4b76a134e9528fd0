#!/usr/bin/env node
// The program behind `beep conform`: the conformance suite on the command line.
import { readFile, writeFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import { parseExpectations } from './harness/expectations.js'
import { isUnexpected } from './harness/results.js'
import { CannotRun, run } from './harness/run.js'
import { awaited, dialled, executed, type Target } from './harness/target.js'
import { CASES } from './index.js'

interface Options {
  readonly profile: string
  readonly listen?: number
  readonly exec?: string
  readonly tls?: boolean
  readonly strict?: boolean
  readonly list?: boolean
  readonly seed?: number
  readonly timeout?: number
  readonly concurrency: number
  readonly case: readonly string[]
  readonly target?: string
  readonly json?: string
}

const program = new Command('beep conform')
  .description('judge an implementation of BEEP by the clauses of RFC 3080 and RFC 3081')
  .argument('[place]', 'tcp://HOST:PORT of a listener; not with --listen or --exec')
  .argument('[pattern...]', 'only cases whose id contains one of these')
  .option('--profile <uri>', 'the profile on which the target echoes')
  .option('--listen <port>', 'await an initiator instead', number(0, 65_535))
  .option(
    '--exec <command>',
    'start the target with this; {port} in it is the port to listen on, or, with --listen, to connect to',
  )
  .option('--tls', 'test the TLS profile, too')
  .option('--strict', 'a SHOULD that is not followed is a failure')
  .option('--list', 'list the cases and stop')
  .option('--seed <number>', 'seed of the properties', number(0, 2 ** 31 - 1))
  .option('--timeout <ms>', 'how long anything awaited may take', number(10, 600_000))
  .option('--concurrency <count>', 'cases that run at a time', number(1, 64), 1)
  .option('--case <id>', 'only this case (may repeat)', (id: string, before: readonly string[]) => [...before, id], [])
  .option('--target <file>', 'known deviations of the target, JSON')
  .option('--json <file>', 'write the results')
  .action(async (place: string | undefined, patterns: readonly string[], options: Options) => {
    process.exitCode = await conform(place, patterns, options)
  })

async function conform(first: string | undefined, rest: readonly string[], options: Options): Promise<number> {
  const isPlace = first?.startsWith('tcp://') ?? false
  const patterns = first === undefined || isPlace ? rest : [first, ...rest]
  const cases = CASES.filter(
    ({ id }) =>
      (patterns.length === 0 || patterns.some((pattern) => id.includes(pattern))) &&
      (options.case.length === 0 || options.case.includes(id)),
  )
  if (options.list) {
    for (const { id, level, title } of cases) process.stdout.write(`${id}  ${level}  ${title}\n`)
    return 0
  }
  const expectations = options.target === undefined ? undefined : parseExpectations(await readFile(options.target, 'utf8'))
  const target = await targetOf(isPlace ? first : undefined, options)
  try {
    const results = await run({
      target,
      name: expectations?.name ?? target.place,
      profile: options.profile,
      cases,
      patience: options.timeout ?? expectations?.timeout ?? 2000,
      concurrency: options.concurrency,
      seed: options.seed ?? Date.now() % 2 ** 31,
      strict: options.strict ?? false,
      tls: options.tls ?? false,
      expectations,
      onResult: ({ id, outcome, saw, milliseconds }, done, total) =>
        process.stdout.write(`${done}/${total} ${outcome} ${id} (${milliseconds} ms) ${saw}\n`),
    })
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 1)}\n`)
    return results.died !== undefined || results.cases.some((each) => isUnexpected(each, results.strict)) ? 1 : 0
  } finally {
    await target.close()
  }
}

async function targetOf(place: string | undefined, { listen, exec }: Options): Promise<Target> {
  const tell = (line: string) => process.stderr.write(`${line}\n`)
  if (listen !== undefined) return awaited(listen, exec, tell)
  if (exec !== undefined) return executed(exec, tell)
  if (place === undefined) throw new CannotRun('Say where the target is: tcp://HOST:PORT, --listen PORT or --exec COMMAND')
  const { hostname, port } = new URL(place)
  return dialled(hostname.replace(/^\[|\]$/g, ''), Number(port || 10_288))
}

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^[0-9]+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It is a number from ${least} to ${most}.`)
    return value
  }
}

program.parseAsync().catch((error) => {
  process.stderr.write(`beep conform: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 2
})
