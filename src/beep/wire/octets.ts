// Octets in pieces.

const NOTHING = new Uint8Array(0)

/** The pieces as one; without a copy when there is one. */
export function join(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length <= 1) return pieces[0] ?? NOTHING
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}
