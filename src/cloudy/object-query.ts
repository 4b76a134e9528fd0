// What is asked of objects: which type, whose, since when. The form in which it travels, and the order in which objects are told.
import { isFingerprint } from './fingerprint.js'
import { type Json, parseJson } from './json.js'
import { ObjectError } from './object-error.js'
import { isObject, type SignedObject } from './signed-object.js'

/** Largest query, in octets. */
export const MAX_QUERY = 4096

/** Objects that have all of this. */
export interface ObjectQuery {
  /** Exactly this type. */
  readonly type?: string | undefined
  /** Fingerprint of who signed it. */
  readonly signer?: string | undefined
  /** Issued then or later: seconds since 1970. */
  readonly since?: number | undefined
  /** Of those issued exactly at `since` only the ones whose digest is greater: how a query goes on where the last one stopped. */
  readonly after?: string | undefined
}

/** What a query looks at. */
export interface Queryable extends Pick<SignedObject, 'type' | 'issued' | 'digest'> {
  /** Fingerprint of the signer. */
  readonly signer: string
}

/** Whether the object is asked for. */
export function matches(query: ObjectQuery, object: Queryable): boolean {
  const { type, signer, since = 0, after = '' } = query
  if (type !== undefined && object.type !== type) return false
  if (signer !== undefined && object.signer !== signer) return false
  return object.issued > since || (object.issued === since && object.digest > after)
}

/** The order in which a query is answered: by time of issue, then by digest. Negative when `a` comes first. */
export function inOrder(a: Pick<Queryable, 'issued' | 'digest'>, b: Pick<Queryable, 'issued' | 'digest'>): number {
  if (a.issued !== b.issued) return a.issued - b.issued
  return a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0
}

export function formatQuery(query: ObjectQuery, live: boolean): string {
  const { type, signer, since, after } = query
  return JSON.stringify({ type, signer, since, after, ...(live ? { live } : {}) })
}

const MEMBERS: { readonly [member: string]: (value: Json) => boolean } = {
  type: (value) => typeof value === 'string' && value.length <= 64,
  signer: (value) => typeof value === 'string' && isFingerprint(value),
  since: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  after: (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  live: (value) => typeof value === 'boolean',
}

/**
 * Reads a query, and whether it is for what is to come.
 * @throws ObjectError `json`; RangeError that says which member is wrong
 */
export function readQuery(octets: Uint8Array): { readonly query: ObjectQuery; readonly live: boolean } {
  const json = parseJson(octets)
  if (!isObject(json)) throw new ObjectError('json', 'it is not an object')
  for (const [name, value] of Object.entries(json)) {
    const isRight = Object.hasOwn(MEMBERS, name) ? MEMBERS[name] : undefined
    if (isRight === undefined) throw new RangeError('a query has type, signer, since, after and live, and no other member')
    if (!isRight(value)) throw new RangeError(`${name} is not one`)
  }
  const { live = false, ...query } = json as ObjectQuery & { readonly live?: boolean }
  if (query.after !== undefined && (live || query.since === undefined))
    throw new RangeError('after goes together with since, and not with live')
  return { query, live }
}
