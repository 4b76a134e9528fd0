// A foreign implementation of BEEP that echoes on some profile: our client against its listener.
import type { Contestant } from '../contestant.js'
import { beepAt } from './beep.js'

/** What the parent tells of it: `peer HOST PORT URI`. */
export function peer(host: string, port: number, uri: string): Contestant {
  return {
    name: 'peer',
    takesPart: ({ service, secure }) => (service === 'echo' || service === 'session') && secure !== true,
    serve: () => Promise.reject(new Error('A foreign listener is not ours to start')),
    open: () => beepAt({ clear: port, secure: 0 }, { echo: uri, session: uri, sink: uri, answers: uri }, host),
  }
}
