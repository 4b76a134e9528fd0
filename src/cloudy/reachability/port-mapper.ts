// Opens a port of the router to the world and keeps it open: asks by PCP, NAT-PMP and UPnP in turn, renews, notices what changes, and removes the
// mapping in the end. What it does next is decided in mapper-state.ts; here are the clock, the routers and whoever is told.
import { abortable } from '../../beep/promises.js'
import { isPublic } from './address.js'
import { type Attempt, diagnose, type Problem, unfit } from './diagnosis.js'
import { findGateway, type Gateway } from './gateway.js'
import { isElsewhere, type MapperEvent, type Mapping, mappingOf, next, OFF, type Operation, step } from './mapper-state.js'
import { blankMemory, type Memory, recall, remember } from './memory.js'
import { natPmp } from './nat-pmp-client.js'
import { pcp } from './pcp-client.js'
import { failed, LIFETIME, type MappingProtocol, type Outcome, type ProtocolMaker, type Wish } from './protocol.js'
import { type Surroundings, surroundings } from './surroundings.js'
import { upnp } from './upnp.js'

export type { Attempt, Problem } from './diagnosis.js'
export type { Gateway } from './gateway.js'
export type { Mapping } from './mapper-state.js'

/** A clock with timers; milliseconds. */
export interface Clock {
  now(): number
  /** @returns a function that takes it back */
  after(milliseconds: number, action: () => void): () => void
}

/** How this computer can be reached from outside, as far as it is known. */
export interface Reachability {
  readonly gateway?: Gateway | undefined
  /** Our own address is a public one: nobody translates, though somebody may filter. */
  readonly direct: boolean
  /** There while the world can reach us through the router. */
  readonly mapping?: Mapping | undefined
  /** How the protocols were answered when routers were asked last. */
  readonly attempts: readonly Attempt[]
  /** What stands in the way; undefined when nothing does, or routers are being asked. */
  readonly problem?: Problem | undefined
}

export interface PortMapperOptions {
  /** The TCP port that we listen on. */
  readonly internalPort: number
  /** A file for the protocol that worked and the port it gave; without one, they are forgotten with the process. */
  readonly memory?: string | undefined
  onMapped?(mapping: Mapping): void
  /** The public address or port is another. */
  onChanged?(mapping: Mapping, before: Mapping): void
  /** The world cannot reach us by it any more. */
  onLost?(mapping: Mapping): void
  /** Routers were asked, and the world cannot reach us. They are asked again later; then it is told again if it is another problem. */
  onProblem?(problem: Problem): void
  /** Something beside the point went wrong, such as the file of the memory; or the system cannot tell the gateway, once until it can again. */
  onError?(error: unknown): void
  /** What follows is for tests. */
  readonly clock?: Clock | undefined
  readonly findGateway?: (() => Promise<Gateway | undefined>) | undefined
  readonly protocols?: ProtocolMaker | undefined
  readonly surroundings?: Surroundings | undefined
  /** 0 to 1, exclusive. */
  readonly random?: (() => number) | undefined
}

/** Milliseconds that the removal of a mapping may take. */
const REMOVAL_PATIENCE = 5000
/** Clients wait up to this long before they ask a router that has started anew, so that they do not all come at once (RFC 6887 §14.1.3). */
const RESTART_DELAY = 5000

const CLOCK: Clock = {
  now: () => performance.now(),
  after(milliseconds, action) {
    const timer = setTimeout(action, milliseconds)
    // Nobody lives only to renew a mapping; what is to be done now is awaited.
    if (milliseconds > 0) timer.unref()
    return () => clearTimeout(timer)
  },
}

const standardProtocols: ProtocolMaker = (gateway, { nonce }) => [pcp({ gateway, nonce }), natPmp({ gateway }), upnp({ gateway })]

