// The TLS profile as an initiator asks for it (RFC 3080 §3.1).
import { Buffer } from 'node:buffer'
import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { escapeXml } from '../harness/element.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { question, writeInPieces } from '../harness/framing.js'
import { inClear, named } from '../harness/handover.js'
import { isClose, isData, profile } from '../harness/management.js'
import { BEEP_XML, NOWHERE, type Peer } from '../harness/peer.js'
import { STYLES, spell } from '../harness/spelling.js'
import { cdata, type Ready, readyOf, replyToReady, secure, TLS } from '../harness/tuning.js'

/** The target has no reason to begin the handshake: it goes on in clear, or ends the session. */
async function expectNoHandshake(peer: Peer): Promise<string> {
  const { msgno, octets } = question(peer)
  peer.write(octets)
  const { connection } = peer
  const tls = () =>
    connection.reader.pending[0] === 0x16 || connection.heard.some((each) => each.kind === 'garbage' && each.octets[0] === 0x16)
  const goesOn = () =>
    connection.heard.some(
      (each) => isData(each) && each.channel === 0 && ((each.keyword !== 'MSG' && each.msgno === msgno) || isClose(each, 0)),
    )
  const settled = await connection.until(() => tls() || goesOn())
  if (tls()) throw new Failure('it begins the handshake')
  if (!settled) throw new Failure('it neither went on nor ended the session', 'timeout')
  return connection.ending === 'open' ? 'it goes on in clear' : 'it ends the session'
}

/** Milliseconds in which a peer that may speak would. */
const MOMENT = 300

/** Refuses or answers `<ready>` in a way that grants nothing. */
function answerWith(peer: Peer, ready: Ready, element: string): void {
  peer.write(replyToReady(peer, ready, element))
}

