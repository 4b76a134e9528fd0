// A calling card as the TXT record of its service: the card's DER cut into binary strings `c0=…`, `c1=…` and put together again.
// Nothing is verified here: what comes out is as little to be trusted as what came in.

/** Longest string of a TXT record, key and `=` included: its length stands in one octet (RFC 6763 §6.1). */
export const MAX_TXT_STRING = 255
/** Most octets of all strings, each with its length octet: RFC 6763 §6.2 asks to stay below 1300, so that it fits one Ethernet packet. */
export const MAX_TXT = 1299
/** Octets that `cN=` takes from each string; N has one digit, since six strings fill the record. */
const KEY = 3
const PIECE = MAX_TXT_STRING - KEY
/** Octets that a string costs beside its piece: the length octet and the key. */
const OVERHEAD = 1 + KEY
/** Largest card that fits, 1275 octets: a P-256 or RSA-2048 card does, an RSA-3072 card does not. */
export const MAX_CARD = MAX_TXT - Math.ceil(MAX_TXT / (MAX_TXT_STRING + 1)) * OVERHEAD

/**
 * Cuts a card into the strings of its TXT record.
 * @throws RangeError when the card is empty or does not fit
 */
export function cardToTxt(der: Uint8Array): Buffer[] {
  if (der.length === 0) throw new RangeError('A card without octets cannot be advertised')
  if (der.length > MAX_CARD)
    throw new RangeError(`A card of ${der.length} octets does not fit a TXT record, which has room for ${MAX_CARD}`)
  const strings: Buffer[] = []
  for (let at = 0; at < der.length; at += PIECE)
    strings.push(Buffer.concat([Buffer.from(`c${strings.length}=`, 'latin1'), der.subarray(at, at + PIECE)]))
  return strings
}

/**
 * Puts the card of a TXT record together; the result is a copy. Keys are compared without regard to case, the strings may come in any order,
 * and strings with other keys, or without a key, are ignored (RFC 6763 §6.4). Everything else must be as `cardToTxt` makes it:
 * of a card with a gap or a doubtful piece no signature could hold, so none is returned.
 * @throws Error with the reason, which is made of our own words and numbers alone
 */
export function cardFromTxt(strings: readonly Uint8Array[]): Uint8Array {
  let total = 0
  for (const string of strings) {
    if (string.length > MAX_TXT_STRING) throw new Error(`a string of the TXT record has ${string.length} octets`)
    total += 1 + string.length
    if (total > MAX_TXT) throw new Error(`the TXT record has more than ${MAX_TXT} octets`)
  }
  const pieces = new Map<number, Uint8Array>()
  for (const string of strings) {
    const number = pieceNumber(string)
    if (number === undefined) continue
    if (pieces.has(number)) throw new Error(`c${number} stands twice in the TXT record`)
    pieces.set(number, pieceOf(string, number))
  }
  if (pieces.size === 0) throw new Error('the TXT record has no card')
  const ordered = Array.from({ length: pieces.size }, (_, number) => {
    const piece = pieces.get(number)
    if (piece === undefined) throw new Error(`c${number} is missing from the TXT record`)
    return piece
  })
  return new Uint8Array(Buffer.concat(ordered))
}

/** N of a string whose key is `cN`, undefined for any other string. A number with a leading zero names no piece. */
function pieceNumber(string: Uint8Array): number | undefined {
  const equals = string.indexOf(0x3d)
  const key = Buffer.from(string.subarray(0, equals === -1 ? string.length : equals)).toString('latin1')
  const digits = /^c(0|[1-9]\d{0,3})$/i.exec(key)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

function pieceOf(string: Uint8Array, number: number): Uint8Array {
  const equals = string.indexOf(0x3d)
  if (equals === -1) throw new Error(`c${number} of the TXT record has no value`)
  if (equals === string.length - 1) throw new Error(`c${number} of the TXT record is empty`)
  return string.subarray(equals + 1)
}
