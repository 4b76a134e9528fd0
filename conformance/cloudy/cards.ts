// Calling cards, given as objects: their lifetime, their fields, and the key that they carry.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { somebody } from './kit/certificates.js'
import { ec } from './kit/keys.js'
import { cardFields, envelope, jsonOf, keyedObject, now, objectOf, signedObject } from './kit/objects.js'
import { giveAccepted, giveRefused, OBJECTS, SIGNED, visit } from './kit/visit.js'

const FIELDS = 'The value of a card has exactly these members'
const CARRIES = 'A card carries its key and no certificate'
const SHORT = 'lives at most 600 seconds'
const CLOCKS = 300
/** Octets of the largest card. */
const MAX_CARD = 1275

const card = (fields: Readonly<Record<string, unknown>>) => ({ value: cardFields(fields) })

/** Texts of so many characters. */
const text = (maxLength: number) => fc.string({ maxLength, unit: fc.constantFrom('a', 'Z', ' ', 'é', 'Ж', '7', '-') })
const addresses = fc.oneof(fc.ipV4(), fc.constantFrom('::1', 'fe80::1', '2001:db8::1', '::ffff:192.0.2.1'))
const port = fc.integer({ min: 1, max: 65_535 })

const lawful = fc.record({
  nickname: text(64),
  host: fc.constantFrom('judge', 'judge.local', 'a_b-c.example', 'HOST.local', `${'h'.repeat(63)}.local`),
  port,
  addresses: fc.array(addresses, { maxLength: 4 }),
  external: fc.option(fc.record({ address: addresses, port }), { nil: undefined }),
  availability: fc.constantFrom('available', 'away', 'busy'),
  status: text(60),
  sequence: fc.maxSafeNat(),
})

