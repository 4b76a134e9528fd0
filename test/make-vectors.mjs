// Makes the test vectors of fixtures/cloudy anew: `npm run build && node test/make-vectors.mjs && npm run format`. Needs `openssl`. The keys are fresh each time and
// kept nowhere. src/cloudy/vectors.test.ts holds that each vector is judged as its line says.
import { execFileSync } from 'node:child_process'
import { createHash, createPublicKey, generateKeyPairSync, sign as signOctets } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signCard } from '../dist/cloudy/calling-card.js'
import { readCms, signedAttributes, writeCms } from '../dist/cloudy/cms.js'
import { importPrivateKey, sign, signatureAlgorithm } from '../dist/cloudy/crypto.js'
import { element, inside, readElement, SEQUENCE, SET, sequence } from '../dist/cloudy/der.js'
import { Identity } from '../dist/cloudy/identity.js'
import { readPem } from '../dist/cloudy/pem.js'
import { makeCertificate } from '../dist/cloudy/self-signed.js'
import { LAST_SECOND, SIGN, signObject } from '../dist/cloudy/signed-object.js'
import { acceptSuccession, revoke, succeed } from '../dist/cloudy/succession.js'

const FOLDER = 'fixtures/cloudy'
const AT = Date.parse('2026-05-01T12:00:00Z') / 1000
const now = AT * 1000
const work = mkdtempSync(join(tmpdir(), 'cloudy-vectors-'))
const vectors = []
rmSync(FOLDER, { recursive: true, force: true })
mkdirSync(FOLDER, { recursive: true })

/** `reason` undefined: valid. `cms`: what a plain verifier of CMS says of it, where it is to be asked. */
function add(kind, name, why, octets, { reason, at = AT, cms = reason === undefined ? 'good' : undefined, ...more } = {}) {
  const file = `${kind}${name === '' ? '' : `-${name}`}.der`
  writeFileSync(join(FOLDER, file), octets)
  const judged = kind === 'certificate' ? {} : { at, cms }
  vectors.push({ file, kind, why, expect: reason === undefined ? 'valid' : 'refused', reason, ...judged, ...more })
}
const openssl = (...args) => execFileSync('openssl', args, { cwd: work, stdio: ['ignore', 'pipe', 'pipe'] })
const flip = (octets, at, bit = 0) =>
  Buffer.from(octets).fill(octets.at(at) ^ (1 << bit), at < 0 ? octets.length + at : at, (at < 0 ? octets.length + at : at) + 1)
const hex = (text) => Buffer.from(text, 'hex')
const spki = (pair) => pair.publicKey.export({ format: 'der', type: 'spki' })
const children = (der, tag = SEQUENCE) => inside(readElement(der, tag), tag).map(({ octets }) => octets)

const alice = await Identity.generate({ nickname: 'Alice', now })
const bob = await Identity.generate({ nickname: 'Bob', now })
const rsa2048 = await Identity.generate({ nickname: 'Rita', algorithm: 'RSA-2048', now })
const rsa3072 = await Identity.generate({ nickname: 'Ralph', algorithm: 'RSA-3072', now })
writeFileSync(join(work, 'alice.pem'), alice.certificatePem())
writeFileSync(join(work, 'alice.key'), alice.privateKeyPem())
const SIGNER = 'certificate.der'

// Certificates
const aliceKeys = await importPrivateKey(readPem(alice.privateKeyPem())[0].der)
const fields = inside(inside(readElement(alice.certificate.der, SEQUENCE), SEQUENCE)[0], SEQUENCE).map(({ octets }) => octets)
async function certify(changes, { algorithm = signatureAlgorithm('P-256'), more = [] } = {}) {
  const signed = sequence(...fields.map((octets, field) => changes[field] ?? octets), ...more)
  return sequence(signed, algorithm, element(0x03, Buffer.of(0), await sign(aliceKeys, signed)))
}
const utc = (text) => element(0x17, Buffer.from(text))
const generalized = (text) => element(0x18, Buffer.from(text))
const extensions = (...list) => element(0xa3, sequence(...list.map(hex)))
const BASIC = '300c0603551d130101ff04023000'
const rsaKey = (modulus, exponent = '0203010001', algorithm = '300d06092a864886f70d0101010500') =>
  sequence(hex(algorithm), element(0x03, Buffer.of(0), sequence(element(0x02, Buffer.of(0), modulus), hex(exponent))))
