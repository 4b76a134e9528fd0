// A message on its way in, without a session: who reads it, when, and what becomes of what is not read yet.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Gathering } from './gathering.js'
import { InboundMessage } from './message.js'
import { turns } from './test-kit-peer.js'

test('a reader may stop at any piece, whatever becomes of the rest when the turn ends: no octet is lost, and each is credited once', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('arrive' as const), size: fc.nat(6000), chunk: fc.constantFrom(1, 3, 20) }),
    fc.record({ kind: fc.constantFrom('read' as const, 'turn' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      let credited = 0
      const credit = (octets: number) => {
        credited += octets
      }
      const message = new InboundMessage(new Map(), 0, { maxMessage: 1e6, gathering: new Gathering(), credit })
      const reader = message[Symbol.asyncIterator]()
      const [sent, read]: [number[], number[]] = [[], []]
      const waiting = () => sent.length > read.length
      for (const each of steps) {
        if (each.kind === 'arrive') {
          // A view of a chunk, which is the larger the less of it the piece is.
          const octets = Buffer.alloc(each.size * each.chunk).subarray(0, each.size)
          for (let at = 0; at < octets.length; at++) octets[at] = (sent.length + at) % 251
          sent.push(...octets)
          message.arrive(octets, false)
        } else if (each.kind === 'turn') message.settle()
        else if (waiting()) read.push(...(await reader.next()).value!)
      }
      message.arrive(new Uint8Array(0), true)
      for (let next = await reader.next(); !next.done; next = await reader.next()) read.push(...next.value)
      expect(Buffer.from(read).equals(Buffer.from(sent))).toBe(true)
      expect(credited).toBe(sent.length)
    }),
  )
})

test('whoever asks for pieces before they come gets each in its turn, and then the end or the error', async () => {
  const steps = fc.array(fc.constantFrom('ask' as const, 'arrive' as const), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (steps, fails) => {
      const message = new InboundMessage(new Map(), 0, { maxMessage: 1e6, gathering: new Gathering(), credit: () => {} })
      const reader = message[Symbol.asyncIterator]()
      const asked: Promise<unknown>[] = []
      const ask = () =>
        asked.push(
          reader.next().then(
            ({ done, value }) => (done ? 'end' : value[0]),
            (error: Error) => error.message,
          ),
        )
      let sent = 0
      for (const step of steps) {
        if (step === 'ask') ask()
        else message.arrive(Buffer.of(sent++), false)
        await turns(1)
      }
      while (asked.length <= sent) ask()
      await turns(1)
      if (fails) message.fail(new Error('gone'))
      else message.arrive(new Uint8Array(0), true)
      const last = Array.from({ length: asked.length - sent }, () => (fails ? 'gone' : 'end'))
      expect(await Promise.all(asked)).toEqual([...Array(sent).keys(), ...last])
    }),
  )
})

test('a message without octets is nobody else’s, either: its memory may be given to another thread', async () => {
  const empty = () => {
    const message = new InboundMessage(new Map(), 0, { maxMessage: 1e6, gathering: new Gathering(), credit: () => {} })
    message.arrive(new Uint8Array(0), true)
    return message.bytes()
  }
  const first = await empty()
  structuredClone(first, { transfer: [first.buffer as ArrayBuffer] })
  expect((await empty()).subarray()).toHaveLength(0)
})
