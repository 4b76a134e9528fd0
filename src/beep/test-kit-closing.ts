// For the tests of closes and releases: our session and a peer by hand, with one channel, and a profile whose replies are given by hand.
import type { Message, Profile, SessionOptions } from './index.js'
import { deferred } from './promises.js'
import { type RawPeer, rawPair, rawStart } from './test-kit-peer.js'

/** A profile whose replies are given by hand. */
export function manual() {
  const asked: { message: Message; signal: AbortSignal; answer(text: string): void }[] = []
  const profile: Profile = {
    uri: 'u:x',
    message: (message, _channel, { signal }) => {
      const reply = deferred<string>()
      asked.push({ message, signal, answer: reply.resolve })
      return reply.promise
    },
  }
  return { asked, profile }
}

/** We are the initiator, channel 1 is ours, the peer speaks by hand. */
export async function asking(options: SessionOptions = {}) {
  const { session, peer } = await rawPair('initiator', options, ['u:x'])
  const starting = session.start('u:x')
  await peer.expect(/<start [\s\S]*END\r\n/)
  peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
  return { session, peer, channel: await starting }
}

/** We are the listener, channel 1 is the peer's, the peer speaks by hand. */
export async function serving(profile: Profile, options: SessionOptions = {}) {
  const { session, peer } = await rawPair('listener', { ...options, profiles: [profile] })
  await rawStart(peer, 1, profile.uri)
  return { session, peer, channel: session.channels.get(1)! }
}

/** The peer asks to close a channel, or with number 0 to release the session. */
export function close(peer: RawPeer, msgno: number, number: number): void {
  peer.say(peer.management(`MSG ${msgno}`, `<close number='${number}' code='200' />`))
}
