// How our programs end: what went wrong is said in one line, cleaned; exit code 2 is for what could not run, be it only a wrong option.
import { type Command, CommanderError } from 'commander'
import { sanitise } from '../cloudy/text.js'

/** To be called before subcommands are added: they inherit it. */
export function endsWithCode(program: Command): Command {
  return program.showHelpAfterError('(--help says how it is used)').exitOverride((error) => {
    // A program of its own has ended, which nobody awaits.
    if (error.code === 'commander.executeSubCommandAsync') process.exit(error.exitCode)
    throw error
  })
}

export async function runProgram(program: Command): Promise<void> {
  const fail = (error: unknown) => {
    process.exitCode = 2
    process.stderr.write(`${program.name()}: ${sanitise(error instanceof Error ? error.message : String(error), 1000)}\n`)
  }
  let lost = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever reads may have had enough: `… | head -1`. A full disk is said once, and counts whatever else came of it.
    if (error.code === 'EPIPE' || lost) return
    lost = true
    fail(error)
    process.on('exit', () => {
      process.exitCode = 2
    })
  })
  try {
    await program.parseAsync()
  } catch (error) {
    // A wrong option has been said already, and help is no failure.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
    else fail(error)
  }
}
