// Certificates over real sockets and TLS: both show their own, others are told to those whose rights say so, and nothing is learnt from a false one.
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Entity, Profile, ReplyError } from '../../beep/index.js'
import { readCertificate } from '../certificate.js'
import { Identity } from '../identity.js'
import { MAX_ASKED, startCertificates } from './certificates.js'
import { CERTIFICATE, JSON_TEXT } from './media-types.js'
import { type World, world } from './test-kit-people.js'
import { CERTIFICATES } from './uris.js'

let ada: Identity
let bob: Identity
let eve: Identity
let here: World

beforeAll(async () => {
  ada = await Identity.generate({ nickname: 'Ada' })
  bob = await Identity.generate({ nickname: 'Bob' })
  eve = await Identity.generate({ nickname: 'Eve' })
})
afterEach(async () => {
  await here[Symbol.asyncDispose]()
})

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = []
  for await (const item of items) gathered.push(item)
  return gathered
}

const json = (value: unknown) => ({ body: typeof value === 'string' ? value : JSON.stringify(value), contentType: JSON_TEXT })

describe('the start', () => {
  test('shows both their certificates, and the newer one of a key is learnt', async () => {
    here = await world({ bob })
    const { friend } = await here.dial(ada)
    const renewed = await ada.renew({ nickname: 'Countess Ada', now: Date.now() + 1000 })
    const { certificate } = await startCertificates(friend.session, renewed.certificate)
    expect(certificate.der).toEqual(bob.certificate.der)
    expect(here.acquaintances.certificateOf(ada.fingerprint)?.nickname).toBe('Countess Ada')
    await startCertificates(friend.session, ada.certificate)
    expect(here.acquaintances.certificateOf(ada.fingerprint)?.nickname).toBe('Countess Ada')
  })

  test.each([
    ['of another key', () => eve.certificate.der, 535],
    ['that is none', () => Buffer.from('308203ffff', 'hex'), 535],
    [
      'whose signature does not hold',
      () => ada.certificate.der.map((octet, at) => (at === ada.certificate.der.length - 1 ? octet ^ 1 : octet)),
      535,
    ],
    ['that is not there', () => undefined, 501],
  ])('is declined with a certificate %s, and nothing is learnt', async (_, initial, replyCode) => {
    here = await world({ bob })
    const { friend } = await here.dial(ada)
    const before = here.acquaintances.certificateOf(ada.fingerprint)
    await expect(friend.session.start(CERTIFICATES, { initial: initial() })).rejects.toMatchObject({ replyCode })
    expect(here.acquaintances.certificateOf(ada.fingerprint)).toBe(before)
    expect(here.acquaintances.certificateOf(eve.fingerprint)).toBeUndefined()
  })

  test('costs as much as an answer', async () => {
    here = await world({ bob, trust: 'stranger' })
    const { friend } = await here.dial(ada)
    for (let count = 0; count < 10; count++) await startCertificates(friend.session, ada.certificate)
    await expect(startCertificates(friend.session, ada.certificate)).rejects.toMatchObject({ replyCode: 450 })
    here.now += 60_000
    await startCertificates(friend.session, ada.certificate)
  })
})

