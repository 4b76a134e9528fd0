// PCP and NAT-PMP as octets: what the RFCs print, round trips, and any octets at all, which end in a verdict.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Epoch, isSameNatPmpEpoch, isSamePcpEpoch } from './epoch.js'
import * as natPmp from './nat-pmp.js'
import * as pcp from './pcp.js'

const port = fc.integer({ min: 1, max: 65_535 })
const anyPort = fc.integer({ min: 0, max: 65_535 })
const number32 = fc.integer({ min: 0, max: 0xffff_ffff })
const ipv4 = fc.ipV4()
const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 })
const anyOctets = fc.uint8Array({ maxLength: 1200 })
/** Octets near the right ones: they get past the first checks. */
const nearly = (good: fc.Arbitrary<Uint8Array>) =>
  fc.tuple(good, fc.array(fc.tuple(fc.nat(1199), fc.nat(255)), { maxLength: 4 }), fc.nat(80)).map(([octets, changes, size]) => {
    const changed = Buffer.from(octets)
    for (const [at, value] of changes) if (at < changed.length) changed[at] = value
    return new Uint8Array(size < 70 ? changed : changed.subarray(0, size - 20))
  })

/** A PCP server of a few lines, as the oracle: answers a request as RFC 6887 §7.2 and §11.1 draw it. */
function pcpAnswer(
  request: Uint8Array,
  given: { epoch: number; lifetime: number; port: number; address: string; code?: number },
): Buffer {
  const answer = Buffer.from(request)
  answer[1]! |= 0x80
  answer[2] = 0
  answer[3] = given.code ?? 0
  answer.writeUInt32BE(given.lifetime, 4)
  answer.writeUInt32BE(given.epoch, 8)
  answer.fill(0, 12, 24)
  if (answer.length > 24) {
    answer.writeUInt16BE(given.port, 42)
    answer.set([...Array(10).fill(0), 255, 255, ...given.address.split('.').map(Number)], 44)
  }
  return answer
}

const pcpRequest = fc.record({
  clientAddress: ipv4,
  nonce,
  internalPort: port,
  suggestedPort: anyPort,
  suggestedAddress: ipv4,
  lifetime: number32,
})
const pcpGiven = fc.record({ epoch: number32, lifetime: number32, port: anyPort, address: ipv4 })

