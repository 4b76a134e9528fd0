// The files profile: a manifest asks, the next MSG brings the octets, and what is not as promised is refused.
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import type { Peer } from '../harness/peer.js'
import { somebody } from './kit/certificates.js'
import { fingerprintOf, sha256 } from './kit/keys.js'
import { now, objectOf } from './kit/objects.js'
import { accepted, FILES, JSON_TEXT, OCTETS, refusedWith, type Said, SIGNED, type Visit, visit } from './kit/visit.js'

const MANIFEST = 'Its value has exactly these members'
const NEXT = 'the next MSG on the same channel is the file'
const USED_UP = 'the offer is used up'
const PROMISED = 'the octets of a file are others than promised'
const HELLO = Buffer.from('hello')
/** How often an offer is made that is refused for now: there may be nobody who could accept it. */
const TRIES = 8

type Members = Readonly<Record<string, unknown>>

function manifestOf(octets: Uint8Array, changes: Members = {}): Members {
  return { name: 'hello.txt', size: octets.length, sha256: sha256(octets).toString('hex'), ...changes }
}

/** A manifest to the target, as an object. */
function offerOf(here: Visit, value: unknown, changes: Members = {}): Buffer {
  return objectOf(here.who, { type: 'cloudy/file', to: here.host, value, ...changes })
}

async function offer(here: Visit, channel: number, object: Uint8Array): Promise<Said> {
  const said = await here.say(channel, SIGNED, object, TRIES)
  if (said.code === 450) throw new Unsupported(`it accepts no file now: ${said.text}`)
  return said
}

/** An offer that is accepted. @throws Unsupported when whoever decides says no */
async function offered(here: Visit, channel: number, value: unknown, changes: Members = {}): Promise<void> {
  const said = await offer(here, channel, offerOf(here, value, changes))
  if (said.code === 550) throw new Unsupported(`it accepts no file: ${said.text}`)
  if (accepted(said) !== 'accepted') throw new Failure(`the offer is answered ${JSON.stringify(said.text.slice(0, 100))}`)
}

/** A file, from the offer to its digest. */
async function sent(here: Visit, channel: number, octets: Uint8Array, changes: Members = {}): Promise<undefined> {
  await offered(here, channel, manifestOf(octets, changes))
  const digest = accepted(await here.say(channel, OCTETS, octets))
  if (digest !== sha256(octets).toString('hex'))
    throw new Failure(`its digest is said to be ${JSON.stringify(digest.slice(0, 100))}`)
  return undefined
}

/** On a session and a channel of its own. */
async function filing(peer: Peer): Promise<{ here: Visit; channel: number }> {
  const here = await visit(peer)
  return { here, channel: await here.open(FILES) }
}

/** The octets are refused; the offer is used up, and the channel is as new. */
async function expectRefused(
  here: Visit,
  channel: number,
  octets: Uint8Array,
  codes: readonly number[],
  contentType = OCTETS,
): Promise<string> {
  const saw = await here.refused(await here.say(channel, contentType, octets), codes)
  refusedWith(await here.say(channel, OCTETS, HELLO), [501])
  return saw
}

/** Names that would be something else than a label. */
const names = fc.oneof(
  fc.constantFrom(
    '../../etc/passwd',
    '/etc/passwd',
    '..',
    '.',
    '',
    '.bashrc',
    'a/b',
    'a\\b',
    'C:\\x',
    'con',
    'nul.txt',
    'a\u0000b',
    '\u202egpj.exe',
    'n'.repeat(255),
    'é'.repeat(200),
    '😀'.repeat(100),
  ),
  fc.string({ maxLength: 40, unit: 'grapheme' }),
)

/** Values that are no manifest, by what is wrong with them. */
const WRONG_MANIFESTS: Readonly<Record<string, () => unknown>> = {
  'no name': () => manifestOf(HELLO, { name: undefined }),
  'a name that is a number': () => manifestOf(HELLO, { name: 1 }),
  'no size': () => manifestOf(HELLO, { size: undefined }),
  'a size below nothing': () => manifestOf(HELLO, { size: -1 }),
  'a size with a fraction': () => manifestOf(HELLO, { size: 4.5 }),
  'a size of 2^53': () => manifestOf(HELLO, { size: 2 ** 53 }),
  'a size as a text': () => manifestOf(HELLO, { size: '5' }),
  'no digest': () => manifestOf(HELLO, { sha256: undefined }),
  'a digest in upper case': () => manifestOf(HELLO, { sha256: sha256(HELLO).toString('hex').toUpperCase() }),
  'a digest of 63 characters': () => manifestOf(HELLO, { sha256: sha256(HELLO).toString('hex').slice(1) }),
  'a digest in base64': () => manifestOf(HELLO, { sha256: sha256(HELLO).toString('base64') }),
  'another member': () => manifestOf(HELLO, { path: '/tmp' }),
  'an array': () => [manifestOf(HELLO)],
  'a text': () => 'hello.txt',
}

