// A peer that lasts: it has a key of its own, says who is near, greets whoever comes, and takes small files from everybody.
import { join } from 'node:path'
import { ReplyError } from 'cloudy-beep'
import { Friend, Identity, inQuotes, Peer, type Seen } from 'cloudy-beep/cloudy'

const NOTE = 'example/note'
const LARGEST = 1_000_000

/** The key is the peer: it is made once, and kept. */
async function ownIdentity(path: string, nickname: string): Promise<Identity> {
  try {
    return await Identity.load(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const identity = await Identity.generate({ nickname })
  await identity.save(path, { replace: false })
  return identity
}

/**
 * @param directory for the key, and for the files that come
 * @param say what happens, line by line
 * @returns the peer; it lasts until it is closed
 */
export async function stay(directory: string, nickname: string, say: (line: string) => void, loopbackOnly = false) {
  const identity = await ownIdentity(join(directory, 'identity.pem'), nickname)
  const named = (verb: string) => (seen: Seen) => say(`${inQuotes(seen.card.nickname)} ${verb}`)
  return Peer.start({
    identity,
    downloads: directory,
    loopbackOnly,
    onSeen: named('is near'),
    onGone: named('is gone'),
    onFriend: async (person, session) => {
      say(`${inQuotes(person.nickname)} comes`)
      const friend = new Friend({ session, person, identity, now: Date.now })
      const text = `Welcome, ${person.nickname}!`
      const greeting = await identity.sign({ text }, { type: NOTE, lifetime: 60, to: person.fingerprint })
      // They may be gone already, or want no notes.
      await friend.give(greeting.octets, { signal: AbortSignal.timeout(10_000) }).catch(() => {})
    },
    onReceived: (received) => {
      if (received.kind === 'object' && received.object.type === NOTE) say(`${inQuotes(received.from.nickname)} gives a note`)
    },
    onFile: {
      offered: ({ size }) => {
        if (size > LARGEST) throw new ReplyError(554, 'that is too large for me')
      },
      received: (manifest, _path, from) => say(`${inQuotes(from.nickname)} sends ${inQuotes(manifest.name)}`),
    },
    onError: (error) => say(`something went wrong: ${String(error)}`),
  })
}
