// Frames out of octets: the grammar of RFC 3080 §2.2.1 and RFC 3081 §3.1.3, the trailer, and that no cut of the stream changes anything.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { data, type Frame, octets, readFrame, text, writeFrame } from '../engine/test-kit.js'
import { ProtocolError, type Rule } from '../errors.js'
import { runs } from '../test-kit-runs.js'
import { FrameReader } from './frame-reader.js'
import { REFUSED } from './test-kit-frames.js'

/** Reads chunks to their end, after each of them so many parts as `pace` says: the frames, and the rule that was broken. What is left of a frame in progress is not told. */
function read(
  chunks: readonly string[],
  pace: readonly number[] = [Number.POSITIVE_INFINITY],
): { frames: Frame[]; rule: Rule | undefined; message: string; between: boolean } {
  const reader = new FrameReader()
  const frames: Frame[] = []
  let payload = ''
  const take = (): boolean => {
    const part = reader.next()
    if (part === 'seq') {
      const { channel, ackno, window } = reader.seq!
      frames.push({ word: 'SEQ', channel, msgno: 0, more: false, seqno: ackno, ansno: 0, payload: '', window })
    } else if (part === 'payload') payload += text(reader.payload)
    else if (part === 'header') payload = ''
    if (part === 'end' || (part === 'payload' && reader.takeEnd())) {
      const { keyword, channel, msgno, more, seqno, size, ansno } = reader.header!
      expect(payload.length).toBe(size)
      frames.push({ word: keyword, channel, msgno, more, seqno, ansno, payload, window: 0 })
    }
    return part !== undefined
  }
  try {
    for (const [index, chunk] of chunks.entries()) {
      reader.receive(octets(chunk))
      for (let left = pace[index % pace.length]!; left > 0 && take(); left--) {}
    }
    while (take()) {}
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { frames, rule: error.rule, message: error.message, between: false }
  }
  return { frames, rule: undefined, message: '', between: reader.betweenFrames }
}

/** At once, octet by octet, and cut in two at every place: always the same. */
function readAnyhow(wire: string) {
  const whole = read([wire])
  expect(read([...wire])).toEqual(whole)
  for (let at = 1; at < wire.length; at++) expect(read([wire.slice(0, at), wire.slice(at)])).toEqual(whole)
  return whole
}

const KEYWORD = 'rfc3080/2.2.1.1/keyword'

describe('frames that are refused', () => {
  test.each(REFUSED)('%s', (_id, wire, rule) => {
    const { frames, ...rest } = readAnyhow(wire)
    expect(rest.rule).toBe(rule)
    expect(frames).toEqual([])
  })

  test('R3081-3.1.3-07 a SEQ has no trailer', () => {
    expect(readAnyhow('SEQ 1 0 4096\r\nEND\r\n')).toMatchObject({ frames: [{ word: 'SEQ', window: 4096 }], rule: KEYWORD })
  })

  test('R3080-2.2.1.1-34 the error shows the header up to the octet that broke it, fit for a log', () => {
    expect(read(['MSG 1 0 . 0 0\0\r\n']).message).toContain('"MSG 1 0 . 0 0\\x00"')
  })
})

