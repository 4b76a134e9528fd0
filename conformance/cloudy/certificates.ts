// The certificates profile: the exchange on start, and asking by fingerprint.
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { certificateOf, somebody, WRONG_CERTIFICATES } from './kit/certificates.js'
import { ec, fingerprintOf } from './kit/keys.js'
import { answersOf, CERTIFICATES, declined, JSON_TEXT, OCTETS, ownerOf, type Said, type Visit, visit } from './kit/visit.js'

const DIFFER = 'the one who is asked declines the start with 535'
const ASK = 'either side may ask for certificates by fingerprint'
const NEWER = 'takes its place'
const DAY = 86_400_000

/** Starts the profile, and asks once. */
async function asked(here: Visit, question: string | Uint8Array, contentType = JSON_TEXT): Promise<Said> {
  return here.say(await here.open(CERTIFICATES, here.who.certificate), contentType, question)
}

function question(fingerprints: readonly string[]): string {
  return JSON.stringify({ certificates: fingerprints })
}

/** @throws Failure unless exactly these certificates came, in this order, each labelled as one */
function expectTold(said: Said, expected: readonly Buffer[]): undefined {
  const answers = answersOf(said)
  const other = answers.find(({ type }) => type !== 'application/pkix-cert')
  if (other !== undefined) throw new Failure(`an answer is labelled ${other.type}`)
  if (answers.length !== expected.length)
    throw new Failure(`${answers.length} certificates came; ${expected.length} were expected`)
  if (!answers.every(({ body }, at) => body.equals(expected[at]!)))
    throw new Failure('other certificates came, or in another order')
  return undefined
}

const unknown = (): string => fingerprintOf(randomBytes(32))
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const mistyped = (fingerprint: string): string => fingerprint.slice(0, -1) + (fingerprint.endsWith('a') ? 'b' : 'a')

/** Questions that are none, and the code that each deserves. */
const NO_QUESTIONS: readonly (readonly [code: number, text: string | Buffer])[] = [
  [500, ''],
  [500, 'ada'],
  [500, '{"certificates":[]'],
  [500, '{"certificates":[],"certificates":[]}'],
  [500, '\u00ef\u00bb\u00bf{"certificates":[]}'],
  [500, Buffer.from('7b22fe223a317d', 'hex')],
  [501, '[]'],
  [501, '{}'],
  [501, 'null'],
  [501, '{"certificates":"ada"}'],
  [501, '{"certificates":[1]}'],
  [501, '{"certificates":["ada"]}'],
  [501, question([mistyped(unknown())])],
  [501, question([unknown().toUpperCase()])],
  [501, question([unknown().replaceAll('-', '')])],
  [501, '{"certificates":[],"statements":true}'],
  [501, question(Array.from({ length: 65 }, unknown))],
]

