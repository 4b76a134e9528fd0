// What is believed of what a router says in UPnP: which answer to a search, which values of an action, which error. Nothing is thrown on what a stranger
// sends.

/** Longest value of an answer that is read, in characters. */
export const MAX_VALUE = 200

/**
 * Whether a datagram is an answer of the gateway to our search, about itself: any host on the link can answer, and would like to be the gateway. Its one
 * LOCATION is a description by HTTP at the gateway's own address.
 */
export function isGatewaysAnswer(datagram: string, from: string, gateway: string): boolean {
  if (from !== gateway) return false
  const locations = [...datagram.matchAll(/^[ \t]*location[ \t]*:(.*)$/gim)].map((match) => match[1]!.trim())
  const [location = ''] = locations
  if (locations.length !== 1 || !URL.canParse(location)) return false
  const { protocol, hostname, username, password } = new URL(location)
  return protocol === 'http:' && hostname === gateway && username === '' && password === ''
}

/** The texts in the answer to an action, by the names of their elements. @param body of the SOAP envelope, as xml2js makes it */
export function valuesOf(body: unknown, action: string): Record<string, string> {
  const element = `${action}Response`
  const answer = Object.entries(body ?? {}).find(([name]) => name === element || name.endsWith(`:${element}`))?.[1] as unknown
  if (typeof answer !== 'object' || answer === null) return {}
  const texts = Object.entries(answer).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(texts.slice(0, MAX_VALUES).map(([name, value]) => [name, value.slice(0, MAX_VALUE)]))
}
const MAX_VALUES = 16

/** The UPnP error code (UPnP Device Architecture §3.2.5) in the text of an answer, or undefined. */
export function errorCodeIn(answer: string): number | undefined {
  const code = /<errorCode>\s*(\d{1,4})\s*<\/errorCode>/.exec(answer)?.[1]
  return code === undefined ? undefined : Number(code)
}