const modulus = (bits) => Buffer.alloc(bits / 8, 0xc5)
const point = createPublicKey(alice.certificatePem()).export({ format: 'jwk' })
const x = Buffer.from(point.x, 'base64url')
const compressed = Buffer.concat([hex('3039301306072a8648ce3d020106082a8648ce3d03010703220002'), x])
const hybrid = Buffer.from(alice.publicKey.der)
hybrid[26] = 0x06 | (hybrid.at(-1) & 1)
const WRONG_KEYS = [
  ['p-384', 'a key on P-384', spki(generateKeyPairSync('ec', { namedCurve: 'P-384' })), 'key-curve'],
  ['secp256k1', 'a key on secp256k1', spki(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), 'key-curve'],
  ['ed25519', 'an Ed25519 key', spki(generateKeyPairSync('ed25519')), 'key-algorithm'],
  ['compressed', 'a compressed point', compressed, 'key-point'],
  ['hybrid', 'a hybrid point', hybrid, 'key-point'],
  ['off-curve', 'a point that is not on the curve', flip(alice.publicKey.der, -1), 'key-point'],
  ['rsa-1024', 'an RSA key of 1024 bits', rsaKey(modulus(1024)), 'key-modulus'],
  ['rsa-4104', 'an RSA key of 4104 bits', rsaKey(modulus(4104)), 'key-modulus'],
  ['rsa-32768', 'a modulus of 32,768 bits: to be refused before any arithmetic', rsaKey(modulus(32_768)), 'key-modulus'],
  ['rsa-even', 'an even modulus', rsaKey(flip(modulus(2048), -1)), 'key-modulus'],
  ['rsa-exponent-3', 'the exponent 3', rsaKey(modulus(2048), '020103'), 'key-exponent'],
  [
    'rsa-no-parameters',
    'RSA without the parameters NULL',
    rsaKey(modulus(2048), undefined, '300b06092a864886f70d010101'),
    'key-parameters',
  ],
]

add('certificate', '', 'P-256, as usual; the signer of most objects here', alice.certificate.der)
add('certificate', 'rsa-2048', 'RSA-2048', rsa2048.certificate.der)
add('certificate', 'rsa-3072', 'RSA-3072', rsa3072.certificate.der)
const over2050 = await makeCertificate(aliceKeys, { nickname: 'Alice', notAfter: new Date('2051-01-01') })
add('certificate', 'over-2050', 'its end is a GeneralizedTime', over2050.der)
const past = await makeCertificate(aliceKeys, {
  nickname: 'Alice',
  notBefore: new Date('1999-01-01'),
  notAfter: new Date('1999-12-31'),
})
add('certificate', 'long-past', 'its dates are over: the key alone counts, and what lives shortly has its own dates', past.der)
openssl(
  'req',
  '-x509',
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:P-256',
  '-subj',
  '/CN=Carol',
  '-days',
  '30',
  '-nodes',
  '-keyout',
  'carol.key',
  '-out',
  'carol.pem',
)
add(
  'certificate',
  'openssl',
  'made by `openssl req -x509`: other extensions, equally welcome',
  openssl('x509', '-in', 'carol.pem', '-outform', 'DER'),
)
add('certificate', 'altered-signature', 'a bit of the signature is another', flip(alice.certificate.der, -1), {
  reason: 'signature',
})
const nameAt = Buffer.from(alice.certificate.der).lastIndexOf('Alice')
const renamed = Buffer.from(alice.certificate.der)
for (const at of [Buffer.from(renamed).indexOf('Alice'), nameAt]) renamed.write('Malic', at)
add('certificate', 'altered-name', 'the name is another', renamed, { reason: 'signature' })
add(
  'certificate',
  'other-key',
  'signed by another key than its own',
  sequence(children(alice.certificate.der)[0], signatureAlgorithm('P-256'), children(bob.certificate.der)[2]),
  { reason: 'signature' },
)
add('certificate', 'trailing', 'an octet follows it', Buffer.concat([alice.certificate.der, Buffer.of(0)]), {
  reason: 'malformed',
})
add('certificate', 'cut', 'its last octet is missing', alice.certificate.der.subarray(0, -1), { reason: 'malformed' })
for (const [name, why, changes, reason = 'certificate', options] of [
  ['version-1', 'version 1', { 0: hex('a003020100') }],
  ['serial-negative', 'a negative serial number', { 1: hex('020180') }],
  ['serial-zero', 'serial number 0', { 1: hex('020100') }],
  ['serial-21-octets', 'a serial number of 21 octets', { 1: element(0x02, Buffer.alloc(21, 1)) }],
  ['algorithm-inside', 'names another algorithm inside than outside', { 2: signatureAlgorithm('RSA') }],
  [
    'algorithm-sha1',
    'ecdsa-with-SHA1',
    { 2: hex('300906072a8648ce3d0401') },
    'certificate',
    { algorithm: hex('300906072a8648ce3d0401') },
  ],
  ['issuer', 'another issuer than subject', { 3: hex('300c310a300806035504030c0141') }],
  ['nameless', 'no name', { 3: sequence(), 5: sequence() }],
  ['generalized-2049', 'GeneralizedTime before 2050', { 4: sequence(utc('260101000000Z'), generalized('20491231235959Z')) }],
  ['fraction', 'a fraction of a second', { 4: sequence(utc('260101000000Z'), generalized('20510101000000.5Z')) }],
  ['no-seconds', 'a time without seconds', { 4: sequence(utc('2601010000Z'), utc('270101000000Z')) }],
  ['backwards', 'ends before it begins', { 4: sequence(utc('270101000000Z'), utc('260101000000Z')) }],
  ['extension-twice', 'an extension twice', { 7: extensions(BASIC, BASIC) }],
  ['extension-critical', 'a critical extension that nobody knows', { 7: extensions('300c0603551d630101ff04023000') }],
  [
    'extension-false',
    'writes the default FALSE, which is not DER',
    { 7: extensions('300c0603551d1301010004023000') },
    'malformed',
  ],
  ['key-usage', 'a key that may not sign', { 7: extensions('300b0603551d0f040403020308') }],
  ['unique-id', 'a unique identifier', { 7: hex('81020055') }],
])
  add('certificate', name, why, await certify(changes, options), { reason })
