// The other way round: objects in which every octet is OpenSSL's (key, digests, signature, DER) are accepted by us. `openssl cms -sign` itself
// cannot keep to the profile; what it makes is refused (fixtures/cloudy/object-openssl-*.der).
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect } from '@jest/globals'
import { testWith } from '../../test/needs.js'
import { verifyCard } from './calling-card.js'
import { formatFingerprint } from './fingerprint.js'
import { verifyObject } from './signed-object.js'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const SECONDS = NOW / 1000
const work = mkdtempSync(join(tmpdir(), 'cloudy-openssl-'))
afterAll(() => rmSync(work, { recursive: true }))

const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: work, stdio: ['ignore', 'pipe', 'pipe'] })
const save = (name: string, text: string | Uint8Array) => writeFileSync(join(work, name), text)
/** SHA-256 of a file, in hexadecimal. */
const digest = (name: string) => openssl('dgst', '-sha256', '-r', name).toString().slice(0, 64)
/** DER of a description in the language of ASN1_generate_nconf(3). */
function der(lines: string): Buffer {
  save('asn1.cnf', lines)
  openssl('asn1parse', '-genconf', 'asn1.cnf', '-noout', '-out', 'asn1.der')
  return readFileSync(join(work, 'asn1.der'))
}

const KINDS = [
  [
    'P-256',
    ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:named_curve'],
    'algorithm=OID:ecdsa-with-SHA256',
  ],
  ['RSA-2048', ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'], 'algorithm=OID:sha256WithRSAEncryption\nparameters=NULL'],
] as const

const ATTRIBUTES = (messageDigest: string) => `
[attributes]
type=SEQUENCE:contentType
digest=SEQUENCE:messageDigest
[contentType]
name=OID:contentType
values=SET:types
[types]
type=OID:pkcs7-data
[messageDigest]
name=OID:messageDigest
values=SET:digests
[digests]
digest=FORMAT:HEX,OCTETSTRING:${messageDigest}
`

/** An object that carries its key, made without any code of ours. */
function make(envelope: object, algorithm: string): Uint8Array {
  const key = openssl('pkey', '-in', 'key.pem', '-pubout', '-outform', 'DER')
  save('key.der', key)
  const content = JSON.stringify({ ...envelope, key: key.toString('base64') })
  save('content', content)
  const attributes = ATTRIBUTES(digest('content'))
  save('attributes', der(`asn1=SET:attributes\n${attributes}`))
  const signature = openssl('dgst', '-sha256', '-sign', 'key.pem', 'attributes').toString('hex')
  return der(`asn1=SEQUENCE:contentInfo
[contentInfo]
type=OID:pkcs7-signedData
content=EXPLICIT:0,SEQUENCE:signedData
[signedData]
version=INTEGER:3
digestAlgorithms=SET:digestAlgorithms
encapContentInfo=SEQUENCE:encapContentInfo
signerInfos=SET:signerInfos
[digestAlgorithms]
algorithm=SEQUENCE:sha256
[sha256]
algorithm=OID:sha256
[encapContentInfo]
type=OID:pkcs7-data
content=EXPLICIT:0,FORMAT:HEX,OCTETSTRING:${Buffer.from(content).toString('hex')}
[signerInfos]
signer=SEQUENCE:signerInfo
[signerInfo]
version=INTEGER:3
sid=IMPLICIT:0,FORMAT:HEX,OCTETSTRING:${digest('key.der')}
digestAlgorithm=SEQUENCE:sha256
signedAttrs=IMPLICIT:0,SET:attributes
signatureAlgorithm=SEQUENCE:signatureAlgorithm
signature=FORMAT:HEX,OCTETSTRING:${signature}
[signatureAlgorithm]
${algorithm}
${attributes}`)
}

describe('what OpenSSL makes, put together by `openssl asn1parse -genconf`, since `openssl cms -sign` cannot do without signingTime', () => {
  for (const [name, kind, algorithm] of KINDS)
    testWith('openssl')(`is accepted as an object and as a card: ${name}`, () => {
      openssl('genpkey', '-algorithm', ...kind, '-out', 'key.pem')
      const times = { issued: SECONDS, expires: SECONDS + 600 }
      const object = make({ type: 'example/note', ...times, value: { text: 'hello' } }, algorithm)
      const fingerprint = formatFingerprint(Buffer.from(digest('key.der'), 'hex'))
      expect(verifyObject(object, { now: NOW })).toMatchObject({ value: { text: 'hello' }, signer: { fingerprint } })
      const fields = { nickname: 'Olga', host: 'o.local', port: 1, addresses: [], availability: 'away', status: '', sequence: 1 }
      const card = make({ type: 'cloudy/card', ...times, value: fields }, algorithm)
      expect(verifyCard(card, { now: NOW })).toMatchObject({ ...fields, fingerprint })
    })
})
