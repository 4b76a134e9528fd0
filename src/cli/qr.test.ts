// QR codes as a camera sees the terminal: drawn, turned into pixels, and read by a decoder.
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import decodeQR from 'qr/decode.js'
import { formatFingerprint, parseFingerprint } from '../cloudy/fingerprint.js'
import { qrLines } from './qr.js'

/** Pixels a side of a module. */
const SCALE = 4

/** What a terminal shows: each character is two modules, in the colours that the line asks for, or light on dark. */
function photograph(lines: readonly string[]) {
  const modules = lines.flatMap((line) => {
    const colours = line.startsWith('\x1b[38;5;16;48;5;231m')
    const characters = Array.from(stripVTControlCharacters(line))
    return ['▀█', '▄█'].map((full) => characters.map((character) => full.includes(character) === colours))
  })
  const [width, height] = [SCALE * modules[0]!.length, SCALE * modules.length]
  const data = new Uint8Array(4 * width * height).map((_, at) => {
    const [x, y] = [(at >> 2) % width, Math.floor((at >> 2) / width)]
    return at % 4 === 3 || !modules[Math.floor(y / SCALE)]![Math.floor(x / SCALE)] ? 255 : 0
  })
  return { width, height, data }
}

describe.each([true, false])('a QR code, with colours: %s', (colours) => {
  test('of a fingerprint is read as the fingerprint', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (octets) => {
        const lines = qrLines(formatFingerprint(octets).toUpperCase(), { colours })
        expect(Array.from(parseFingerprint(decodeQR(photograph(lines))))).toEqual(Array.from(octets))
      }),
      { numRuns: 6 },
    )
  })

  test('fits a terminal of 80 columns and 24 lines', () => {
    const lines = qrLines(formatFingerprint(new Uint8Array(32)).toUpperCase(), { colours })
    expect(lines.length).toBeLessThanOrEqual(20)
    for (const line of lines) expect(Array.from(stripVTControlCharacters(line)).length).toBeLessThanOrEqual(40)
  })
})
