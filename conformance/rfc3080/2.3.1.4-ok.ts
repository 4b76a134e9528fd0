// `<ok>` (RFC 3080 §2.3.1.4): as the target says it, and as an initiator takes ours.
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { askedToClose, askedToRelease, releases } from '../harness/initiator.js'
import {
  acceptsOrEnds,
  close,
  closed,
  error,
  goesOnOrEnds,
  isData,
  ownChannel,
  profile,
  type Request,
} from '../harness/management.js'
import { NOWHERE, type Peer } from '../harness/peer.js'
import { malformed, STYLES, spell } from '../harness/spelling.js'

/** What is no reply to a close. */
const WRONG: readonly [slug: string, title: string, keyword: string, element: string, judges: readonly string[]][] = [
  ['profile', '<profile>', 'RPY', profile(NOWHERE), []],
  ['greeting', '<greeting>', 'RPY', '<greeting />', []],
  ['close', '<close>', 'RPY', close(0), []],
  ['error-in-rpy', '<error> in a positive reply', 'RPY', error(), ['R3080-6.1-01']],
  ['ok-in-err', '<ok> in a negative reply', 'ERR', '<ok />', ['R3080-6.1-01']],
  ['words', 'words', 'RPY', 'ok', []],
  ['empty', 'an empty body', 'RPY', '', []],
  ['doctype', '<ok> behind DOCTYPE', 'RPY', '<!DOCTYPE ok><ok />', ['R3080-6.4-05']],
]

/** Both requests that `<ok>` answers. */
const REQUESTS: readonly [slug: string, title: string, asked: (peer: Peer) => Promise<Request>][] = [
  ['close', 'the close of its channel', askedToClose],
  ['release', 'the release of the session', askedToRelease],
]

export const ok = section('rfc3080/2.3.1.4', 'The OK Message', [
  must(
    'said',
    {
      title: 'the <ok> to a close',
      judges: ['R3080-2.3.1.4-01', 'R3080-2.3.1.4-02', 'R3080-7.1-07'],
      quote: 'element has no attributes and no content',
      sends: 'a start and a close',
      expects: 'RPY with <ok>, without attributes and content',
    },
    async (peer) => {
      await closed(peer, await ownChannel(peer))
      return undefined
    },
  ),
  must(
    'said-to-release',
    {
      title: 'the <ok> to a release',
      judges: ['R3080-2.3.1.4-01', 'R3080-2.3.1.4-02', 'R3080-7.1-07'],
      quote: 'agrees to close a channel (or release the BEEP session)',
      sends: 'a release',
      expects: 'RPY with <ok>, without attributes and content, or ERR',
    },
    async (peer) => {
      const how = await releases(peer, close(0))
      return typeof how === 'string' ? how : how.refused
    },
  ),
  must.hold(
    'taken-in-any-spelling',
    {
      title: 'an <ok> in any spelling that XML has',
      judges: ['R3080-7.1-07', 'R3080-6.4-06'],
      quote: 'CDATA blocks, processing instructions, and so on) are allowed',
      sends: 'RPY with <ok> in other white space, with an end tag, comments and instructions',
      expects: 'the session goes on, or the target releases it',
      of: 'initiator',
      samples: STYLES,
    },
    async (peer, style) => {
      const { msgno } = await askedToClose(peer)
      peer.manage(`RPY ${msgno}`, spell({ name: 'ok' }, style))
      const saw = await goesOnOrEnds(peer)
      if (saw === 'the target ended the session') throw new Failure('the target ended the session without a release')
      return saw
    },
  ),
  ...(
    [
      ['attribute', 'an attribute', "<ok code='200' />"],
      ['text', 'words', '<ok>fine</ok>'],
      ['child', 'an element', '<ok><ok /></ok>'],
    ] as const
  ).map(([slug, title, element]) =>
    may(
      `taken-with-${slug}`,
      {
        title: `an <ok> with ${title} in it`,
        judges: ['R3080-2.3.1.4-02'],
        quote: 'element has no attributes and no content',
        sends: element,
        expects: 'it is taken for <ok>, or the session ends',
        of: 'initiator',
      },
      async (peer) => {
        const { msgno } = await askedToClose(peer)
        peer.manage(`RPY ${msgno}`, element)
        return acceptsOrEnds(peer)
      },
    ),
  ),
  ...REQUESTS.flatMap(([request, what, asked]) =>
    WRONG.map(([slug, title, keyword, element, judges]) =>
      must(
        `wrong-for-${request}-${slug}`,
        {
          title: `a reply to ${what} that is none: ${title}`,
          judges: ['R3080-2.2.2.1-02', ...judges],
          quote: 'If a poorly-formed reply is received on channel zero, the session is terminated',
          sends: `${keyword} with ${element || 'nothing'}`,
          expects: 'the session ends without an answer',
          of: 'initiator',
        },
        async (peer) => {
          const { msgno } = await asked(peer)
          peer.manage(`${keyword} ${msgno}`, element)
          return peer.expectTermination()
        },
      ),
    ),
  ),
  must.hold(
    'wrong-any',
    {
      title: 'a reply to a close with any damage that makes it no XML',
      judges: ['R3080-2.2.2.1-02'],
      quote: 'If a poorly-formed reply is received on channel zero, the session is terminated',
      sends: 'a reply that is not well-formed, positive or negative',
      expects: 'the session ends without an answer',
      of: 'initiator',
      samples: fc.oneof(
        malformed('<ok />').map((element) => ['RPY', element] as const),
        malformed(error(550, 'still working')).map((element) => ['ERR', element] as const),
      ),
    },
    async (peer, [keyword, element]) => {
      const { msgno } = await askedToClose(peer)
      peer.manage(`${keyword} ${msgno}`, element)
      return peer.expectTermination()
    },
  ),
  must(
    'taken-for-release',
    {
      title: 'an initiator whose release is agreed to',
      judges: ['R3080-2.4-06', 'R3080-2.4-07'],
      quote: '<close connection>',
      sends: '<ok> to its release',
      expects: 'it closes the connection, and says nothing more',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno } = await askedToRelease(peer)
      peer.manage(`RPY ${msgno}`, '<ok />')
      await peer.connection.ended()
      const more = peer.connection.heard.find(isData)
      if (more !== undefined) throw new Failure(`${more.keyword} ${more.channel} ${more.msgno} came behind the <ok>`)
      return undefined
    },
  ),
])
