// Channels, and the one that manages them (RFC 3080 §2.3).
import type { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { must, section, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { labelled, ownChannel, profile, refused, start } from '../harness/management.js'
import { type Answer, NOWHERE, type Peer } from '../harness/peer.js'

const CHANNELS = 256

/** Lengths of the frames before the last. */
const lengths = fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 6 })

/** A MSG on channel 0 in frames of these lengths and one with the rest; the answer to it. */
async function askInFrames(peer: Peer, payload: Buffer, lengths: readonly number[]): Promise<Answer> {
  const msgno = peer.next()
  let at = 0
  for (const length of lengths) {
    peer.send(`MSG 0 ${msgno} *`, payload.subarray(at, at + length))
    at += length
  }
  peer.send(`MSG 0 ${msgno} .`, payload.subarray(at))
  return peer.answer(msgno)
}

/** A refusal by its code, anything else by its element. */
function codeOf({ element }: Answer): string {
  return element.attributes.code ?? `<${element.name}>`
}

export const channels = section('rfc3080/2.3', 'Channel Management', [
  must.hold(
    'only-zero',
    {
      title: 'a MSG on any channel but 0 right after the greetings',
      judges: ['R3080-2.3-01'],
      quote: 'only channel number zero is defined',
      sends: 'a MSG on a channel that nobody has started',
      expects: 'the session ends without an answer',
      samples: fc.integer({ min: 1, max: MAX_NUMBER }),
    },
    async (peer, channel) => {
      await peer.greet()
      peer.send(`MSG ${channel} 0 .`, '\r\nhello')
      return peer.expectTermination()
    },
  ),
  must(
    'zero-is-not-for-data',
    {
      title: 'channel 0 carries no messages of applications',
      judges: ['R3080-2.3-02'],
      quote: 'which is used for channel management',
      sends: 'a MSG on channel 0 with a few words of text/plain',
      expects: 'ERR; the session lives',
    },
    async (peer) => refused(peer, labelled('hello', 'Content-Type: text/plain\r\n\r\n')),
  ),
  must.hold(
    'start-in-any-frames',
    {
      title: 'a start in frames of any lengths, its entity headers cut anywhere',
      judges: ['R3080-2.2.1.1-10', 'R3080-2.3-02'],
      quote: 'it may be convenient or necessary to segment a message into multiple frames',
      sends: 'a start of the profile that echoes, and a message on its channel',
      expects: 'the channel, and the echo',
      samples: lengths,
    },
    async (peer, lengths) => {
      if (peer.target === 'initiator') await ownChannel(peer)
      else await peer.greet()
      const number = peer.number()
      const { keyword, element } = await askInFrames(peer, labelled(start(number, profile(peer.profile))), lengths)
      if (keyword !== 'RPY' || element.attributes.uri !== peer.profile)
        throw new Failure(`expected the channel; ${keyword} with <${element.name}> came (${element.attributes.code ?? ''})`)
      await peer.echo(number, 0)
      return undefined
    },
  ),
  must.hold(
    'headers-count-in-any-frames',
    {
      title: 'what channel 0 makes of a start that is labelled text/plain, whole and in frames',
      judges: ['R3080-2.2.1.1-10', 'R3080-2.3-02'],
      quote: 'it may be convenient or necessary to segment a message into multiple frames',
      sends: 'such a start, of a profile that nobody has, in one frame; then another in frames of any lengths',
      expects: 'the same answer to both: headers are not lost where a message is cut',
      samples: lengths,
    },
    async (peer, lengths) => {
      await peer.greet()
      const plain = () => labelled(start(peer.number(), profile(NOWHERE)), 'Content-Type: text/plain\r\n\r\n')
      const whole = codeOf(await askInFrames(peer, plain(), []))
      const cut = codeOf(await askInFrames(peer, plain(), lengths))
      if (cut !== whole)
        throw new Failure(`whole it is answered with ${whole}, and in frames of ${lengths} and the rest with ${cut}`)
      return `answered with ${whole}`
    },
  ),
  should(
    '257-channels',
    {
      title: 'as many channels as every peer should have',
      judges: ['R3080-2.3-03'],
      quote: 'should support at least 257 concurrent channels',
      sends: `${CHANNELS} starts, and a message on each channel`,
      expects: 'all channels are there, and each echoes',
      of: 'listener',
    },
    async (peer) => {
      await peer.greet()
      const open: number[] = []
      for (let count = 0; count < CHANNELS; count++) {
        const number = peer.number()
        const { keyword, element } = await peer.start(number, peer.profile)
        if (keyword !== 'RPY')
          throw new Failure(`besides channel 0 there are ${count} channels; then ${element.attributes.code} came`)
        open.push(number)
      }
      for (const channel of open) await peer.echo(channel, 0, `channel ${channel}`)
      return `${CHANNELS} channels besides channel 0`
    },
  ),
  must(
    'refused-leaves-nothing',
    {
      title: 'a channel whose start was refused',
      judges: ['R3080-2.3-01', 'R3080-2.3.1.2-20'],
      quote: 'only channel number zero is defined',
      sends: 'a start of a profile that nobody has, and then a MSG on that channel',
      expects: 'ERR, then the end of the session',
    },
    async (peer) => {
      await peer.greet()
      const number = peer.number()
      peer.expectError(await peer.start(number, NOWHERE))
      peer.send(`MSG ${number} 0 .`, '\r\nhello')
      return peer.expectTermination()
    },
  ),
])
