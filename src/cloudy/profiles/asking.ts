// The objects profile as who asks uses it: objects are asked for and followed; what is told is believed only once it is verified.
import { type Channel, type Message, ReplyError, type Session } from '../../beep/index.js'
import { abortable } from '../../beep/promises.js'
import type { Fingerprint } from '../fingerprint.js'
import { ObjectError } from '../object-error.js'
import { formatQuery, inOrder, matches, type ObjectQuery } from '../object-query.js'
import { MAX_OBJECT, type SignedObject, toSeconds, verifyObject, wrongTime } from '../signed-object.js'
import { isOfType, isSignedData, JSON_TEXT } from './media-types.js'
import { readNote } from './notes.js'
import { OBJECTS } from './uris.js'

/** Notes that we do not know, in a row, that whoever asks passes over: a peer that says nothing else has nothing to tell. */
export const MAX_FOREIGN_NOTES = 64
/** Objects in a row that do not hold by our clock: as many as a store of ours keeps. */
export const MAX_PASSED_OVER = 16_384

/** Who asks. */
export interface Asker {
  /** Ours: an object to somebody else is not for us. */
  readonly self: Fingerprint
  /** Milliseconds since 1970. */
  now(): number
}

/**
 * Asks for the objects that a peer keeps, by time of issue, on a channel of its own. As many MSGs are sent as it takes.
 * @param signal ends it with its reason, also while somebody waits for the next
 * @throws ReplyError when the peer refuses, ObjectError when it tells what does not hold or was not asked for, or nothing without end
 */
export async function* askObjects(
  session: Session,
  query: ObjectQuery,
  asker: Asker,
  signal?: AbortSignal,
): AsyncGenerator<SignedObject, void, void> {
  const channel = await session.start(OBJECTS, { signal })
  let failed = false
  try {
    let rest: Rest | undefined = { query, passed: 0 }
    while (rest !== undefined) rest = yield* askOnce(channel, rest, asker, signal)
  } catch (error) {
    failed = true
    throw error
  } finally {
    const closing = closed(channel, signal)
    // A peer that does not come to an end need not close, either.
    if (!failed) await closing
  }
}

/** Closes a channel that is not needed any more. With the signal only the waiting ends: that it is to be closed has been said. */
export async function closed(channel: Channel, signal: AbortSignal | undefined): Promise<void> {
  await abortable(channel.close(), signal).catch(() => {})
}

interface Rest {
  readonly query: ObjectQuery
  /** Objects in a row, until now, that were passed over. */
  readonly passed: number
}

/** @returns what is left to ask, when the answer did not tell all */
async function* askOnce(
  channel: Channel,
  { query, passed }: Rest,
  asker: Asker,
  signal: AbortSignal | undefined,
): AsyncGenerator<SignedObject, Rest | undefined, void> {
  let last: SignedObject | undefined
  let foreign = 0
  for await (const told of tell(channel.send(question(query, false), { signal }), query, asker, signal)) {
    if (told === 'foreign') {
      foreign++
      if (foreign > MAX_FOREIGN_NOTES) throw new ObjectError('unasked', `${foreign} notes that say nothing to us`)
      continue
    }
    if (told === 'more') {
      if (last === undefined) throw new ReplyError(450, 'the peer has more and does not tell it')
      return { query: { ...query, since: last.issued, after: last.digest }, passed }
    }
    if (last !== undefined && inOrder(last, told.object) >= 0) throw new ObjectError('unasked', 'it is out of order')
    // What is passed over has been told, too: the next question is about what comes behind it.
    last = told.object
    foreign = 0
    passed = told.holds ? 0 : passed + 1
    if (passed > MAX_PASSED_OVER) throw new ObjectError('unasked', `${passed} objects that do not hold by our clock`)
    if (told.holds) yield last
  }
  return undefined
}