/** Offers that do not hold, by what is wrong with them, and the code that each deserves. */
const WRONG_OFFERS: Readonly<Record<string, readonly [code: number, make: (here: Visit) => Buffer]>> = {
  'signed by somebody else': [
    553,
    ({ host }) => objectOf(somebody(), { type: 'cloudy/file', to: host, value: manifestOf(HELLO) }),
  ],
  'to nobody': [553, (here) => offerOf(here, manifestOf(HELLO), { to: undefined })],
  'to somebody else': [553, (here) => offerOf(here, manifestOf(HELLO), { to: fingerprintOf(randomBytes(32)) })],
  'to the sender': [553, (here) => offerOf(here, manifestOf(HELLO), { to: here.who.key.fingerprint })],
  'of another type': [553, (here) => offerOf(here, manifestOf(HELLO), { type: 'conform/file' })],
  expired: [550, (here) => offerOf(here, manifestOf(HELLO), { issued: now() - 2000, expires: now() - 1000 })],
  'from the future': [553, (here) => offerOf(here, manifestOf(HELLO), { issued: now() + 1000 })],
  altered: [
    553,
    (here) => Buffer.from(offerOf(here, manifestOf(HELLO)).map((octet, at, all) => (at === all.length - 1 ? octet ^ 1 : octet))),
  ],
  'with an octet behind it': [553, (here) => Buffer.concat([offerOf(here, manifestOf(HELLO)), Buffer.of(0)])],
  'not signed': [553, () => Buffer.from(JSON.stringify(manifestOf(HELLO)))],
}

