// Initialization messages in starts of ours (RFC 3080 §2.3.1.2). What becomes of them is the profile's business; that they come through is not.
import fc from 'fast-check'
import { must, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { askRaw, expectRefusal, labelled, profile, refused, start } from '../harness/management.js'
import type { Peer } from '../harness/peer.js'
import { type Plain, STYLES, spell } from '../harness/spelling.js'

/** A start whose profile holds an initialization message: taken or refused, the session lives. */
async function initialized(peer: Peer, content: string, attributes = ''): Promise<string> {
  await peer.greet()
  const answer = await askRaw(peer, labelled(start(peer.number(), profile(peer.profile, content, attributes))))
  const saw =
    answer.keyword === 'ERR'
      ? expectRefusal(peer, answer)
      : answer.element.text === ''
        ? 'accepted'
        : `accepted, with a reply of ${answer.element.text.length} characters`
  await peer.expectAlive()
  return saw
}

/** What becomes of a start that holds an initialization message: `RPY`, or the reply code. Another channel is asked for each time. */
async function outcome(peer: Peer, content: string, attributes = ''): Promise<string> {
  if (peer.greeting === undefined) await peer.greet()
  const { keyword, element } = await askRaw(peer, labelled(start(peer.number(), profile(peer.profile, content, attributes))))
  return keyword === 'ERR' ? `ERR ${element.attributes.code}` : keyword
}

export const content = [
  ...(
    [
      ['text', 'words', 'hello', ''],
      ['cdata', 'an element in CDATA', '\r\n    <![CDATA[<ready />]]>\r\n', ''],
      ['references', 'an element in references', '&lt;ready /&gt;', ''],
      ['white-space', 'nothing but white space', '\r\n   ', ''],
      ['base64', 'octets in base64', 'AAECAw==', " encoding='base64'"],
      ['base64-lines', 'base64 in several lines', '\r\n AAEC\r\n Aw==\r\n', " encoding='base64'"],
      ['none', 'words whose encoding is called none', 'hello', " encoding='none'"],
      ['pieces', 'text, CDATA, a comment and an instruction', 'a<![CDATA[<b>]]><!-- c --><?d e?>f', ''],
      ['4k', '4096 octets', 'x'.repeat(4096), ''],
    ] as const
  ).map(([slug, title, text, attributes]) =>
    must(
      `content-${slug}`,
      {
        title: `an initialization message: ${title}`,
        judges: ['R3080-2.3.1.2-06', 'R3080-2.3.1.2-22', 'R3080-2.3.1.2-27', 'R3080-2.3.1.2-28', 'R3080-7.1-03'].concat(
          slug === '4k' ? 'R3080-2.3.1.2-07' : [],
        ),
        quote: 'specifies an initialization message given to the channel as soon as it is created',
        sends: `a start that holds ${title}`,
        expects: 'RPY or ERR, as the profile likes; the session lives',
      },
      (peer) => initialized(peer, text, attributes),
    ),
  ),
  must(
    'content-4k-like-less',
    {
      title: 'an initialization message of 4096 octets, and one of 4095',
      judges: ['R3080-2.3.1.2-07'],
      quote: 'must be no longer than 4K octets in length',
      sends: 'a start that holds 4095 octets, and one that holds 4096',
      expects: 'RPY to both, or the same refusal',
    },
    async (peer) => {
      const saw: string[] = []
      for (const size of [4095, 4096]) saw.push(await outcome(peer, 'x'.repeat(size)))
      if (saw[0] !== saw[1]) throw new Failure(`4095 octets: ${saw[0]}; 4096: ${saw[1]}`)
      return saw[0]
    },
  ),
  must(
    'content-base64-in-any-lines',
    {
      title: 'the same octets in base64, on one line and in lines with white space around them',
      judges: ['R3080-2.3.1.2-27', 'R3080-7.1-03'],
      quote: 'specifies an initialization message given to the channel as soon as it is created',
      sends: 'a start that holds three octets in base64, and one that holds them in two lines',
      expects: 'RPY to both, or the same refusal',
    },
    async (peer) => {
      const saw: string[] = []
      for (const text of ['AAEC', '\r\n AA\r\n EC\r\n ']) saw.push(await outcome(peer, text, " encoding='base64'"))
      if (saw[0] !== saw[1]) throw new Failure(`on one line: ${saw[0]}; in two: ${saw[1]}`)
      return saw[0]
    },
  ),
  should(
    'content-above-4k',
    {
      title: 'an initialization message of 4097 octets',
      judges: ['R3080-2.3.1.2-07'],
      quote: 'must be no longer than 4K octets in length',
      sends: 'a start that holds 4097 octets',
      expects: 'ERR; the session lives',
    },
    async (peer) => {
      await peer.greet()
      return refused(peer, start(peer.number(), profile(peer.profile, 'x'.repeat(4097))))
    },
  ),
  must.hold(
    'content-any',
    {
      title: 'any initialization message in any spelling',
      judges: ['R3080-2.3.1.2-28', 'R3080-6.4-06', 'R3080-6.4-02'],
      quote: 'arbitrary character data as content',
      sends: 'a start that holds any text, in pieces of text, CDATA and comments',
      expects: 'RPY or ERR, as the profile likes; the session lives',
      samples: fc.tuple(fc.string({ unit: 'grapheme', maxLength: 60 }), STYLES),
    },
    async (peer, [text, style]) => {
      await peer.greet()
      const lawful = text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
      const within: Plain = { name: 'profile', attributes: { uri: peer.profile }, content: lawful }
      const attributes = { number: String(peer.number()) }
      const answer = await askRaw(peer, labelled(spell({ name: 'start', attributes, content: [within] }, style)))
      const saw = answer.keyword === 'ERR' ? expectRefusal(peer, answer) : 'accepted'
      if (saw.endsWith('500')) throw new Failure('the element was refused as poorly formed')
      await peer.expectAlive()
      return saw
    },
  ),
  ...['quoted', 'BASE64', 'Base64', ''].map((encoding) =>
    must(
      `encoding-${encoding === '' ? 'empty' : encoding}`,
      {
        title: `a profile whose encoding is '${encoding}'`,
        judges: ['R3080-7.1-04', 'R3080-2.3.1.2-06'],
        quote: 'encoding (none|base64) "none"',
        sends: `encoding='${encoding}' in the profile of a start`,
        expects: 'ERR; the session lives',
      },
      async (peer) => {
        await peer.greet()
        return refused(peer, start(peer.number(), profile(peer.profile, 'AAEC', ` encoding='${encoding}'`)))
      },
    ),
  ),
  ...['A', 'AAEC*', 'AA=A', 'A==='].map((text, at) =>
    should(
      `no-base64-${at + 1}`,
      {
        title: `an initialization message that is not the base64 it claims to be: ${text}`,
        judges: ['R3080-2.3.1.2-27'],
        quote: 'represented as a base64- encoded string',
        sends: `encoding='base64' with ${text}`,
        expects: 'ERR; the session lives',
      },
      async (peer) => {
        await peer.greet()
        return refused(peer, start(peer.number(), profile(peer.profile, text, " encoding='base64'")))
      },
    ),
  ),
]
