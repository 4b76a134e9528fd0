// Reply codes (RFC 3080 §8): which code the target gives for what. The section lists meanings, so another code than the one meant is a weakness only.
import fc from 'fast-check'
import { must, section, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { askedToClose, askedToRelease } from '../harness/initiator.js'
import { close, error, expectRefusal, ownChannel, profile, refused, start } from '../harness/management.js'
import { NOWHERE, type Peer } from '../harness/peer.js'

/** Every code that the section lists. */
const LISTED = new Set([200, 421, 450, 451, 454, 500, 501, 504, 530, 534, 535, 537, 538, 550, 553, 554])

/** What is asked, and the codes that mean why it is refused. N stands for a number that is ours to give. */
const REFUSED: readonly [
  slug: string,
  title: string,
  element: (number: number, peer: Peer) => string,
  codes: readonly number[],
  judged: string,
  quote: string,
][] = [
  [
    'malformed',
    'a MSG that is no XML',
    () => '<start',
    [500],
    'R3080-8-04',
    '500 general syntax error (e.g., poorly-formed XML)',
  ],
  ['empty', 'an empty MSG', () => '', [500], 'R3080-8-04', '500 general syntax error (e.g., poorly-formed XML)'],
  [
    'entity',
    'an entity that is not of the five',
    (n) => start(n, profile(NOWHERE, '&nbsp;')),
    [500],
    'R3080-8-04',
    '500 general syntax error (e.g., poorly-formed XML)',
  ],
  [
    'no-number',
    'a start without a number',
    () => `<start>${profile(NOWHERE)}</start>`,
    [501],
    'R3080-8-05',
    '501 syntax error in parameters (e.g., non-valid XML)',
  ],
  [
    'no-profile',
    'a start without a profile',
    (n) => start(n, ''),
    [501],
    'R3080-8-05',
    '501 syntax error in parameters (e.g., non-valid XML)',
  ],
  [
    'no-uri',
    'a profile without a uri',
    (n) => start(n, '<profile />'),
    [501],
    'R3080-8-05',
    '501 syntax error in parameters (e.g., non-valid XML)',
  ],
  [
    'bad-number',
    'a number above the range',
    () => start('2147483649', profile(NOWHERE)),
    [501, 553],
    'R3080-8-05',
    '501 syntax error in parameters',
  ],
  [
    'parity',
    'a number of the wrong parity',
    (n, { profile: uri }) => start(n + 1, profile(uri)),
    [501],
    'R3080-8-05',
    "<error code='501'>number attribute",
  ],
  [
    'no-code',
    'a close without a code',
    () => "<close number='77' />",
    [501],
    'R3080-8-05',
    '501 syntax error in parameters (e.g., non-valid XML)',
  ],
  [
    'unexpected',
    'an element that is no request',
    () => error(),
    [500, 501],
    'R3080-8-05',
    '501 syntax error in parameters (e.g., non-valid XML)',
  ],
  [
    'no-profile-acceptable',
    'a start of an unknown profile',
    (n) => start(n, profile(NOWHERE)),
    [550],
    'R3080-8-08',
    '(e.g., no requested profiles are acceptable)',
  ],
  ['no-channel', 'a close of an unknown channel', () => close(77), [501, 550, 553, 554], 'R3080-8-08', '553 parameter invalid'],
]

export const codes = section('rfc3080/8', 'Reply Codes', [
  ...REFUSED.map(([slug, title, element, expected, judged, quote]) =>
    should(
      slug,
      {
        title: `the code for ${title}`,
        judges: [judged],
        quote,
        sends: element(1, { profile: 'E' } as Peer) || 'an empty body',
        expects: `ERR with ${expected.join(' or ')}`,
      },
      async (peer) => {
        await peer.greet()
        return refused(peer, element(peer.number(), peer), expected)
      },
    ),
  ),
  should(
    'in-use',
    {
      title: 'the code for a number that is in use',
      judges: ['R3080-8-08'],
      quote: '550 requested action not taken',
      sends: 'a start with the number of an open channel',
      expects: 'ERR with 501, 550, 553 or 554',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      return expectRefusal(peer, await peer.start(channel, peer.profile), [501, 550, 553, 554])
    },
  ),
  must.hold(
    'form',
    {
      title: 'the form of the code for any request that is refused',
      judges: ['R3080-8-09', 'R3080-7.1-08'],
      quote: '[1-5][0-9][0-9]',
      sends: 'requests of all kinds that have to be refused',
      expects: 'ERR with three digits, of which the first is 1 to 5',
      samples: fc.nat(REFUSED.length - 1),
    },
    async (peer, at) => {
      await peer.greet()
      return refused(peer, REFUSED[at]![2](peer.number(), peer))
    },
  ),
  should.hold(
    'listed',
    {
      title: 'the code for any request that is refused is one of the list',
      judges: ['R3080-8-04', 'R3080-8-05', 'R3080-8-08'],
      quote: 'code meaning',
      sends: 'requests of all kinds that have to be refused',
      expects: 'ERR with a code of the list',
      samples: fc.nat(REFUSED.length - 1),
    },
    async (peer, at) => {
      await peer.greet()
      const saw = await refused(peer, REFUSED[at]![2](peer.number(), peer))
      if (!LISTED.has(Number(saw.slice(-3)))) throw new Failure(saw)
      return saw
    },
  ),
  ...(
    [
      ['close', 'the close of its channel', askedToClose],
      ['release', 'the release of the session', askedToRelease],
    ] as const
  ).map(([slug, title, asked]) =>
    should(
      `success-in-${slug}`,
      {
        title: `the code in ${title} when all went well`,
        judges: ['R3080-8-01'],
        quote: '200 success',
        sends: 'the replies to everything the target asks',
        expects: "code='200'",
        of: 'initiator',
      },
      async (peer) => {
        const { element } = await asked(peer)
        if (element.attributes.code !== '200') throw new Failure(`the code is ${element.attributes.code}`)
        return undefined
      },
    ),
  ),
])
