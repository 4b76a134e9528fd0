// The life of a channel: every pair of state and event is in the table, or throws.
import { describe, expect, test } from '@jest/globals'
import { CHANNEL, type ChannelEvent, type ChannelState, nextState } from './states.js'

const states = Object.keys(CHANNEL) as ChannelState[]
const events = [...new Set(states.flatMap((state) => Object.keys(CHANNEL[state])))] as ChannelEvent[]
const pairs = states.flatMap((state) => events.map((event) => [state, event] as const))

describe('the table of channel states', () => {
  test.each(pairs)('%s and %s', (state, event) => {
    const next = (CHANNEL[state] as Partial<Record<ChannelEvent, ChannelState>>)[event]
    if (next === undefined) expect(() => nextState(state, event)).toThrow(TypeError)
    else {
      expect(states).toContain(next)
      expect(nextState(state, event)).toBe(next)
    }
  })

  test('every state is reached from open, and closed from every state', () => {
    const reached = (from: ChannelState): Set<ChannelState> => {
      const seen = new Set([from])
      for (const state of seen) for (const next of Object.values(CHANNEL[state])) seen.add(next)
      return seen
    }
    expect([...reached('open')].sort()).toEqual([...states].sort())
    for (const state of states) expect(reached(state)).toContain('closed')
  })

  test('nothing happens to what is closed', () => {
    expect(CHANNEL.closed).toEqual({})
  })
})
