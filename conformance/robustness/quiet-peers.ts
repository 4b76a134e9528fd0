// Peers that say little, late, or nothing.
import { setImmediate as turn } from 'node:timers/promises'
import { must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { expectTaken, goneAnd, writeInPieces } from '../harness/framing.js'
import { BEEP_XML, type Peer } from '../harness/peer.js'

/** Closes our side: the target closes its own, and says nothing that is no frame. */
async function expectClose(peer: Peer): Promise<string> {
  peer.credits = false
  peer.connection.end()
  const how = await peer.connection.ended()
  if (peer.connection.heard.some(({ kind }) => kind === 'garbage')) throw new Failure('what came is no frame')
  return how === 'reset' ? 'the target reset the connection' : 'the target closed the connection'
}

export const quietPeers = section('robustness', 'Robustness', [
  must(
    'closed-at-once',
    {
      title: 'a peer that closes at once',
      judges: ['RIMP-04', 'R3081-2-07'],
      quote: '',
      sends: 'nothing, and the end of our side',
      expects: 'the target closes, too',
    },
    (peer) => expectClose(peer),
  ),
  must(
    'closed-inside-greeting',
    {
      title: 'a peer that closes inside its greeting',
      judges: ['RIMP-04', 'R3081-2-07'],
      quote: '',
      sends: 'the header of a greeting, and the end of our side',
      expects: 'the target closes, too',
    },
    (peer) => {
      peer.write('RPY 0 0 . 0 50\r\nContent-Type')
      return expectClose(peer)
    },
  ),
  must(
    'closed-after-greeting',
    {
      title: 'a peer that closes without a release',
      judges: ['RIMP-04', 'R3081-2-07'],
      quote: '',
      sends: 'a greeting, and the end of our side',
      expects: 'the target closes, too',
    },
    async (peer) => {
      await peer.greet()
      return expectClose(peer)
    },
  ),
  must(
    'closed-with-replies-to-come',
    {
      title: 'a peer that closes while a reply waits for a window',
      judges: ['RIMP-04', 'RIMP-12', 'R3081-2-07'],
      quote: '',
      sends: 'a message of 6000 octets, no window for the reply, and the end of our side',
      expects: 'the target closes, too',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.credits = false
      await peer.message(channel, 0, `\r\n${'x'.repeat(6000)}`)
      await peer.take((frame) => frame.channel === channel, 'the beginning of the reply')
      return expectClose(peer)
    },
  ),
  must(
    'gone-at-once',
    {
      title: 'a peer that is gone at once',
      judges: ['RIMP-04'],
      quote: '',
      sends: 'nothing: the connection is cut',
      expects: 'the target does not fall over: it takes the next connection',
    },
    (peer) => goneAnd(peer),
  ),
  must(
    'slow-greeting',
    {
      title: 'a greeting that comes slowly',
      judges: ['RIMP-01'],
      quote: '',
      sends: 'a greeting in pieces of three octets, with pauses',
      expects: 'the session works',
    },
    async (peer) => {
      const greeting = `${BEEP_XML}<greeting><profile uri='${peer.profile}' /></greeting>`
      for (let turns = 0; turns < 50; turns++) await turn()
      await writeInPieces(peer, peer.frame('RPY 0 0 .', greeting), [3, 1])
      await peer.greeted()
      await peer.expectAlive()
      return undefined
    },
  ),
  must(
    'half-a-message-for-long',
    {
      title: 'half a message, and much else before the other half',
      judges: ['RIMP-01', 'R3080-2.2.1.1-19'],
      quote: '',
      sends: 'half a message, fifteen starts, the other half',
      expects: 'all starts are answered, and the message is taken',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, '\r\nhel')
      for (let count = 0; count < 15; count++) await peer.expectAlive()
      peer.send(`MSG ${channel} 0 .`, 'lo')
      return expectTaken(peer, channel, 0, 'hello')
    },
  ),
])
