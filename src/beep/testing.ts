// For the tests of profiles: two sessions joined in memory, no port and no timer.
import { Duplex } from 'node:stream'
import { attach } from './connect.js'
import type { Session, SessionOptions } from './session.js'

/** Two ends of a stream in memory: what one writes, the other reads, at the pace at which it reads. */
export function duplexPair(): [Duplex, Duplex] {
  const ends: [Duplex, Duplex] = [end(() => ends[1]), end(() => ends[0])]
  return ends
}

function end(other: () => Duplex): Duplex {
  let resume: (() => void) | undefined
  const self: Duplex & { resumeWriter?: () => void } = new Duplex({
    allowHalfOpen: false,
    read: () => (other() as Duplex & { resumeWriter?: () => void }).resumeWriter?.(),
    // A turn later, as by a socket: Node's TLS takes no octets while it is writing.
    write: (chunk: Uint8Array, _encoding, done) =>
      process.nextTick(() => {
        if (other().push(chunk)) done()
        else resume = done
      }),
    final: (done) => {
      other().push(null)
      done()
    },
    destroy: (error, done) => {
      const peer = other()
      if (!peer.destroyed && !peer.readableEnded) process.nextTick(() => peer.destroy())
      done(error)
    },
  })
  self.resumeWriter = () => {
    const done = resume
    resume = undefined
    done?.()
  }
  return self
}

/** Two sessions, greetings already exchanged. */
export async function sessionPair(
  initiator: SessionOptions = {},
  listener: SessionOptions = {},
): Promise<{ initiator: Session; listener: Session }> {
  const [i, l] = duplexPair()
  const [first, second] = await Promise.all([attach(i, 'initiator', initiator), attach(l, 'listener', listener)])
  return { initiator: first, listener: second }
}
