// Plays one side of a transcript against a target and compares what the target says with the other side: for bug reports, which are transcripts.
import { parseTranscript } from '../../src/beep/wire/transcript.js'
import { Connection, show } from './connection.js'
import { Failure } from './failure.js'
import { elementOf, Peer } from './peer.js'
import { type DataFrame, FrameReader } from './reader.js'
import type { Target } from './target.js'

/** What became of one frame that the transcript has of the target. */
export interface Compared {
  /** `MSG 1 0 .` */
  readonly frame: string
  /** In words; `undefined` when it came as it stands there. */
  readonly difference?: string | undefined
}

/**
 * Plays a transcript. SEQ frames of the target are passed over, and of an element on channel 0 only the name counts.
 * @throws TypeError when the transcript cannot be read or holds nothing to compare, Unreachable when the target cannot be reached
 */
export async function replay(text: string, target: Target, patience: number): Promise<Compared[]> {
  const ours = target.role === 'listener' ? 'I' : 'L'
  const connection = new Connection(await target.open(patience), ours, patience)
  try {
    const peer = new Peer(connection, target.role, '')
    // The transcript has the SEQ frames that it needs.
    peer.credits = false
    const reader = new FrameReader()
    const compared: Compared[] = []
    for (const entry of parseTranscript(text)) {
      if (!('octets' in entry)) continue
      if (entry.from === ours) peer.write(entry.octets)
      else
        for (const expected of reader.push(entry.octets)) {
          if (expected.kind === 'garbage') throw noFrames(expected.octets)
          if (expected.kind !== 'data') continue
          try {
            compared.push(compare(expected, await peer.take(() => true, headerOf(expected))))
          } catch (error) {
            if (!(error instanceof Failure)) throw error
            // What stands behind it says nothing any more.
            return [...compared, { frame: headerOf(expected), difference: `it did not come: ${error.message}` }]
          }
        }
    }
    if (reader.pending.length > 0) throw noFrames(reader.pending)
    if (compared.length === 0) throw new TypeError('The transcript holds no frame of the target: there is nothing to compare')
    return compared
  } finally {
    connection.destroy()
  }
}

function noFrames(octets: Buffer): TypeError {
  return new TypeError(
    `The target's side of the transcript ends within a frame, or is none; is a size wrong? It goes on: ${show(octets)}`,
  )
}

function headerOf({ keyword, channel, msgno, more }: DataFrame): string {
  return `${keyword} ${channel} ${msgno} ${more ? '*' : '.'}`
}

function compare(expected: DataFrame, came: DataFrame): Compared {
  const frame = headerOf(expected)
  if (headerOf(came) !== frame) return { frame, difference: `${headerOf(came)} came: ${show(came.payload)}` }
  if (came.payload.equals(expected.payload)) return { frame }
  if (expected.channel !== 0 || expected.more)
    return { frame, difference: `its payload is ${show(came.payload)}, not ${show(expected.payload)}` }
  const [one, two] = [elementOf(expected.payload), elementOf(came.payload)]
  return one.name === two.name ? { frame } : { frame, difference: `it holds <${two.name}>, not <${one.name}>` }
}
