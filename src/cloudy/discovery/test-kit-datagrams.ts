// Datagrams of multicast DNS for tests, written octet by octet: they owe nothing to the code under test.

export interface Announced {
  readonly instance: string
  readonly txt: readonly Uint8Array[]
  readonly ttl?: number
  readonly host?: string
  readonly port?: number
  /** IPv4 addresses of the host. */
  readonly addresses?: readonly string[]
}

const label = (text: string) => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)])
const nameOf = (...labels: string[]) => Buffer.concat([...labels.map(label), Buffer.of(0)])
const TYPE = ['_cloudy', '_tcp', 'local'] as const

/** A record of class IN. */
export function record(name: Uint8Array, type: number, ttl: number, data: Uint8Array): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(ttl, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([name, fixed, data])
}

/** A response. */
export function response(...records: Uint8Array[]): Buffer {
  const header = Buffer.from('000084000000000000000000', 'hex')
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, ...records])
}

/** Only the name of a service. */
export function pointer(instance: string, ttl = 120): Buffer {
  return record(nameOf(...TYPE), 12, ttl, nameOf(instance, ...TYPE))
}

/** Everything about a service, in one response. */
export function announcement({ instance, txt, ttl = 120, host = 'stranger', port = 1, addresses = [] }: Announced): Buffer {
  const name = nameOf(instance, ...TYPE)
  const target = nameOf(host.replace(/\.local$/, ''), 'local')
  const place = Buffer.alloc(6)
  place.writeUInt16BE(port, 4)
  return response(
    pointer(instance, ttl),
    record(name, 33, ttl, Buffer.concat([place, target])),
    record(name, 16, ttl, Buffer.concat(txt.map((string) => Buffer.concat([Buffer.of(string.length), string])))),
    ...addresses.map((address) => record(target, 1, ttl, Buffer.from(address.split('.').map(Number)))),
  )
}

/** A query that asks for services, so often. */
export function question(times: number): Buffer {
  const header = Buffer.from('000000000000000000000000', 'hex')
  header.writeUInt16BE(times, 4)
  const ending = Buffer.from('000c0001', 'hex')
  const again = Buffer.concat([Buffer.from([0xc0, header.length]), ending])
  return Buffer.concat([header, nameOf(...TYPE), ending, ...Array.from({ length: times - 1 }, () => again)])
}
