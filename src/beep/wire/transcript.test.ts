// The I:/L: notation, and the sessions printed in RFC 3080 that are kept in it.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { runs } from '../test-kit-runs.js'
import { parseElement, parseSimple } from './elements.js'
import { isBeepXml, splitEntity } from './entity.js'
import { abridge, formatTranscript, type Note, parseTranscript, type Side, type Spoken } from './transcript.js'

const octets = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
const text = (octets: Uint8Array) => Buffer.from(octets).toString('latin1')
const said = (from: Side, words: string): Spoken => ({ from, octets: octets(words) })

// Octets with much of what the notation itself is made of.
const scrap = fc.constantFrom(
  '\r\n',
  '\r',
  '\n',
  '\\',
  '\\x41',
  ' ',
  '  ',
  'I: ',
  'L:',
  '# ',
  '<open connection>',
  '... (7 octets)',
  '...',
  '\xe9',
  '\0',
  '\t',
  'END',
)
const speech = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.array(scrap, { maxLength: 12 }).map((parts) => octets(parts.join(''))),
)
const side = fc.constantFrom<Side>('I', 'L')
const words = fc.stringMatching(/^[A-Za-z]{1,8}(?: [A-Za-z]{1,8}){1,3}$/)
const note: fc.Arbitrary<Note> = fc.oneof(
  words.map((text): Note => ({ kind: 'note', text })),
  fc.tuple(side, words).map(([from, text]): Note => ({ kind: 'note', from, text })),
)
const entry = fc.oneof({ weight: 4, arbitrary: fc.record({ from: side, octets: speech }) }, { weight: 1, arbitrary: note })

/** The same transcript with consecutive octets of one side joined. */
function joined(entries: readonly (Spoken | Note)[]): (Spoken | Note)[] {
  const result: (Spoken | Note)[] = []
  for (const entry of entries) {
    const last = result.at(-1)
    if (!('octets' in entry)) result.push(entry)
    else if (entry.octets.length === 0) continue
    else if (last !== undefined && 'octets' in last && last.from === entry.from)
      result[result.length - 1] = said(entry.from, text(last.octets) + text(entry.octets))
    else result.push(entry)
  }
  return result
}

describe('properties', () => {
  test('any octets of both sides, and stage directions, are read back the same', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
        expect(parseTranscript(formatTranscript(entries))).toEqual(joined(entries))
      }),
      runs(500),
    )
  })

  test('a transcript is printable US-ASCII without spaces at line ends, and survives indentation and other line ends', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
        const written = formatTranscript(entries)
        expect(written).toMatch(/^(?:[!-~](?:[ -~]*[!-~])?\n)*$/)
        expect(parseTranscript(written.replace(/^/gm, '       ').replaceAll('\n', '\r\n'))).toEqual(joined(entries))
      }),
    )
  })

  test('a note of any text disturbs nothing', () => {
    fc.assert(
      fc.property(fc.string(), fc.option(side, { nil: undefined }), (text, from) => {
        const any: Note = from === undefined ? { kind: 'note', text } : { kind: 'note', text, from }
        const read = parseTranscript(formatTranscript([said('I', 'a\r\n'), any, said('L', 'b\r\n')]))
        expect(read.filter((entry) => 'octets' in entry)).toEqual([said('I', 'a\r\n'), said('L', 'b\r\n')])
      }),
    )
  })

  test('any text gives entries or a TypeError that names the line', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(scrap, fc.constantFrom('I:', 'X: ', '<a b>', '... a ...')), { maxLength: 12 }), (parts) => {
        try {
          parseTranscript(parts.join(''))
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
          expect(String(error)).toMatch(/^TypeError: Transcript line \d+: /)
        }
      }),
    )
  })

  test('what an abridged transcript shows and leaves out is all there was', () => {
    fc.assert(
      fc.property(side, speech, fc.nat(20), (from, spoken, limit) => {
        let at = 0
        for (const entry of abridge({ from, octets: spoken }, limit)) {
          if ('octets' in entry) {
            expect(entry).toEqual({ from, octets: spoken.subarray(at, at + entry.octets.length) })
            at += entry.octets.length
          } else at += entry.count
        }
        expect(at).toBe(spoken.length)
      }),
    )
  })
})

