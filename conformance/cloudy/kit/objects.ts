// Signed objects of the judge: CMS SignedData in the one encoding that Cloudy has, and in each part otherwise where a case wants it.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { certificateOf, type Person } from './certificates.js'
import { contentOf, context, der, endless, integer, NOTHING, NULL, octetString, oid, sequence, set, stretched } from './der.js'
import { ec, sha256, signed, withNull } from './keys.js'

const DATA = oid('1.2.840.113549.1.7.1')
const SIGNED_DATA = oid('1.2.840.113549.1.7.2')
const CONTENT_TYPE = oid('1.2.840.113549.1.9.3')
const MESSAGE_DIGEST = oid('1.2.840.113549.1.9.4')
const SIGNING_TIME = oid('1.2.840.113549.1.9.5')
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'))
const SHA384 = sequence(oid('2.16.840.1.101.3.4.2.2'))
const SHA1 = sequence(oid('1.3.14.3.2.26'))

/** Seconds that an object of the judge lives. */
export const LIFETIME = 600

/** Seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000)
}

/** An ordinary envelope; `changes` replace members, undefined leaves one out. */
export function envelope(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const issued = typeof changes.issued === 'number' ? changes.issued : now()
  return { type: 'conform/note', issued, expires: issued + LIFETIME, value: { text: 'hello' }, ...changes }
}

/** What can be said. */
export const values = fc.jsonValue({ maxDepth: 4 }).filter((value) => !JSON.stringify(value).includes('"__proto__"'))

/** The octets of an envelope as JSON. */
export function jsonOf(members: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify(members))
}

/** What may be chosen, or wrong, about the CMS. */
export interface ObjectParts {
  readonly version?: Buffer
  /** Content of the SET. */
  readonly digestAlgorithms?: Buffer
  readonly encapsulated?: Buffer
  /** What stands behind the content: certificates, CRLs. */
  readonly certificates?: Buffer
  /** What is in the SET of SignerInfos. */
  readonly signers?: Buffer
}

/** An object with this content, signed by somebody; their certificate is in it. */
export function signedObject(author: Person, content: Uint8Array, parts: ObjectParts = {}): Buffer {
  const signedData = sequence(
    parts.version ?? integer(3),
    set(parts.digestAlgorithms ?? SHA256),
    parts.encapsulated ?? sequence(DATA, context(0, octetString(content))),
    parts.certificates ?? context(0, author.certificate),
    set(parts.signers ?? signerInfo(author, content)),
  )
  return sequence(SIGNED_DATA, context(0, signedData))
}

/** An object of somebody, of an ordinary envelope with changes. */
export function objectOf(author: Person, changes: Readonly<Record<string, unknown>> = {}): Buffer {
  return signedObject(author, jsonOf(envelope(changes)))
}

/** What the receiver calls it. */
export function digestOf(author: Person, content: Uint8Array): string {
  return sha256(author.key.spki, content).toString('hex')
}

/** What may be chosen, or wrong, about a SignerInfo. */
export interface SignerParts {
  readonly version?: Buffer
  readonly identifier?: Buffer
  readonly digestAlgorithm?: Buffer
  /** The attributes, in their order. */
  readonly attributes?: readonly Buffer[]
  readonly algorithm?: Buffer
  readonly signature?: Buffer
  readonly unsigned?: Buffer
}

export function signerInfo({ key }: Person, content: Uint8Array, parts: SignerParts = {}): Buffer {
  const attributes = parts.attributes ?? [contentType(), messageDigest(content)]
  const octets = attributes.length === 0 ? content : set(...attributes)
  return sequence(
    parts.version ?? integer(3),
    parts.identifier ?? der(0x80, key.identifier),
    parts.digestAlgorithm ?? SHA256,
    attributes.length === 0 ? NOTHING : context(0, ...attributes),
    parts.algorithm ?? key.algorithm,
    octetString(parts.signature ?? signed(key, octets)),
    parts.unsigned ?? NOTHING,
  )
}

/** The signature of an object of this content. */
export function signatureOf({ key }: Person, content: Uint8Array): Buffer {
  return signed(key, set(contentType(), messageDigest(content)))
}

const contentType = () => sequence(CONTENT_TYPE, set(DATA))
const messageDigest = (content: Uint8Array) => sequence(MESSAGE_DIGEST, set(octetString(sha256(content))))
const signingTime = () => sequence(SIGNING_TIME, set(der(0x17, Buffer.from('260101000000Z'))))

/** A certificate of a certificate authority's kind: not the signer's. */
const another = () => certificateOf(ec(), { nickname: 'Another' })

