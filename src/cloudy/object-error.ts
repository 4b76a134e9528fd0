// Why something signed, or the key or certificate it came with, is not believed: one table of reasons, one error.

/** Each reason, and what it means. The id is stable: programs test it, the sentence is for people. */
export const REASONS = {
  oversized: 'it is larger than allowed',
  malformed: 'it is not what its place asks for: not DER, or another structure',
  'not-canonical': 'it is not in the one encoding that the profile allows',
  signers: 'it does not have exactly one signer',
  certificate: 'its certificate is not a self-signed X.509 v3 certificate as the profile asks for',
  'key-algorithm': 'the public key is neither on P-256 nor RSA',
  'key-curve': 'the public key is on another curve than P-256',
  'key-point': 'the public key is not an uncompressed point on the curve',
  'key-modulus': 'the modulus of the RSA key does not have 2048 to 4096 bits, or is even',
  'key-exponent': 'the exponent of the RSA key is not 65537',
  'key-parameters': 'the parameters of the RSA key are not NULL',
  'key-encoding': 'the public key is not in its one encoding, or octets follow it',
  key: 'it was signed with another key',
  signature: 'the signature does not hold',
  json: 'its content is not strict JSON',
  envelope: 'its envelope lacks a member, has one too many, or one of the wrong kind',
  type: 'it is of another type',
  lifetime: 'it expires before it is issued, or lives longer than allowed',
  'from-future': 'it is issued in the future',
  expired: 'it has expired',
  recipient: 'it is addressed to somebody else',
  card: 'it is not a calling card',
  statement: 'it is not a succession or a revocation of a key',
  replayed: 'a newer card of the same key has been seen',
  unasked: 'the peer tells what nobody asked for',
} as const satisfies Record<string, string>

export type ObjectReason = keyof typeof REASONS

/** A signed object, a card, a certificate or a public key that is not believed. Test `reason`. */
export class ObjectError extends Error {
  override readonly name = 'ObjectError'
  readonly code = 'CLOUDY_ERR_OBJECT'
  readonly reason: ObjectReason

  /** @param detail our own words: never text from the network */
  constructor(reason: ObjectReason, detail = '', options: { cause?: unknown } = {}) {
    super(
      detail === '' ? REASONS[reason] : `${REASONS[reason]}: ${detail}`,
      options.cause === undefined ? {} : { cause: options.cause },
    )
    this.reason = reason
  }
}
