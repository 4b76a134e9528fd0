// The reply codes of RFC 3080 §8. Programs act on the code; its text is for people.

export const REPLY_CODES = {
  200: 'success',
  421: 'service not available',
  450: 'requested action not taken',
  451: 'requested action aborted',
  454: 'temporary authentication failure',
  500: 'general syntax error',
  501: 'syntax error in parameters',
  504: 'parameter not implemented',
  530: 'authentication required',
  534: 'authentication mechanism insufficient',
  535: 'authentication failure',
  537: 'action not authorised for user',
  538: 'authentication mechanism requires encryption',
  550: 'requested action not taken',
  553: 'parameter invalid',
  554: 'transaction failed',
} as const satisfies Record<number, string>

/** Whether `code` has the form that the DTD of RFC 3080 §7.1 asks for: three digits, the first 1 to 5. */
export function isReplyCode(code: number): boolean {
  return Number.isInteger(code) && code >= 100 && code <= 599
}
