// What is let through to the decoder, and what the decoder and the table make of it: whatever comes, no crash, and no work without bound.
import { createRequire } from 'node:module'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Allowance, MAX_SOURCES } from './allowance.js'
import { isCheap, MAX_DATAGRAM, MAX_LABELS, MAX_RECORDS } from './datagram.js'
import { orderOfRecords, type Packet } from './records.js'
import { SightingTable } from './sightings.js'
import { announcement, pointer, record, response } from './test-kit-datagrams.js'
import { cardToTxt } from './txt-record.js'

const ownRequire = createRequire(import.meta.url)
/** The decoder that the library uses. */
const { decode } = createRequire(ownRequire.resolve('bonjour-service'))('dns-packet') as { decode(datagram: Buffer): Packet }

const good = announcement({ instance: 'Ada', txt: cardToTxt(Buffer.alloc(1200, 7)), addresses: ['192.0.2.1', '192.0.2.2'] })

describe('a datagram', () => {
  test('of multicast DNS is read: questions, probes, announcements, goodbyes', () => {
    expect(isCheap(good)).toBe(true)
    expect(isCheap(response(...Array.from({ length: 100 }, (_, n) => pointer(`service ${n}`))))).toBe(true)
    const question = Buffer.concat([
      Buffer.from('000000000001000000000000', 'hex'),
      pointer('x').subarray(0, 20),
      Buffer.from('000c0001', 'hex'),
    ])
    expect(isCheap(question)).toBe(true)
    // NSEC, as Apple's responders send it, and an address of IPv6 turned round.
    const arpa = Buffer.from(`${'0130'.repeat(32)}036970360461727061${'00'}`, 'hex')
    expect(
      isCheap(
        response(
          record(arpa, 12, 120, Buffer.from([1, 0x61, 0])),
          record(Buffer.from([1, 0x61, 0]), 47, 120, Buffer.from([0xc0, 12, 0, 1, 0x40])),
        ),
      ),
    ).toBe(true)
  })

  test.each([
    ['too short', Buffer.alloc(11)],
    ['too long', Buffer.concat([good, Buffer.alloc(MAX_DATAGRAM)])],
    ['with a name that ends nowhere', response(Buffer.from([5, 0x61]))],
    ['with a name that refers to itself', response(record(Buffer.from([0xc0, 12]), 12, 1, Buffer.of(0)))],
    ['with a record that is cut', good.subarray(0, good.length - 1)],
    ['with labels of a kind that does not exist', response(record(Buffer.from([0x80, 0]), 12, 1, Buffer.of(0)))],
    ['with a start of authority, which has no place here', response(record(Buffer.of(0), 6, 1, Buffer.alloc(22)))],
    ['with a pointer without data', response(record(Buffer.of(0), 12, 1, Buffer.alloc(0)))],
    [
      'with more records than anybody has',
      response(...Array.from({ length: MAX_RECORDS + 1 }, () => record(Buffer.of(0), 1, 1, Buffer.alloc(4)))),
    ],
  ])('%s is not', (_, datagram) => {
    expect(isCheap(datagram)).toBe(false)
  })

  test('whose names say each other over and over is not read: that would take the decoder 35 ms', () => {
    const long = Buffer.concat([...Array.from({ length: 126 }, () => Buffer.from([1, 0x61])), Buffer.of(0)])
    const again = record(Buffer.from([0xc0, 12]), 12, 1, Buffer.from([0xc0, 12]))
    const bomb = (times: number) =>
      response(record(long, 12, 1, Buffer.from([0xc0, 12])), ...Array.from({ length: times }, () => again))
    expect(isCheap(bomb(500))).toBe(false)
    expect(isCheap(bomb(Math.floor(MAX_LABELS / 2 / 128) - 2))).toBe(true)
  })

  test('whatever it is: it is judged, and what is read is decoded or refused in few labels, and the table takes it', () => {
    const noise = fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets))
    const changed = fc
      .tuple(
        fc.constantFrom(good, response(pointer('a'), pointer('b'))),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
        fc.nat(),
      )
      .map(([datagram, changes, cut]) => {
        const copy = Buffer.from(datagram)
        for (const [at, octet] of changes) copy[at % copy.length] = octet
        return cut % 4 === 0 ? copy.subarray(0, cut % copy.length) : copy
      })
    fc.assert(
      fc.property(fc.array(fc.oneof(noise, changed), { maxLength: 5 }), (datagrams) => {
        const table = new SightingTable('_cloudy._tcp.local', () => 0)
        for (const datagram of datagrams) {
          if (!isCheap(datagram)) continue
          let packet: Packet
          try {
            packet = decode(datagram)
          } catch {
            continue
          }
          const records = [...packet.answers, ...packet.authorities, ...packet.additionals]
          expect(records.reduce((sum, { name }) => sum + name.split('.').length, 0)).toBeLessThanOrEqual(MAX_LABELS + MAX_RECORDS)
          table.receive(records, 0, 'source')
          expect(orderOfRecords(records, records)).toBe(0)
          table.questions(0)
        }
        table.expire(1e12)
      }),
      { numRuns: 500 },
    )
  })
})

describe('an allowance', () => {
  test('gives a source its rate, and all together theirs', () => {
    const allowance = new Allowance({ perSecond: 2, atOnce: 3 }, { perSecond: 4, atOnce: 5 })
    const had = (source: string, now: number) => {
      let count = 0
      while (allowance.take(source, now)) count += 1
      return count
    }
    expect([had('a', 0), had('b', 0), had('c', 0)]).toEqual([3, 2, 0])
    expect(allowance.isLeft(0)).toBe(false)
    expect([had('a', 1000), had('b', 1000), had('c', 1000)]).toEqual([2, 2, 0])
    expect(had('c', 100_000)).toBe(3)
    expect(had('c', 0)).toBe(0) // a clock that was set back
  })

  test('what one source may not have costs the others nothing', () => {
    const allowance = new Allowance({ perSecond: 1, atOnce: 1 }, { perSecond: 1, atOnce: 10 })
    for (let n = 0; n < 1000; n++) allowance.take('flooder', 0)
    expect(allowance.take('other', 0)).toBe(true)
  })

  test('never gives more than the total, however many sources there are', () => {
    const allowance = new Allowance({ perSecond: 100, atOnce: 100 }, { perSecond: 10, atOnce: 50 })
    let count = 0
    for (let n = 0; n < 3 * MAX_SOURCES; n++) if (allowance.take(`source ${n}`, n)) count += 1
    expect(count).toBeLessThanOrEqual(50 + (10 * 3 * MAX_SOURCES) / 1000 + 1)
  })
})
