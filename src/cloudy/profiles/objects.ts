// The objects profile: a MSG gives a signed object, or asks for those that are kept, or for all that come from now on.
import { type Channel, type Message, type Outgoing, type Profile, ReplyError, type Session } from '../../beep/index.js'
import { abortable } from '../../beep/promises.js'
import { CARD_TYPE, type CallingCard, verifyCard } from '../calling-card.js'
import type { IdentityCertificate } from '../certificate.js'
import type { Fingerprint } from '../fingerprint.js'
import type { Admission } from '../meter.js'
import { MAX_QUERY, type ObjectQuery, readQuery } from '../object-query.js'
import type { Giver, Kept, ObjectStore } from '../object-store.js'
import { MAX_OBJECT, RESERVED_TYPE, type SignedObject, verifyObject } from '../signed-object.js'
import type { Gate } from '../trust.js'
import { isOfType, isSignedData, JSON_TEXT, SIGNED_DATA } from './media-types.js'
import { NOTES } from './notes.js'
import { asReply, forPeople, type Request, type Visit } from './person.js'
import { OBJECTS } from './uris.js'

/** Objects in one answer to a query. */
export const MAX_ANSWERS = 256

/** What was received, verified, from whom. */
export type Received =
  | { readonly kind: 'card'; readonly card: CallingCard; readonly from: IdentityCertificate }
  | { readonly kind: 'object'; readonly object: SignedObject; readonly from: IdentityCertificate }

export interface ObjectsOptions {
  readonly gate: Gate
  /** Ours: an object to somebody else is refused. */
  readonly self: Fingerprint
  /** Milliseconds since 1970. */
  now(): number
  readonly store: ObjectStore
  /** Told of each object that holds, once. A ReplyError refuses it. */
  receive(received: Received): void | Promise<void>
}

/** Serves the objects profile. */
export function objects(options: ObjectsOptions): Profile {
  /** Objects that the application is being told of: whoever gives one of them meanwhile has to wait. */
  const arriving = new Map<string, Promise<void>>()
  return forPeople(
    {
      uri: OBJECTS,
      actions: ['give', 'query', 'subscribe'],
      async read(message, visit): Promise<Request> {
        if (isSignedData(message.contentType)) {
          const octets = await message.bytes(MAX_OBJECT)
          return { action: 'give', octets: octets.length, perform: () => accept(octets, visit.person, options, arriving) }
        }
        if (!isOfType(message.contentType, JSON_TEXT))
          throw new ReplyError(501, `a MSG of this profile is ${SIGNED_DATA} or ${JSON_TEXT}`)
        const { query, live } = await question(message)
        const action = live ? 'subscribe' : 'query'
        const tell = live ? follow : answer
        return { action, perform: (admission) => tell(query, { action, admission, visit, options }) }
      },
    },
    options.gate,
  )
}

/** @throws ReplyError 500 when it is not JSON, 501 when it is not a query */
async function question(message: Message): Promise<ReturnType<typeof readQuery>> {
  try {
    return readQuery(await message.bytes(MAX_QUERY))
  } catch (error) {
    if (error instanceof RangeError && !('code' in error)) throw new ReplyError(501, error.message)
    throw asReply(error, 500)
  }
}

// Giving

/**
 * Gives an object. @returns the digest by which the peer knows it. @throws ReplyError when the peer refuses it
 * @param signal stops the waiting
 */
export async function give(channel: Channel, octets: Uint8Array, signal?: AbortSignal): Promise<string> {
  const reply = await channel.request({ body: octets, contentType: SIGNED_DATA }, { signal })
  return abortable(reply.text(256), signal)
}

async function accept(
  octets: Uint8Array,
  from: IdentityCertificate,
  options: ObjectsOptions,
  arriving: Map<string, Promise<void>>,
): Promise<string> {
  const [object, received] = believe(octets, from, options)
  const { digest } = object
  // It has come by then, or not; as whose it is kept, and whether there is room, is to be seen for each giver.
  for (let begun = arriving.get(digest); begun !== undefined; begun = arriving.get(digest)) await begun.catch(() => {})
  const taken = take(object, received, options).finally(() => arriving.delete(digest))
  arriving.set(digest, taken)
  await taken
  return digest
}

