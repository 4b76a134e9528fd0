// <ready /> and <proceed /> between us and a listener (RFC 3080 §3.1.3).
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { escapeXml } from '../harness/element.js'
import { Failure } from '../harness/failure.js'
import { pattern } from '../harness/flow.js'
import { plain, writeInPieces } from '../harness/framing.js'
import { inClear, named } from '../harness/handover.js'
import { isData, profile, start } from '../harness/management.js'
import { BEEP_XML, type Peer } from '../harness/peer.js'
import { STYLES, spell } from '../harness/spelling.js'
import {
  askForTls,
  cdata,
  contentOf,
  expectFailing,
  expectProceed,
  offeredTls,
  quietChannel,
  READY,
  say,
  secure,
  startTls,
} from '../harness/tuning.js'

const BEFORE = 'processes the "ready" element and includes the resulting response in the reply'

export const ready = section('rfc3080/3.1.3.1', 'The Ready Message', [
  must.hold(
    'ready-spelled-anyhow',
    {
      title: '<ready /> in any lawful spelling',
      judges: ['R3080-3.1.3.1-01', 'R3080-2.3.1.2-28', 'R3080-7.2-01'],
      quote: 'The "ready" element has an optional "version" attribute and no content',
      sends: '<ready />, with or without version 1, quoted by CDATA or entities, with white space and comments around',
      expects: '<proceed />, the handshake, a greeting',
      of: 'listener',
      needs: 'tls',
      samples: fc.record({
        style: STYLES,
        version: fc.boolean(),
        quoting: fc.constantFrom('cdata', 'entities', 'cdata and white space'),
      }),
    },
    async (peer, { style, version, quoting }) => {
      const element = spell({ name: 'ready', ...(version ? { attributes: { version: '1' } } : {}) }, style)
      const white = quoting === 'cdata and white space' ? '\r\n   ' : ''
      expectProceed(await askForTls(peer, white + (quoting === 'entities' ? escapeXml(element) : cdata(element)) + white))
      await secure(peer)
      return undefined
    },
  ),
  ...(
    [
      ['ready-as-message', '<ready />'],
      ['ready-with-version', "<ready version='1' />"],
      ['ready-as-pair', '<ready></ready>'],
    ] as const
  ).map(([slug, element]) =>
    must(
      slug,
      {
        title: `${element} as a MSG on the channel`,
        judges: ['R3080-3.1.3.1-01', 'R3080-3.1.3.2-01', 'R3080-3.1.3.2-03', 'R3080-6.2-01'],
        quote: 'It is sent as a reply to the "ready" element',
        sends: `a start of TLS without content, then MSG with ${element}`,
        expects: 'RPY with <proceed />, the handshake, a greeting',
        of: 'listener',
        needs: 'tls',
      },
      async (peer) => {
        const channel = await quietChannel(peer)
        const answer = await say(peer, channel, 0, element)
        if (answer.keyword !== 'RPY' || answer.element.name !== 'proceed')
          throw new Failure(`expected RPY with <proceed />; ${answer.keyword} with <${answer.element.name}> came`)
        await secure(peer)
        return undefined
      },
    ),
  ),
  must(
    'bad-ready-as-message',
    {
      title: '<ready> with a version that makes no sense, as a MSG',
      judges: ['R3080-3.1.3.1-06', 'R3080-3.1.3.1-02', 'R3080-3.1.3.2-07', 'R3080-6.2-01'],
      quote: 'until a corresponding reply ("proceed" or "error") is received',
      sends: "MSG with <ready version='oops' />, then MSG with <ready />",
      expects: 'ERR with <error>; then <proceed />, the handshake, a greeting',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      const channel = await quietChannel(peer)
      const how = peer.expectError(await say(peer, channel, 0, "<ready version='oops' />"))
      const { element } = await say(peer, channel, 1, '<ready />')
      if (element.name !== 'proceed') throw new Failure(`expected <proceed />; <${element.name}> came`)
      await secure(peer)
      return how
    },
  ),
  must.hold(
    'nonsense-as-message',
    {
      title: 'any MSG on the channel but <ready>',
      judges: ['R3080-2.7-04', 'R3080-3.1.3.1-06'],
      quote: 'must provide an appropriate error message for replying to unexpected',
      sends: 'a MSG that asks for nothing',
      expects: 'ERR with <error>, and the session goes on in clear',
      of: 'listener',
      needs: 'tls',
      samples: fc.constantFrom(
        '<proceed />',
        '<close code="200" />',
        '<start />',
        '<greeting />',
        '<ok />',
        '<blob />',
        'hello',
        '<ready',
        '',
      ),
    },
    async (peer, element) => {
      const channel = await quietChannel(peer)
      const how = peer.expectError(await say(peer, channel, 0, element))
      await peer.expectAlive()
      return how
    },
  ),
  must(
    'pending-replies-first',
    {
      title: 'requests that are outstanding when <ready /> comes',
      judges: ['R3080-3.1.3.1-04', 'R3080-3.1.3.2-02'],
      quote: 'must wait until any pending replies have been generated and sent',
      sends: 'in one write MSGs on two channels, and the start of TLS',
      expects: 'the replies, then <proceed />; or <error> because of them, and the replies',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await offeredTls(peer)
      return pending(peer, [await peer.channel(), await peer.channel()], [2, 1])
    },
  ),
  must.hold(
    'any-pending-replies-first',
    {
      title: 'any requests that are outstanding when <ready /> comes',
      judges: ['R3080-3.1.3.1-04', 'R3080-3.1.3.2-02'],
      quote: 'must wait until any pending replies have been generated and sent',
      sends: 'in one write up to nine MSGs on three channels, and the start of TLS',
      expects: 'the replies, then <proceed />; or <error> because of them, and the replies',
      of: 'listener',
      needs: 'tls',
      samples: fc.array(fc.nat({ max: 3 }), { minLength: 3, maxLength: 3 }),
    },
    async (peer, counts) => {
      await offeredTls(peer)
      return pending(peer, [await peer.channel(), await peer.channel(), await peer.channel()], counts)
    },
  ),
  must.hold(
    'ready-in-pieces',
    {
      title: 'the start of TLS in any pieces',
      judges: ['R3080-3.1.1-03', 'R3081-3-01'],
      quote: BEFORE,
      sends: 'the octets of the start in pieces of any lengths',
      expects: '<proceed />, the handshake, a greeting',
      of: 'listener',
      needs: 'tls',
      samples: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 6 }),
    },
    async (peer, lengths) => {
      await offeredTls(peer)
      const msgno = peer.next()
      await writeInPieces(peer, peer.frame(`MSG 0 ${msgno} .`, Buffer.from(BEEP_XML + startTls(peer.number(), READY))), lengths)
      expectProceed(await peer.answer(msgno))
      await secure(peer)
      return undefined
    },
  ),
])

