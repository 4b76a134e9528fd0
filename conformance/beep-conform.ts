#!/usr/bin/env node
// The program behind `beep conform`: the conformance suite on the command line.
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { progress } from '@clack/prompts'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { Case } from './harness/case.js'
import { parseExpectations, strayDeviation } from './harness/expectations.js'
import { replay } from './harness/replay.js'
import { html } from './harness/report/html.js'
import { junit } from './harness/report/junit.js'
import { printable } from './harness/report/printable.js'
import { caseLine, summary } from './harness/report/terminal.js'
import { brief, isUnexpected, type Results, type Role } from './harness/results.js'
import { CannotRun, type RunOptions, run } from './harness/run.js'
import { awaited, dialled, executed, type Target } from './harness/target.js'

interface Options {
  readonly profile?: string
  readonly cloudy?: boolean
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
  readonly name?: string
  readonly json?: string
  readonly brief?: boolean
  readonly junit?: string
  readonly html?: string
  readonly merge?: readonly string[]
  readonly transcript?: string
}

/** Stands for stdout where a file is named. */
const STANDARD = '-'
/** Milliseconds that anything awaited may take, unless somebody says otherwise. */
const PATIENCE = 2000

const program = new Command('beep conform')
  .description('Judges an implementation of BEEP by the clauses of RFC 3080 and RFC 3081, over the wire')
  .argument('[place]', 'tcp://HOST:PORT of a listener; not with --listen or --exec')
  .argument('[pattern...]', 'only cases whose id contains one of these')
  .option('--profile <uri>', 'the profile on which the target echoes')
  .addOption(
    new Option('--cloudy', 'the target is a Cloudy peer: judge it by docs/PROFILES.md instead; it is dialled').conflicts(
      'profile',
    ),
  )
  .option('--listen <port>', 'the target is an initiator: await it on this port', number(0, 65_535))
  .option('--exec <command>', 'start the target; {port} in it is the port to listen on or, with --listen, to connect to')
  .option('--tls', 'test the TLS profile, too')
  .option('--strict', 'a SHOULD that is not followed is a failure')
  .option('--target <file>', 'JSON with the known deviations of the target, each with its reason')
  .option('--name <name>', 'what the target is called in the reports')
  .addOption(new Option('--case <id>', 'only this case (may repeat)').argParser(collect).default([], 'all'))
  .option('--list', 'list the cases and stop')
  .option('--seed <number>', 'seed of the properties; it is always printed', number(0, 2 ** 31 - 1))
  .option('--timeout <ms>', `how long anything awaited may take (default: ${PATIENCE})`, number(10, 600_000))
  .addOption(
    new Option('--concurrency <count>', 'cases that run at a time, at a listener that is dialled')
      .argParser(number(1, 64))
      .default(1)
      .conflicts(['exec', 'listen']),
  )
  .option('--json <file>', 'write the results as JSON; - is stdout, and what is for people goes to stderr then')
  .option('--brief', 'in the JSON, only the conversations of what did not pass, and one of each section')
  .option('--junit <file>', 'write the results as JUnit XML; - as above')
  .option('--html <directory>', 'write the results as one page, index.html')
  .addOption(
    new Option('--merge <files...>', 'run nothing: make the page for --html of the JSON results of several runs').conflicts(
      'profile cloudy listen exec tls strict target name case list seed timeout concurrency json brief junit transcript'.split(
        ' ',
      ),
    ),
  )
  .addOption(
    new Option('--transcript <file>', "play our side of this transcript instead and compare the target's side").conflicts(
      'profile cloudy tls strict target name case list seed concurrency json brief junit html'.split(' '),
    ),
  )
  .showHelpAfterError('(--help says how it is used)')
  .exitOverride()
  .addHelpText(
    'after',
    `
The target needs one profile whose MSGs it answers with their own octets. An initiator under test starts one channel on that profile, sends one or
more messages, awaits the replies, closes the channel, releases the session, and begins again; with --exec it is started for each case.

Exit codes: 0 nothing unexpected, 1 something unexpected, 2 the suite could not run.

Examples:
  $ beep conform tcp://localhost:10288 --profile http://example.org/echo
  $ beep conform tcp://localhost:10288 --profile http://example.org/echo rfc3081 --strict --html report
  $ beep conform --exec 'my-beep-server --port {port}' --profile http://example.org/echo --junit results.xml
  $ beep conform --listen 10288 --exec 'my-beep-client localhost {port}' --profile http://example.org/echo
  $ beep conform --cloudy tcp://localhost:10288
  $ beep conform --merge ours.json theirs.json --html matrix`,
  )
  .action(async (first: string | undefined, rest: readonly string[], options: Options) => {
    const place = first?.startsWith('tcp://') ? first : undefined
    process.exitCode = await conform(place, first === undefined || place !== undefined ? rest : [first, ...rest], options)
  })

