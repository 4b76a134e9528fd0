// TLS of a Cloudy peer: 1.3, a certificate on both sides, of which only the key counts, and nothing to resume.
import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { profile, start } from '../harness/management.js'
import { askForTls, expectProceed } from '../harness/tuning.js'
import { credentialsOf, somebody, WRONG_CERTIFICATES } from './kit/certificates.js'
import { ec, ed25519, rsa } from './kit/keys.js'
import { objectOf } from './kit/objects.js'
import { OBJECTS, PROFILES, refusedByTls, tuneWith, visit } from './kit/visit.js'

const BOTH = 'TLS is 1.3 with a certificate on both sides'
const KEY = 'of a certificate only the key counts, neither name nor dates'

/** Instants that X.509 can write. */
const dates = fc.date({ min: new Date('1951-01-01T00:00:00Z'), max: new Date('9990-01-01T00:00:00Z'), noInvalidDate: true })

export const tls = section('cloudy/tls', 'TLS', [
  must(
    'version-1.3',
    { title: 'the version of TLS', judges: ['CLOUDY-TLS-02'], quote: BOTH, sends: 'a handshake', expects: 'TLS 1.3' },
    async (peer) => {
      await visit(peer)
      const { protocol } = peer.connection.tls!
      if (protocol !== 'TLSv1.3') throw new Failure(`it speaks ${protocol}`)
      return undefined
    },
  ),
  must(
    'version-1.2',
    {
      title: 'a client that knows no more than TLS 1.2',
      judges: ['CLOUDY-TLS-02'],
      quote: BOTH,
      sends: 'a handshake of TLS 1.2',
      expects: 'the handshake fails',
    },
    (peer) => refusedByTls(peer, { ...credentialsOf(somebody()), maxVersion: 'TLSv1.2' }),
  ),
  must(
    'no-certificate',
    {
      title: 'a client that shows no certificate',
      judges: ['CLOUDY-TLS-03'],
      quote: BOTH,
      sends: 'a handshake without a certificate',
      expects: 'no session begins',
    },
    (peer) => refusedByTls(peer, {}),
  ),
  must(
    'certificate-of-target',
    {
      title: 'the certificate of the target',
      judges: ['CLOUDY-TLS-03', 'CLOUDY-KEY-01', 'CLOUDY-CERT-09'],
      quote: 'Certificates are self-signed',
      sends: 'a handshake',
      expects: 'a certificate signed by its own key, which is on P-256 or RSA of 2048 to 4096 bits',
    },
    async (peer) => {
      const { certificate } = await visit(peer)
      const x509 = new X509Certificate(certificate)
      const { asymmetricKeyType: type, asymmetricKeyDetails: details } = x509.publicKey
      const bits = details?.modulusLength ?? 0
      const lawful = type === 'ec' ? details?.namedCurve === 'prime256v1' : type === 'rsa' && bits >= 2048 && bits <= 4096
      if (!lawful) throw new Failure(`its key is ${type} ${details?.namedCurve ?? bits}`)
      if (!x509.verify(x509.publicKey)) throw new Failure('it is not signed by its own key')
      return type
    },
  ),
  must(
    'profiles-after-tls',
    {
      title: 'the greeting inside TLS',
      judges: ['CLOUDY-TLS-04'],
      quote: 'offered in the greeting that follows TLS',
      sends: 'TLS and a greeting',
      expects: 'the three profiles, and TLS no more',
    },
    async (peer) => {
      await visit(peer)
      const missing = PROFILES.filter((uri) => !peer.offered.includes(uri))
      if (missing.length > 0) throw new Failure(`it does not offer ${missing.join(', ')}`)
      return undefined
    },
  ),
  must(
    'not-resumed',
    {
      title: 'a client that resumes the session of an earlier visit, if it has been given a ticket',
      judges: ['CLOUDY-TLS-05'],
      quote: 'without resumption',
      sends: 'a whole visit, then a handshake with the ticket of the first',
      expects: 'no ticket, or a handshake as the first was',
    },
    async (peer) => {
      const first = await visit(await peer.another())
      await first.give(await first.open(OBJECTS), objectOf(first.who))
      const { ticket } = first.peer.connection
      if (ticket === undefined) return 'it gives no ticket'
      await tuneWith(peer, { ...credentialsOf(first.who), session: ticket })
      if (peer.connection.tls?.resumed) throw new Failure('it resumed the session')
      await peer.expectAlive()
      return 'it gives a ticket and does not honour it'
    },
  ),
  must.hold(
    'names-and-dates',
    {
      title: 'a certificate with any name and any dates',
      judges: ['CLOUDY-TLS-06'],
      quote: KEY,
      sends: 'a handshake',
      expects: 'a session',
      samples: fc.record({
        nickname: fc.oneof(fc.constant(''), fc.string({ maxLength: 64, unit: 'grapheme' })),
        dates: fc.tuple(dates, dates),
      }),
    },
    async (peer, { nickname, dates }) => {
      const [notBefore, notAfter] = dates.toSorted((a, b) => a.getTime() - b.getTime()) as [Date, Date]
      const here = await visit(peer, somebody(ec(), { nickname, notBefore, notAfter }))
      await here.peer.expectAlive()
      return undefined
    },
  ),
  must(
    'key-rsa',
    {
      title: 'somebody whose key is RSA',
      judges: ['CLOUDY-KEY-02'],
      quote: 'RSA of 2048 to 4096 bits',
      sends: 'a handshake, and an object',
      expects: 'its digest',
    },
    async (peer) => {
      const here = await visit(peer, somebody(rsa(2048, 65_537)))
      return here.give(await here.open(OBJECTS), objectOf(here.who))
    },
  ),
  must.hold(
    'handshake-is-garbage',
    {
      title: 'octets that are no TLS in place of the handshake',
      judges: ['CLOUDY-TLS-01'],
      quote: 'TLS first',
      sends: 'any octets behind `<proceed />`, then a start of a profile of Cloudy in clear text',
      expects: 'the session ends, and nothing is started',
      samples: fc.uint8Array({ minLength: 6, maxLength: 100 }).filter(([first]) => first !== 22),
    },
    async (peer, octets) => {
      expectProceed(await askForTls(peer))
      peer.write(octets)
      peer.write(`MSG 0 2 . 0 ${start(1, profile(OBJECTS)).length + 2}\r\n\r\n${start(1, profile(OBJECTS))}END\r\n`)
      await peer.connection.ended()
      return undefined
    },
  ),
  must.hold(
    'other-keys',
    {
      title: 'a certificate with a key of another kind',
      judges: ['CLOUDY-KEY-03'],
      quote: 'A key is on P-256',
      sends: 'a handshake',
      expects: 'no session begins',
      samples: fc.constantFrom('P-384', 'P-521', 'Ed25519', 'RSA with exponent 3'),
    },
    (peer, kind) => {
      const key =
        kind === 'P-384' ? ec('secp384r1') : kind === 'P-521' ? ec('secp521r1') : kind === 'Ed25519' ? ed25519() : rsa(2048, 3)
      return refusedByTls(peer, credentialsOf(somebody(key)))
    },
  ),
  must.hold(
    'other-certificates',
    {
      title: 'a certificate that breaks a rule',
      judges: ['CLOUDY-CERT-09'],
      quote: 'X.509 v3 in DER (RFC 5280), self-signed',
      sends: 'a handshake',
      expects: 'no session begins',
      // The others OpenSSL would not show.
      samples: fc.constantFrom(...Object.keys(WRONG_CERTIFICATES).filter((each) => each !== 'version 2')),
    },
    (peer, which) => {
      const key = ec()
      return refusedByTls(peer, credentialsOf({ key, certificate: WRONG_CERTIFICATES[which]!(key) }))
    },
  ),
])
