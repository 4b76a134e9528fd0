// Instance names: whatever is wished for becomes one lawful label. Probing is tried on a real link in bonjour.test.ts.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { instanceName } from './name-claim.js'

test('any wish becomes one label of 1 to 63 octets, without dots and control characters, its number kept', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), fc.constantFrom('', ' (2)', ' (15)'), (wish, suffix) => {
      const name = instanceName(wish, suffix)
      expect(Buffer.byteLength(name)).toBeGreaterThan(suffix.length)
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
      expect(name).not.toMatch(/[.\p{Cc}]/u)
      expect(name.endsWith(suffix)).toBe(true)
    }),
  )
})

test.each([
  ['Ada', '', 'Ada'],
  ['Dr. Ada\r\nLovelace', ' (2)', 'Dr- Ada Lovelace (2)'],
  ['\u0000', '', 'cloudy'],
  ['é'.repeat(40), ' (2)', `${'é'.repeat(29)} (2)`],
])('%j with %j is %j', (wish, suffix, name) => {
  expect(instanceName(wish, suffix)).toBe(name)
})