for (const [name, why, key, reason] of WRONG_KEYS) add('certificate', name, why, await certify({ 6: key }), { reason })
add('certificate', 'oversized', '8,193 octets', await padded(8193), { reason: 'oversized' })

async function padded(size) {
  const wrap = (text) => certify({ 3: name(text), 5: name(text) })
  const name = (text) => sequence(element(SET, sequence(hex('0603550403'), element(0x0c, Buffer.from(text)))))
  for (let length = (size - 500) >> 1; ; length++) {
    const der = await wrap('n'.repeat(length))
    if (der.length >= size) return der
  }
}

// Objects
const value = { text: 'grüezi' }
const NOTE = { type: 'example/note', lifetime: 21_600, now }
const note = (await alice.sign(value, { ...NOTE, to: bob.fingerprint })).octets
const parts = readCms(note)
const small = { type: 'example/note', issued: AT, expires: AT + 60, value: [1] }
/** Any content, properly signed by Alice, with her certificate. */
async function contents(content, { certificate = alice.certificate.der, digest } = {}) {
  const octets = Buffer.from(content)
  const messageDigest = digest ?? createHash('sha256').update(octets).digest()
  const signature = await alice[SIGN](signedAttributes(messageDigest))
  return writeCms({ content: octets, messageDigest, signature, certificate: certificate ?? undefined }, alice.publicKey)
}
const envelope = (changes) => JSON.stringify({ type: 'example/note', issued: AT, expires: AT + 60, value: 1, ...changes })

add('object', '', 'a note to Bob', note, { signer: alice.fingerprint })
add('object', 'for-recipient', 'the same, seen by Bob', note, { recipient: bob.fingerprint })
add('object', 'rsa-2048', 'signed with RSA-2048', (await rsa2048.sign(value, NOTE)).octets, { signer: rsa2048.fingerprint })
add('object', 'rsa-3072', 'signed with RSA-3072', (await rsa3072.sign(value, NOTE)).octets, { signer: rsa3072.fingerprint })
add(
  'object',
  'key',
  'carries the key in its content, in place of a certificate',
  (await signObject(alice, small, 'key')).octets,
  { certfile: SIGNER },
)
add(
  'object',
  'white-space',
  'JSON with white space: the octets count, not their form',
  await contents(JSON.stringify(JSON.parse(envelope({})), null, 2)),
)
add(
  'object',
  'unicode',
  'characters of all kinds, as they are and escaped',
  await contents(envelope({ value: '€𝄞' }).replace('𝄞', '𝄞\\ud834\\udd1e\\n')),
)
add('object', 'deep', '32 levels of JSON', await contents(envelope({ value: nested(31) })))
add('object', 'ahead', 'the clock of the signer is two minutes ahead', note, { at: AT - 120 })
add('object', 'last-second', 'in the last second of its life', note, { at: AT + 21_599 })
add('object', 'ten-years', 'lives as long as an object may', await contents(envelope({ expires: AT + 315_360_000 })))

