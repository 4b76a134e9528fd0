// The files profile: a MSG with a signed manifest asks, a second MSG on the same channel streams the octets, its RPY confirms their digest.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, link, open, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Channel, type Message, type Profile, ReplyError } from '../../beep/index.js'
import type { IdentityCertificate } from '../certificate.js'
import type { Fingerprint } from '../fingerprint.js'
import { MAX_OBJECT, type SignedObject, type Signer, signObject, toSeconds, verifyObject } from '../signed-object.js'
import { sanitise } from '../text.js'
import { asReply, forPeople, personOf } from './person.js'
import { FILES } from './uris.js'

/** The type of a manifest. */
export const FILE_TYPE = 'cloudy/file'
/** Seconds that a manifest is valid: an offer, not a permission for ever. */
const MANIFEST_LIFETIME = 3600
const MAX_NAME = 255

/** What is offered. */
export interface Manifest {
  /** A label to show, never a path. */
  readonly name: string
  /** Octets. */
  readonly size: number
  /** SHA-256 of the octets, in hexadecimal. */
  readonly sha256: string
}

export interface FilesOptions {
  readonly self: Fingerprint
  /** The directory for what is received. */
  readonly directory: string
  /** Milliseconds since 1970. */
  now(): number
  /** An offer: a ReplyError refuses it. */
  offered?(manifest: Manifest, from: IdentityCertificate): void | Promise<void>
  /** Octets of a file have been written. */
  progress?(manifest: Manifest, octets: number, from: IdentityCertificate): void
  /** A file is complete and its digest is the one that was signed. */
  received?(manifest: Manifest, path: string, from: IdentityCertificate): void
}

/** Serves the files profile. */
export function files(options: FilesOptions): Profile {
  /** Offers that were accepted and whose octets have not come, by channel. */
  const accepted = new WeakMap<Channel, Manifest>()
  return forPeople({
    uri: FILES,
    async message(message, channel) {
      const from = personOf(channel.session)
      const manifest = accepted.get(channel)
      accepted.delete(channel)
      if (manifest !== undefined) return store(message, manifest, from, options)
      const offer = readManifest(await message.bytes(MAX_OBJECT), from, options)
      await options.offered?.(offer, from)
      accepted.set(channel, offer)
      return 'accepted'
    },
  })
}

export interface SendOptions {
  /** Octets that have been read for sending. */
  progress?(octets: number): void
  readonly now: number
}

/**
 * Offers a file and sends it as a stream.
 * @returns the manifest, once the peer has confirmed its digest
 * @throws ReplyError when the peer refuses it
 */
export async function sendFile(
  channel: Channel,
  path: string,
  signer: Signer,
  to: Fingerprint,
  options: SendOptions,
): Promise<Manifest> {
  const { size } = await stat(path)
  const manifest: Manifest = { name: sanitise(basename(path), MAX_NAME), size, sha256: await digestOf(path) }
  const issued = toSeconds(options.now)
  const value = { ...manifest }
  const offer = await signObject(signer, { type: FILE_TYPE, issued, expires: issued + MANIFEST_LIFETIME, to, value })
  await channel.request({ body: offer.octets, contentType: 'application/pkcs7-mime; smime-type=signed-data' })
  const reply = await channel.request({ body: counted(path, options), contentType: 'application/octet-stream' })
  const confirmed = await reply.text(128)
  if (confirmed !== manifest.sha256)
    throw new Error(`The peer confirms another digest than that of the file: ${sanitise(confirmed, 64)}`)
  return manifest
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer)
  return hash.digest('hex')
}

async function* counted(path: string, options: SendOptions): AsyncGenerator<Uint8Array, void, void> {
  let octets = 0
  for await (const piece of createReadStream(path)) {
    octets += (piece as Buffer).length
    yield piece as Buffer
    options.progress?.(octets)
  }
}

function readManifest(octets: Uint8Array, from: IdentityCertificate, { self, now }: FilesOptions): Manifest {
  let object: SignedObject
  try {
    object = verifyObject(octets, { now: now(), type: FILE_TYPE, recipient: self, signerKey: from.publicKey.der })
  } catch (error) {
    throw asReply(error)
  }
  const { name, size, sha256 } = object.value as { readonly [member: string]: unknown }
  const lawful =
    typeof name === 'string' &&
    Number.isSafeInteger(size) &&
    Number(size) >= 0 &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256)
  if (!lawful || object.to !== self) throw new ReplyError(553, 'a manifest says name, size and sha256, and to whom')
  return { name: sanitise(name, MAX_NAME), size: Number(size), sha256 }
}

/** The file is written under a name of ours, and exists only once it is whole and right. */
async function store(message: Message, manifest: Manifest, from: IdentityCertificate, options: FilesOptions): Promise<string> {
  const path = join(options.directory, `${manifest.sha256}.part`)
  const file = await open(path, 'wx').catch((error) => {
    if (error.code === 'EEXIST') throw new ReplyError(450, 'the same file is coming in already')
    throw error
  })
  try {
    const digest = await write(message, file, manifest, from, options)
    await file.close()
    if (digest !== manifest.sha256) throw new ReplyError(553, 'the octets are not those that the manifest promised')
    const kept = await keep(path, options.directory, manifest.name)
    options.received?.(manifest, kept, from)
    return digest
  } catch (error) {
    await file.close().catch(() => {})
    await rm(path, { force: true })
    throw error
  }
}

async function write(
  message: Message,
  file: FileHandle,
  manifest: Manifest,
  from: IdentityCertificate,
  options: FilesOptions,
): Promise<string> {
  const hash = createHash('sha256')
  let octets = 0
  for await (const piece of message) {
    octets += piece.length
    if (octets > manifest.size) throw new ReplyError(553, 'more octets come than the manifest promised')
    hash.update(piece)
    await file.write(piece)
    options.progress?.(manifest, octets, from)
  }
  return hash.digest('hex')
}

/** A name from the network is a label: no path, no hidden file, and nothing is overwritten. */
async function keep(path: string, directory: string, label: string): Promise<string> {
  const safe =
    label
      .replaceAll(/[/\\:*?"<>|]/g, '_')
      .replace(/^\.+/, '_')
      .slice(0, 100) || 'file'
  for (let count = 1; count <= 1000; count++) {
    const name = count === 1 ? safe : safe.replace(/(\.[^.]*)?$/, ` (${count})$1`)
    try {
      // A link fails where a rename would overwrite.
      await link(path, join(directory, name))
      await rm(path)
      return join(directory, name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  throw new ReplyError(450, 'too many files have this name')
}
