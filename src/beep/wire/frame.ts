// Frames as values: the header of a data frame (RFC 3080 §2.2.1) and the SEQ frame (RFC 3081 §3.1.3).

/** How a data frame's header begins, in upper case. */
export type Keyword = 'MSG' | 'RPY' | 'ERR' | 'ANS' | 'NUL'

/** The header of a data frame. */
export interface DataHeader {
  readonly keyword: Keyword
  /** 0..2147483647 */
  readonly channel: number
  /** 0..2147483647 */
  readonly msgno: number
  /** `*`: at least one more frame of this message follows. */
  readonly more: boolean
  /** 0..4294967295: the number of the first payload octet on this channel. */
  readonly seqno: number
  /** 0..2147483647: the exact count of payload octets. */
  readonly size: number
  /** Of an ANS, 0..4294967295; 0 elsewhere. */
  readonly ansno: number
}

/** The SEQ frame: what the peer may send on a channel. */
export interface SeqFrame {
  readonly channel: number
  /** The next sequence number that the sender of the SEQ expects. */
  readonly ackno: number
  /** Octets, counted from `ackno`, that may be sent. */
  readonly window: number
}

/** The header as text, without its CRLF; for diagnostics and for whoever wants frames as strings. */
export function formatHeader(header: DataHeader): string {
  const { keyword, channel, msgno, more, seqno, size, ansno } = header
  return `${keyword} ${channel} ${msgno} ${more ? '*' : '.'} ${seqno} ${size}${keyword === 'ANS' ? ` ${ansno}` : ''}`
}
