// Texts by a regular expression.
import fc, { type Arbitrary } from 'fast-check'

/** As `fc.stringMatching`, which takes some ten milliseconds to prepare: it is prepared when the first text is drawn, so that no other case waits for it. */
export function matching(pattern: RegExp): Arbitrary<string> {
  let prepared: Arbitrary<string> | undefined
  return fc.constant(pattern).chain((each) => {
    prepared ??= fc.stringMatching(each)
    return prepared
  })
}
