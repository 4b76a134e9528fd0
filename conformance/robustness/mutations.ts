// Valid sessions with something wrong in them, as properties, and sessions that end anywhere.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { show } from '../harness/connection.js'
import { Failure } from '../harness/failure.js'
import { expectRequest, goneAnd, plain, question } from '../harness/framing.js'
import type { Peer } from '../harness/peer.js'
import { told } from '../harness/reader.js'

/** Frames that are lawful in this order: a message in two frames, a SEQ, a message, a start; behind a reply, when the target has asked. */
async function frames(peer: Peer): Promise<{ channel: number; frames: Buffer[] }> {
  const { channel, replies } = await beginning(peer)
  return {
    channel,
    frames: [
      ...replies,
      peer.frame(`MSG ${channel} 0 *`, 'Content-Type: text/plain\r\n\r\nhel'),
      Buffer.from(`SEQ ${channel} ${peer.received(channel)} 8192\r\n`),
      peer.frame(`MSG ${channel} 0 .`, 'lo'),
      peer.frame(`MSG ${channel} 1 .`, plain('there')),
      question(peer).octets,
    ],
  }
}

async function beginning(peer: Peer): Promise<{ channel: number; replies: Buffer[] }> {
  if (peer.target === 'listener') return { channel: await peer.channel(), replies: [] }
  const { channel, msgno, payload } = await expectRequest(peer)
  return { channel, replies: [peer.frame(`RPY ${channel} ${msgno} .`, payload.subarray(0, 1000))] }
}

/** Writes octets and closes our side: the target ends the session, and all that it said until then were frames. */
async function expectEnd(peer: Peer, octets: Uint8Array): Promise<string> {
  // After our end nothing can be credited.
  peer.credits = false
  peer.write(octets)
  peer.connection.end()
  await peer.connection.ended()
  for (const heard of peer.connection.heard)
    if (heard.kind === 'garbage') throw new Failure(`what came is no frame: ${show(heard.octets)}`)
  // A SEQ of another window than the judge believes to have given is no fault of the target.
  const fault = peer.faults.find(({ requirement }) => requirement.startsWith('R3080'))
  if (fault !== undefined) throw new Failure(told(fault))
  return peer.connection.ending === 'reset' ? 'the target reset the connection' : 'the target closed the connection'
}

/** A change of the list of frames. */
const SHUFFLES = {
  dropped: (all: Buffer[], at: number) => all.toSpliced(at, 1),
  doubled: (all: Buffer[], at: number) => all.toSpliced(at, 0, all[at]!),
  swapped: (all: Buffer[], at: number) => all.toSpliced(at, 1).toSpliced((at + 1) % all.length, 0, all[at]!),
  first: (all: Buffer[], at: number) => [all[at]!, ...all.toSpliced(at, 1)],
} as const

const ABOUT = {
  judges: ['R3080-2.2.1.1-33', 'RIMP-04'],
  quote: '',
  expects: 'the target takes what is lawful or ends the session; it says nothing but frames, and does not fall over',
} as const

