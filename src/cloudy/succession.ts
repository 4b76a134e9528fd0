// What the owner of a key says of the key itself: that another takes its place, or that it is not to be trusted any more. Signed objects as all
// others, verifiable with any CMS tool after they were passed on, and valid to the end of the year 9999: a key does not recover.
//
// A succession takes both keys. The old key has to sign it: otherwise anybody could take anybody's place. The new key has to have agreed before,
// in an acceptance that names the old one: otherwise somebody could declare that their key goes on as the key of another person, and have
// what that person says taken for their own words. The acceptance rides inside the succession, so that the statement is whole, and it is good
// for that one predecessor only. Neither alone means anything, and the order of the two signatures leaves nothing to copy: whoever puts a
// foreign acceptance into a succession of their own fails, since it names another predecessor.
//
// A thief of the key can sign, too. Therefore a revocation is final and beats any succession, whatever dates they bear, since dates can be
// written as one likes: whoever was led on to a thief's key is led back. And therefore two successors of one key are no succession at all: one
// of them may be the thief's. People then have to compare words again, which is right.
//
// What time a revocation gives is information for people. Nothing signed with the key is believed for being older than that: the thief
// chooses the date.
import { type Fingerprint, isFingerprint } from './fingerprint.js'
import type { Json } from './json.js'
import { ObjectError } from './object-error.js'
import { isObject, LAST_SECOND, readObject, type SignedObject, type Signer, signObject, toSeconds } from './signed-object.js'

export const ACCEPTANCE_TYPE = 'cloudy/acceptance'
export const SUCCESSION_TYPE = 'cloudy/succession'
export const REVOCATION_TYPE = 'cloudy/revocation'

/** Largest statement, in octets: it carries two certificates, one of them in an acceptance in base64. On P-256 it takes some 2,000. */
export const MAX_STATEMENT = 32_768
const MAX_ACCEPTANCE = 16_384

/** `key` goes on as `successor`. */
export interface Succession {
  readonly kind: 'succession'
  readonly key: Fingerprint
  readonly successor: Fingerprint
}

/** `key` is compromised. */
export interface Revocation {
  readonly kind: 'revocation'
  readonly key: Fingerprint
  /** Since when, in seconds since 1970, as its owner says; 0 when the owner does not know. */
  readonly since: number
}

export type KeyChange = Succession | Revocation

/** A verified statement. */
export type KeyStatement =
  | (Succession & { readonly successorKeyDer: Uint8Array; readonly object: SignedObject })
  | (Revocation & { readonly object: SignedObject })

interface Options {
  readonly now: Date | number
}

/** The new key agrees to take the place of the old one. What comes out goes to the owner of the old key, into `succeed`. */
export async function acceptSuccession(successor: Signer, predecessor: Fingerprint, options: Options): Promise<SignedObject> {
  if (!isFingerprint(predecessor) || predecessor === successor.publicKey.fingerprint)
    throw new RangeError('The predecessor is named by its fingerprint, and is another key')
  return signForEver(successor, ACCEPTANCE_TYPE, { predecessor }, options)
}

/**
 * The old key names the one that takes its place.
 * @param acceptance what `acceptSuccession` of the new key made
 * @throws ObjectError when the acceptance is not one, or is for another key
 */
export async function succeed(predecessor: Signer, acceptance: Uint8Array, options: Options): Promise<SignedObject> {
  const { claimed, prove } = readAcceptance(acceptance, predecessor.publicKey.fingerprint, options)
  prove()
  const value = { successor: claimed.signer.fingerprint, acceptance: Buffer.from(acceptance).toString('base64') }
  return signForEver(predecessor, SUCCESSION_TYPE, value, options)
}

/**
 * The owner declares the key compromised. It may be made beforehand and kept in a safe place, for the day on which the key is lost; whoever
 * has it can end the key.
 * @param options.since since when; without it the owner does not know
 * @throws RangeError when `since` is in the future
 */
export async function revoke(
  signer: Signer,
  options: Options & { readonly since?: Date | number | undefined },
): Promise<SignedObject> {
  const since = options.since === undefined ? 0 : toSeconds(options.since)
  if (since > toSeconds(options.now)) throw new RangeError('A key has been compromised in the past, or is not yet')
  return signForEver(signer, REVOCATION_TYPE, { since }, options)
}

/** Whether objects of this type are for `verifyKeyStatement`. */
export function isKeyStatement(type: string): boolean {
  return type === SUCCESSION_TYPE || type === REVOCATION_TYPE
}

/**
 * Believes a succession or a revocation, or throws. The contents are looked at before any signature is.
 * @throws ObjectError with the reason
 */
export function verifyKeyStatement(octets: Uint8Array, { now }: Options): KeyStatement {
  const { claimed, prove } = readObject(octets, { now, maxSize: MAX_STATEMENT })
  const { type, to, signer, value, issued } = claimed
  if (!isKeyStatement(type)) throw new ObjectError('type')
  if (to !== undefined || signer.certificate === undefined)
    throw new ObjectError('statement', 'it is for everybody, with a certificate')
  const key = signer.fingerprint
  if (type === REVOCATION_TYPE) {
    const { since } = members(value, 'since')
    if (typeof since !== 'number' || !Number.isInteger(since) || since < 0 || since > issued)
      throw new ObjectError('statement', 'since')
    prove()
    return { kind: 'revocation', key, since, object: claimed }
  }
  const { successor, acceptance } = members(value, 'successor', 'acceptance')
  if (typeof acceptance !== 'string' || acceptance.length > 2 * MAX_ACCEPTANCE) throw new ObjectError('statement', 'acceptance')
  const accepted = readAcceptance(Buffer.from(acceptance, 'base64'), key, { now })
  if (Buffer.from(accepted.claimed.octets).toString('base64') !== acceptance) throw new ObjectError('statement', 'acceptance')
  const { fingerprint, publicKeyDer: successorKeyDer } = accepted.claimed.signer
  if (successor !== fingerprint) throw new ObjectError('statement', 'another key has accepted')
  prove()
  accepted.prove()
  return { kind: 'succession', key, successor: fingerprint, successorKeyDer, object: claimed }
}

function readAcceptance(octets: Uint8Array, predecessor: Fingerprint, { now }: Options): ReturnType<typeof readObject> {
  const read = readObject(octets, { now, maxSize: MAX_ACCEPTANCE, type: ACCEPTANCE_TYPE })
  const { to, signer, value } = read.claimed
  if (to !== undefined || signer.certificate === undefined) throw new ObjectError('statement', 'acceptance')
  if (members(value, 'predecessor').predecessor !== predecessor || signer.fingerprint === predecessor)
    throw new ObjectError('statement', 'the acceptance is for another key')
  return read
}

/** The members of a value that has these and no others. */
function members<Name extends string>(value: Json, ...names: Name[]): { readonly [name in Name]: Json } {
  if (!isObject(value) || Object.keys(value).length !== names.length || !names.every((name) => Object.hasOwn(value, name)))
    throw new ObjectError('statement', 'its members')
  return value as { readonly [name in Name]: Json }
}

function signForEver(signer: Signer, type: string, value: Json, { now }: Options): Promise<SignedObject> {
  return signObject(signer, { type, issued: toSeconds(now), expires: LAST_SECOND, value })
}
