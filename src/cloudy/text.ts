// The one way of text from the network (names, status, file names, diagnostics) to a terminal or a log.
// What comes out is one line, without anything that controls, hides, reorders or fakes.

/** Longest nickname, in characters (code points); also what RFC 5280 allows in a common name. */
export const MAX_NICKNAME = 64
/** Name of whoever gave none: the common name in a certificate may not be empty. */
export const NO_NICKNAME = 'unnamed'
/** Combining marks that may follow one character; no living script needs more. */
const MAX_MARKS = 4

/** Escape sequences of a terminal (ECMA-48): CSI, then strings such as OSC up to their end, then the short ones. What is left of others is harmless. */
const ESCAPE_SEQUENCE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]/g
/** Line breaks, tabs and every kind of space. */
const SPACE = /[\t\n\v\f\r\x85\p{Z}]+/gu
/** Controls; formatting (bidi, zero-width, tags); whatever else is ignored in display. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/gu
/** Lone surrogates, private use, not assigned. */
const MEANINGLESS = /[\p{Cs}\p{Co}\p{Cn}]/gu
/** Marks without a character to stand on would stand on ours. */
const LONE_MARKS = /(^|\s)\p{M}+/gu
const MANY_MARKS = new RegExp(`(\\p{M}{${MAX_MARKS}})\\p{M}+`, 'gu')
/** Everything that is a quotation mark or looks like one. */
const QUOTES =
  /[\p{Quotation_Mark}`´¨ˊˋ˝\u02b9-\u02bd\u02ee\u02f4-\u02f6\u05f3\u05f4\u1ffd\u1fef\u2032-\u2037\u2057\u3003\u275b-\u2760\u{1f676}-\u{1f678}]/gu

/**
 * Makes text from the network fit for a terminal or a log: normalised (NFC), one line, without control characters and escape sequences,
 * bidirectional controls, zero-width and other invisible characters; lone surrogates and characters without a meaning become U+FFFD;
 * spaces are joined, marks piled on one character are cut. `sanitise(sanitise(text)) === sanitise(text)`.
 * @param maxLength in characters (code points); what is longer ends in `…`
 */
export function sanitise(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  const clean = text
    .replace(ESCAPE_SEQUENCE, '')
    .replace(/\p{Cs}/gu, '\ufffd')
    .normalize('NFC')
    .replace(SPACE, ' ')
    .replace(INVISIBLE, '')
    .replace(MEANINGLESS, '\ufffd')
    .normalize('NFC')
    .replace(/ +/g, ' ')
    .replace(LONE_MARKS, '$1')
    .replace(MANY_MARKS, '$1')
    .replace(/ +/g, ' ')
    .trim()
  const characters = Array.from(clean)
  if (characters.length <= maxLength) return clean
  return maxLength < 1
    ? ''
    : `${characters
        .slice(0, maxLength - 1)
        .join('')
        .trimEnd()}…`
}

/** A name nobody has vouched for, “in quotes”. Quotation marks inside it become `'`, so that they neither end nor fake ours. */
export function inQuotes(name: string, maxLength = MAX_NICKNAME): string {
  return `“${sanitise(name, maxLength).replace(QUOTES, "'")}”`
}
