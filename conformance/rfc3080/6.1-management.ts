// What messages of channel management may hold (RFC 3080 §6.1), and how they are labelled (§6.4).
import type { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { askedToClose, askedToRelease } from '../harness/initiator.js'
import {
  acceptsOrEnds,
  answered,
  askedToStart,
  askRaw,
  closed,
  labelled,
  ownChannel,
  profile,
  start,
} from '../harness/management.js'
import { BEEP_XML, NOWHERE, type Peer } from '../harness/peer.js'
import type { Role } from '../harness/results.js'

/** Everything that a target says on channel 0, and how to make it say so. */
export const SAID: readonly {
  readonly slug: string
  readonly what: string
  readonly of?: Role
  say(peer: Peer): Promise<Buffer>
}[] = [
  {
    slug: 'greeting',
    what: 'the greeting',
    async say(peer) {
      peer.manage('RPY 0', `<greeting>${profile(peer.profile)}</greeting>`)
      return (await peer.answer(0)).payload
    },
  },
  {
    slug: 'profile',
    what: 'the positive reply to a start',
    of: 'listener',
    async say(peer) {
      await peer.greet()
      return (await peer.start(peer.number(), peer.profile)).payload
    },
  },
  {
    slug: 'error',
    what: 'the refusal of a start',
    async say(peer) {
      await peer.greet()
      return (await peer.start(peer.number(), NOWHERE)).payload
    },
  },
  {
    slug: 'error-500',
    what: 'the answer to what is no XML',
    async say(peer) {
      await peer.greet()
      return (await peer.ask('<start')).payload
    },
  },
  { slug: 'ok', what: 'the agreement to a close', say: async (peer) => (await closed(peer, await ownChannel(peer))).payload },
  { slug: 'start', what: 'the start of an initiator', of: 'initiator', say: async (peer) => (await askedToStart(peer)).payload },
  { slug: 'close', what: 'the close of an initiator', of: 'initiator', say: async (peer) => (await askedToClose(peer)).payload },
  {
    slug: 'release',
    what: 'the release of an initiator',
    of: 'initiator',
    say: async (peer) => (await askedToRelease(peer)).payload,
  },
]

/** Entity headers of a payload, by name in lower case, unfolded. */
function headersOf(payload: Buffer): ReadonlyMap<string, string> {
  const block = payload
    .toString('latin1')
    .split('\r\n\r\n')[0]!
    .replace(/\r\n[ \t]+/g, ' ')
  const fields = block.split('\r\n').filter((line) => line.includes(':'))
  return new Map(
    fields.map((line) => [line.slice(0, line.indexOf(':')).trim().toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
}

const labels = SAID.map(({ slug, what, of, say }) =>
  must(
    `label-of-${slug}`,
    {
      title: `the label of ${what}`,
      judges: ['R3080-6.4-01', 'R3080-6.1-01', 'R3080-6.4-08'],
      quote: 'MIME subtype name: beep+xml',
      sends: 'what makes the target say it',
      expects: 'Content-Type: application/beep+xml, and no encoding that octets on TCP do not need',
      ...(of === undefined ? {} : { of }),
    },
    async (peer) => {
      const headers = headersOf(await say(peer))
      const type = headers.get('content-type') ?? ''
      if (!/^application\/beep\+xml *(;|$)/i.test(type))
        throw new Failure(type === '' ? 'there is no Content-Type' : `the Content-Type is ${type}`)
      const encoding = headers.get('content-transfer-encoding') ?? 'binary'
      if (!/^(binary|7bit|8bit)$/i.test(encoding)) throw new Failure(`the Content-Transfer-Encoding is ${encoding}`)
      return type
    },
  ),
)

const styles = [
  ...(
    [
      ['ans', 'an answer', (peer: Peer) => peer.send('ANS 0 0 .', `${BEEP_XML}<greeting />`, { ansno: 0 })],
      ['nul', 'the end of a series of answers', (peer: Peer) => peer.send('NUL 0 0 .')],
    ] as const
  ).map(([slug, title, say]) =>
    must(
      `${slug}-for-greeting`,
      {
        title: `${title} in place of the greeting`,
        judges: ['R3080-6.1-01', 'R3080-2.3.1.1-01'],
        quote: 'Messages in one-to-many exchanges: none',
        sends: `${slug.toUpperCase()} 0 0`,
        expects: 'the session ends without an answer',
      },
      async (peer) => {
        say(peer)
        return peer.expectTermination(['RPY 0 0'])
      },
    ),
  ),
  ...(
    [
      ['start', askedToStart],
      ['close', askedToClose],
      ['release', askedToRelease],
    ] as const
  ).flatMap(([request, asked]) => [
    must(
      `ans-for-${request}`,
      {
        title: `an answer of several to a ${request}`,
        judges: ['R3080-6.1-01'],
        quote: 'Messages in one-to-many exchanges: none',
        sends: 'ANS with what would be a good positive reply, and NUL',
        expects: 'the session ends without an answer',
        of: 'initiator',
      },
      async (peer) => {
        const { msgno } = await asked(peer)
        peer.send(`ANS 0 ${msgno} .`, BEEP_XML + (request === 'start' ? profile(peer.profile) : '<ok />'), { ansno: 0 })
        peer.send(`NUL 0 ${msgno} .`)
        return peer.expectTermination()
      },
    ),
    must(
      `nul-for-${request}`,
      {
        title: `no answers to a ${request}`,
        judges: ['R3080-6.1-01'],
        quote: 'Messages in one-to-many exchanges: none',
        sends: 'NUL',
        expects: 'the session ends without an answer',
        of: 'initiator',
      },
      async (peer) => {
        const { msgno } = await asked(peer)
        peer.send(`NUL 0 ${msgno} .`)
        return peer.expectTermination()
      },
    ),
  ]),
]

/** Labels that say application/beep+xml as MIME lets one say it. */
const LAWFUL: readonly [slug: string, title: string, headers: string, judges: readonly string[]][] = [
  ['charset', 'the charset that is the default', 'Content-Type: application/beep+xml; charset=UTF-8\r\n\r\n', ['R3080-6.4-02']],
  [
    'charset-quoted',
    'the same in quotes and lower case',
    'Content-Type: application/beep+xml;charset="utf-8"\r\n\r\n',
    ['R3080-6.4-02'],
  ],
  ['name-in-other-case', 'the name of the header in another case', 'content-type: application/beep+xml\r\n\r\n', []],
  ['type-in-other-case', 'the type in another case', 'Content-Type: Application/BEEP+XML\r\n\r\n', []],
  ['no-space', 'no space behind the colon', 'Content-Type:application/beep+xml\r\n\r\n', []],
  ['more-before', 'another header before it', 'Content-Description: for you\r\nContent-Type: application/beep+xml\r\n\r\n', []],
  [
    'more-behind',
    'another header behind it',
    'Content-Type: application/beep+xml\r\nContent-Transfer-Encoding: binary\r\n\r\n',
    ['R3080-6.4-08'],
  ],
  ['folded', 'a header in two lines', 'Content-Type: application/beep+xml;\r\n charset=utf-8\r\n\r\n', ['R3080-6.4-02']],
]

/** Labels of which a target may make what it likes. */
const DOUBTFUL: readonly [slug: string, title: string, headers: string, judges: readonly string[]][] = [
  ['none', 'no Content-Type', '\r\n', ['R3080-6.1-01']],
  ['text-xml', 'text/xml', 'Content-Type: text/xml\r\n\r\n', ['R3080-6.1-01']],
  ['application-xml', 'application/xml', 'Content-Type: application/xml\r\n\r\n', ['R3080-6.1-01']],
  ['octet-stream', 'application/octet-stream', 'Content-Type: application/octet-stream\r\n\r\n', ['R3080-6.1-01']],
  ['us-ascii', 'charset US-ASCII', 'Content-Type: application/beep+xml; charset=us-ascii\r\n\r\n', ['R3080-6.4-07']],
  ['latin-1', 'charset ISO-8859-1', 'Content-Type: application/beep+xml; charset=ISO-8859-1\r\n\r\n', ['R3080-6.4-07']],
  [
    'ebcdic',
    'charset EBCDIC-INT',
    'Content-Type: application/beep+xml; charset=EBCDIC-INT\r\n\r\n',
    ['R3080-6.4-07', 'R3080-8-06'],
  ],
  ['comment', 'a comment', 'Content-Type: application/beep+xml (as always)\r\n\r\n', ['R3080-6.1-01']],
]

const taken = [
  ...LAWFUL.map(([slug, title, headers, judges]) =>
    must(
      `taken-with-${slug}`,
      {
        title: `a start whose label has ${title}`,
        judges: ['R3080-6.1-01', ...judges],
        quote: 'Optional parameters: charset (defaults to "UTF-8"',
        sends: headers.trim(),
        expects: 'the channel, and the echo',
        of: 'listener',
      },
      async (peer) => {
        await peer.greet()
        const number = peer.number()
        const { keyword, element } = await askRaw(peer, labelled(start(number, profile(peer.profile)), headers))
        if (keyword !== 'RPY') throw new Failure(`expected the channel; ${keyword} with code ${element.attributes.code} came`)
        await peer.echo(number, 0)
        return undefined
      },
    ),
  ),
  must.hold(
    'taken-in-greeting',
    {
      title: 'a greeting with any label that MIME has for application/beep+xml',
      judges: ['R3080-6.1-01', 'R3080-6.4-02'],
      quote: 'Optional parameters: charset (defaults to "UTF-8"',
      sends: 'a greeting with headers in any case, order and folding, with and without charset',
      expects: 'the session is up',
      samples: fc
        .record({
          name: fc.constantFrom('Content-Type', 'content-type', 'CONTENT-TYPE'),
          gap: fc.constantFrom(' ', '', '  ', '\t', '\r\n '),
          type: fc.constantFrom('application/beep+xml', 'Application/Beep+XML'),
          charset: fc.constantFrom('', '; charset=utf-8', ';charset="UTF-8"', ';\r\n\tCharset=utf-8'),
          more: fc.constantFrom('', 'X-More: 1\r\n', 'Content-ID: <1@example.org>\r\n'),
          first: fc.boolean(),
        })
        .map(({ name, gap, type, charset, more, first }) => {
          const field = `${name}:${gap}${type}${charset}\r\n`
          return `${first ? field + more : more + field}\r\n`
        }),
    },
    async (peer, headers) => {
      peer.manage('RPY 0', `<greeting>${profile(peer.profile)}</greeting>`, headers)
      await peer.greeted()
      await peer.expectAlive()
      return undefined
    },
  ),
  ...DOUBTFUL.flatMap(([slug, title, headers, judges]) => [
    may(
      `choice-${slug}`,
      {
        title: `a start whose label has ${title}`,
        judges,
        quote: '',
        sends: headers.trim() || 'an empty line',
        expects: 'the channel, or ERR; the session lives',
      },
      async (peer) => {
        await peer.greet()
        return answered(peer, labelled(start(peer.number(), profile(peer.profile)), headers))
      },
    ),
    may(
      `choice-greeting-${slug}`,
      {
        title: `a greeting whose label has ${title}`,
        judges,
        quote: '',
        sends: headers.trim() || 'an empty line',
        expects: 'it is taken, or the session ends',
      },
      async (peer) => {
        peer.manage('RPY 0', `<greeting>${profile(peer.profile)}</greeting>`, headers)
        return acceptsOrEnds(peer)
      },
    ),
  ]),
  may(
    'choice-base64',
    {
      title: 'a start in base64',
      judges: ['R3080-6.4-08'],
      quote: 'an appropriate encoding must be applied',
      sends: 'Content-Transfer-Encoding: base64',
      expects: 'the channel, or ERR; the session lives',
    },
    async (peer) => {
      await peer.greet()
      const octets = labelled(start(peer.number(), profile(peer.profile)), '').toString('base64')
      return answered(peer, labelled(octets, 'Content-Type: application/beep+xml\r\nContent-Transfer-Encoding: base64\r\n\r\n'))
    },
  ),
]

export const management = section('rfc3080/6.1', 'Registration: BEEP Channel Management', [...labels, ...styles, ...taken])
