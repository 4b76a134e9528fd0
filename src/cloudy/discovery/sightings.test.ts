// The table of sightings with a clock of its own: what is asked when, what expires, and that nothing anyone says makes it grow without bound.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { DnsRecord } from './records.js'
import { MAX_ADDRESSES, MAX_SERVICES, MAX_SERVICES_EACH, type SightingEvent, SightingTable } from './sightings.js'
import { cardToTxt } from './txt-record.js'

const TYPE = '_cloudy._tcp.local'
const table = () => new SightingTable(TYPE, () => 0)
const pointer = (instance: string, ttl = 120): DnsRecord => ({ name: TYPE, type: 'PTR', ttl, data: `${instance}.${TYPE}` })
const place = (instance: string, ttl = 120, target = 'host.local', port = 1): DnsRecord => ({
  ...{ name: `${instance}.${TYPE}`, type: 'SRV', ttl },
  data: { port, target },
})
const text = (instance: string, card = 'card', ttl = 120): DnsRecord => ({
  ...{ name: `${instance}.${TYPE}`, type: 'TXT', ttl },
  data: cardToTxt(Buffer.from(card)),
})
const address = (data: string, ttl = 120, name = 'host.local'): DnsRecord => ({ name, type: 'A', ttl, data })
const whole = (instance: string, ttl = 120) => [pointer(instance, ttl), place(instance, ttl), text(instance, 'card', ttl)]
const kinds = (events: SightingEvent[]) => events.map(({ kind }) => kind)

