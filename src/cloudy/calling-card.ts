// The calling card: what a peer broadcasts to say that it is online, where, and in which state. A signed object that carries the key
// instead of a certificate, so small that it fits the TXT record of its service.
import { isIP } from 'node:net'
import { MAX_CARD } from './discovery/txt-record.js'
import type { Fingerprint } from './fingerprint.js'
import type { Json } from './json.js'
import { ObjectError } from './object-error.js'
import { isPort } from './reachability/address.js'
import { isObject, readObject, type Signer, signObject, toSeconds } from './signed-object.js'
import { MAX_NICKNAME, sanitise } from './text.js'

export const CARD_TYPE = 'cloudy/card'
/** A card lives ten minutes and is renewed at half of that, in seconds: whoever vanishes is gone soon. */
export const CARD_LIFETIME = 600
export const CARD_RENEWAL = CARD_LIFETIME / 2
/** Longest status text, in characters (code points). */
export const MAX_STATUS = 140
export const MAX_CARD_ADDRESSES = 8
/** Code of the error when no card of a key fits. */
export const KEY_TOO_LARGE = 'CLOUDY_ERR_KEY_TOO_LARGE'
const MAX_HOST = 253
/** Longest address as a text: an IPv6 address that ends in an IPv4 address. */
const MAX_ADDRESS = 45

/** The state in which somebody is online. */
export const AVAILABILITIES = ['available', 'away', 'busy'] as const
export type Availability = (typeof AVAILABILITIES)[number]

/** What an owner says in a card. */
export interface CardFields {
  readonly nickname: string
  /** DNS name of the host, such as `host.local`. */
  readonly host: string
  readonly port: number
  /** IP addresses without zone ids: those are the receiver's to add. */
  readonly addresses?: readonly string[]
  /** Where a router lets the world in, when it does. It may change. */
  readonly external?: { readonly address: string; readonly port: number } | undefined
  readonly availability: Availability
  readonly status?: string
  /** Grows with every card of the key that says something new. */
  readonly sequence: number
}

/** A verified card. The texts are sanitised; nothing in it proves that its owner is there: only TLS does. */
export interface CallingCard extends Required<Omit<CardFields, 'external'>> {
  readonly external?: CardFields['external']
  readonly fingerprint: Fingerprint
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array
  /** Seconds since 1970. */
  readonly issued: number
  readonly expires: number
  /** As of every signed object: equal digests are equal cards. */
  readonly digest: string
}

/**
 * Signs a card that lives ten minutes from `now` on; its DER is what goes into TXT.
 * @throws RangeError when a field is out of its bounds, or the card does not fit: long texts do not together with an RSA-2048 key; code
 *   `CLOUDY_ERR_KEY_TOO_LARGE` when no card of this key does
 */
export async function signCard(signer: Signer, fields: CardFields, options: { now: Date | number }): Promise<Uint8Array> {
  const { nickname, host, port, addresses = [], external, availability, status = '', sequence } = fields
  const value = {
    nickname: sanitise(nickname, MAX_NICKNAME),
    host,
    port,
    addresses,
    ...(external === undefined ? {} : { external }),
    availability,
    status: sanitise(status, MAX_STATUS),
    sequence,
  }
  const wrong = wrongField(value)
  if (wrong !== undefined) throw new RangeError(`The ${wrong} of the card is not one`)
  const issued = toSeconds(options.now)
  const { octets } = await signObject(signer, { type: CARD_TYPE, issued, expires: issued + CARD_LIFETIME, value }, 'key')
  if (octets.length > MAX_CARD) throw tooLarge(signer, octets.length)
  return octets
}

/**
 * Believes a card, or throws.
 * @param options.lastSequence the highest sequence number seen from the card's key, if any; where it depends on the key, compare `sequence` afterwards
 * @throws ObjectError with the reason
 */
export function verifyCard(der: Uint8Array, options: { now: Date | number; lastSequence?: number | undefined }): CallingCard {
  const { now, lastSequence } = options
  const { claimed, prove } = readObject(der, { now, maxSize: MAX_CARD, maxLifetime: CARD_LIFETIME, type: CARD_TYPE })
  const { signer, issued, expires, digest, value } = claimed
  if (signer.certificate !== undefined) throw new ObjectError('card', 'it carries a certificate')
  if (claimed.to !== undefined) throw new ObjectError('card', 'it is addressed')
  const fields = readFields(value)
  if (lastSequence !== undefined && fields.sequence < lastSequence)
    throw new ObjectError('replayed', `number ${fields.sequence} after ${lastSequence}`)
  prove()
  return { ...fields, fingerprint: signer.fingerprint, publicKeyDer: signer.publicKeyDer, issued, expires, digest }
}

type Fields = Required<Omit<CardFields, 'external'>> & Pick<CardFields, 'external'>

function readFields(value: Json): Fields {
  const wrong = wrongField(value)
  if (wrong !== undefined) throw new ObjectError('card', wrong)
  const { nickname, host, port, addresses, external, availability, status, sequence } = value as unknown as Fields
  return {
    nickname: sanitise(nickname, MAX_NICKNAME),
    host,
    port,
    addresses: [...addresses],
    ...(external === undefined ? {} : { external: { address: external.address, port: external.port } }),
    availability,
    status: sanitise(status, MAX_STATUS),
    sequence,
  }
}

const FIELDS: { readonly [name in keyof Fields]-?: (value: Json | undefined) => boolean } = {
  nickname: (value) => isText(value, MAX_NICKNAME),
  host: (value) => typeof value === 'string' && value.length <= MAX_HOST && HOST.test(value),
  port: isPort,
  addresses: (value) => Array.isArray(value) && value.length <= MAX_CARD_ADDRESSES && value.every(isAddress),
  external: (value) => value === undefined || isExternal(value),
  availability: (value) => AVAILABILITIES.some((known) => known === value),
  status: (value) => isText(value, MAX_STATUS),
  sequence: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
}
const HOST = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i

/** The first field that is missing, out of its bounds or unknown. */
function wrongField(value: Json): string | undefined {
  if (!isObject(value)) return 'value'
  for (const [name, isRight] of Object.entries(FIELDS)) if (!isRight(value[name])) return name
  return Object.keys(value).every((name) => Object.hasOwn(FIELDS, name)) ? undefined : 'set of members'
}

function isText(value: Json | undefined, maxLength: number): boolean {
  return typeof value === 'string' && value.length <= 2 * maxLength && Array.from(value).length <= maxLength
}

function isAddress(value: Json | undefined): boolean {
  return typeof value === 'string' && value.length <= MAX_ADDRESS && !value.includes('%') && isIP(value) !== 0
}

function isExternal(value: Json): boolean {
  return isObject(value) && isAddress(value.address) && isPort(value.port) && Object.keys(value).length === 2
}

/** Whether cards of a key fit: with a larger one, the key and the signature take the room. */
export function isCardKey({ algorithm, bits }: Signer['publicKey']): boolean {
  return algorithm !== 'RSA' || bits <= 2048
}

function tooLarge({ publicKey }: Signer, length: number): RangeError {
  const room = `The card has ${length} octets, and a TXT record has room for ${MAX_CARD}`
  if (!isCardKey(publicKey)) {
    const why = `an identity with an RSA key of ${publicKey.bits} bits cannot be advertised, one on P-256 or with 2048 bits can`
    return Object.assign(new RangeError(`${room}: ${why}`), { code: KEY_TOO_LARGE })
  }
  const texts = `${room}: shorten the status or the nickname, or give fewer addresses`
  return new RangeError(publicKey.algorithm === 'RSA' ? `${texts}; with an identity on P-256 there is more room` : texts)
}