function nested(depth) {
  return depth === 0 ? 0 : [nested(depth - 1)]
}

add('object', 'expired', 'its life is over', note, { at: AT + 21_600, reason: 'expired', cms: 'good' })
add('object', 'from-future', 'issued more than two minutes ahead', note, { at: AT - 121, reason: 'from-future', cms: 'good' })
add('object', 'other-recipient', 'a note to Bob, seen by somebody else', note, {
  recipient: alice.fingerprint,
  reason: 'recipient',
  cms: 'good',
})
add('object', 'oversized', 'more than 65,536 octets', await contents(envelope({ value: 'x'.repeat(65_000) })), {
  reason: 'oversized',
  cms: 'good',
})
add('object', 'empty', 'no octets', Buffer.alloc(0), { reason: 'malformed', cms: 'bad' })
add('object', 'garbage', 'no DER', Buffer.from('this is not an object\n'), { reason: 'malformed', cms: 'bad' })
add('object', 'cut', 'its last octet is missing', note.subarray(0, -1), { reason: 'malformed', cms: 'bad' })
add('object', 'trailing', 'an octet follows it, which OpenSSL does not look at', Buffer.concat([note, Buffer.of(0)]), {
  reason: 'malformed',
  cms: 'good',
})

const at = (octets) => note.length - Buffer.from(note).reverse().indexOf(Buffer.from(octets).reverse()) - octets.length
const contentAt = Buffer.from(note).indexOf(parts.content)
add('object', 'altered-content', 'a bit of the text is another', flip(note, contentAt + parts.content.length - 5), {
  reason: 'signature',
  cms: 'bad',
})
add('object', 'altered-digest', 'a bit of the messageDigest is another', flip(note, at(parts.messageDigest)), {
  reason: 'signature',
  cms: 'bad',
})
add('object', 'altered-signature', 'the last bit is another', flip(note, -1), { reason: 'signature', cms: 'bad' })
add(
  'object',
  'altered-certificate',
  'a bit of the signature in the certificate is another: OpenSSL, told not to judge certificates, does not see it',
  flip(note, at(alice.certificate.der) + alice.certificate.der.length - 1),
  { reason: 'signature', cms: 'good' },
)
add(
  'object',
  'altered-signer',
  'a bit of the name of the signer (SubjectKeyIdentifier) is another',
  flip(note, note.lastIndexOf(0x80, at(parts.messageDigest) - 60) + 5),
  { reason: 'not-canonical', cms: 'bad' },
)
const version = Buffer.from(note).indexOf(hex('0201033' + '10d'))
add('object', 'altered-version', 'another version of SignedData, which OpenSSL does not look at', flip(note, version + 2, 1), {
  reason: 'not-canonical',
  cms: 'good',
})

