// Recorded sessions of other implementations against the frame reader and the engine: what is lawful is understood, however it is cut.
import type { Buffer } from 'node:buffer'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { runs } from '../test-kit-runs.js'
import { type DataHeader, formatHeader } from '../wire/frame.js'
import { FrameReader } from '../wire/frame-reader.js'
import { formatTranscript, parseTranscript, type Side } from '../wire/transcript.js'
import { type Frame, readFrames, text } from './test-kit.js'
import { elementOf, entityOf, octetsOf, type Step, stepsOf } from './test-kit-recorded.js'
import { type Chunker, chunksOf, replay, whole } from './test-kit-replay.js'

const folder = new URL('../../../fixtures/captures/', import.meta.url)
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.txt'))
  .sort()
const load = (file: string) => readFileSync(new URL(file, folder), 'utf8')
const other = (side: Side): Side => (side === 'I' ? 'L' : 'I')

/** What RFC 3080 forbids and we refuse: who says it, in which frame, and the rule that ends the session. */
const REFUSED: Readonly<Record<string, { from: Side; header: string; rule: string }>> = {
  'vortex/ans-nul.txt': { from: 'L', header: 'NUL 3 0 . 60 2', rule: 'rfc3080/2.2.1.1/nul-not-empty' },
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 400 })), {
  minLength: 1,
  maxLength: 12,
})
const headerOf = ({ word, ...frame }: Frame): string =>
  word === 'SEQ'
    ? `SEQ ${frame.channel} ${frame.seqno} ${frame.window}`
    : formatHeader({ ...frame, keyword: word, size: frame.payload.length })
const shown = (frame: Frame): string => `${headerOf(frame)}: ${frame.payload}`

/** What a frame reader finds, a line for each frame. */
function read(wire: Buffer, chunker: Chunker): string[] {
  const reader = new FrameReader()
  const lines: string[] = []
  let header: DataHeader | undefined
  let payload = ''
  for (const chunk of chunker(wire)) {
    reader.receive(chunk)
    for (let part = reader.next(); part !== undefined; part = reader.next()) {
      if (part === 'seq') lines.push(`SEQ ${reader.seq?.channel} ${reader.seq?.ackno} ${reader.seq?.window}: `)
      else if (part === 'header') header = reader.header
      else if (part === 'payload') payload += text(reader.payload)
      else {
        lines.push(`${formatHeader(header!)}: ${payload}`)
        payload = ''
      }
    }
  }
  expect(reader.betweenFrames).toBe(true)
  return lines
}

