// The demonstration: two Cloudy peers, two processes on this machine, from a fresh key to a file that arrived. This is the stage;
// demo-peer.ts is what each of the two does.
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What happens, in order. */
export const STEPS = [
  'Identities and calling cards',
  'Finding each other by Bonjour, on the loopback interface',
  'Meeting: BEEP, then TLS with certificates on both sides',
  'Cards, a signed message and a file',
  'Parting',
] as const

/** What a peer tells the stage. */
export type Report =
  | { readonly kind: 'say'; readonly step: number; readonly text: string }
  | { readonly kind: 'trace'; readonly lines: string }
  | { readonly kind: 'failed'; readonly step: number; readonly text: string }
  | { readonly kind: 'done' }

/** What the stage tells a peer. */
export interface Role {
  readonly name: string
  readonly dials: boolean
  readonly directory: string
  /** Stands in the status of both cards, so that two demonstrations on one machine do not meet each other. */
  readonly rendezvous: string
  readonly trace: boolean
}

export interface DemoOptions {
  readonly trace: boolean
  /** Receives each line. */
  print(line: string): void
}

/** Milliseconds until somebody who does not get on is sent home. */
const PATIENCE = 60_000
const INTERRUPTED = 'It was interrupted'

/**
 * Runs it.
 * @returns the exit code: 0 when both came home, 1 when a step failed, which was said
 * @throws Error when it was interrupted, which is no failure of a step
 */
export async function demo({ trace, print }: DemoOptions): Promise<number> {
  const began = Date.now()
  const directory = await mkdtemp(join(tmpdir(), 'cloudy-demo-'))
  const rendezvous = `demonstration ${randomBytes(4).toString('hex')}`
  const stage = new Stage(print)
  const cast = ['Ada', 'Bob'].map((name, index) => ({
    name,
    dials: index === 0,
    directory: join(directory, name),
    rendezvous,
    trace,
  }))
  print('Two Cloudy peers meet: two processes, two fresh keys, no server.')
  const stop = () => stage.fail(INTERRUPTED)
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const timer = setTimeout(() => stage.fail(`Nothing came of it within ${PATIENCE / 1000} s`), PATIENCE)
  try {
    for (const role of cast) {
      await mkdir(role.directory)
      stage.enter(role)
    }
    await stage.over
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', stop).off('SIGTERM', stop)
    await stage.empty()
    await rm(directory, { recursive: true, force: true })
  }
  if (stage.failure === INTERRUPTED) throw new Error(INTERRUPTED)
  if (stage.failure !== undefined) {
    print(`\n${stage.failure}`)
    return 1
  }
  print(`\nDone in ${((Date.now() - began) / 1000).toFixed(1)} s.`)
  return 0
}

interface Actor {
  readonly role: Role
  /** The step it is in. */
  step: number
  done: boolean
}

class Stage {
  readonly over: Promise<void>
  failure: string | undefined
  readonly #print: (line: string) => void
  readonly #actors = new Map<ChildProcess, Actor>()
  /** Lines of steps that not everybody has reached. */
  #held: { readonly step: number; readonly line: string }[] = []
  #announced = 0
  #finish!: () => void

  constructor(print: (line: string) => void) {
    this.#print = print
    this.over = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  enter(role: Role): void {
    const script = fileURLToPath(new URL('./demo-peer.js', import.meta.url))
    const child = fork(script, [JSON.stringify(role)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const actor: Actor = { role, step: 1, done: false }
    this.#actors.set(child, actor)
    child.on('message', (report: Report) => this.#hear(actor, report))
    child.on('error', (error) => this.fail(`${role.name} could not be started: ${error.message}`))
    child.on('exit', (code, signal) => {
      if (!actor.done || code !== 0)
        this.fail(`Step ${actor.step} failed: ${role.name} left early (${signal ?? `exit code ${code}`})`)
      else if ([...this.#actors].every(([each, { done }]) => done && each.exitCode === 0)) this.#finish()
    })
  }

  fail(text: string): void {
    if (this.failure === undefined) this.#show(STEPS.length)
    this.failure ??= text
    this.#finish()
  }

  /** Sends home whoever is still there, and waits for them. */
  async empty(): Promise<void> {
    const gone = [...this.#actors.keys()].map((child) => {
      if (child.exitCode !== null || child.signalCode !== null) return undefined
      child.kill()
      return new Promise((resolve) => child.once('exit', resolve))
    })
    await Promise.all(gone)
  }

  #hear(actor: Actor, report: Report): void {
    const { name } = actor.role
    if (report.kind === 'done') actor.done = true
    else if (report.kind === 'failed')
      this.fail(`Step ${report.step} failed (${STEPS[report.step - 1]}): ${name}: ${report.text}`)
    else {
      if (report.kind === 'say') actor.step = report.step
      const line = report.kind === 'say' ? `   ${name}  ${report.text}` : report.lines.trimEnd().replaceAll(/^/gm, '        ')
      this.#held.push({ step: actor.step, line })
      this.#show(Math.min(...[...this.#actors.values()].map(({ step }) => step)))
    }
  }

  /** Prints what belongs to the steps up to `reached`: two processes do not wait for each other, the reader follows one step at a time. */
  #show(reached: number): void {
    for (let step = 1; step <= reached; step++) {
      const lines = this.#held.filter((each) => each.step === step)
      if (lines.length > 0 && this.#announced < step) {
        this.#print(`\n${step}. ${STEPS[step - 1]}`)
        this.#announced = step
      }
      for (const { line } of lines) this.#print(line)
    }
    this.#held = this.#held.filter((each) => each.step > reached)
  }
}
