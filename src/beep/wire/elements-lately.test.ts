// Elements that were read lately: the same again, within bounds, and nothing that one reader can spoil for the next.
import { expect, test } from '@jest/globals'
import type { Element } from './elements.js'
import { readElement } from './elements-lately.js'

const ECHO = 'http://example.org/echo'
const read = (xml: string, maxOctets = 1000) => readElement(Buffer.from(xml), maxOctets)

test('what was read before is not parsed again', () => {
  const close = "<close number='1' code='200' />"
  expect(read(close)).toEqual({ name: 'close', number: 1, code: 200, text: '' })
  expect(read(close)).toBe(read(close))
})

test('what is too long is refused, though it was read before with a higher limit', () => {
  read('<ok />')
  expect(() => read('<ok />', 5)).toThrow('longer than 5 octets')
})

test('what is wrong is wrong again', () => {
  for (let time = 0; time < 2; time++) expect(() => read('<ok>')).toThrow()
})

test('octets in an element are not shared', () => {
  const content = (element: Element) =>
    element.name === 'start' ? element.profiles[0]!.content! : (element as { content: Uint8Array }).content
  for (const xml of [`<profile uri='${ECHO}'>abc</profile>`, `<start number='1'><profile uri='${ECHO}'>abc</profile></start>`]) {
    content(read(xml)).fill(0)
    expect(Buffer.from(content(read(xml))).toString()).toBe('abc')
  }
})

test('only so many are remembered, and none that is long', () => {
  const first = read("<close number='1' code='200' />")
  for (let number = 2; number <= 66; number++) read(`<close number='${number}' code='200' />`)
  expect(read("<close number='1' code='200' />")).not.toBe(first)
  const long = `<close number='1' code='200'>${'x'.repeat(300)}</close>`
  expect(read(long)).not.toBe(read(long))
})