describe('the notation', () => {
  test.each([
    ['a line', 'MSG 1 0 . 52 7\r\n', 'I: MSG 1 0 . 52 7\n'],
    ['an empty line', '\r\n', 'I:\n'],
    ['two lines', 'a\r\n  b\r\n', 'I: a\nI:   b\n'],
    ['octets that no CR LF follows', 'a\r\nb', 'I: a\nI: b\\\n'],
    ['UTF-8, octet by octet', '\xc3\xa9\r\n', 'I: \\xc3\\xa9\n'],
    ['a backslash', '\\\r\n', 'I: \\\\\n'],
    ['a backslash that no CR LF follows', '\\', 'I: \\\\\\\n'],
    ['CR and LF alone', 'a\rb\nc\r\n', 'I: a\\rb\\nc\n'],
    ['CR CR LF LF', '\r\r\n\n', 'I: \\r\nI: \\n\\\n'],
    ['a space at the end', 'a  \r\n', 'I: a \\x20\n'],
    ['octets that look like a stage direction', '<open connection>\r\n', 'I: \\x3copen connection>\n'],
    ['octets that look abridged', '... (7 octets)\r\n', 'I: \\x2e.. (7 octets)\n'],
    ['an element is no stage direction', '<greeting>\r\n', 'I: <greeting>\n'],
    ['NUL and DEL', '\0\x7f\r\n', 'I: \\x00\\x7f\n'],
    ['nothing', '', ''],
  ])('%s', (_, spoken, written) => {
    expect(formatTranscript([said('I', spoken)])).toBe(written)
    expect(parseTranscript(written)).toEqual(spoken === '' ? [] : [said('I', spoken)])
  })

  test('comments, blank lines, prose, stage directions and both kinds of labels', () => {
    const read = parseTranscript(`# a comment
   For example:
       L: <wait for incoming connection>
       I: <open connection>
       C: a
   # the same side goes on

       I: b
           ... successful transport security negotiation ...
       S:
<both peers greet anew>
`)
    expect(read).toEqual([
      { kind: 'note', from: 'L', text: 'wait for incoming connection' },
      { kind: 'note', from: 'I', text: 'open connection' },
      said('I', 'a\r\nb\r\n'),
      { kind: 'note', text: 'successful transport security negotiation' },
      said('L', '\r\n'),
      { kind: 'note', text: 'both peers greet anew' },
    ])
  })

  test.each([
    ['prose that is not indented', 'I: a\nhello', /line 2: neither/],
    ['a label without a space', 'I:a', /line 1: a label/],
    ['an indented label without a space', '  I:a', /line 1: a label/],
    ['an unknown label', 'X: a', /line 1: a label/],
    ['a lower-case label', 'i: a', /line 1: a label/],
    ['an unknown escape', 'I: \\t', /line 1: after a backslash/],
    ['half an escape', 'I: \\x4', /line 1: after a backslash/],
    ['an abridged transcript', 'I: a\nL: ... (65536 octets)\n', /line 2: the transcript is abridged: 65536 octets/],
  ])('%s is refused', (_, written, message) => {
    expect(() => parseTranscript(written)).toThrow(TypeError)
    expect(() => parseTranscript(written)).toThrow(message)
  })

  test('text that is not US-ASCII is read as UTF-8', () => {
    expect(parseTranscript('I: é')).toEqual([said('I', '\xc3\xa9\r\n')])
  })

  test('a free note becomes a comment', () => {
    expect(
      formatTranscript([
        { kind: 'note', text: 'a > b\nI: c' },
        { kind: 'note', from: 'L', text: 'alone' },
      ]),
    ).toBe('# a > b\n# I: c\n# L alone\n')
  })

  test('a long payload is abridged, frames and short payloads are shown', () => {
    const spoken = said(
      'L',
      `SEQ 1 0 4096\r\nRPY 1 0 . 0 65536\r\n\r\n${'x'.repeat(65534)}END\r\nANS 1 1 . 65536 2 0\r\n\r\nEND\r\n`,
    )
    expect(formatTranscript(abridge(spoken, 8))).toBe(`L: SEQ 1 0 4096
L: RPY 1 0 . 0 65536
L:
L: xxxxxx\\
L: ... (65528 octets)
L: END
L: ANS 1 1 . 65536 2 0
L:
L: END
`)
    expect(abridge(spoken, 65536)).toEqual([spoken])
    expect(formatTranscript(abridge(said('I', 'no frame'), 2))).toBe('I: no\\\nI: ... (6 octets)\n')
    expect(formatTranscript(abridge(said('I', 'MSG 1 0 . 0 9\r\ncut'), 2))).toBe('I: MSG 1 0 . 0 9\nI: cu\\\nI: ... (1 octets)\n')
  })
})

