// Text of whatever characters there are, for properties. What fast-check has for it (`unit: 'binary'`) begins with a table of all 1.1 million
// of them, which takes more than a second in every file that asks.
import fc from 'fast-check'

/** First half of a surrogate pair; so many code points from there on are no characters. */
const SURROGATE = 0xd800
const SURROGATES = 0x800
const LAST = 0x10ffff

/** Any code point but a half of a surrogate pair. */
export const anyCharacter: fc.Arbitrary<string> = fc
  .nat(LAST - SURROGATES)
  .map((number) => String.fromCodePoint(number < SURROGATE ? number : number + SURROGATES))

export function anyText(constraints: fc.StringConstraints = {}): fc.Arbitrary<string> {
  return fc.string({ ...constraints, unit: anyCharacter })
}
