// The file an identity is kept in: its private key and its certificate as PEM, written so that there is never half of it.
import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fromBER, OctetString } from 'asn1js'
import { EncryptedContentInfo, PBES2Params, PBKDF2Params, PKCS8ShroudedKeyBag } from 'pkijs'
import { engineOver, WEB_CRYPTO, type WebCrypto } from './crypto.js'

/** Rounds of PBKDF2 with HMAC-SHA-256 with which a passphrase becomes a key: what OWASP asks for, a fraction of a second. */
export const ITERATIONS = 600_000
/** Most rounds accepted when a file is read, since they are the file's to name. */
const MAX_ITERATIONS = 10_000_000
/** Largest file read, in octets. */
const MAX_FILE = 65_536
const PBES2 = '1.2.840.113549.1.5.13'
const DATA = '1.2.840.113549.1.7.1'

/** Why an identity cannot be loaded. Test `reason`. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError'
  readonly code = 'CLOUDY_ERR_IDENTITY'
  readonly reason: 'passphrase' | 'permissions' | 'malformed' | 'mismatch' | 'changed'

  constructor(reason: IdentityError['reason'], message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.reason = reason
  }
}

/** Encrypts a PKCS#8 private key: PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, the EncryptedPrivateKeyInfo that OpenSSL reads too. */
export async function encryptKey(pkcs8: Uint8Array, passphrase: string, webCrypto: WebCrypto = WEB_CRYPTO): Promise<Uint8Array> {
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
export async function decryptKey(der: Uint8Array, passphrase: string, webCrypto: WebCrypto = WEB_CRYPTO): Promise<Uint8Array> {
  const box = readBox(der)
  const encryptedContentInfo = new EncryptedContentInfo({
    contentType: DATA,
    contentEncryptionAlgorithm: box.encryptionAlgorithm,
    encryptedContent: box.encryptedData,
  })
  try {
    const password = passwordOctets(passphrase)
    return new Uint8Array(await engineOver(webCrypto).decryptEncryptedContentInfo({ password, encryptedContentInfo }))
  } catch (cause) {
    throw new IdentityError('passphrase', 'The passphrase is not the one of this private key', { cause })
  }
}

function readBox(der: Uint8Array): PKCS8ShroudedKeyBag {
  try {
    const box = new PKCS8ShroudedKeyBag({ schema: fromBER(new Uint8Array(der)).result })
    if (box.encryptionAlgorithm.algorithmId !== PBES2) throw new Error('it is not PBES2')
    const { keyDerivationFunc, encryptionScheme } = new PBES2Params({ schema: box.encryptionAlgorithm.algorithmParams })
    const { iterationCount } = new PBKDF2Params({ schema: keyDerivationFunc.algorithmParams })
    if (!(iterationCount >= 1 && iterationCount <= MAX_ITERATIONS)) throw new Error('its number of rounds is not allowed')
    engineOver(WEB_CRYPTO).getAlgorithmByOID(encryptionScheme.algorithmId, true, 'the cipher')
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

/**
 * Writes a file that only its owner can read, all of it or nothing: a new file is filled, synced and then takes the place of the old one.
 * @param options.replace when false, there may be no old one
 * @param options.before what the old one held when it was read
 * @throws IdentityError `changed` when it holds something else by now
 */
export async function writePrivateFile(
  path: string,
  text: string,
  options: { readonly replace: boolean; readonly before?: string | undefined },
): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await fill(temporary, text)
    if (options.before !== undefined && (await present(path)) !== options.before)
      throw new IdentityError('changed', `${path} was changed meanwhile, by another program perhaps: it was left as it is now`)
    if (options.replace) await rename(temporary, path)
    else {
      // A link fails where there is a file already, in one step.
      await link(temporary, path)
      await rm(temporary)
    }
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** What a file holds; undefined when it is not there. */
async function present(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function fill(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.chmod(0o600)
  await file.writeFile(text)
  await file.sync()
}

/** So that the new name survives a loss of power; not every system can. */
async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, 'r')
    await handle.sync()
  } catch {
    // The file itself is on the disk; its name will follow.
  }
}

/**
 * Reads a file that only its owner may be able to read.
 * @throws IdentityError when others may, or it is too large to be one
 */
export async function readPrivateFile(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const stats = await file.stat()
  if (!stats.isFile() || stats.size > MAX_FILE) throw new IdentityError('malformed', `${path} is no file of an identity`)
  const text = await file.readFile('utf8')
  // Anybody may read what holds no key, and to say otherwise would make somebody lock it.
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0 && text.includes('PRIVATE KEY-----'))
    throw new IdentityError('permissions', `Others may read ${path}, which holds a private key: chmod 600 it`)
  return text
}