describe('frames that are read', () => {
  const longest = 'ANS 2147483647 2147483647 * 4294967295 2147483647 2147483647\r\n'

  test.each<[id: string, wire: string, frame: Partial<Frame>]>([
    ['R3080-2.2.1-01 the smallest', 'MSG 0 0 . 0 0\r\nEND\r\n', { word: 'MSG', payload: '' }],
    ['R3080-2.2.1-05 channel 2147483647', 'MSG 2147483647 0 . 0 0\r\nEND\r\n', { channel: 2147483647 }],
    ['R3080-2.2.1-06 msgno 2147483647', 'MSG 1 2147483647 . 0 1\r\naEND\r\n', { msgno: 2147483647 }],
    ['R3080-2.2.1-07 seqno 4294967295', 'MSG 1 0 . 4294967295 0\r\nEND\r\n', { seqno: 4294967295 }],
    ['R3080-2.2.1-09 ansno 4294967295 (A01)', 'ANS 1 0 . 0 0 4294967295\r\nEND\r\n', { ansno: 4294967295 }],
    ['R3080-2.2.1-12 the trailer inside the payload', 'MSG 1 0 . 0 9\r\na\r\nEND\r\nbEND\r\n', { payload: 'a\r\nEND\r\nb' }],
    ['R3080-2.2.1.3-01 a CR before the trailer', 'MSG 1 0 . 0 4\r\nabc\rEND\r\n', { payload: 'abc\r' }],
    ['R3081-3.1.3-15 window 2147483647', 'SEQ 1 0 2147483647\r\n', { word: 'SEQ', window: 2147483647 }],
    ['R3081-3.1.3-14 window 0', 'SEQ 1 4096 0\r\n', { word: 'SEQ', seqno: 4096, window: 0 }],
    ['T01 the trailer is counted to, not looked for', 'MSG 1 0 . 0 10\r\nEND\r\nEND\r\nEND\r\n', { payload: 'END\r\nEND\r\n' }],
  ])('%s', (_id, wire, frame) => {
    const { frames, rule, between } = readAnyhow(wire)
    expect(rule).toBeUndefined()
    expect(frames).toMatchObject([frame])
    expect(between).toBe(true)
  })

  test('R3080-2.2.1-14 a header of 62 octets, however it is cut', () => {
    expect(longest).toHaveLength(62)
    for (let at = 1; at < longest.length; at++) {
      const reader = new FrameReader()
      reader.receive(octets(longest.slice(0, at)))
      expect(reader.next()).toBeUndefined()
      reader.receive(octets(longest.slice(at)))
      expect(reader.next()).toBe('header')
      expect(reader.header).toEqual({
        keyword: 'ANS',
        channel: 2147483647,
        msgno: 2147483647,
        more: true,
        seqno: 4294967295,
        size: 2147483647,
        ansno: 2147483647,
      })
    }
  })

  test('T03 the longest headers of both kinds fit', () => {
    expect(read([longest]).rule).toBeUndefined()
    expect(read([`SEQ 2147483647 4294967295 2147483647\r\n`]).frames).toHaveLength(1)
  })

  test('R3080-2.2-08 every octet value in one payload', () => {
    const payload = text(Uint8Array.from({ length: 256 }, (_, octet) => octet))
    expect(readAnyhow(data('MSG', { payload })).frames).toMatchObject([{ payload }])
  })

  test('RIMP-03 T29 a payload is handed out as views of what came, and nothing is allotted by its declared size', () => {
    const reader = new FrameReader()
    const chunk = octets('MSG 1 0 . 0 2147483647\r\nhello')
    reader.receive(chunk)
    expect(reader.next()).toBe('header')
    expect(reader.next()).toBe('payload')
    expect(reader.payload.buffer).toBe(chunk.buffer)
    expect(reader.payload).toHaveLength(5)
    expect(reader.next()).toBeUndefined()
  })

  test('R3080-2.2.1.3-04 a frame does not end before its trailer is verified, and its payload comes out before a wrong one', () => {
    for (const cut of [1, 24, 25]) {
      const reader = new FrameReader()
      const wire = 'MSG 1 0 . 0 5\r\nhelloXXX\r\n'
      reader.receive(octets(wire.slice(0, cut)))
      let payload = ''
      const take = () => {
        for (let part = reader.next(); part !== undefined; part = reader.next()) {
          if (part === 'payload') payload += text(reader.payload)
          expect(part).not.toBe('end')
          expect(part === 'payload' && reader.takeEnd()).toBe(false)
        }
      }
      expect(() => {
        take()
        reader.receive(octets(wire.slice(cut)))
        take()
      }).toThrow(ProtocolError)
      expect(payload).toBe('hello')
    }
  })
})

