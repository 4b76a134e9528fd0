// The files profile: a MSG with a signed manifest asks, a second MSG on the same channel streams the octets, its RPY confirms their digest.
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { noteError } from '../../beep/diagnostics.js'
import { type Channel, type Message, type Profile, ReplyError, type Session } from '../../beep/index.js'
import { abortable } from '../../beep/promises.js'
import type { IdentityCertificate } from '../certificate.js'
import { giveName, syncFolder } from '../disk.js'
import type { Fingerprint } from '../fingerprint.js'
import { isObject, MAX_OBJECT, type SignedObject, type Signer, signObject, toSeconds, verifyObject } from '../signed-object.js'
import { sanitise } from '../text.js'
import type { Gate } from '../trust.js'
import { isOfType, isSignedData, OCTETS, SIGNED_DATA } from './media-types.js'
import { asReply, forPeople, type Request, type Visit } from './person.js'
import { FILES } from './uris.js'

/** The type of a manifest. */
export const FILE_TYPE = 'cloudy/file'
/** Seconds that a manifest is valid: an offer, not a permission for ever. */
const MANIFEST_LIFETIME = 3600
/** Longest name in a manifest, in characters (code points). */
const MAX_NAME = 255
/** Longest name of ours, in octets: file systems take 255, and a number may be added. */
const MAX_LABEL = 200
/** A file that is coming. */
const PART = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part$/
/** Milliseconds without an octet after which the program that wrote a part has ended: another may receive into the same directory, from somebody slow. */
const PART_LIFETIME = 24 * 3_600_000

/** What is offered. */
export interface Manifest {
  /** A label to show, never a path. */
  readonly name: string
  /** Octets. */
  readonly size: number
  /** SHA-256 of the octets, in hexadecimal. */
  readonly sha256: string
}

/** What was accepted, and until when it holds, in seconds since 1970. */
interface Accepted {
  readonly manifest: Manifest
  readonly expires: number
}

export interface FilesOptions {
  readonly gate: Gate
  readonly self: Fingerprint
  /** The directory for what is received. */
  readonly directory: string
  /** Milliseconds since 1970. */
  now(): number
  /**
   * Decides on an offer: returning accepts it, a ReplyError refuses it. Without this nothing is accepted. Until it has decided the offer counts as at
   * work, and so many may be as the table of trust says.
   * @param signal aborts when whoever offers it leaves, or wishes to: nobody waits for the decision any more
   */
  offered?(manifest: Manifest, from: IdentityCertificate, signal: AbortSignal): void | Promise<void>
  /** Octets of a file have been written. */
  progress?(manifest: Manifest, octets: number, from: IdentityCertificate): void
  /** A file is complete and its digest is the one that was signed. What this throws changes nothing any more. */
  received?(manifest: Manifest, path: string, from: IdentityCertificate): void
}

/** Serves the files profile. What a program that was killed left in the directory is removed. */
export function files(options: FilesOptions): Profile {
  // Nothing depends on it: whatever cannot be removed is met again next time.
  void removeLeftovers(options.directory).catch(() => {})
  /** Offers that were accepted and whose octets have not come, by channel. */
  const waiting = new WeakMap<Channel, Accepted>()
  return forPeople(
    {
      uri: FILES,
      actions: ['offer', 'send'],
      async read(message, visit): Promise<Request> {
        const { person, channel } = visit
        const accepted = waiting.get(channel)
        waiting.delete(channel)
        if (accepted === undefined) return offer(message, visit)
        const { manifest, expires } = accepted
        if (!isOfType(message.contentType, OCTETS)) throw new ReplyError(501, `the octets of the file come as ${OCTETS}`)
        if (expires * 1000 <= options.now()) throw new ReplyError(550, 'the offer has expired')
        return {
          action: 'send',
          octets: manifest.size,
          perform: () => store(message, manifest, person, channel.session, options),
        }
      },
    },
    options.gate,
  )

  async function offer(message: Message, { person: from, channel, context }: Visit): Promise<Request> {
    if (!isSignedData(message.contentType)) throw new ReplyError(501, `an offer is ${SIGNED_DATA}`)
    const octets = await message.bytes(MAX_OBJECT)
    const perform = async () => {
      const accepted = readManifest(octets, from, options)
      // Nobody is asked about what could not come.
      options.gate.check(from.fingerprint, 'send', accepted.manifest.size)
      if (options.offered === undefined) throw new ReplyError(450, 'nobody is here who could accept a file')
      await options.offered(accepted.manifest, from, context.signal)
      waiting.set(channel, accepted)
      return 'accepted'
    }
    return { action: 'offer', octets: octets.length, perform }
  }
}

