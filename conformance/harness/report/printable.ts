// Text that may hold what a target said, made fit for a terminal or a log: nothing in it can move the cursor, colour, hide or turn around.

/** Control and format characters (bidi marks among them), unassigned ones, lone surrogates and odd separators become escapes. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (each) => {
    const code = each.codePointAt(0)!
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}
