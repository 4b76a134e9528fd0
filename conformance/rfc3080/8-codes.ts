// Reply codes (RFC 3080 §8): which code the target gives for what. The section lists meanings, so another code than the one meant is a weakness only.
import fc from 'fast-check'
import { must, section, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { askedToClose, askedToRelease } from '../harness/initiator.js'
import { answerAt, answerTo, close, error, expectRefusal, ownChannel, profile, refused, start } from '../harness/management.js'
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
  ...(
    [
      [
        'form',
        must,
        'three digits, of which the first is 1 to 5',
        '[1-5][0-9][0-9]',
        ['R3080-8-09', 'R3080-7.1-08'],
        (code) => /^[1-5][0-9][0-9]$/.test(code),
      ],
      [
        'listed',
        should,
        'a code of the list',
        'code meaning',
        ['R3080-8-04', 'R3080-8-05', 'R3080-8-08'],
        (code) => LISTED.has(Number(code)),
      ],
    ] as [string, typeof must, string, string, string[], (code: string) => boolean][]
  ).map(([slug, strength, expects, quote, judges, isGood]) =>
    strength.hold(
      slug,
      {
        title: `the code for any request that is refused is ${expects}`,
        judges,
        quote,
        sends: 'requests of all kinds that have to be refused; whether they are is not the question here',
        expects,
        samples: fc.nat(REFUSED.length - 1),
      },
      async (peer, at) => {
        await peer.greet()
        const msgno = peer.next()
        peer.manage(`MSG ${msgno}`, REFUSED[at]![2](peer.number(), peer))
        await peer.connection.until(() => answerAt(peer, msgno) !== -1)
        if (answerAt(peer, msgno) === -1) return 'not answered'
        const answer = await answerTo(peer, msgno)
        if (answer.keyword !== 'ERR') return 'not refused'
        const { code = '' } = answer.element.attributes
        if (!isGood(code)) throw new Failure(`the code is '${code}'`)
        return `refused with ${code}`
      },
    ),
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
