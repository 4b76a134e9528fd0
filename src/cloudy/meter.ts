// Quotas measured: how often, how many at a time, how many octets, by key and by crowd. What was used comes back with the time.
import { ReplyError } from '../beep/index.js'

/** How much of something one may have. */
export interface Quota {
  /** Times in a row, and so many come back in a minute. */
  readonly perMinute: number
  readonly atOnce: number
  /** Octets in a row, and so many come back in an hour; what is larger is never let in. */
  readonly octetsPerHour: number
}

/** Who wants what. */
export interface Wish {
  /** Whose account it is. */
  readonly key: string
  /** Who shares another. */
  readonly crowd: string
  readonly quota: Quota
  readonly octets: number
}

/** Something was let in, and goes on until this is disposed of. */
export interface Admission extends Disposable {
  /** Takes more octets. @returns false when that would be too many: nothing was taken */
  spend(octets: number): boolean
}

export interface MeterOptions {
  /** How many times the quota of one all of a crowd have together. */
  readonly crowd: number
  /** Milliseconds. */
  now(): number
}

/**
 * Accounts of keys that are kept. The one that was quiet for longest is forgotten, which forgives it what it used: a new key would have had as
 * much, and the crowd's account is never forgotten. There are as many of those as kinds of crowd.
 */
export const MAX_ACCOUNTS = 8192
const MINUTE = 60_000
const HOUR = 3_600_000

interface Account {
  times: number
  octets: number
  running: number
  /** When the above were right. */
  at: number
}

export class Meter {
  readonly #options: MeterOptions
  readonly #accounts = new Map<string, Account>()
  readonly #crowds = new Map<string, Account>()

  constructor(options: MeterOptions) {
    this.#options = options
  }

  /** Accounts of keys that are kept now. */
  get size(): number {
    return this.#accounts.size
  }

  /** @throws ReplyError 450 when it has to wait, 554 when it will never do */
  admit(wish: Wish): Admission {
    this.check(wish)
    const { quota, octets } = wish
    const limits = this.#limits(wish)
    this.#keep(wish.key, limits[0].account)
    this.#crowds.set(wish.crowd, limits[1].account)
    for (const { account } of limits) {
      account.times += 1
      account.running += 1
      account.octets += octets
    }
    let over = false
    return {
      spend: (more) => {
        const now = this.#options.now()
        for (const { account, scale } of limits) drain(account, quota, scale, now)
        if (limits.some(({ account, scale }) => account.octets + more > quota.octetsPerHour * scale)) return false
        for (const { account } of limits) account.octets += more
        return true
      },
      [Symbol.dispose]: () => {
        if (!over) for (const { account } of limits) account.running -= 1
        over = true
      },
    }
  }

  /** Takes nothing. @throws ReplyError as `admit` does */
  check(wish: Wish): void {
    const { quota, octets } = wish
    if (octets > quota.octetsPerHour) throw new ReplyError(554, `this is larger than the ${quota.octetsPerHour} octets allowed`)
    for (const { account, scale } of this.#limits(wish)) {
      const times = account.times + 1 - quota.perMinute * scale
      const excess = account.octets + octets - quota.octetsPerHour * scale
      if (account.running >= quota.atOnce * scale) throw new ReplyError(450, 'as many are at work as are allowed at a time')
      if (times > 0) throw tooMuch('often', (times * MINUTE) / (quota.perMinute * scale))
      if (excess > 0) throw tooMuch('much', (excess * HOUR) / (quota.octetsPerHour * scale))
    }
  }

  /** The two accounts that a wish is measured by, as they are now. */
  #limits({ key, crowd, quota }: Wish) {
    const now = this.#options.now()
    const fresh = () => ({ times: 0, octets: 0, running: 0, at: now })
    const own = { account: this.#accounts.get(key) ?? fresh(), scale: 1 }
    const shared = { account: this.#crowds.get(crowd) ?? fresh(), scale: this.#options.crowd }
    for (const { account, scale } of [own, shared]) drain(account, quota, scale, now)
    return [own, shared] as const
  }

  /** Puts the account behind all others. */
  #keep(key: string, account: Account): void {
    if (!this.#accounts.delete(key) && this.#accounts.size >= MAX_ACCOUNTS) {
      for (const [oldest, { running }] of this.#accounts) {
        if (running > 0) continue
        this.#accounts.delete(oldest)
        break
      }
    }
    this.#accounts.set(key, account)
  }
}

/** What was used comes back. A clock that was set back gives nothing. */
function drain(account: Account, quota: Quota, scale: number, now: number): void {
  const elapsed = Math.max(0, now - account.at)
  account.times = Math.max(0, account.times - (elapsed * quota.perMinute * scale) / MINUTE)
  account.octets = Math.max(0, account.octets - (elapsed * quota.octetsPerHour * scale) / HOUR)
  account.at = now
}

function tooMuch(what: 'often' | 'much', milliseconds: number): ReplyError {
  return new ReplyError(450, `too ${what}: again in ${Math.ceil(milliseconds / 1000)} s`)
}
