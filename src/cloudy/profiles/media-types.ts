// What the messages of Cloudy's profiles are labelled with.
import { mediaType, parameter } from '../../beep/wire/entity.js'

/** A signed object (RFC 8551 §3.2). */
export const SIGNED_DATA = 'application/pkcs7-mime; smime-type=signed-data'
/** A certificate, DER (RFC 5280 §4.2.2.1, RFC 2585 §4). */
export const CERTIFICATE = 'application/pkix-cert'
/** Questions, and notes among answers (RFC 8259). */
export const JSON_TEXT = 'application/json'
/** The octets of a file. */
export const OCTETS = 'application/octet-stream'

/** Whether a Content-Type is of this type, whatever its parameters. */
export function isOfType(contentType: string, type: string): boolean {
  return mediaType(contentType) === type
}

export function isSignedData(contentType: string): boolean {
  return isOfType(contentType, 'application/pkcs7-mime') && parameter(contentType, 'smime-type')?.toLowerCase() === 'signed-data'
}
