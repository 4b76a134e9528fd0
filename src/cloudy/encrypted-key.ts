// Private keys under a passphrase, in the form that OpenSSL reads and writes, too. Loaded when there is one, for pkijs takes its time (self-signed.ts).
import { createPrivateKey } from 'node:crypto'
import { fromBER, OctetString } from 'asn1js'
import { CryptoEngine, EncryptedContentInfo, PBES2Params, PBKDF2Params, PKCS8ShroudedKeyBag } from 'pkijs'
import type { WebCrypto } from './crypto.js'
import { IdentityError } from './key-file.js'

/** Rounds of PBKDF2 with HMAC-SHA-256 with which a passphrase becomes a key: what OWASP asks for, a fraction of a second. */
export const ITERATIONS = 600_000
/** Most rounds accepted when a file is read, since they are the file's to name. */
const MAX_ITERATIONS = 10_000_000
const PBES2 = '1.2.840.113549.1.5.13'
const DATA = '1.2.840.113549.1.7.1'

/** What pkijs computes with; handed to it explicitly, never set for the whole process. */
export function engineOver(webCrypto: WebCrypto): CryptoEngine {
  return new CryptoEngine({ name: 'cloudy', crypto: webCrypto as Crypto })
}

/** Encrypts a PKCS#8 private key: PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, the EncryptedPrivateKeyInfo that OpenSSL reads too. */
export async function encryptKey(pkcs8: Uint8Array, passphrase: string, webCrypto: WebCrypto): Promise<Uint8Array> {
  const { contentEncryptionAlgorithm, encryptedContent } = await engineOver(webCrypto).encryptEncryptedContentInfo({
    password: passwordOctets(passphrase),
    // The type asks for an IV; the engine draws its own.
    contentEncryptionAlgorithm: { name: 'AES-CBC', length: 256, iv: new Uint8Array(16) },
    hmacHashAlgorithm: 'SHA-256',
    iterationCount: ITERATIONS,
    contentToEncrypt: new Uint8Array(pkcs8).buffer,
    contentType: DATA,
  })
  const encryptedData = new OctetString({ valueHex: encryptedContent!.getValue() })
  const box = new PKCS8ShroudedKeyBag({ encryptionAlgorithm: contentEncryptionAlgorithm, encryptedData })
  return new Uint8Array(box.toSchema().toBER())
}

/**
 * The opposite of `encryptKey`; also reads what other programs encrypted with PBES2, however few rounds they chose.
 * @throws IdentityError
 */
export async function decryptKey(der: Uint8Array, passphrase: string, webCrypto: WebCrypto): Promise<Uint8Array> {
  const box = readBox(der, webCrypto)
  const encryptedContentInfo = new EncryptedContentInfo({
    contentType: DATA,
    contentEncryptionAlgorithm: box.encryptionAlgorithm,
    encryptedContent: box.encryptedData,
  })
  try {
    const password = passwordOctets(passphrase)
    const pkcs8 = Buffer.from(await engineOver(webCrypto).decryptEncryptedContentInfo({ password, encryptedContentInfo }))
    // With another passphrase the padding happens to be lawful once in 256 times, and what comes out is no key.
    createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    return new Uint8Array(pkcs8)
  } catch (cause) {
    throw new IdentityError('passphrase', 'The passphrase is not the one of this private key', { cause })
  }
}

function readBox(der: Uint8Array, webCrypto: WebCrypto): PKCS8ShroudedKeyBag {
  try {
    const box = new PKCS8ShroudedKeyBag({ schema: fromBER(new Uint8Array(der)).result })
    if (box.encryptionAlgorithm.algorithmId !== PBES2) throw new Error('it is not PBES2')
    const { keyDerivationFunc, encryptionScheme } = new PBES2Params({ schema: box.encryptionAlgorithm.algorithmParams })
    const { iterationCount, prf } = new PBKDF2Params({ schema: keyDerivationFunc.algorithmParams })
    if (!(iterationCount >= 1 && iterationCount <= MAX_ITERATIONS)) throw new Error('its number of rounds is not allowed')
    const engine = engineOver(webCrypto)
    engine.getAlgorithmByOID(encryptionScheme.algorithmId, true, 'the cipher')
    if (prf !== undefined) engine.getAlgorithmByOID(prf.algorithmId, true, 'the pseudorandom function')
    return box
  } catch (cause) {
    throw new IdentityError('malformed', 'The private key is encrypted in a way that is not supported', { cause })
  }
}

/** Different keyboards compose the same character differently; normalised they agree. */
function passwordOctets(passphrase: string): ArrayBuffer {
  if (passphrase === '') throw new RangeError('A passphrase may not be empty')
  return new Uint8Array(Buffer.from(passphrase.normalize('NFC'))).buffer
}
