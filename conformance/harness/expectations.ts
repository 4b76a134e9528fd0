// What a target is known to do otherwise: `conformance/targets/NAME.json`, each deviation with a reason in words.

export interface Expectations {
  /** Name of the implementation and its version. */
  readonly name: string
  /** Where it comes from and how it was made into a target, in words. */
  readonly about: string
  /** Milliseconds of patience that it needs. */
  readonly timeout?: number
  /** Reasons, by the id of a case; `*` at the end stands for any rest. */
  readonly deviations: Readonly<Record<string, string>>
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
  for (const [id, reason] of Object.entries(deviations))
    if (typeof reason !== 'string' || reason.trim() === '') throw new TypeError(`The deviation ${id} has no reason`)
  return value as Expectations
}

/** The reason why a case is known to fail, if it is. */
export function knownDeviation(expectations: Expectations | undefined, id: string): string | undefined {
  if (expectations === undefined) return undefined
  const { deviations } = expectations
  if (Object.hasOwn(deviations, id)) return deviations[id]
  const prefix = Object.keys(deviations).find((each) => each.endsWith('*') && id.startsWith(each.slice(0, -1)))
  return prefix === undefined ? undefined : deviations[prefix]
}
