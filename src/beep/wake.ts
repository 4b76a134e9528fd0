// Waiting for "something happened": any number of waiters, no memory of what happened before they came.

export class Wake {
  #promise: Promise<void> | undefined
  #resolve: (() => void) | undefined

  /** Resolves at the next `rouse()`. */
  wait(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve
    })
    return this.#promise
  }

  rouse(): void {
    const resolve = this.#resolve
    if (resolve === undefined) return
    this.#promise = undefined
    this.#resolve = undefined
    resolve()
  }
}