/** Objects as they come. Leaving the iteration ends it, also while somebody waits for the next. */
export interface Following extends AsyncIterableIterator<SignedObject, undefined>, AsyncDisposable {
  return(): Promise<IteratorResult<SignedObject, undefined>>
}

/**
 * Follows the objects that come to a peer from now on, on a channel of its own. What is there already is for a query.
 * @param signal ends it; so does leaving the iteration
 * @throws the reason of the signal when that aborts before the peer has begun
 * @returns once the peer has begun. It ends when the peer ends it, which it does before it releases the session; it throws ReplyError 450 when
 *   we did not keep up or had our share: then there is more than was told
 */
export async function followObjects(
  session: Session,
  query: ObjectQuery,
  asker: Asker,
  signal?: AbortSignal,
): Promise<Following> {
  const channel = await session.start(OBJECTS, { signal })
  const answers = channel.send(question(query, true))[Symbol.asyncIterator]()
  try {
    await abortable(begun(answers), signal)
    return following(channel, answers, query, asker, signal)
  } catch (error) {
    void answers.return?.()
    void channel.close().catch(() => {})
    throw error
  }
}

async function begun(answers: AsyncIterator<Message>): Promise<void> {
  const first = await answers.next()
  if (first.done || !isOfType(first.value.contentType, JSON_TEXT) || (await readNote(first.value)) !== 'live')
    throw new ObjectError('unasked', 'a subscription begins with the note that it does')
}

function following(
  channel: Channel,
  answers: AsyncIterator<Message>,
  query: ObjectQuery,
  asker: Asker,
  signal: AbortSignal | undefined,
): Following {
  let left = false
  const leave = async () => {
    left = true
    signal?.removeEventListener('abort', leave)
    // What waits unread would hold up the end of the answers, and with it the close.
    await answers.return?.()
    await channel.close().catch(() => {})
  }
  const coming = async function* () {
    try {
      for await (const told of tell({ [Symbol.asyncIterator]: () => answers }, query, asker)) {
        if (told === 'more') throw new ReplyError(450, 'there is more than was told: ask for it by a query')
        if (told !== 'foreign' && told.holds) yield told.object
      }
    } catch (error) {
      // Whoever waits when it is left sees it end.
      if (!left) throw error
    } finally {
      if (!left) await leave()
    }
    return undefined
  }
  const objects = coming()
  signal?.addEventListener('abort', leave)
  if (signal?.aborted) void leave()
  return {
    next: () => objects.next(),
    return: async () => {
      await leave()
      return { done: true, value: undefined }
    },
    [Symbol.asyncDispose]: leave,
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

function question(query: ObjectQuery, live: boolean) {
  return { body: formatQuery(query, live), contentType: JSON_TEXT }
}

/** An object, verified. What expired on its way, or is still to come by our clock, does not hold: it is passed over. */
interface Told {
  readonly object: SignedObject
  readonly holds: boolean
}

/** What the answers tell. @throws the reason of the signal when that aborts while an answer comes in */
async function* tell(
  answers: AsyncIterable<Message>,
  query: ObjectQuery,
  { self, now }: Asker,
  signal?: AbortSignal,
): AsyncGenerator<Told | 'more' | 'foreign', void, void> {
  for await (const answer of answers) {
    if (!isSignedData(answer.contentType)) {
      if (!isOfType(answer.contentType, JSON_TEXT)) throw new ObjectError('unasked', 'it is not labelled as a signed object')
      yield (await abortable(readNote(answer), signal)) === 'more' ? 'more' : 'foreign'
      continue
    }
    const octets = await abortable(answer.bytes(MAX_OBJECT), signal)
    const time = now()
    const object = verifyObject(octets, { now: time, recipient: self, anyTime: true })
    if (!matches(query, { ...object, signer: object.signer.fingerprint })) throw new ObjectError('unasked')
    yield { object, holds: wrongTime(object, toSeconds(time)) === undefined }
  }
}