describe('PCP', () => {
  test('a request has the octets that RFC 6887 draws', () => {
    const octets = pcp.encodeMap({
      clientAddress: '192.168.1.2',
      nonce: Uint8Array.from({ length: 12 }, (_, n) => n + 1),
      internalPort: 10_288,
      suggestedPort: 0xc000,
      suggestedAddress: '0.0.0.0',
      lifetime: 7200,
    })
    expect(Buffer.from(octets).toString('hex')).toBe(
      '0201000000001c20' +
        '00000000000000000000ffffc0a80102' +
        '0102030405060708090a0b0c' +
        '06000000' +
        '2830c000' +
        '00000000000000000000ffff00000000',
    )
    expect(Buffer.from(pcp.encodeAnnounce('10.0.0.1')).toString('hex')).toBe(
      '0200000000000000' + '00000000000000000000ffff0a000001',
    )
  })

  test('what a server answers is read as it meant it', () => {
    fc.assert(
      fc.property(pcpRequest, pcpGiven, (request, { epoch, lifetime, port: externalPort, address }) => {
        const answer = pcpAnswer(pcp.encodeMap(request), { epoch, lifetime, port: externalPort, address })
        expect(pcp.decodeAnswer(answer, request)).toEqual({
          kind: 'mapped',
          epoch,
          lifetime,
          externalPort,
          externalAddress: address,
        })
        const alive = pcpAnswer(pcp.encodeAnnounce('10.0.0.1'), { epoch, lifetime: 0, port: 0, address })
        expect(pcp.decodeAnswer(alive, 'announce')).toEqual({ kind: 'alive', epoch })
        expect(pcp.decodeAnnouncement(alive)).toBe(epoch)
      }),
    )
  })

  test('an error is told by its name, and unknown ones by their number', () => {
    fc.assert(
      fc.property(pcpRequest, pcpGiven, fc.integer({ min: 1, max: 255 }), (request, given, code) => {
        const answer = pcpAnswer(pcp.encodeMap(request), { ...given, code })
        const { epoch, lifetime } = given
        const name = pcp.PCP_RESULTS[code] ?? `result ${code}`
        expect(pcp.decodeAnswer(answer, request)).toEqual({ kind: 'refused', code, name, lifetime, epoch })
      }),
    )
  })

  test('an answer with another nonce, port, protocol, opcode or version is ignored, so is an echo of the request', () => {
    fc.assert(
      fc.property(
        pcpRequest,
        pcpGiven,
        fc.constantFrom(0, 1, 25, 35, 36, 41),
        fc.integer({ min: 1, max: 255 }),
        (request, given, at, flip) => {
          const answer = pcpAnswer(pcp.encodeMap(request), given)
          answer[at]! ^= flip
          expect(pcp.decodeAnswer(answer, request).kind).toBe('ignored')
          expect(pcp.decodeAnswer(pcp.encodeMap(request), request).kind).toBe('ignored')
        },
      ),
    )
  })

  test('a server of another version is understood in that', () => {
    const answer = Buffer.alloc(24)
    answer.set([1, 0x81, 0, 1])
    expect(pcp.decodeAnswer(answer, { nonce: new Uint8Array(12), internalPort: 1 })).toMatchObject({ name: 'UNSUPP_VERSION' })
  })

  test('any octets end in a verdict', () => {
    const good = fc.tuple(pcpRequest, pcpGiven).map(([request, given]) => pcpAnswer(pcp.encodeMap(request), given))
    const question = { nonce: new Uint8Array(12), internalPort: 10_288 }
    fc.assert(
      fc.property(fc.oneof(anyOctets, nearly(good)), (octets) => {
        for (const asked of [question, 'announce'] as const)
          expect(['mapped', 'alive', 'refused', 'ignored']).toContain(pcp.decodeAnswer(octets, asked).kind)
        expect(pcp.decodeAnswer(octets, question).kind).not.toBe('alive')
        pcp.decodeAnnouncement(octets)
      }),
      { numRuns: 500 },
    )
  })
})

function natPmpAnswer(opcode: number, code: number, epoch: number, rest: readonly number[]): Buffer {
  const head = Buffer.alloc(8)
  head.set([0, 128 + opcode])
  head.writeUInt16BE(code, 2)
  head.writeUInt32BE(epoch, 4)
  return Buffer.concat([head, Buffer.from(rest)])
}
const two = (value: number) => [value >> 8, value & 255]
const four = (value: number) => [...two(value >>> 16), ...two(value & 0xffff)]