function believe(
  octets: Uint8Array,
  from: IdentityCertificate,
  { self, now }: ObjectsOptions,
): readonly [object: SignedObject, received: Received] {
  try {
    const object = verifyObject(octets, { now: now(), recipient: self })
    if (object.type !== CARD_TYPE) return [object, { kind: 'object', object, from }]
    return [object, { kind: 'card', card: verifyCard(octets, { now: now() }), from }]
  } catch (error) {
    throw asReply(error)
  }
}

/** The application is told once of each object; what may be kept is kept when it agrees. */
async function take(object: SignedObject, received: Received, { store, gate, receive }: ObjectsOptions): Promise<void> {
  const full = new ReplyError(554, 'there is no room for it here')
  const before = giverOf(object, received.from, gate)
  if (before !== undefined && store.admits(object, before) === 'full') throw full
  if (!store.knows(object.digest)) await receive(received)
  store.note(object)
  // The application may have taken its time, and decided what they are to us.
  const giver = giverOf(object, received.from, gate)
  if (giver !== undefined && store.put(object, giver) === 'full') throw full
}

/**
 * As whose the object is kept; undefined when it is not: what strangers give is not, nor what is for us alone and would be told to nobody, nor
 * what has rules of its own.
 */
function giverOf(object: SignedObject, { fingerprint }: IdentityCertificate, gate: Gate): Giver | undefined {
  const { keep } = gate.rights(fingerprint)
  if (keep === undefined || object.to !== undefined || object.type.startsWith(RESERVED_TYPE)) return undefined
  return { ...keep, fingerprint }
}

// Telling

/** To whom, and how much. */
interface Telling {
  readonly action: 'query' | 'subscribe'
  readonly admission: Admission
  readonly visit: Visit
  readonly options: ObjectsOptions
}

async function* answer(query: ObjectQuery, telling: Telling): AsyncGenerator<Outgoing, void, void> {
  const { options, visit } = telling
  const found = options.store.stored(query, visit.person.fingerprint, MAX_ANSWERS + 1)
  let told = 0
  for (const object of found.slice(0, MAX_ANSWERS)) {
    if (hasExpired(object, options)) continue
    if (!mayGoOn(telling)) return
    if (!telling.admission.spend(object.octets.length)) {
      if (told === 0) throw new ReplyError(450, 'too much has been told already: again later')
      yield note('more')
      return
    }
    told++
    yield { body: object.octets, contentType: SIGNED_DATA }
  }
  if (found.length > MAX_ANSWERS) yield note('more')
}

const followed = new WeakMap<Session, Set<() => void>>()

/** Ends what the peer of a session follows: a release waits for all answers to end, and these have no end of their own. */
export function endSubscriptions(session: Session): void {
  for (const end of followed.get(session) ?? []) end()
}

/** Stays open until the peer closes the channel, or we end it. The first answer comes at once: a close may not be sent before a reply has begun (RFC 3080 §2.3.1.3). */
async function* follow(query: ObjectQuery, telling: Telling): AsyncGenerator<Outgoing, void, void> {
  const { options, visit } = telling
  const subscription = options.store.subscribe(query, visit.person.fingerprint)
  if (subscription === undefined) throw new ReplyError(450, 'there are as many subscriptions as we have room for')
  const { signal } = visit.context
  const end = () => subscription.end()
  const all = followed.get(visit.channel.session) ?? new Set()
  followed.set(visit.channel.session, all.add(end))
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  try {
    yield note('live')
    for await (const object of subscription) {
      if (hasExpired(object, options)) continue
      if (!mayGoOn(telling)) return
      if (!telling.admission.spend(object.octets.length)) {
        yield note('more')
        return
      }
      yield { body: object.octets, contentType: SIGNED_DATA }
    }
    if (subscription.missed) yield note('more')
  } finally {
    signal.removeEventListener('abort', end)
    all.delete(end)
    end()
  }
}

/** It may have waited for the peer to read. */
function hasExpired({ expires }: Kept, { now }: ObjectsOptions): boolean {
  return expires * 1000 <= now()
}

/** They may have been blocked meanwhile, or wish to close. */
function mayGoOn({ action, visit, options }: Telling): boolean {
  return !visit.context.signal.aborted && options.gate.allows(visit.person.fingerprint, action)
}

function note(which: keyof typeof NOTES): Outgoing {
  return { body: NOTES[which], contentType: JSON_TEXT }
}
