// Several ways to one aim, tried one shortly after the other: the first that gets there wins, and what the others reach later is given back
// (Happy Eyeballs, RFC 8305 §5).

/** Milliseconds until the next is tried while nothing is heard of those before (RFC 8305 §8). */
export const STAGGER = 250
/** Milliseconds for which nobody else is tried once somebody answers: what remains is talk, which takes several ways there and back. */
const HEAD_START = 3000

/** What an attempt gets to know, and lets know. */
export interface Lane {
  /** Aborts when somebody else has won or nobody wants it any more. */
  readonly signal: AbortSignal
  /** The other end answers: nobody else needs to start for now. */
  readonly connected: () => void
}

export interface RaceOptions<T> {
  readonly signal?: AbortSignal | undefined
  /** Gives back what a loser reached. */
  discard(loser: T): void
  /** Milliseconds; 250 by default. */
  readonly stagger?: number | undefined
}

/**
 * Tries each attempt in order, and resolves with what the first one reached.
 * @throws AggregateError with all failures, in the order of the attempts, when none gets there; the signal's reason when that aborts
 */
export function race<T>(attempts: readonly ((lane: Lane) => Promise<T>)[], options: RaceOptions<T>): Promise<T> {
  const { signal, discard, stagger = STAGGER } = options
  const losers = new AbortController()
  const failures: unknown[] = []
  return new Promise<T>((resolve, reject) => {
    let over = false
    let started = 0
    let running = 0
    let timer: NodeJS.Timeout | undefined
    const finish = (settle: () => void, reason: unknown) => {
      over = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      settle()
      losers.abort(reason)
    }
    const onAbort = () => finish(() => reject(signal?.reason as Error), signal?.reason)
    const nextIn = (milliseconds: number) => {
      clearTimeout(timer)
      if (!over && started < attempts.length) timer = setTimeout(start, milliseconds)
    }
    const start = () => {
      const at = started++
      running += 1
      nextIn(stagger)
      // An attempt may throw at once, too.
      new Promise<T>((done) => done(attempts[at]!({ signal: losers.signal, connected: () => nextIn(HEAD_START) }))).then(
        (value) => {
          if (over) discard(value)
          else finish(() => resolve(value), new Error('Another address was faster'))
        },
        (error: unknown) => {
          if (over) return
          failures[at] = error
          running -= 1
          if (started < attempts.length) start()
          else if (running === 0) finish(() => reject(new AggregateError(failures, 'Nothing was reached')), undefined)
        },
      )
    }
    if (signal?.aborted) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    if (attempts.length > 0) start()
    else finish(() => reject(new AggregateError([], 'There is nothing to try')), undefined)
  })
}