describe('the sessions printed in RFC 3080', () => {
  const folder = new URL('../../../fixtures/rfc3080/', import.meta.url)
  const files = readdirSync(folder).sort()
  const load = (file: string) => readFileSync(new URL(file, folder), 'utf8')
  const frames = files.flatMap((file) => framesOf(load(file)))

  interface Frame {
    readonly header: string
    readonly channel: number
    readonly size: number
    readonly payload: Uint8Array
  }

  /** The frames of a transcript, by their headers alone; what is no frame where one should be is an error. */
  function framesOf(transcript: string): Frame[] {
    const found: Frame[] = []
    for (const entry of parseTranscript(transcript)) {
      if (!('octets' in entry)) continue
      let rest = text(entry.octets)
      while (rest !== '') {
        const [line, header, channel, size] = /^((?:MSG|RPY|ERR|ANS|NUL) (\d+) \d+ [.*] \d+ (\d+)(?: \d+)?)\r\n/.exec(rest) ?? []
        if (line === undefined) throw new Error(`no frame at ${JSON.stringify(rest.slice(0, 40))}`)
        const end = line.length + Number(size)
        if (rest.slice(end, end + 5) !== 'END\r\n') throw new Error(`the size is wrong in ${header}`)
        found.push({
          header: header!,
          channel: Number(channel),
          size: Number(size),
          payload: octets(rest.slice(line.length, end)),
        })
        rest = rest.slice(end + 5)
      }
    }
    return found
  }

  test.each(files)('R3080-2.2-06 %s: every size is exact, and its section is named', (file) => {
    expect(load(file)).toMatch(new RegExp(`^# RFC 3080 §${file.split('-')[0]?.replaceAll('.', '\\.')}: `))
    expect(framesOf(load(file)).length).toBeGreaterThan(0)
  })

  test('all printed frames are here', () => {
    expect(frames.filter(({ header }) => !/ \* | 307 0$| 40 10 0$/.test(header))).toHaveLength(55)
    expect(frames).toHaveLength(60)
  })

  test.each(files)('%s is written as it was read', (file) => {
    const read = parseTranscript(load(file))
    expect(parseTranscript(formatTranscript(read))).toEqual(read)
    const bare = (transcript: string) =>
      transcript
        .replace(/^#.*\n/gm, '')
        .replace(/^C:/gm, 'I:')
        .replace(/^S:/gm, 'L:')
    expect(formatTranscript(read).replace(/^<(.*negotiation)>$/gm, '... $1 ...')).toBe(bare(load(file)))
  })

  test('R3080-6.4-01 R3080-7.1-02 all of them carry readable elements', () => {
    const names = new Map<string, number>()
    for (const { channel, header, payload } of frames.filter(({ header }) => !/ \* | 307 0$| 40 10 0$/.test(header))) {
      const entity = splitEntity(payload)
      expect(entity && isBeepXml(entity.headers)).toBe(true)
      const { name } = (channel === 0 ? parseElement : parseSimple)(entity!.body)
      const key = `${header.slice(0, 3)} ${name}`
      names.set(key, (names.get(key) ?? 0) + 1)
    }
    expect(Object.fromEntries(names)).toEqual({
      'RPY greeting': 13,
      'MSG start': 16,
      'RPY profile': 10,
      'MSG close': 5,
      'RPY ok': 2,
      'ERR error': 6,
      'MSG blob': 2,
      'RPY blob': 1,
    })
  })

  test('R3080-2.3.1.2-28 the initialization messages are elements themselves', () => {
    const contents = frames.flatMap(({ channel, payload }) => {
      const body = splitEntity(payload)?.body
      if (channel !== 0 || body === undefined || body.length === payload.length) return []
      const element = parseElement(body)
      const profiles = element.name === 'profile' ? [element] : element.name === 'start' ? element.profiles : []
      return profiles.flatMap(({ content }) => (content === undefined ? [] : [parseSimple(content).name]))
    })
    const counted = (name: string) => contents.filter((content) => content === name).length
    expect(['ready', 'proceed', 'blob', 'error'].map(counted)).toEqual([5, 4, 4, 2])
    expect(contents).toHaveLength(15)
  })
})
