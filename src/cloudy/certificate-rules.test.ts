// The rules of RFC 5280 for a certificate, field by field: ours keep to each of them, as a linter and OpenSSL see it, and what breaks one is refused.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anyText } from '../../test/any-text.js'
import { testWith } from '../../test/needs.js'
import { type IdentityCertificate, readCertificate } from './certificate.js'
import { generateKeys, type Keys, sign, signatureAlgorithm } from './crypto.js'
import { element, equalOctets, inside, readElement, SEQUENCE, SET, sequence } from './der.js'
import { toPem } from './pem.js'
import { type CertificateOptions, makeCertificate } from './self-signed.js'

let folder: string
let keys: Keys
let certificate: IdentityCertificate
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudy-certificate-'))
  keys = await generateKeys('P-256')
  certificate = await makeCertificate(keys, { nickname: 'Zoë' })
})
afterAll(() => rm(folder, { recursive: true }))

const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')
const children = (der: Uint8Array, tag = SEQUENCE) => inside(readElement(der, tag), tag)
/** The members of TBSCertificate. */
const fieldsOf = (der: Uint8Array) => inside(children(der)[0], SEQUENCE).map(({ octets }) => octets)

/** What a strict linter would say of a certificate of ours: the rules that it breaks. */
function lint(der: Uint8Array): string[] {
  const broken: string[] = []
  const rule = (holds: boolean, name: string) => {
    if (!holds) broken.push(name)
  }
  const [, outer] = children(der).map(({ octets }) => octets)
  const [version, serial, inner, issuer, validity, subject, , extensions, ...more] = fieldsOf(der)
  rule(hex(version!) === 'a003020102', '§4.1.2.1: version 3')
  const number = readElement(serial!, 0x02).content
  rule(number.length <= 20 && number[0]! < 0x80, '§4.1.2.2: a positive serial number of at most 20 octets')
  rule(number[0]! > 0 || number[1]! >= 0x80, 'X.690 §8.3.2: the shortest INTEGER')
  rule(equalOctets(inner!, outer!), '§4.1.1.2: the same algorithm twice')
  rule(equalOctets(issuer!, subject!) && issuer!.length > 2, '§4.1.2.4: issuer, not empty')
  rule(more.length === 0, '§4.1.2.8: no unique identifiers')

  for (const attribute of children(subject!).flatMap((names) => children(names.octets, SET))) {
    const [type, value] = children(attribute.octets)
    rule(hex(type!.octets) === '0603550403' && value!.tag === 0x0c, '§4.1.2.4: a common name as UTF8String')
    const name = new TextDecoder('utf-8', { fatal: true }).decode(value!.content)
    rule(name.length > 0 && Array.from(name).length <= 64, 'appendix A: ub-common-name')
  }
  for (const { tag, content } of children(validity!)) {
    const text = Buffer.from(content).toString()
    rule(tag === 0x17 ? /^\d{12}Z$/.test(text) : /^\d{14}Z$/.test(text), '§4.1.2.5: seconds, no fractions, Z')
    rule(tag === 0x17 || (tag === 0x18 && Number(text.slice(0, 4)) >= 2050), '§4.1.2.5: GeneralizedTime from 2050')
  }

  const found = new Map<string, { readonly critical: boolean; readonly value: string }>()
  for (const extension of children(children(extensions!, 0xa3)[0]!.octets)) {
    const parts = children(extension.octets)
    const name = hex(parts[0]!.octets)
    rule(!found.has(name), '§4.2: no extension twice')
    rule(parts.length === 2 || hex(parts[1]!.octets) === '0101ff', 'X.690 §11.5: FALSE is not written')
    found.set(name, { critical: parts.length === 3, value: hex(parts.at(-1)!.content) })
  }
  const extension = (oid: string) => found.get(oid) ?? { critical: undefined, value: undefined }
  rule(extension('0603551d13').critical === true && extension('0603551d13').value === '3000', '§4.2.1.9: not an authority')
  rule(extension('0603551d0f').critical === true, '§4.2.1.3: keyUsage is critical')
  rule(extension('0603551d0f').value === '03020780', '§4.2.1.3: digitalSignature alone, without trailing zero bits')
  rule(extension('0603551d25').value === '301406082b0601050507030106082b06010505070302', '§4.2.1.12: serverAuth and clientAuth')
  const { critical, value } = extension('0603551d0e')
  rule(critical === false, '§4.2.1.2: SubjectKeyIdentifier is not critical')
  rule(value?.startsWith('0420') === true && value.length === 68, 'RFC 7093 §2: the hash of the SubjectPublicKeyInfo')
  return broken
}

