// What a target is known to do otherwise: `conformance/targets/NAME.json`, each deviation with a reason in words.

/** A case that fails at some times and passes at others: a race of the target's own, which no seed decides. */
export interface Sometimes {
  readonly reason: string
  readonly sometimes: true
}

export interface Expectations {
  /** Name of the implementation and its version. */
  readonly name: string
  /** Where it comes from and how it was made into a target, in words. */
  readonly about: string
  /** Milliseconds of patience that it needs. */
  readonly timeout?: number
  /** Reasons, by the id of a case; `*` at the end stands for any rest. */
  readonly deviations: Readonly<Record<string, string | Sometimes>>
}

/** What the file says of a case. */
export interface Deviation {
  readonly reason: string
  /** Whether it may pass, too. */
  readonly sometimes: boolean
}

/**
 * Reads such a file.
 * @throws TypeError when it is not of that form
 */
export function parseExpectations(text: string): Expectations {
  const value = JSON.parse(text) as Partial<Expectations>
  if (typeof value !== 'object' || value === null) throw new TypeError('It is not a JSON object')
  if (typeof value.name !== 'string' || typeof value.about !== 'string')
    throw new TypeError('It needs a name and about, both text')
  if (value.timeout !== undefined && !(value.timeout > 0)) throw new TypeError('timeout is a number of milliseconds')
  const { deviations } = value
  if (typeof deviations !== 'object' || deviations === null)
    throw new TypeError('deviations is an object: the id of a case, and the reason')
  for (const [id, one] of Object.entries<unknown>(deviations)) {
    const { reason, sometimes } = typeof one === 'object' && one !== null ? (one as Partial<Sometimes>) : { reason: one }
    if (typeof reason !== 'string' || reason.trim() === '') throw new TypeError(`The deviation ${id} has no reason`)
    if (typeof one !== 'string' && sometimes !== true)
      throw new TypeError(`The deviation ${id} is text, or says "sometimes": true`)
  }
  return value as Expectations
}

/** @returns a deviation that is about none of the cases, if there is one: a slip of the pen must not pass for a reason */
export function strayDeviation({ deviations }: Expectations, ids: readonly string[]): string | undefined {
  return Object.keys(deviations).find((key) =>
    key.endsWith('*') ? !ids.some((id) => id.startsWith(key.slice(0, -1))) : !ids.includes(key),
  )
}

/** What is known of a case that fails, if anything is. An id in full counts more than the beginning of ids. */
export function knownDeviation(expectations: Expectations | undefined, id: string): Deviation | undefined {
  if (expectations === undefined) return undefined
  const { deviations } = expectations
  const key = Object.hasOwn(deviations, id)
    ? id
    : Object.keys(deviations).find((each) => each.endsWith('*') && id.startsWith(each.slice(0, -1)))
  if (key === undefined) return undefined
  const value = deviations[key]!
  return typeof value === 'string' ? { reason: value, sometimes: false } : { reason: value.reason, sometimes: true }
}