export interface SendOptions {
  /** Octets that have been read for sending. */
  progress?(octets: number): void
  readonly now: number
  /** Ends it with its reason. Octets that are on their way end the session: nothing can take them back. */
  readonly signal?: AbortSignal | undefined
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
  const { signal } = options
  const { size } = await stat(path)
  const digest = abortable(digestOf(path, signal), signal)
  const manifest: Manifest = { name: sanitise(basename(path), MAX_NAME), size, sha256: await digest }
  const issued = toSeconds(options.now)
  const value = { ...manifest }
  const offer = await signObject(signer, { type: FILE_TYPE, issued, expires: issued + MANIFEST_LIFETIME, to, value })
  await channel.request({ body: offer.octets, contentType: SIGNED_DATA }, { signal })
  const reply = await channel.request({ body: counted(path, options), contentType: OCTETS }, { signal })
  const confirmed = await abortable(reply.text(128), signal)
  if (confirmed !== manifest.sha256)
    throw new Error(`The peer confirms another digest than that of the file: ${sanitise(confirmed, 64)}`)
  return manifest
}

function read(path: string, signal: AbortSignal | undefined) {
  return createReadStream(path, signal === undefined ? {} : { signal })
}

async function digestOf(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of read(path, signal)) hash.update(piece as Buffer)
  return hash.digest('hex')
}

async function* counted(path: string, options: SendOptions): AsyncGenerator<Uint8Array, void, void> {
  let octets = 0
  for await (const piece of read(path, options.signal)) {
    octets += (piece as Buffer).length
    yield piece as Buffer
    options.progress?.(octets)
  }
}

function readManifest(octets: Uint8Array, from: IdentityCertificate, { self, now }: FilesOptions): Accepted {
  let object: SignedObject
  try {
    object = verifyObject(octets, { now: now(), type: FILE_TYPE, recipient: self, signerKey: from.publicKey.der })
  } catch (error) {
    throw asReply(error)
  }
  const { name, size, sha256, ...rest } = isObject(object.value) ? object.value : {}
  const lawful =
    typeof name === 'string' &&
    Number.isSafeInteger(size) &&
    Number(size) >= 0 &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    Object.keys(rest).length === 0
  if (!lawful || object.to !== self) throw new ReplyError(553, 'a manifest says name, size and sha256, and to whom')
  return { manifest: { name: sanitise(name, MAX_NAME), size: Number(size), sha256 }, expires: object.expires }
}

async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!PART.test(name)) continue
    const path = join(directory, name)
    // By the clock of the file system, not by one that is given.
    if (Date.now() - (await stat(path)).mtimeMs > PART_LIFETIME) await rm(path, { force: true })
  }
}

/** The file is written under a name of ours, and has its own only once it is whole and right. */
async function store(
  message: Message,
  manifest: Manifest,
  from: IdentityCertificate,
  session: Session,
  options: FilesOptions,
): Promise<string> {
  const path = join(options.directory, `.${randomUUID()}.part`)
  const file = await open(path, 'wx')
  try {
    const digest = await write(message, file, manifest, from, options)
    if (digest !== manifest.sha256) throw new ReplyError(553, 'the octets are not those that the manifest promised')
    // Whoever hears that it has come may delete theirs: its octets and its name have to be on the disk.
    await file.sync()
    await file.close()
    assertStillAllowed(from, options)
    const kept = await keep(path, options.directory, manifest.name)
    await syncFolder(options.directory)
    try {
      options.received?.(manifest, kept, from)
    } catch (error) {
      // The file is here all the same, and whoever gave it is told so.
      noteError(session, error)
    }
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
    assertStillAllowed(from, options)
    if (octets > manifest.size) throw new ReplyError(553, 'more octets come than the manifest promised')
    hash.update(piece)
    // Unlike `write`, this never writes a part.
    await file.writeFile(piece)
    options.progress?.(manifest, octets, from)
  }
  if (octets < manifest.size) throw new ReplyError(553, 'fewer octets came than the manifest promised')
  return hash.digest('hex')
}

/** They may have been blocked while it comes, which takes as long as they like. */
function assertStillAllowed({ fingerprint }: IdentityCertificate, { gate }: FilesOptions): void {
  if (!gate.allows(fingerprint, 'send')) throw new ReplyError(537, 'this is not for you here any more: send')
}

/** A name from the network is a label: no path, no hidden file, and nothing is overwritten. */
async function keep(path: string, directory: string, label: string): Promise<string> {
  const safe = fileName(label)
  for (let count = 1; count <= 1000; count++) {
    const name = count === 1 ? safe : safe.replace(/(\.[^.]*)?$/, ` (${count})$1`)
    try {
      await giveName(path, join(directory, name))
      return join(directory, name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  throw new ReplyError(450, 'too many files have this name')
}

/** A name that a file may have in any file system: no separators, not hidden, no device of another system, not too long. */
export function fileName(label: string): string {
  const safe = label
    .replaceAll(/[/\\:*?"<>|]/g, '_')
    .replace(/^\.+/, '_')
    .replace(/^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i, '_$1')
  const [, stem = '', extension = ''] = /^(.*?)(\.[^.]{1,16})?$/su.exec(safe) ?? []
  const short = `${upTo(stem, MAX_LABEL - Buffer.byteLength(extension))}${extension}`.replace(/[. ]+$/, '')
  return short || 'file'
}

/** As many characters as fit into so many octets of UTF-8. */
function upTo(text: string, octets: number): string {
  let size = 0
  let end = 0
  for (const character of text) {
    size += Buffer.byteLength(character)
    if (size > octets) break
    end += character.length
  }
  return text.slice(0, end)
}
