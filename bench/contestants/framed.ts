// Messages on a bare stream: a length of four octets before each.

/** Octets of the length. */
export const LENGTH = 4

/** A message with its length before it. */
export function framed(message: Uint8Array): Buffer {
  const length = Buffer.alloc(LENGTH)
  length.writeUInt32BE(message.length)
  return Buffer.concat([length, message])
}