export class PortMapper implements AsyncDisposable {
  readonly #options: PortMapperOptions
  readonly #clock: Clock
  readonly #stops: (() => void)[] = []
  #state = OFF
  #memory: Memory = blankMemory()
  #gateway: Gateway | undefined
  /** That there is no gateway is known only once the system could tell. */
  #isGatewayKnown = false
  /** Our own side fails, and that has been told. */
  #isFailing = false
  /** The protocol of the mapping, or the one that is being asked. */
  #protocol: MappingProtocol | undefined
  #attempts: readonly Attempt[] = []
  #told: Problem | undefined
  #cancelTimer = () => {}
  #running: AbortController | undefined
  #asked: (() => void)[] = []
  #written: Promise<void> = Promise.resolve()
  /** The removal of what is of no use any more. */
  #removed: Promise<void> = Promise.resolve()
  #wanted = false

  constructor(options: PortMapperOptions) {
    this.#options = options
    this.#clock = options.clock ?? CLOCK
  }

  /** Begins; whoever is interested hears of the first mapping by `onMapped`, or awaits `settled()`. */
  async start(): Promise<void> {
    if (this.#wanted) return
    this.#wanted = true
    this.#memory = await recall(this.#options.memory)
    if (!this.#wanted) return // stopped meanwhile
    const around = this.#options.surroundings ?? surroundings
    this.#stops.push(
      around.watchNetwork(
        () => this.#lookAgain(),
        (error) => this.#options.onError?.(error),
      ),
      around.hearAnnouncements((datagram, from) => this.#hear(datagram, from)),
    )
    this.#apply({ kind: 'started' })
  }

  get reachability(): Reachability {
    const mapping = mappingOf(this.#state)
    const direct = isPublic(this.#gateway?.localAddress ?? '')
    const wasRefused = this.#isGatewayKnown && this.#state.phase === 'seeking' && this.#state.failures > 0
    const problem = wasRefused && !direct ? diagnose(this.#gateway, this.#attempts) : undefined
    return { gateway: this.#gateway, direct, mapping, attempts: this.#attempts, problem }
  }

  /** Resolves once routers have been asked and there is a mapping, or a reason why there is none. At once when that is known already. */
  settled(): Promise<Reachability> {
    return new Promise((resolve) => {
      const tell = () => resolve(this.reachability)
      const { phase } = this.#state
      if (phase === 'mapped' || (phase === 'seeking' && this.#state.failures > 0)) tell()
      else this.#asked.push(tell)
    })
  }

  /** Removes the mapping, if there is one, and ends. Again is harmless. */
  async stop(): Promise<void> {
    this.#wanted = false
    for (const stop of this.#stops.splice(0)) stop()
    this.#apply({ kind: 'stopped' })
    for (const tell of this.#asked.splice(0)) tell()
    await Promise.all([this.#written, this.#removed])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** One event: the next state, what is told of it, and the timer for what comes next. */
  #apply(event: MapperEvent): void {
    const before = mappingOf(this.#state)
    const state = step(this.#state, event, this.#clock.now())
    // Nothing new: what is under way or due stays so, however often somebody announces something.
    if (state === this.#state) return
    this.#state = state
    const after = mappingOf(state)
    if (event.kind === 'networkChanged' || event.kind === 'stopped') {
      this.#running?.abort()
      this.#giveBack(before)
    }
    this.#cancelTimer()
    const due = next(state)
    if (due !== undefined)
      this.#cancelTimer = this.#clock.after(Math.max(0, due.at - this.#clock.now()), () => void this.#run(due.operation))
    if (before === undefined && after !== undefined) this.#options.onMapped?.(after)
    if (before !== undefined && after === undefined && event.kind !== 'stopped') this.#options.onLost?.(before)
    if (before !== undefined && after !== undefined && isElsewhere(before, after)) this.#options.onChanged?.(after, before)
    this.#tellProblem(event)
  }

  #tellProblem({ kind }: MapperEvent): void {
    const problem = kind === 'failed' ? this.reachability.problem : undefined
    if (kind === 'failed' && problem !== undefined && problem !== this.#told) this.#options.onProblem?.(problem)
    this.#told = problem
  }

  async #run(operation: Operation): Promise<void> {
    this.#running?.abort()
    const running = new AbortController()
    this.#running = running
    const { signal } = running
    let event: MapperEvent
    try {
      event = await this.#operate(operation, signal)
      this.#isFailing = false
    } catch (error) {
      if (signal.aborted) return
      // As when descriptors have run out: what was known stays.
      if (!this.#isFailing) this.#options.onError?.(error)
      this.#isFailing = true
      event = { kind: 'failed', final: false }
    }
    if (signal.aborted) return
    this.#apply(event)
    for (const tell of this.#asked.splice(0)) tell()
  }

  async #operate(operation: Operation, signal: AbortSignal): Promise<MapperEvent> {
    const gateway = await this.#findGateway()
    signal.throwIfAborted()
    const before = this.#gateway
    this.#gateway = gateway
    this.#isGatewayKnown = true
    const same = gateway?.address === before?.address && gateway?.localAddress === before?.localAddress
    const mapping = mappingOf(this.#state)
    if (operation === 'seek' || mapping === undefined || this.#protocol === undefined) return this.#seek(gateway, signal)
    if (!same) return { kind: 'networkChanged' }
    return operation === 'renew' ? this.#renew(this.#protocol, mapping, signal) : this.#check(this.#protocol, mapping, signal)
  }

  /** Asks by each protocol in turn, the one that worked last first. */
  async #seek(gateway: Gateway | undefined, signal: AbortSignal): Promise<MapperEvent> {
    const attempts: Attempt[] = []
    this.#attempts = attempts
    // What is given back late would be what is granted now.
    await abortable(this.#removed, signal)
    if (gateway === undefined) return { kind: 'failed', final: true }
    const protocols = (this.#options.protocols ?? standardProtocols)(gateway, this.#memory)
    const inDoubt: MappingProtocol[] = []
    const first = protocols.filter(({ name }) => name === this.#memory.protocol)
    for (const protocol of new Set([...first, ...protocols])) {
      // PCP and NAT-PMP live on one port: where the gateway says that nobody listens, the other does not either.
      const closed = attempts.find(({ failure }) => failure?.reason === 'closed')?.failure
      if (protocol.name === 'NAT-PMP' && closed !== undefined) {
        attempts.push({ protocol: protocol.name, failure: closed })
        continue
      }
      this.#protocol = protocol
      const outcome = await this.#map(protocol, this.#wish(), signal)
      if (outcome.kind === 'granted') return this.#granted(protocol, gateway, outcome, attempts)
      attempts.push({ protocol: protocol.name, failure: outcome })
      if (protocol.isInDoubt) inDoubt.push(protocol)
    }
    this.#protocol = undefined
    // Not before the others have been asked: what one of them grants may be the same to the router.
    for (const protocol of inDoubt) this.#remove(protocol, undefined)
    return { kind: 'failed', final: true }
  }

  async #renew(protocol: MappingProtocol, mapping: Mapping, signal: AbortSignal): Promise<MapperEvent> {
    const outcome = await this.#map(protocol, this.#wish(mapping), signal)
    if (outcome.kind === 'granted') return this.#granted(protocol, this.#gateway!, outcome, [])
    this.#attempts = [{ protocol: protocol.name, failure: outcome }]
    // It cannot be right any longer, whatever is left of the lease.
    return { kind: 'failed', final: outcome.reason === 'no-address' || outcome.reason === 'conflict' }
  }

  /** A protocol that throws does not keep the others from their turn. */
  async #map(protocol: MappingProtocol, wish: Wish, signal: AbortSignal): Promise<Outcome> {
    const outcome = await protocol.map(wish, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#options.onError?.(error)
      return failed('broken', 'our own code failed')
    })
    signal.throwIfAborted()
    return outcome
  }

  async #check(protocol: MappingProtocol, mapping: Mapping, signal: AbortSignal): Promise<MapperEvent> {
    const { checkInterval } = protocol
    const check = await protocol.check(this.#wish(mapping), mapping, signal)
    if (check.kind === 'granted') return this.#granted(protocol, this.#gateway!, check, [])
    if (check.kind === 'kept') return { kind: 'checked', checkInterval }
    return check.kind === 'lost' ? this.#doubt() : { kind: 'unchecked' }
  }

  /** Believes a grant that the world can use; any other is given back, for it would only be a hole. */
  #granted(
    protocol: MappingProtocol,
    gateway: Gateway,
    outcome: Extract<Outcome, { kind: 'granted' }>,
    attempts: Attempt[],
  ): MapperEvent {
    const { externalAddress, externalPort, lifetime } = outcome
    const grant = { externalAddress, externalPort, lifetime }
    attempts.push({ protocol: protocol.name, grant })
    this.#attempts = attempts
    const { internalPort } = this.#options
    const mapping = { ...grant, protocol: protocol.name, gateway: gateway.address, internalPort }
    if (unfit(grant) !== undefined) {
      this.#giveBack(mapping)
      return { kind: 'failed', final: true }
    }
    this.#keep({ ...this.#memory, protocol: protocol.name, externalPort })
    return { kind: 'granted', mapping, checkInterval: protocol.checkInterval }
  }

  #keep(memory: Memory): void {
    const { protocol, externalPort } = this.#memory
    if (memory.protocol === protocol && memory.externalPort === externalPort) return
    this.#memory = memory
    this.#written = this.#written
      .then(() => remember(this.#options.memory, memory))
      .catch((error) => this.#options.onError?.(error))
  }

  /** Our addresses are others: the mapping may still be right, for instance when another interface came up. */
  #lookAgain(): void {
    this.#apply(mappingOf(this.#state) === undefined ? { kind: 'networkChanged' } : { kind: 'doubted', delay: 0 })
  }

  /** A datagram to everybody: believed from our gateway alone, and at most a reason to ask it. */
  #hear(datagram: Uint8Array, from: string): void {
    const mapping = mappingOf(this.#state)
    if (mapping === undefined || from !== mapping.gateway) return
    if (this.#protocol?.heard?.(datagram, mapping) === true) this.#apply(this.#doubt())
  }

  #doubt(): MapperEvent {
    return { kind: 'doubted', delay: (this.#options.random ?? Math.random)() * RESTART_DELAY }
  }

  #wish(mapping?: Mapping): Wish {
    const { internalPort } = this.#options
    return { internalPort, externalPort: mapping?.externalPort ?? this.#memory.externalPort, lifetime: LIFETIME }
  }

  #findGateway(): Promise<Gateway | undefined> {
    return (this.#options.findGateway ?? findGateway)()
  }

  /**
   * Removes what is of no use any more: the mapping, and what was asked for at this moment, which may be granted all the same. Once we have another
   * address only UPnP can, where the router is not strict: to PCP and NAT-PMP a mapping is that of the address which asks. Else the lease has to end by
   * itself.
   */
  #giveBack(mapping: Mapping | undefined): void {
    const protocol = this.#protocol
    this.#protocol = undefined
    if (protocol !== undefined) this.#remove(protocol, mapping)
  }

  #remove(protocol: MappingProtocol, mapping: Mapping | undefined): void {
    this.#removed = Promise.all([this.#removed, this.#unmap(protocol, mapping)]).then(() => {})
  }

  async #unmap(protocol: MappingProtocol, mapping: Mapping | undefined): Promise<void> {
    try {
      await protocol.unmap(this.#wish(mapping), mapping, AbortSignal.timeout(REMOVAL_PATIENCE))
    } catch {
      // The router is gone or slow: its lease ends by itself.
    }
  }
}
