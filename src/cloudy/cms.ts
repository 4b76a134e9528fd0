// The profile of CMS SignedData (RFC 5652) in which everything signed travels. It is so narrow that an object has one encoding: it is read into
// its variable parts, written again, and has to come out the same, so that no octet of it can be changed. OpenSSL reads it too.
import { SHA256_ALGORITHM, signatureAlgorithm } from './crypto.js'
import { CONTEXT_0, element, equalOctets, inside, OCTET_STRING, readElement, SEQUENCE, SET, sequence } from './der.js'
import { keyIdentifier, type PublicKey } from './fingerprint.js'
import { ObjectError } from './object-error.js'

const SIGNED_DATA = Buffer.from('06092a864886f70d010702', 'hex')
const DATA = Buffer.from('06092a864886f70d010701', 'hex')
const CONTENT_TYPE = Buffer.from('06092a864886f70d010903', 'hex')
const MESSAGE_DIGEST = Buffer.from('06092a864886f70d010904', 'hex')
const VERSION_3 = Buffer.from('020103', 'hex')
/** [0] that stands for an OCTET STRING: the SubjectKeyIdentifier. */
const KEY_IDENTIFIER = 0x80

/** The parts that vary from object to object. */
export interface CmsParts {
  readonly content: Uint8Array
  /** The messageDigest attribute: SHA-256 of the content, if the signer is honest. */
  readonly messageDigest: Uint8Array
  readonly signature: Uint8Array
  /** DER of the signer's certificate; without one the key is in the content. */
  readonly certificate?: Uint8Array | undefined
}

/** The octets that are signed: the attributes as a SET (RFC 5652 §5.4), where the object has a [0]. */
export function signedAttributes(messageDigest: Uint8Array): Uint8Array {
  return element(SET, attributes(messageDigest))
}

/** Exactly contentType and messageDigest, in the order of DER. */
function attributes(messageDigest: Uint8Array): Uint8Array {
  return Buffer.concat([
    sequence(CONTENT_TYPE, element(SET, DATA)),
    sequence(MESSAGE_DIGEST, element(SET, element(OCTET_STRING, messageDigest))),
  ])
}

/** Writes the parts in their one encoding; the signer is named by its SubjectKeyIdentifier, which is the fingerprint of its key. */
export function writeCms(parts: CmsParts, key: PublicKey): Uint8Array {
  const signerInfo = sequence(
    VERSION_3,
    element(KEY_IDENTIFIER, keyIdentifier(key)),
    SHA256_ALGORITHM,
    element(CONTEXT_0, attributes(parts.messageDigest)),
    signatureAlgorithm(key.algorithm),
    element(OCTET_STRING, parts.signature),
  )
  const signedData = sequence(
    VERSION_3,
    element(SET, SHA256_ALGORITHM),
    sequence(DATA, element(CONTEXT_0, element(OCTET_STRING, parts.content))),
    parts.certificate === undefined ? Buffer.alloc(0) : element(CONTEXT_0, parts.certificate),
    element(SET, signerInfo),
  )
  return sequence(SIGNED_DATA, element(CONTEXT_0, signedData))
}

/**
 * Reads the variable parts. That the rest is as it has to be is seen by writing them again.
 * @throws ObjectError
 */
export function readCms(octets: Uint8Array): CmsParts {
  const [type, wrapped] = inside(readElement(octets, SEQUENCE), SEQUENCE)
  if (type === undefined || !equalOctets(type.octets, SIGNED_DATA)) throw new ObjectError('malformed', 'it is not CMS SignedData')
  const [signedData] = inside(wrapped, CONTEXT_0)
  const members = inside(signedData, SEQUENCE)
  const [, encapsulated] = inside(members[2], SEQUENCE)
  const [content] = inside(encapsulated, CONTEXT_0)
  const certificates = members[3]?.tag === CONTEXT_0 ? inside(members[3], CONTEXT_0) : []
  const signers = inside(members.at(-1), SET)
  if (signers.length !== 1 || certificates.length > 1) throw new ObjectError('signers')
  const signerInfo = inside(signers[0], SEQUENCE)
  const [, attribute] = inside(signerInfo[3], CONTEXT_0)
  const [, values] = inside(attribute, SEQUENCE)
  const [digest] = inside(values, SET)
  const signature = signerInfo[5]
  if (content === undefined || digest === undefined || signature === undefined) throw new ObjectError('malformed')
  return {
    content: content.content,
    messageDigest: digest.content,
    signature: signature.content,
    certificate: certificates[0]?.octets,
  }
}
