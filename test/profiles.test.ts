// docs/PROFILES.md against the code: the table of trust, the limits, and examples from sessions that were recorded and that still go as they went.
// `UPDATE_PROFILES=1 npm test -- test/profiles` records the sessions anew and writes the parts of the document that are made from them.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { OctetsNotice, Session } from '../src/beep/index.js'
import { ReplyError } from '../src/beep/index.js'
import { parseElement } from '../src/beep/wire/elements.js'
import { contentType, type Headers, splitEntity } from '../src/beep/wire/entity.js'
import { formatHeader } from '../src/beep/wire/frame.js'
import { FrameReader } from '../src/beep/wire/frame-reader.js'
import { formatTranscript, parseTranscript, type Side, type TranscriptEntry } from '../src/beep/wire/transcript.js'
import { CARD_LIFETIME, MAX_CARD_ADDRESSES, MAX_STATUS } from '../src/cloudy/calling-card.js'
import { MAX_CERTIFICATE, readCertificate } from '../src/cloudy/certificate.js'
import { MAX_CARD } from '../src/cloudy/discovery/txt-record.js'
import { isFingerprint } from '../src/cloudy/fingerprint.js'
import { Identity } from '../src/cloudy/identity.js'
import { parseJson } from '../src/cloudy/json.js'
import { MAX_QUERY, readQuery } from '../src/cloudy/object-query.js'
import { STORE_LIMITS } from '../src/cloudy/object-store.js'
import { MAX_ASKED, MAX_QUESTION, startCertificates } from '../src/cloudy/profiles/certificates.js'
import { FILE_TYPE } from '../src/cloudy/profiles/files.js'
import { CERTIFICATE, JSON_TEXT, OCTETS, SIGNED_DATA } from '../src/cloudy/profiles/media-types.js'
import { MAX_ANSWERS } from '../src/cloudy/profiles/objects.js'
import { type World, type WorldOptions, world } from '../src/cloudy/profiles/test-kit-people.js'
import { CERTIFICATES, FILES, OBJECTS } from '../src/cloudy/profiles/uris.js'
import { CLOCK_TOLERANCE, MAX_LIFETIME, MAX_OBJECT, signObject, verifyObject } from '../src/cloudy/signed-object.js'
import { MAX_NICKNAME } from '../src/cloudy/text.js'
import { type Action, CROWD, type Places, RIGHTS, type Rights, type Trust } from '../src/cloudy/trust.js'

const DAY = 86_400_000
const UPDATE = process.env.UPDATE_PROFILES === '1'
const DOCUMENT = resolve('docs', 'PROFILES.md')
const fixture = (name: string) => resolve('fixtures', 'profiles', `${name}.txt`)

// The sessions

interface Cast {
  readonly ada: Identity
  readonly bob: Identity
  readonly session: Session
  readonly here: World
  readonly directory: string
}

