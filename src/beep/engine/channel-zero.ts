// Channel management (RFC 3080 §2.3): the messages of channel 0 become events, and commands become messages of channel 0.
// It neither parses frames nor cuts them.
import { ProtocolError } from '../errors.js'
import { MAX_MANAGEMENT_ASKED, MAX_MANAGEMENT_OWED, MAX_NUMBER } from '../limits.js'
import { type Element, ElementError, encodeElement, type ProfileElement } from '../wire/elements.js'
import { formatEntity, type Headers, NO_HEADERS } from '../wire/entity.js'
import type { Keyword } from '../wire/frame.js'
import { join } from '../wire/octets.js'
import type { Channel } from './channel.js'
import type { Core } from './core.js'
import type { Greeting } from './events.js'
import type { Incoming } from './exchange.js'
import { poor, readReply, readRequest, replyError, tooLong } from './management.js'
import { OutgoingMessage } from './outbox.js'
import { nextState } from './states.js'

const HEADERS = formatEntity({ contentType: 'application/beep+xml' })
const OK = encodeElement({ name: 'ok' })

/** A request of the peer, in order; replies leave in that order (§2.6.1). */
export interface Request {
  readonly msgno: number
  /** Octets whose credit is withheld until the reply has been cut. */
  readonly withheld: number
  readonly start: Extract<Element, { name: 'start' }> | undefined
  readonly close: number | undefined
  reply: { readonly keyword: 'RPY' | 'ERR'; readonly body: Uint8Array; readonly afterwards: (() => void) | undefined } | undefined
}

/** A request of ours. */
type Ask =
  | { readonly kind: 'start'; readonly number: number; readonly uris: readonly string[] }
  | { readonly kind: 'close'; readonly channel: Channel }

export class ChannelZero {
  /** What the peer said it is; undefined until its greeting is in. */
  greeting: Greeting | undefined
  /** The server name that the first successful start of the peer asked for (§2.3.1.2). */
  serverName: string | undefined
  readonly #core: Core
  #greeted = false
  /** A start of the peer has succeeded. */
  peerStarted = false
  #requests: Request[] = []
  readonly #asks = new Map<number, Ask>()
  /** Requests of ours that wait until fewer are unanswered. */
  #unasked: { readonly ask: Ask; readonly body: Uint8Array; readonly hush: boolean }[] = []
  readonly #starting = new Set<number>()
  #nextNumber: number
  // The message that is coming in: its entity headers, which came with its first piece, and its body. One at a time: channel 0 has no answers.
  #headers = NO_HEADERS
  #gathered: Uint8Array[] = []
  #size = 0

  constructor(core: Core) {
    this.#core = core
    this.#nextNumber = core.role === 'initiator' ? 1 : 2
    core.zero.exchanges.greetings()
  }

  /** Says what we are, at once and without waiting for the peer (§2.3.1.1). */
  greet(greeting: Partial<Greeting>): void {
    const { profiles = [], features = [], localize = [] } = greeting
    this.#greet('RPY', encodeElement({ name: 'greeting', features, localize, profiles }))
  }

  /** Says instead that we are not available (§2.3.1.5). Both peers end the session. */
  refuseSession(code: number, text: string): void {
    this.#greet('ERR', encodeElement(this.#error(code, text, undefined)), () => this.#core.finish())
  }

