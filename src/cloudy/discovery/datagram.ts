// A look at a datagram before it is decoded: whether that is worth its time. Names in DNS refer to each other, so that 9000 octets can say 79,000
// labels, and the decoder needs 35 ms for them; here they are counted, in a fraction of that.

/** Largest datagram read (RFC 6762 §17). */
export const MAX_DATAGRAM = 9000
/** Most questions and records of one datagram, together. */
export const MAX_RECORDS = 512
/** Most labels of all names of one datagram. Names of services have four or five, those of IPv6 addresses 34. */
export const MAX_LABELS = 2048
/** Most labels of one name: 127 of one octet fill it (RFC 1035 §2.3.4). */
const MAX_NAME_LABELS = 127

/** Where a name begins in the data of a record, by type: CNAME, PTR, SRV, DNAME, NSEC. */
const NAME_AT: ReadonlyMap<number, number> = new Map([
  [5, 0],
  [12, 0],
  [33, 6],
  [39, 0],
  [47, 0],
])
/** Types of which the decoder reads names too, and which have no place on the link: NS, SOA, MX, RP, NAPTR, RRSIG. */
const STRANGE: ReadonlySet<number> = new Set([2, 6, 15, 17, 35, 46])

/** Whether a datagram can be decoded in little time. Whether it is DNS in all respects is for the decoder to say. */
export function isCheap(datagram: Uint8Array): boolean {
  if (datagram.length < 12 || datagram.length > MAX_DATAGRAM) return false
  const octets = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length)
  const questions = octets.readUInt16BE(4)
  const records = octets.readUInt16BE(6) + octets.readUInt16BE(8) + octets.readUInt16BE(10)
  if (questions + records > MAX_RECORDS) return false
  let labels = MAX_LABELS
  /** Passes over a name. @returns where it ends, or -1 */
  const pass = (start: number): number => {
    let at = start
    let end = -1
    for (let count = 0; count <= MAX_NAME_LABELS; count++) {
      const length = octets[at]
      if (length === undefined || labels-- === 0) return -1
      if (length === 0) return end === -1 ? at + 1 : end
      if (length < 0x40) at += 1 + length
      else {
        const low = octets[at + 1]
        if (length < 0xc0 || low === undefined) return -1
        if (end === -1) end = at + 2
        at = (length - 0xc0) * 256 + low
      }
    }
    return -1
  }
  let at = 12
  for (let n = 0; n < questions; n++) {
    at = pass(at)
    if (at === -1 || at + 4 > octets.length) return false
    at += 4
  }
  for (let n = 0; n < records; n++) {
    at = pass(at)
    if (at === -1 || at + 10 > octets.length) return false
    const type = octets.readUInt16BE(at)
    const size = octets.readUInt16BE(at + 8)
    at += 10
    if (at + size > octets.length || STRANGE.has(type)) return false
    const name = NAME_AT.get(type)
    if (name !== undefined && (name >= size || pass(at + name) === -1)) return false
    at += size
  }
  return true
}