/** What is shown in each: Ada is the initiator, inside TLS. */
const SCENES: { readonly [name: string]: (cast: Cast) => Promise<void> } = {
  certificates: async ({ ada, bob, session }) => {
    const { channel } = await startCertificates(session, ada.certificate)
    const unknown = (await Identity.generate()).fingerprint
    const asked = channel.send({ body: JSON.stringify({ certificates: [bob.fingerprint, unknown] }), contentType: JSON_TEXT })
    for await (const answer of asked) await answer.bytes()
    await channel.request({ body: '{"certificates":["ada"]}', contentType: JSON_TEXT }).catch(() => {})
    await channel.close()
    const eve = await Identity.generate({ nickname: 'Eve' })
    await session.start(CERTIFICATES, { initial: eve.certificate.der }).catch(() => {})
  },
  objects: async ({ ada, bob, session, here }) => {
    const give = (octets: Uint8Array) => channel.request({ body: octets, contentType: SIGNED_DATA })
    const note = (text: string, now: number) => ada.sign({ text }, { type: 'example/note', lifetime: 21_600, now })
    const channel = await session.start(OBJECTS)
    await give((await note('hello', here.now)).octets)
    await give((await note('too late', here.now - DAY)).octets).catch(() => {})
    const query = JSON.stringify({ type: 'example/note', signer: ada.fingerprint, since: Math.floor(here.now / 1000) - 60 })
    for await (const answer of channel.send({ body: query, contentType: JSON_TEXT })) await answer.bytes()
    const own = await session.start(OBJECTS)
    const answers = own.send({ body: '{"type":"example/note","live":true}', contentType: JSON_TEXT })[Symbol.asyncIterator]()
    await answers.next()
    here.store.put(await bob.sign({ text: 'news' }, { type: 'example/note', lifetime: 21_600, now: here.now }))
    await (await answers.next()).value!.bytes()
    await own.close()
    await answers.next()
  },
  files: async ({ ada, bob, session, here, directory }) => {
    const offer = async (name: string) => {
      const issued = Math.floor(here.now / 1000)
      const sha256 = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
      const value = { name, size: 5, sha256 }
      const envelope = { type: FILE_TYPE, issued, expires: issued + 3600, to: bob.fingerprint, value }
      return channel.request({ body: (await signObject(ada, envelope)).octets, contentType: SIGNED_DATA })
    }
    const send = (body: string) => channel.request({ body, contentType: OCTETS })
    const channel = await session.start(FILES)
    await offer('hello.txt')
    await send('hello')
    expect(await readFile(join(directory, 'hello.txt'), 'utf8')).toBe('hello')
    await offer('hello.txt')
    await send('jello').catch(() => {})
    await offer('unwanted.exe').catch(() => {})
  },
}

