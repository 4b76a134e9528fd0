// Frames into octets: what is written is what the oracle reads, whatever goes by reference and wherever a slab ends.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { data, readFrames, text } from '../engine/test-kit.js'
import { runs } from '../test-kit-runs.js'
import type { Keyword } from './frame.js'
import { FrameWriter } from './frame-writer.js'

interface Wanted {
  readonly keyword: Keyword
  readonly channel: number
  readonly msgno: number
  readonly more: boolean
  readonly seqno: number
  readonly ansno: number
  readonly pieces: readonly Uint8Array[]
}

const number = (max: number) => fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max }), fc.constant(max))
/** Sizes around what is copied, what goes by reference, and what fills a slab. */
const size = fc.oneof(fc.nat(80), fc.integer({ min: 1000, max: 1050 }), fc.constantFrom(0, 64, 65, 1024, 1025, 20_000, 65_536))
const wanted: fc.Arbitrary<Wanted> = fc.record({
  keyword: fc.constantFrom('MSG', 'RPY', 'ERR', 'ANS', 'NUL'),
  channel: number(2 ** 31 - 1),
  msgno: number(2 ** 31 - 1),
  more: fc.boolean(),
  seqno: number(2 ** 32 - 1),
  ansno: number(2 ** 31 - 1),
  pieces: fc
    .array(fc.tuple(size, fc.nat(255)), { maxLength: 4 })
    .map((all) => all.map(([length, fill]) => new Uint8Array(length).fill(fill))),
})

function write(writer: FrameWriter, { keyword, channel, msgno, more, seqno, ansno, pieces }: Wanted): string {
  const payload = pieces.map(text).join('')
  writer.frame(keyword, channel, msgno, more, seqno, payload.length, ansno, pieces)
  return data(keyword, { channel, msgno, more, seqno, ansno: keyword === 'ANS' ? ansno : 0, payload })
}

const frame: Wanted = { keyword: 'MSG', channel: 1, msgno: 0, more: false, seqno: 0, ansno: 0, pieces: [] }

describe('frames', () => {
  test('R3080-2.2.1-14 the longest header', () => {
    const writer = new FrameWriter()
    writer.frame('ANS', 2147483647, 2147483647, true, 4294967295, 0, 2147483647, [])
    expect(text(Buffer.concat(writer.take()))).toBe('ANS 2147483647 2147483647 * 4294967295 0 2147483647\r\nEND\r\n')
  })

  test('R3081-3.1.3-02 the longest SEQ', () => {
    const writer = new FrameWriter()
    writer.seq(2147483647, 4294967295, 2147483647)
    expect(text(Buffer.concat(writer.take()))).toBe('SEQ 2147483647 4294967295 2147483647\r\n')
  })

  test('T02 the size counts octets, not characters', () => {
    const writer = new FrameWriter()
    const payload = new TextEncoder().encode("Content-Type: application/beep+xml\r\n\r\n<error code='550'>é</error>\r\n")
    writer.frame('ERR', 0, 1, false, 0, payload.length, 0, [payload])
    expect(text(Buffer.concat(writer.take()))).toMatch(/^ERR 0 1 \. 0 68\r\n/)
  })

  test('small payloads are laid side by side, large ones go by reference', () => {
    const writer = new FrameWriter()
    const large = new Uint8Array(4096)
    write(writer, { ...frame, pieces: [new Uint8Array(10)] })
    write(writer, { ...frame, pieces: [new Uint8Array(10)] })
    expect(writer.take()).toHaveLength(1)
    write(writer, { ...frame, pieces: [large] })
    const parts = writer.take()
    expect(parts).toHaveLength(3)
    expect(parts[1]).toBe(large)
  })

  test('RIMP-11 what was handed out is never written to again', () => {
    const first = new FrameWriter()
    const second = new FrameWriter()
    const kept: { parts: Uint8Array[]; wire: string }[] = []
    for (let turn = 0; turn < 400; turn++) {
      const writer = turn % 2 === 0 ? first : second
      const wire = write(writer, { ...frame, msgno: turn, pieces: [new Uint8Array(900).fill(turn)] })
      kept.push({ parts: writer.take(), wire })
    }
    for (const { parts, wire } of kept) expect(text(Buffer.concat(parts))).toBe(wire)
  })

  test('any frames of any size are what the oracle writes, and the count of octets is exact', () => {
    const writer = new FrameWriter()
    fc.assert(
      fc.property(fc.array(wanted, { maxLength: 6 }), (frames) => {
        const wire = frames.map((each) => write(writer, each)).join('')
        expect(writer.octets).toBe(wire.length)
        const written = text(Buffer.concat(writer.take()))
        expect(written === wire).toBe(true)
        expect(readFrames(written)).toHaveLength(frames.length)
        expect(writer.octets).toBe(0)
      }),
      runs(150),
    )
  })
})