async function conform(place: string | undefined, patterns: readonly string[], options: Options): Promise<number> {
  const only = options.merge !== undefined ? '--merge' : options.transcript !== undefined ? '--transcript' : undefined
  const unread = options.merge === undefined ? patterns[0] : (place ?? patterns[0])
  if (only !== undefined && unread !== undefined) throw new CannotRun(`${unread} means nothing beside ${only}`)
  if (options.merge !== undefined) return merge(options.merge, options.html)
  const { all, profile, sanity } = await suite(options)
  const cases = all.filter(
    ({ id }) =>
      (patterns.length === 0 || patterns.some((pattern) => id.includes(pattern))) &&
      (options.case.length === 0 || options.case.includes(id)),
  )
  const unknown = options.case.find((id) => !all.some((each) => each.id === id))
  if (unknown !== undefined) throw new CannotRun(`There is no case ${unknown}; --list shows all`)
  if (cases.length === 0) {
    const meant = patterns.find((pattern) => /^[^/]+:[0-9]+$/.test(pattern))
    throw new CannotRun(
      meant === undefined
        ? 'No case matches; --list shows all'
        : `Write tcp://${meant}; ${meant} alone is looked for in the names of cases`,
    )
  }
  if (options.list) {
    for (const { id, level, title, samples } of cases)
      print(`${id}  ${level}${samples === undefined ? '' : ' property'}  ${title}`)
    return 0
  }
  if (options.cloudy && options.listen !== undefined)
    throw new CannotRun('A Cloudy peer is dialled: --cloudy goes with tcp://HOST:PORT or with --exec, not with --listen')
  // What cannot be written is known before the first case runs; and what was written of another run is not taken for this one's.
  const files = [options.json, options.junit].filter((file) => file !== undefined)
  for (const file of files) if (file !== STANDARD) await writeFile(file, '')
  if (files.every((file) => file === STANDARD) && files.length > 1)
    throw new CannotRun('Only one of --json and --junit can go to stdout')
  const people = files.includes(STANDARD) ? process.stderr : process.stdout
  if (options.html !== undefined) await mkdir(options.html, { recursive: true })
  const target = await targetOf(place, options)
  const stop = new AbortController()
  // However often it is said: at a terminal both the key and `beep` say it, and the target has yet to be ended.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort())
  // Whoever starts the target by hand has to know when and where.
  if (options.listen !== undefined && options.exec === undefined)
    process.stderr.write(`beep conform: waiting for the target to connect to ${target.place}\n`)
  try {
    if (options.transcript !== undefined) return await play(options.transcript, target, options.timeout ?? PATIENCE, stop.signal)
    if (profile === undefined) throw new CannotRun('Say on which profile the target echoes: --profile URI')
    const expectations = options.target === undefined ? undefined : await contentOf(options.target, parseExpectations)
    const ids = all.map(({ id }) => id)
    const stray = expectations && strayDeviation(expectations, ids)
    if (stray !== undefined) throw new CannotRun(`${options.target}: there is no case ${stray}; --list shows all`)
    const results = await run({
      target,
      name: options.name ?? expectations?.name ?? options.exec ?? target.place,
      profile,
      cases,
      ...sanity,
      patience: options.timeout ?? expectations?.timeout ?? PATIENCE,
      concurrency: options.concurrency,
      seed: options.seed ?? Date.now() % 2 ** 31,
      strict: options.strict ?? false,
      tls: options.cloudy ?? options.tls ?? false,
      expectations,
      signal: stop.signal,
      ...watcher(cases, target.role, people),
    })
    people.write(summary(results))
    if (options.json !== undefined) await write(options.json, `${JSON.stringify(options.brief ? brief(results) : results)}\n`)
    if (options.junit !== undefined) await write(options.junit, junit(results))
    if (options.html !== undefined) await page(options.html, [results])
    if (stop.signal.aborted) {
      const judged = results.cases.filter(({ outcome }) => outcome !== 'not-run').length
      throw new CannotRun(`stopped after ${judged} of ${cases.length} cases; what was asked for was written of these`)
    }
    return results.died !== undefined || results.cases.some((each) => isUnexpected(each, results.strict)) ? 1 : 0
  } finally {
    await target.close()
  }
}

/** What the target is judged by. Nothing else is loaded: hundreds of cases take their time. */
async function suite({ cloudy, profile }: Options) {
  if (!cloudy) {
    const { CASES } = await import('./index.js')
    return { all: CASES, profile, sanity: {} }
  }
  const { CLOUDY_CASES, CLOUDY_SANITY, OBJECTS } = await import('./cloudy/index.js')
  return { all: CLOUDY_CASES, profile: OBJECTS, sanity: { sanity: CLOUDY_SANITY } }
}

