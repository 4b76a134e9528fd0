// Asking for objects: by query, and live. Who asks has been met before: a stranger may not.
import type { Buffer } from 'node:buffer'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { close } from '../harness/management.js'
import { bodyOf, type Peer } from '../harness/peer.js'
import { digestOf, envelope, jsonOf, now, objectOf, signedObject } from './kit/objects.js'
import { accepted, answersOf, JSON_TEXT, OBJECTS, OCTETS, remembered, SIGNED, type Visit } from './kit/visit.js'

const ORDER = 'by issued, then by digest, each once; then NUL'
const ALONE = 'An object with `to` is told to that one alone'
const LIVE = 'The first answer comes at once'

/** An object as it was given. */
interface Given {
  readonly type: string
  readonly issued: number
  readonly digest: string
  readonly octets: Buffer
}

/** Gives an object that lives a minute or so. */
async function give(here: Visit, channel: number, changes: Readonly<Record<string, unknown>>): Promise<Given> {
  const members = envelope({ expires: now() + 60, ...changes })
  const content = jsonOf(members)
  const octets = signedObject(here.who, content)
  await here.give(channel, octets)
  return { type: String(members.type), issued: Number(members.issued), digest: digestOf(here.who, content), octets }
}

async function ask(here: Visit, channel: number, query: object): Promise<readonly Buffer[]> {
  const answers = answersOf(await here.say(channel, JSON_TEXT, JSON.stringify(query)))
  if (!answers.every(({ type }) => type === 'application/pkcs7-mime')) throw new Failure('something else than objects was told')
  return answers.map(({ body }) => body)
}

function inOrder(a: Given, b: Given): number {
  return a.issued - b.issued || (a.digest < b.digest ? -1 : 1)
}

function expectSame(came: readonly Buffer[], expected: readonly Given[]): void {
  if (came.length !== expected.length) throw new Failure(`${came.length} objects came; ${expected.length} were expected`)
  if (!came.every((each, at) => each.equals(expected[at]!.octets))) throw new Failure('other objects came, or in another order')
}

/** Whose question is refused may not be meant: a stranger's is 537. */
async function expectNoQuery(
  peer: Peer,
  text: string | Buffer,
  codes: readonly number[],
  contentType = JSON_TEXT,
): Promise<string> {
  const here = await remembered(peer)
  const said = await here.say(await here.open(OBJECTS), contentType, text)
  if (said.code === 537) throw new Unsupported('it lets nobody ask whom it has met before')
  return here.refused(said, codes)
}

const NO_QUERIES: readonly (readonly [code: number, text: string])[] = [
  [500, ''],
  [500, '{'],
  [500, '{"type":"a/b","type":"a/c"}'],
  [500, '\ufeff{}'],
  [500, '{"type":"\\ud800"}'],
  [501, '{"types":"a/b"}'],
  [501, '{"toString":1}'],
  [501, '{"type":1}'],
  [501, '{"signer":"ada"}'],
  [501, '{"since":-1}'],
  [501, '{"since":0.5}'],
  [501, '{"since":"0"}'],
  [501, `{"after":"${'0'.repeat(64)}"}`],
  [501, `{"since":0,"after":"${'A'.repeat(64)}"}`],
  [501, '{"since":0,"after":"00"}'],
  [501, '{"live":1}'],
  [501, '{"live":null}'],
  [501, `{"live":true,"since":0,"after":"${'0'.repeat(64)}"}`],
]

/** The next answer, whole, of a one-to-many reply that goes on. */
async function nextAnswer(peer: Peer, channel: number): Promise<Buffer> {
  const { keyword, whole } = await peer.take(
    (each) => each.channel === channel && each.keyword !== 'MSG' && each.whole !== undefined,
    'an answer',
  )
  if (keyword !== 'ANS') throw new Failure(`expected an answer; ${keyword} came`)
  return whole!
}

/** A channel with a subscription that has begun. */
async function subscribed(here: Visit, query: object): Promise<number> {
  const channel = await here.open(OBJECTS)
  await here.send(channel, JSON_TEXT, JSON.stringify({ ...query, live: true }))
  const note = bodyOf(await nextAnswer(here.peer, channel)).toString()
  if (note !== '{"live":true}') throw new Failure(`the first answer is ${JSON.stringify(note.slice(0, 100))}`)
  return channel
}