const [type, wrapped] = children(note)
const [v3, digests, encapsulated, certificates, signers] = children(children(wrapped, 0xa0)[0])
const wrap = (...members) => sequence(type, element(0xa0, sequence(...members)))
const [signer] = children(signers, SET)
const [sv, keyId, digestAlgorithm, attributes, algorithm] = children(signer)
const others = {
  bob: children(children(children(children(children((await bob.sign(value, NOTE)).octets)[1], 0xa0)[0])[4], SET)[0]),
}
const signedBy = (...members) => element(SET, sequence(...members))
add(
  'object',
  'two-signers',
  'two signers',
  wrap(v3, digests, encapsulated, certificates, element(SET, signer, sequence(...others.bob))),
  { reason: 'signers' },
)
add('object', 'no-signer', 'nobody signs', wrap(v3, digests, encapsulated, certificates, element(SET)), {
  reason: 'signers',
  cms: 'bad',
})
add(
  'object',
  'two-certificates',
  'a second certificate',
  wrap(v3, digests, encapsulated, element(0xa0, alice.certificate.der, bob.certificate.der), signers),
  { reason: 'signers', cms: 'good' },
)
add(
  'object',
  'detached',
  'the content is elsewhere',
  wrap(v3, digests, sequence(children(encapsulated)[0]), certificates, signers),
  { reason: 'malformed', cms: 'bad' },
)
add(
  'object',
  'crls',
  'a list of revocations beside the certificate',
  wrap(v3, digests, encapsulated, certificates, element(0xa1), signers),
  { reason: 'not-canonical' },
)
add(
  'object',
  'unsigned-attributes',
  'attributes that nobody signed',
  wrap(v3, digests, encapsulated, certificates, signedBy(...children(signer), element(0xa1, children(attributes, 0xa0)[0]))),
  { reason: 'not-canonical' },
)
add('object', 'enveloped', 'the type of EnvelopedData', sequence(hex('06092a864886f70d010703'), wrapped), {
  reason: 'malformed',
  cms: 'bad',
})
add(
  'object',
  'long-length',
  'a length that is not the shortest, as BER allows',
  Buffer.concat([hex('3083'), Buffer.of(0, ...note.subarray(2, 4)), note.subarray(4)]),
  { reason: 'malformed', cms: 'good' },
)
const sha512 = hex('300b0609608648016503040203')
const resigned = (set) => signOctets('sha256', element(SET, set), alice.privateKeyPem())
const [contentType, digestAttribute] = children(attributes, 0xa0)
const swapped = Buffer.concat([digestAttribute, contentType])
add(
  'object',
  'attributes-swapped',
  'its attributes are not in the order of DER, and signed so',
  wrap(
    v3,
    digests,
    encapsulated,
    certificates,
    signedBy(sv, keyId, digestAlgorithm, element(0xa0, swapped), algorithm, element(0x04, resigned(swapped))),
  ),
  { reason: 'not-canonical' },
)
const content512 = Buffer.concat([
  contentType,
  sequence(children(digestAttribute)[0], element(SET, element(0x04, createHash('sha512').update(parts.content).digest()))),
])
const signature512 = signOctets('sha512', element(SET, content512), alice.privateKeyPem())
add(
  'object',
  'sha-512',
  'SHA-512, signed with ecdsa-with-SHA512: good CMS, another algorithm',
  wrap(
    v3,
    element(SET, sha512),
    encapsulated,
    certificates,
    signedBy(sv, keyId, sha512, element(0xa0, content512), hex('300a06082a8648ce3d040304'), element(0x04, signature512)),
  ),
  { reason: 'not-canonical', cms: 'good' },
)
const raw = signOctets('sha256', element(SET, Buffer.concat([contentType, digestAttribute])), {
  key: alice.privateKeyPem(),
  dsaEncoding: 'ieee-p1363',
})
for (const [name, why, octets, cms] of [
  ['raw-signature', 'the signature is r and s without DER', raw, 'bad'],
  ['zero-signature', 'r and s are 0', hex('3006020100020100'), 'bad'],
  ['empty-signature', 'no octets of signature', Buffer.alloc(0), 'bad'],
  [
    'padded-signature',
    'r has a zero too many',
    sequence(element(0x02, Buffer.of(0, 0), raw.subarray(0, 32)), children(children(signer)[5].subarray(2))[1]),
    'bad',
  ],
])
  add(
    'object',
    name,
    why,
    wrap(
      v3,
      digests,
      encapsulated,
      certificates,
      signedBy(sv, keyId, digestAlgorithm, attributes, algorithm, element(0x04, octets)),
    ),
    { reason: 'signature', cms },
  )
add(
  'object',
  'other-certificate',
  'the certificate of somebody else',
  writeCms({ ...parts, certificate: bob.certificate.der }, bob.publicKey),
  { reason: 'signature', cms: 'bad' },
)
add(
  'object',
  'other-digest',
  'signs the digest of another content',
  await contents(envelope({}), { digest: createHash('sha256').update('another').digest() }),
  { reason: 'signature', cms: 'bad' },
)

writeFileSync(join(work, 'content.json'), envelope({}))
const cmsSign = (...args) =>
  openssl(
    'cms',
    '-sign',
    '-binary',
    '-nodetach',
    '-md',
    'sha256',
    '-nosmimecap',
    '-in',
    'content.json',
    '-signer',
    'alice.pem',
    '-inkey',
    'alice.key',
    '-outform',
    'DER',
    ...args,
  )
