// Messages whose content is poorly-formed (RFC 3080 §2.2.2.1): requests, replies on channel 0, replies on other channels.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { type Draft, may, must, section } from '../harness/case.js'
import { expectGoingOn, expectRequest, plain } from '../harness/framing.js'
import { BEEP_XML, bodyOf, elementOf, type Peer } from '../harness/peer.js'

const ERROR = 'the channel management profile sends a negative reply containing an error'
const REPLY = 'If a poorly-formed reply is received on channel zero, the session is terminated'
const CLOSED = 'received on another channel, then the channel must be closed'

/** Contents that are no reply to a start. */
const NO_PROFILE: readonly (readonly [slug: string, what: string, keyword: 'RPY' | 'ERR', content: string])[] = [
  ['text', 'text in place of XML', 'RPY', 'sure'],
  ['empty', 'nothing', 'RPY', ''],
  ['ok', 'an ok, which answers a close', 'RPY', '<ok />'],
  ['error-in-rpy', 'an error in a positive reply', 'RPY', "<error code='550'>no</error>"],
  ['profile-in-err', 'a profile in a negative reply', 'ERR', "<profile uri='{u}' />"],
  ['greeting', 'a greeting', 'RPY', '<greeting />'],
  ['other-profile', 'a profile that was not proposed', 'RPY', "<profile uri='http://example.org/profiles/other' />"],
  ['unfinished', 'a profile whose element is not closed', 'RPY', "<profile uri='{u}'>"],
]

/** The number of the start with which an initiator under test begins. */
async function startOf(peer: Peer): Promise<number> {
  await peer.greet()
  for (;;) {
    const { msgno, payload } = await peer.asked(0)
    if (elementOf(payload).name === 'start') return msgno
  }
}

const replies: readonly Draft[] = NO_PROFILE.map(([slug, what, keyword, content]) =>
  must(
    `reply-${slug}`,
    {
      title: `a start is answered with ${what}`,
      judges: ['R3080-2.2.2.1-02'],
      quote: REPLY,
      sends: `${keyword} with ${JSON.stringify(content)} to the start of the target`,
      expects: 'the session ends without an answer',
      of: 'initiator',
    },
    async (peer) => {
      peer.manage(`${keyword} ${await startOf(peer)}`, content.replace('{u}', peer.profile))
      return peer.expectTermination()
    },
  ),
)

export const poorlyFormed = section('rfc3080/2.2.2.1', 'Poorly-formed Messages', [
  must(
    'request-on-channel-0',
    {
      title: 'a poorly-formed MSG on channel 0',
      judges: ['R3080-2.2.2.1-01'],
      quote: ERROR,
      sends: 'a start whose attribute has no quotes',
      expects: 'ERR with an error; the session goes on',
    },
    async (peer) => {
      await peer.greet()
      const said = peer.expectError(await peer.ask('<start number=1>'))
      await peer.expectAlive()
      return said
    },
  ),
  must.hold(
    'any-request-on-channel-0',
    {
      title: 'any octets for a MSG on channel 0',
      judges: ['R3080-2.2.2.1-01'],
      quote: ERROR,
      sends: 'a MSG whose body is any octets, which are never XML',
      expects: 'ERR with an error; the session goes on',
      samples: fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.concat([Buffer.from('<'), octets, Buffer.from([0xff])])),
    },
    async (peer, octets) => {
      await peer.greet()
      const msgno = peer.next()
      peer.send(`MSG 0 ${msgno} .`, Buffer.concat([Buffer.from(BEEP_XML), octets]))
      const said = peer.expectError(await peer.answer(msgno))
      await peer.expectAlive()
      return said
    },
  ),
  must(
    'greeting',
    {
      title: 'a greeting that is no XML',
      judges: ['R3080-2.2.2.1-02'],
      quote: REPLY,
      sends: 'RPY 0 with text in place of the greeting',
      expects: 'the session ends; nothing but the target’s own greeting comes',
    },
    async (peer) => {
      peer.manage('RPY 0', 'hello there')
      return peer.expectTermination(['RPY 0 0'])
    },
  ),
  ...replies,
  must.hold(
    'any-reply-to-a-start',
    {
      title: 'a start is answered with any octets',
      judges: ['R3080-2.2.2.1-02'],
      quote: REPLY,
      sends: 'RPY or ERR to the start of the target, of any octets, which are never XML',
      expects: 'the session ends without an answer',
      of: 'initiator',
      samples: fc.record({ keyword: fc.constantFrom('RPY', 'ERR'), octets: fc.uint8Array({ maxLength: 200 }) }),
    },
    async (peer, { keyword, octets }) => {
      const msgno = await startOf(peer)
      peer.send(`${keyword} 0 ${msgno} .`, Buffer.concat([Buffer.from(`${BEEP_XML}<`), octets, Buffer.from([0xff])]))
      return peer.expectTermination()
    },
  ),
  may.hold(
    'reply-on-another-channel',
    {
      title: 'a reply that the profile may not know',
      judges: ['R3080-2.2.2.1-04'],
      quote: CLOSED,
      sends: 'any other style of reply, or other octets than were sent, to the request of the target',
      expects: 'the channel is closed in good order if that is poorly-formed for the profile; the session goes on',
      of: 'initiator',
      samples: fc.constantFrom('ERR', 'ANS', 'NUL', 'RPY'),
    },
    async (peer, keyword) => {
      const { channel, msgno, payload } = await expectRequest(peer)
      const other = plain(bodyOf(payload).subarray(1, 20))
      if (keyword === 'ANS') peer.send(`ANS ${channel} ${msgno} .`, other, { ansno: 0 })
      const last = keyword === 'ANS' ? 'NUL' : keyword
      peer.send(`${last} ${channel} ${msgno} .`, last === 'NUL' ? '' : other)
      return expectGoingOn(peer)
    },
  ),
])