describe('NAT-PMP', () => {
  test('requests have the octets that RFC 6886 draws', () => {
    expect(Buffer.from(natPmp.encodeAddressRequest()).toString('hex')).toBe('0000')
    const octets = natPmp.encodeMapRequest({ internalPort: 10_288, suggestedPort: 0xc000, lifetime: 7200 })
    expect(Buffer.from(octets).toString('hex')).toBe('000200002830c00000001c20')
  })

  test('what a gateway answers is read as it meant it', () => {
    fc.assert(
      fc.property(port, anyPort, number32, number32, ipv4, (internalPort, externalPort, lifetime, epoch, externalAddress) => {
        const mapped = natPmpAnswer(2, 0, epoch, [...two(internalPort), ...two(externalPort), ...four(lifetime)])
        expect(natPmp.decodeAnswer(mapped, { internalPort })).toEqual({ kind: 'mapped', epoch, externalPort, lifetime })
        const address = natPmpAnswer(0, 0, epoch, externalAddress.split('.').map(Number))
        expect(natPmp.decodeAnswer(address, 'address')).toEqual({ kind: 'address', epoch, externalAddress })
        expect(natPmp.decodeAnnouncement(address)).toMatchObject({ epoch, externalAddress })
        // One is not the other, and a mapping of another port is somebody else's.
        expect(natPmp.decodeAnswer(mapped, 'address').kind).toBe('ignored')
        expect(natPmp.decodeAnswer(address, { internalPort }).kind).toBe('ignored')
        expect(natPmp.decodeAnswer(mapped, { internalPort: (internalPort % 65_535) + 1 }).kind).toBe('ignored')
      }),
    )
  })

  test('an error is told by its name, with or without more octets behind it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65_535 }), number32, fc.nat(8), (code, epoch, more) => {
        const answer = natPmpAnswer(2, code, epoch, Array(more).fill(7))
        const name = natPmp.NAT_PMP_RESULTS[code] ?? `result ${code}`
        expect(natPmp.decodeAnswer(answer, { internalPort: 1 })).toEqual({ kind: 'refused', code, name, epoch })
      }),
    )
  })

  test('a gateway that knows no PCP is recognised by its answer to it', () => {
    expect(natPmp.saysNatPmp(natPmpAnswer(1, 1, 5, []))).toBe(true)
    expect(natPmp.saysNatPmp(natPmpAnswer(1, 2, 5, []))).toBe(false)
    expect(natPmp.saysNatPmp(Buffer.alloc(60))).toBe(false)
  })

  test('any octets end in a verdict', () => {
    const good = fc
      .tuple(fc.constantFrom(0, 2), number32)
      .map(([op, epoch]) => natPmpAnswer(op, 0, epoch, Array(op === 0 ? 4 : 8).fill(1)))
    fc.assert(
      fc.property(fc.oneof(anyOctets, nearly(good)), (octets) => {
        for (const asked of ['address', { internalPort: 257 }] as const)
          expect(['address', 'mapped', 'refused', 'ignored']).toContain(natPmp.decodeAnswer(octets, asked).kind)
        natPmp.decodeAnnouncement(octets)
        natPmp.saysNatPmp(octets)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the clock of a router', () => {
  const at = (server: number, client: number): Epoch => ({ server, client })

  test('one that runs on has kept its mappings, though it runs a little fast or slow', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), fc.nat(100_000), (server, client, passed) => {
        for (const rate of [1, 0.97, 1.03]) {
          const now = at(server + Math.floor(passed * rate), client + passed)
          expect(isSamePcpEpoch(at(server, client), now)).toBe(true)
          expect(isSameNatPmpEpoch(at(server, client), now)).toBe(true)
        }
      }),
    )
  })

  test('one that begins again has lost them, however long that is ago', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 1_000_000 }), fc.integer({ min: 3, max: 3600 }), (server, passed) => {
        const now = at(0, 1000 + passed)
        expect(isSamePcpEpoch(at(server, 1000), now)).toBe(false)
        expect(isSameNatPmpEpoch(at(server, 1000), now)).toBe(false)
      }),
    )
  })

  test('the limits are those of the RFCs', () => {
    // §8.5: one second back may be packets that overtook each other.
    expect(isSamePcpEpoch(at(100, 50), at(99, 50))).toBe(true)
    expect(isSamePcpEpoch(at(100, 50), at(98, 50))).toBe(false)
    // 160 seconds of ours: the server's may be 148 (+2 -1/16) to 172.8.
    expect(isSamePcpEpoch(at(0, 0), at(148, 160))).toBe(true)
    expect(isSamePcpEpoch(at(0, 0), at(147, 160))).toBe(false)
    expect(isSamePcpEpoch(at(0, 0), at(172, 160))).toBe(true)
    expect(isSamePcpEpoch(at(0, 0), at(173, 160))).toBe(false)
    // RFC 6886 §3.6: seven eighths of 160, and two seconds.
    expect(isSameNatPmpEpoch(at(0, 0), at(138, 160))).toBe(true)
    expect(isSameNatPmpEpoch(at(0, 0), at(137, 160))).toBe(false)
    // The same the other way round, where ours stood still.
    expect(isSameNatPmpEpoch(at(0, 0), at(185, 160))).toBe(true)
    expect(isSameNatPmpEpoch(at(0, 0), at(186, 160))).toBe(false)
  })
})
