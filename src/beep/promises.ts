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

/** The promise, or the reason of the signal if that aborts first. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  signal.throwIfAborted()
  const aborted = deferred<never>()
  const onAbort = () => aborted.reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * The promise, or an error with code `BEEP_ERR_TIMEOUT` when it takes longer.
 * @param milliseconds 0 waits for ever
 */
export async function within<T>(milliseconds: number, what: string, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (milliseconds === 0) return abortable(promise, signal)
  const late = deferred<never>()
  const timer = setTimeout(() => {
    late.reject(Object.assign(new Error(`${what} took longer than ${milliseconds} ms`), { code: 'BEEP_ERR_TIMEOUT' }))
  }, milliseconds)
  try {
    return await abortable(Promise.race([promise, late.promise]), signal)
  } finally {
    clearTimeout(timer)
  }
}

export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
