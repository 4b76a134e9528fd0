// The one encoding that an object has: whatever differs from it in any octet is refused, however well it is signed.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { somebody } from './kit/certificates.js'
import { WRONG_KEYS } from './kit/keys.js'
import {
  ENCODINGS,
  envelope,
  jsonOf,
  keyedObject,
  objectOf,
  signatureOf,
  signedObject,
  signerInfo,
  values,
} from './kit/objects.js'
import { giveAccepted, giveRefused, OBJECTS, SIGNED, visit } from './kit/visit.js'

const ELSE = 'Anything else is refused, trailing octets too'

export const encodings = section('cloudy/encodings', 'The encoding of objects', [
  must.hold(
    'octet-altered',
    {
      title: 'an object in which any octet is another',
      judges: ['CLOUDY-OBJ-04'],
      quote: 'the object does not hold: signature, encoding',
      sends: 'up to four such objects',
      expects: 'ERR 553, or 550 where it is the time of expiry, and the session lives',
      samples: fc.array(fc.record({ at: fc.nat(100_000), change: fc.integer({ min: 1, max: 255 }) }), {
        minLength: 1,
        maxLength: 4,
      }),
    },
    async (peer, changes) => {
      const here = await visit(peer)
      const channel = await here.open(OBJECTS)
      for (const { at, change } of changes) {
        const altered = objectOf(here.who)
        altered[at % altered.length]! ^= change
        await here.refused(await here.say(channel, SIGNED, altered), [550, 553])
      }
      return undefined
    },
  ),
  must.hold(
    'octets-more-or-fewer',
    {
      title: 'an object with octets put in, or left out, anywhere',
      judges: ['CLOUDY-OBJ-04'],
      quote: ELSE,
      sends: 'such an object',
      expects: 'ERR 553, and the session lives',
      samples: fc.oneof(
        fc.record({ at: fc.nat(100_000), more: fc.uint8Array({ minLength: 1, maxLength: 8 }), fewer: fc.constant(0) }),
        fc.record({ at: fc.nat(100_000), more: fc.constant(new Uint8Array()), fewer: fc.integer({ min: 1, max: 500 }) }),
      ),
    },
    (peer, { at, more, fewer }) =>
      giveRefused(peer, ({ who }) => {
        const object = objectOf(who)
        const place = at % object.length
        return Buffer.concat([object.subarray(0, place), more, object.subarray(place + fewer)])
      }),
  ),
  must.hold(
    'trailing',
    {
      title: 'an object with octets behind it',
      judges: ['CLOUDY-OBJ-04'],
      quote: ELSE,
      sends: 'such an object',
      expects: 'ERR 553, and the session lives',
      samples: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    },
    (peer, more) => giveRefused(peer, ({ who }) => Buffer.concat([objectOf(who), more])),
  ),
  must.hold(
    'no-object',
    {
      title: 'any octets in place of an object',
      judges: ['CLOUDY-OBJ-04'],
      quote: ELSE,
      sends: 'them',
      expects: 'ERR 553, and the session lives',
      samples: fc.uint8Array({ maxLength: 600 }),
    },
    (peer, octets) => giveRefused(peer, () => octets),
  ),
  ...ENCODINGS.map(([slug, title, make]) =>
    must(
      slug,
      {
        title,
        judges: ['CLOUDY-OBJ-05'],
        quote: 'SignedData has one encoding',
        sends: 'an object that is so, and signed',
        expects: 'ERR 553, and the session lives',
      },
      (peer) => giveRefused(peer, ({ who }) => make(who, jsonOf(envelope()))),
    ),
  ),
  ...Object.entries(WRONG_KEYS).map(([slug, make]) =>
    must(
      `key-${slug}`,
      {
        title: `an object of a key that is not to be known: ${slug}`,
        judges: ['CLOUDY-KEY-03'],
        quote: 'A key is on P-256 (uncompressed point) or RSA',
        sends: 'an object with a certificate of that key, and one with the key itself',
        expects: 'ERR 553 for both, and the session lives',
      },
      async (peer) => {
        const author = somebody(make())
        await giveRefused(peer, () => objectOf(author))
        return giveRefused(await peer.another(), () => keyedObject(author))
      },
    ),
  ),
  must(
    'key-alone',
    {
      title: 'an object that carries the key in its content',
      judges: ['CLOUDY-OBJ-06'],
      quote: 'the SubjectPublicKeyInfo in base64',
      sends: 'such an object without a certificate',
      expects: 'its digest',
    },
    (peer) => giveAccepted(peer, ({ who }) => keyedObject(who, { type: 'conform/note', value: 1 })),
  ),
  must(
    'key-and-certificate',
    {
      title: 'an object that carries the key and a certificate',
      judges: ['CLOUDY-OBJ-06'],
      quote: 'the SubjectPublicKeyInfo in base64',
      sends: 'such an object',
      expects: 'ERR 553, and the session lives',
    },
    (peer) => giveRefused(peer, ({ who }) => objectOf(who, { key: who.key.spki.toString('base64') })),
  ),
  must.hold(
    'signature-of-another-object',
    {
      title: 'the signature of another object of the same signer',
      judges: ['CLOUDY-OBJ-04'],
      quote: 'the object does not hold: signature',
      sends: 'an object whose digest is its own, with the signature of another',
      expects: 'ERR 553, and the session lives',
      samples: fc.tuple(values, values).filter(([one, two]) => JSON.stringify(one) !== JSON.stringify(two)),
    },
    (peer, [one, two]) =>
      giveRefused(peer, ({ who }) => {
        const [content, other] = [one, two].map((value) => jsonOf(envelope({ value })))
        return signedObject(who, content!, { signers: signerInfo(who, content!, { signature: signatureOf(who, other!) }) })
      }),
  ),
  must.hold(
    'certificate-altered',
    {
      title: 'an object that is signed, with a certificate in which any octet is another',
      judges: ['CLOUDY-CERT-09'],
      quote: 'the certificate of the signer',
      sends: 'such an object',
      expects: 'ERR 553, and the session lives',
      samples: fc.record({ at: fc.nat(100_000), change: fc.integer({ min: 1, max: 255 }) }),
    },
    (peer, { at, change }) =>
      giveRefused(peer, ({ who }) => {
        const certificate = Buffer.from(who.certificate)
        certificate[at % certificate.length]! ^= change
        return objectOf({ key: who.key, certificate })
      }),
  ),
])