export const mutations = section('robustness', 'Robustness', [
  must.hold(
    'octet-changed',
    {
      ...ABOUT,
      title: 'a valid session of which any one octet is another',
      sends: 'two messages, a SEQ and a start with one octet changed; then the end of our side',
      samples: fc.record({
        at: fc.nat({ max: 399 }),
        octet: fc.oneof(fc.constantFrom(0, 10, 13, 32, 42, 46, 48, 57), fc.nat({ max: 255 })),
      }),
    },
    async (peer, { at, octet }) => {
      const octets = Buffer.concat((await frames(peer)).frames)
      octets[at % octets.length] = octet
      return expectEnd(peer, octets)
    },
  ),
  must.hold(
    'octets-inserted',
    {
      ...ABOUT,
      title: 'a valid session with any octets put in anywhere',
      sends: 'two messages, a SEQ and a start with octets put in; then the end of our side',
      samples: fc.record({ at: fc.nat({ max: 399 }), octets: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
    },
    async (peer, { at, octets }) => {
      const all = Buffer.concat((await frames(peer)).frames)
      const place = at % all.length
      return expectEnd(peer, Buffer.concat([all.subarray(0, place), octets, all.subarray(place)]))
    },
  ),
  must.hold(
    'octets-removed',
    {
      ...ABOUT,
      title: 'a valid session with octets left out anywhere',
      sends: 'two messages, a SEQ and a start with octets left out; then the end of our side',
      samples: fc.record({ at: fc.nat({ max: 399 }), length: fc.integer({ min: 1, max: 40 }) }),
    },
    async (peer, { at, length }) => {
      const all = Buffer.concat((await frames(peer)).frames)
      const place = at % all.length
      return expectEnd(peer, Buffer.concat([all.subarray(0, place), all.subarray(place + length)]))
    },
  ),
  must.hold(
    'frames-shuffled',
    {
      ...ABOUT,
      title: 'a valid session with a frame left out, doubled, or in another place',
      sends: 'two messages, a SEQ and a start, their frames not as they should be; then the end of our side',
      samples: fc.record({
        how: fc.constantFrom(...(Object.keys(SHUFFLES) as (keyof typeof SHUFFLES)[])),
        at: fc.nat({ max: 5 }),
      }),
    },
    async (peer, { how, at }) => {
      const all = (await frames(peer)).frames
      return expectEnd(peer, Buffer.concat(SHUFFLES[how](all, at % all.length)))
    },
  ),
  must.hold(
    'number-changed',
    {
      ...ABOUT,
      title: 'a valid session with any number of a header replaced',
      sends: 'two messages, a SEQ and a start, one number of a header another; then the end of our side',
      samples: fc.record({
        at: fc.nat({ max: 40 }),
        number: fc.oneof(
          fc.constantFrom('0', '1', '4096', '2147483647', '2147483648', '4294967295', '4294967296', '-1', ''),
          fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String),
        ),
      }),
    },
    async (peer, { at, number }) => {
      const all = Buffer.concat((await frames(peer)).frames).toString('latin1')
      const numbers = [...all.matchAll(/\d+/g)]
      const { 0: old, index } = numbers[at % numbers.length]!
      return expectEnd(peer, Buffer.from(`${all.slice(0, index)}${number}${all.slice(index + old.length)}`, 'latin1'))
    },
  ),
  must.hold(
    'end-anywhere',
    {
      title: 'our side ends anywhere inside a message',
      judges: ['RIMP-04'],
      quote: '',
      sends: 'the beginning of a message of two frames, of any length, then the end of our side',
      expects: 'the session ends, and the message is not answered',
      samples: fc.nat({ max: 60 }),
    },
    async (peer, length) => {
      const channel = await peer.channel()
      const message = Buffer.concat([
        peer.frame(`MSG ${channel} 0 *`, plain('hello')),
        peer.frame(`MSG ${channel} 0 .`, plain('there')),
      ])
      const said = await expectEnd(peer, message.subarray(0, Math.min(length, message.length - 1)))
      const answer = peer.connection.heard.find(
        (heard) => heard.kind === 'data' && heard.keyword === 'RPY' && heard.channel === channel,
      )
      if (answer !== undefined) throw new Failure('a message that was never complete was answered')
      return said
    },
  ),
  must.hold(
    'gone-anywhere',
    {
      title: 'a peer that is gone anywhere in a session',
      judges: ['RIMP-04'],
      quote: '',
      sends: 'the beginning of a session, of any length, then nothing: the connection is cut',
      expects: 'the target does not fall over: it takes the next connection',
      samples: fc.nat({ max: 399 }),
    },
    async (peer, length) => {
      const octets = Buffer.concat((await frames(peer)).frames)
      peer.write(octets.subarray(0, length % octets.length))
      return goneAnd(peer)
    },
  ),
])
