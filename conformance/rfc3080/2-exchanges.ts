// Sessions, roles and styles of exchange (RFC 3080 §2, §2.1, §2.1.1).
import fc from 'fast-check'
import { may, must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectGoingOn, expectRequest, expectTaken, pipelined, plain } from '../harness/framing.js'
import { bodyOf, NOWHERE, type Peer } from '../harness/peer.js'

const TLS = 'http://iana.org/beep/TLS'

export const sessions = section('rfc3080/2', 'The BEEP Core', [
  must(
    'one-profile-of-those-proposed',
    {
      title: 'a start that proposes two profiles',
      judges: ['R3080-2-01'],
      quote: 'it selects one of the profiles and sends it in a reply',
      sends: 'a start with the profile that echoes and one that nobody has',
      expects: 'a positive reply with one profile, one of the two',
      of: 'listener',
    },
    async (peer) => {
      await peer.greet()
      const { keyword, element } = await peer.start(peer.number(), peer.profile, NOWHERE)
      if (keyword !== 'RPY' || element.name !== 'profile') throw new Failure(`${keyword} with <${element.name}> came`)
      if (element.attributes.uri !== peer.profile) throw new Failure(`the profile is ${element.attributes.uri}`)
      return undefined
    },
  ),
  must(
    'one-tuning-channel',
    {
      title: 'a second tuning channel while the first is at work',
      judges: ['R3080-2-02'],
      quote: 'only one tuning channel may be established at any given time',
      sends: 'two starts of TLS, one after the other, and nothing on the first',
      expects: 'the second is refused, and the session goes on',
      of: 'listener',
      needs: 'tls',
    },
    async (peer) => {
      await peer.greet()
      const first = await peer.start(peer.number(), TLS)
      if (first.keyword !== 'RPY') throw new Unsupported('the target refuses TLS without an initialization message')
      const said = peer.expectError(await peer.start(peer.number(), TLS))
      await peer.expectAlive()
      return said
    },
  ),
  may(
    'several-channels',
    {
      title: 'five channels in use together',
      judges: ['R3080-2-03'],
      quote: 'multiple data exchange channels to be simultaneously in use',
      sends: 'five starts, then a message on each before any reply is read',
      expects: 'each message comes back on its channel',
      of: 'listener',
    },
    async (peer) => {
      const channels = [await peer.channel()]
      while (channels.length < 5) {
        const number = peer.number()
        const { keyword } = await peer.start(number, peer.profile)
        if (keyword === 'ERR') return `it has ${channels.length} channels and no more`
        channels.push(number)
      }
      for (const channel of channels) await peer.message(channel, 0, plain(`on ${channel}`))
      for (const channel of channels.reverse()) await peer.echoed(channel, 0, `on ${channel}`)
      return 'it has five channels'
    },
  ),
])

export const roles = section('rfc3080/2.1', 'Roles', [
  must(
    'initiator-is-asked-for-a-channel',
    {
      title: 'the listener starts a channel',
      judges: ['R3080-2.1-01', 'R3080-2.1-02'],
      quote: 'because BEEP is peer-to-peer in nature, no such requirement exists',
      sends: 'a start of the profile that echoes, to the initiator',
      expects: 'an answer, positive or negative; a channel that it grants answers a message',
      of: 'initiator',
    },
    async (peer) => {
      await peer.channel()
      const number = peer.number()
      const { keyword, element } = await peer.start(number, peer.profile)
      if (keyword === 'ERR') return `it grants no channel (${element.attributes.code})`
      await peer.message(number, 0, plain('hello'))
      return `it grants the channel and answers ${(await peer.reply(number, 0)).keyword}`
    },
  ),
  must(
    'initiator-is-sent-a-message',
    {
      title: 'the listener sends a message first on the channel of the initiator',
      judges: ['R3080-2.1-01', 'R3080-2.1-02'],
      quote: 'A BEEP peer starting an exchange is termed the client',
      sends: 'MSG on the channel that the initiator started, before its own is answered',
      expects: 'the session goes on; what is answered, if anything by then, is the body or ERR',
      of: 'initiator',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.message(channel, 7, plain('hello'))
      return expectTaken(peer, channel, 7, 'hello')
    },
  ),
])

/** Nothing more came on the channel: asked after an answer on channel 0, by which all is in. */
async function expectNoMore(peer: Peer, channel: number): Promise<void> {
  await peer.expectAlive()
  const more = peer.connection.heard.find((heard) => heard.kind === 'data' && heard.channel === channel)
  if (more?.kind === 'data') throw new Failure(`after the whole reply ${more.keyword} ${more.msgno} came`)
}

export const styles = section('rfc3080/2.1.1', 'Exchange Styles', [
  must(
    'one-reply',
    {
      title: 'a message has one reply',
      judges: ['R3080-2.1.1-01', 'R3080-2.1.1-04'],
      quote: 'the server performs the task and replies with a "RPY" message',
      sends: 'one MSG',
      expects: 'one whole RPY of its number, and nothing more',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      await peer.echo(channel, 0)
      await expectNoMore(peer, channel)
      return undefined
    },
  ),
  must.hold(
    'one-reply-to-each',
    {
      title: 'any messages sent together have one reply each, of one style',
      judges: ['R3080-2.1.1-01', 'R3080-2.1.1-04'],
      quote: 'The first two styles are termed one-to-one exchanges',
      sends: 'any few messages without waiting for replies',
      expects: 'one whole RPY for each number, and nothing more',
      of: 'listener',
      samples: fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 6 }),
    },
    async (peer, bodies) => {
      const channel = await peer.channel()
      await pipelined(peer, channel, bodies)
      await expectNoMore(peer, channel)
      return undefined
    },
  ),
  must(
    'refused-and-not-done',
    {
      title: 'a request that is refused has no effect',
      judges: ['R3080-2.1.1-02', 'R3080-2.2.1.1-24'],
      quote: 'the server does not perform any task and replies with an "ERR"',
      sends: 'a start of a profile that nobody has, then a message on the channel',
      expects: 'ERR; then the channel does not exist, and the session ends without an answer',
    },
    async (peer) => {
      await peer.greet()
      const number = peer.number()
      peer.expectError(await peer.start(number, NOWHERE))
      peer.send(`MSG ${number} 0 .`, '\r\nhello')
      return peer.expectTermination()
    },
  ),
  must.hold(
    'any-number-of-answers',
    {
      title: 'a one-to-many reply of any number of answers',
      judges: ['R3080-2.1.1-03'],
      quote: 'replies with zero or more "ANS" messages',
      sends: 'the request back in any number of ANS, then NUL',
      expects: 'the session goes on, or the channel is closed in good order',
      of: 'initiator',
      samples: fc.nat({ max: 8 }),
    },
    async (peer, count) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      for (let ansno = 0; ansno < count; ansno++)
        peer.send(`ANS ${channel} ${msgno} .`, plain(bodyOf(payload).subarray(0, 20)), { ansno })
      peer.send(`NUL ${channel} ${msgno} .`)
      return expectGoingOn(peer)
    },
  ),
])
