// The certificates profile: the start and its reply show both peers' own certificates; then a MSG asks for others by fingerprint and is answered
// one by one.
import { type Channel, type Profile, ReplyError, type Session } from '../../beep/index.js'
import { abortable } from '../../beep/promises.js'
import type { Acquaintances } from '../acquaintances.js'
import { type IdentityCertificate, MAX_CERTIFICATE, readCertificate } from '../certificate.js'
import { type Fingerprint, isFingerprint } from '../fingerprint.js'
import { parseJson } from '../json.js'
import type { Admission } from '../meter.js'
import { ObjectError } from '../object-error.js'
import { isObject } from '../signed-object.js'
import type { Gate } from '../trust.js'
import { CERTIFICATE, isOfType, JSON_TEXT } from './media-types.js'
import { asReply, forPeople, personOf } from './person.js'
import { CERTIFICATES } from './uris.js'

/** Fingerprints that one MSG may ask for. */
export const MAX_ASKED = 64
/** Octets of a MSG: as many fingerprints with room to spare. */
export const MAX_QUESTION = 8192

export interface CertificatesOptions {
  readonly gate: Gate
  /** Ours: it has the key of our side of TLS. */
  readonly own: IdentityCertificate
  /** Whose certificates are known; those that are shown are learnt. */
  readonly acquaintances: Pick<Acquaintances, 'certificateOf' | 'learn'>
}

/** Serves the certificates profile. */
export function certificates(options: CertificatesOptions): Profile {
  const { gate, own } = options
  return forPeople(
    {
      uri: CERTIFICATES,
      actions: ['certificates'],
      start({ initial }, person) {
        if (initial === undefined) throw new ReplyError(501, 'the start has to bring the certificate of who starts')
        // To look at it costs as much as an answer.
        gate.admit(person.fingerprint, 'certificates', initial.length)[Symbol.dispose]()
        options.acquaintances.learn(ownCertificate(initial, person))
        return own.der
      },
      async read(message, { person }) {
        if (!isOfType(message.contentType, JSON_TEXT)) throw new ReplyError(501, `a MSG of this profile is ${JSON_TEXT}`)
        const asked = readQuestion(await message.bytes(MAX_QUESTION))
        return {
          action: 'certificates',
          perform(admission) {
            const fingerprints = fingerprintsIn(asked)
            return tell(fingerprints, admission, (fingerprint) => known(fingerprint, person.fingerprint, options))
          },
        }
      },
    },
    gate,
  )
}

/**
 * Starts the profile: both show their certificates.
 * @returns the channel to ask on, and the certificate that the peer showed
 * @throws ReplyError when the peer declines, 535 when it shows a certificate of another key than TLS proved: then the channel is closed
 */
export async function startCertificates(
  session: Session,
  own: IdentityCertificate,
): Promise<{ readonly channel: Channel; readonly certificate: IdentityCertificate }> {
  const channel = await session.start(CERTIFICATES, { initial: own.der })
  try {
    if (channel.initial === undefined) throw new ReplyError(501, 'the peer has shown no certificate')
    return { channel, certificate: ownCertificate(channel.initial, personOf(session)) }
  } catch (error) {
    await channel.close().catch(() => {})
    throw error
  }
}

/**
 * Asks for certificates by fingerprint: those that the peer knows, and may tell us, come one by one.
 * @param fingerprints at most 64
 * @param signal ends it with its reason, also while somebody waits for the next
 * @throws ReplyError when the peer refuses, ObjectError when it tells what was not asked for
 */
export async function* askCertificates(
  channel: Channel,
  fingerprints: readonly Fingerprint[],
  signal?: AbortSignal,
): AsyncGenerator<IdentityCertificate, void, void> {
  if (fingerprints.length > MAX_ASKED) throw new RangeError(`At most ${MAX_ASKED} certificates may be asked for at a time`)
  const open = new Set(fingerprints)
  const asked = { body: JSON.stringify({ certificates: fingerprints }), contentType: JSON_TEXT }
  const answers = channel.send(asked, { signal })
  for await (const answer of answers) {
    if (!isOfType(answer.contentType, CERTIFICATE)) throw new ObjectError('unasked', 'it is not labelled as a certificate')
    const certificate = readCertificate(await abortable(answer.bytes(MAX_CERTIFICATE), signal))
    if (!open.delete(certificate.fingerprint)) throw new ObjectError('unasked')
    yield certificate
  }
}

/** @throws ReplyError 535 when it is not a certificate of the key that TLS proved */
function ownCertificate(der: Uint8Array, person: IdentityCertificate): IdentityCertificate {
  let certificate: IdentityCertificate
  try {
    certificate = readCertificate(der)
  } catch (cause) {
    if (!(cause instanceof ObjectError)) throw cause
    throw new ReplyError(535, `this is no certificate that we believe: ${cause.message}`, { cause })
  }
  if (certificate.fingerprint !== person.fingerprint)
    throw new ReplyError(535, 'the certificate is of another key than the one that TLS proved')
  return certificate
}

/** Texts that may be fingerprints, each once: what a question looks like, before anything is computed for it. */
function readQuestion(octets: Uint8Array): readonly string[] {
  try {
    const json = parseJson(octets)
    const { certificates: asked, ...rest } = isObject(json) ? json : {}
    const lawful =
      Array.isArray(asked) &&
      asked.length <= MAX_ASKED &&
      asked.every((each) => typeof each === 'string') &&
      Object.keys(rest).length === 0
    if (!lawful) throw noQuestion()
    return [...new Set(asked)]
  } catch (error) {
    throw asReply(error, 500)
  }
}

function fingerprintsIn(asked: readonly string[]): readonly Fingerprint[] {
  if (!asked.every(isFingerprint)) throw noQuestion()
  return asked
}

function noQuestion(): ReplyError {
  return new ReplyError(501, `a question is {"certificates": [fingerprints]}, at most ${MAX_ASKED}`)
}

/** Whom we know is told to those whose rights say so; of themselves and of us everybody may know. */
function known(fingerprint: Fingerprint, asker: Fingerprint, options: CertificatesOptions): IdentityCertificate | undefined {
  const { own, gate } = options
  if (fingerprint === own.fingerprint) return own
  if (fingerprint !== asker && gate.rights(asker).others !== true) return undefined
  return options.acquaintances.certificateOf(fingerprint)
}

async function* tell(
  asked: readonly Fingerprint[],
  admission: Admission,
  certificateOf: (fingerprint: Fingerprint) => IdentityCertificate | undefined,
) {
  for (const fingerprint of asked) {
    const certificate = certificateOf(fingerprint)
    if (certificate === undefined) continue
    if (!admission.spend(certificate.der.length)) return
    yield { body: certificate.der, contentType: CERTIFICATE }
  }
}