describe('sightings', () => {
  test('one is made of pointer, place and text, however they come', () => {
    const seen = table()
    expect(seen.receive([text('Ada'), place('Ada')], 0, 's')).toEqual([]) // nothing without a pointer
    expect(seen.receive([pointer('Ada')], 0, 's')).toEqual([])
    expect(seen.receive([place('ADA')], 1, 's')).toEqual([])
    const [event] = seen.receive([address('192.0.2.9', 120, 'HOST.local'), text('ada')], 2, '192.0.2.1')
    expect(event).toEqual({
      kind: 'seen',
      sighting: {
        ...{ instance: 'Ada', host: 'host.local', port: 1, source: '192.0.2.1' },
        ...{ addresses: ['192.0.2.9'], card: Uint8Array.from(Buffer.from('card')) },
      },
    })
    expect(seen.receive([...whole('Ada'), address('192.0.2.9')], 3, 's')).toEqual([])
  })

  test('every change is seen: card, port, host, addresses', () => {
    const seen = table()
    seen.receive([...whole('Ada'), address('192.0.2.9')], 0, 's')
    expect(kinds(seen.receive([text('Ada', 'other')], 1, 's'))).toEqual(['seen'])
    expect(kinds(seen.receive([place('Ada', 120, 'host.local', 2)], 1, 's'))).toEqual(['seen'])
    expect(kinds(seen.receive([address('192.0.2.10')], 1, 's'))).toEqual(['seen'])
    expect(kinds(seen.receive([place('Ada', 120, 'else.local', 2), address('192.0.2.10', 120, 'else.local')], 1, 's'))).toEqual([
      'seen',
    ])
    expect(kinds(seen.receive([address('192.0.2.11', 0, 'else.local')], 1, 's'))).toEqual([])
  })

  test('it is gone when the first of its records expires, and a second after a goodbye that nobody contradicts', () => {
    const seen = table()
    seen.receive([pointer('Ada', 4500), place('Ada', 120), text('Ada', 'card', 4500)], 0, 's')
    expect(seen.expire(119_999)).toEqual([])
    expect(seen.expire(120_000)).toEqual([{ kind: 'gone', instance: 'Ada' }])
    seen.receive(whole('Ada'), 200_000, 's')
    seen.receive(whole('Ada', 0), 200_000, 's')
    expect(seen.expire(200_999)).toEqual([])
    seen.receive(whole('Ada'), 200_999, 's')
    expect(seen.expire(201_001)).toEqual([])
    seen.receive([pointer('Ada', 0)], 202_000, 's')
    expect(kinds(seen.expire(203_000))).toEqual(['gone'])
  })

  test('a malformed text is named once and leaves the card that was there', () => {
    const seen = table()
    const bad: DnsRecord = { name: `Ada.${TYPE}`, type: 'TXT', ttl: 120, data: [Buffer.from('c1=x')] }
    expect(seen.receive([pointer('Ada'), place('Ada'), bad], 0, 's')).toEqual([
      { kind: 'ignored', instance: 'Ada', reason: 'c0 is missing from the TXT record' },
    ])
    expect(seen.receive([bad], 1, 's')).toEqual([])
    expect(kinds(seen.receive([text('Ada')], 2, 's'))).toEqual(['seen'])
    expect(kinds(seen.receive([bad], 3, 's'))).toEqual(['ignored'])
    expect(seen.receive([text('Ada')], 4, 's')).toEqual([])
  })

  test('the type is asked for at intervals that double, and again before records expire', () => {
    const seen = table()
    const asked: number[] = []
    for (let now = 0; now <= 63_000; now += 1000) if (seen.questions(now).length > 0) asked.push(now / 1000)
    expect(asked).toEqual([0, 1, 3, 7, 15, 31, 63])
    seen.receive([...whole('Ada'), address('192.0.2.9')], 64_000, 's')
    const again: number[] = []
    while (seen.due() < 184_000) {
      const now = seen.due()
      if (seen.questions(now).some(({ type }) => type === 'PTR')) again.push((now - 64_000) / 1000)
    }
    expect(again).toEqual([63, 96, 102, 108, 114])
    seen.restart()
    expect(seen.questions(170_000)).toEqual([{ name: TYPE, type: 'PTR' }])
  })

  test('what is missing is asked for, three times at most', () => {
    const seen = table()
    seen.questions(0)
    seen.receive([pointer('Ada'), pointer('a.b'), pointer('\ufffd'.repeat(21))], 0, 's')
    const asked: string[] = []
    for (let now = 0; now < 9000; now += 10)
      for (const { name, type } of seen.questions(now)) if (name.startsWith('Ada')) asked.push(`${type} ${now}`)
    expect(asked).toEqual(['SRV 0', 'TXT 0', 'SRV 1000', 'TXT 1000', 'SRV 2000', 'TXT 2000'])
    expect(seen.expire(10_000)).toEqual([]) // it never was a sighting
    expect(seen.receive([place('Ada'), text('Ada')], 10_001, 's')).toEqual([])
  })

  test('names out of bounds are ignored', () => {
    const seen = table()
    expect(seen.receive([pointer('x'.repeat(64)), pointer('')], 0, 's')).toEqual([
      { kind: 'ignored', instance: 'x'.repeat(64), reason: 'an instance name has 1 to 63 octets, not 64' },
      { kind: 'ignored', instance: '', reason: 'an instance name has 1 to 63 octets, not 0' },
    ])
    expect(seen.receive([{ name: TYPE, type: 'PTR', ttl: 1, data: 'x._http._tcp.local' }], 0, 's')).toEqual([])
  })

  test('a flood fills the table, is said once, and does not displace who is there', () => {
    const seen = table()
    seen.receive(whole('Ada'), 0, 's')
    const flood = Array.from({ length: 3000 }, (_, n) => pointer(`flood ${n}`, 4_000_000_000))
    expect(seen.receive(flood, 0, 'f')).toEqual([
      { kind: 'ignored', instance: `flood ${MAX_SERVICES_EACH}`, reason: 'there are too many services' },
    ])
    for (let n = 0; n < 20; n++) expect(seen.receive(flood.slice(100 * n, 100 * n + 100), 0, `f${n}`)).toEqual([])
    let questions = 0
    for (let now = 0; now < 10_000; now = Math.max(now + 1, seen.due())) {
      const asked = seen.questions(now)
      expect(asked.length).toBeLessThanOrEqual(17)
      questions += asked.length
    }
    expect(questions).toBeLessThanOrEqual(500 * 17)
    expect(seen.expire(10_000)).toEqual([])
    expect(kinds(seen.receive([...whole('Bob'), text('Ada', 'other')], 10_000, 's'))).toEqual(['seen', 'seen'])
    const addresses = Array.from({ length: 300 }, (_, n) => address(`192.0.2.${n}`))
    const [event] = seen.receive(addresses, 10_001, 's')
    expect(event?.kind === 'seen' && event.sighting.addresses.length).toBe(MAX_ADDRESSES)
  })

  test('many sources fill the table, and whoever is new has room at the cost of who has most', () => {
    const seen = table()
    const flood = (source: string, from: number) =>
      seen.receive(Array.from({ length: 100 }, (_, n) => whole(`${source} ${from + n}`)).flat(), 0, source)
    for (let n = 0; n < MAX_SERVICES / MAX_SERVICES_EACH; n++)
      expect(flood(`f${n}`, 0)).toHaveLength(MAX_SERVICES_EACH + (n === 0 ? 1 : 0))
    expect(seen.receive(whole('Ada'), 1, 'ada')).toEqual([
      { kind: 'gone', instance: `f0 ${MAX_SERVICES_EACH - 1}` },
      expect.objectContaining({ kind: 'seen' }),
    ])
    expect(flood('late', 0).filter(({ kind }) => kind === 'seen')).toHaveLength(60) // as many as the others have then
    expect(seen.clear()).toHaveLength(MAX_SERVICES)
    expect(seen.receive(whole('f0 0'), 2, 'f0')).toHaveLength(1)
  })

  test('addresses that are said to be all outlive the older ones by a second', () => {
    const seen = table()
    seen.receive([...whole('Ada'), address('192.0.2.1'), address('192.0.2.2')], 0, 's')
    seen.receive(
      [
        { ...address('192.0.2.2'), flush: true },
        { ...address('192.0.2.3'), flush: true },
      ],
      5000,
      's',
    )
    const [event] = seen.expire(6000)
    expect(event?.kind === 'seen' && event.sighting.addresses).toEqual(['192.0.2.2', '192.0.2.3'])
  })

  test('whatever is said: seen and gone alternate as they should, and time always has an end', () => {
    const name = fc.constantFrom('a', 'A', 'b', 'c.d')
    const ttl = fc.constantFrom(0, 1, 5, 120)
    const record = fc.oneof(
      fc.tuple(name, ttl).map(([n, t]) => pointer(n, t)),
      fc.tuple(name, ttl, fc.constantFrom('h', 'i')).map(([n, t, h]) => place(n, t, h)),
      fc.tuple(name, fc.constantFrom('x', 'y'), ttl).map(([n, c, t]) => text(n, c, t)),
      fc.tuple(fc.constantFrom('192.0.2.1', '192.0.2.2'), ttl, fc.constantFrom('h', 'i')).map(([a, t, h]) => address(a, t, h)),
    )
    const step = fc.record({ records: fc.array(record, { maxLength: 6 }), pass: fc.nat(3000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const seen = table()
        const present = new Set<string>()
        const judge = (events: SightingEvent[]) => {
          for (const event of events) {
            if (event.kind === 'seen') present.add(event.sighting.instance.toLowerCase())
            if (event.kind === 'gone') expect(present.delete(event.instance.toLowerCase())).toBe(true)
          }
        }
        let now = 0
        for (const { records, pass } of steps) {
          judge(seen.receive(records, now, 's'))
          seen.questions(now)
          now += pass
          judge(seen.expire(now))
        }
        for (let turns = 0; now < 130_000 + 3000 * 30; turns++) {
          expect(turns).toBeLessThan(1000)
          judge(seen.expire(now))
          seen.questions(now)
          expect(seen.due()).toBeGreaterThan(now)
          now = seen.due()
        }
        expect(present.size).toBe(0)
      }),
    )
  })
})
