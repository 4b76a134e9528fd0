// When what has come is handled, and when what has been said is written: the turns of a session.
import process from 'node:process'
import { BULK, MAX_TURN, MAX_TURNS } from './limits.js'

/** What a session does in a turn. */
export interface TurnWork {
  /** Handles what has come, for a while. @returns whether it has to go on, once those who were given something have had their turn */
  take(): boolean
  /** Writes what there is to say. */
  write(): void
}

const RESOLVED = Promise.resolve()
/** Octets that wait to be handled in all sessions of the process: many peers may send at a time. */
let waiting = 0

export class Turn {
  readonly #work: TurnWork
  /** Of what came, something goes on among the microtasks: whoever awaited it may say more. */
  goesOn = false
  /** Octets that wait to be handled. */
  #gathered = 0
  /** They are handled when the event loop has read everything. */
  #gathers = false
  /** They are being handled: what is said meanwhile waits for the end of that. */
  #taking = false
  /** Something has been said. */
  #scheduled = false

  constructor(work: TurnWork) {
    this.#work = work
  }

  /**
   * So many octets have come. Few are handled at once; in bulk it is done when the event loop has read whatever there is: handled together they cost less,
   * for whoever awaits them goes on once, and the code is in the caches.
   * @param now whether they may not wait
   */
  received(octets: number, now: boolean): void {
    this.#gathered += octets
    waiting += octets
    // Node leaves a socket alone after some 2 MiB; other streams may never end.
    const full = this.#gathered >= MAX_TURN || waiting >= MAX_TURNS
    if (now || full || (octets < BULK && !this.#gathers)) this.#begin()
    else if (!this.#gathers) {
      this.#gathers = true
      setImmediate(this.#takeGathered)
    }
  }

  /**
   * Something has been said: it is written when the turn ends, so that many small messages are one write. That is as soon as no promise is left to
   * continue, which costs no round of the event loop.
   */
  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    // Mostly a promise is being continued: then this is called when no other is left.
    if (!this.#taking) process.nextTick(this.#write)
  }

  readonly #takeGathered = (): void => {
    this.#gathers = false
    if (this.#gathered > 0) this.#begin()
  }

  #begin(): void {
    waiting -= this.#gathered
    this.#gathered = 0
    // A turn that is under way takes these octets, too.
    if (this.#taking) return
    this.#taking = true
    this.goesOn = false
    this.#take()
  }

  readonly #take = (): void => {
    if (this.#work.take()) {
      void RESOLVED.then(this.#takeSoon)
      return
    }
    this.#taking = false
    if (!this.#scheduled) return
    if (this.goesOn) void RESOLVED.then(this.#writeSoon)
    else this.#write()
  }

  // Called among the microtasks: what is queued by `nextTick` runs when all of them, and those that they bring about, have run.

  readonly #takeSoon = (): void => process.nextTick(this.#take)

  readonly #writeSoon = (): void => process.nextTick(this.#write)

  readonly #write = (): void => {
    this.#scheduled = false
    this.#work.write()
  }
}
