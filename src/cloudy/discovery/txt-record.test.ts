// The TXT record and the card: any card that fits survives the way there and back, and every damage is named.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cardFromTxt, cardToTxt, MAX_CARD, MAX_TXT, MAX_TXT_STRING } from './txt-record.js'

const octets = (length: number, from = 0) => Uint8Array.from({ length }, (_, index) => (index + from) & 0xff)
const string = (key: string, value: Uint8Array = octets(4)) => Buffer.concat([Buffer.from(key, 'latin1'), value])

describe('a card as TXT strings', () => {
  test('any card that fits comes back, whatever the order of its strings', () => {
    const card = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: MAX_CARD }),
      fc.array(fc.constantFrom(0x00, 0x3d, 0x0a, 0xff), { minLength: 1, maxLength: MAX_CARD }).map((all) => Uint8Array.from(all)),
    )
    const order = fc.array(fc.nat(), { minLength: 6, maxLength: 6 })
    fc.assert(
      fc.property(card, order, (der, keys) => {
        const strings = cardToTxt(der)
        for (const one of strings) expect(one.length).toBeLessThanOrEqual(MAX_TXT_STRING)
        expect(strings.reduce((sum, one) => sum + 1 + one.length, 0)).toBeLessThanOrEqual(MAX_TXT)
        const shuffled = strings.map((one, index) => ({ one, key: keys[index] ?? 0 })).sort((a, b) => a.key - b.key)
        expect(cardFromTxt(shuffled.map(({ one }) => one))).toEqual(der)
      }),
    )
  })

  test('whatever the network says ends in a card that fits or in an Error', () => {
    const noise = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 })
    const likely = fc.array(
      fc
        .tuple(fc.constantFrom('c0=', 'c1=', 'C2=', 'c=', 'c00=', 'c1', '=', 'x=', 'c9999='), fc.uint8Array({ maxLength: 260 }))
        .map(([key, value]) => string(key, value)),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(fc.oneof(noise, likely), (strings) => {
        try {
          expect(cardFromTxt(strings).length).toBeLessThanOrEqual(MAX_TXT)
        } catch (error) {
          expect((error as Error).constructor).toBe(Error)
        }
      }),
    )
  })

  test('sizes at the borders', () => {
    expect(MAX_CARD).toBe(1275)
    expect(cardToTxt(octets(252))).toHaveLength(1)
    expect(cardToTxt(octets(253))).toHaveLength(2)
    expect(cardFromTxt(cardToTxt(octets(MAX_CARD)))).toEqual(octets(MAX_CARD))
    expect(() => cardToTxt(octets(MAX_CARD + 1))).toThrow(RangeError)
    expect(() => cardToTxt(new Uint8Array())).toThrow(RangeError)
  })

  test('the result is a copy', () => {
    const strings = cardToTxt(octets(10))
    const card = cardFromTxt(strings)
    strings[0]?.fill(0)
    expect(card).toEqual(octets(10))
  })

  test('keys without regard to case; other keys and strings without one are ignored', () => {
    const strings = ['C0=', 'txtvers=', 'c', 'c=', '=c1=', 'c00=', 'c01=', 'cx=', '', 'c1='].map((key) => string(key))
    strings.push(Buffer.alloc(0), Buffer.from('flag'))
    expect(cardFromTxt(strings)).toEqual(Uint8Array.from([0, 1, 2, 3, 0, 1, 2, 3]))
  })

  test.each([
    ['no card', [string('txtvers=')], 'the TXT record has no card'],
    ['nothing at all', [], 'the TXT record has no card'],
    ['a gap', [string('c0='), string('c2=')], 'c1 is missing from the TXT record'],
    ['no beginning', [string('c1=')], 'c0 is missing from the TXT record'],
    ['a duplicate', [string('c0='), string('C0=')], 'c0 stands twice in the TXT record'],
    ['no value', [Buffer.from('c0')], 'c0 of the TXT record has no value'],
    ['an empty piece', [string('c0='), Buffer.from('c1=')], 'c1 of the TXT record is empty'],
    ['a string too long', [string('c0=', octets(253))], 'a string of the TXT record has 256 octets'],
    [
      'too much in all',
      Array.from({ length: 6 }, (_, n) => string(`c${n}=`, octets(240))),
      'the TXT record has more than 1299 octets',
    ],
    [
      'too much of other keys',
      Array.from({ length: 6 }, () => string('x=', octets(240))),
      'the TXT record has more than 1299 octets',
    ],
  ])('refused with its reason: %s', (_what, strings, reason) => {
    expect(() => cardFromTxt(strings)).toThrow(reason)
  })
})