export const files = section('cloudy/files', 'Files', [
  must.hold(
    'sent',
    {
      title: 'a file of any octets, with any name',
      judges: ['CLOUDY-FILE-01', 'CLOUDY-FILE-02', 'CLOUDY-FILE-03'],
      quote: NEXT,
      sends: 'a manifest, and the octets',
      expects: '`accepted`, then the digest',
      samples: fc.record({ octets: fc.uint8Array({ maxLength: 10_000, size: 'max' }), name: names }),
    },
    async (peer, { octets, name }) => {
      const { here, channel } = await filing(peer)
      return sent(here, channel, octets, { name })
    },
  ),
  must(
    'several',
    {
      title: 'two files on one channel, of the same name, the second empty',
      judges: ['CLOUDY-FILE-03'],
      quote: NEXT,
      sends: 'both',
      expects: 'the digest of each',
    },
    async (peer) => {
      const { here, channel } = await filing(peer)
      await sent(here, channel, HELLO)
      return sent(here, channel, Buffer.alloc(0))
    },
  ),
  must.hold(
    'no-manifest',
    {
      title: 'a value that is no manifest',
      judges: ['CLOUDY-FILE-02'],
      quote: MANIFEST,
      sends: 'a signed offer with it',
      expects: 'ERR 553, and the session lives',
      samples: fc.constantFrom(...Object.keys(WRONG_MANIFESTS)),
    },
    async (peer, which) => {
      // The others here are by those who were met before: each has a quota of its own.
      const here = await visit(peer, somebody())
      return here.refused(await here.say(await here.open(FILES), SIGNED, offerOf(here, WRONG_MANIFESTS[which]!())), [553])
    },
  ),
  must.hold(
    'more-members',
    {
      title: 'any member more in a manifest',
      judges: ['CLOUDY-FILE-02'],
      quote: MANIFEST,
      sends: 'a signed offer with it',
      expects: 'ERR 553, and the session lives',
      samples: fc
        .oneof(fc.constantFrom('Name', 'path', 'constructor', ''), fc.string({ maxLength: 12 }))
        .filter((name) => !['name', 'size', 'sha256', '__proto__'].includes(name)),
    },
    async (peer, name) => {
      const { here, channel } = await filing(peer)
      const value = manifestOf(HELLO, Object.fromEntries([[name, 1]]))
      return here.refused(await here.say(channel, SIGNED, offerOf(here, value)), [553])
    },
  ),
  must.hold(
    'offer-does-not-hold',
    {
      title: 'an offer that does not hold',
      judges: ['CLOUDY-FILE-04', 'CLOUDY-LIFE-01'],
      quote: 'signed by the key that TLS proved, to the receiver',
      sends: 'such an offer',
      expects: 'ERR 553, or 550 when it has expired, and the session lives',
      samples: fc.constantFrom(...Object.keys(WRONG_OFFERS)),
    },
    async (peer, which) => {
      const { here, channel } = await filing(peer)
      const [code, make] = WRONG_OFFERS[which]!
      return here.refused(await here.say(channel, SIGNED, make(here)), [code])
    },
  ),
  must.hold(
    'other-octets',
    {
      title: 'octets of the right number that are others than promised',
      judges: ['CLOUDY-FILE-05', 'CLOUDY-FILE-06'],
      quote: PROMISED,
      sends: 'a manifest, and such octets',
      expects: 'ERR 553; the offer is used up, and the session lives',
      samples: fc.record({
        octets: fc.uint8Array({ minLength: 1, maxLength: 5000 }),
        at: fc.nat(10_000),
        change: fc.integer({ min: 1, max: 255 }),
      }),
    },
    async (peer, { octets, at, change }) => {
      const { here, channel } = await filing(peer)
      await offered(here, channel, manifestOf(octets))
      const others = Buffer.from(octets)
      others[at % others.length]! ^= change
      return expectRefused(here, channel, others, [553])
    },
  ),
  must.hold(
    'other-size',
    {
      title: 'more octets than promised, or fewer',
      judges: ['CLOUDY-FILE-05', 'CLOUDY-FILE-06'],
      quote: 'More octets than promised are refused',
      sends: 'a manifest whose size is a lie, and the octets of its digest',
      expects: 'ERR 553; the offer is used up, and the session lives',
      samples: fc.record({ promised: fc.nat(8000), comes: fc.nat(8000) }).filter(({ promised, comes }) => promised !== comes),
    },
    async (peer, { promised, comes }) => {
      const { here, channel } = await filing(peer)
      const octets = Buffer.alloc(comes, 'x')
      await offered(here, channel, manifestOf(octets, { size: promised }))
      return expectRefused(here, channel, octets, [553])
    },
  ),
  must(
    'octets-without-offer',
    {
      title: 'octets that nobody has offered',
      judges: ['CLOUDY-FILE-06'],
      quote: USED_UP,
      sends: 'octets as the first MSG of a channel',
      expects: 'ERR 501, and the session lives',
    },
    async (peer) => {
      const { here, channel } = await filing(peer)
      return here.refused(await here.say(channel, OCTETS, HELLO), [501])
    },
  ),
  must(
    'octets-twice',
    {
      title: 'the octets of one offer, twice',
      judges: ['CLOUDY-FILE-06'],
      quote: USED_UP,
      sends: 'a file, and its octets again',
      expects: 'the digest, then ERR 501',
    },
    async (peer) => {
      const { here, channel } = await filing(peer)
      await sent(here, channel, HELLO)
      return here.refused(await here.say(channel, OCTETS, HELLO), [501])
    },
  ),
  must(
    'octets-on-another-channel',
    {
      title: 'the octets on another channel than the offer',
      judges: ['CLOUDY-FILE-03'],
      quote: 'on the same channel',
      sends: 'an offer on one channel, the octets on another, and then on the first',
      expects: 'ERR 501, then the digest',
    },
    async (peer) => {
      const { here, channel } = await filing(peer)
      const other = await here.open(FILES)
      await offered(here, channel, manifestOf(HELLO))
      await here.refused(await here.say(other, OCTETS, HELLO), [501])
      if (accepted(await here.say(channel, OCTETS, HELLO)) !== sha256(HELLO).toString('hex'))
        throw new Failure('another digest came')
      return undefined
    },
  ),
  must.hold(
    'something-else-instead',
    {
      title: 'something else than the octets after an offer was accepted',
      judges: ['CLOUDY-FILE-06'],
      quote: 'after anything else that is sent instead',
      sends: 'an offer, something else, and the octets',
      expects: 'ERR 501 for both',
      samples: fc.constantFrom(JSON_TEXT, 'text/plain', SIGNED),
    },
    async (peer, contentType) => {
      const { here, channel } = await filing(peer)
      await offered(here, channel, manifestOf(HELLO))
      return expectRefused(here, channel, offerOf(here, manifestOf(HELLO)), [501], contentType)
    },
  ),
  must.hold(
    'too-large-for-a-stranger',
    {
      title: 'a file that is larger than a stranger may send',
      judges: ['CLOUDY-FILE-07', 'CLOUDY-QUOTA-04'],
      quote: 'refused before anybody is asked',
      sends: 'an offer of more than 64 MiB',
      expects: 'ERR 554, and the session lives',
      samples: fc.integer({ min: 64 * 1024 * 1024 + 1, max: Number.MAX_SAFE_INTEGER }),
    },
    async (peer, size) => {
      const here = await visit(peer, somebody())
      return here.refused(await here.say(await here.open(FILES), SIGNED, offerOf(here, manifestOf(HELLO, { size }))), [554])
    },
  ),
])
