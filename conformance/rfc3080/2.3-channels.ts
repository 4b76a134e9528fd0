// Channels, and the one that manages them (RFC 3080 §2.3).
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { must, section, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { labelled, refused } from '../harness/management.js'
import { NOWHERE } from '../harness/peer.js'

const CHANNELS = 256

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