describe('the transcripts', () => {
  test('there is at least one of each implementation', () => {
    const folders = [...new Set(files.map((file) => file.split('/')[0]))]
    expect(folders).toEqual(['beepcore-c', 'beepcore-java-0.9.09', 'beepcore-java-0.9.20', 'beepy', 'net-beep-lite', 'vortex'])
  })

  test.each(files)('%s says on top what it shows, and is written as it was read', (file) => {
    const [comment, ...lines] = load(file).split('\n')
    expect(comment).toMatch(/^# .+, both sides: .+\.$/)
    expect(formatTranscript(parseTranscript(load(file)))).toBe(lines.join('\n'))
  })
})

describe.each(files)('%s', (file) => {
  const transcript = load(file)
  const steps = stepsOf(transcript)

  test.each(['I', 'L'] as const)('the frame reader reads what %s said, however it is cut', (side) => {
    const wire = octetsOf(transcript, side)
    const frames = readFrames(text(wire)).map(shown)
    expect(frames.length).toBeGreaterThan(1)
    expect(read(wire, whole)).toEqual(frames)
    expect(read(wire, chunksOf([1]))).toEqual(frames)
    fc.assert(
      fc.property(sizes, (cuts) => expect(read(wire, chunksOf(cuts))).toEqual(frames)),
      runs(3),
    )
  })

  test.each(['I', 'L'] as const)('an engine in the place of %s understands the other, however it is cut', (side) => {
    const refused = REFUSED[file]?.from === other(side) ? REFUSED[file] : undefined
    const replayed = replay(steps, side)
    const lawful = refused === undefined ? replayed : replay(before(steps, refused.header), side)
    expect(lawful.expected.length).toBeGreaterThan(1)
    expect(lawful.events).toEqual(lawful.expected)
    if (refused !== undefined) expect(replayed.events).toEqual([...lawful.expected, `terminated by us: ${refused.rule}`])
    else {
      expect(replayed.sent).toEqual(replayed.mirrored)
      expect(replayed.engine.unread).toBe(false)
      const released = replayed.expected.some((line) => line.startsWith('closed 0 '))
      expect(replayed.engine.state).toBe(released ? 'released' : 'open')
    }
    expect(replay(steps, side, chunksOf([1])).events).toEqual(replayed.events)
    fc.assert(
      fc.property(sizes, (cuts) => expect(replay(steps, side, chunksOf(cuts)).events).toEqual(replayed.events)),
      runs(3),
    )
  })
})

function before(steps: readonly Step[], header: string): Step[] {
  const at = steps.findIndex(({ frame }) => headerOf(frame) === header)
  expect(at).toBeGreaterThan(0)
  return steps.slice(0, at)
}

describe('what they say, spelled out', () => {
  const events = (file: string, side: Side) => replay(stepsOf(load(file)), side).events

  test('answers of beepcore-java, then NUL, close and release', () => {
    expect(events('beepcore-java-0.9.20/ans-nul.txt', 'I').slice(1)).toEqual([
      'started 1 http://lab.local/beep/ANS',
      '1 ANS 0 0 | answer 0xxxxxxxxxxxx',
      '1 ANS 0 1 | answer 1xxxxxxxxxxxx',
      '1 ANS 0 2 | answer 2xxxxxxxxxxxx',
      '1 NUL 0 0 | ',
      'closed 1 by us',
      'closed 0 by us',
    ])
  })

  test('requests of Vortex, with entity headers that are none', () => {
    expect(events('vortex/echo.txt', 'L')).toEqual([
      'greeting ',
      'start 3 127.0.0.1 http://example.com/beep/echo',
      '3 MSG 0 0 | hello',
      '3 MSG 1 0 | ',
      '3 MSG 2 0 | Content-Type: text/plain\r\n\r\nlooks like MI',
      'close 3 200 ',
      'closed 3 by peer',
      'close 0 200 ',
      'closed 0 by peer',
    ])
  })

  test('initialization messages of beepcore-c, escaped with entities', () => {
    expect(events('beepcore-c/tls.txt', 'L').slice(1)).toEqual(['start 1 - http://iana.org/beep/TLS [<ready />]'])
    expect(events('beepcore-c/tls.txt', 'I').slice(1)).toEqual(['started 1 http://iana.org/beep/TLS [<proceed />]'])
  })

  test.each(files.filter((name) => name.endsWith('/tls.txt')))('%s: nothing follows in clear, whoever we are', (file) => {
    for (const side of ['I', 'L'] as const) expect(replay(stepsOf(load(file)), side).engine.silent).toBe(true)
  })

  test('a "no" of each kind', () => {
    expect(events('vortex/refused.txt', 'I')[1]).toBe(
      'declined 1 554 transaction failed: channel profile requested not supported',
    )
    expect(events('beepy/start-declined.txt', 'I')[1]).toBe('declined 1 550 No suitable profiles')
    expect(events('beepcore-java-0.9.20/close-refused.txt', 'I').at(-1)).toBe('closeRefused 1 550 still working')
  })

  test('a SEQ of BEEPy, Net::BEEP::Lite and beepcore-java 0.9.09 behind the release, which is passed over', () => {
    for (const file of ['beepy/echo', 'net-beep-lite/echo', 'beepcore-java-0.9.09/echo']) {
      const steps = stepsOf(load(`${file}.txt`))
      expect(steps.at(-1)).toMatchObject({ from: 'I', frame: { word: 'SEQ', channel: 0 } })
      expect(replay(steps, 'L').events.at(-1)).toBe('closed 0 by peer')
    }
  })
})

describe('where they depart from RFC 3080, and are understood all the same', () => {
  const found = (file: string, from: Side, is: (frame: Frame) => boolean) =>
    stepsOf(load(file)).filter((step) => step.from === from && is(step.frame)).length

  test.each(['close-refused', 'start-declined', 'start-unknown'])('beepcore-java: ERR without a Content-Type in %s', (name) => {
    const bare = ({ word, channel, payload }: Frame) =>
      word === 'ERR' && channel === 0 && elementOf(payload).name === 'error' && entityOf(payload).headers === ''
    expect(found(`beepcore-java-0.9.20/${name}.txt`, 'L', bare)).toBe(1)
  })

  test('beepcore-c: a reply before the last frame of its request', () => {
    const steps = stepsOf(load('beepcore-c/echo-large.txt'))
    const first = (from: Side, is: (frame: Frame) => boolean) => steps.findIndex((step) => step.from === from && is(step.frame))
    const reply = first('L', ({ word, channel }) => word === 'RPY' && channel === 1)
    const last = first('I', ({ word, channel, more }) => word === 'MSG' && channel === 1 && !more)
    expect(reply).toBeGreaterThan(0)
    expect(reply).toBeLessThan(last)
  })
})
