// The links of a machine whose system cannot always tell which there are.
import { afterEach, expect, test } from '@jest/globals'
import { deferred } from '../../beep/promises.js'
import { type Interface, loopback } from './interfaces.js'
import { type Links, openLinks } from './links.js'

let links: Links | undefined
afterEach(() => links?.close())

test('stay when descriptors have run out, which is told once; what comes later opens', async () => {
  const emfile = Object.assign(new Error('uv_interface_addresses returned EMFILE'), { code: 'ERR_SYSTEM_ERROR' })
  const told: string[] = []
  let looks = 0
  const datagram = new Error('ENOENT: no such file or directory, uv_if_indextoiid')
  const before = () => [loopback]
  let answer: () => readonly Interface[] = before
  const looked = deferred<void>()
  const interfaces = () => {
    if (++looks >= 6) looked.resolve()
    // What is received meanwhile fails in another way.
    if (answer !== before) links?.report(datagram)
    return answer()
  }
  links = await openLinks({ onError: ({ message }) => told.push(message) }, { interfaces, interval: 5 })
  answer = () => {
    throw emfile
  }
  await looked.promise
  expect([...links.all.keys()]).toEqual(['loopback'])
  expect(told).toEqual([datagram.message, emfile.message])

  const opened = deferred<string>()
  links.on('opened', (link) => opened.resolve(link.interface.name))
  answer = () => [loopback, { ...loopback, name: 'another' }]
  expect(await opened.promise).toBe('another')
  expect(told).toEqual([datagram.message, emfile.message])
})

test('go on being looked at when somebody who was told of one throws', async () => {
  const told: string[] = []
  const again = deferred<void>()
  let answer: readonly Interface[] = [loopback]
  let gone = 0
  links = await openLinks(
    { onError: ({ message }) => told.push(message) },
    {
      interval: 5,
      interfaces() {
        if (gone > 0) again.resolve()
        return answer
      },
    },
  )
  links.on('closed', () => {
    gone += 1
    throw new Error('a listener of the application')
  })
  answer = []
  await again.promise
  expect(told[0]).toBe('a listener of the application')
})
