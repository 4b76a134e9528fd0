// The file of an address book: what was typed, and what worked. Several processes may have one, so each change goes into what the file says by then.
import { type Fingerprint, isFingerprint } from './fingerprint.js'
import type { Json } from './json.js'
import { readJsonFile, updateJsonFile } from './json-file.js'
import { byWorth, isHost, isKept, type KnownAddress, keyed, keyOf, MAX_ADDRESSES, MAX_PEOPLE, SOURCES } from './known-address.js'
import { isPort } from './reachability/address.js'
import { isObject } from './signed-object.js'

const FILE_VERSION = 1

/** What has happened to what is known of a peer. */
export type Change = 'changed' | 'forgotten'

type People = readonly (readonly [Fingerprint, readonly KnownAddress[]])[]

/** What the file says; nothing when there is none. @throws Error when it is no address book */
export async function readAddresses(path: string): Promise<People> {
  return peopleIn(path, await readJsonFile(path))
}

/**
 * Puts what changed into the file.
 * @param knownOf all that is known of a peer; what is not worth to be written is left out
 * @throws what `readAddresses` and `updateJsonFile` throw: the file is left as it is then
 */
export async function updateAddresses(
  path: string,
  changes: readonly (readonly [Fingerprint, Change])[],
  knownOf: (person: Fingerprint) => readonly KnownAddress[],
): Promise<void> {
  await updateJsonFile(path, (value) => {
    const people = new Map(peopleIn(path, value))
    for (const [person, change] of changes) {
      const theirs = change === 'forgotten' ? [] : (people.get(person) ?? [])
      const kept = merged(theirs, knownOf(person).filter(isKept))
      // Whoever was changed last is the last.
      people.delete(person)
      if (kept.length > 0) people.set(person, kept)
    }
    return jsonOf([...people].slice(-MAX_PEOPLE))
  })
}

/** What two processes know of one peer, as far as there is room. */
function merged(theirs: readonly KnownAddress[], ours: readonly KnownAddress[]): KnownAddress[] {
  const all = new Map(theirs.map(keyed))
  for (const address of ours) {
    const other = all.get(keyOf(address))
    const source = other?.source === 'typed' ? other.source : address.source
    const worked = Math.max(address.worked ?? -1, other?.worked ?? -1)
    const learnt = Math.max(address.learnt, other?.learnt ?? 0)
    all.set(keyOf(address), { ...address, source, learnt, worked: worked < 0 ? undefined : worked })
  }
  return [...all.values()].toSorted(byWorth).slice(0, MAX_ADDRESSES)
}

function toJson({ host, port, source, learnt, worked }: KnownAddress): Json {
  return { host, port, source, learnt, ...(worked === undefined ? {} : { worked }) }
}

function jsonOf(people: People): Json {
  return {
    version: FILE_VERSION,
    people: Object.fromEntries(people.map(([person, known]) => [person, known.map(toJson)])),
  }
}

/** @throws Error when the value is not that of a book */
function peopleIn(path: string, value: Json | undefined): People {
  if (value === undefined) return []
  const people =
    isObject(value) && value.version === FILE_VERSION && isObject(value.people) ? Object.entries(value.people) : undefined
  const isRight = people?.every(
    ([person, known]) => isFingerprint(person) && Array.isArray(known) && known.length <= MAX_ADDRESSES && known.every(isAddress),
  )
  if (!isRight || people === undefined || people.length > MAX_PEOPLE)
    throw new Error(`${path} is no address book of this version: move it away, or give another path`)
  return people as unknown as [Fingerprint, KnownAddress[]][]
}

function isAddress(value: Json): boolean {
  if (!isObject(value)) return false
  const { host, port, source, learnt, worked, ...more } = value
  const times = [learnt, worked ?? 0].every((time) => Number.isSafeInteger(time) && Number(time) >= 0)
  return isHost(host) && isPort(port) && SOURCES.some((known) => known === source) && times && Object.keys(more).length === 0
}
