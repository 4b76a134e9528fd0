// Our own stack as a target that is broken in one way, or lawful in an unusual one: what it says and hears is changed on its way, frame by frame. For the tests only.
import { Buffer } from 'node:buffer'
import type { Duplex } from 'node:stream'
import { advance } from '../src/beep/seqno.js'
import { duplexPair } from '../src/beep/testing.js'
import { FrameReader, type Heard } from './harness/reader.js'
import type { Target } from './harness/target.js'

/** A frame on its way; `garbage` is what follows when both peers go over to TLS. */
export type Passing = Heard
/** Who said it. */
export type From = 'target' | 'judge'
/** What goes on in place of a frame; `'end'` resets the connection. */
export type Goes = Buffer | string | 'end'
/** One for each connection, so that it may remember. */
export type Spoiler = () => (frame: Passing, from: From) => Goes

/** A frame as octets. */
export function written(frame: Passing): Buffer {
  if (frame.kind === 'garbage') return frame.octets
  if (frame.kind === 'seq') return Buffer.from(`SEQ ${frame.channel} ${frame.ackno} ${frame.window}\r\n`)
  const { keyword, channel, msgno, more, seqno, size, ansno, payload } = frame
  const header = `${keyword} ${channel} ${msgno} ${more ? '*' : '.'} ${seqno} ${size}${ansno === undefined ? '' : ` ${ansno}`}\r\n`
  return Buffer.concat([Buffer.from(header), payload, Buffer.from('END\r\n')])
}

/** The target with a spoiler before it. */
export function spoilt(target: Target, spoiler: Spoiler): Target {
  return {
    ...target,
    async open(patience) {
      const inner = await target.open(patience)
      const [outer, judges] = duplexPair()
      const spoil = spoiler()
      pass(inner, outer, (frame) => spoil(frame, 'target'))
      pass(outer, inner, (frame) => spoil(frame, 'judge'))
      return judges
    },
  }
}

/** The target, of which each message on channel 0 comes in two frames, the second often without an octet: lawful (RFC 3080 §2.2.1.1), and unusual. */
export function inFrames(target: Target): Target {
  return {
    ...target,
    async open(patience) {
      const inner = await target.open(patience)
      const [outer, judges] = duplexPair()
      pass(inner, outer, cut)
      // As it is: what the judge says wrong has to arrive.
      outer.pipe(inner)
      return judges
    },
  }
}

function cut(frame: Passing): Buffer {
  if (frame.kind !== 'data' || frame.channel !== 0 || frame.more) return written(frame)
  const { seqno, size, payload } = frame
  const at = frame.msgno % 2 === 0 ? size : size >> 1
  const first = { ...frame, more: true, size: at, payload: payload.subarray(0, at) }
  return Buffer.concat([
    written(first),
    written({ ...frame, seqno: advance(seqno, at), size: size - at, payload: payload.subarray(at) }),
  ])
}

function pass(from: Duplex, to: Duplex, spoil: (frame: Passing) => Goes): void {
  const reader = new FrameReader()
  let clear = true
  from.on('data', (octets: Uint8Array) => {
    // What is TLS by now passes as it is.
    if (!clear) return to.write(octets)
    for (const frame of reader.push(octets)) {
      clear = frame.kind !== 'garbage'
      const goes = spoil(frame)
      if (goes === 'end') {
        from.destroy()
        to.destroy()
        return
      }
      to.write(goes)
    }
  })
  from.on('end', () => to.end())
  from.on('error', () => {})
  from.on('close', () => to.destroy())
}
