// What a message holds, as the judge reads it: the body behind its entity headers, and on channel 0 the element in it.
import type { Buffer } from 'node:buffer'
import { show } from './connection.js'
import { type Element, parseElement } from './element.js'
import { Failure } from './failure.js'

/** The body of a payload, behind entity headers and the empty line. */
export function bodyOf(payload: Buffer): Buffer {
  if (payload.subarray(0, 2).toString('latin1') === '\r\n') return payload.subarray(2)
  const at = payload.indexOf('\r\n\r\n')
  return at === -1 ? payload : payload.subarray(at + 4)
}

/** The element of a message on channel 0. @throws Failure when there is none */
export function elementOf(payload: Buffer): Element {
  const body = bodyOf(payload)
  try {
    return parseElement(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw new Failure(`what came on channel 0 is not XML (${(error as Error).message.split('\n')[0]}): ${show(payload)}`)
  }
}