/** Requests and the start of TLS in one write: the replies are all there before `<proceed />`. */
async function pending(peer: Peer, channels: readonly number[], counts: readonly number[]): Promise<string> {
  const octets = channels.flatMap((channel, at) =>
    Array.from({ length: counts[at] ?? 0 }, (_, msgno) => peer.frame(`MSG ${channel} ${msgno} .`, plain(pattern(300)))),
  )
  const msgno = peer.next()
  const asked = peer.frame(`MSG 0 ${msgno} .`, Buffer.from(BEEP_XML + startTls(peer.number(), READY)))
  peer.write(Buffer.concat([...octets, asked]))
  const answer = await peer.answer(msgno)
  if (answer.keyword === 'RPY' && contentOf(answer)?.name === 'proceed') {
    for (const [at, channel] of channels.entries()) {
      const replies = peer.connection.heard.filter(
        (each) => isData(each) && each.channel === channel && each.keyword === 'RPY' && !each.more,
      ).length
      if (replies !== counts[at])
        throw new Failure(`<proceed /> came after ${replies} of ${counts[at]} replies on channel ${channel}`)
    }
    await secure(peer)
    return 'it answers, then proceeds'
  }
  expectFailing(answer, true)
  for (const [at, channel] of channels.entries())
    for (let each = 0; each < (counts[at] ?? 0); each++) await peer.echoed(channel, each, pattern(300))
  return 'it refuses to tune while requests are outstanding'
}

