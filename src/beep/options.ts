// Options are looked at where they come in: what is nonsense is told to who wrote it, not to every peer that comes later.
import { Engine } from './engine/engine.js'
import { completeLimits, SESSION_NUMBERS } from './limits.js'
import type { Profile } from './profile.js'
import type { SessionOptions } from './session.js'

/** What a profile may have besides its URI. */
const HANDLERS = ['available', 'start', 'open', 'message', 'close'] as const

/**
 * @throws RangeError for a number that is out of its range, TypeError for a profile that is none, and what the engine throws for a greeting that
 *   cannot be said
 */
export function checkOptions(options: SessionOptions): void {
  completeLimits(options)
  for (const name of SESSION_NUMBERS) checkNumber(name, options[name])
  const { profiles = [], localize = [], features = [] } = options
  if (!Array.isArray(profiles)) throw new TypeError('The option profiles is an array of profiles')
  for (const profile of profiles as readonly Profile[]) checkProfile(profile)
  if (localize.length > 0 || features.length > 0) new Engine('listener').greet({ localize, features })
}

/** @throws RangeError when it is no number from 0 on, `Infinity` included */
export function checkNumber(name: string, value: number | undefined): void {
  if (value === undefined || (typeof value === 'number' && value >= 0)) return
  throw new RangeError(`The option ${name} is a number from 0 on; got ${String(value)}`)
}

/** @throws RangeError when it is no port of TCP; 0, where a free one will do */
export function checkPort(port: number, least: 0 | 1): void {
  if (Number.isInteger(port) && port >= least && port <= 65_535) return
  throw new RangeError(`The option port is a whole number from ${least} to 65535; got ${String(port)}`)
}

function checkProfile(profile: Profile): void {
  if (typeof profile?.uri !== 'string' || profile.uri === '')
    throw new TypeError('A profile has a uri, which is a text of some length')
  for (const name of HANDLERS)
    if (profile[name] !== undefined && typeof profile[name] !== 'function')
      throw new TypeError(`${name} of the profile ${profile.uri} is a function, if there is one`)
}
