// The objects profile: a MSG gives a signed object, its RPY says by which digest the receiver knows it.
import type { Channel, Profile } from '../../beep/index.js'
import { ReplyError } from '../../beep/index.js'
import { CARD_TYPE, type CallingCard, verifyCard } from '../calling-card.js'
import type { IdentityCertificate } from '../certificate.js'
import type { Fingerprint } from '../fingerprint.js'
import { MAX_OBJECT, type SignedObject, verifyObject } from '../signed-object.js'
import { asReply, forPeople, personOf } from './person.js'
import { OBJECTS } from './uris.js'

/** How a signed object is labelled (RFC 8551 §3.2). */
const SIGNED_DATA = 'application/pkcs7-mime; smime-type=signed-data'

/** What was received, verified, from whom. */
export type Received =
  | { readonly kind: 'card'; readonly card: CallingCard; readonly from: IdentityCertificate }
  | { readonly kind: 'object'; readonly object: SignedObject; readonly from: IdentityCertificate }

export interface ObjectsOptions {
  /** Ours: an object to somebody else is refused. */
  readonly self: Fingerprint
  /** Milliseconds since 1970. */
  now(): number
  /** Told of each object that holds. A ReplyError refuses it. */
  receive(received: Received): void | Promise<void>
}

/** Serves the objects profile. */
export function objects(options: ObjectsOptions): Profile {
  return forPeople({
    uri: OBJECTS,
    async message(message, channel) {
      if (!isSignedData(message.contentType)) throw new ReplyError(501, `a MSG of this profile is ${SIGNED_DATA}`)
      const from = personOf(channel.session)
      const octets = await message.bytes(MAX_OBJECT)
      const received = believe(octets, from, options)
      await options.receive(received)
      return received.kind === 'card' ? received.card.digest : received.object.digest
    },
  })
}

/** Gives an object. @returns the digest by which the peer knows it. @throws ReplyError when the peer refuses it */
export async function give(channel: Channel, octets: Uint8Array): Promise<string> {
  const reply = await channel.request({ body: octets, contentType: SIGNED_DATA })
  return reply.text(256)
}

function believe(octets: Uint8Array, from: IdentityCertificate, { self, now }: ObjectsOptions): Received {
  try {
    const object = verifyObject(octets, { now: now(), recipient: self })
    if (object.type !== CARD_TYPE) return { kind: 'object', object, from }
    return { kind: 'card', card: verifyCard(octets, { now: now() }), from }
  } catch (error) {
    throw asReply(error)
  }
}

function isSignedData(contentType: string): boolean {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';')
  return (
    type.trim() === 'application/pkcs7-mime' && parameters.some((each) => /^\s*smime-type\s*=\s*"?signed-data"?\s*$/.test(each))
  )
}
