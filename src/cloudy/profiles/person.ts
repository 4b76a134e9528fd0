// Who is at the other end: the key that TLS proved (never what a card or a name says), and the two rules for every profile of Cloudy: it is
// spoken inside TLS only, and nothing is done for anybody that the table of trust does not allow.
import type { X509Certificate } from 'node:crypto'
import {
  type Channel,
  type HandlerContext,
  type Initial,
  type Message,
  type Outgoing,
  type Profile,
  type Reply,
  ReplyError,
  type Session,
  type StartRequest,
} from '../../beep/index.js'
import { peerCertificate, whenTuned } from '../../profiles/index.js'
import { type IdentityCertificate, readCertificate } from '../certificate.js'
import type { Fingerprint } from '../fingerprint.js'
import type { Admission } from '../meter.js'
import { ObjectError } from '../object-error.js'
import type { Action, Gate } from '../trust.js'

/** Another key than the one that was dialled: it is not them. */
export class WrongKeyError extends Error {
  override readonly name = 'WrongKeyError'
  readonly code = 'CLOUDY_ERR_WRONG_KEY'
  readonly expected: Fingerprint
  readonly proved: Fingerprint

  constructor(expected: Fingerprint, proved: Fingerprint) {
    super(`This is not the peer that was dialled: expected the key ${expected}, TLS proved ${proved}. Nothing was sent`)
    this.expected = expected
    this.proved = proved
  }
}

/** Judges a certificate shown in TLS: its key is lawful and, when one is expected, that one. Dates and names do not matter: the key is the person. */
export function verifyKey(certificate: X509Certificate, expected?: Fingerprint): IdentityCertificate {
  const read = readCertificate(certificate.raw)
  if (expected !== undefined && read.fingerprint !== expected) throw new WrongKeyError(expected, read.fingerprint)
  return read
}

const people = new WeakMap<Session, IdentityCertificate>()

/**
 * The certificate whose key TLS proved on this session.
 * @throws ReplyError 530 when there is none
 */
export function personOf(session: Session): IdentityCertificate {
  const known = people.get(session)
  if (known !== undefined) return known
  const certificate = peerCertificate(session)
  if (certificate === undefined) throw new ReplyError(530, 'this needs TLS with a certificate')
  const person = verifyKey(certificate)
  people.set(session, person)
  return person
}

/** Who sent a MSG, and where. */
export interface Visit {
  readonly person: IdentityCertificate
  readonly channel: Channel
  readonly context: HandlerContext
}

/** What a MSG asks for. */
export interface Request {
  readonly action: Action
  /** How large it is, where that is known before it is done. */
  readonly octets?: number
  /** Does it, once the gate has let it in. */
  perform(admission: Admission): Reply | Promise<Reply>
}

/** A profile of Cloudy: it reads a MSG into a request, and computes nothing costly for that. */
export interface CloudyProfile {
  readonly uri: string
  /** What can be asked for on it. Whoever may do nothing of this may not start it. */
  readonly actions: readonly Action[]
  /** As of every profile; the person is the one whose key TLS proved. */
  start?(request: StartRequest, person: IdentityCertificate): Initial
  read(message: Message, visit: Visit): Request | Promise<Request>
}

/** Offers the profile inside TLS only, and does only what the gate lets in: the one place where the table of trust is enforced. */
export function forPeople(profile: CloudyProfile, gate: Gate): Profile {
  const { uri, actions } = profile
  const readings = new Readings()
  const assertAllowed = ({ fingerprint }: IdentityCertificate): void => {
    if (!actions.some((action) => gate.allows(fingerprint, action))) throw new ReplyError(537, 'this is not for you here')
  }
  return whenTuned({
    uri,
    start(request) {
      const person = personOf(request.session)
      assertAllowed(person)
      return profile.start?.(request, person)
    },
    async message(message, channel, context) {
      const person = personOf(channel.session)
      // Before one octet is read: whoever is blocked is blocked at once, on channels that are open, too.
      assertAllowed(person)
      const read = () => profile.read(message, { person, channel, context })
      const { action, octets, perform } = await readings.during(person.fingerprint, read)
      const admission = gate.admit(person.fingerprint, action, octets)
      let reply: Reply
      try {
        reply = await perform(admission)
      } catch (error) {
        admission[Symbol.dispose]()
        throw error
      }
      if (isGenerator(reply)) return during(untilClosed(channel, admission), reply)
      admission[Symbol.dispose]()
      return reply
    },
  })
}

/**
 * Questions of one key, of one profile, that are read at a time; one more is refused. What is half said is held before the gate knows what it is, and
 * somebody may open channels without number and end nothing that they begin. All of them together hold no more than so many questions.
 */
export const MAX_READINGS = 16

class Readings {
  readonly #counts = new Map<Fingerprint, number>()

  /** @throws ReplyError 450 when too many are under way, or what `read` throws */
  async during<Read>(fingerprint: Fingerprint, read: () => Read | Promise<Read>): Promise<Read> {
    const count = this.#counts.get(fingerprint) ?? 0
    if (count >= MAX_READINGS) throw new ReplyError(450, 'too much of yours is half said')
    this.#counts.set(fingerprint, count + 1)
    try {
      return await read()
    } finally {
      const left = this.#counts.get(fingerprint)! - 1
      if (left === 0) this.#counts.delete(fingerprint)
      else this.#counts.set(fingerprint, left)
    }
  }
}

/** It goes on for as long as answers come. */
async function* during(
  admission: Admission,
  answers: AsyncGenerator<Outgoing, void, void>,
): AsyncGenerator<Outgoing, void, void> {
  try {
    yield* answers
  } finally {
    admission[Symbol.dispose]()
  }
}

const admissions = new WeakMap<Channel, Set<Admission>>()

/**
 * With its channel an admission for answers ends in any case: those of which nobody has asked for the first have no end of their own. What is
 * answered once ends by itself, and is at work until then, whoever has left: an application asks its user no more at a time than the table says.
 */
function untilClosed(channel: Channel, admission: Admission): Admission {
  let open = admissions.get(channel)
  if (open === undefined) {
    const all = new Set<Admission>()
    open = all
    admissions.set(channel, all)
    void channel.closed.then(() => {
      // One whose question was read while its channel ended comes after this, and hears at once that it is closed.
      admissions.delete(channel)
      for (const each of all) each[Symbol.dispose]()
    })
  }
  const those = open
  const own: Admission = {
    spend: (more) => admission.spend(more),
    [Symbol.dispose]: () => {
      those.delete(own)
      admission[Symbol.dispose]()
    },
  }
  those.add(own)
  return own
}

function isGenerator(reply: Reply): reply is AsyncGenerator<Outgoing, void, void> {
  return Object.prototype.toString.call(reply) === '[object AsyncGenerator]'
}

/**
 * What is answered to somebody whose object or question is not accepted: 550 when its time is over.
 * @param replyCode in all other cases; 553 is for objects
 */
export function asReply(error: unknown, replyCode = 553): unknown {
  if (!(error instanceof ObjectError)) return error
  return new ReplyError(error.reason === 'expired' ? 550 : replyCode, error.message, { cause: error })
}
