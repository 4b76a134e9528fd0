// The TLS profile as a listener is asked for it (RFC 3080 §3.1.1).
import fc from 'fast-check'
import { must, section, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { closed, profile, start } from '../harness/management.js'
import { askForTls, cdata, contentOf, expectFailing, expectProceed, offeredTls, READY, secure, TLS } from '../harness/tuning.js'

const BEFORE = 'processes the "ready" element and includes the resulting response in the reply'

export const tlsStart = section('rfc3080/3.1.1', 'Profile Identification and Initialization', [
  must(
    'its-uri',
    {
      title: 'the URI of the profile in the greeting',
      judges: ['R3080-3.1.1-01'],
      quote: 'The TLS transport security profile is identified as',
      sends: 'a greeting',
      expects: 'http://iana.org/beep/TLS among the profiles',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await peer.greet()
      if (!peer.offered.includes(TLS)) throw new Failure(`it offers ${peer.offered.join(', ') || 'nothing'}`)
      return undefined
    },
  ),
  must.hold(
    'other-uris',
    {
      title: 'URIs that differ a little',
      judges: ['R3080-3.1.1-01', 'R3080-2.3.1.2-05'],
      quote: 'The TLS transport security profile is identified as',
      sends: 'a start of a profile whose URI is nearly that of TLS',
      expects: 'ERR, and the session goes on',
      of: 'listener',
      needs: 'tls',
      samples: fc.constantFrom(
        'http://iana.org/beep/tls',
        'HTTP://iana.org/beep/TLS',
        'http://IANA.org/beep/TLS',
        'http://iana.org/beep/TLS/',
        'http://iana.org/beep/TLS#',
        'http://iana.org/beep/TLS?',
        'http://iana.org/beep/TL',
        'http://iana.org/beep/TLSS',
        'https://iana.org/beep/TLS',
        'http://iana.org:80/beep/TLS',
        'http://iana.org/beep/%54LS',
        'http://iana.org/beep/./TLS',
      ),
    },
    async (peer, uri) => {
      await offeredTls(peer)
      const how = peer.expectError(await peer.ask(start(peer.number(), profile(uri, READY))))
      await peer.expectAlive()
      return how
    },
  ),
  must(
    'ready-in-the-start',
    {
      title: '<ready /> in the start',
      judges: ['R3080-3.1.1-02', 'R3080-3.1.1-03', 'R3080-3.1.3.2-03', 'R3080-3.1.3.2-06', 'R3080-2.3.1.2-08'],
      quote: BEFORE,
      sends: 'the start that the RFC shows, and after <proceed /> the handshake as its client',
      expects: '<proceed /> in the reply, the handshake, a greeting; and no octet between the reply and the handshake',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await offeredTls(peer)
      const asked = await peer.ask(
        `<start number='1'>\r\n   <profile uri='${TLS}'>\r\n       <![CDATA[<ready />]]>\r\n   </profile>\r\n</start>\r\n`,
      )
      expectProceed(asked)
      await secure(peer)
      return undefined
    },
  ),
  must.hold(
    'any-channel-number',
    {
      title: 'TLS on any channel',
      judges: ['R3080-3.1.1-03'],
      quote: BEFORE,
      sends: 'the start with any odd number',
      expects: '<proceed /> in the reply, the handshake, a greeting',
      of: 'listener',
      needs: 'tls',
      samples: fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 1_073_741_823 })).map((half) => 2 * half + 1),
    },
    async (peer, number) => {
      expectProceed(await askForTls(peer, READY, number))
      await secure(peer)
      return undefined
    },
  ),
  must(
    'failing-operation',
    {
      title: '<ready> with a version that makes no sense, as the RFC shows it',
      judges: ['R3080-3.1.1-04', 'R3080-3.1.3.1-06', 'R3080-3.1.3.2-07', 'R3080-2.3.1.2-26'],
      quote: 'the channel to be created, but for the encapsulated operation to fail',
      sends: '<ready version="oops" /> in a start',
      expects: 'a positive reply with <error> in it; the channel exists, the session goes on in clear',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      const number = peer.number()
      const how = expectFailing(await askForTls(peer, cdata('<ready version="oops" />'), number), false)
      peer.expectError(await peer.start(number, peer.profile))
      await peer.echo(await peer.channel(), 0)
      await closed(peer, number)
      return how
    },
  ),
  should(
    'failing-operation-code',
    {
      title: 'the code for a version that makes no sense',
      judges: ['R3080-3.1.3.1-02'],
      quote: 'poorly formed in &lt;ready&gt; element',
      sends: '<ready version="oops" /> in a start',
      expects: '501',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      const content = contentOf(await askForTls(peer, cdata('<ready version="oops" />')))
      if (content?.attributes.code !== '501') throw new Failure(`its code is ${content?.attributes.code}`)
      return undefined
    },
  ),
  must.hold(
    'nonsense-in-the-start',
    {
      title: 'any initialization message but <ready>',
      judges: ['R3080-3.1.3.1-06', 'R3080-3.1.1-04', 'R3080-7.2-01'],
      quote: 'an indication as to why the operation failed',
      sends: 'in a start content that asks for nothing',
      expects: '<error> in the reply, or ERR; and the session goes on in clear',
      of: 'listener',
      needs: 'tls',
      samples: fc.constantFrom(
        '<proceed />',
        '<error code="500">no</error>',
        '<blob />',
        '<Ready />',
        '<READY />',
        '<ready',
        '<ready><ready /></ready>',
        '<ready version="one" />',
        '<ready version="-1" />',
        '<ready version="" />',
        'ready',
        '<!DOCTYPE ready><ready />',
        '&ready;',
        '\u0000',
      ),
    },
    async (peer, content) => {
      const how = expectFailing(await askForTls(peer, content.includes('\u0000') ? 'garbage' : cdata(content)), true)
      await peer.echo(await peer.channel(), 0)
      return how
    },
  ),
])