/** Fields that are wrong, by the field. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  nickname: [undefined, 1, null, 'n'.repeat(65)],
  host: [undefined, '', 'two words', '-host', 'host-', 'a..b', '.local', 'ho/st', 'h'.repeat(64), `${'h.'.repeat(127)}h`, 1],
  port: [undefined, 0, -1, 65_536, 1.5, '10288', null],
  addresses: [
    undefined,
    'localhost',
    ['localhost'],
    ['1.2.3'],
    ['256.1.1.1'],
    ['fe80::1%eth0'],
    [1],
    Array(9).fill('127.0.0.1'),
    {},
  ],
  external: [
    null,
    {},
    { address: '192.0.2.1' },
    { address: 'host', port: 1 },
    { address: '192.0.2.1', port: 0 },
    { address: '192.0.2.1', port: 1, more: 1 },
  ],
  availability: [undefined, 'offline', 'Available', '', 1, 'constructor'],
  status: [undefined, 's'.repeat(141), 1],
  sequence: [undefined, -1, 0.5, 2 ** 53, '1'],
  more: [1, null],
}
const wrong = Object.entries(WRONG).flatMap(([field, values]) => values.map((value) => ({ field, value })))

export const cards = section('cloudy/cards', 'Calling cards', [
  must.hold(
    'given',
    {
      title: 'a card with any lawful fields',
      judges: ['CLOUDY-CARD-01', 'CLOUDY-CARD-02'],
      quote: FIELDS,
      sends: 'a card as an object',
      expects: 'its digest',
      samples: lawful,
    },
    (peer, fields) => giveAccepted(peer, ({ who }) => keyedObject(who, card(fields))),
  ),
  must(
    'fields-wrong',
    {
      title: `each field wrong in each way: ${wrong.length} cards`,
      judges: ['CLOUDY-CARD-02'],
      quote: FIELDS,
      sends: 'each such card, properly signed',
      expects: 'ERR 553 each time, and the session lives',
    },
    async (peer) => {
      // As many as one may give in a row.
      for (let at = 0; at < wrong.length; at += 15) {
        const here = await visit(at === 0 ? peer : await peer.another(), somebody())
        const channel = await here.open(OBJECTS)
        for (const { field, value } of wrong.slice(at, at + 15)) {
          const said = await here.say(channel, SIGNED, keyedObject(here.who, card({ [field]: value })))
          if (said.code !== 553)
            throw new Failure(`${field} ${JSON.stringify(value)}: expected ERR 553; ${said.keyword} ${said.code ?? ''} came`)
        }
        await here.peer.expectAlive()
      }
      return undefined
    },
  ),
  must.hold(
    'more-members',
    {
      title: 'any member more in a card',
      judges: ['CLOUDY-CARD-02'],
      quote: FIELDS,
      sends: 'such a card',
      expects: 'ERR 553, and the session lives',
      samples: fc
        .oneof(fc.constantFrom('Nickname', 'key', 'constructor', ''), fc.string({ maxLength: 12 }))
        .filter((name) => !(name in { ...cardFields(), external: 0 })),
    },
    (peer, name) => giveRefused(peer, ({ who }) => keyedObject(who, card(Object.fromEntries([[name, 1]])))),
  ),
  must.hold(
    'lengths',
    {
      title: 'a nickname and a status of any length',
      judges: ['CLOUDY-CARD-02'],
      quote: FIELDS,
      sends: 'a card with them',
      expects: 'its digest when both are in their bounds; ERR 553 otherwise',
      samples: fc.record({
        nickname: fc.integer({ min: 55, max: 75 }),
        status: fc.integer({ min: 130, max: 150 }),
        wide: fc.boolean(),
      }),
    },
    (peer, { nickname, status, wide }) => {
      const fields = { nickname: (wide ? '😀' : 'n').repeat(nickname), status: 's'.repeat(status), addresses: [] }
      const give = nickname <= 64 && status <= 140 ? giveAccepted : giveRefused
      return give(peer, ({ who }) => keyedObject(who, card(fields)))
    },
  ),
  must.hold(
    'lifetime',
    {
      title: 'a card that lives longer than a card may',
      judges: ['CLOUDY-CARD-03'],
      quote: SHORT,
      sends: 'such a card',
      expects: 'ERR 553, and the session lives',
      samples: fc.integer({ min: 601, max: 315_360_000 }),
    },
    (peer, lifetime) => {
      const issued = now()
      return giveRefused(peer, ({ who }) => keyedObject(who, { issued, expires: issued + lifetime }))
    },
  ),
  must.hold(
    'expired',
    {
      title: 'a card that has expired',
      judges: ['CLOUDY-CARD-03', 'CLOUDY-LIFE-01'],
      quote: 'it has expired',
      sends: 'such a card',
      expects: 'ERR 550, and the session lives',
      samples: fc.integer({ min: CLOCKS, max: 100_000_000 }),
    },
    (peer, ago) => giveRefused(peer, ({ who }) => keyedObject(who, { issued: now() - ago - 600, expires: now() - ago }), [550]),
  ),
  must(
    'from-future',
    {
      title: 'a card from the future',
      judges: ['CLOUDY-LIFE-02'],
      quote: "ahead of the receiver's clock",
      sends: 'such a card',
      expects: 'ERR 553, and the session lives',
    },
    (peer) => giveRefused(peer, ({ who }) => keyedObject(who, { issued: now() + 1000, expires: now() + 1600 })),
  ),
  must(
    'addressed',
    {
      title: 'a card to somebody',
      judges: ['CLOUDY-CARD-04'],
      quote: 'It is for everybody',
      sends: 'a card with the fingerprint of the target in `to`',
      expects: 'ERR 553, and the session lives',
    },
    (peer) => giveRefused(peer, ({ who, host }) => keyedObject(who, { to: host })),
  ),
  must(
    'with-certificate',
    {
      title: 'a card that carries a certificate',
      judges: ['CLOUDY-CARD-01'],
      quote: CARRIES,
      sends: 'a card as any other object',
      expects: 'ERR 553, and the session lives',
    },
    (peer) => giveRefused(peer, ({ who }) => objectOf(who, { type: 'cloudy/card', value: cardFields() })),
  ),
  must(
    'with-both',
    {
      title: 'a card that carries its key and a certificate',
      judges: ['CLOUDY-CARD-01'],
      quote: CARRIES,
      sends: 'such a card',
      expects: 'ERR 553, and the session lives',
    },
    (peer) =>
      giveRefused(peer, ({ who }) =>
        objectOf(who, { type: 'cloudy/card', value: cardFields(), key: who.key.spki.toString('base64') }),
      ),
  ),
  must(
    'key-of-another',
    {
      title: 'a card with the key of somebody who has not signed it',
      judges: ['CLOUDY-CARD-01'],
      quote: CARRIES,
      sends: 'such a card',
      expects: 'ERR 553, and the session lives',
    },
    (peer) => giveRefused(peer, ({ who }) => keyedObject(who, { key: ec().spki.toString('base64') })),
  ),
  must.hold(
    'key-spelled-otherwise',
    {
      title: 'a key in base64 that is not the one encoding of it',
      judges: ['CLOUDY-CARD-01'],
      quote: 'the SubjectPublicKeyInfo in base64',
      sends: 'such a card',
      expects: 'ERR 553, and the session lives',
      samples: fc.constantFrom('line', 'space', 'unpadded', 'url', 'hex', 'longer'),
    },
    (peer, how) =>
      giveRefused(peer, ({ who }) => {
        const { spki } = who.key
        const key = spki.toString('base64')
        const spelled = {
          line: key.replace(/.{64}/g, '$&\n'),
          space: ` ${key}`,
          unpadded: `${key}=`,
          url: `${spki.toString('base64url')}_`,
          hex: spki.toString('hex'),
          longer: Buffer.concat([spki, Buffer.of(0)]).toString('base64'),
        }
        return keyedObject(who, { key: spelled[how as keyof typeof spelled] })
      }),
  ),
  must(
    'oversized',
    {
      title: 'a card that fits no TXT record',
      judges: ['CLOUDY-CARD-05'],
      quote: 'at most 1,275 octets',
      sends: 'a card with white space up to more octets than that',
      expects: 'ERR 553 or 554, and the session lives',
    },
    (peer) =>
      giveRefused(
        peer,
        ({ who }) => {
          const content = jsonOf(envelope({ type: 'cloudy/card', key: who.key.spki.toString('base64'), value: cardFields() }))
          const spaces = Buffer.alloc(MAX_CARD, ' ')
          return signedObject(who, Buffer.concat([content, spaces]), { certificates: Buffer.alloc(0) })
        },
        [553, 554],
      ),
  ),
  must.hold(
    'octet-altered',
    {
      title: 'a card in which any octet is another',
      judges: ['CLOUDY-OBJ-04'],
      quote: 'the object does not hold',
      sends: 'such a card',
      expects: 'ERR 553, or 550 where it is the time of expiry, and the session lives',
      samples: fc.record({ at: fc.nat(100_000), change: fc.integer({ min: 1, max: 255 }) }),
    },
    (peer, { at, change }) =>
      giveRefused(
        peer,
        ({ who }) => {
          const altered = keyedObject(who)
          altered[at % altered.length]! ^= change
          return altered
        },
        [550, 553],
      ),
  ),
])
