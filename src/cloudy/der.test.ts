// DER: one encoding per value, for elements and for ECDSA signatures.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ecdsaFromDer, ecdsaToDer, element, readElement, readElements, SEQUENCE } from './der.js'

const octets = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('elements', () => {
  test('are read as they were written', () => {
    const length = fc.constantFrom(0, 1, 127, 128, 255, 256, 65_535, 65_536)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), length, (tag, size) => {
        const content = Buffer.alloc(size, 0x5a)
        const written = element(tag, content)
        const [read, ...more] = readElements(written)
        expect(more).toEqual([])
        expect(read!.tag).toBe(tag)
        expect(Buffer.compare(read!.content, content)).toBe(0)
        expect(Buffer.compare(read!.octets, written)).toBe(0)
      }),
    )
  })

  test.each([
    ['the indefinite length', '30 80 00 00'],
    ['a long form for a short length', '30 81 01 00'],
    ['leading zeros in a length', '30 82 00 80'],
    ['a length in four octets', '30 84 00 00 00 00'],
    ['a tag of many octets', '3f 21 00'],
    ['the end before the length', '30'],
    ['the end inside the length', '30 82 01'],
    ['the end inside the content', '30 03 02 01'],
    ['octets after the end', '30 00 00'],
    ['another tag', '31 00'],
    ['nothing', ''],
  ])('refuses %s', (_, text) => {
    expect(() => readElement(octets(text), SEQUENCE)).toThrow(expect.objectContaining({ reason: 'malformed' }))
  })

  test('never throws anything but its own error, whatever it reads', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (garbage) => {
        try {
          readElements(garbage)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CLOUDY_ERR_OBJECT' })
        }
      }),
    )
  })
})

describe('ECDSA signatures', () => {
  test('go from r ‖ s to DER and back', () => {
    const scalar = fc.oneof(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ minLength: 4, maxLength: 4 }).map((low) => new Uint8Array([...new Uint8Array(28), ...low])),
    )
    fc.assert(
      fc.property(scalar, scalar, (r, s) => {
        const raw = Buffer.concat([r, s])
        expect(Buffer.from(ecdsaFromDer(ecdsaToDer(raw))!).equals(raw)).toBe(true)
      }),
    )
  })

  test.each([
    ['a leading zero', '30 07 02 02 00 01 02 01 01'],
    ['a negative number', '30 06 02 01 80 02 01 01'],
    ['a third number', '30 09 02 01 01 02 01 01 02 01 01'],
    ['one number', '30 03 02 01 01'],
    ['octets after the end', '30 06 02 01 01 02 01 01 00'],
    ['a number without octets', '30 05 02 00 02 01 01'],
    ['a long length', '30 81 06 02 01 01 02 01 01'],
    ['33 octets', `30 26 02 21 01 ${'00'.repeat(32)} 02 01 01`],
    ['another type', '30 06 04 01 01 02 01 01'],
  ])('refuses %s', (_, text) => {
    expect(ecdsaFromDer(octets(text))).toBeUndefined()
  })
})
