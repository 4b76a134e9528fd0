// What commands say: lines of a name and a value for people, one JSON object for programs. Nothing that came from elsewhere gets to the
// terminal but through `sanitise`.
import { InvalidArgumentError } from 'commander'
import { formatFingerprint, isFingerprint, parseFingerprint } from '../cloudy/fingerprint.js'
import { ObjectError } from '../cloudy/object-error.js'
import { LAST_SECOND, timeText } from '../cloudy/signed-object.js'
import { sanitise } from '../cloudy/text.js'
import { STANDARD } from './files.js'

/** Longest value in a line, in characters. */
const MAX_VALUE = 4000

/** One line of JSON, in printable ASCII alone: whatever else a text holds stands there escaped, exact and without effect on a terminal. */
export function printJson(value: unknown): void {
  const escaped = JSON.stringify(value).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  process.stdout.write(`${escaped}\n`)
}

export interface Lines {
  readonly [name: string]: string | undefined
}

/** Lines of a name and a value; what is undefined is left out. */
export function printLines(lines: Lines): void {
  const said = Object.entries(lines).filter((line): line is [string, string] => line[1] !== undefined)
  const width = Math.max(...said.map(([name]) => name.length))
  process.stdout.write(said.map(([name, value]) => `${name.padEnd(width)}  ${sanitise(value, MAX_VALUE)}\n`).join(''))
}

/** Says what was written to a file. Octets that went to stdout are all that may stand there. */
export function printWritten(file: string, asJson: boolean | undefined, { json, lines }: { json: object; lines: Lines }): void {
  if (file === STANDARD) return
  if (asJson) printJson({ ...json, file })
  else printLines({ ...lines, file })
}

/** What was found, to be said in either way. */
export interface Verdict {
  /** Why it is not valid, though it can be shown. */
  readonly not?: ObjectError
  readonly json: object
  readonly lines: Lines
}

/** Says a verdict. @returns the exit code: 0 when it is valid, 1 when it is not, though there may be something to be shown */
export async function judge(json: boolean | undefined, judgement: () => Promise<Verdict>): Promise<number> {
  const found = await judgement().catch((error: unknown) => {
    if (error instanceof ObjectError) return error
    throw error
  })
  const refused = found instanceof ObjectError
  const not = refused ? found : found.not
  if (json) printJson({ valid: not === undefined, reason: not?.reason, message: not?.message, ...(refused ? {} : found.json) })
  else
    printLines({
      verdict: not === undefined ? 'valid' : `not valid (${not.reason})`,
      because: not?.message,
      ...(refused ? {} : found.lines),
    })
  return not === undefined ? 0 : 1
}

/** How a time is written as an argument, for the help of such options. */
export const TIME_FORM = 'like 2026-05-01T12:00:00Z, 2026-05-01, or seconds since 1970'

/** A time as an argument; a slip of the pen is refused, not taken for another time. @returns milliseconds since 1970 */
export function timeArgument(text: string): number {
  // With ten digits from 2001 to 2286: 20260501 is meant as a date.
  const seconds = /^(?:(?=[1-9]\d{9}$)|@)(\d{1,12})$/.exec(text)?.[1]
  const milliseconds = seconds === undefined ? dateIn(text) : Number(seconds) * 1000
  if (milliseconds === undefined || milliseconds / 1000 > LAST_SECOND)
    throw new InvalidArgumentError(
      'It is like 2026-05-01T12:00:00Z or 2026-05-01, and a date that exists, or seconds since 1970: ten digits, or any after @.',
    )
  return milliseconds
}

/** 30 February is no 2 March. */
function dateIn(text: string): number | undefined {
  const [, day, time = 'T00:00', seconds = ':00'] = /^(\d{4}-\d\d-\d\d)(?:(T\d\d:\d\d)(:\d\d)?Z)?$/.exec(text) ?? []
  const whole = `${day}${time}${seconds}Z`
  const milliseconds = Date.parse(whole)
  return milliseconds >= 0 && timeText(milliseconds / 1000) === whole ? milliseconds : undefined
}

/** A fingerprint as an argument, however it is typed. */
export function fingerprintArgument(text: string): string {
  if (isFingerprint(text)) return text
  try {
    return formatFingerprint(parseFingerprint(text))
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`)
  }
}

/** Text as an argument that is shown to others: what they would see cut is refused. @param most characters (code points) */
export function textArgument(most: number): (text: string) => string {
  return (text) => {
    const { length } = [...sanitise(text)]
    if (length > most) throw new InvalidArgumentError(`It has ${length} characters, and ${most} are the most.`)
    return text
  }
}

/** A whole number as an argument. */
export function numberArgument(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It is a number from ${least} to ${most}.`)
    return value
  }
}
