// Notes among the answers of the objects profile: JSON beside signed objects.
import type { Message } from '../../beep/index.js'

export const NOTES = {
  /** First of a subscription: from now on nothing is missed. */
  live: '{"live":true}',
  /** Last of an answer that does not tell all. */
  more: '{"more":true}',
} as const

export type Note = keyof typeof NOTES

/** Octets of a note. */
const MAX_NOTE = 256

/** Which note this is; undefined when none that we know. */
export async function readNote(message: Message): Promise<Note | undefined> {
  const json: unknown = await message.json(MAX_NOTE)
  // One with other members says something that we do not know.
  if (typeof json !== 'object' || json === null || Object.keys(json).length !== 1) return undefined
  const has = (member: string) => member in json && Reflect.get(json, member) === true
  return (Object.keys(NOTES) as Note[]).find(has)
}
