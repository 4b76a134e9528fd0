// Messages of channel 0 as elements, and what is wrong with those that are none: a request is answered, a reply ends the session (RFC 3080 §2.2.2.1).
import { ProtocolError, ReplyError } from '../errors.js'
import { type Element, ElementError } from '../wire/elements.js'
import { readElement } from '../wire/elements-lately.js'
import { type Headers, isBeepXml, isXml } from '../wire/entity.js'

/** What a MSG holds, or what is wrong with it. */
export function readRequest(body: Uint8Array, headers: Headers, maxOctets: number): Element | ElementError {
  if (!isXml(headers)) return new ElementError(500, 'a MSG on channel 0 is application/beep+xml')
  if (!isBeepXml(headers)) return new ElementError(504, 'a MSG on channel 0 is in UTF-8')
  try {
    return readElement(body, maxOctets)
  } catch (error) {
    if (error instanceof ElementError) return error
    throw error
  }
}

/** RFC 3080 §2.2.2.1: a poorly-formed reply on channel 0 ends the session. */
export function readReply(body: Uint8Array, headers: Headers, maxOctets: number): Element {
  const element = readRequest(body, headers, maxOctets)
  if (element instanceof ElementError) throw poor(element.message)
  return element
}

/** A reply that is none. */
export function poor(detail: string): ProtocolError {
  return new ProtocolError('rfc3080/2.2.2.1/poor-reply', detail)
}

/** Longer than `maxManagement`. */
export function tooLong(): ElementError {
  return new ElementError(500, 'the message is too long')
}

/** What an `<error>` says (§2.3.1.5). */
export function replyError(element: Extract<Element, { name: 'error' }>): ReplyError {
  return new ReplyError(element.code, element.text, { lang: element.lang })
}
