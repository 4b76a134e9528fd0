// What the process that speaks UPnP and ours say to each other. The child reads what strangers send with old code, so what it says is read strictly.

/** What the child is to do; its only argument, as JSON. */
export interface Errand {
  /** The one host it may talk to. */
  readonly gateway: string
  /** Our address towards it, perhaps a former one: no other interface than the one to it is used. */
  readonly localAddress: string
}

/** Ours to the child: an action of the gateway's WAN connection service. */
export interface ActionCall {
  readonly action: string
  readonly args: readonly (readonly [name: string, value: string])[]
}

/** The child's to us: once that it has found the gateway or not, then an answer to each call. */
export type ChildSays =
  | { readonly kind: 'found' }
  | { readonly kind: 'none'; readonly text: string }
  | { readonly kind: 'done'; readonly values: Readonly<Record<string, string>> }
  /** `code`: the UPnP error code, when there was one in the answer. */
  | { readonly kind: 'error'; readonly code?: number | undefined; readonly text: string }

/** An answer, or what became of the process instead of one. */
export type Answer = ChildSays | { readonly kind: 'broken'; readonly text: string }

/** Most values of one answer, and longest text: those of GetSpecificPortMappingEntry are five short ones. */
const MAX_VALUES = 16
const MAX_TEXT = 1000

/** Reads what the child said; undefined for anything else. */
export function readChild(message: unknown): ChildSays | undefined {
  if (!isRecord(message)) return undefined
  const { kind, text, code, values } = message
  if (kind === 'found') return { kind }
  if (kind === 'done') return isValues(values) ? { kind, values: { ...values } } : undefined
  if ((kind !== 'none' && kind !== 'error') || !isText(text)) return undefined
  if (kind === 'none') return { kind, text }
  if (code === undefined) return { kind, text }
  return Number.isInteger(code) ? { kind, code: Number(code), text } : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT
}

function isValues(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.keys(value).length <= MAX_VALUES && Object.values(value).every(isText)
}
