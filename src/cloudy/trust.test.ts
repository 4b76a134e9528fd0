// The table of trust, cell by cell, over real sockets and TLS: what may not be done is refused with 537, what may be done is done as often, as many
// at a time and as large as its quota says, and then refused with 450 or 554.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { Acquaintances, MAX_ACQUAINTANCES } from './acquaintances.js'
import type { IdentityCertificate } from './certificate.js'
import type { Friend } from './friend.js'
import { Identity } from './identity.js'
import { askCertificates, startCertificates } from './profiles/certificates.js'
import { type World, world } from './profiles/test-kit-people.js'
import { CERTIFICATES, FILES, OBJECTS } from './profiles/uris.js'
import { type Action, CROWD, Gate, RIGHTS, type Rights, type Trust } from './trust.js'

const STATES = Object.keys(RIGHTS) as Trust[]
const ACTIONS = ['certificates', 'give', 'query', 'subscribe', 'offer', 'send'] as const satisfies readonly Action[]
const CELLS = STATES.flatMap((trust) => ACTIONS.map((action) => [trust, action] as const))

let ada: Identity
let bob: Identity
let downloads: string
let path: string
let here: World

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
  downloads = await mkdtemp(join(tmpdir(), 'cloudy-trust-'))
  path = join(downloads, 'file')
  await writeFile(path, 'x')
})
afterEach(async () => {
  await here?.[Symbol.asyncDispose]()
})
afterAll(async () => {
  await rm(downloads, { recursive: true })
})

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** How each is done. @returns what does it, once everything else that counts has been done */
const DOING: { readonly [action in Action]: (friend: Friend) => Promise<() => Promise<unknown>> } = {
  certificates: async (friend) => {
    const { channel } = await startCertificates(friend.session, ada.certificate)
    return () => drain(askCertificates(channel, [bob.fingerprint]))
  },
  give: async (friend) => {
    let count = 0
    return async () => friend.give((await ada.sign(count++, { type: 'example/note', lifetime: 60, now: here.now })).octets)
  },
  query: async (friend) => () => drain(friend.query({})),
  subscribe: async (friend) => async () => (await friend.subscribe({})).return(),
  offer: async (friend) => () => friend.sendFile(path),
  send: async (friend) => () => friend.sendFile(path),
}

const outcome = (doing: Promise<unknown>) =>
  doing.then(
    () => 'done',
    (error) => error.replyCode ?? error,
  )

async function meet(trust: Trust) {
  here = await world({ bob, trust, downloads, onFile: { offered: () => {} } })
  return (await here.dial(ada)).friend
}

describe.each(CELLS)('%s: %s', (trust, action) => {
  const quota = (RIGHTS[trust] as Rights)[action]
  const admit = (octets = 0) => here.gate.admit(ada.fingerprint, action, octets)

  if (quota === undefined)
    test('is not allowed', async () => {
      const friend = await meet(trust)
      const doing = async () => (await DOING[action](friend))()
      expect(await outcome(doing())).toBe(537)
      expect(here.gate.allows(ada.fingerprint, action)).toBe(false)
      expect([here.received.length, here.store.size]).toEqual([0, 0])
    })
  else {
    test('is allowed as often, and as many at a time, as the quota says', async () => {
      const { perMinute, atOnce } = quota
      const friend = await meet(trust)
      // Showing the certificates counts, too.
      const once = await DOING[action](friend)
      const running = Array.from({ length: atOnce }, () => admit())
      expect(await outcome(once())).toBe(450)
      for (const each of running) each[Symbol.dispose]()
      const left = perMinute - atOnce - (action === 'certificates' ? 1 : 0)
      for (let n = 1; n < left; n++) admit()[Symbol.dispose]()
      expect(await outcome(once())).toBe('done')
      expect(await outcome(once())).toBe(450)
      here.now += 60_000 / perMinute
      // Each ends when it is done.
      for (let n = 0; n <= atOnce; n++, here.now += 60_000 / perMinute) expect(await outcome(once())).toBe('done')
    })

    test('is allowed as large as the quota says, and not for a crowd without end', () => {
      const { atOnce, octetsPerHour } = quota
      const gate = new Gate({ trustOf: () => trust, now: () => 0 })
      expect(() => gate.admit('ada', action, octetsPerHour + 1)).toThrow(expect.objectContaining({ replyCode: 554 }))
      const whole = gate.admit('ada', action, octetsPerHour)
      expect(whole.spend(1)).toBe(false)
      if (atOnce > 1) expect(() => gate.admit('ada', action, 1)).toThrow(expect.objectContaining({ replyCode: 450 }))
      for (let n = 1; n < CROWD; n++) gate.admit(`key${n}`, action, octetsPerHour)
      expect(() => gate.check('another', action, 1)).toThrow(expect.objectContaining({ replyCode: 450 }))
    })
  }
})