describe('a certificate of ours', () => {
  test.each<[string, CertificateOptions]>([
    ['as they usually are', { nickname: 'Zoë' }],
    ['without a name', { nickname: '' }],
    ['with a long name', { nickname: '🙂'.repeat(100) }],
    ['over the year 2050', { nickname: 'x', now: Date.parse('2040-01-01T00:00:00.999Z') }],
    ['after 2050', { nickname: 'x', notBefore: new Date('2050-01-01'), notAfter: new Date('9999-12-31T23:59:59.999Z') }],
    ['of the last century', { nickname: 'x', notBefore: new Date('1950-01-01'), notAfter: new Date('1999-12-31') }],
  ])('breaks no rule: %s', async (_, options) => {
    const { der } = await makeCertificate(keys, options)
    expect(lint(der)).toEqual([])
    expect(readCertificate(der).publicKeyDer).toEqual(keys.publicKeyDer)
  })

  test('breaks no rule on RSA, either', async () => {
    expect(lint((await makeCertificate(await generateKeys('RSA-2048'), { nickname: 'x' })).der)).toEqual([])
  })

  test('breaks no rule, whatever the nickname and the dates', async () => {
    const date = fc.date({ min: new Date('1950-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    await fc.assert(
      fc.asyncProperty(anyText({ maxLength: 80 }), date, date, async (nickname, a, b) => {
        const [notBefore, notAfter] = a <= b ? [a, b] : [b, a]
        const { der } = await makeCertificate(keys, { nickname, notBefore, notAfter })
        expect(lint(der)).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  test('lies between the years that can be written', async () => {
    for (const dates of [
      { notBefore: new Date('1949-12-31') },
      { notBefore: new Date('9990-01-01') },
      { notAfter: new Date('+010000-01-01') },
    ])
      await expect(makeCertificate(keys, { nickname: 'x', ...dates })).rejects.toThrow(RangeError)
  })

  testWith('openssl')('passes `openssl verify` with its strict rules, as a server and as a client', async () => {
    const path = join(folder, 'own.pem')
    for (const options of [{ nickname: 'Zoë' }, { nickname: 'x', notAfter: new Date('2051-01-01') }]) {
      await writeFile(path, toPem('CERTIFICATE', (await makeCertificate(keys, options)).der))
      for (const purpose of ['sslserver', 'sslclient']) {
        const rules = ['-x509_strict', '-check_ss_sig', '-purpose', purpose]
        expect(execFileSync('openssl', ['verify', ...rules, '-CAfile', path, path]).toString()).toContain(': OK')
      }
    }
  })
})

const utcTime = (text: string) => element(0x17, Buffer.from(text))
const generalizedTime = (text: string) => element(0x18, Buffer.from(text))
const integer = (text: string) => element(0x02, Buffer.from(text, 'hex'))
const extensionsOf = (...list: string[]) => element(0xa3, sequence(...list.map((each) => Buffer.from(each, 'hex'))))
const BASIC = '300c0603551d130101ff04023000'
const NAME = Buffer.from('300c310a300806035504030c0141', 'hex')

describe('a properly signed certificate', () => {
  const resigned = async (changes: { readonly [field: number]: Uint8Array }, more: readonly Uint8Array[] = []) => {
    const fields = fieldsOf(certificate.der).map((octets, field) => changes[field] ?? octets)
    const signed = sequence(...fields, ...more)
    return sequence(signed, signatureAlgorithm('P-256'), element(0x03, Buffer.of(0), await sign(keys, signed)))
  }
  const reasonOf = (der: Uint8Array) => {
    try {
      readCertificate(der)
      return 'read'
    } catch (error) {
      return (error as { reason?: string }).reason ?? error
    }
  }

  test.each<[string, { readonly [field: number]: Uint8Array }, string]>([
    ['nothing changed', {}, 'read'],
    ['serial number 1', { 1: integer('01') }, 'read'],
    ['a serial number of 20 octets', { 1: integer('7f'.repeat(20)) }, 'read'],
    ['serial number 0', { 1: integer('00') }, 'certificate'],
    ['a negative serial number', { 1: integer('80') }, 'certificate'],
    ['a serial number with a zero too many', { 1: integer('0001') }, 'certificate'],
    ['a serial number of 21 octets', { 1: integer('01'.repeat(21)) }, 'certificate'],
    ['an empty serial number', { 1: integer('') }, 'certificate'],
    ['another issuer', { 3: NAME }, 'certificate'],
    ['another name, twice', { 3: NAME, 5: NAME }, 'read'],
    ['no name', { 3: sequence(), 5: sequence() }, 'certificate'],
    ['dates in 2049 and 2050', { 4: sequence(utcTime('491231235959Z'), generalizedTime('20500101000000Z')) }, 'read'],
    ['GeneralizedTime before 2050', { 4: sequence(utcTime('260101000000Z'), generalizedTime('20491231235959Z')) }, 'certificate'],
    ['a fraction of a second', { 4: sequence(utcTime('260101000000Z'), generalizedTime('20510101000000.5Z')) }, 'certificate'],
    ['a zone', { 4: sequence(utcTime('260101000000+0100'), utcTime('270101000000Z')) }, 'certificate'],
    ['no seconds', { 4: sequence(utcTime('2601010000Z'), utcTime('270101000000Z')) }, 'certificate'],
    ['the 29th of February 2027', { 4: sequence(utcTime('260101000000Z'), utcTime('270229000000Z')) }, 'certificate'],
    ['its end before its beginning', { 4: sequence(utcTime('270101000000Z'), utcTime('260101000000Z')) }, 'certificate'],
    ['one date', { 4: sequence(utcTime('260101000000Z')) }, 'certificate'],
    ['three dates', { 4: sequence(...Array.from({ length: 3 }, () => utcTime('260101000000Z'))) }, 'certificate'],
    ['a unique identifier', { 7: Buffer.from('81020055', 'hex') }, 'certificate'],
    ['no extensions in their field', { 7: extensionsOf() }, 'malformed'],
    ['one extension', { 7: extensionsOf(BASIC) }, 'read'],
    ['an extension twice', { 7: extensionsOf(BASIC, BASIC) }, 'certificate'],
    ['an extension that says FALSE', { 7: extensionsOf('300c0603551d1301010004023000') }, 'malformed'],
    ['an extension without a value', { 7: extensionsOf('30050603551d13') }, 'malformed'],
    ['an unknown extension', { 7: extensionsOf('30090603551d6304023000') }, 'read'],
    ['an unknown critical extension', { 7: extensionsOf('300c0603551d630101ff04023000') }, 'certificate'],
    ['a key for agreement alone', { 7: extensionsOf('300b0603551d0f040403020308') }, 'certificate'],
    ['a key for nothing', { 7: extensionsOf('300a0603551d0f0403030100') }, 'certificate'],
  ])('with %s', async (_, changes, expected) => {
    expect(reasonOf(await resigned(changes))).toBe(expected)
  })

  test('with one field more', async () => {
    expect(reasonOf(await resigned({}, [Buffer.from('0500', 'hex')]))).toBe('certificate')
  })

  test('is refused for its fields before its signature is looked at', async () => {
    const der = await resigned({ 1: integer('00') })
    der[der.length - 1]! ^= 1
    expect(reasonOf(der)).toBe('certificate')
  })
})
