// Starts (RFC 3080 §2.3.1.2): those of an initiator under test, and how it takes the replies.
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { must, section, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { expectUsed } from '../harness/initiator.js'
import { askedToStart, close, error, expectValid, goesOnOrEnds, isData, labelled, profile, start } from '../harness/management.js'
import { NOWHERE, type Peer } from '../harness/peer.js'
import { malformed, STYLES, spell } from '../harness/spelling.js'
import { content } from './2.3.1.2-content.js'
import { numbers } from './2.3.1.2-numbers.js'
import { profiles } from './2.3.1.2-profiles.js'

/** What the target wrote on a channel that is not there. */
function expectUnused(peer: Peer, number: number): void {
  const early = peer.connection.heard.find((each) => each.kind !== 'garbage' && each.channel === number)
  const seq = peer.seqs.find(({ channel }) => channel === number)
  if (early !== undefined && isData(early))
    throw new Failure(`${early.keyword} ${number} ${early.msgno} came on a channel that is not there`)
  if (seq !== undefined) throw new Failure(`SEQ ${number} came for a channel that is not there`)
}

const said = [
  must(
    'said',
    {
      title: 'the start of an initiator',
      judges: [
        'R3080-2.3.1.2-01',
        'R3080-2.3.1.2-02',
        'R3080-2.3.1.2-04',
        'R3080-2.3.1.2-05',
        'R3080-2.3.1.2-06',
        'R3080-7.1-02',
      ],
      quote: 'it sends a "start" element on channel zero',
      sends: 'our greeting',
      expects: 'MSG on channel 0 with a start that is valid',
      of: 'initiator',
    },
    async (peer) => {
      const { element } = await askedToStart(peer)
      expectValid(element, 'start')
      if (!/^[1-9][0-9]*$/.test(element.attributes.number ?? '')) throw new Failure(`number is '${element.attributes.number}'`)
      return `number ${element.attributes.number}, ${element.children.length} profile`
    },
  ),
  must(
    'said-odd',
    {
      title: 'the number that an initiator gives',
      judges: ['R3080-2.3.1.2-09', 'R3080-2.3.1.2-02'],
      quote: 'use only positive integers that are odd-numbered',
      sends: 'our greeting',
      expects: 'an odd number from 1 to 2147483647',
      of: 'initiator',
    },
    async (peer) => {
      const { number } = await askedToStart(peer)
      if (!(number % 2 === 1 && number <= MAX_NUMBER)) throw new Failure(`it gives ${number}`)
      return `number ${number}`
    },
  ),
  must(
    'said-short',
    {
      title: 'the initialization message of an initiator',
      judges: ['R3080-2.3.1.2-07'],
      quote: 'must be no longer than 4K octets in length',
      sends: 'our greeting',
      expects: 'at most 4096 octets in each profile',
      of: 'initiator',
    },
    async (peer) => {
      const { element } = await askedToStart(peer)
      const longest = Math.max(...element.children.map(({ text }) => Buffer.byteLength(text)))
      if (longest > 4096) throw new Failure(`a profile holds ${longest} octets`)
      return longest === 0 ? 'no message' : `${longest} octets`
    },
  ),
  must(
    'nothing-before-reply',
    {
      title: 'an initiator does not use a channel before it has it',
      judges: ['R3080-2.3.1.2-24'],
      quote: '',
      sends: 'no reply to the start; a start of ours, which the target has to answer',
      expects: 'neither data nor SEQ on the channel',
      of: 'initiator',
    },
    async (peer) => {
      const { number } = await askedToStart(peer)
      await peer.expectAlive()
      expectUnused(peer, number)
      return undefined
    },
  ),
]

/** What is no reply to a start, and why. E stands for the profile. */
const WRONG: readonly [
  slug: string,
  title: string,
  keyword: string,
  element: (uri: string) => string,
  judges: readonly string[],
  strength?: typeof must,
][] = [
  ['other-profile', 'a profile that was not proposed', 'RPY', () => profile(NOWHERE), ['R3080-2.3.1.2-30']],
  ['no-uri', 'a profile without a uri', 'RPY', () => '<profile />', ['R3080-2.3.1.2-30']],
  ['ok', '<ok> for a channel', 'RPY', () => '<ok />', []],
  ['greeting', '<greeting> for a channel', 'RPY', () => '<greeting />', []],
  ['start', '<start> for a channel', 'RPY', (uri) => start(2, profile(uri)), []],
  ['close', '<close> for a channel', 'RPY', () => close(1), []],
  ['error-in-rpy', '<error> in a positive reply', 'RPY', () => error(), ['R3080-6.1-01']],
  ['profile-in-err', '<profile> in a negative reply', 'ERR', (uri) => profile(uri), ['R3080-6.1-01']],
  ['ok-in-err', '<ok> in a negative reply', 'ERR', () => '<ok />', ['R3080-6.1-01']],
  ['error-without-code', '<error> without a code', 'ERR', () => '<error>no</error>', ['R3080-7.1-08'], should],
  ['not-xml', 'words', 'RPY', () => 'yes', []],
  ['empty', 'an empty body', 'RPY', () => '', []],
  ['two', 'two profiles', 'RPY', (uri) => profile(uri) + profile(uri), ['R3080-2.3.1.2-21']],
  ['doctype', 'a profile behind DOCTYPE', 'RPY', (uri) => `<!DOCTYPE profile>${profile(uri)}`, ['R3080-6.4-05']],
  ['entity', 'an entity that is not of the five', 'RPY', (uri) => profile(uri, '&nbsp;'), ['R3080-6.4-03']],
]

const replied = [
  must(
    'refused',
    {
      title: 'an initiator whose start is refused',
      judges: ['R3080-2.3.1.5-01', 'R3080-2.3.1.5-09', 'R3080-2.3.1.2-24'],
      quote: 'otherwise, an "error" element is sent in a negative reply',
      sends: 'ERR with 550',
      expects: 'it does not use the channel; the session goes on, or it ends it',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno, number } = await askedToStart(peer)
      peer.manage(`ERR ${msgno}`, error(550, 'all requested profiles are\r\nunsupported'))
      const saw = await goesOnOrEnds(peer)
      expectUnused(peer, number)
      return saw
    },
  ),
  must.hold(
    'refused-with-any-code',
    {
      title: 'a refusal with any code, whatever its text says',
      judges: ['R3080-2.3.1.5-09', 'R3080-2.3.1.5-02', 'R3080-8-10', 'R3080-7.1-08'],
      quote: 'possibly even users, but never programs',
      sends: 'ERR with a code from 100 to 599 and a text in any spelling',
      expects: 'it does not use the channel; the session goes on, or it ends it',
      of: 'initiator',
      samples: fc.tuple(
        fc.integer({ min: 100, max: 599 }),
        fc.constantFrom('', 'ok', '200 success', '<profile uri="yes" />', 'zwei\nZeilen, für Dich', '<ok />'),
        STYLES,
      ),
    },
    async (peer, [code, content, style]) => {
      const { msgno, number } = await askedToStart(peer)
      peer.manage(`ERR ${msgno}`, spell({ name: 'error', attributes: { code: String(code), 'xml:lang': 'de' }, content }, style))
      const saw = await goesOnOrEnds(peer)
      expectUnused(peer, number)
      return saw
    },
  ),
  must.hold(
    'accepted-in-any-spelling',
    {
      title: 'a positive reply in any spelling that XML has',
      judges: ['R3080-6.4-06', 'R3080-6.4-03', 'R3080-2.3.1.2-05'],
      quote: 'CDATA blocks, processing instructions, and so on) are allowed',
      sends: 'RPY with the profile in other quotes, white space, references, comments and instructions',
      expects: 'a MSG on the channel',
      of: 'initiator',
      samples: STYLES,
    },
    async (peer, style) => {
      const { msgno, number } = await askedToStart(peer)
      peer.manage(`RPY ${msgno}`, spell({ name: 'profile', attributes: { uri: peer.profile } }, style))
      return expectUsed(peer, number)
    },
  ),
  must(
    'accepted-with-content',
    {
      title: 'a positive reply with an answer in it that nobody asked for',
      judges: ['R3080-2.3.1.2-22'],
      quote: 'exchanged during channel creation',
      sends: 'RPY with a profile that holds <bootrpy /> in CDATA',
      expects: 'a MSG on the channel',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno, number } = await askedToStart(peer)
      peer.manage(`RPY ${msgno}`, profile(peer.profile, '<![CDATA[<bootrpy />]]>'))
      return expectUsed(peer, number)
    },
  ),
  must(
    'used-at-once',
    {
      title: 'a channel that the server uses right behind its reply',
      judges: ['R3080-2.3.1.2-23', 'R3080-2.3.1.2-25'],
      quote: '',
      sends: 'the positive reply and a MSG on the channel, in one piece',
      expects: 'the session lives, and the target uses the channel',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno, number } = await askedToStart(peer)
      const reply = peer.frame(`RPY 0 ${msgno} .`, labelled(profile(peer.profile)))
      peer.write(Buffer.concat([reply, peer.frame(`MSG ${number} 0 .`, '\r\nhello')]))
      await peer.expectAlive()
      return expectUsed(peer, number)
    },
  ),
  ...WRONG.map(([slug, title, keyword, element, judges, strength = must]) =>
    strength(
      `wrong-${slug}`,
      {
        title: `a reply to the start that is none: ${title}`,
        judges: ['R3080-2.2.2.1-02', ...judges],
        quote: 'If a poorly-formed reply is received on channel zero, the session is terminated',
        sends: `${keyword} with ${element('E') || 'nothing'}`,
        expects: 'the session ends without an answer',
        of: 'initiator',
      },
      async (peer) => {
        const { msgno } = await askedToStart(peer)
        peer.manage(`${keyword} ${msgno}`, element(peer.profile))
        return peer.expectTermination()
      },
    ),
  ),
  must.hold(
    'wrong-any',
    {
      title: 'a reply with any damage that makes it no XML',
      judges: ['R3080-2.2.2.1-02'],
      quote: 'If a poorly-formed reply is received on channel zero, the session is terminated',
      sends: 'a reply to the start that is not well-formed, positive or negative',
      expects: 'the session ends without an answer',
      of: 'initiator',
      samples: fc.oneof(
        malformed(profile(NOWHERE, 'content')).map((element) => ['RPY', element] as const),
        malformed(error(550, 'no')).map((element) => ['ERR', element] as const),
      ),
    },
    async (peer, [keyword, element]) => {
      const { msgno } = await askedToStart(peer)
      peer.manage(`${keyword} ${msgno}`, element)
      return peer.expectTermination()
    },
  ),
]

export const starts = section('rfc3080/2.3.1.2', 'The Start Message', [...numbers, ...profiles, ...content, ...said, ...replied])
