// Sink: every MSG is read to its end and answered with an empty RPY.
import type { Profile } from '../beep/index.js'

/** The URI under which other implementations serve sink, too. */
export const SINK = 'http://xml.resource.org/profiles/NULL/SINK'

/** Serves sink, under `uri` when another is wanted. */
export function sinkAt(uri: string): Profile {
  return {
    uri,
    async message(message) {
      for await (const _ of message);
      return ''
    },
  }
}

export const sink: Profile = sinkAt(SINK)