/** While it runs: on a terminal one line that moves, with an estimate, and in a log one line a case. */
function watcher(cases: readonly Case[], role: Role, people: NodeJS.WriteStream): Pick<RunOptions, 'onBegin' | 'onResult'> {
  const total = cases.length
  if (!people.isTTY) {
    const other = new Set(cases.filter(({ of }) => of !== undefined && of !== role).map(({ id }) => id))
    const own = total - other.size
    const told = new Set<string>()
    return {
      // What is about the other role, or was not run, is counted at the end.
      onResult: (result) => {
        if (other.has(result.id) || result.outcome === 'not-run') return
        people.write(`${told.add(result.id).size}/${own} ${caseLine(result)}\n`)
      },
    }
  }
  const began = performance.now()
  const bar = progress({ max: total, output: people })
  const failed = new Set<string>()
  let shown = 0
  bar.start(`${total} cases`)
  return {
    onResult({ id, outcome }, done) {
      if (outcome === 'failed') failed.add(id)
      const left = Math.ceil(((performance.now() - began) / done) * (total - done)) / 1000
      const failures = failed.size > 0 ? `, ${failed.size} failed` : ''
      bar.advance(done - shown, `${done}/${total}${failures}, about ${left.toFixed(0)} s left: ${id}`)
      shown = done
      if (done === total) bar.stop(`${total} cases`)
    },
  }
}

async function write(file: string, text: string): Promise<void> {
  if (file !== STANDARD) return writeFile(file, text)
  // That nobody reads any more is told to the listener for errors, below, and is none.
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()))
}

async function merge(files: readonly string[], directory: string | undefined): Promise<number> {
  if (directory === undefined) throw new CannotRun('--merge needs --html DIRECTORY')
  const runs = await Promise.all(files.map(resultsIn))
  await page(directory, runs)
  print(`${join(directory, 'index.html')}: ${runs.map(({ target }) => printable(target.name)).join(', ')}`)
  return 0
}

async function page(directory: string, runs: readonly Results[]): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'index.html'), html(runs))
}

async function play(file: string, target: Target, patience: number, signal: AbortSignal): Promise<number> {
  const stopped = once(signal, 'abort').then(() => {
    throw new CannotRun('stopped before the transcript was played')
  })
  const playing = contentOf(file, String).then((text) => replay(text, target, patience))
  const compared = await Promise.race([stopped, playing])
  for (const { frame, difference } of compared)
    print(printable(`${difference === undefined ? '✓' : '✗'} ${frame}${difference === undefined ? '' : `: ${difference}`}`))
  return compared.every(({ difference }) => difference === undefined) ? 0 : 1
}

async function resultsIn(file: string): Promise<Results> {
  const value = await contentOf(file, (text) => JSON.parse(text) as Partial<Results> | null)
  if (value?.format !== 'beep-conformance-results' || value.version !== 1 || !Array.isArray(value.cases))
    throw new CannotRun(`${file} holds no results of this program`)
  return value as Results
}

/** What a file holds. What is wrong with it, or with reading it, is said with its name. */
async function contentOf<T>(file: string, parse: (text: string) => T): Promise<T> {
  try {
    return parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new CannotRun(`${file}: ${(error as Error).message}`)
  }
}

async function targetOf(place: string | undefined, { listen, exec }: Options): Promise<Target> {
  if (place !== undefined && (listen !== undefined || exec !== undefined))
    throw new CannotRun(`${place} is a target that is dialled: not with --listen or --exec`)
  if (listen !== undefined) return awaited(listen, exec)
  if (exec !== undefined) return executed(exec)
  if (place === undefined) throw new CannotRun('Say where the target is: tcp://HOST:PORT, --listen PORT or --exec COMMAND')
  if (!URL.canParse(place)) throw new CannotRun(`${place} is no place: tcp://HOST:PORT`)
  const { hostname, port } = new URL(place)
  return dialled(hostname.replace(/^\[|\]$/g, ''), Number(port || 10_288))
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function collect(id: string, before: readonly string[]): readonly string[] {
  return [...before, id]
}

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^[0-9]+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It is a number from ${least} to ${most}.`)
    return value
  }
}

// Whoever reads may have had enough: `beep conform … | head -1`. A full disk is said once, and counts whatever else comes of it. The run goes on, and
// the target is ended with it.
let lost = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || lost) return
  lost = true
  process.stderr.write(`beep conform: ${printable(error.message)}\n`)
  process.on('exit', () => {
    process.exitCode = 2
  })
})

program.parseAsync().catch((error) => {
  if (error instanceof CommanderError) {
    // It has been said already.
    process.exitCode = error.exitCode === 0 ? 0 : 2
    return
  }
  process.stderr.write(`beep conform: ${printable(error instanceof Error ? error.message : String(error))}\n`)
  process.exitCode = 2
})