export const proceed = section('rfc3080/3.1.3.2', 'The Proceed Message', [
  must(
    'its-form',
    {
      title: 'the form of <proceed />',
      judges: ['R3080-3.1.3.2-01'],
      quote: 'The "proceed" element has no attributes and no content',
      sends: '<ready /> in a start',
      expects: '<proceed /> without attributes and content',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      const content = contentOf(await askForTls(peer))
      if (content?.name !== 'proceed') throw new Failure(`<${content?.name}> came`)
      if (Object.keys(content.attributes).length > 0)
        throw new Failure(`it has attributes: ${Object.keys(content.attributes).join(', ')}`)
      if (content.text.trim() !== '' || content.children.length > 0) throw new Failure('it has content')
      return undefined
    },
  ),
  must(
    'nothing-before-the-answer',
    {
      title: 'what comes between <ready /> and its answer when nothing is outstanding',
      judges: ['R3080-3.1.3.2-02'],
      quote: 'must not send any further traffic on the underlying transport service',
      sends: '<ready /> in a start, when all is answered',
      expects: 'no data frame before the answer',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await offeredTls(peer)
      await peer.expectAlive()
      const from = peer.connection.history.length
      const answer = await askForTls(peer)
      expectProceed(answer)
      const between = peer.connection.history.slice(from)
      const other = between.filter(isData).find(({ msgno, channel }) => channel !== 0 || msgno !== answer.msgno)
      if (other !== undefined)
        throw new Failure(
          `${named(other)} came between our <ready /> and <proceed /> (RPY 0 ${answer.msgno}), though nothing was outstanding: from <ready /> on nothing is sent but its answer (RFC 3080 §3.1.3.2)`,
        )
      await secure(peer)
      return between.some(({ kind }) => kind === 'seq') ? 'a SEQ came before it' : undefined
    },
  ),
  must(
    'injected',
    {
      title: 'a request in clear behind <ready />',
      judges: ['R3080-3.1.3.2-05', 'R3080-3-02', 'R3080-3.1.3.1-03'],
      quote: 'must not send any further traffic on the underlying transport service until',
      sends: 'in one write the start of TLS, and a start of the profile that echoes',
      expects: 'the second has no effect: the session ends, or the handshake fails, or it is not answered under TLS',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await offeredTls(peer)
      const [asked, injected] = [peer.next(), peer.next()]
      const octets = peer.frame(`MSG 0 ${asked} .`, Buffer.from(BEEP_XML + startTls(1, READY)))
      const behind = peer.frame(`MSG 0 ${injected} .`, Buffer.from(BEEP_XML + start(3, profile(peer.profile))))
      peer.write(Buffer.concat([octets, behind]))
      const answers = () => peer.connection.heard.some((each) => isData(each) && each.channel === 0 && each.msgno === asked)
      await peer.connection.until(answers)
      if (!answers()) return 'it ends the session'
      const { keyword, element, ...rest } = await peer.answer(asked)
      if (keyword === 'ERR' || contentOf({ keyword, element, ...rest })?.name !== 'proceed') return 'it does not proceed'
      const { history } = peer.connection
      const at = (msgno: number) => history.findIndex((each) => isData(each) && each.channel === 0 && each.msgno === msgno)
      if (at(injected) > at(asked))
        throw inClear('client', `the answer to MSG 0 ${injected}, which stood in clear behind our <ready />,`)
      if (at(injected) !== -1) return 'it answers the request first'
      try {
        await secure(peer)
      } catch {
        return 'the handshake fails'
      }
      await peer.expectAlive()
      if (peer.connection.heard.some((each) => isData(each) && each.msgno === injected))
        throw new Failure('under TLS it answered what was said in clear')
      return 'it proceeds, and the request is gone'
    },
  ),
  must(
    'error-changes-nothing',
    {
      title: 'the session after a <ready> that failed',
      judges: ['R3080-3.1.3.2-07'],
      quote: 'a positive reply is sent (as channel creation succeeded)',
      sends: 'a channel in use, <ready version="oops" /> in a start, and more on the channel',
      expects: 'the channel goes on where it was, in clear',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await offeredTls(peer)
      const channel = await peer.channel()
      await peer.echo(channel, 0, pattern(500))
      const how = expectFailing(await askForTls(peer, cdata('<ready version="oops" />')), false)
      await peer.echo(channel, 1, pattern(5000))
      return how
    },
  ),
])
