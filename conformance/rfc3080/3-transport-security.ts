// Transport security (RFC 3080 §3): what tuning a session to TLS does to the session, in both roles.
import fc from 'fast-check'
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { may, must, section } from '../harness/case.js'
import { CREDENTIALS } from '../harness/credentials.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectStill, finish, pattern, stalled, WIDE } from '../harness/flow.js'
import { plain } from '../harness/framing.js'
import { isData } from '../harness/management.js'
import type { Peer } from '../harness/peer.js'
import { askForTls, expectProceed, offeredTls, readyOf, replyToReady, secure, tuned, tuneListener } from '../harness/tuning.js'

const CLOSED = 'all channels (including channel zero) are closed on the BEEP session'
const ANEW = 'a new greeting is issued by both BEEP peers'

/** What is not TLS came where TLS is awaited: the session ends, or both greet anew in clear. */
async function expectFailed(peer: Peer): Promise<string> {
  const greets = () =>
    peer.connection.heard.some((each) =>
      each.kind === 'garbage' ? each.octets.includes('RPY 0 0') : isData(each) && each.keyword === 'RPY' && each.seqno === 0,
    )
  if (!(await peer.connection.until(greets)))
    throw new Failure('after a handshake that failed it neither ended the session nor greeted anew', 'timeout')
  return greets() ? 'it greets anew in clear' : 'it ends the session'
}