/** Plays a scene, and gives what was said inside TLS, in the notation of the RFC. */
async function play(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cloudy-profiles-'))
  const ada = await Identity.generate({ nickname: 'Ada' })
  const bob = await Identity.generate({ nickname: 'Bob' })
  const offered: NonNullable<WorldOptions['onFile']>['offered'] = (manifest) => {
    if (manifest.name.endsWith('.exe')) throw new ReplyError(550, 'no, thank you')
  }
  const here = await world({ bob, downloads: directory, onFile: { offered } })
  const heard = new Map<Session, TranscriptEntry[]>()
  const listen = (notice: unknown) => {
    const { session, from, octets } = notice as OctetsNotice
    const entries = heard.get(session) ?? []
    heard.set(session, entries)
    entries.push({ from: from === 'initiator' ? 'I' : 'L', octets: octets.slice() })
  }
  subscribe('beep:octets', listen)
  try {
    const { friend } = await here.dial(ada)
    await SCENES[name]!({ ada, bob, session: friend.session, here, directory })
    await friend.release()
    const head = [`I is Ada ${ada.fingerprint}`, `L is Bob ${bob.fingerprint}`, `the time is ${here.now} ms since 1970`]
    const notes = [`${name}: a session inside TLS`, ...head].map((text) => `# ${text}\n`).join('')
    return notes + formatTranscript(heard.get(friend.session)!)
  } finally {
    unsubscribe('beep:octets', listen)
    await here[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  }
}

// What was said

interface Said {
  readonly from: Side
  /** Of the last frame. */
  readonly header: NonNullable<FrameReader['header']>
  readonly payload: Uint8Array
  readonly headers: Headers
  readonly body: Buffer
}

function messages(transcript: string): Said[] {
  const readers = { I: new FrameReader(), L: new FrameReader() }
  const begun = new Map<string, Uint8Array[]>()
  const said: Said[] = []
  for (const entry of parseTranscript(transcript)) {
    if (!('octets' in entry)) continue
    const { from, octets } = entry
    const reader = readers[from]
    reader.receive(octets)
    for (let part = reader.next(); part !== undefined; part = reader.next()) {
      const header = reader.header!
      const key = `${from} ${header?.channel}`
      const pieces = begun.get(key) ?? []
      if (part === 'payload') begun.set(key, [...pieces, Buffer.from(reader.payload)])
      if (part !== 'end' || header.more) continue
      begun.delete(key)
      const payload = Buffer.concat(pieces)
      const { headers, body } = splitEntity(payload) ?? { headers: new Map(), body: payload }
      said.push({ from, header, payload, headers, body: Buffer.from(body) })
    }
  }
  return said
}

/** What a message is, without what differs from time to time. */
function shape({ from, header, headers, body }: Said): string {
  const { keyword, channel, msgno } = header
  const text = isText(body) ? body.toString().replace(/[a-z2-7]{4}(-[a-z2-7]{4}){13}/g, 'KEY') : 'octets'
  const same = text
    .replace(/\b[0-9a-f]{64}\b/g, 'DIGEST')
    .replace(/"since":\d+/g, '"since":N')
    .replace(/>M[A-Za-z0-9+/=]{99,}</g, '>DER<')
  return [from, keyword, channel, msgno, contentType(headers), same.replace(/\d{4}-\d\d-\d\dT[0-9:]{8}Z/g, 'TIME')].join(' ')
}

const isText = (octets: Buffer) => /^[\t\r\n -~]*$/.test(octets.toString('latin1'))
const bySide = (said: readonly Said[]) => ['I', 'L'].map((side) => said.filter(({ from }) => from === side).map(shape))

/** Octets of a payload that the document shows. */
const SHOWN = 400

/** A session for people: its messages but greetings and release, one frame each, long and binary bodies left out. */
function excerpt(transcript: string): string {
  const lines = messages(transcript)
    .filter(({ body }) => !/^<greeting|<close number='0'/.test(body.toString()))
    .slice(0, -1)
    .map(({ from, header, payload, body }) => {
      const head = payload.length - body.length
      const shown = isText(body) ? Math.min(SHOWN, payload.length) : head
      const begin = Buffer.concat([
        Buffer.from(`${formatHeader({ ...header, size: payload.length })}\r\n`),
        payload.subarray(0, shown),
      ])
      if (shown === payload.length) return formatTranscript([{ from, octets: Buffer.concat([begin, Buffer.from('END\r\n')]) }])
      const count = payload.length - shown
      return formatTranscript([
        { from, octets: begin },
        { kind: 'omission', from, count },
        { from, octets: Buffer.from('END\r\n') },
      ])
    })
  return lines.join('')
}

describe.each(Object.keys(SCENES))('the session about %s', (name) => {
  test('is as it goes today', async () => {
    const today = await play(name)
    if (UPDATE) await writeFile(fixture(name), today)
    expect(bySide(messages(today))).toEqual(bySide(messages(await readFile(fixture(name), 'utf8'))))
  })

  test('says only what our code takes, each message by its label', async () => {
    const transcript = await readFile(fixture(name), 'utf8')
    const [, time] = /the time is (\d+) ms/.exec(transcript)!
    const kinds = new Set<string>()
    // The one that is refused because it has expired.
    const late = messages(transcript).flatMap(({ header, body }) =>
      /code='550'.*expired/.test(body.toString()) ? header.msgno : [],
    )
    for (const { header, headers, body } of messages(transcript)) {
      const type = contentType(headers)
      if (header.keyword === 'NUL') continue
      if (header.channel === 0 || header.keyword === 'ERR') parseElement(body)
      else if (type === CERTIFICATE) readCertificate(body)
      else if (type === JSON_TEXT && header.keyword === 'MSG' && name === 'objects') readQuery(body)
      else if (type === JSON_TEXT) parseJson(body)
      else if (type === SIGNED_DATA) verifyObject(body, { now: late.includes(header.msgno) ? Number(time) - DAY : Number(time) })
      kinds.add(`${header.keyword} ${type}`)
    }
    expect(kinds.size).toBeGreaterThan(2)
  })
})

// The document

const STATES = Object.keys(RIGHTS) as Trust[]
const ROWS: readonly (readonly [what: string, cell: (rights: Rights) => string])[] = [
  ['sessions that they begin', ({ sessions }) => (sessions === undefined ? 'no' : places(sessions))],
  ...(
    [
      ['certificates: show one’s own, ask', 'certificates'],
      ['objects: give', 'give'],
      ['objects: query', 'query'],
      ['objects: subscribe', 'subscribe'],
      ['files: offer', 'offer'],
      ['files: send', 'send'],
    ] as const satisfies readonly (readonly [string, Action])[]
  ).map(([what, action]) => [what, (rights: Rights) => quota(rights[action])] as const),
  ['certificates of others are told', ({ others }) => (others ? 'yes' : 'no')],
  [
    'given objects are kept',
    ({ keep }) => (keep === undefined ? 'no' : `${keep.objects}, ${size(keep.octets)}, in ${100 * keep.share} % of the store`),
  ],
]

function quota(of: Rights[Action]): string {
  return of === undefined ? 'no' : `${of.perMinute}/min, ${of.atOnce} at once, ${size(of.octetsPerHour)}/h`
}

function places({ ofKey, together, silence }: Places): string {
  const end = silence === undefined ? '' : `, each until ${silence} s pass without a frame`
  return `${ofKey}, and ${together} together${end}`
}

function size(octets: number): string {
  const units = ['octets', 'KiB', 'MiB', 'GiB']
  let unit = 0
  for (; octets >= 1024 * 1024 ** unit && unit < 3; ) unit++
  return `${octets / 1024 ** unit} ${units[unit]}`
}

function table(): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`
  const rows = ROWS.map(([what, cell]) => line([what, ...STATES.map((trust) => cell(RIGHTS[trust]))]))
  return line(['', ...STATES]) + line(['---', ...STATES.map(() => '---')]) + rows.join('')
}

/** The parts of the document that are made: what stands between two comments of this name. */
async function parts(): Promise<ReadonlyMap<string, string>> {
  const made = new Map([['trust', table()]])
  for (const name of Object.keys(SCENES)) made.set(name, `\`\`\`\n${excerpt(await readFile(fixture(name), 'utf8'))}\`\`\`\n`)
  return made
}