// Properties

const number = (max: number) => fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max }), fc.constant(max))
const anyFrame: fc.Arbitrary<Frame> = fc
  .record({
    word: fc.constantFrom('MSG', 'RPY', 'ERR', 'ANS', 'NUL', 'SEQ'),
    channel: number(2 ** 31 - 1),
    msgno: number(2 ** 31 - 1),
    more: fc.boolean(),
    seqno: number(2 ** 32 - 1),
    ansno: number(2 ** 32 - 1),
    payload: fc.oneof(fc.constantFrom('', 'END\r\n', 'E', '\r\n'), fc.uint8Array({ maxLength: 100 }).map(text)),
    window: number(2 ** 31 - 1),
  })
  .map((frame) =>
    frame.word === 'SEQ'
      ? { ...frame, msgno: 0, more: false, ansno: 0, payload: '' }
      : { ...frame, ansno: frame.word === 'ANS' ? frame.ansno : 0, window: 0 },
  )
const cut = (wire: string, sizes: readonly number[]): string[] => {
  const chunks: string[] = []
  let at = 0
  for (let turn = 0; at < wire.length; turn++) {
    const size = sizes.length === 0 ? wire.length : 1 + (sizes[turn % sizes.length]! % 40)
    chunks.push(wire.slice(at, at + size))
    at += size
  }
  return chunks
}

describe('properties', () => {
  test('RIMP-01 R3081-3-01 any frames, cut anyhow, are read as the oracle wrote them', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 12 }), (frames, sizes) => {
        const result = read(cut(frames.map(writeFrame).join(''), sizes))
        expect(result).toEqual({ frames, rule: undefined, message: '', between: true })
      }),
      runs(400),
    )
  })

  test('RIMP-01 chunks may come faster than they are read', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 12 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(4), { minLength: 1, maxLength: 12 }),
        (frames, sizes, pace) => {
          const wire = frames.map(writeFrame).join('')
          expect(read(cut(wire, sizes), pace)).toEqual({ frames, rule: undefined, message: '', between: true })
        },
      ),
      runs(300),
    )
  })

  test('a frame with one octet changed, added or left out is read if the oracle reads it, else refused; cut anyhow, the same', () => {
    const edit = fc.record({
      at: fc.nat(),
      how: fc.constantFrom('change', 'insert', 'delete'),
      to: fc.oneof(
        fc.constantFrom(...' .*0\r\n'),
        fc.nat(255).map((octet) => String.fromCharCode(octet)),
      ),
    })
    fc.assert(
      fc.property(anyFrame, edit, fc.array(fc.nat(), { maxLength: 5 }), (frame, { at, how, to }, sizes) => {
        const wire = writeFrame(frame)
        const place = at % wire.length
        const mutant = wire.slice(0, place) + (how === 'delete' ? '' : to) + wire.slice(how === 'insert' ? place : place + 1)
        const result = read([mutant])
        const expected = readFrame(mutant)
        if (expected !== undefined) expect(result.frames[0]).toEqual(expected.frame)
        else expect(result.frames).toEqual([])
        if (expected === undefined && result.rule === undefined) {
          // Then it is the beginning of a frame: more octets could complete it.
          expect(result.between).toBe(false)
        }
        expect(read(cut(mutant, sizes))).toEqual(result)
      }),
      runs(600),
    )
  })

  test('garbage is refused or waits for more, and cutting it anyhow changes nothing', () => {
    const piece = fc.oneof(
      fc.constantFrom('MSG ', 'ANS ', 'SEQ ', '1 ', '0 ', '. ', '* ', '\r\n', 'END\r\n'),
      fc.uint8Array({ maxLength: 4 }).map(text),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), (pieces, sizes) => {
        const wire = pieces.join('')
        expect(read(cut(wire, sizes))).toEqual(read([wire]))
      }),
      runs(400),
    )
  })
})