  /** Asks for a channel. @returns its number. With `hush`, the start carries a tuning message and nothing is sent after it. */
  start(profiles: readonly ProfileElement[], serverName: string | undefined, hush: boolean): number {
    this.#assertGreeted()
    if (this.#core.zero.state !== 'open' || this.#core.zero.closeWanted)
      throw new TypeError('The session is being released: it starts no channel')
    const number = this.#freeNumber()
    // What cannot be written is refused here, before anything has changed.
    const body = encodeElement({ name: 'start', number, serverName, profiles })
    this.#starting.add(number)
    this.#ask({ kind: 'start', number, uris: profiles.map((profile) => profile.uri) }, body, hush)
    return number
  }

  /** Gives the peer the channel it asked for. With `hush`, the reply carries a tuning message and nothing is sent after it. */
  accept(number: number, uri: string, content: Uint8Array | undefined, hush: boolean): void {
    this.#assertGreeted()
    const request = this.#pendingStart(number)
    if (!request.start!.profiles.some((profile) => profile.uri === uri))
      throw new TypeError(`The peer did not propose ${uri} for channel ${number}`)
    const body = encodeElement({ name: 'profile', uri, content })
    if (!this.peerStarted) {
      this.peerStarted = true
      this.serverName = request.start!.serverName
    }
    const channel = this.#core.open(number, uri, false)
    this.#answer(request, 'RPY', body, () => {
      this.#core.bear(channel)
      if (hush) this.#silence()
      this.progress(channel)
    })
  }

  decline(number: number, code: number, text: string, lang: string | undefined): void {
    this.#assertGreeted()
    this.#answer(this.#pendingStart(number), 'ERR', encodeElement(this.#error(code, text, lang)))
  }

  /** Closes a channel, or with number 0 releases the session, as soon as the rules allow it to be said (§2.3.1.3). */
  close(channel: Channel, code: number, text: string, lang: string | undefined): void {
    this.#assertGreeted()
    if (channel.closeWanted !== undefined || channel.state === 'closing' || channel.state === 'crossing') return
    const words = this.words(code, text, lang)
    channel.closeWanted = encodeElement({ name: 'close', number: channel.number, code, text, lang: words.lang })
    this.progress(channel)
  }

  /** The peer may close: it is told so once everything has been sent and answered. */
  agree(channel: Channel): void {
    channel.state = nextState(channel.state, 'agreed')
    this.progress(channel)
  }

  refuse(channel: Channel, code: number, text: string, lang: string | undefined): void {
    const request = this.pendingClose(channel.number)
    if (request === undefined) throw new TypeError(`The peer did not ask to close channel ${channel.number}`)
    const body = encodeElement(this.#error(code, text, lang))
    channel.state = nextState(channel.state, 'refused')
    this.#answer(request, 'ERR', body)
    this.progress(channel)
  }

  /** Something ended on the channel: perhaps a close may be said or answered now. */
  progress(channel: Channel): void {
    const zero = channel === this.#core.zero
    if (channel.closeWanted !== undefined && channel.state === 'open' && channel.born) {
      if (
        zero ? this.#core.load.unacknowledged === 0 && this.#asks.size === 0 && this.#unasked.length === 0 : channel.acknowledged
      )
        this.#sayClose(channel)
    } else if (channel.state === 'settling' || channel.state === 'crossing') {
      if (zero ? this.#core.settled && this.#onlyReleaseLeft() : channel.settled) {
        channel.state = nextState(channel.state, 'settled')
        this.#closed(channel, 'peer')
      }
    }
  }

  /** A message of channel 0 arrives, in pieces as they come. @param headers come with the first */
  deliver(incoming: Incoming, headers: Headers | undefined, octets: Uint8Array, last: boolean): void {
    if (headers !== undefined) this.#headers = headers
    this.#size += octets.length
    if (this.#size > this.#core.limits.maxManagement) {
      if (incoming.keyword !== 'MSG')
        throw new ProtocolError('limits/management', `at most ${this.#core.limits.maxManagement} octets`)
      this.#gathered = []
    } else this.#gathered.push(last ? octets : octets.slice()) // a view kept past the turn would pin its chunk
    if (!last) {
      this.#core.credit(this.#core.zero, octets.length)
      return
    }
    const body = join(this.#gathered)
    const size = this.#size
    const entity = this.#headers
    this.#headers = NO_HEADERS
    this.#gathered = []
    this.#size = 0
    const withheld = incoming.keyword === 'MSG' && this.#core.zero.exchanges.owed > MAX_MANAGEMENT_OWED ? octets.length : 0
    this.#core.credit(this.#core.zero, octets.length - withheld)
    if (incoming.keyword === 'MSG')
      this.#request(incoming.msgno, size > this.#core.limits.maxManagement ? undefined : body, entity, withheld)
    else if (this.greeting === undefined) this.#greeting(incoming.keyword, body, entity)
    else this.#replied(incoming, body, entity)
    this.progress(this.#core.zero)
  }

  // What the peer asks

  #request(msgno: number, body: Uint8Array | undefined, headers: Headers, withheld: number): void {
    const element = body === undefined ? tooLong() : readRequest(body, headers, this.#core.limits.maxManagement)
    const start = element instanceof ElementError || element.name !== 'start' ? undefined : element
    const close = element instanceof ElementError || element.name !== 'close' ? undefined : element
    const request: Request = { msgno, withheld, start, close: close?.number, reply: undefined }
    this.#requests.push(request)
    if (element instanceof ElementError) this.#answerError(request, element.replyCode, element.message)
    else if (start !== undefined) this.#startAsked(request, start)
    else if (close !== undefined) this.#closeAsked(request, close)
    else this.#answerError(request, 501, `a MSG on channel 0 holds start or close, not ${element.name}`)
  }

  #startAsked(request: Request, start: Extract<Element, { name: 'start' }>): void {
    const { role, limits, channels, zero } = this.#core
    const odd = start.number % 2 === 1
    const undecided = this.#requests.filter((each) => each !== request && each.start !== undefined && each.reply === undefined)
    const asked = undecided.some((each) => each.start?.number === start.number)
    if (odd !== (role === 'listener'))
      this.#answerError(request, 501, `number attribute in <start> element must be ${odd ? 'even' : 'odd'}-valued`)
    else if (asked || channels.has(start.number)) this.#answerError(request, 550, `channel ${start.number} is in use`)
    else if (zero.state !== 'open') this.#answerError(request, 550, 'the session is being released')
    else if (channels.size + undecided.length >= limits.maxChannels)
      this.#answerError(request, 550, `more than ${limits.maxChannels} channels are not available`)
    else {
      const profiles = start.profiles.map(({ uri, content }) => ({ uri, content }))
      this.#core.emit({ type: 'start', channel: start.number, profiles, serverName: start.serverName })
    }
  }

  #closeAsked(request: Request, close: Extract<Element, { name: 'close' }>): void {
    const channel = close.number === 0 ? this.#core.zero : this.#core.channels.get(close.number)
    if (channel === undefined || !channel.born) {
      this.#answerError(request, 553, `channel ${close.number} does not exist`)
    } else if (channel.state === 'closing') {
      channel.state = nextState(channel.state, 'closeReceived')
      this.#core.emit({ type: 'crossed', channel: close.number })
      this.progress(channel)
    } else if (channel.state === 'open') {
      channel.state = nextState(channel.state, 'closeReceived')
      this.#core.emit({ type: 'close', channel: close.number, code: close.code, text: close.text })
    } else this.#answerError(request, 550, `the close of channel ${close.number} is under way`)
  }

  #pendingStart(number: number): Request {
    const request = this.#requests.find((each) => each.start?.number === number && each.reply === undefined)
    if (request === undefined) throw new TypeError(`The peer did not ask for channel ${number}`)
    return request
  }

  #answerError(request: Request, code: number, text: string): void {
    this.#answer(request, 'ERR', encodeElement(this.#error(code, text, undefined)))
  }

  #answer(request: Request, keyword: 'RPY' | 'ERR', body: Uint8Array, afterwards?: () => void): void {
    request.reply = { keyword, body, afterwards }
    // Replies leave in the order of the requests (§2.6.1): one that is ready may have to wait for an older one.
    for (let first = this.#requests[0]; first?.reply !== undefined; first = this.#requests[0]) {
      this.#requests.shift()
      const { reply, withheld, msgno } = first
      this.#send(reply.keyword, msgno, reply.body, () => {
        this.#core.credit(this.#core.zero, withheld)
        reply.afterwards?.()
      })
    }
  }

  /** The close, or with number 0 the release, that the peer asked for and that has no answer yet. */
  pendingClose(number: number): Request | undefined {
    return this.#requests.find((each) => each.close === number && each.reply === undefined)
  }

  /** Nobody wants more of the channel. A peer that asked for that as well gets its `<ok/>` (§2.3.1.4, A24). */
  #closed(channel: Channel, by: 'us' | 'peer'): void {
    const request = this.pendingClose(channel.number)
    if (channel === this.#core.zero) {
      // What waits behind another reply would wait beyond the end of the session.
      if (request === undefined || request !== this.#requests[0]) this.#released(by)
      else this.#answer(request, 'RPY', OK, () => this.#released(by))
      return
    }
    this.#core.forget(channel)
    this.#core.emit({ type: 'closed', channel: channel.number, by })
    if (request !== undefined) this.#answer(request, 'RPY', OK)
  }

  /** Nothing of channel 0 is unanswered in either direction but releases. */
  #onlyReleaseLeft(): boolean {
    if (this.#unasked.length > 0 || this.#requests[0]?.close !== 0) return false
    for (const ask of this.#asks.values()) if (ask.kind !== 'close' || ask.channel !== this.#core.zero) return false
    return true
  }

  // What we ask

  #sayClose(channel: Channel): void {
    const body = channel.closeWanted!
    channel.closeWanted = undefined
    channel.state = nextState(channel.state, 'closeSent')
    this.#ask({ kind: 'close', channel }, body, false)
  }

  /** Few requests at a time, so that replies always find room in the peer's window beside them. */
  #ask(ask: Ask, body: Uint8Array, hush: boolean): void {
    if (this.#asks.size >= MAX_MANAGEMENT_ASKED) {
      this.#unasked.push({ ask, body, hush })
      return
    }
    const msgno = this.#core.zero.exchanges.allot()
    this.#asks.set(msgno, ask)
    this.#send('MSG', msgno, body, hush ? () => this.#silence() : undefined)
  }

  /** One of the requests that wait may be said now; not a close that the peer's own close has overtaken. */
  #askNext(): void {
    let next = this.#unasked.shift()
    while (next?.ask.kind === 'close' && next.ask.channel.state === 'closed') next = this.#unasked.shift()
    if (next !== undefined) this.#ask(next.ask, next.body, next.hush)
  }

  #greeting(keyword: Keyword, body: Uint8Array, headers: Headers): void {
    const element = readReply(body, headers, this.#core.limits.maxManagement)
    if (keyword === 'RPY' && element.name === 'greeting') {
      // Copies: what users are given they may change, and an element may be read again.
      const { profiles, features, localize } = element
      this.greeting = { profiles: [...profiles], features: [...features], localize: [...localize] }
      this.#core.emit({ type: 'greeting', greeting: this.greeting })
    } else if (keyword === 'ERR' && element.name === 'error') {
      this.#core.emit({ type: 'refused', error: replyError(element) })
      this.#core.finish()
    } else throw poor(`${element.name} in ${keyword} where a greeting was expected`)
  }

  #replied(incoming: Incoming, body: Uint8Array, headers: Headers): void {
    const ask = this.#asks.get(incoming.msgno)!
    this.#asks.delete(incoming.msgno)
    const element = readReply(body, headers, this.#core.limits.maxManagement)
    const ok = incoming.keyword === 'RPY'
    if (!ok && element.name !== 'error') throw poor(`${element.name} in ERR`)
    if (ask.kind === 'start') this.#startReplied(ask.number, ask.uris, element, ok)
    else if (ok && element.name !== 'ok') throw poor(`${element.name} in reply to close`)
    else this.#closeReplied(ask.channel, element)
    this.#askNext()
  }

  #startReplied(number: number, uris: readonly string[], element: Element, ok: boolean): void {
    this.#starting.delete(number)
    if (element.name === 'error' && !ok) {
      this.#core.emit({ type: 'declined', channel: number, error: replyError(element) })
      return
    }
    if (element.name !== 'profile') throw poor(`${element.name} in reply to start`)
    if (!uris.includes(element.uri)) throw poor('a profile that was not proposed')
    // The channel exists before the octets behind this reply are looked at (T33).
    this.#core.open(number, element.uri, true)
    this.#core.emit({ type: 'started', channel: number, uri: element.uri, content: element.content })
  }

  #closeReplied(channel: Channel, element: Element): void {
    // Crossing closes: the channel may have ended with our own <ok/>, and another may have its number by now.
    if (channel.state === 'closed') return
    if (element.name === 'error') {
      channel.state = nextState(channel.state, 'closeRefused')
      this.#core.emit({ type: 'closeRefused', channel: channel.number, error: replyError(element) })
      return
    }
    // With its <ok/> the peer wants no reply any more that we may still owe it, and takes none (§2.3.1.3).
    channel.state = nextState(channel.state, 'closeAccepted')
    this.#closed(channel, 'us')
  }

  #released(by: 'us' | 'peer'): void {
    this.#core.emit({ type: 'closed', channel: 0, by })
    this.#core.finish()
  }

  // Octets out

  #freeNumber(): number {
    const { channels } = this.#core
    for (let tries = 0; tries <= channels.size + this.#starting.size; tries++) {
      const number = this.#nextNumber
      this.#nextNumber = number + 2 > MAX_NUMBER ? 2 - (number % 2) : number + 2
      if (!channels.has(number) && !this.#starting.has(number)) return number
    }
    throw new RangeError('Every channel number of this role is in use')
  }

  #assertGreeted(): void {
    if (!this.#greeted) throw new TypeError('A peer says first what it is (RFC 3080 §2.3.1.1): greet()')
  }

  #greet(keyword: 'RPY' | 'ERR', body: Uint8Array, afterwards?: () => void): void {
    if (this.#greeted) throw new TypeError('A peer says once what it is (RFC 3080 §2.3.1.1)')
    this.#greeted = true
    this.#send(keyword, 0, body, afterwards)
  }

  #send(keyword: Keyword, msgno: number, body: Uint8Array, afterwards: (() => void) | undefined): void {
    const owed = keyword === 'MSG' ? undefined : this.#core.zero.exchanges.owedTo(msgno)
    if (owed !== undefined) owed.answered = true
    const message = new OutgoingMessage(keyword, this.#core.zero, msgno, 0, owed)
    message.afterwards = afterwards
    message.write(HEADERS)
    message.write(body)
    message.ended = true
    this.#core.queue(message)
  }

  /** §3.1.3.1: from here on nothing is sent, not even a SEQ (A36). */
  #silence(): void {
    this.#core.scheduler.silent = true
  }

  #error(code: number, text: string, lang: string | undefined): Element {
    return { name: 'error', ...this.words(code, text, lang) }
  }

  /** A text in the peer's first language needs no `xml:lang`; ours are English unless the application says otherwise (§2.3.1.3). */
  words(code: number, text: string, lang = 'en'): { code: number; text: string; lang?: string } {
    return text === '' || lang === this.greeting?.localize[0] ? { code, text } : { code, text, lang }
  }
}
