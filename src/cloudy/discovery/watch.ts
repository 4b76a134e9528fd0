// The people around, kept up to date: looking on the link and judging what is seen, with the clock of the system.
import { ownAmong } from '../reachability/address.js'
import { browse } from './bonjour.js'
import type { LinkOptions } from './links.js'
import { Neighbours, type NeighboursOptions } from './neighbours.js'

/** Longest and shortest time between looks at the clock, in milliseconds; it may be set. */
const MAX_PAUSE = 1000
const MIN_PAUSE = 20

export interface WatchOptions extends LinkOptions, Omit<NeighboursOptions, 'now' | 'ownAddresses'> {
  /** Milliseconds since 1970; the clock by default. */
  readonly now?: (() => number) | undefined
}

export interface Watch {
  /** Whose cards are believed now, by key. */
  readonly seen: Neighbours['seen']
  /** Ends it; nothing is told afterwards. Again is harmless. */
  stop(): Promise<void>
}

/**
 * Watches who is around.
 * @throws Error when port 5353 cannot be shared
 */
export async function watchNeighbours(options: WatchOptions): Promise<Watch> {
  const { now = Date.now } = options
  const neighbours = new Neighbours({ ...options, now, ownAddresses: () => ownAmong() })
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const arm = () => {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(tick, Math.min(Math.max(neighbours.due() - now(), MIN_PAUSE), MAX_PAUSE)).unref()
  }
  const tick = () => {
    neighbours.tick()
    arm()
  }
  const looking = await browse({
    loopbackOnly: options.loopbackOnly,
    onError: (error) => options.onError?.(error),
    onSeen: (sighting) => neighbours.sighted(sighting),
    onGone: (gone) => neighbours.left(gone),
    onIgnored: (instance, reason) => neighbours.ignored(instance, reason),
  })
  tick()
  return {
    seen: neighbours.seen,
    stop() {
      stopped = true
      clearTimeout(timer)
      return looking.stop()
    },
  }
}
