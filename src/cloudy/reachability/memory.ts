// What a mapper remembers from one run to the next: the protocol that worked, the port it was given, and the nonce by which a PCP server knows the
// mapping again.
import { randomBytes } from 'node:crypto'
import { readJsonFile, writeJsonFile } from '../json-file.js'
import { isObject } from '../signed-object.js'
import { isPort } from './address.js'
import { NONCE_SIZE } from './pcp.js'
import { PROTOCOLS, type ProtocolName } from './protocol.js'

export interface Memory {
  readonly protocol?: ProtocolName | undefined
  /** 0 when there was none. */
  readonly externalPort: number
  readonly nonce: Uint8Array
}

const MAX_FILE = 4096

export function blankMemory(): Memory {
  return { externalPort: 0, nonce: new Uint8Array(randomBytes(NONCE_SIZE)) }
}

/** Reads what was remembered; a blank one when there is nothing, or nothing that can be believed: it is only a convenience. */
export async function recall(path: string | undefined): Promise<Memory> {
  const blank = blankMemory()
  if (path === undefined) return blank
  try {
    const value = await readJsonFile(path, MAX_FILE)
    if (!isObject(value ?? null)) return blank
    const { protocol, externalPort, nonce } = value as Record<string, unknown>
    if (typeof nonce !== 'string' || !/^[0-9a-f]{24}$/.test(nonce)) return blank
    if (externalPort !== 0 && !isPort(externalPort)) return blank
    const known = PROTOCOLS.find((name) => name === protocol)
    return { protocol: known, externalPort, nonce: new Uint8Array(Buffer.from(nonce, 'hex')) }
  } catch {
    return blank
  }
}

/** Writes it down. @throws Error when the file cannot be written */
export async function remember(path: string | undefined, { protocol, externalPort, nonce }: Memory): Promise<void> {
  if (path === undefined) return
  const value = { externalPort, nonce: Buffer.from(nonce).toString('hex') }
  await writeJsonFile(path, protocol === undefined ? value : { protocol, ...value })
}
