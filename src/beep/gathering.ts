// What the messages of a session that are being gathered may hold together: a peer may begin many, and end none.
import { MAX_SESSION_GATHERED } from './limits.js'
import { Wake } from './wake.js'

/** Its tables are made by who gathers first: most sessions need none. */
export class Gathering {
  /** Octets that were gathered of messages that are not complete. */
  octets = 0
  /** Who gathers, in the order in which they began. The first is held up by nobody: so one always comes to its end. */
  #places: Set<Place> | undefined
  #waiting: Set<Place> | undefined

  enter(): Place {
    const place = new Place()
    this.#places ??= new Set()
    this.#places.add(place)
    return place
  }

  add(place: Place, octets: number): void {
    place.octets += octets
    this.octets += octets
  }

  leave(place: Place): void {
    this.#places?.delete(place)
    this.octets -= place.octets
    this.#advance()
  }

  /** Whether the place must wait before it takes more. */
  crowded(place: Place): boolean {
    if (this.octets <= MAX_SESSION_GATHERED) return false
    const [first] = this.#places ?? []
    return first !== place
  }

  /** Resolves when the place may perhaps take more, or when it was roused because nothing more will come. */
  async room(place: Place): Promise<void> {
    this.#waiting ??= new Set()
    this.#waiting.add(place)
    await place.wake.wait()
    this.#waiting.delete(place)
    this.#advance()
  }

  /** One of those who wait may go on, if any may; it calls the next. */
  #advance(): void {
    if (this.#waiting === undefined || this.#waiting.size === 0) return
    const [next] = (this.octets <= MAX_SESSION_GATHERED ? this.#waiting : this.#places) ?? []
    if (next !== undefined && this.#waiting.has(next)) next.wake.rouse()
  }
}

/** Somebody who gathers a message. */
export class Place {
  octets = 0
  readonly wake = new Wake()
}
