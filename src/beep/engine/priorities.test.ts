// Who speaks first among channels, and the counts of what was said.
import { describe, expect, test } from '@jest/globals'
import { sessionPair } from '../testing.js'
import { Engine } from './engine.js'

const E = 'http://example.com/beep/echo'

/** An initiator with `count` open channels, whose peer takes everything: its window is opened wide. */
function opened(count: number): Engine {
  const i = new Engine('initiator', { frameSize: 1000 })
  const l = new Engine('listener')
  i.greet({})
  l.greet({ profiles: [E] })
  const run = () => {
    for (let quiet = false; !quiet; ) {
      quiet = true
      for (const [from, to] of [
        [i, l],
        [l, i],
      ] as const) {
        for (const part of from.transmit()) {
          to.receive(part)
          quiet = false
        }
        for (let event = to.nextEvent(); event !== undefined; event = to.nextEvent())
          if (event.type === 'start') l.accept(event.channel, E)
      }
    }
  }
  run()
  for (let started = 0; started < count; started++) {
    const number = i.start([{ uri: E }])
    run()
    i.receive(Buffer.from(`SEQ ${number} 0 100000\r\n`))
    i.nextEvent()
  }
  return i
}

/** The channels of the frames that leave, in order. */
function order(engine: Engine): number[] {
  const wire = Buffer.concat(engine.transmit(1e6)).toString('latin1')
  return [...wire.matchAll(/MSG (\d+) \d+ [.*] \d+ \d+\r\n/g)].map((each) => Number(each[1]))
}

describe('priorities', () => {
  test('R3081-3.1.4-02 equals go round and round', () => {
    const engine = opened(3)
    for (const number of [1, 3, 5]) engine.send(number, 'MSG', 0, 0, [Buffer.alloc(2500)])
    expect(order(engine)).toEqual([1, 3, 5, 1, 3, 5, 1, 3, 5])
  })

  test('R3081-3.1.4-07 the higher goes first, the lower last, and equals between go round', () => {
    const engine = opened(4)
    engine.prioritise(5, 1)
    engine.prioritise(1, -1)
    for (const number of [1, 3, 5, 7]) engine.send(number, 'MSG', 0, 0, [Buffer.alloc(1500)])
    expect(order(engine)).toEqual([5, 5, 3, 7, 3, 7, 1, 1])
  })

  test('R3081-3.1.4-07 a channel whose window is shut stops nobody, whatever its priority', () => {
    const engine = opened(2)
    engine.prioritise(1, 9)
    engine.send(1, 'MSG', 0, 0, [Buffer.alloc(200_000)])
    engine.send(3, 'MSG', 0, 0, [Buffer.alloc(1000)])
    const seen = order(engine)
    expect(seen.filter((each) => each === 1)).toHaveLength(100)
    expect(seen.at(-1)).toBe(3)
  })
})

test('what is no number is no priority', async () => {
  const { initiator } = await sessionPair({}, { profiles: [{ uri: E, message: () => 'ok' }] })
  const channel = await initiator.start(E)
  for (const priority of [Number.NaN, '1' as unknown as number])
    expect(() => {
      channel.priority = priority
    }).toThrow(RangeError)
  channel.priority = Number.NEGATIVE_INFINITY
  expect(await (await channel.request('x')).text()).toBe('ok')
})

describe('counts', () => {
  test('frames, messages and octets are counted by channel and in the session, in both directions', async () => {
    const { initiator, listener } = await sessionPair({}, { profiles: [{ uri: E, message: () => 'ok' }] })
    const channel = await initiator.start(E)
    channel.priority = 3
    expect(channel.priority).toBe(3)
    await channel.request(Buffer.alloc(998))
    expect(channel.traffic).toMatchObject({
      messagesSent: 1,
      octetsSent: 1000,
      messagesReceived: 1,
      octetsReceived: 4,
      framesReceived: 1,
    })
    expect(listener.channels.get(1)?.traffic).toMatchObject({ messagesReceived: 1, octetsReceived: 1000 })
    expect(initiator.traffic.messagesSent).toBe(3) // the greeting, the start and the MSG
    expect(listener.traffic).toMatchObject({
      octetsReceived: initiator.traffic.octetsSent,
      framesSent: initiator.traffic.framesReceived,
    })
    expect(channel.windows).toEqual({ receivable: 4092, unread: 0, sendable: 3096 })
    await channel.close()
    expect(channel.windows).toEqual({ receivable: 0, unread: 0, sendable: 0 })
    expect(channel.traffic.messagesSent).toBe(1)
    await initiator.release()
  })
})
