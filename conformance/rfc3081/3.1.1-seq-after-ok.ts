// SEQ frames for a channel that is closed (RFC 3081 §3.1.3): the target sends none.
import { Buffer } from 'node:buffer'
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { type Draft, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { pattern } from '../harness/flow.js'
import { plain } from '../harness/framing.js'
import { askedToClose } from '../harness/initiator.js'
import { close, isData, ownChannel } from '../harness/management.js'
import { BEEP_XML, type Peer } from '../harness/peer.js'
import type { SeqFrame } from '../harness/reader.js'

/** Milliseconds after which credit that is said late has been said. */
const LATE = 500

/** A SEQ for a channel that came behind the first `from` frames. */
function seqBehind(peer: Peer, channel: number, from: number): SeqFrame | undefined {
  return peer.connection.history.slice(from).find((each): each is SeqFrame => each.kind === 'seq' && each.channel === channel)
}

/** @param why how it is known that the channel is closed for the target by then */
function expectNoSeqBehind(peer: Peer, channel: number, from: number, why: string): void {
  const seq = seqBehind(peer, channel, from)
  if (seq === undefined) return
  throw new Failure(
    `SEQ ${channel} ${seq.ackno} ${seq.window} came ${why}: to its peer there is no such channel any more, and one that reads RFC 3081 §3.1.3 by the letter ends the session. Drop the credit of a channel that is closed`,
  )
}

/** The same, a moment later, too. */
async function expectNoSeq(peer: Peer, channel: number, from: number, why: string): Promise<void> {
  await peer.connection.until(() => seqBehind(peer, channel, from) !== undefined, LATE)
  expectNoSeqBehind(peer, channel, from, why)
}

export const seqAfterOk: readonly Draft[] = [
  should(
    'no-seq-after-ok',
    {
      title: 'whether a SEQ comes for a channel behind the ok that closes it',
      judges: ['R3081-3.1.3-19'],
      quote: '',
      sends: 'a MSG of a window and the close of its channel in one write',
      expects: 'no SEQ for the channel after ok',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      const msgno = peer.next()
      const request = peer.frame(`MSG ${channel} 0 .`, plain(pattern(INITIAL_WINDOW - 2)))
      peer.write(Buffer.concat([request, peer.frame(`MSG 0 ${msgno} .`, Buffer.from(BEEP_XML + close(channel)))]))
      if ((await peer.answer(msgno)).keyword === 'ERR') throw new Unsupported('it refuses to close the channel')
      await peer.expectAlive()
      const { history } = peer.connection
      const ok = history.findIndex((each) => isData(each) && each.channel === 0 && each.keyword === 'RPY' && each.msgno === msgno)
      expectNoSeqBehind(peer, channel, ok, `behind the <ok /> (RPY 0 ${msgno}) with which it closed channel ${channel}`)
      return undefined
    },
  ),
  should(
    'no-late-seq-after-ok',
    {
      title: 'credit for less than half a window that is not said when the channel closes',
      judges: ['R3081-3.1.3-19'],
      quote: '',
      sends: 'a MSG of 1000 octets on a channel of ours and the close of the channel, in one write',
      expects: 'no SEQ for the channel behind ok, even a moment later',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      const msgno = peer.next()
      const request = peer.frame(`MSG ${channel} 0 .`, plain(pattern(998)))
      peer.write(Buffer.concat([request, peer.frame(`MSG 0 ${msgno} .`, Buffer.from(BEEP_XML + close(channel)))]))
      if ((await peer.answer(msgno)).keyword === 'ERR') throw new Unsupported('it refuses to close the channel')
      const { history } = peer.connection
      const ok = history.findIndex((each) => isData(each) && each.channel === 0 && each.keyword === 'RPY' && each.msgno === msgno)
      await expectNoSeq(peer, channel, ok, `behind the <ok /> (RPY 0 ${msgno}) with which it closed channel ${channel}`)
      return undefined
    },
  ),
  should(
    'no-seq-after-ok-of-ours',
    {
      title: 'whether a SEQ comes for a channel that we agreed to close',
      judges: ['R3081-3.1.3-19'],
      quote: '',
      sends: '<ok> to the close that the target asks for, and a start of an unknown profile',
      expects: 'no SEQ for the channel behind the answer to the start',
      of: 'initiator',
    },
    async (peer) => {
      const { msgno, number } = await askedToClose(peer)
      peer.manage(`RPY ${msgno}`, '<ok />')
      // What it says before it has read our <ok /> may cross that. A release that it asks for is not answered: the session has to last for a moment.
      try {
        await peer.expectAlive()
      } catch (failure) {
        if (peer.connection.ending === 'open') throw failure
        return 'the target ended the session'
      }
      const from = peer.connection.history.length
      await expectNoSeq(
        peer,
        number,
        from,
        `behind what it said when it had our <ok /> (RPY 0 ${msgno}) to its close of channel ${number}`,
      )
      return undefined
    },
  ),
]
