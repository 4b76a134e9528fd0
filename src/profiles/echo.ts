// Echo: every MSG comes back as its RPY, headers and all. What a conformance run and a ping need of a peer.
import type { Profile } from '../beep/index.js'

/** The URI under which other implementations serve echo, too. */
export const ECHO = 'http://xml.resource.org/profiles/NULL/ECHO'

/** Serves echo, under `uri` when another is wanted. */
export function echoAt(uri: string): Profile {
  return { uri, message: (message) => message }
}

export const echo: Profile = echoAt(ECHO)