export const transportSecurity = section('rfc3080/3', 'Transport Security', [
  must(
    'clear-at-first',
    {
      title: 'the first octets of a session',
      judges: ['R3080-3-01'],
      quote: 'plaintext transfer, without privacy, is provided',
      sends: 'a greeting',
      expects: 'a frame, not TLS',
    },
    async (peer) => {
      await peer.greet()
      const [first] = peer.connection.history
      if (first?.kind === 'garbage') throw new Failure('the first octets are no frame')
      return undefined
    },
  ),
  must(
    'greets-anew',
    {
      title: 'the greetings after the handshake',
      judges: ['R3080-3-02', 'R3080-3-03', 'R3080-3-06'],
      quote: ANEW,
      sends: 'TLS, and a greeting',
      expects: 'as the first frame RPY 0 0 with seqno 0',
      needs: 'tls',
    },
    async (peer) => {
      await tuned(peer)
      const after = peer.connection.history
        .filter(isData)
        .filter(({ channel, keyword, msgno }) => channel === 0 && keyword === 'RPY' && msgno === 0)
      const greetings = after.filter(({ more }) => !more).length
      if (greetings !== 2) throw new Failure(`${greetings} greetings came, one before TLS and one after it are due`)
      const { seqno } = after[after.findIndex(({ more }) => !more) + 1]!
      if (seqno !== 0) throw new Failure(`the seqno of the new greeting is ${seqno}`)
      return undefined
    },
  ),
  must(
    'greets-without-being-greeted',
    {
      title: 'the greeting after the handshake waits for nobody',
      judges: ['R3080-3-03', 'R3080-2.3.1.1-02'],
      quote: ANEW,
      sends: 'TLS, and nothing',
      expects: 'RPY 0 0',
      needs: 'tls',
    },
    async (peer) => {
      if (peer.target === 'listener') expectProceed(await askForTls(peer))
      else peer.write(replyToReady(peer, await readyOf(peer), '<proceed />'))
      await peer.tune(peer.target === 'listener' ? 'client' : 'server', CREDENTIALS)
      await peer.greeted()
      return undefined
    },
  ),
  may(
    'different-greeting',
    {
      title: 'what the target offers in clear and under TLS',
      judges: ['R3080-3-05'],
      quote: 'may choose to issue different greetings based on whether privacy is in use',
      sends: 'TLS',
      expects: 'any greeting',
      needs: 'tls',
    },
    async (peer) => {
      await peer.greet(peer.target === 'listener' ? undefined : [peer.profile, 'http://iana.org/beep/TLS'])
      const before = peer.offered
      await tuned(peer)
      return `in clear: ${before.join(', ') || 'nothing'}; under TLS: ${peer.offered.join(', ') || 'nothing'}`
    },
  ),
  must(
    'works-under-tls',
    {
      title: 'an exchange of several windows under TLS',
      judges: ['R3080-3-03', 'R3080-3-06'],
      quote: 'transport security in BEEP is achieved using an initial tuning profile',
      sends: 'TLS, a start, a MSG of 20,000 octets',
      expects: 'the message back',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await tuned(peer)
      await peer.echo(await peer.channel(), 0, pattern(20_000))
      return undefined
    },
  ),
  must(
    'goes-to-work-under-tls',
    {
      title: 'the initiator does under TLS what it came for',
      judges: ['R3080-3-06', 'R3080-3-07'],
      quote: ANEW,
      sends: 'TLS, a greeting that offers the profile that echoes',
      expects: 'a start with an odd number, and a message',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      await tuned(peer)
      const channel = await peer.channel()
      if (channel % 2 !== 1) throw new Failure(`it starts channel ${channel}`)
      const { msgno, payload } = await peer.asked(channel)
      await peer.message(channel, msgno, payload, undefined, 'RPY')
      await peer.expectAlive()
      return `it starts channel ${channel}`
    },
  ),
  must(
    'windows-anew',
    {
      title: 'the windows after the handshake',
      judges: ['R3080-3-06', 'R3081-3.1.1-02', 'R3080-9-03'],
      quote: CLOSED,
      sends: 'a large window for channel 0 before TLS; under TLS no credit',
      expects: 'no more than 4096 octets on a new channel',
      needs: 'tls',
    },
    async (peer) => {
      if (peer.target === 'listener') {
        await peer.greet()
        peer.seq(0, peer.received(0), WIDE)
      }
      await tuned(peer)
      const held = await stalled(peer)
      const how = await expectStill(peer, held.channel, held.edge)
      await finish(peer, held)
      return how
    },
  ),
  must(
    'numbers-anew',
    {
      title: 'the number of a channel that was open before the handshake',
      judges: ['R3080-3-02', 'R3080-3-06'],
      quote: CLOSED,
      sends: 'a channel in use, then TLS, then a start with the number of that channel and a MSG of seqno 0',
      expects: 'the channel is granted and echoes',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await offeredTls(peer)
      const before = await peer.channel()
      await peer.echo(before, 0, pattern(3000))
      await tuned(peer)
      const again = await peer.channel()
      if (again !== before) throw new Failure(`${again} is not ${before}`)
      await peer.echo(again, 0, pattern(INITIAL_WINDOW - 2))
      return undefined
    },
  ),
  must(
    'old-channels-are-gone',
    {
      title: 'a message for a channel that was open before the handshake',
      judges: ['R3080-3-02'],
      quote: CLOSED,
      sends: 'a channel in use, then TLS, then a MSG for that channel',
      expects: 'the session ends without an answer',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await offeredTls(peer)
      const before = await peer.channel()
      await peer.echo(before, 0)
      await tuned(peer)
      peer.send(`MSG ${before} 1 .`, plain('still there?'))
      return peer.expectTermination()
    },
  ),
  must.hold(
    'any-channels-before',
    {
      title: 'any number of channels, used or not, before the handshake',
      judges: ['R3080-3-02', 'R3080-3-06'],
      quote: CLOSED,
      sends: 'up to five channels and messages on them, TLS on the next, then a channel with any of their numbers',
      expects: 'the channel is granted and echoes',
      of: 'listener',
      needs: 'tls',
      samples: fc.record({ used: fc.array(fc.nat({ max: 300 }), { maxLength: 5 }), again: fc.nat({ max: 5 }) }),
    },
    async (peer, { used, again }) => {
      await offeredTls(peer)
      for (const size of used) await peer.echo(await peer.channel(), 0, pattern(size))
      await tuned(peer)
      const number = 1 + 2 * again
      if ((await peer.start(number, peer.profile)).keyword === 'ERR') throw new Failure(`channel ${number} was refused`)
      await peer.echo(number, 0)
      return undefined
    },
  ),
  must(
    'roles-stay',
    {
      title: 'the roles after the handshake',
      judges: ['R3080-3-07'],
      quote: ANEW,
      sends: 'TLS, then a start with an even number, and one with an odd number',
      expects: 'the even one is refused, the odd one granted',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await tuned(peer)
      const how = peer.expectError(await peer.start(2, peer.profile))
      await peer.channel()
      return how
    },
  ),
  must(
    'numbers-of-messages-anew',
    {
      title: 'message numbers that were used before the handshake',
      judges: ['R3080-3-06'],
      quote: CLOSED,
      sends: 'TLS, then a start with the message number of the one that asked for TLS',
      expects: 'an answer',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await offeredTls(peer)
      peer.manage('MSG 1', `<start number='1'><profile uri='http://iana.org/beep/TLS'><![CDATA[<ready />]]></profile></start>`)
      expectProceed(await peer.answer(1))
      await secure(peer)
      peer.manage('MSG 1', `<start number='1'><profile uri='${peer.profile}' /></start>`)
      const { keyword } = await peer.answer(1)
      if (keyword !== 'RPY') throw new Failure('channel 1 was refused')
      return undefined
    },
  ),
  must.hold(
    'no-handshake-of-the-client',
    {
      title: 'what is not TLS where the target awaits the handshake',
      judges: ['R3080-3-03', 'R3080-3-04'],
      quote: 'then either BEEP peer may instead terminate the session',
      sends: 'after <proceed /> any text',
      expects: 'the session ends, or both greet anew',
      of: 'listener',
      needs: 'tls',
      samples: fc.oneof(
        fc.constantFrom('GET / HTTP/1.0\r\n\r\n', 'MSG 0 2 . 200 0\r\nEND\r\n', 'RPY 0 0 . 0 0\r\nEND\r\n'),
        fc
          .array(fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'), { minLength: 30, maxLength: 300 })
          .map((letters) => letters.join('')),
      ),
    },
    async (peer, text) => {
      expectProceed(await askForTls(peer))
      peer.write(text)
      return expectFailed(peer)
    },
  ),
  must(
    'no-handshake-of-the-server',
    {
      title: 'what is not TLS where the target awaits the answer to its handshake',
      judges: ['R3080-3-03', 'R3080-3-04'],
      quote: 'then either BEEP peer may instead terminate the session',
      sends: '<proceed />, and text instead of TLS',
      expects: 'the session ends, or both greet anew',
      of: 'initiator',
      needs: 'tls',
    },
    async (peer) => {
      const reply = replyToReady(peer, await readyOf(peer), '<proceed />')
      peer.write(reply)
      if (
        !(await peer.connection.until(
          () => peer.connection.reader.pending.length > 0 || peer.connection.heard.some((each) => each.kind === 'garbage'),
        ))
      )
        throw new Unsupported('it begins no handshake')
      peer.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
      return expectFailed(peer)
    },
  ),
  must(
    'end-instead-of-a-handshake',
    {
      title: 'we close the connection where the target awaits TLS',
      judges: ['R3080-3-04', 'R3081-2-07'],
      quote: 'then either BEEP peer may instead terminate the session',
      sends: 'the end of our octets',
      expects: 'the target ends the connection, too',
      needs: 'tls',
    },
    async (peer) => {
      if (peer.target === 'listener') expectProceed(await askForTls(peer))
      else peer.write(replyToReady(peer, await readyOf(peer), '<proceed />'))
      peer.connection.end()
      await peer.connection.ended()
      return undefined
    },
  ),
  must(
    'twice',
    {
      title: 'TLS under TLS',
      judges: ['R3080-3-05', 'R3080-3-06'],
      quote: 'may choose to issue different greetings',
      sends: 'TLS, then another start of TLS',
      expects: 'any answer; when it is refused the session goes on',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await tuneListener(peer)
      const { keyword, element } = await peer.start(peer.number(), 'http://iana.org/beep/TLS')
      if (keyword === 'RPY') return 'it grants TLS once more'
      await peer.expectAlive()
      return `it refuses with ${element.attributes.code}`
    },
  ),
])