/** Objects that are lawful CMS, or nearly, and not the one encoding of Cloudy: slug, what it is, and how it is made. */
export const ENCODINGS: readonly (readonly [slug: string, title: string, make: (by: Person, content: Buffer) => Buffer])[] = [
  [
    'two-signers',
    'an object of two signers',
    (by, content) => {
      const other = { key: ec(), certificate: another() }
      return signedObject(by, content, { signers: Buffer.concat([signerInfo(by, content), signerInfo(other, content)]) })
    },
  ],
  ['no-signer', 'an object without a signer', (by, content) => signedObject(by, content, { signers: NOTHING })],
  [
    'detached',
    'an object whose content is elsewhere',
    (by, content) => signedObject(by, content, { encapsulated: sequence(DATA) }),
  ],
  [
    'certificate-of-another',
    'a second certificate',
    (by, content) => signedObject(by, content, { certificates: context(0, by.certificate, another()) }),
  ],
  [
    'crls',
    'a list of certificates that were revoked',
    (by, content) => signedObject(by, content, { certificates: Buffer.concat([context(0, by.certificate), context(1)]) }),
  ],
  ['no-key', 'neither a certificate nor a key', (by, content) => signedObject(by, content, { certificates: NOTHING })],
  ['version-1', 'SignedData of version 1', (by, content) => signedObject(by, content, { version: integer(1) })],
  [
    'signer-version-1',
    'a SignerInfo of version 1',
    (by, content) => signedObject(by, content, { signers: signerInfo(by, content, { version: integer(1) }) }),
  ],
  [
    'signer-of-another-key',
    'a signer that is named by the identifier of another key',
    (by, content) => signedObject(by, content, { signers: signerInfo(by, content, { identifier: der(0x80, ec().identifier) }) }),
  ],
  [
    'digest-parameters',
    'SHA-256 with parameters NULL',
    (by, content) => signedObject(by, content, { digestAlgorithms: withNull(SHA256) }),
  ],
  [
    'digest-parameters-of-signer',
    'SHA-256 with parameters NULL in the SignerInfo',
    (by, content) => signedObject(by, content, { signers: signerInfo(by, content, { digestAlgorithm: withNull(SHA256) }) }),
  ],
  ['digest-sha-1', 'SHA-1 as the algorithm of the digest', (by, content) => digested(by, content, SHA1)],
  ['digest-sha-384', 'SHA-384 as the algorithm of the digest', (by, content) => digested(by, content, SHA384)],
  [
    'digests-two',
    'two algorithms of digests',
    (by, content) => signedObject(by, content, { digestAlgorithms: Buffer.concat([SHA256, SHA384]) }),
  ],
  [
    'signature-parameters',
    'ecdsa-with-SHA256 with parameters NULL',
    (by, content) => signedObject(by, content, { signers: signerInfo(by, content, { algorithm: withNull(by.key.algorithm) }) }),
  ],
  [
    'signature-empty',
    'an empty signature',
    (by, content) => signedObject(by, content, { signers: signerInfo(by, content, { signature: NOTHING }) }),
  ],
  [
    'attributes-none',
    'a signature of the content itself, without attributes',
    (by, content) => signedObject(by, content, { signers: signerInfo(by, content, { attributes: [] }) }),
  ],
  [
    'attributes-swapped',
    'messageDigest before contentType',
    (by, content) => attributed(by, content, [messageDigest(content), contentType()]),
  ],
  [
    'attributes-more',
    'a signed attribute more, signingTime',
    (by, content) => attributed(by, content, [contentType(), signingTime(), messageDigest(content)]),
  ],
  ['attributes-digest-alone', 'no contentType', (by, content) => attributed(by, content, [messageDigest(content)])],
  [
    'attributes-of-other-content',
    'the digest of other content, properly signed',
    (by, content) => attributed(by, content, [contentType(), messageDigest(Buffer.from('{}'))]),
  ],
  [
    'attributes-unsigned',
    'an unsigned attribute',
    (by, content) => signedObject(by, content, { signers: signerInfo(by, content, { unsigned: context(1, signingTime()) }) }),
  ],
  [
    'content-type-other',
    'content that is labelled as SignedData',
    (by, content) => signedObject(by, content, { encapsulated: sequence(SIGNED_DATA, context(0, octetString(content))) }),
  ],
  [
    'content-in-pieces',
    'the content as a constructed OCTET STRING',
    (by, content) => signedObject(by, content, { encapsulated: sequence(DATA, context(0, der(0x24, octetString(content)))) }),
  ],
  ['length-longer', 'a length in more octets than it takes', (by, content) => stretched(signedObject(by, content))],
  ['length-indefinite', 'an indefinite length', (by, content) => endless(signedObject(by, content))],
  ['wrapper-missing', 'SignedData without ContentInfo around it', (by, content) => bare(signedObject(by, content))],
  ['more-inside', 'an element more inside of ContentInfo', (by, content) => sequence(contentOf(signedObject(by, content)), NULL)],
]

function digested(by: Person, content: Buffer, digestAlgorithm: Buffer): Buffer {
  const signers = signerInfo(by, content, { digestAlgorithm })
  return signedObject(by, content, { digestAlgorithms: digestAlgorithm, signers })
}

function attributed(by: Person, content: Buffer, attributes: readonly Buffer[]): Buffer {
  return signedObject(by, content, { signers: signerInfo(by, content, { attributes }) })
}

function bare(object: Buffer): Buffer {
  const inside = contentOf(object)
  return contentOf(inside.subarray(SIGNED_DATA.length))
}

/** A card's fields; `changes` replace some, undefined leaves one out. */
export function cardFields(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    nickname: 'Judge',
    host: 'judge.local',
    port: 10_288,
    addresses: ['127.0.0.1'],
    availability: 'available',
    status: '',
    sequence: now(),
    ...changes,
  }
}

/** An object that carries the key in its content, in place of a certificate; by default a card. */
export function keyedObject(author: Person, changes: Readonly<Record<string, unknown>> = {}): Buffer {
  const key = author.key.spki.toString('base64')
  const content = jsonOf(envelope({ type: 'cloudy/card', key, value: cardFields(), ...changes }))
  return signedObject(author, content, { certificates: NOTHING })
}
