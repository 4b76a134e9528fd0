// Instance names: whatever is wished for becomes one lawful label, and who may have it. Probing on a real link is tried in bonjour.test.ts.
import { EventEmitter, once } from 'node:events'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anyText } from '../../../test/any-text.js'
import { instanceName, isFree } from './name-claim.js'
import { type DnsRecord, orderOfRecords } from './records.js'

test('any wish becomes one label of 1 to 63 octets, without dots and control characters, its number kept', () => {
  fc.assert(
    fc.property(anyText({ maxLength: 80 }), fc.constantFrom('', ' (2)', ' (15)'), (wish, suffix) => {
      const name = instanceName(wish, suffix)
      expect(Buffer.byteLength(name)).toBeGreaterThan(suffix.length)
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
      expect(name).not.toMatch(/[.\p{Cc}\p{Cs}]/u)
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

describe('of two that probe for one name', () => {
  const place = (port: number, target = 'host.local'): DnsRecord => ({ name: 'x', type: 'SRV', ttl: 1, data: { port, target } })
  const text = (...strings: string[]): DnsRecord => ({
    name: 'x',
    type: 'TXT',
    ttl: 1,
    data: strings.map((each) => Buffer.from(each)),
  })

  test.each([
    ['the larger port', [place(256)], [place(255)]],
    ['the longer name of a host', [place(1, 'host.local')], [place(1, 'abc.local')]],
    ['the later text', [text('b')], [text('a')]],
    ['the text with more strings', [text('a', 'b')], [text('a')]],
    ['the larger type that comes first', [place(1)], [text('z'), place(9)]],
    ['whoever has more to say', [text('a'), place(1)], [text('a')]],
  ])('%s goes on', (_, later, earlier) => {
    expect(orderOfRecords(later, earlier)).toBeGreaterThan(0)
    expect(orderOfRecords(earlier, later)).toBeLessThan(0)
    expect(orderOfRecords([...later].reverse(), later)).toBe(0)
  })

  test('exactly one goes on, unless both say the same', () => {
    const records = fc.array(
      fc.oneof(
        fc.nat(3).map((port) => place(port)),
        fc.constantFrom('a', 'b').map((string) => text(string)),
      ),
      { minLength: 1, maxLength: 3 },
    )
    fc.assert(
      fc.property(records, records, (a, b) => {
        expect(Math.sign(orderOfRecords(a, b))).toBe(-Math.sign(orderOfRecords(b, a)) + 0)
      }),
    )
  })

  test('case in the name of a host is no difference', () => {
    expect(orderOfRecords([place(1, 'HOST.local')], [place(1, 'host.local')])).toBe(0)
  })
})

/** A link on which a test speaks. */
function voice() {
  const link = new EventEmitter()
  const asked: unknown[] = []
  return Object.assign(link, {
    asked,
    query(packet: unknown) {
      asked.push(packet)
      link.emit('asked')
    },
  })
}

describe('a probe', () => {
  const ours: DnsRecord[] = [{ name: 'Ada._cloudy._tcp.local', type: 'SRV', ttl: 120, data: { port: 5, target: 'a.local' } }]
  const theirs = (port: number): DnsRecord =>
    ({ ...ours[0]!, name: 'ADA._cloudy._tcp.local', data: { port, target: 'b.local' } }) as DnsRecord
  const packet = (part: 'answers' | 'authorities', record: DnsRecord) => ({
    answers: [],
    authorities: [],
    additionals: [],
    [part]: [record],
  })
  const never = new AbortController().signal

  test('is asked three times, and nobody’s silence gives the name', async () => {
    const link = voice()
    expect(await isFree(link, ours, never)).toBe(true)
    expect(link.asked).toHaveLength(3)
    expect(link.asked[0]).toEqual({ questions: [{ name: 'Ada._cloudy._tcp.local', type: 'ANY' }], authorities: ours })
    expect(link.listenerCount('response') + link.listenerCount('query')).toBe(0)
  })

  test('is lost to an answer, and to a probe that is later in order; not to what was said before it, nor to an earlier one', async () => {
    for (const [event, said, free] of [
      ['response', packet('answers', theirs(1)), false],
      ['query', packet('authorities', theirs(6)), false],
      ['query', packet('authorities', theirs(4)), true],
      ['response', packet('answers', { ...theirs(1), ttl: 0 }), true],
    ] as const) {
      const link = voice()
      const probing = isFree(link, ours, never)
      link.emit('response', packet('answers', theirs(1)))
      await once(link, 'asked')
      link.emit(event, said)
      expect(await probing).toBe(free)
    }
  })

  test('ends with its signal', async () => {
    await expect(isFree(voice(), ours, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' })
  })
})
