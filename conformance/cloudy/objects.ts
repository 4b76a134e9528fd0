// Giving signed objects: what holds is known by its digest; what is none, is for somebody else, too large or labelled otherwise is refused.
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { matching } from '../harness/matching.js'
import type { Peer } from '../harness/peer.js'
import { somebody } from './kit/certificates.js'
import { fingerprintOf } from './kit/keys.js'
import { digestOf, envelope, jsonOf, now, objectOf, signedObject, values } from './kit/objects.js'
import { accepted, giveAccepted, giveRefused, OBJECTS, OCTETS, SIGNED, visit } from './kit/visit.js'

const DIGEST = 'It is known by its digest'
const MAX_OBJECT = 65_536

/** Names of types that an application may have. */
const types = matching(/^[a-z0-9][a-z0-9.+-]{0,20}\/[a-z0-9][a-z0-9.+-]{0,20}$/).filter((type) => !type.startsWith('cloudy/'))

/** Of an envelope, and the name that JSON cannot have everywhere. */
const MEMBERS = ['type', 'issued', 'expires', 'to', 'key', 'value', '__proto__']

/** The digest is the right one. */
async function expectKnown(peer: Peer, content: Buffer, contentType = SIGNED): Promise<undefined> {
  const here = await visit(peer)
  const digest = await here.give(await here.open(OBJECTS), signedObject(here.who, content), contentType)
  if (digest !== digestOf(here.who, content)) throw new Failure(`it replies ${JSON.stringify(digest.slice(0, 100))}`)
  return undefined
}

/** The largest object. Signatures have one length or another, so it takes some attempts. */
function largest(make: (value: string) => Buffer): Buffer {
  let object = make('')
  for (let length = 0; object.length !== MAX_OBJECT; object = make('x'.repeat(length))) length += MAX_OBJECT - object.length
  return object
}

/** Envelopes that are wrong, by what is wrong with them. */
const WRONG_ENVELOPES: Readonly<Record<string, () => unknown>> = {
  'no type': () => envelope({ type: undefined }),
  'a type in upper case': () => envelope({ type: 'Conform/note' }),
  'a type without a slash': () => envelope({ type: 'note' }),
  'a type of 65 characters': () => envelope({ type: `conform/${'n'.repeat(57)}` }),
  'a type that is a number': () => envelope({ type: 1 }),
  'no issued': () => ({ ...envelope(), issued: undefined }),
  'issued with a fraction': () => ({ ...envelope(), issued: now() - 0.5 }),
  'issued as a text': () => ({ ...envelope(), issued: String(now()) }),
  'issued before 1970': () => ({ ...envelope(), issued: -1, expires: now() + 1 }),
  'no expires': () => envelope({ expires: undefined }),
  'expires with a fraction': () => envelope({ expires: now() + 60.5 }),
  'expires after the year 9999': () => envelope({ expires: 253_402_300_800 }),
  'no value': () => envelope({ value: undefined }),
  'to that is no fingerprint': () => envelope({ to: 'ada' }),
  'to that is null': () => envelope({ to: null }),
  'another member': () => envelope({ from: 'ada' }),
  'an array': () => [],
  'a text': () => 'hello',
  null: () => null,
}

