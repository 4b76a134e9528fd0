// For the tests of objects: notes that people sign, and what comes of them.
import type { Identity } from '../identity.js'
import type { SignedObject } from '../signed-object.js'

export interface NoteOptions {
  /** `example/note` by default. */
  readonly type?: string
  /** Seconds; 600 by default. */
  readonly lifetime?: number
  /** The fingerprint of whom it is for; everybody by default. */
  readonly to?: string
  /** Milliseconds since 1970. */
  readonly now: number
}

export function signNote(by: Identity, text: string, { type = 'example/note', lifetime = 600, to, now }: NoteOptions) {
  return by.sign({ text }, { type, lifetime, to, now })
}

/** What the notes say. */
export function texts(objects: readonly SignedObject[]): string[] {
  return objects.map(({ value }) => (value as { text: string }).text)
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = []
  for await (const item of items) gathered.push(item)
  return gathered
}
