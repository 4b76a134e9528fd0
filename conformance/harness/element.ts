// The judge's own reader of the XML on channel 0: any well-formed element becomes a tree, whether or not the DTDs of RFC 3080 §7 know it.
import { SaxesParser } from 'saxes'

export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Element[]
  /** All character data in it, CDATA sections too, joined. */
  readonly text: string
  /** What the notation of the document has that §6.4 forbids or that peers are known to stumble over. */
  readonly notes: readonly string[]
}

interface Growing {
  name: string
  attributes: Record<string, string>
  children: Growing[]
  text: string
  notes: string[]
}

/**
 * Reads a document.
 * @throws Error when it is not well-formed
 */
export function parseElement(text: string): Element {
  const parser = new SaxesParser()
  const open: Growing[] = []
  const notes: string[] = []
  let root: Growing | undefined
  parser.on('error', (error) => {
    throw error
  })
  parser.on('doctype', () => notes.push('DOCTYPE'))
  parser.on('xmldecl', () => notes.push('XML declaration'))
  parser.on('opentag', ({ name, attributes }) => {
    const element: Growing = { name, attributes: attributes as Record<string, string>, children: [], text: '', notes }
    if (root === undefined) root = element
    else open.at(-1)?.children.push(element)
    open.push(element)
  })
  const append = (piece: string) => {
    const last = open.at(-1)
    if (last !== undefined) last.text += piece
  }
  parser.on('text', append)
  parser.on('cdata', append)
  parser.on('closetag', () => open.pop())
  parser.write(text).close()
  if (root === undefined) throw new Error('there is no element')
  return root
}

/** Makes text fit for XML. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>'"]/g, (each) => `&#${each.charCodeAt(0)};`)
}
