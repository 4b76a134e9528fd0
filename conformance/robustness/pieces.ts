// However TCP cuts the stream, the outcome is the same.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { escapeXml } from '../harness/element.js'
import { Failure } from '../harness/failure.js'
import { expectRequest, expectTaken, plain, question, writeInPieces } from '../harness/framing.js'
import { BEEP_XML, type Peer } from '../harness/peer.js'

/** Lengths of pieces, used again and again. */
const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 })

/** A whole session, every octet of it written in pieces of these lengths. */
async function session(peer: Peer, pieces: readonly number[]): Promise<string | undefined> {
  const write = (octets: Uint8Array) => writeInPieces(peer, octets, pieces)
  const profile = `<profile uri='${escapeXml(peer.profile)}' />`
  await write(peer.frame('RPY 0 0 .', Buffer.from(`${BEEP_XML}<greeting>${profile}</greeting>`)))
  await peer.greeted()
  const channel = await (peer.target === 'listener' ? started(peer, profile, write) : accepted(peer, profile, write))
  await write(
    Buffer.concat([
      peer.frame(`MSG ${channel} 0 *`, 'Content-Type: text/plain\r\n\r'),
      peer.frame(`MSG ${channel} 0 *`),
      peer.frame(`MSG ${channel} 0 .`, '\nEND\r\nMSG'),
    ]),
  )
  return expectTaken(peer, channel, 0, 'END\r\nMSG')
}

type Write = (octets: Uint8Array) => Promise<void>

async function started(peer: Peer, profile: string, write: Write): Promise<number> {
  const [number, msgno] = [peer.number(), peer.next()]
  await write(peer.frame(`MSG 0 ${msgno} .`, Buffer.from(`${BEEP_XML}<start number='${number}'>${profile}</start>`)))
  const { keyword } = await peer.answer(msgno)
  if (keyword === 'ERR') throw new Failure('the start was refused')
  return number
}

async function accepted(peer: Peer, profile: string, write: Write): Promise<number> {
  const { msgno, payload } = await peer.asked(0)
  await write(peer.frame(`RPY 0 ${msgno} .`, Buffer.from(BEEP_XML + profile)))
  return Number(/number=['"](\d+)/.exec(payload.toString('latin1'))?.[1])
}

export const pieces = section('robustness', 'Robustness', [
  must(
    'octet-by-octet',
    {
      title: 'a session, octet by octet',
      judges: ['RIMP-01'],
      quote: '',
      sends: 'greeting, start or its reply, and a message in three frames, one octet at a time',
      expects: 'the message is taken',
    },
    (peer) => session(peer, [1]),
  ),
  must.hold(
    'any-pieces',
    {
      title: 'a session in any pieces',
      judges: ['RIMP-01'],
      quote: '',
      sends: 'greeting, start or its reply, and a message in three frames, in pieces of any lengths',
      expects: 'the message is taken',
      samples: lengths,
    },
    session,
  ),
  must.hold(
    'reply-in-any-pieces',
    {
      title: 'a reply in any pieces',
      judges: ['RIMP-01'],
      quote: '',
      sends: 'the reply to a request of the target in two frames, and a start, in pieces of any lengths',
      expects: 'the start is answered',
      of: 'initiator',
      samples: lengths,
    },
    async (peer, lengths) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      const cut = Math.min(5, payload.length)
      const ours = question(peer)
      await writeInPieces(
        peer,
        Buffer.concat([
          peer.frame(`RPY ${channel} ${msgno} *`, payload.subarray(0, cut)),
          peer.frame(`RPY ${channel} ${msgno} .`, payload.subarray(cut, 4000)),
          ours.octets,
        ]),
        lengths,
      )
      return peer.expectError(await peer.answer(ours.msgno))
    },
  ),
  must.hold(
    'bad-frame-in-any-pieces',
    {
      title: 'a bad frame in any pieces',
      judges: ['RIMP-01', 'RIMP-10'],
      quote: '',
      sends: 'a good frame, one with a wrong trailer, and a good one, in pieces of any lengths',
      expects: 'the session ends; only the first may be answered',
      samples: lengths,
    },
    async (peer, lengths) => {
      const channel = await peer.channel()
      const heard = peer.connection.count
      await writeInPieces(
        peer,
        Buffer.concat([
          peer.frame(`MSG ${channel} 0 .`, '\r\nfirst'),
          peer.frame(`MSG ${channel} 1 .`, '\r\nsecond', { trailer: 'END\n\r' }),
          peer.frame(`MSG ${channel} 2 .`, '\r\nthird'),
        ]),
        lengths,
      )
      peer.connection.heardAtWrite = heard
      // The second may be refused while its trailer is still to come.
      return peer.expectTermination([`RPY ${channel} 0`, `ERR ${channel} 0`, `ERR ${channel} 1`])
    },
  ),
  must(
    'all-at-once',
    {
      title: 'three hundred frames in one piece',
      judges: ['RIMP-01'],
      quote: '',
      sends: 'a message of 300 frames of one octet, in one piece',
      expects: 'the message is taken',
    },
    async (peer) => {
      const channel = await peer.channel()
      const frames = Array.from({ length: 300 }, (_, at) => peer.frame(`MSG ${channel} 0 *`, at === 0 ? '\r\n' : 'x'))
      peer.write(Buffer.concat([...frames, peer.frame(`MSG ${channel} 0 .`)]))
      return expectTaken(peer, channel, 0, 'x'.repeat(299))
    },
  ),
  must(
    'frames-are-whole',
    {
      title: 'long replies on two channels at a time',
      judges: ['RIMP-11', 'R3080-2.2.1.1-19'],
      quote: '',
      sends: 'messages of 20000 octets on two channels, and a start',
      expects: 'no frame of the target begins inside another: both bodies come back as they are',
      of: 'listener',
    },
    async (peer) => {
      const [one, two] = [await peer.channel(), await peer.channel()]
      for (const [channel, letter] of [
        [one, 'a'],
        [two, 'b'],
      ] as const)
        await peer.message(channel, 0, plain(letter.repeat(20_000)))
      await peer.expectAlive()
      for (const [channel, letter] of [
        [two, 'b'],
        [one, 'a'],
      ] as const)
        await peer.echoed(channel, 0, letter.repeat(20_000))
      return undefined
    },
  ),
])
