// First in, first out: what waits its turn, or ends in the order in which it began.

/** From so many places left empty on, and as many as are taken, its array is made anew without them: what has been taken must not be kept alive by what has not. */
const SLACK = 32

/**
 * Things in the order in which they were put in. To take the first costs the same however many there are; to find one or take it out of the midst costs as much as there are before it.
 * A Map by number costs ten times as much where one thing is put in and taken out again, which is what a message in flight does (docs/PERFORMANCE.md).
 */
export class Queue<Item extends object> {
  #items: Item[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  get first(): Item | undefined {
    return this.#items[this.#head]
  }

  get last(): Item | undefined {
    return this.#items[this.#items.length - 1]
  }

  /** @param index from 0, the first */
  at(index: number): Item | undefined {
    return this.#items[this.#head + index]
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  /** Takes out the first. @returns it, or undefined when there is none */
  shift(): Item | undefined {
    const items = this.#items
    // The usual case keeps its array: a new one each time would cost more.
    if (items.length === 1) {
      this.#head = 0
      return items.pop()
    }
    const item = items[this.#head]
    if (item === undefined) return undefined
    this.#head++
    if (this.#head === items.length || (this.#head >= SLACK && this.#head * 2 >= items.length)) {
      this.#items = items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** The first that is wanted. */
  find(wanted: (item: Item) => boolean): Item | undefined {
    const items = this.#items
    for (let index = this.#head; index < items.length; index++) if (wanted(items[index]!)) return items[index]
    return undefined
  }

  /** @returns how many stand before it, or -1 */
  indexOf(item: Item): number {
    const at = this.#items.indexOf(item, this.#head)
    return at < 0 ? -1 : at - this.#head
  }

  /** Takes it out, wherever it stands. @returns false when it is not there */
  remove(item: Item): boolean {
    if (this.first === item) return this.shift() !== undefined
    const at = this.#items.indexOf(item, this.#head)
    if (at >= 0) this.#items.splice(at, 1)
    return at >= 0
  }

  /** Takes out everything. @returns that */
  clear(): Item[] {
    const left = this.#items.slice(this.#head)
    this.#items = []
    this.#head = 0
    return left
  }
}
