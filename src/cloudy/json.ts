// Strict JSON for what is signed: I-JSON (RFC 7493), so that no two readers can understand the same octets differently.
import { ObjectError } from './object-error.js'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** Deepest nesting of arrays and objects. */
export const MAX_JSON_DEPTH = 32

/** A string that does not end is a token, too: tried again from each quotation mark within, it would take a time that grows with the square. */
const TOKEN = /"(?:[^"\\]|\\.)*(?:"|\\?$)|[{}[\],:]|[^\s"{}[\],:]+/gsu
const NAME_FOLLOWS = /[ \t\r\n]*:/y

/**
 * Reads JSON from octets. Refused: what is not UTF-8 (a byte order mark too), a name that stands twice in an object, the name `__proto__`, nesting beyond 32, lone
 * surrogates even if escaped, numbers too large for a double.
 * @throws ObjectError `json`
 */
export function parseJson(octets: Uint8Array): Json {
  let text: string
  let value: Json
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets)
    checkDepth(text)
    value = JSON.parse(text) as Json
  } catch (cause) {
    throw cause instanceof ObjectError ? cause : new ObjectError('json', '', { cause })
  }
  checkTokens(text)
  return value
}

/** Before parsing, whatever the text is: brackets outside strings bound the nesting. */
function checkDepth(text: string): void {
  let depth = 0
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') depth += 1
    if (token === '}' || token === ']') depth -= 1
    if (depth > MAX_JSON_DEPTH) throw new ObjectError('json', 'it is nested too deeply')
  }
}

/** After parsing: the text is JSON, so a string before a colon is a name of the innermost object. */
function checkTokens(text: string): void {
  const names: Set<string>[] = []
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') names.push(new Set())
    else if (token === '}' || token === ']') names.pop()
    else if (token.startsWith('"')) {
      const string = JSON.parse(token) as string
      if (/\p{Cs}/u.test(string)) throw new ObjectError('json', 'a string has a lone surrogate')
      NAME_FOLLOWS.lastIndex = index + token.length
      if (!NAME_FOLLOWS.test(text)) continue
      if (names.at(-1)!.has(string)) throw new ObjectError('json', 'a name stands twice in an object')
      if (string === '__proto__') throw new ObjectError('json', 'a name is not allowed')
      names.at(-1)!.add(string)
    } else if (!Number.isFinite(Number(token)) && /\d/.test(token)) throw new ObjectError('json', 'a number is too large')
  }
}