export const giving = section('cloudy/objects', 'Signed objects', [
  must.hold(
    'given',
    {
      title: 'any value of any type, in JSON with any white space',
      judges: ['CLOUDY-OBJ-01', 'CLOUDY-OBJ-02', 'CLOUDY-OBJ-03'],
      quote: DIGEST,
      sends: 'an object',
      expects: 'SHA-256 of the key and of the content, in hexadecimal',
      samples: fc.record({ type: types, value: values, indent: fc.constantFrom('', ' ', '\t', '\n', '\r\n  ') }),
    },
    (peer, { type, value, indent }) =>
      expectKnown(peer, Buffer.from(JSON.stringify(envelope({ type, value }), undefined, indent))),
  ),
  must(
    'given-again',
    {
      title: 'an object that is given twice, by two',
      judges: ['CLOUDY-GIVE-01'],
      quote: 'The same object may be given again',
      sends: 'an object, twice on one session and once by somebody else',
      expects: 'its digest, three times',
    },
    async (peer) => {
      const here = await visit(peer)
      const channel = await here.open(OBJECTS)
      const object = objectOf(here.who)
      const digests = [await here.give(channel, object), await here.give(channel, object)]
      const them = await visit(await peer.another())
      digests.push(await them.give(await them.open(OBJECTS), object))
      if (new Set(digests).size !== 1) throw new Failure(`it replies ${digests.join(', ')}`)
      return undefined
    },
  ),
  must(
    'reply-is-bare',
    {
      title: 'the form of the positive reply',
      judges: ['CLOUDY-OBJ-03'],
      quote: '64 characters, without a Content-Type',
      sends: 'an object',
      expects: '64 characters, and no Content-Type',
    },
    async (peer) => {
      const here = await visit(peer)
      const said = await here.say(await here.open(OBJECTS), SIGNED, objectOf(here.who))
      if (!/^[0-9a-f]{64}$/.test(accepted(said))) throw new Failure(`it replies ${JSON.stringify(said.text.slice(0, 100))}`)
      if (/^content-type:/im.test(said.payload.toString('latin1'))) throw new Failure('it has a Content-Type')
      return undefined
    },
  ),
  must.hold(
    'pipelined',
    {
      title: 'several objects, good and bad, without waiting',
      judges: ['CLOUDY-GIVE-02'],
      quote: 'they are handled in order',
      sends: 'up to four MSGs in a row',
      expects: 'a reply to each, in order',
      samples: fc.array(fc.boolean(), { minLength: 2, maxLength: 4 }),
    },
    async (peer, good) => {
      const here = await visit(peer)
      const channel = await here.open(OBJECTS)
      const asked: number[] = []
      for (const each of good) asked.push(await here.send(channel, SIGNED, each ? objectOf(here.who) : Buffer.of(0x30, 0)))
      for (const [at, msgno] of asked.entries()) {
        const { keyword, code } = await here.reply(channel, msgno)
        if (code === 450) throw new Unsupported('a quota is used up')
        if ((keyword === 'RPY') !== good[at]) throw new Failure(`${keyword} came for object ${at + 1}`)
      }
      return undefined
    },
  ),
  must(
    'signed-by-another',
    {
      title: 'an object that somebody else has signed',
      judges: ['CLOUDY-GIVE-03'],
      quote: 'a signed object',
      sends: 'the object of another key than that of TLS',
      expects: 'its digest',
    },
    (peer) => giveAccepted(peer, () => objectOf(somebody())),
  ),
  must.hold(
    'wrong-envelope',
    {
      title: 'an envelope that is none',
      judges: ['CLOUDY-OBJ-07', 'CLOUDY-JSON-05'],
      quote: 'Its content (id-data) is a JSON object',
      sends: 'an object whose members are wrong, signed',
      expects: 'ERR 553, and the session lives',
      samples: fc.constantFrom(...Object.keys(WRONG_ENVELOPES)),
    },
    (peer, which) => giveRefused(peer, ({ who }) => signedObject(who, Buffer.from(JSON.stringify(WRONG_ENVELOPES[which]!())))),
  ),
  must.hold(
    'more-members',
    {
      title: 'any member more in the envelope',
      judges: ['CLOUDY-JSON-05', 'CLOUDY-OBJ-07'],
      quote: 'Members that are not named here are refused',
      sends: 'an object with it, signed',
      expects: 'ERR 553, and the session lives',
      samples: fc.record({
        name: fc
          .oneof(fc.constantFrom('Type', 'nonce', 'constructor', 'toString', ''), fc.string({ maxLength: 12 }))
          .filter((name) => !MEMBERS.includes(name)),
        value: values,
      }),
    },
    (peer, { name, value }) => giveRefused(peer, ({ who }) => objectOf(who, Object.fromEntries([[name, value]]))),
  ),
  must.hold(
    'wrong-type',
    {
      title: 'a type that is none',
      judges: ['CLOUDY-OBJ-07'],
      quote: 'lower case with a slash, at most 64 characters',
      sends: 'an object of it, signed',
      expects: 'ERR 553, and the session lives',
      samples: fc.oneof(
        matching(/^[a-z0-9.+-]{0,70}$/),
        matching(/^[a-z]{1,5}\/[a-z]{64,80}$/),
        matching(/^[a-z]{1,9}[A-Z _*;"\\é][a-z]{0,9}\/[a-z]{1,9}$/),
        matching(/^\/[a-z]{1,9}$|^[a-z]{1,9}\/$|^[a-z]{1,9}\/\/[a-z]{1,9}$/),
      ),
    },
    (peer, type) => giveRefused(peer, ({ who }) => objectOf(who, { type })),
  ),
  must.hold(
    'to-another',
    {
      title: 'an object to somebody else',
      judges: ['CLOUDY-OBJ-08'],
      quote: 'when it is to somebody else than the receiver',
      sends: 'such an object',
      expects: 'ERR 553, and the session lives',
      samples: fc.constantFrom('nobody', 'judge'),
    },
    (peer, whom) =>
      giveRefused(peer, ({ who }) =>
        objectOf(who, { to: whom === 'judge' ? who.key.fingerprint : fingerprintOf(randomBytes(32)) }),
      ),
  ),
  must(
    'to-target',
    {
      title: 'an object to the target',
      judges: ['CLOUDY-OBJ-08'],
      quote: 'fingerprint of the only one it is for',
      sends: 'such an object',
      expects: 'its digest',
    },
    (peer) => giveAccepted(peer, ({ who, host }) => objectOf(who, { to: host })),
  ),
  must(
    'largest',
    {
      title: 'an object of as many octets as are allowed',
      judges: ['CLOUDY-OBJ-09'],
      quote: 'at most 65,536 octets',
      sends: 'an object of 65536 octets',
      expects: 'its digest',
    },
    (peer) => giveAccepted(peer, ({ who }) => largest((value) => objectOf(who, { value }))),
  ),
  must.hold(
    'oversized',
    {
      title: 'an object of more octets than are allowed, which holds otherwise',
      judges: ['CLOUDY-OBJ-09'],
      quote: 'at most 65,536 octets',
      sends: 'such an object, and one that is right behind it',
      expects: 'ERR 554, and the digest of the other',
      samples: fc.integer({ min: MAX_OBJECT, max: 2 * MAX_OBJECT }),
    },
    async (peer, size) => {
      const here = await visit(peer)
      const channel = await here.open(OBJECTS)
      const object = objectOf(here.who, { value: 'x'.repeat(size) })
      const saw = await here.refused(await here.say(channel, SIGNED, object), [554])
      await here.give(channel, objectOf(here.who))
      return saw
    },
  ),
  must.hold(
    'label-spelled',
    {
      title: 'any spelling of the Content-Type',
      judges: ['CLOUDY-TYPE-01'],
      quote: 'compared without case, comments and unknown parameters',
      sends: 'an object that is labelled so',
      expects: 'its digest',
      samples: fc.record({
        type: fc.constantFrom('application/pkcs7-mime', 'Application/PKCS7-MIME', 'APPLICATION/pkcs7-mime (CMS)'),
        parameters: fc
          .shuffledSubarray(['; name=smime.p7m', ';charset="x;y"', ' ; a=(comment)b'], { minLength: 0 })
          .map((more) => more.join('')),
        smime: fc.constantFrom('; smime-type=signed-data', ';SMIME-Type="signed-data"', '; smime-type=SIGNED-data (RFC 8551)'),
        first: fc.boolean(),
      }),
    },
    (peer, { type, parameters, smime, first }) =>
      expectKnown(peer, jsonOf(envelope()), type + (first ? smime + parameters : parameters + smime)),
  ),
  must.hold(
    'label-other',
    {
      title: 'an object with another Content-Type, or with none',
      judges: ['CLOUDY-TYPE-02'],
      quote: 'this is none of the messages of the profile',
      sends: 'an object that is labelled so',
      expects: 'ERR 501, and the session lives',
      samples: fc.constantFrom(
        '',
        OCTETS,
        'text/plain',
        'application/pkcs7-mime',
        'application/pkcs7-mime; smime-type=enveloped-data',
      ),
    },
    async (peer, contentType) => {
      const here = await visit(peer)
      return here.refused(await here.say(await here.open(OBJECTS), contentType, objectOf(here.who)), [501])
    },
  ),
])