add(
  'object',
  'openssl-signing-time',
  'made by `openssl cms -sign -keyid`, which adds the attribute signingTime',
  cmsSign('-keyid'),
  { reason: 'not-canonical', cms: 'good' },
)
add(
  'object',
  'openssl-no-attributes',
  'made by `openssl cms -sign -keyid -noattr`: no signed attributes',
  cmsSign('-keyid', '-noattr'),
  { reason: 'malformed', cms: 'good' },
)
add(
  'object',
  'openssl-issuer-and-serial',
  'made by `openssl cms -sign`: the signer is named by issuer and serial number',
  cmsSign(),
  { reason: 'not-canonical', cms: 'good' },
)
add(
  'object',
  'openssl-stream',
  'made by `openssl cms -sign -stream`: lengths that are not definite',
  cmsSign('-keyid', '-stream'),
  { reason: 'malformed', cms: 'good' },
)

for (const [name, why, content, reason] of [
  ['no-type', 'no type', envelope({ type: undefined }), 'envelope'],
  ['type-upper-case', 'a type in upper case', envelope({ type: 'Example/note' }), 'envelope'],
  ['type-long', 'a type of 65 characters', envelope({ type: `example/${'x'.repeat(57)}` }), 'envelope'],
  ['no-value', 'no value', envelope({ value: undefined }), 'envelope'],
  ['member-more', 'a member that nobody knows', envelope({ more: 1 }), 'envelope'],
  ['date-text', 'a date as text', envelope({ issued: '2026-05-01' }), 'envelope'],
  ['date-fraction', 'a fraction of a second', envelope({ issued: AT + 0.5 }), 'envelope'],
  ['date-negative', 'a time before 1970', envelope({ issued: -1 }), 'envelope'],
  ['to-name', 'addressed to a name', envelope({ to: 'Bob' }), 'envelope'],
  [
    'to-unchecked',
    'addressed to a fingerprint whose check characters do not fit',
    envelope({ to: `${'aaaa-'.repeat(13)}aaab` }),
    'envelope',
  ],
  [
    'key-and-certificate',
    'a key beside the certificate',
    envelope({ key: Buffer.from(alice.publicKey.der).toString('base64') }),
    'envelope',
  ],
  ['backwards', 'expires before it is issued', envelope({ expires: AT - 60 }), 'lifetime'],
  ['no-life', 'expires when it is issued', envelope({ expires: AT }), 'lifetime'],
  ['long-life', 'lives a second more than ten years', envelope({ expires: AT + 315_360_001 }), 'lifetime'],
  ['array', 'a list', '[1]', 'envelope'],
  ['json-empty', 'no JSON', '', 'json'],
  ['json-comma', 'a comma too many', envelope({}).replace('}', ',}'), 'json'],
  ['json-twice', 'a name twice', envelope({}).replace('{', '{"value":2,'), 'json'],
  ['json-twice-inside', 'a name twice, deep inside', envelope({ value: 'X' }).replace('"X"', '[{"a":1,"a":1}]'), 'json'],
  ['json-twice-escaped', 'a name twice, once escaped', envelope({ value: 'X' }).replace('"X"', '{"a":1,"\\u0061":2}'), 'json'],
  ['json-proto', 'the name __proto__', envelope({ value: 'X' }).replace('"X"', '{"__proto__":1}'), 'json'],
  ['json-deep', '33 levels', envelope({ value: nested(32) }), 'json'],
  ['json-number', 'a number beyond all doubles', envelope({ value: 'X' }).replace('"X"', '1e999'), 'json'],
  ['json-surrogate', 'half a character, escaped', envelope({ value: 'X' }).replace('X', '\\ud800'), 'json'],
  ['json-bom', 'a byte order mark', `\ufeff${envelope({})}`, 'json'],
  ['json-utf-16', 'UTF-16', Buffer.from(envelope({}), 'utf16le'), 'json'],
  ['json-utf-8', 'an octet that is not UTF-8', octetsFor('X', 'ff'), 'json'],
  ['json-overlong', 'a slash in two octets', octetsFor('X', 'c0af'), 'json'],
])
  add('object', name, `content, properly signed: ${why}`, await contents(content), { reason, cms: 'good' })

function octetsFor(mark, octets) {
  const [before, after] = envelope({ value: mark }).split(`"${mark}"`)
  return Buffer.concat([Buffer.from(`${before}"`), hex(octets), Buffer.from(`"${after}`)])
}

