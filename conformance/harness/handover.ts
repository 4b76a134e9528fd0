// The handover of a connection to TLS (RFC 3080 §3.1.3): what the target still says in clear is seen, and told as what it is.
import type { Buffer } from 'node:buffer'
import { Duplex } from 'node:stream'
import { Failure } from './failure.js'
import type { Heard } from './reader.js'
import { show } from './show.js'

/** What the target said last in clear, by the role of the judge in the handshake, and the clause that has it so. */
const LAST = {
  client: { element: 'proceed', clause: 'RFC 3080 §3.1.3.2' },
  server: { element: 'ready', clause: 'RFC 3080 §3.1.3.1' },
} as const

/** @throws Failure when the target has said anything in clear behind its last element; `rest` are octets that are no whole frame */
export function expectNothingBehind(role: 'client' | 'server', history: readonly Heard[], rest: Buffer): void {
  const { element } = LAST[role]
  const at = history.findLastIndex((each) => each.kind === 'data' && (each.whole?.includes(`<${element}`) ?? false))
  if (at === -1) return
  const behind = history[at + 1]
  if (behind !== undefined) throw inClear(role, named(behind))
  if (rest.length > 0) throw inClear(role, show(rest))
}

/** That something came in clear where TLS is due. */
export function inClear(role: 'client' | 'server', what: string): Failure {
  const { element, clause } = LAST[role]
  return new Failure(
    `${what} came in clear behind its <${element} />, where the octets of the handshake are due. Nothing follows <${element} /> in clear, no SEQ either (${clause}): say what is due before it, and drop the rest, for the handshake closes all channels`,
  )
}

/** A frame as people read it. */
export function named(frame: Heard): string {
  if (frame.kind === 'garbage') return show(frame.octets)
  if (frame.kind === 'seq') return `SEQ ${frame.channel} ${frame.ackno} ${frame.window}`
  return `${frame.keyword} ${frame.channel} ${frame.msgno} with ${show(frame.payload)}`
}

/** Whether octets can be the beginning of a record of TLS. */
export function isTls(octets: Uint8Array): boolean {
  const [type = 0] = octets
  return type >= 20 && type <= 23
}

/** A stream that passes on what `raw` gives and takes; each piece that comes is shown to `see` before. */
export function seen(raw: Duplex, see: (octets: Uint8Array) => void, onError: (error: Error) => void): Duplex {
  const through = new Duplex({
    allowHalfOpen: true,
    read: () => raw.resume(),
    write: (octets, _, done) => raw.write(octets, () => done()),
    final: (done) => raw.end(done),
    destroy: (error, done) => {
      raw.destroy()
      done(error)
    },
  })
  raw.on('data', (octets: Uint8Array) => {
    see(octets)
    if (!through.push(octets)) raw.pause()
  })
  raw.on('end', () => through.push(null))
  raw.on('error', onError)
  raw.on('close', () => through.destroy())
  return through
}
