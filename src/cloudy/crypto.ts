// The cryptography in use, in one place: WebCrypto for keys and signing (@peculiar/webcrypto, or any other, such as Node's own), and from node:crypto
// what has to be at hand at once: the hash and the checking of signatures.
import { createHash, createPrivateKey, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { ecdsaFromDer, ecdsaToDer } from './der.js'

/** An implementation of WebCrypto, such as `globalThis.crypto`. A key works with the implementation that made it alone. */
export type WebCrypto = Pick<typeof globalThis.crypto, 'subtle' | 'getRandomValues'>

let usual: WebCrypto | undefined

/** What is used unless somebody says otherwise: @peculiar/webcrypto. It is loaded when it is first needed; who only reads and verifies never waits for it. */
export async function usualCrypto(): Promise<WebCrypto> {
  const { Crypto: PeculiarCrypto } = await import('@peculiar/webcrypto')
  usual ??= new PeculiarCrypto()
  return usual
}

/** The kinds of key an identity is made with. */
export type KeyKind = 'P-256' | 'RSA-2048' | 'RSA-3072'

/** A private key, and the public key that belongs to it as SubjectPublicKeyInfo. */
export interface Keys {
  readonly privateKey: Awaited<ReturnType<WebCrypto['subtle']['importKey']>>
  readonly publicKeyDer: Uint8Array
  /** Which knows the private key. */
  readonly webCrypto: WebCrypto
}

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const
const EXPONENT = new Uint8Array([1, 0, 1])

export async function generateKeys(kind: KeyKind, chosen?: WebCrypto): Promise<Keys> {
  const webCrypto = chosen ?? (await usualCrypto())
  const algorithm = kind === 'P-256' ? ECDSA : { ...RSA, modulusLength: Number(kind.slice(4)), publicExponent: EXPONENT }
  const { privateKey, publicKey } = await webCrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  return { privateKey, publicKeyDer: new Uint8Array(await webCrypto.subtle.exportKey('spki', publicKey)), webCrypto }
}

/** The private key as PKCS#8 DER. */
export async function exportPrivateKey({ privateKey, webCrypto }: Keys): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await webCrypto.subtle.exportKey('pkcs8', privateKey))
}

/**
 * Reads a private key from PKCS#8 DER. The public key is computed from it, not believed; whether its kind is allowed is for the caller.
 * @throws Error when it is not a private key
 */
export async function importPrivateKey(pkcs8: Uint8Array, chosen?: WebCrypto): Promise<Keys> {
  const webCrypto = chosen ?? (await usualCrypto())
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const publicKeyDer = new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }))
  const algorithm = key.asymmetricKeyType === 'rsa' ? RSA : ECDSA
  const privateKey = await webCrypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), algorithm, true, ['sign'])
  return { privateKey, publicKeyDer, webCrypto }
}

/** SHA-256 over the parts, one after the other. */
export function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** Signs as CMS and X.509 carry it: ECDSA with SHA-256 as DER, or RSA PKCS#1 v1.5 with SHA-256. */
export async function sign({ privateKey, webCrypto }: Keys, octets: Uint8Array): Promise<Uint8Array> {
  const elliptic = privateKey.algorithm.name === ECDSA.name
  const signature = new Uint8Array(await webCrypto.subtle.sign(elliptic ? ECDSA : RSA, privateKey, new Uint8Array(octets)))
  return elliptic ? ecdsaToDer(signature) : signature
}

/** Whether `signature`, in the form that `sign` gives and in no other, is the one of `octets`. */
export function isSignedBy(key: KeyObject, octets: Uint8Array, signature: Uint8Array): boolean {
  if (key.asymmetricKeyType === 'rsa') return verify('sha256', octets, key, signature)
  const raw = ecdsaFromDer(signature)
  return raw !== undefined && verify('sha256', octets, { key, dsaEncoding: 'ieee-p1363' }, raw)
}

/** AlgorithmIdentifier of SHA-256 in CMS: without parameters (RFC 5754 §2). */
export const SHA256_ALGORITHM = Buffer.from('300b0609608648016503040201', 'hex')

const ECDSA_ALGORITHM = Buffer.from('300a06082a8648ce3d040302', 'hex')
const RSA_ALGORITHM = Buffer.from('300d06092a864886f70d01010b0500', 'hex')

/** AlgorithmIdentifier with which a key signs: ecdsa-with-SHA256 without parameters, or sha256WithRSAEncryption with NULL (RFC 5754 §3). */
export function signatureAlgorithm(algorithm: 'P-256' | 'RSA'): Uint8Array {
  return algorithm === 'P-256' ? ECDSA_ALGORITHM : RSA_ALGORITHM
}