const keyed = (key) => contents(envelope({ key: Buffer.from(key).toString('base64') }), { certificate: null })
add('object', 'no-key', 'neither certificate nor key', await contents(envelope({}), { certificate: null }), {
  reason: 'envelope',
})
add('object', 'key-of-another', 'the key in the content is another than the one that signed', await keyed(bob.publicKey.der), {
  reason: 'not-canonical',
})
const unpadded = Buffer.from(alice.publicKey.der).toString('base64').replace(/=+$/, '')
const longLength = Buffer.concat([hex('308159'), alice.publicKey.der.subarray(2)])
add('object', 'key-long-length', 'carries a key with a length that is not the shortest', await keyed(longLength), {
  reason: 'key-encoding',
})
add(
  'object',
  'key-unpadded',
  'the key is in another base64',
  await contents(envelope({ key: unpadded }), { certificate: null }),
  { reason: 'envelope' },
)
for (const [name, why, key, reason] of WRONG_KEYS) add('object', `key-${name}`, `carries ${why}`, await keyed(key), { reason })

// Cards
const FIELDS = {
  nickname: 'Alice',
  host: 'alice.local',
  port: 10288,
  addresses: ['192.168.1.20', 'fe80::1'],
  availability: 'available',
  status: 'at home',
  sequence: 7,
}
const card = await signCard(alice, FIELDS, { now })
const bent = async (changes, { carry = 'key', ...more } = {}) =>
  (
    await signObject(
      alice,
      { type: 'cloudy/card', issued: AT, expires: AT + 600, value: { ...FIELDS, ...changes }, ...more },
      carry,
    )
  ).octets
add('card', '', 'a card', card, { certfile: SIGNER })
add('card', 'again', 'the same number as the one seen last: the same card', card, { certfile: SIGNER, lastSequence: 7 })
add(
  'card',
  'external',
  'a router lets the world in',
  await signCard(alice, { ...FIELDS, external: { address: '203.0.113.9', port: 40_000 } }, { now }),
  { certfile: SIGNER },
)
add('card', 'rsa-2048', 'signed with RSA-2048', await signCard(rsa2048, FIELDS, { now }), {
  certfile: 'certificate-rsa-2048.der',
})
add('card', 'expired', 'ten minutes old', card, { at: AT + 600, reason: 'expired', cms: 'good', certfile: SIGNER })
add('card', 'from-future', 'more than two minutes ahead', card, {
  at: AT - 121,
  reason: 'from-future',
  cms: 'good',
  certfile: SIGNER,
})
add('card', 'replayed', 'a lower number than the one seen last', card, {
  lastSequence: 8,
  reason: 'replayed',
  cms: 'good',
  certfile: SIGNER,
})
add('card', 'altered', 'a bit of the port is another', flip(card, Buffer.from(card).indexOf('10288') + 1), {
  reason: 'signature',
  cms: 'bad',
  certfile: SIGNER,
})
add('card', 'trailing', 'an octet follows it', Buffer.concat([card, Buffer.of(0)]), { reason: 'malformed' })
const big = await signObject(rsa3072, { type: 'cloudy/card', issued: AT, expires: AT + 600, value: FIELDS }, 'key')
add('card', 'oversized', 'signed with RSA-3072: more than 1,275 octets', big.octets, {
  reason: 'oversized',
  cms: 'good',
  certfile: 'certificate-rsa-3072.der',
})
add('card', 'certificate', 'carries a certificate', await bent({}, { carry: 'certificate' }), { reason: 'card', cms: 'good' })
add('card', 'addressed', 'is addressed', await bent({}, { to: bob.fingerprint }), {
  reason: 'card',
  cms: 'good',
  certfile: SIGNER,
})
add('card', 'long-life', 'lives a second more than ten minutes', await bent({}, { expires: AT + 601 }), {
  reason: 'lifetime',
  cms: 'good',
  certfile: SIGNER,
})
add('card', 'other-type', 'another type', await bent({}, { type: 'example/card' }), {
  reason: 'type',
  cms: 'good',
  certfile: SIGNER,
})
for (const [name, why, changes] of [
  ['no-nickname', 'no nickname', { nickname: undefined }],
  ['nickname-long', 'a nickname of 65 characters', { nickname: 'n'.repeat(65) }],
  ['status-long', 'a status of 141 characters', { status: 's'.repeat(141) }],
  ['host', 'a host that is a path', { host: '../alice' }],
  ['port', 'port 65536', { port: 65_536 }],
  ['zone', 'an address with a zone', { addresses: ['fe80::1%eth0'] }],
  ['address', 'a name for an address', { addresses: ['alice.local'] }],
  ['addresses', 'nine addresses', { addresses: Array.from({ length: 9 }, () => '10.0.0.1') }],
  ['availability', 'a state that nobody knows', { availability: 'dancing' }],
  ['sequence', 'a negative number', { sequence: -1 }],
  ['sequence-large', 'a number beyond 2^53 - 1', { sequence: 2 ** 53 }],
  ['external-half', 'an external address without port', { external: { address: '203.0.113.9' } }],
  ['member-more', 'a member that nobody knows', { more: 1 }],
])
  add('card', name, `properly signed: ${why}`, await bent(changes), { reason: 'card', cms: 'good', certfile: SIGNER })