const between = (name: string) => new RegExp(`(<!-- made: ${name} -->\n)([\\s\\S]*?)(<!-- end -->)`)

describe('docs/PROFILES.md', () => {
  test('shows the table of trust and the sessions as they are', async () => {
    let text = await readFile(DOCUMENT, 'utf8')
    for (const [name, made] of await parts()) {
      if (UPDATE) text = text.replace(between(name), (_, begin, __, end) => `${begin}${made}${end}`)
      expect(between(name).exec(text)?.[2]).toBe(made)
    }
    if (UPDATE) await writeFile(DOCUMENT, text)
  })

  test('names the profiles, the limits and the tolerances of the code', async () => {
    const text = await readFile(DOCUMENT, 'utf8')
    for (const uri of [CERTIFICATES, OBJECTS, FILES]) expect(text).toContain(`Profile Identification: \`${uri}\``)
    for (const type of [CERTIFICATE, JSON_TEXT, SIGNED_DATA, OCTETS]) expect(text).toContain(`\`${type}\``)
    const limits = {
      MAX_ASKED,
      MAX_QUESTION,
      MAX_CERTIFICATE,
      MAX_OBJECT,
      MAX_QUERY,
      MAX_ANSWERS,
      CLOCK_TOLERANCE,
      MAX_LIFETIME,
      CROWD,
      CARD_LIFETIME,
      MAX_CARD,
      MAX_CARD_ADDRESSES,
      MAX_NICKNAME,
      MAX_STATUS,
    }
    const said = [...text.matchAll(/([\d,]+)<!-- (\w+) -->/g)].map(([, number, name]) => [
      name!,
      Number(number!.replaceAll(',', '')),
    ])
    expect(Object.fromEntries(said)).toEqual({ ...limits, maxQueue: STORE_LIMITS.maxQueue })
  })

  test('has JSON that is read as it says', async () => {
    const text = await readFile(DOCUMENT, 'utf8')
    const examples = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => json!)
    expect(examples.length).toBeGreaterThan(3)
    for (const json of examples) {
      const value = parseJson(Buffer.from(json)) as { readonly certificates?: readonly string[]; readonly sha256?: string }
      if (value.certificates !== undefined) expect(value.certificates.every(isFingerprint)).toBe(true)
      else if (value.sha256 !== undefined) expect(Object.keys(value)).toEqual(['name', 'size', 'sha256'])
      else readQuery(Buffer.from(json))
    }
  })
})
