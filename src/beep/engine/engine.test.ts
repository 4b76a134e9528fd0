// Two engines joined in memory: sessions come up, exchanges run in every style, and what leaves is spelled as in RFC 3080.
import { describe, expect, test } from '@jest/globals'
import { completeLimits, DEFAULT_LIMITS } from '../limits.js'
import { Engine } from './engine.js'
import type { Event } from './events.js'

const text = (octets: Uint8Array) => Buffer.from(octets).toString('latin1')
const octets = (value: string) => Buffer.from(value, 'latin1')
const E = 'http://example.com/beep/echo'

/** Moves octets until neither engine has anything to say; gives the events of each. */
function run(i: Engine, l: Engine): { i: Event[]; l: Event[] } {
  const seen = { i: [] as Event[], l: [] as Event[] }
  for (let moved = true; moved; ) {
    moved = false
    for (const [from, to, events] of [
      [i, l, seen.l],
      [l, i, seen.i],
    ] as const) {
      for (const part of from.transmit()) {
        moved = true
        to.receive(part)
      }
      for (let event = to.nextEvent(); event !== undefined; event = to.nextEvent()) {
        moved = true
        events.push(event)
      }
    }
  }
  return seen
}

function session(): { i: Engine; l: Engine } {
  const i = new Engine('initiator')
  const l = new Engine('listener')
  i.greet({})
  l.greet({ profiles: [E] })
  run(i, l)
  return { i, l }
}

describe('a session', () => {
  test('greets, starts, exchanges, closes and releases', () => {
    const { i, l } = session()
    expect(i.greeting?.profiles).toEqual([E])
    const number = i.start([{ uri: E }])
    expect(number).toBe(1)
    expect(run(i, l).l).toMatchObject([{ type: 'start', channel: 1, profiles: [{ uri: E }] }])
    l.accept(1, E)
    expect(run(i, l).i).toMatchObject([{ type: 'started', channel: 1, uri: E }])
    i.send(1, 'MSG', 0, 0, [octets('\r\n'), octets('hello')])
    const [message] = run(i, l).l
    expect(message).toMatchObject({ type: 'message', keyword: 'MSG', msgno: 0, last: true })
    l.send(1, 'RPY', 0, 0, [octets('\r\nworld')])
    expect(text(Buffer.concat(l.transmit()))).toBe('RPY 1 0 . 0 7\r\n\r\nworldEND\r\n')
    i.close(1)
    expect(i.pending).toBe(false)
    i.receive(octets('RPY 1 0 . 0 7\r\n\r\nworldEND\r\n'))
    expect(i.nextEvent()).toMatchObject({ type: 'message', keyword: 'RPY', last: true })
    expect(run(i, l).l).toMatchObject([{ type: 'close', channel: 1, code: 200 }])
    l.agree(1)
    const closed = run(i, l)
    expect(closed.l).toMatchObject([{ type: 'closed', channel: 1, by: 'peer' }])
    expect(closed.i).toMatchObject([{ type: 'closed', channel: 1, by: 'us' }])
    i.close(0)
    run(i, l)
    l.agree(0)
    const over = run(i, l)
    expect(over.i).toMatchObject([{ type: 'closed', channel: 0, by: 'us' }])
    expect([i.state, l.state]).toEqual(['released', 'released'])
  })

  test('R3081-3.1.2-02 a large message goes through a small window', () => {
    const { i, l } = session()
    i.start([{ uri: E }])
    run(i, l)
    l.accept(1, E)
    run(i, l)
    const body = Buffer.alloc(100_000, 7)
    i.send(1, 'MSG', 0, 0, [octets('\r\n'), body])
    let got = 0
    for (let round = 0; round < 200 && got < body.length; round++) {
      for (const event of run(i, l).l) {
        if (event.type !== 'message' && event.type !== 'data') continue
        got += event.octets.length
        l.consume(1, event.octets.length + (event.type === 'message' ? event.overhead : 0))
      }
    }
    expect(got).toBe(body.length)
  })

  test('R3080-2.2.1.2-06 a wrong seqno ends the session without an answer', () => {
    const { l } = session()
    l.receive(octets('MSG 0 1 . 51 0\r\nEND\r\n'))
    const event = l.nextEvent()
    expect(event).toMatchObject({ type: 'terminated', error: { rule: 'rfc3080/2.2.1.2/seqno' } })
    expect(l.transmit()).toEqual([])
  })
})

test('each limit is what it is given as, else what it is by default', () => {
  expect(completeLimits({})).toEqual(DEFAULT_LIMITS)
  const doubled = Object.fromEntries(Object.entries(DEFAULT_LIMITS).map(([name, value]) => [name, 2 * value + 1]))
  expect(completeLimits(doubled)).toEqual(doubled)
})

test('what one session is told of its peer is its own, though another is told the same', () => {
  const told = () => session().i.greeting!
  ;(told().profiles as string[]).push('u:mine')
  expect(told().profiles).toEqual([E])
})

test('what one engine gives when it has nothing to say is no way into another', () => {
  const parts = new Engine('listener').transmit() as Uint8Array[]
  expect(() => parts.push(Buffer.from('garbage'))).toThrow(TypeError)
  expect(new Engine('listener').transmit()).toEqual([])
})
