// An identity: a key pair, and the certificate that carries the public key into TLS and CMS. Whoever can use the private key is the person.
import { inspect } from 'node:util'
import { type IdentityCertificate, readCertificate } from './certificate.js'
import {
  exportPrivateKey,
  generateKeys,
  importPrivateKey,
  type KeyKind,
  type Keys,
  sign,
  usualCrypto,
  type WebCrypto,
} from './crypto.js'
import { realPathOf } from './disk.js'
import { canonicalKey, type Fingerprint, type PublicKey } from './fingerprint.js'
import type { Json } from './json.js'
import { IdentityError, readPrivateFile, writePrivateFile } from './key-file.js'
import { type PemBlock, readPem, toPem } from './pem.js'
import { isOpenType, SIGN, type SignedObject, type Signer, signObject, toSeconds } from './signed-object.js'
import { inQuotes } from './text.js'

export { IdentityError } from './key-file.js'

/** Labels in PEM (RFC 7468). */
const PLAIN = 'PRIVATE KEY'
const ENCRYPTED = 'ENCRYPTED PRIVATE KEY'
const CERTIFICATE = 'CERTIFICATE'

/** What an application says when it signs a value. */
export interface SignOptions {
  /** Lower case, with a slash, such as `example/note`; those that begin with `cloudy/` are reserved. */
  readonly type: string
  /** Seconds for which the object is valid. */
  readonly lifetime: number
  /** Fingerprint of the only one it is meant for. */
  readonly to?: Fingerprint | undefined
  /** By default the clock's. */
  readonly now?: Date | number | undefined
}

export interface GenerateOptions {
  readonly nickname?: string | undefined
  /** P-256 by default. */
  readonly algorithm?: KeyKind | undefined
  /** By default the clock's. */
  readonly now?: Date | number | undefined
  /** By default @peculiar/webcrypto; Node's own is `globalThis.crypto`. */
  readonly webCrypto?: WebCrypto | undefined
}

export interface LoadOptions {
  /** Needed when the private key is encrypted. */
  readonly passphrase?: string | undefined
  /** As in `GenerateOptions`. */
  readonly webCrypto?: WebCrypto | undefined
}

export interface SaveOptions {
  readonly passphrase?: string | undefined
  /** Whether a file that is there is replaced; true by default. */
  readonly replace?: boolean | undefined
}

/** The key of a person, and what can be done with it. It does not change; a renewed certificate makes a new `Identity` of the same key. */
export class Identity implements Signer {
  readonly publicKey: PublicKey
  readonly certificate: IdentityCertificate
  readonly #keys: Keys
  readonly #pkcs8: Uint8Array
  /** The file that it was read from or written to, as it was then. Its path is the real one. */
  #file: { readonly path: string; readonly text: string } | undefined

  private constructor(keys: Keys, pkcs8: Uint8Array, certificate: IdentityCertificate) {
    this.publicKey = certificate.publicKey
    this.certificate = certificate
    this.#keys = keys
    this.#pkcs8 = pkcs8
  }

  /** Makes a key and a certificate for it. */
  static async generate(options: GenerateOptions = {}): Promise<Identity> {
    const keys = await generateKeys(options.algorithm ?? 'P-256', options.webCrypto)
    return Identity.#certified(keys, options.nickname ?? '', options.now)
  }