export const exchange = section('cloudy/certificates', 'Certificates', [
  must(
    'exchange',
    {
      title: 'both certificates are shown at the start',
      judges: ['CLOUDY-CERT-01'],
      quote: 'in the start, the certificate of who starts',
      sends: 'a start with a certificate in base64',
      expects: 'the certificate of the target in base64, of the key that TLS proved',
    },
    async (peer) => {
      const here = await visit(peer)
      const { keyword, element } = await here.start(CERTIFICATES, here.who.certificate)
      const { attributes, text } = element
      if (keyword !== 'RPY') throw new Failure(`it refuses with ${attributes.code}: ${text.trim()}`)
      if (attributes.encoding !== 'base64') throw new Failure(`the encoding is ${attributes.encoding ?? 'none'}`)
      if (ownerOf(Buffer.from(text, 'base64')) !== here.host)
        throw new Failure('the certificate that it shows is of another key than that of TLS')
      return undefined
    },
  ),
  must(
    'none-shown',
    {
      title: 'a start without a certificate',
      judges: ['CLOUDY-CERT-03'],
      quote: 'A start without a certificate is declined with 501',
      sends: 'a start',
      expects: 'ERR 501, and the session lives',
    },
    async (peer) => declined(peer, await (await visit(peer)).start(CERTIFICATES), [501]),
  ),
  must(
    'of-another-key',
    {
      title: 'a start with the certificate of somebody else',
      judges: ['CLOUDY-CERT-02'],
      quote: DIFFER,
      sends: 'a good certificate of another key',
      expects: 'ERR 535, and the session lives',
    },
    async (peer) => declined(peer, await (await visit(peer)).start(CERTIFICATES, somebody().certificate), [535]),
  ),
  must(
    'nothing-learnt',
    {
      title: 'a newer certificate of somebody else is shown, which is declined',
      judges: ['CLOUDY-CERT-04'],
      quote: 'nothing is learnt from it',
      sends: 'the certificate of somebody who visits, too; they ask for their own',
      expects: 'the one that they have shown themselves',
    },
    async (peer) => {
      const here = await visit(peer)
      const them = await visit(await peer.another(), somebody())
      const forged = certificateOf(them.who.key, { nickname: 'Eve', notBefore: new Date() })
      await declined(peer, await here.start(CERTIFICATES, forged), [535])
      return expectTold(await asked(them, question([them.who.key.fingerprint])), [them.who.certificate])
    },
  ),
  must.hold(
    'octet-altered',
    {
      title: 'a certificate in which any octet is another',
      judges: ['CLOUDY-CERT-02'],
      quote: DIFFER,
      sends: 'a start with it',
      expects: 'ERR 535, and the session lives',
      samples: fc.record({ at: fc.nat(10_000), change: fc.integer({ min: 1, max: 255 }) }),
    },
    async (peer, { at, change }) => {
      const here = await visit(peer)
      const altered = Buffer.from(here.who.certificate)
      altered[at % altered.length]! ^= change
      return declined(peer, await here.start(CERTIFICATES, altered), [535])
    },
  ),
  must.hold(
    'no-certificate',
    {
      title: 'any octets in place of a certificate',
      judges: ['CLOUDY-CERT-02'],
      quote: DIFFER,
      sends: 'a start with them',
      expects: 'ERR 535, and the session lives',
      samples: fc.uint8Array({ minLength: 1, maxLength: 600 }),
    },
    async (peer, octets) => declined(peer, await (await visit(peer)).start(CERTIFICATES, octets), [535]),
  ),
  must.hold(
    'rules-of-x509',
    {
      title: 'a certificate of the right key that breaks a rule',
      judges: ['CLOUDY-CERT-02', 'CLOUDY-CERT-09'],
      quote: 'X.509 v3 in DER (RFC 5280), self-signed',
      sends: 'a start with it',
      expects: 'ERR 535, and the session lives',
      samples: fc.constantFrom(...Object.keys(WRONG_CERTIFICATES)),
    },
    async (peer, which) => {
      const here = await visit(peer)
      return declined(peer, await here.start(CERTIFICATES, WRONG_CERTIFICATES[which]!(here.who.key)), [535])
    },
  ),
  must(
    'octets-behind',
    {
      title: 'a certificate with an octet behind it',
      judges: ['CLOUDY-CERT-02'],
      quote: DIFFER,
      sends: 'a start with it',
      expects: 'ERR 535, and the session lives',
    },
    async (peer) => {
      const here = await visit(peer)
      return declined(peer, await here.start(CERTIFICATES, Buffer.concat([here.who.certificate, Buffer.of(0)])), [535])
    },
  ),
  must.hold(
    'newer-replaces',
    {
      title: 'two certificates of one key, shown one after the other',
      judges: ['CLOUDY-CERT-05'],
      quote: NEWER,
      sends: 'both, in two starts; then a question for it',
      expects: 'the one with the later notBefore',
      samples: fc.uniqueArray(fc.nat(3000), { minLength: 2, maxLength: 2 }),
    },
    async (peer, days) => {
      const from = (day: number) => new Date(Date.now() - 4000 * DAY + day * DAY)
      const key = ec()
      const here = await visit(peer, somebody(key, { notBefore: from(0) }))
      const [first, second] = days.map((day) => certificateOf(key, { nickname: `Day ${day}`, notBefore: from(day + 1) }))
      await here.open(CERTIFICATES, first)
      const channel = await here.open(CERTIFICATES, second)
      const newer = days[0]! > days[1]! ? first! : second!
      return expectTold(await here.say(channel, JSON_TEXT, question([key.fingerprint])), [newer])
    },
  ),
  must.hold(
    'asked',
    {
      title: 'a question with fingerprints that are known and that are not, in any order, some twice',
      judges: ['CLOUDY-CERT-06', 'CLOUDY-CERT-07'],
      quote: 'one ANS, in the order of the question, each once; then NUL',
      sends: 'fingerprints of the target, of the judge, and of nobody',
      expects: 'the certificates of the two, in that order, each once, then NUL',
      samples: fc.array(fc.constantFrom('host' as const, 'own' as const, 'unknown' as const), { maxLength: 64 }),
    },
    async (peer, whom) => {
      const here = await visit(peer, somebody())
      const certificates = { host: here.certificate, own: here.who.certificate }
      const fingerprints = { host: here.host, own: here.who.key.fingerprint }
      const known = [...new Set(whom)].filter((each) => each !== 'unknown')
      const said = await asked(here, question(whom.map((each) => (each === 'unknown' ? unknown() : fingerprints[each]))))
      return expectTold(
        said,
        known.map((each) => certificates[each]),
      )
    },
  ),
  must(
    'others-not-told',
    {
      title: 'a stranger asks for the certificate of somebody else',
      judges: ['CLOUDY-CERT-08'],
      quote: 'whose certificate is not for the asker, gives no answer',
      sends: 'a question for somebody who visits, too',
      expects: 'NUL, as for somebody who is not known',
    },
    async (peer) => {
      const them = await visit(await peer.another(), somebody())
      const here = await visit(peer, somebody())
      return expectTold(await asked(here, question([them.who.key.fingerprint])), [])
    },
  ),
  must.hold(
    'no-question',
    {
      title: 'a question that is none',
      judges: ['CLOUDY-CERT-10', 'CLOUDY-JSON-01', 'CLOUDY-JSON-02', 'CLOUDY-JSON-05'],
      quote: ASK,
      sends: 'what is no JSON, or has other members, or more than 64 fingerprints',
      expects: 'ERR 500 or 501, and the session lives',
      samples: fc.constantFrom(...NO_QUESTIONS),
    },
    async (peer, [code, text]) => {
      const here = await visit(peer)
      return here.refused(await asked(here, typeof text === 'string' ? Buffer.from(text, 'latin1') : text), [code])
    },
  ),
  must.hold(
    'fingerprint-mistyped',
    {
      title: 'a fingerprint with one wrong character, or two that changed places',
      judges: ['CLOUDY-KEY-04'],
      quote: 'read as a number in base 32, are a multiple of 1048573',
      sends: 'a question with it',
      expects: 'ERR 501, and the session lives',
      samples: fc.record({ at: fc.nat(54), by: fc.integer({ min: 1, max: 31 }), swap: fc.boolean() }),
    },
    async (peer, { at, by, swap }) => {
      const here = await visit(peer)
      const characters = here.host.replaceAll('-', '').split('')
      const [one = '', two = ''] = characters.slice(at, at + 2)
      if (swap && one !== two) characters.splice(at, 2, two, one)
      else characters[at] = ALPHABET[(ALPHABET.indexOf(one) + by) % 32]!
      const wrong = (characters.join('').match(/.{4}/g) ?? []).join('-')
      return here.refused(await asked(here, question([wrong])), [501])
    },
  ),
  must.hold(
    'more-members',
    {
      title: 'any member more in a question',
      judges: ['CLOUDY-JSON-05', 'CLOUDY-CERT-10'],
      quote: 'Members that are not named here are refused',
      sends: 'a question with it',
      expects: 'ERR 501, and the session lives',
      samples: fc
        .oneof(fc.constantFrom('Certificates', 'statements', 'constructor', ''), fc.string({ maxLength: 12 }))
        .filter((name) => !['certificates', '__proto__'].includes(name)),
    },
    async (peer, name) => {
      const here = await visit(peer)
      const text = JSON.stringify({ certificates: [here.host], ...Object.fromEntries([[name, true]]) })
      return here.refused(await asked(here, text), [501])
    },
  ),
  must(
    'question-too-long',
    {
      title: 'a question of more octets than are allowed',
      judges: ['CLOUDY-CERT-11'],
      quote: 'at most 8,192 octets',
      sends: 'a question for nobody, with spaces up to 8193 octets',
      expects: 'ERR 554, and the session lives',
    },
    async (peer) => {
      const here = await visit(peer)
      return here.refused(await asked(here, question([]).padEnd(8193)), [554])
    },
  ),
  must(
    'question-of-another-type',
    {
      title: 'a question with another Content-Type',
      judges: ['CLOUDY-CERT-10'],
      quote: 'starting it, application/json',
      sends: 'a question as application/octet-stream',
      expects: 'ERR 501, and the session lives',
    },
    async (peer) => {
      const here = await visit(peer)
      return here.refused(await asked(here, question([]), OCTETS), [501])
    },
  ),
])
