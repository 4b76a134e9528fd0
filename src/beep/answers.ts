// What the peer asks on channel 0, and what our profiles say to it: starts (RFC 3080 §2.3.1.2), closes and releases (§2.3.1.3, §2.4).
import type { OpenChannel } from './channel.js'
import type { Event } from './engine/events.js'
import { ReplyError } from './errors.js'
import { SETTLE_TIMEOUT } from './limits.js'
import type { LiveSession } from './live-session.js'
import { type Initial, type Profile, Tuning } from './profile.js'
import { after, isPromise } from './promises.js'
import { answerTuning } from './tuning.js'
import { formatElement } from './wire/elements.js'

/** A close that was asked for and has no answer yet. */
interface Settling {
  timer: NodeJS.Timeout | undefined
}

export class Answers {
  readonly #session: LiveSession
  /** Closes that wait for the profile to decide, or for exchanges to end. */
  readonly #settling = new Map<number, Settling>()
  /** The start of a tuning channel waits for its profile. */
  #deciding = false

  constructor(session: LiveSession) {
    this.#session = session
  }

  /** Each proposed profile is examined in turn (§2.3.1.2, T55). */
  start({ channel: number, profiles, serverName }: Extract<Event, { type: 'start' }>): void {
    const served = this.#session.served()
    for (const { uri, content } of profiles) {
      const profile = served.find((each) => each.uri === uri)
      if (profile === undefined) continue
      if (profile.tuning && (this.#deciding || this.#tuning())) {
        this.#decline(number, new ReplyError(550, 'a tuning channel exists already'))
        return
      }
      this.#start(number, profile, serverName, content)
      return
    }
    this.#decline(number, new ReplyError(550, 'all requested profiles are unsupported'))
  }

  /** Whether a tuning channel exists that the peer started. */
  #tuning(): boolean {
    for (const channel of this.#session.channels.values()) if (channel.profile?.tuning) return true
    return false
  }

  #start(number: number, profile: Profile, asked: string | undefined, content: Uint8Array | undefined): void {
    const serverName = this.#session.engine.serverNameFor(asked)
    const initial = content === undefined ? undefined : Buffer.from(content)
    try {
      const answer = profile.start?.({ session: this.#session, number, serverName, initial })
      if (isPromise(answer)) void this.#decide(number, profile, answer)
      else this.#accept(number, profile, answer)
    } catch (error) {
      this.#decline(number, error)
    }
  }

  /** The profile takes its time. Of tuning channels, one exists or is about to (§2). */
  async #decide(number: number, profile: Profile, answer: Promise<Initial>): Promise<void> {
    const { tuning = false } = profile
    this.#deciding ||= tuning
    try {
      const what = await answer
      if (tuning) this.#deciding = false
      this.#accept(number, profile, what)
    } catch (error) {
      if (tuning) this.#deciding = false
      this.#decline(number, error)
    }
  }

  #accept(number: number, profile: Profile, answer: Initial): void {
    const session = this.#session
    if (session.over) return
    if (answer instanceof Tuning) {
      const reply = (what: string | undefined) => {
        const content = what ?? formatElement({ name: 'error', ...session.engine.words(450, 'exchanges are outstanding') })
        session.engine.accept(number, profile.uri, Buffer.from(content), what !== undefined)
        session.open(number, profile.uri, profile, undefined)
      }
      answerTuning(session, answer, 0, reply).catch((error) => session.failed(error))
      return
    }
    session.engine.accept(number, profile.uri, answer === undefined ? undefined : Buffer.from(answer))
    const channel = session.open(number, profile.uri, profile, undefined)
    session.schedule()
    // The channel exists: what goes wrong now is no reason to decline it.
    session.tell(() => profile.open?.(channel))
  }

  #decline(number: number, error: unknown): void {
    const session = this.#session
    if (session.over) return
    const { replyCode, text, lang } = session.refusal(error)
    session.engine.decline(number, replyCode, text, lang)
    session.schedule()
  }

  /** `<ok/>` follows once the profile agrees and everything has been sent and answered; what never ends is refused after a while. */
  close({ channel: number, code, text }: Extract<Event, { type: 'close' }>): void {
    const session = this.#session
    const settling = this.#ask(number)
    const agree = () => {
      // The profile may decide when it is too late.
      if (this.#settling.get(number) !== settling || session.over) return
      session.engine.agree(number)
      session.schedule()
    }
    const refuse = (error: unknown) => {
      if (this.#settling.get(number) === settling) this.#refuse(number, error)
    }
    try {
      const channel = session.channels.get(number)
      const answer = channel?.profile?.close?.(channel, { code, text })
      if (isPromise(answer)) answer.then(agree, refuse)
      else agree()
    } catch (error) {
      refuse(error)
    }
    // What has an answer already needs no timer.
    if (session.engine.closeAsked(number)) this.#watch(number, settling)
  }

  /** A close that the peer asks for, be it that ours crossed it: what is under way should end, and what does not is a reason to refuse. */
  crossed(number: number): void {
    this.#watch(number, this.#ask(number))
  }

  #ask(number: number): Settling {
    for (const channel of this.#concerned(number)) channel.askedToClose()
    const settling: Settling = { timer: undefined }
    this.#settling.set(number, settling)
    return settling
  }

  #watch(number: number, settling: Settling): void {
    if (this.#settling.get(number) !== settling || this.#session.over) return
    const late = () => this.#refuse(number, new ReplyError(550, 'still working'))
    settling.timer = after(this.#session.options.settleTimeout ?? SETTLE_TIMEOUT, late)
  }

  /** With number 0, the release, all channels. */
  #concerned(number: number): Iterable<OpenChannel> {
    const { channels } = this.#session
    const channel = channels.get(number)
    if (number === 0) return channels.values()
    return channel === undefined ? [] : [channel]
  }

  #refuse(number: number, error: unknown): void {
    const session = this.#session
    // While a tuning message is handled, the end of a channel may have come and not been told.
    if (session.over || !session.engine.closeAsked(number)) return
    this.settled(number)
    for (const channel of this.#concerned(number)) channel.stays()
    const { replyCode, text, lang } = session.refusal(error)
    session.engine.refuse(number, replyCode, text, lang)
    session.schedule()
  }

  /** The channel is closed. */
  settled(number: number): void {
    clearTimeout(this.#settling.get(number)?.timer)
    this.#settling.delete(number)
  }

  /** The session is over. */
  end(): void {
    for (const { timer } of this.#settling.values()) clearTimeout(timer)
  }
}