  static async #certified(keys: Keys, nickname: string, now: Date | number = Date.now()): Promise<Identity> {
    const { makeCertificate } = await import('./self-signed.js')
    const certificate = await makeCertificate(keys, { nickname, now })
    return new Identity(keys, await exportPrivateKey(keys), certificate)
  }

  /**
   * Reads what `save` wrote.
   * @throws IdentityError; also what `open` throws when there is no such file
   */
  static async load(path: string, options: LoadOptions = {}): Promise<Identity> {
    const text = await readPrivateFile(path)
    const identity = await Identity.fromPem(text, options)
    identity.#file = { path: await realPathOf(path), text }
    return identity
  }

  /**
   * Reads an identity from PEM: one private key (PKCS#8, may be encrypted) and one certificate of the same key.
   * @throws IdentityError
   */
  static async fromPem(text: string, options: LoadOptions = {}): Promise<Identity> {
    const { key, certificate: own } = blocksOf(text)
    const pkcs8 = key.label === PLAIN ? key.der : await Identity.#decrypt(key.der, options)
    try {
      const keys = await importPrivateKey(pkcs8, options.webCrypto)
      const certificate = readCertificate(own.der)
      if (canonicalKey(keys.publicKeyDer).fingerprint !== certificate.fingerprint)
        throw new IdentityError('mismatch', 'The certificate is of another key than the private key')
      return new Identity(keys, await exportPrivateKey(keys), certificate)
    } catch (cause) {
      if (cause instanceof IdentityError) throw cause
      throw new IdentityError('malformed', 'The private key or the certificate cannot be used', { cause })
    }
  }

  static async #decrypt(encrypted: Uint8Array, { passphrase, webCrypto }: LoadOptions): Promise<Uint8Array> {
    if (passphrase === undefined) throw new IdentityError('passphrase', 'The private key is encrypted: a passphrase is needed')
    const { decryptKey } = await import('./encrypted-key.js')
    return decryptKey(encrypted, passphrase, webCrypto ?? (await usualCrypto()))
  }

  /** What is in the file of an identity to be read without its passphrase. That the certificate is one of the key is seen when it is loaded. */
  static async describe(path: string): Promise<{ readonly certificate: IdentityCertificate; readonly encrypted: boolean }> {
    const { key, certificate } = blocksOf(await readPrivateFile(path))
    return { certificate: readCertificate(certificate.der), encrypted: key.label === ENCRYPTED }
  }

  /**
   * Writes private key and certificate to one file with mode 0600, all or nothing; a passphrase encrypts the key. Through a symbolic link it is the file
   * that is replaced, not the link.
   * @throws what the file system says: `EEXIST` when the file is there and `replace` is false; IdentityError `changed` when it is the file that this
   *   identity was read from, and somebody else has changed it since, or is about to
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    const { passphrase, replace = true } = options
    const key = passphrase === undefined ? this.privateKeyPem() : await this.#encrypted(passphrase)
    const text = key + this.certificatePem()
    const before = this.#file?.path === (await realPathOf(path)) ? this.#file.text : undefined
    await writePrivateFile(path, text, { replace, before })
    this.#file = { path: await realPathOf(path), text }
  }

  async #encrypted(passphrase: string): Promise<string> {
    const { encryptKey } = await import('./encrypted-key.js')
    return toPem(ENCRYPTED, await encryptKey(this.#pkcs8, passphrase, this.#keys.webCrypto))
  }

  /** The name of the key, in print; the same whatever the certificate says. */
  get fingerprint(): Fingerprint {
    return this.publicKey.fingerprint
  }

  get nickname(): string {
    return this.certificate.nickname
  }

  /** The private key, not encrypted, for TLS. */
  privateKeyPem(): string {
    return toPem(PLAIN, this.#pkcs8)
  }

  certificatePem(): string {
    return toPem(CERTIFICATE, this.certificate.der)
  }

  /** The same key with a new certificate, and with another nickname if one is given. */
  async renew(options: { nickname?: string; now?: Date | number } = {}): Promise<Identity> {
    const renewed = await Identity.#certified(this.#keys, options.nickname ?? this.nickname, options.now)
    renewed.#file = this.#file
    return renewed
  }

  /**
   * Signs a value of an application.
   * @throws RangeError when the type is reserved or not a type; ObjectError when nobody could accept the outcome
   */
  async sign(value: Json, options: SignOptions): Promise<SignedObject> {
    const { type, lifetime, to } = options
    if (!isOpenType(type)) throw new RangeError('A type is like example/note, in lower case, and does not begin with cloudy/')
    const issued = toSeconds(options.now ?? Date.now())
    return signObject(this, { type, issued, expires: issued + lifetime, to, value })
  }

  /** The signature alone: for `signObject`, which knows what it signs. */
  [SIGN](octets: Uint8Array): Promise<Uint8Array> {
    return sign(this.#keys, octets)
  }

  /** Keeps the key out of logs. */
  [inspect.custom](): string {
    return `Identity ${this.fingerprint} ${inQuotes(this.nickname)}`
  }
}

/** The two blocks of which an identity consists. */
function blocksOf(text: string): { readonly key: PemBlock; readonly certificate: PemBlock } {
  const blocks = readPem(text)
  const [key, ...moreKeys] = blocks.filter(({ label }) => label === PLAIN || label === ENCRYPTED)
  const [certificate, ...moreCertificates] = blocks.filter(({ label }) => label === CERTIFICATE)
  if (key === undefined || certificate === undefined || moreKeys.length + moreCertificates.length > 0)
    throw new IdentityError('malformed', 'An identity is one private key and one certificate')
  return { key, certificate }
}
