// The recorded sessions with other implementations: each reads as a transcript, and tells in the clear part what decides about TLS.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FrameReader } from './frame-reader.js'
import { parseTranscript, type Side } from './transcript.js'

const folder = join('fixtures', 'interop')
const files = readdirSync(folder)

/** What each side said, as whole frames. */
function frames(file: string, side: Side): { keyword: string; payload: string }[] {
  const reader = new FrameReader()
  for (const entry of parseTranscript(readFileSync(join(folder, file), 'utf8'))) {
    if ('octets' in entry && entry.from === side) reader.receive(entry.octets)
  }
  const found: { keyword: string; payload: string }[] = []
  for (let part = reader.next(); part !== undefined; part = reader.next()) {
    if (part === 'header') found.push({ keyword: reader.header!.keyword, payload: '' })
    if (part === 'payload') found.at(-1)!.payload += Buffer.from(reader.payload).toString('latin1')
  }
  expect(reader.betweenFrames).toBe(true)
  return found
}

describe.each(files)('%s', (file) => {
  test('both sides speak whole frames, and the listener answers <ready/>', () => {
    const asked = frames(file, 'I').filter(({ payload }) => /ready/.test(payload))
    expect(asked).toHaveLength(1)
    const answer = frames(file, 'L').find(({ payload }) => /proceed|<error/.test(payload))
    expect(answer?.keyword).toBe(/listener-tls-entities-refused/.test(file) ? 'ERR' : 'RPY')
  })
})