test.each(STATES)('what is given by somebody %s is kept when the table says so', async (trust) => {
  const friend = await meet(trust)
  const give = await DOING.give(friend)
  const { keep } = RIGHTS[trust] as Rights
  await outcome(give())
  expect(here.store.size).toBe(keep === undefined ? 0 : 1)
})

describe('somebody who is blocked', () => {
  test('starts no profile of Cloudy', async () => {
    const { session } = await meet('blocked')
    for (const uri of [CERTIFICATES, OBJECTS, FILES])
      await expect(session.start(uri, { initial: ada.certificate.der })).rejects.toMatchObject({ replyCode: 537 })
  })

  test('may do nothing more on the channels that they have, either', async () => {
    const friend = await meet('vouched')
    const give = await DOING.give(friend)
    expect(await outcome(give())).toBe('done')
    here.trust = 'blocked'
    expect(await outcome(give())).toBe(537)
    here.trust = 'vouched'
    expect(await outcome(give())).toBe('done')
  })
})

describe('whoever was met', () => {
  const person = (fingerprint: string) => ({ fingerprint, notBefore: new Date(0) }) as IdentityCertificate
  const ended = { closed: Promise.resolve({ kind: 'released', by: 'us' } as const) }

  test('is a stranger in their first session and remembered after it', async () => {
    const acquaintances = new Acquaintances()
    let end = () => {}
    const closed = new Promise<Awaited<(typeof ended)['closed']>>((resolve) => {
      end = () => resolve({ kind: 'released', by: 'us' })
    })
    acquaintances.meet(person('ada'), { closed })
    expect([acquaintances.trustOf('ada'), acquaintances.trustOf('bob')]).toEqual(['stranger', 'stranger'])
    end()
    await closed
    expect([acquaintances.trustOf('ada'), acquaintances.trustOf('bob')]).toEqual(['remembered', 'stranger'])
  })

  test('is forgotten when too many others were met since', async () => {
    const acquaintances = new Acquaintances()
    acquaintances.meet(person('ada'), ended)
    acquaintances.meet(person('bob'), ended)
    for (let n = 0; n < MAX_ACQUAINTANCES - 1; n++) {
      acquaintances.meet(person('bob'), ended)
      acquaintances.meet(person(`key${n}`), ended)
    }
    await ended.closed
    expect([acquaintances.trustOf('ada'), acquaintances.trustOf('bob')]).toEqual(['stranger', 'remembered'])
    expect(acquaintances.certificateOf('ada')).toBeUndefined()
  })

  test('is not forgotten while they are connected, however many others come', async () => {
    const acquaintances = new Acquaintances()
    acquaintances.meet(person('ada'), ended)
    await ended.closed
    acquaintances.meet(person('ada'), { closed: new Promise(() => {}) })
    for (let n = 0; n < MAX_ACQUAINTANCES + 10; n++) {
      acquaintances.meet(person(`key${n}`), ended)
      await ended.closed
    }
    expect(acquaintances.trustOf('ada')).toBe('remembered')
    expect(acquaintances.certificateOf('ada')).toBeDefined()
    expect(acquaintances.trustOf('key0')).toBe('stranger')
    expect(acquaintances.trustOf(`key${MAX_ACQUAINTANCES + 9}`)).toBe('remembered')
  })

  test('and does it over real sessions', async () => {
    const friend = await meet('stranger')
    expect(here.acquaintances.trustOf(ada.fingerprint)).toBe('stranger')
    const { atBob } = await here.dial(ada)
    await friend.release()
    atBob.terminate()
    await atBob.closed
    expect(here.acquaintances.trustOf(ada.fingerprint)).toBe('remembered')
  })
})
