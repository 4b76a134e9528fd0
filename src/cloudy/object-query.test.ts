// Queries: what they match, the order of answers, and the strict form in which they travel.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatFingerprint } from './fingerprint.js'
import { formatQuery, inOrder, matches, type ObjectQuery, type Queryable, readQuery } from './object-query.js'

const fingerprint = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(formatFingerprint)
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((octets) => Buffer.from(octets).toString('hex'))
const few = { type: ['a/a', 'a/b'], signer: ['ada', 'bob'], digest: ['00', '11', '22'] }
const object: fc.Arbitrary<Queryable> = fc.record({
  type: fc.constantFrom(...few.type),
  signer: fc.constantFrom(...few.signer),
  issued: fc.nat(4),
  digest: fc.constantFrom(...few.digest),
})

describe('a query', () => {
  test('without members asks for everything', () => {
    fc.assert(fc.property(object, (it) => matches({}, it)))
  })

  test('asks for exactly those that have all that it says', () => {
    const query = fc.record(
      { type: fc.constantFrom(...few.type), signer: fc.constantFrom(...few.signer), since: fc.nat(4) },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(query, object, (asked, it) => {
        const { type = it.type, signer = it.signer, since = it.issued } = asked
        expect(matches(asked, it)).toBe(it.type === type && it.signer === signer && it.issued >= since)
      }),
    )
  })

  test('that goes on after an object asks for exactly those behind it in the order of answers', () => {
    fc.assert(
      fc.property(object, object, (last, it) => {
        expect(matches({ since: last.issued, after: last.digest }, it)).toBe(inOrder(last, it) < 0)
      }),
    )
  })

  test('the order is one: of two that differ exactly one comes first, and it can be sorted by', () => {
    fc.assert(
      fc.property(fc.array(object), (objects) => {
        for (const a of objects) for (const b of objects) expect(Math.sign(inOrder(a, b))).toBe(0 - Math.sign(inOrder(b, a)))
        const sorted = objects.toSorted(inOrder)
        for (let at = 1; at < sorted.length; at++) expect(inOrder(sorted[at - 1]!, sorted[at]!)).toBeLessThanOrEqual(0)
      }),
    )
  })

  test('is read as it was written', () => {
    const type = fc.stringMatching(/^[a-z]{1,20}\/[a-z]{1,20}$/)
    const members = { type, signer: fingerprint, since: fc.nat() }
    const query: fc.Arbitrary<ObjectQuery> = fc.oneof(
      fc.record(members, { requiredKeys: [] }),
      fc.record({ ...members, after: digest }, { requiredKeys: ['since', 'after'] }),
    )
    fc.assert(
      fc.property(query, fc.boolean(), (asked, wish) => {
        const live = wish && asked.after === undefined
        expect(readQuery(Buffer.from(formatQuery(asked, live)))).toEqual({ query: asked, live })
      }),
    )
  })

  test.each([
    '[]',
    'null',
    '"type"',
    '{"type":1}',
    '{"signer":"abcd"}',
    '{"since":-1}',
    '{"since":1.5}',
    '{"since":"1"}',
    '{"after":"00"}',
    `{"after":"${'0'.repeat(64)}"}`,
    `{"since":1,"after":"${'0'.repeat(64)}","live":true}`,
    `{"since":1,"after":"${'A'.repeat(64)}"}`,
    '{"live":1}',
    '{"limit":3}',
    '{"toString":1}',
    '{"type":"a/a","type":"a/b"}',
    '',
    '{',
    '\ufeff{}',
  ])('%s is none', (text) => {
    expect(() => readQuery(Buffer.from(text))).toThrow()
  })
})
