// How often something may be had: so much a second for each source, so much for all together, and a reserve for what comes at once.

export interface Rate {
  readonly perSecond: number
  /** Most that may be had at once, after a pause. */
  readonly atOnce: number
}

/** Sources that are remembered. The one that was quiet for longest is forgotten: what it gains by it, the limit for all bounds. */
export const MAX_SOURCES = 1024

interface Account {
  left: number
  at: number
}

/** Times are in milliseconds, of any clock. */
export class Allowance {
  readonly #each: Rate
  readonly #all: Rate
  readonly #accounts = new Map<string, Account>()
  readonly #total: Account

  constructor(each: Rate, all: Rate) {
    this.#each = each
    this.#all = all
    this.#total = { left: all.atOnce, at: Number.NEGATIVE_INFINITY }
  }

  /** Whether a source may have one more now; then it has had it. A source that may not costs the others nothing. */
  take(source: string, now: number): boolean {
    const account = this.#accounts.get(source) ?? { left: this.#each.atOnce, at: now }
    this.#accounts.delete(source)
    this.#accounts.set(source, account)
    if (this.#accounts.size > MAX_SOURCES) this.#accounts.delete(this.#accounts.keys().next().value!)
    refill(account, this.#each, now)
    refill(this.#total, this.#all, now)
    if (account.left < 1 || this.#total.left < 1) return false
    account.left -= 1
    this.#total.left -= 1
    return true
  }

  /** Whether anybody may have one more now. */
  isLeft(now: number): boolean {
    refill(this.#total, this.#all, now)
    return this.#total.left >= 1
  }
}

/** A clock that was set back gives nothing. */
function refill(account: Account, { perSecond, atOnce }: Rate, now: number): void {
  const elapsed = Math.max(0, now - account.at)
  account.left = Math.min(atOnce, account.left + (elapsed * perSecond) / 1000)
  account.at = now
}