describe('who asks', () => {
  test('too often is refused before a fingerprint is computed', async () => {
    here = await world({ bob, trust: 'stranger' })
    const { friend } = await here.dial(ada)
    const { channel } = await startCertificates(friend.session, ada.certificate)
    const wrong = json({ certificates: [`${bob.fingerprint.slice(0, -1)}${bob.fingerprint.endsWith('a') ? 'b' : 'a'}`] })
    const codes: number[] = []
    for (let count = 0; count < 20; count++)
      await channel.request(wrong).catch((error: ReplyError) => codes.push(error.replyCode))
    expect(codes).toEqual([...Array(9).fill(501), ...Array(11).fill(450)])
  })

  test('is told one by one what is known, in one type; unknown fingerprints give no answer', async () => {
    here = await world({ bob })
    await here.dial(eve)
    const { friend } = await here.dial(ada)
    const nobody = (await Identity.generate()).fingerprint
    const told = await all(friend.certificates([eve.fingerprint, nobody, bob.fingerprint, ada.fingerprint]))
    expect(told.map(({ nickname }) => nickname)).toEqual(['Eve', 'Bob', 'Ada'])
    expect(await all(friend.certificates([]))).toEqual([])
    const { channel } = await startCertificates(friend.session, ada.certificate)
    for await (const answer of channel.send(json({ certificates: [eve.fingerprint, eve.fingerprint] }))) {
      expect(answer.contentType).toBe(CERTIFICATE)
      expect(readCertificate(await answer.bytes()).fingerprint).toBe(eve.fingerprint)
    }
  })

  test.each(['stranger', 'remembered', 'introduced'] as const)('and is only %s is not told whom we know', async (trust) => {
    here = await world({ bob, trust })
    await here.dial(eve)
    const { friend } = await here.dial(ada)
    const told = await all(friend.certificates([eve.fingerprint, bob.fingerprint, ada.fingerprint]))
    expect(told.map(({ nickname }) => nickname)).toEqual(['Bob', 'Ada'])
  })

  test.each([
    ['another type', { body: '{"certificates":[]}', contentType: 'text/plain' }, 501],
    ['no JSON', json('certificates'), 500],
    ['a name twice', json('{"certificates":[],"certificates":[]}'), 500],
    ['an array', json([]), 501],
    ['another member', json({ certificates: [], more: true }), 501],
    ['what is no fingerprint', json({ certificates: ['abcd'] }), 501],
    ['a number', json({ certificates: [1] }), 501],
    ['too much', json(' '.repeat(8193)), 554],
  ])('and sends %s is refused', async (_, question, replyCode) => {
    here = await world({ bob })
    const { friend } = await here.dial(ada)
    const { channel } = await startCertificates(friend.session, ada.certificate)
    await expect(channel.request(question)).rejects.toMatchObject({ replyCode })
  })

  test('for too many is refused, by themselves and by the peer', async () => {
    here = await world({ bob })
    const { friend } = await here.dial(ada)
    const many = Array.from({ length: MAX_ASKED + 1 }, () => bob.fingerprint)
    await expect(all(friend.certificates(many))).rejects.toThrow(RangeError)
    const { channel } = await startCertificates(friend.session, ada.certificate)
    await expect(channel.request(json({ certificates: many }))).rejects.toMatchObject({ replyCode: 501 })
    expect(await all(friend.certificates(many.slice(1)))).toHaveLength(1)
  })
})

describe('who asks and breaks the session with it', () => {
  test('leaves nothing behind that counts as at work', async () => {
    here = await world({ bob, trust: 'stranger' })
    const { friend, atBob } = await here.dial(ada)
    const { channel } = await startCertificates(friend.session, ada.certificate)
    const question = { ...json({ certificates: [] }) }
    await all(channel.send(question))
    const { tls } = friend.session
    const { octetsSent } = channel.traffic
    const payload = `Content-Type: ${JSON_TEXT}\r\n\r\n${question.body}`
    // In one piece: the question is taken up, and its session is over before it has been read.
    tls!.write(`MSG ${channel.number} 1 . ${octetsSent} ${payload.length}\r\n${payload}END\r\nno frame\r\n`)
    expect(await atBob.closed).toMatchObject({ kind: 'terminated', by: 'us' })
    // The handler comes to its end among the microtasks.
    await new Promise(setImmediate)
    expect(() => here.gate.check(ada.fingerprint, 'certificates', 0)).not.toThrow()
  })
})

describe('a false peer', () => {
  const serving = (answers: readonly unknown[], initial = bob.certificate.der): Profile => ({
    uri: CERTIFICATES,
    start: () => initial,
    async *message() {
      yield* answers as Entity[]
    },
  })
  const as = (who: Identity) => ({ body: who.certificate.der, contentType: CERTIFICATE })

  test.each([
    ['whom nobody asked for', () => [as(bob), as(eve)], 'unasked'],
    ['twice', () => [as(bob), as(bob)], 'unasked'],
    ['under another label', () => [{ ...as(bob), contentType: 'text/plain' }], 'unasked'],
    ['what is no certificate', () => [{ body: Buffer.alloc(9), contentType: CERTIFICATE }], 'malformed'],
  ])('that tells %s is not believed', async (_, answers, reason) => {
    here = await world({ bob, serves: [serving(answers())] })
    const { friend } = await here.dial(ada)
    await expect(all(friend.certificates([ada.fingerprint, bob.fingerprint]))).rejects.toMatchObject({ reason })
  })

  test('that shows the certificate of another key is told nothing more', async () => {
    here = await world({ bob, serves: [serving([as(bob)], eve.certificate.der)] })
    const { friend } = await here.dial(ada)
    await expect(all(friend.certificates([bob.fingerprint]))).rejects.toMatchObject({ replyCode: 535 })
    expect(friend.session.channels.size).toBe(0)
  })
})
