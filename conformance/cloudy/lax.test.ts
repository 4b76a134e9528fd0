// The cases of Cloudy can fail: peers that are lax in one way fail what is about it, and nothing else.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { listen, type Profile } from '../../src/beep/index.js'
import { Identity } from '../../src/cloudy/identity.js'
import { Peer, type PeerOptions } from '../../src/cloudy/peer.js'
import { tls } from '../../src/profiles/index.js'
import { CLOUDY_CASES } from './index.js'
import { OBJECTS } from './kit/visit.js'
import { judge } from './test-kit-judge.js'

async function identity(): Promise<Identity> {
  return Identity.generate({ nickname: 'Lax' })
}

/** Plain cases of these sections. */
function plain(...sections: readonly string[]) {
  return CLOUDY_CASES.filter(
    ({ section, samples }) => samples === undefined && sections.includes(section.slice('cloudy/'.length)),
  )
}

/** What our own peer fails when it is started so. */
async function failing(options: Partial<PeerOptions>, cases: typeof CLOUDY_CASES): Promise<readonly string[]> {
  const downloads = await mkdtemp(join(tmpdir(), 'cloudy-lax-'))
  const peer = await Peer.start({
    identity: await identity(),
    downloads,
    loopbackOnly: true,
    onFile: { offered: () => {} },
    ...options,
  })
  try {
    const results = await judge(peer.port, cases)
    return results.cases.filter(({ outcome }) => outcome === 'failed').map(({ id }) => id)
  } finally {
    await peer.close()
    await rm(downloads, { recursive: true })
  }
}

test('a peer that trusts everybody fails what strangers may not', async () => {
  const cases = [
    ...plain('clear-text', 'tls', 'certificates'),
    ...CLOUDY_CASES.filter(({ section }) => section === 'cloudy/quotas'),
  ]
  expect(await failing({ trustOf: () => 'vouched' }, cases)).toEqual([
    'cloudy/certificates/others-not-told',
    'cloudy/quotas/give',
    'cloudy/quotas/give-what-does-not-hold',
    'cloudy/quotas/give-on-two-sessions',
    'cloudy/quotas/give-octets',
    'cloudy/quotas/ask-for-certificates',
    'cloudy/quotas/show-certificates',
    'cloudy/quotas/offer',
    'cloudy/quotas/query',
  ])
}, 60_000)

test('a peer whose clock is more than a minute behind fails what is about clocks', async () => {
  const cases = plain('lifetimes')
  expect(await failing({ now: () => Date.now() - 100_000 }, cases)).toEqual(['cloudy/lifetimes/clock-ahead'])
}, 60_000)

test('a peer that believes everything passes only what has to be accepted', async () => {
  const { privateKeyPem, certificatePem } = await identity().then((each) => ({
    privateKeyPem: each.privateKeyPem(),
    certificatePem: each.certificatePem(),
  }))
  /** Offered in clear text, too. */
  const credulous: Profile = {
    uri: OBJECTS,
    async message(message) {
      await message.bytes(1_000_000)
      return '0'.repeat(64)
    },
  }
  const secured = tls({ key: privateKeyPem, cert: certificatePem, verify: () => {}, clientCertificate: 'optional' })
  await using listener = await listen({ host: '127.0.0.1', profiles: [secured, credulous] })
  const { cases } = await judge(
    listener.address.port,
    plain('clear-text', 'tls', 'objects', 'lifetimes', 'encodings', 'json', 'cards'),
  )
  expect(cases.filter(({ outcome }) => outcome === 'passed').map(({ id }) => id)).toEqual([
    'cloudy/clear-text/certificate-in-clear',
    'cloudy/tls/version-1.3',
    'cloudy/tls/certificate-of-target',
    'cloudy/tls/not-resumed',
    'cloudy/tls/key-rsa',
    'cloudy/objects/given-again',
    'cloudy/objects/reply-is-bare',
    'cloudy/objects/signed-by-another',
    'cloudy/objects/to-target',
    'cloudy/objects/largest',
    'cloudy/lifetimes/clock-ahead',
    'cloudy/lifetimes/lifetime-longest',
    'cloudy/encodings/key-alone',
    'cloudy/json/deepest',
  ])
  expect(cases.filter(({ outcome }) => outcome !== 'passed' && outcome !== 'failed')).toEqual([])
}, 60_000)
