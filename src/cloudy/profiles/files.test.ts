// Files over real sockets and TLS: a manifest, an answer, the octets, the digest; each refusal with its code; names from the network.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { type FileHandle, mkdir, mkdtemp, open, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import type { ErrorNotice } from '../../beep/diagnostics.js'
import { type Channel, type Entity, ReplyError } from '../../beep/index.js'
import { deferred } from '../../beep/promises.js'
import { Identity } from '../identity.js'
import type { Json } from '../json.js'
import { signObject } from '../signed-object.js'
import { FILE_TYPE, fileName, type Manifest } from './files.js'
import { OCTETS, SIGNED_DATA } from './media-types.js'
import { type World, type WorldOptions, world } from './test-kit-people.js'
import { FILES } from './uris.js'

let ada: Identity
let bob: Identity
let eve: Identity
let here: World
let directory: string
let downloads: string

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
  eve = await Identity.generate({ nickname: 'Eve' })
})
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cloudy-files-'))
  downloads = join(directory, 'downloads')
  await mkdir(downloads)
})
afterEach(async () => {
  await here[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

async function met(onFile: WorldOptions['onFile'] = { offered: () => {} }, options: Partial<WorldOptions> = {}) {
  here = await world({ bob, downloads, onFile, ...options })
  return here.dial(ada)
}

async function fileOf(octets: Uint8Array, name = 'letter.txt'): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, octets)
  return path
}

const sha256 = (octets: Uint8Array) => createHash('sha256').update(octets).digest('hex')
const manifestOf = (octets: Uint8Array, name = 'letter.txt'): Manifest => ({ name, size: octets.length, sha256: sha256(octets) })

interface Offer {
  readonly by?: Identity
  /** `null` is nobody. */
  readonly to?: string | null
  readonly type?: string
  readonly age?: number
}

/** A manifest as a MSG, whatever it says. */
async function offerOf(value: Json, { by = ada, to = bob.fingerprint, type = FILE_TYPE, age = 0 }: Offer = {}): Promise<Entity> {
  const issued = Math.floor(here.now / 1000) - age
  const { octets } = await signObject(by, { type, issued, expires: issued + 3600, to: to ?? undefined, value })
  return { body: octets, contentType: SIGNED_DATA }
}

const asJson = (manifest: Manifest): Json => ({ ...manifest })
const replyCode = (channel: Channel, what: Entity) =>
  channel.request(what).then(
    () => 'RPY',
    (error) => error.replyCode,
  )
const octetsOf = (body: Entity['body']): Entity => ({ body, contentType: OCTETS })

describe('a file', () => {
  test.each([0, 1, 700_000])('of %d octets arrives whole; who gave it hears its digest', async (size) => {
    const octets = randomBytes(size)
    const received = deferred<[Manifest, string, string]>()
    const seen: number[] = []
    const { friend } = await met({
      offered: () => {},
      progress: (_, written) => seen.push(written),
      received: (manifest, path, from) => received.resolve([manifest, path, from.nickname]),
    })
    expect(await friend.sendFile(await fileOf(octets))).toEqual(manifestOf(octets))
    const [manifest, path, from] = await received.promise
    expect([manifest, from]).toEqual([manifestOf(octets), 'Ada'])
    expect((await readFile(path)).equals(octets)).toBe(true)
    expect(await readdir(downloads)).toEqual(['letter.txt'])
    expect(seen.at(-1) ?? 0).toBe(size)
  })

  test('is on the disk, and its name too, before its giver hears of it', async () => {
    const { friend } = await met()
    const octets = randomBytes(50_000)
    const path = await fileOf(octets)
    await using any = await open(path)
    const { sync } = Object.getPrototypeOf(any)
    const synced: unknown[] = []
    const watched = jest.spyOn(Object.getPrototypeOf(any), 'sync').mockImplementation(async function (this: FileHandle) {
      const before = (await readdir(downloads)).map((name) => name.replace(/^\..*(?=\.part$)/, ''))
      const stats = await this.stat()
      await sync.call(this)
      synced.push({ directory: stats.isDirectory(), octets: stats.isFile() && stats.size, before })
    })
    await friend.sendFile(path)
    watched.mockRestore()
    expect(synced).toEqual([
      { directory: false, octets: 50_000, before: ['.part'] },
      { directory: true, octets: false, before: ['letter.txt'] },
    ])
  })

  test('that a killed program was receiving is removed in the end; that of another program, and what only looks like one, stays', async () => {
    const part = () => `.${randomUUID()}.part`
    const [dead, slow] = [part(), part()] as const
    const others = ['letter.part', '.letter.part', `${randomUUID()}.part`]
    const ago = (hours: number) => Date.now() / 1000 - hours * 3600
    for (const [name, hours] of [...others.map((each) => [each, 1000] as const), [slow, 23], [dead, 25]] as const) {
      await writeFile(join(downloads, name), '')
      await utimes(join(downloads, name), ago(hours), ago(hours))
    }
    const watcher = watch(downloads)
    const removed = once(watcher, 'change')
    await met()
    expect((await removed)[1]).toBe(dead)
    watcher.close()
    expect((await readdir(downloads)).toSorted()).toEqual([...others, slow].toSorted())
  })

  test('takes the place of no other, and the same may come twice at once', async () => {
    const { friend } = await met()
    const octets = randomBytes(100_000)
    const path = await fileOf(octets)
    await writeFile(join(downloads, 'letter.txt'), 'mine')
    await Promise.all([friend.sendFile(path), friend.sendFile(path)])
    expect((await readdir(downloads)).toSorted()).toEqual(['letter (2).txt', 'letter (3).txt', 'letter.txt'])
    expect(await readFile(join(downloads, 'letter.txt'), 'utf8')).toBe('mine')
  })

  test('that was kept is confirmed, also when the application throws when it is told; that is noted', async () => {
    const notes: unknown[] = []
    const note = (notice: unknown) => notes.push((notice as ErrorNotice).error)
    const mistake = new Error('a mistake')
    const { friend } = await met({
      offered: () => {},
      received: () => {
        throw mistake
      },
    })
    subscribe('beep:error', note)
    const octets = randomBytes(9)
    expect(await friend.sendFile(await fileOf(octets))).toEqual(manifestOf(octets))
    unsubscribe('beep:error', note)
    expect(notes).toEqual([mistake])
    expect(await readdir(downloads)).toEqual(['letter.txt'])
  })

  test('leaves nothing behind when its giver leaves in the midst', async () => {
    const begun = deferred<void>()
    const { friend, atBob } = await met({ offered: () => {}, progress: () => begun.resolve() })
    const octets = randomBytes(400_000)
    const channel = await friend.session.start(FILES)
    await channel.request(await offerOf(asJson(manifestOf(octets))))
    const sending = channel.request(
      octetsOf(
        (async function* () {
          yield octets.subarray(0, 200_000)
          await begun.promise
          friend.session.terminate()
        })(),
      ),
    )
    await expect(sending).rejects.toThrow()
    await atBob.closed
    await emptied(downloads)
  })
})

describe('a file of somebody who is blocked', () => {
  test('while it comes, no more is written, and nothing of it stays', async () => {
    const octets = randomBytes(2_000_000)
    let written = 0
    const { friend } = await met({
      offered: () => {},
      progress: (_, all) => {
        written = all
        here.trust = 'blocked'
      },
    })
    await expect(friend.sendFile(await fileOf(octets))).rejects.toMatchObject({ replyCode: 537 })
    expect(written).toBeLessThan(octets.length)
    expect(await readdir(downloads)).toEqual([])
  })

  test('when it has come, it is not kept', async () => {
    const { friend } = await met({
      offered: () => {},
      progress: (_, all) => {
        if (all === 10) here.trust = 'blocked'
      },
    })
    await expect(friend.sendFile(await fileOf(randomBytes(10)))).rejects.toMatchObject({ replyCode: 537 })
    expect(await readdir(downloads)).toEqual([])
  })
})

/** Waits until a directory is empty. */
async function emptied(path: string): Promise<void> {
  const watcher = watch(path)
  try {
    while ((await readdir(path)).length > 0) await once(watcher, 'change')
  } finally {
    watcher.close()
  }
}

describe('an offer', () => {
  test('is refused when nobody is there to accept it', async () => {
    const { friend } = await met({})
    await expect(friend.sendFile(await fileOf(randomBytes(9)))).rejects.toMatchObject({ replyCode: 450 })
    expect(await readdir(downloads)).toEqual([])
  })

  test('is refused with what whoever decides says, and nothing is sent', async () => {
    const { friend } = await met({
      offered: () => {
        throw new ReplyError(550, 'no, thank you')
      },
    })
    await expect(friend.sendFile(await fileOf(randomBytes(9)))).rejects.toMatchObject({ replyCode: 550, text: 'no, thank you' })
  })

  test('that is larger than its giver may send is refused with 554, and nobody is asked', async () => {
    let asked = 0
    const { friend } = await met({ offered: () => void asked++ }, { trust: 'stranger' })
    const channel = await friend.session.start(FILES)
    const large = { name: 'large', size: 64 * 1024 * 1024 + 1, sha256: 'a'.repeat(64) }
    expect(await replyCode(channel, await offerOf(large))).toBe(554)
    expect(asked).toBe(0)
    expect(await replyCode(channel, await offerOf({ ...large, size: large.size - 1 }))).toBe('RPY')
  })

  test('that does not hold is refused', async () => {
    const { friend } = await met()
    const channel = await friend.session.start(FILES)
    const good = asJson(manifestOf(randomBytes(9))) as { readonly [name: string]: Json }
    const code = async (value: Json, offer?: Offer) => replyCode(channel, await offerOf(value, offer))
    expect(await code(good, { age: 3601 })).toBe(550)
    expect(await code(good, { by: eve })).toBe(553)
    expect(await code(good, { to: eve.fingerprint })).toBe(553)
    expect(await code(good, { to: null })).toBe(553)
    expect(await code(good, { type: 'cloudy/other' })).toBe(553)
    for (const wrong of [
      null,
      [],
      { ...good, more: 1 },
      { ...good, size: -1 },
      { ...good, size: 1.5 },
      { ...good, size: '9' },
      { ...good, name: 1 },
      { ...good, sha256: 'A'.repeat(64) },
      { ...good, sha256: 'a'.repeat(63) },
      { name: 'x', size: 9 },
    ] as Json[])
      expect(await code(wrong)).toBe(553)
    expect(await replyCode(channel, { ...(await offerOf(good)), contentType: 'application/json' })).toBe(501)
    expect(await replyCode(channel, { ...(await offerOf(good)), body: Buffer.alloc(65_537) })).toBe(554)
    expect(await readdir(downloads)).toEqual([])
  })
})

describe('the octets', () => {
  async function accepted(octets: Uint8Array) {
    const { friend } = await met()
    const channel = await friend.session.start(FILES)
    await channel.request(await offerOf(asJson(manifestOf(octets))))
    return channel
  }

  test.each([
    ['that are others', (octets: Buffer) => octetsOf(Buffer.from(octets).fill(1, 0, 1)), 553],
    ['that are too few', (octets: Buffer) => octetsOf(octets.subarray(1)), 553],
    ['that are too many', (octets: Buffer) => octetsOf(Buffer.concat([octets, Buffer.of(0)])), 553],
    ['under another label', (octets: Buffer) => ({ body: octets, contentType: 'text/plain' }), 501],
  ])('%s are refused, and nothing of them stays', async (_, send, code) => {
    const octets = randomBytes(50_000).fill(0, 0, 1)
    const channel = await accepted(octets)
    expect(await replyCode(channel, send(octets))).toBe(code)
    expect(await readdir(downloads)).toEqual([])
    // The offer is used up.
    expect(await replyCode(channel, octetsOf(octets))).toBe(501)
  })

  test('that have the digest of the manifest and not its size are refused', async () => {
    const octets = randomBytes(10)
    const { friend } = await met()
    const channel = await friend.session.start(FILES)
    await channel.request(await offerOf(asJson({ ...manifestOf(octets), size: 11 })))
    expect(await replyCode(channel, octetsOf(octets))).toBe(553)
    expect(await readdir(downloads)).toEqual([])
  })

  test('that come after the offer has expired are refused', async () => {
    const octets = randomBytes(10)
    const channel = await accepted(octets)
    here.now += 3_600_000
    expect(await replyCode(channel, octetsOf(octets))).toBe(550)
  })

  test('on another channel than the offer are no file', async () => {
    const octets = randomBytes(10)
    const channel = await accepted(octets)
    const other = await channel.session.start(FILES)
    expect(await replyCode(other, octetsOf(octets))).toBe(501)
    expect(await replyCode(channel, octetsOf(octets))).toBe('RPY')
  })

  test('are refused with 450 when the hour of their giver is full', async () => {
    const { friend } = await met(undefined, { trust: 'stranger' })
    const channel = await friend.session.start(FILES)
    here.gate.admit(ada.fingerprint, 'send', 64 * 1024 * 1024 - 9)[Symbol.dispose]()
    expect(await replyCode(channel, await offerOf(asJson(manifestOf(randomBytes(10)))))).toBe(450)
    const octets = randomBytes(9)
    expect(await replyCode(channel, await offerOf(asJson(manifestOf(octets))))).toBe('RPY')
    expect(await replyCode(channel, octetsOf(octets))).toBe('RPY')
    expect(await replyCode(channel, await offerOf(asJson(manifestOf(Buffer.of(1)))))).toBe(450)
  })

  test('without end are refused as soon as they are too many', async () => {
    const channel = await accepted(randomBytes(50_000))
    const endless = async function* () {
      for (;;) yield Buffer.alloc(10_000)
    }
    expect(await replyCode(channel, octetsOf(endless()))).toBe(553)
  })
})

describe('a name from the network', () => {
  test('is never a path, never hidden, never a device, never too long, and what is harmless stays', () => {
    const nasty = fc.stringMatching(/^[./\\:*?"<>| a-c]{0,20}$/)
    const letters = fc.string({ unit: 'grapheme', maxLength: 300 })
    fc.assert(
      fc.property(
        fc.oneof(
          nasty,
          letters,
          fc.tuple(letters, nasty).map(([a, b]) => a + b),
        ),
        (label) => {
          const name = fileName(label)
          expect(name).not.toMatch(/[/\\:*?"<>|]|^\.|[. ]$|^$/)
          expect(join('/downloads', name)).toBe(`/downloads/${name}`)
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
          expect(fileName(name)).toBe(name)
        },
      ),
    )
  })

  test.each([
    ['letter.txt', 'letter.txt'],
    ['../../etc/passwd', '__.._etc_passwd'],
    ['C:\\boot.ini', 'C__boot.ini'],
    ['.profile', '_profile'],
    ['..', '_'],
    ['', 'file'],
    ['con', '_con'],
    ['LPT1.txt', '_LPT1.txt'],
    ['archive.tar.gz', 'archive.tar.gz'],
    ['Grüße aus 東京.txt', 'Grüße aus 東京.txt'],
  ])('%j becomes %j', (label, name) => {
    expect(fileName(label)).toBe(name)
  })

  test('that is long in octets arrives, with its extension', async () => {
    const { friend } = await met()
    const channel = await friend.session.start(FILES)
    const octets = randomBytes(10)
    for (const _ of [1, 2]) {
      expect(await replyCode(channel, await offerOf(asJson(manifestOf(octets, `${'東'.repeat(250)}.txt`))))).toBe('RPY')
      expect(await replyCode(channel, octetsOf(octets))).toBe('RPY')
    }
    expect((await readdir(downloads)).toSorted()).toEqual([`${'東'.repeat(65)} (2).txt`, `${'東'.repeat(65)}.txt`])
  })
})