// Successions and revocations
const acceptance = (await acceptSuccession(bob, alice.fingerprint, { now })).octets
const base64 = (octets) => Buffer.from(octets).toString('base64')
const say = async (who, kind, said, more = {}) =>
  (await signObject(who, { type: `cloudy/${kind}`, issued: AT, expires: LAST_SECOND, value: said, ...more })).octets
const succession = (said, who = alice) =>
  say(who, 'succession', { successor: bob.fingerprint, acceptance: base64(acceptance), ...said })
add('statement', 'succession', 'Alice’s key goes on as Bob’s, who has agreed', (await succeed(alice, acceptance, { now })).octets)
add('statement', 'revocation', 'Alice’s key is compromised', (await revoke(alice, { now })).octets)
add('statement', 'revocation-late', 'the same, seven thousand years later', (await revoke(alice, { now })).octets, {
  at: Date.parse('9026-01-01') / 1000,
})
add('statement', 'not-accepted', 'nobody has agreed', await say(alice, 'succession', { successor: bob.fingerprint }), {
  reason: 'statement',
  cms: 'good',
})
add(
  'statement',
  'accepted-by-another',
  'another than the successor has agreed',
  await succession({ acceptance: base64((await acceptSuccession(rsa2048, alice.fingerprint, { now })).octets) }),
  { reason: 'statement', cms: 'good' },
)
add(
  'statement',
  'accepted-for-another',
  'a copied acceptance: Bob has agreed to go on for Alice, not for the signer',
  await succession({}, rsa2048),
  { reason: 'statement', cms: 'good' },
)
add(
  'statement',
  'accepted-badly',
  'the signature of the acceptance does not hold; that of the whole does',
  await succession({ acceptance: base64(flip(acceptance, -1)) }),
  { reason: 'signature', cms: 'good' },
)
add(
  'statement',
  'to-itself',
  'a key that follows itself',
  await succession({
    successor: alice.fingerprint,
    acceptance: base64(await say(alice, 'acceptance', { predecessor: alice.fingerprint })),
  }),
  { reason: 'statement', cms: 'good' },
)
add('statement', 'revoked-in-future', 'compromised from tomorrow on', await say(alice, 'revocation', { since: AT + 86_400 }), {
  reason: 'statement',
  cms: 'good',
})
add('statement', 'revoked-to-somebody', 'is addressed', await say(alice, 'revocation', { since: 0 }, { to: bob.fingerprint }), {
  reason: 'statement',
  cms: 'good',
})
add('statement', 'acceptance-alone', 'an acceptance says nothing without the old key', acceptance, {
  reason: 'type',
  cms: 'good',
})
add('statement', 'altered', 'the last bit is another', flip((await revoke(alice, { now })).octets, -1), {
  reason: 'signature',
  cms: 'bad',
})

const about = 'Test vectors of Cloudy: see README.md of the folder above. Times are in seconds since 1970.'
writeFileSync(
  join(FOLDER, 'vectors.json'),
  `{\n  "about": ${JSON.stringify(about)},\n  "vectors": [\n${vectors.map((each) => `    ${JSON.stringify(each)}`).join(',\n')}\n  ]\n}\n`,
)
rmSync(work, { recursive: true })
process.stdout.write(
  `${vectors.length} vectors in ${FOLDER}, ${vectors.reduce((sum, { file }) => sum + readFileSync(join(FOLDER, file)).length, 0)} octets\n`,
)
