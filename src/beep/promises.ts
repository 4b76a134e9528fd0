// Small tools for promises: one that is settled from outside, and ones that stop being awaited when a signal aborts or time is up.

export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

/** A promise to be settled from outside. A rejection that nobody awaits is not reported: whoever asks for the promise hears of it. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}

/** What is to be done when a signal aborts. */
interface Watched {
  readonly calls: Set<() => void>
  readonly listener: () => void
}

/** Signals that are watched. Each has one listener for any number of operations: Node warns of more than ten. */
const watched = new WeakMap<AbortSignal, Watched>()

function watch(signal: AbortSignal): Watched {
  const calls = new Set<() => void>()
  const listener = () => {
    for (const call of calls) call()
  }
  signal.addEventListener('abort', listener, { once: true })
  const entry = { calls, listener }
  watched.set(signal, entry)
  return entry
}

/**
 * Calls once when the signal aborts.
 * @param call must not throw
 * @returns what undoes it
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const { calls, listener } = watched.get(signal) ?? watch(signal)
  // A function of its own: the same may be given twice.
  const each = () => call()
  calls.add(each)
  return () => {
    if (!calls.delete(each) || calls.size > 0) return
    signal.removeEventListener('abort', listener)
    watched.delete(signal)
  }
}

/** The promise, or the reason of the signal if that aborts first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal === undefined ? promise : watching(promise, signal)
}

async function watching<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whoever gave up does not hear what became of it.
  promise.catch(() => {})
  signal.throwIfAborted()
  const aborted = deferred<never>()
  const undo = onAbort(signal, () => aborted.reject(signal.reason as Error))
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    undo()
  }
}

/** The longest time that a timer of Node measures, in milliseconds: 24 days. */
const LONGEST = 2_147_483_647

/** Whether so many milliseconds are for ever: 0, and what no timer can measure. */
export function isForEver(milliseconds: number): boolean {
  return milliseconds === 0 || milliseconds > LONGEST
}

/**
 * Calls when so much time has passed; it keeps no process alive.
 * @param milliseconds 0 for never
 */
export function after(milliseconds: number, call: () => void): NodeJS.Timeout | undefined {
  return isForEver(milliseconds) ? undefined : setTimeout(call, milliseconds).unref()
}

/**
 * The promise, or an error with code `BEEP_ERR_TIMEOUT` when it takes longer.
 * @param milliseconds 0 waits for ever
 */
export function within<T>(milliseconds: number, what: string, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (isForEver(milliseconds)) return abortable(promise, signal)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(Object.assign(new Error(`${what} took longer than ${milliseconds} ms`), { code: 'BEEP_ERR_TIMEOUT' }))
    }, milliseconds)
    abortable(promise, signal).then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
