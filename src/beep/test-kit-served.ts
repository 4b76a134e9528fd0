// For the tests of exchanges: a handler that is served, a channel to it, and bodies that are none.
import type { Profile } from './index.js'
import { sessionPair } from './testing.js'

/** Serves `message` under u:x and gives a channel to it. */
export async function channelTo(message: NonNullable<Profile['message']>) {
  const pair = await sessionPair({}, { profiles: [{ uri: 'u:x', message }] })
  return { ...pair, channel: await pair.initiator.start('u:x') }
}

/** A stream of what is no body, for all the types say. */
export async function* streamOf(...pieces: unknown[]): AsyncGenerator<string> {
  for (const piece of pieces) yield piece as string
}

export async function* failing(what: string): AsyncGenerator<string> {
  if (what !== '') throw new Error(what)
  yield what
}
