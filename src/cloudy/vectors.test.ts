// The published test vectors (fixtures/cloudy): each is judged as its line says, by us and, where a plain verifier of CMS has a say, by OpenSSL.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { testWith } from '../../test/needs.js'
import { verifyCard } from './calling-card.js'
import { readCertificate } from './certificate.js'
import { type ObjectReason, REASONS } from './object-error.js'
import { toPem } from './pem.js'
import { verifyObject } from './signed-object.js'
import { verifyKeyStatement } from './succession.js'

interface Vector {
  readonly file: string
  readonly kind: 'certificate' | 'object' | 'card' | 'statement'
  readonly why: string
  readonly expect: 'valid' | 'refused'
  readonly reason?: ObjectReason
  /** Seconds since 1970. */
  readonly at?: number
  readonly recipient?: string
  readonly lastSequence?: number
  /** Fingerprint. */
  readonly signer?: string
  /** What a plain verifier of CMS says. */
  readonly cms?: 'good' | 'bad'
  /** The signer's certificate, where the object carries none. */
  readonly certfile?: string
}

const FOLDER = resolve('fixtures', 'cloudy')
const { vectors } = JSON.parse(readFileSync(join(FOLDER, 'vectors.json'), 'utf8')) as { readonly vectors: readonly Vector[] }
const read = (file: string) => new Uint8Array(readFileSync(join(FOLDER, file)))
const work = mkdtempSync(join(tmpdir(), 'cloudy-vectors-'))
afterAll(() => rmSync(work, { recursive: true }))

function judge({ kind, at = 0, recipient, lastSequence, signer }: Vector, octets: Uint8Array): string {
  const now = at * 1000
  try {
    if (kind === 'certificate') readCertificate(octets)
    else if (kind === 'card') verifyCard(octets, { now, lastSequence })
    else if (kind === 'statement') verifyKeyStatement(octets, { now })
    else {
      const object = verifyObject(octets, { now, recipient })
      if (signer !== undefined) expect(object.signer.fingerprint).toBe(signer)
    }
    return 'valid'
  } catch (error) {
    return (error as { reason?: string }).reason ?? String(error)
  }
}

describe('the index', () => {
  test('names every file once, and nothing else', () => {
    expect(new Set(vectors.map(({ file }) => file)).size).toBe(vectors.length)
    expect([...vectors.map(({ file }) => file), 'vectors.json'].sort()).toEqual(readdirSync(FOLDER).sort())
  })

  test('has vectors enough, valid and refused, for every reason that octets can give', () => {
    expect(vectors.length).toBeGreaterThan(160)
    expect(vectors.filter((each) => each.expect === 'valid').length).toBeGreaterThan(20)
    const shown = new Set(vectors.map(({ reason }) => reason))
    // Which key is expected, and what was asked for, the receiver knows alone.
    const without = (Object.keys(REASONS) as ObjectReason[]).filter((reason) => !shown.has(reason))
    expect(without).toEqual(['key', 'unasked'])
  })
})

describe('each vector is judged as its line says', () => {
  test.each(vectors.map((vector) => [vector.file, vector.why, vector] as const))('%s: %s', (file, _, vector) => {
    expect(judge(vector, read(file))).toBe(vector.expect === 'valid' ? 'valid' : vector.reason)
  })
})

describe('what is refused is refused before a signature is computed', () => {
  // A signature ends each of them: if it were looked at earlier than what is wrong, the reason would be the signature.
  const unsigned = ['object-empty.der', 'object-no-signer.der']
  const early = vectors.filter(({ reason, file }) => reason !== undefined && reason !== 'signature' && !unsigned.includes(file))
  test.each(early.map((vector) => [vector.file, vector] as const))('%s', (file, vector) => {
    const octets = read(file)
    octets[octets.length - 1]! ^= 1
    expect(judge(vector, octets)).toBe(vector.reason)
  })
})

/** The authorities that the system trusts are of no concern here, and take OpenSSL 50 ms to load. */
const ALONE = ['-no-CApath', '-no-CAstore']
const openssl = (...args: string[]) => spawnSync('openssl', args, { stdio: 'pipe' }).status

testWith('openssl')(
  'OpenSSL judges the signatures as the lines say',
  () => {
    const found = vectors.flatMap(({ file, cms, certfile }) => {
      if (cms === undefined) return []
      const given = certfile === undefined ? [] : ['-certfile', join(work, 'signer.pem')]
      if (certfile !== undefined) writeFileSync(join(work, 'signer.pem'), toPem('CERTIFICATE', read(certfile)))
      const path = join(FOLDER, file)
      const status = openssl(
        'cms',
        '-verify',
        '-inform',
        'DER',
        '-in',
        path,
        '-binary',
        '-noverify',
        '-no-CAfile',
        ...ALONE,
        '-out',
        '/dev/null',
        ...given,
      )
      return (status === 0) === (cms === 'good') ? [] : [`${file}: not ${cms}`]
    })
    expect(found).toEqual([])
    expect(vectors.filter(({ cms }) => cms !== undefined).length).toBeGreaterThan(90)
  },
  60_000,
)

testWith('openssl')('OpenSSL reads the certificates that are valid, and finds them signed by themselves', () => {
  const valid = vectors.filter((each) => each.kind === 'certificate' && each.expect === 'valid')
  for (const { file } of valid) {
    writeFileSync(join(work, 'own.pem'), toPem('CERTIFICATE', read(file)))
    const own = join(work, 'own.pem')
    expect([file, openssl('verify', '-no_check_time', '-check_ss_sig', ...ALONE, '-CAfile', own, own)]).toEqual([file, 0])
  }
})
