// Text as a QR code in a terminal. The only file that imports `qr`.
import encodeQR from 'qr'

/** Modules of quiet zone on each side (ISO/IEC 18004 §6.3.8). */
const QUIET = 4
/** Black on white by their numbers in the colour cube, which no theme changes. */
const BLACK_ON_WHITE = '\x1b[38;5;16;48;5;231m'
const PLAIN = '\x1b[0m'
/** Two modules, one above the other, in a character: which of them are drawn. */
const BLOCKS = [' ', '▄', '▀', '█'] as const

export interface QrOptions {
  /** Escape sequences make it black on white. Without them the terminal is taken to be light on dark, as most are; cameras of today read the other, too. */
  readonly colours: boolean
}

/** The lines of a QR code of `text`, which is smallest in capital letters, digits and hyphens. */
export function qrLines(text: string, { colours }: QrOptions): string[] {
  const rows = encodeQR(text, 'raw', { ecc: 'low', border: QUIET })
  const drawn = (row: readonly boolean[] | undefined, column: number) => (row?.[column] ?? false) === colours
  return Array.from({ length: Math.ceil(rows.length / 2) }, (_, pair) => {
    const [upper, lower] = [rows[2 * pair]!, rows[2 * pair + 1]]
    const line = upper.map(
      (_, column) => BLOCKS[((drawn(upper, column) ? 2 : 0) + (drawn(lower, column) ? 1 : 0)) as 0 | 1 | 2 | 3],
    )
    return colours ? `${BLACK_ON_WHITE}${line.join('')}${PLAIN}` : line.join('')
  })
}