export const queries = section('cloudy/queries', 'Asking for objects', [
  must.hold(
    'told',
    {
      title: 'any query, over objects that were given before',
      judges: ['CLOUDY-QUERY-01', 'CLOUDY-QUERY-02', 'CLOUDY-QUOTA-05'],
      quote: ORDER,
      sends: 'objects, a query for all of them, and a query for some',
      expects: 'of those that are kept the ones that match, octet by octet, in order, then NUL',
      samples: fc.record({
        objects: fc.array(fc.record({ type: fc.constantFrom('conform/a', 'conform/b'), age: fc.nat(4) }), {
          minLength: 1,
          maxLength: 5,
        }),
        type: fc.option(fc.constantFrom('conform/a', 'conform/b', 'conform/c'), { nil: undefined }),
        since: fc.option(fc.nat(5), { nil: undefined }),
        after: fc.boolean(),
      }),
    },
    async (peer, { objects, type, since, after }) => {
      const here = await remembered(peer)
      const channel = await here.open(OBJECTS)
      const at = now()
      const given: Given[] = []
      for (const [value, { type, age }] of objects.entries())
        given.push(await give(here, channel, { type, value, issued: at - age }))
      given.sort(inOrder)
      const signer = here.who.key.fingerprint
      const kept = await ask(here, channel, { signer })
      const all = given.filter(({ octets }) => kept.some((each) => each.equals(octets)))
      expectSame(kept, all)
      const from = since === undefined ? 0 : at - since
      const last = after && since !== undefined ? all.find(({ issued }) => issued === from)?.digest : undefined
      const matching = all
        .filter((each) => type === undefined || each.type === type)
        .filter(({ issued, digest }) => issued > from || (issued === from && digest > (last ?? '')))
      expectSame(
        await ask(here, channel, { signer, type, ...(since === undefined ? {} : { since: from }), after: last }),
        matching,
      )
      return undefined
    },
  ),
  must(
    'addressed-not-told',
    {
      title: 'an object to the target',
      judges: ['CLOUDY-QUERY-03'],
      quote: ALONE,
      sends: 'such an object, and a query for it',
      expects: 'NUL alone',
    },
    async (peer) => {
      const here = await remembered(peer)
      const channel = await here.open(OBJECTS)
      await give(here, channel, { to: here.host })
      expectSame(await ask(here, channel, { signer: here.who.key.fingerprint }), [])
      return undefined
    },
  ),
  must(
    'expired-not-told',
    {
      title: 'an object that expires after it was given',
      judges: ['CLOUDY-QUERY-04'],
      quote: 'Nothing that has expired is told',
      sends: 'an object that lives two seconds more, and a query when they are over',
      expects: 'NUL alone',
    },
    async (peer) => {
      const here = await remembered(peer)
      const channel = await here.open(OBJECTS)
      // A machine that is busy may need longer until it has it.
      for (const seconds of [2, 5, 15]) {
        const expires = now() + seconds
        const said = await here.say(channel, SIGNED, objectOf(here.who, { issued: expires - 60, expires }))
        if (said.code === 550) continue
        accepted(said)
        await pause((expires + 1) * 1000 - Date.now() + 100)
        expectSame(await ask(here, channel, { signer: here.who.key.fingerprint }), [])
        return undefined
      }
      throw new Unsupported('it takes too long to take an object')
    },
  ),
  may(
    'reserved-types',
    {
      title: 'an object of a type that is reserved and means nothing',
      judges: ['CLOUDY-GIVE-04'],
      quote: "those that begin with cloudy/ are Cloudy's own",
      sends: 'such an object, and a query for it',
      expects: 'a digest, or ERR; it is told or not',
    },
    async (peer) => {
      const here = await remembered(peer)
      const channel = await here.open(OBJECTS)
      const said = await here.say(channel, SIGNED, signedObject(here.who, jsonOf(envelope({ type: 'cloudy/unheard-of' }))))
      if (said.code !== undefined) return here.refused(said, [537, 550, 553])
      const told = await ask(here, channel, { signer: here.who.key.fingerprint })
      return told.length === 0 ? 'it takes it and tells it to nobody' : 'it takes it and passes it on'
    },
  ),
  must.hold(
    'no-query',
    {
      title: 'a query that is none',
      judges: ['CLOUDY-QUERY-05', 'CLOUDY-JSON-01', 'CLOUDY-JSON-02', 'CLOUDY-JSON-03', 'CLOUDY-JSON-05'],
      quote: 'no members but these',
      sends: 'what is no JSON, or has other members, or wrong ones',
      expects: 'ERR 500 or 501, and the session lives',
      samples: fc.constantFrom(...NO_QUERIES),
    },
    (peer, [code, text]) => expectNoQuery(peer, text, [code]),
  ),
  must.hold(
    'more-members',
    {
      title: 'any member more in a query',
      judges: ['CLOUDY-JSON-05', 'CLOUDY-QUERY-05'],
      quote: 'no members but these',
      sends: 'a query with it',
      expects: 'ERR 501, and the session lives',
      samples: fc
        .oneof(fc.constantFrom('Type', 'until', 'limit', 'hasOwnProperty', ''), fc.string({ maxLength: 12 }))
        .filter((name) => !['type', 'signer', 'since', 'after', 'live', '__proto__'].includes(name)),
    },
    (peer, name) => expectNoQuery(peer, JSON.stringify({ since: 0, ...Object.fromEntries([[name, 1]]) }), [501]),
  ),
  must(
    'query-too-long',
    {
      title: 'a query of more octets than are allowed',
      judges: ['CLOUDY-QUERY-06'],
      quote: 'a query has at most 4,096 octets',
      sends: 'a query with spaces up to 4097 octets',
      expects: 'ERR 554, and the session lives',
    },
    (peer) => expectNoQuery(peer, '{}'.padEnd(4097), [554]),
  ),
  must(
    'query-of-another-type',
    {
      title: 'a query with another Content-Type',
      judges: ['CLOUDY-TYPE-02'],
      quote: 'this is none of the messages of the profile',
      sends: 'a query as application/octet-stream',
      expects: 'ERR 501, and the session lives',
    },
    (peer) => expectNoQuery(peer, '{}', [501], OCTETS),
  ),
  must(
    'live',
    {
      title: 'a subscription, from its beginning to its close',
      judges: ['CLOUDY-LIVE-01', 'CLOUDY-LIVE-02', 'CLOUDY-LIVE-03'],
      quote: LIVE,
      sends: 'a live query; on another channel an object that does not match, and one that does; a close',
      expects: 'the note, the object that matches, NUL, then ok',
    },
    async (peer) => {
      const here = await remembered(peer)
      const own = { signer: here.who.key.fingerprint, type: 'conform/live' }
      const giving = await here.open(OBJECTS)
      const before = await give(here, giving, { type: 'conform/live', value: 'before' })
      const channel = await subscribed(here, own)
      await give(here, giving, { type: 'conform/other' })
      const object = await give(here, giving, { type: 'conform/live', value: 'after' })
      const kept = await ask(here, giving, own)
      if (!kept.some((each) => each.equals(object.octets))) throw new Unsupported('it keeps nothing for the judge')
      const told = bodyOf(await nextAnswer(peer, channel))
      if (told.equals(before.octets)) throw new Failure('what was kept already is told')
      if (!told.equals(object.octets)) throw new Failure('another object is told')
      const closing = peer.next()
      peer.manage(`MSG ${closing}`, close(channel))
      const { keyword } = await peer.take((each) => each.channel === channel && each.keyword !== 'MSG', 'NUL')
      if (keyword !== 'NUL') throw new Failure(`expected NUL; ${keyword} came`)
      const { element } = await peer.answer(closing)
      if (element.name !== 'ok') throw new Failure(`the close is answered with <${element.name}>`)
      return undefined
    },
  ),
  must(
    'live-behind',
    {
      title: 'a query behind a subscription on its channel, and one beside it',
      judges: ['CLOUDY-LIVE-04'],
      quote: 'waits for its end',
      sends: 'a live query, another query on the channel, and one on another channel',
      expects: 'the answer to the last, and nothing to the one behind',
    },
    async (peer) => {
      const here = await remembered(peer)
      const channel = await subscribed(here, { type: 'conform/nothing' })
      await here.send(channel, JSON_TEXT, '{}')
      await ask(here, await here.open(OBJECTS), { type: 'conform/nothing' })
      if (peer.connection.heard.some((each) => each.kind === 'data' && each.channel === channel))
        throw new Failure('something came on the channel of the subscription')
      return undefined
    },
  ),
])