export const tlsClient = section('rfc3080/3.1', 'The TLS Transport Security Profile', [
  must(
    'asks-with-ready',
    {
      title: 'how the initiator asks for TLS',
      judges: ['R3080-3.1.1-01', 'R3080-3.1.1-02', 'R3080-3.1.3.1-01', 'R3080-3.1.3.1-02'],
      quote: 'The "ready" element has an optional "version" attribute and no content',
      sends: 'a greeting that offers TLS',
      expects: 'a start of http://iana.org/beep/TLS, and <ready> in it or as a MSG on the channel',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      const { element, inStart } = await readyOf(peer)
      if (element.name !== 'ready') throw new Failure(`<${element.name}> came`)
      const other = Object.keys(element.attributes).find((each) => each !== 'version')
      if (other !== undefined) throw new Failure(`<ready> has an attribute ${other}`)
      if (element.text.trim() !== '' || element.children.length > 0) throw new Failure('<ready> has content')
      return inStart ? 'in the start' : 'as a MSG on the channel'
    },
  ),
  must(
    'proceeds',
    {
      title: 'the initiator has its <proceed />',
      judges: ['R3080-3.1.3.2-04', 'R3080-3.1.3.2-06', 'R3080-3.1.3.1-03'],
      quote: 'immediately begins the underlying negotiation process',
      sends: '<proceed />, and the handshake as its server',
      expects: 'the handshake at once, with no octet in clear before it, and a new greeting',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      answerWith(peer, await readyOf(peer), '<proceed />')
      await secure(peer)
      return undefined
    },
  ),
  must.hold(
    'proceed-spelled-anyhow',
    {
      title: '<proceed /> in any lawful spelling',
      judges: ['R3080-3.1.3.2-01', 'R3080-2.3.1.2-28', 'R3080-7.2-01'],
      quote: 'The "proceed" element has no attributes and no content',
      sends: '<proceed /> quoted by CDATA or entities, with white space and comments around',
      expects: 'the handshake, and a new greeting',
      of: 'initiator',
      needs: 'tls',
      samples: fc.record({ style: STYLES, quoting: fc.constantFrom('cdata', 'entities', 'cdata and white space') }),
    },
    async (peer, { style, quoting }) => {
      const element = spell({ name: 'proceed' }, style)
      const white = quoting === 'cdata and white space' ? '\r\n   ' : ''
      const content = white + (quoting === 'entities' ? escapeXml(element) : cdata(element)) + white
      peer.write(replyToReady(peer, await readyOf(peer), element, content))
      await secure(peer)
      return undefined
    },
  ),
  must.hold(
    'proceed-in-pieces',
    {
      title: 'the reply with <proceed /> in any pieces',
      judges: ['R3080-3.1.3.2-04', 'R3080-3.1.3.2-05', 'R3081-3-01'],
      quote: 'immediately begins the underlying negotiation process',
      sends: 'the octets of the reply, all but the last in pieces of any lengths',
      expects: 'the handshake after the last octet, and a new greeting',
      of: 'initiator',
      needs: 'tls',
      samples: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 }),
    },
    async (peer, lengths) => {
      const octets = replyToReady(peer, await readyOf(peer), '<proceed />')
      await writeInPieces(peer, octets.subarray(0, -1), lengths)
      // From the last octet on what comes is TLS: nobody may read it as frames.
      peer.write(octets.subarray(-1))
      await secure(peer)
      return undefined
    },
  ),
  must(
    'silent-after-ready',
    {
      title: 'questions of ours that cross <ready />',
      judges: ['R3080-3.1.3.1-03', 'R3080-3.1.3.1-05'],
      quote: 'must not send any further traffic on the underlying transport service until',
      sends: 'with the greeting a start on channel 0, in one write, then <proceed />',
      expects: 'its answer before <ready />, or none: the handshake follows <proceed /> with no octet in clear before it',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      const greeting = peer.frame(
        'RPY 0 0 .',
        Buffer.from(`${BEEP_XML}<greeting>${profile(peer.profile)}${profile(TLS)}</greeting>`),
      )
      const { msgno, octets } = question(peer)
      peer.write(Buffer.concat([greeting, octets]))
      await peer.greeted()
      const ready = await readyOf(peer)
      const { history } = peer.connection
      const answered = history.some(
        (each) => isData(each) && each.channel === 0 && each.keyword !== 'MSG' && each.msgno === msgno,
      )
      answerWith(peer, ready, '<proceed />')
      await secure(peer)
      return answered ? 'it answers first' : 'it does not answer any more'
    },
  ),
  must(
    'silent-when-asked-after-ready',
    {
      title: 'a question of ours behind <ready />',
      judges: ['R3080-3.1.3.1-03', 'R3080-3.1.3.1-05'],
      quote: 'must not send any further traffic on the underlying transport service until',
      sends: 'when <ready /> has come a start on channel 0, and a moment later <proceed />',
      expects: 'nothing until <proceed />, and then the handshake; or the end of the session',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      const ready = await readyOf(peer)
      const { history } = peer.connection
      const before = history.length
      peer.write(question(peer).octets)
      await wait(MOMENT)
      const said = history.slice(before).find((each) => each.kind !== 'data' || each.keyword !== 'MSG' || each.channel !== 0)
      if (said !== undefined) throw inClear('server', named(said))
      if (peer.connection.ending !== 'open') return 'it ends the session'
      answerWith(peer, ready, '<proceed />')
      await secure(peer)
      return undefined
    },
  ),
  must(
    'no-seq-after-ready',
    {
      title: 'credit that the initiator owes when it says <ready />',
      judges: ['R3080-3.1.3.1-05'],
      quote: 'must not send any further traffic on the underlying transport service until',
      sends: 'a greeting of 3900 octets, for which a SEQ is due, then <proceed />',
      expects: 'a SEQ before <ready />, or none: the handshake follows <proceed /> with no octet in clear before it',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      const many = Array.from({ length: 60 }, (_, at) => `${NOWHERE}/${String(at).padStart(4, '0')}`)
      await peer.greet([...many, peer.profile, TLS])
      const ready = await readyOf(peer)
      const seqs = peer.seqs.length
      answerWith(peer, ready, '<proceed />')
      await secure(peer)
      return seqs > 0 ? 'its SEQ came before' : 'it sent no SEQ'
    },
  ),
  must(
    'refused',
    {
      title: 'the channel for TLS is refused',
      judges: ['R3080-3.1.3.2-04', 'R3080-3.1.3.2-07'],
      quote: 'When a BEEP peer receives a "proceed" element in reply to its "ready"',
      sends: 'ERR to the start, or to <ready />',
      expects: 'no handshake: the session goes on in clear, or ends',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      const { inStart, msgno, number } = await readyOf(peer)
      peer.send(`ERR ${inStart ? 0 : number} ${msgno} .`, `${BEEP_XML}<error code='550'>not today</error>`)
      return expectNoHandshake(peer)
    },
  ),
  must(
    'failing-operation',
    {
      title: 'the channel for TLS is granted, and <ready /> fails',
      judges: ['R3080-3.1.3.2-07', 'R3080-3.1.1-04'],
      quote: 'the channel to be created, but for the encapsulated operation to fail',
      sends: 'RPY with <error> in its profile',
      expects: 'no handshake: the session goes on in clear, or ends',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      const ready = await readyOf(peer)
      if (!ready.inStart) throw new Unsupported('it does not ask in the start')
      answerWith(peer, ready, "<error code='450'>later</error>")
      return expectNoHandshake(peer)
    },
  ),
  must.hold(
    'nonsense-for-proceed',
    {
      title: 'any answer to <ready /> but <proceed />',
      judges: ['R3080-3.1.3.2-04', 'R3080-3.1.3.2-01'],
      quote: 'When a BEEP peer receives a "proceed" element in reply to its "ready"',
      sends: 'RPY with something else, or nothing',
      expects: 'no handshake: the session goes on in clear, or ends',
      of: 'initiator',
      needs: 'tls',
      samples: fc.constantFrom(
        '',
        'proceed',
        '<ready />',
        '<Proceed />',
        '<ok />',
        '<blob />',
        '<proceed',
        '<proceeds />',
        "<error code='500' />",
        "<error code='999'>no</error>",
        '<x><proceed /></x>',
      ),
    },
    async (peer, element) => {
      const ready = await readyOf(peer)
      if (!ready.inStart) throw new Unsupported('it does not ask in the start')
      answerWith(peer, ready, element)
      return expectNoHandshake(peer)
    },
  ),
])
