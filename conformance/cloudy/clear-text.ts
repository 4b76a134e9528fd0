// Before TLS: a Cloudy peer offers TLS and nothing else.
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { profile, start } from '../harness/management.js'
import { matching } from '../harness/matching.js'
import { READY, TLS } from '../harness/tuning.js'
import { somebody } from './kit/certificates.js'
import { CERTIFICATES, declined, OBJECTS, PROFILES } from './kit/visit.js'

const ALONE = 'a peer offers the TLS profile of RFC 3080 §3.1 and nothing else'

export const clearText = section('cloudy/clear-text', 'Before TLS', [
  must(
    'offers-tls-alone',
    {
      title: 'the first greeting',
      judges: ['CLOUDY-TLS-01'],
      quote: ALONE,
      sends: 'a greeting',
      expects: 'a greeting with the TLS profile and no other',
    },
    async (peer) => {
      await peer.greet([])
      if (peer.offered.join() !== TLS) throw new Failure(`it offers ${peer.offered.join(', ') || 'nothing'}`)
      return undefined
    },
  ),
  must.hold(
    'starts-nothing-else',
    {
      title: 'a start of a profile of Cloudy, with or without an initialization message',
      judges: ['CLOUDY-TLS-01'],
      quote: ALONE,
      sends: 'greeting and start',
      expects: 'ERR, and the session lives',
      samples: fc.record({
        uri: fc.oneof(
          fc.constantFrom(...PROFILES),
          matching(/^[a-z0-9.-]{1,20}$/).map((name) => `urn:cloudy:beep:profiles:${name}`),
        ),
        initial: fc.option(fc.uint8Array({ minLength: 1, maxLength: 300 }), { nil: undefined }),
      }),
    },
    async (peer, { uri, initial }) => {
      await peer.greet([])
      const content = initial === undefined ? '' : Buffer.from(initial).toString('base64')
      const attributes = initial === undefined ? '' : " encoding='base64'"
      return declined(peer, await peer.ask(start(1, profile(uri, content, attributes))), [])
    },
  ),
  must(
    'certificate-in-clear',
    {
      title: 'a good certificate shown in clear text',
      judges: ['CLOUDY-TLS-01'],
      quote: ALONE,
      sends: 'a start of the certificates profile as it would be right inside TLS',
      expects: 'ERR, and the session lives',
    },
    async (peer) => {
      await peer.greet([])
      const content = somebody().certificate.toString('base64')
      return declined(peer, await peer.ask(start(1, profile(CERTIFICATES, content, " encoding='base64'"))), [])
    },
  ),
  must(
    'tls-of-two-proposed',
    {
      title: 'a start that proposes a profile of Cloudy first, and TLS',
      judges: ['CLOUDY-TLS-01'],
      quote: ALONE,
      sends: 'a start with both',
      expects: 'TLS, or ERR',
    },
    async (peer) => {
      await peer.greet([])
      const { keyword, element } = await peer.ask(start(1, profile(OBJECTS) + profile(TLS, READY)))
      if (keyword === 'RPY' && element.attributes.uri !== TLS) throw new Failure(`it starts ${element.attributes.uri} in clear`)
      return keyword === 'RPY' ? 'it chooses TLS' : 'it refuses both'
    },
  ),
])
