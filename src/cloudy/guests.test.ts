// Who keeps a place and who gives way, with sessions that only count frames. That a peer asks for places is in peer.test.ts.
import { describe, expect, test } from '@jest/globals'
import type { Session } from '../beep/index.js'
import { MAX_SESSIONS } from '../beep/limits.js'
import { deferred } from '../beep/promises.js'
import { Guests } from './guests.js'
import { type Places, RIGHTS, type Rights, type Trust } from './trust.js'
import { MAX_UNTUNED } from './untuned.js'

const places = (trust: Trust): Places => (RIGHTS[trust] as Rights).sessions!
const counts = { framesSent: 1, framesReceived: 1, messagesSent: 0, messagesReceived: 0, octetsSent: 0, octetsReceived: 0 }

/** Guests who are what their keys begin with, unless it is said otherwise, and a clock. */
function house() {
  const clock = { now: 0 }
  const trust = new Map<string, Trust>()
  const guests = new Guests({
    now: () => clock.now,
    trustOf: (key) => trust.get(key) ?? (key.split(' ')[0] as Trust),
  })
  const begin = (key: string) => {
    const closed = deferred<Awaited<Session['closed']>>()
    const session = {
      traffic: { ...counts },
      over: '',
      closed: closed.promise,
      terminate(error?: Error) {
        session.over = error?.message ?? 'by itself'
        closed.resolve({ kind: 'terminated', by: 'us' })
      },
    }
    return Object.assign(session, { stays: guests.admit(key, session) })
  }
  return { clock, trust, guests, begin }
}

const silent = /silent for longest/

test('a key has few places: the session that has been silent for longest gives way to a new one', () => {
  const here = house()
  const sessions = Array.from({ length: places('stranger').ofKey }, () => here.begin('stranger 1'))
  const other = here.begin('stranger 2')
  sessions[0]!.traffic.framesReceived++
  sessions[1]!.traffic.framesSent++
  sessions.push(here.begin('stranger 1'))
  expect(sessions.map(({ over }) => over !== '')).toEqual([false, false, true, false, false])
  expect(sessions[2]!.over).toMatch(silent)
  sessions.push(here.begin('stranger 1'))
  expect(sessions.map(({ over }) => over !== '')).toEqual([false, false, true, true, false, false])
  expect([other.over, ...sessions.map(({ stays }) => stays)]).toEqual(['', ...sessions.map(() => true)])
})

test.each(['stranger', 'remembered', 'introduced', 'vouched'] as const)(
  'however many are %s, they have their places and take none of others',
  (trust) => {
    const here = house()
    const others = (['stranger', 'remembered', 'introduced', 'vouched'] as const)
      .filter((each) => each !== trust)
      .map((each) => here.begin(`${each} 1`))
    const { together } = places(trust)
    const sessions = Array.from({ length: together + 10 }, (_, count) => here.begin(`${trust} ${count}`))
    expect(sessions.findIndex(({ over }) => over === '')).toBe(10)
    expect(sessions.filter(({ over }) => over === '')).toHaveLength(together)
    expect(others.map(({ over }) => over)).toEqual(['', '', ''])
  },
)

test('who is trusted otherwise meanwhile takes a place from then on: those that have been silent for longest give way', async () => {
  const here = house()
  const { ofKey } = places('stranger')
  const { together } = places('remembered')
  const all = []
  for (let key = 0; key * (ofKey - 1) <= together; key++) {
    const [first, ...others] = Array.from({ length: ofKey }, () => here.begin(`stranger ${key}`))
    first!.terminate()
    await first!.closed
    here.trust.set(`stranger ${key}`, 'remembered')
    all.push(...others)
  }
  const friend = here.begin('vouched 1')
  here.guests.look()
  const left = all.filter(({ over }) => over === '')
  expect(left).toEqual(all.slice(-together))
  expect([all.length > together, friend.over]).toEqual([true, ''])
})

test('a session that ends leaves its place', async () => {
  const here = house()
  const sessions = Array.from({ length: places('vouched').ofKey }, () => here.begin('vouched 1'))
  sessions[3]!.terminate()
  await sessions[3]!.closed
  here.begin('vouched 1')
  expect(sessions.map(({ over }) => over).filter(Boolean)).toEqual(['by itself'])
})

describe('silence', () => {
  const { silence = 0 } = places('stranger')

  test('ends the session of a stranger, counted from the last frame', () => {
    const here = house()
    const session = here.begin('stranger 1')
    here.clock.now = silence * 1000 - 1
    session.traffic.framesReceived++
    here.guests.look()
    here.clock.now = 2 * silence * 1000 - 2
    here.guests.look()
    expect(session.over).toBe('')
    here.clock.now += 1
    here.guests.look()
    expect(session.over).toBe(`Nothing was said for ${silence} s`)
  })

  test('ends no session of somebody who was met before', () => {
    const here = house()
    const session = here.begin('remembered 1')
    here.clock.now = 100 * silence * 1000
    here.guests.look()
    expect(session.over).toBe('')
  })
})

test('whoever is blocked has no place, and loses it when that is decided later', () => {
  const here = house()
  expect(here.begin('blocked 1')).toMatchObject({ stays: false, over: 'There is no place for them here' })
  const session = here.begin('vouched 1')
  const busy = here.begin('vouched 2')
  here.trust.set('vouched 1', 'blocked')
  here.trust.set('vouched 2', 'blocked')
  busy.traffic.framesReceived++
  here.guests.look()
  expect([session.over, busy.over]).toEqual(Array(2).fill('There is no place for them here any more'))
})

test('all places together leave most of a listener to those who have not greeted yet', () => {
  const all = Object.values(RIGHTS).reduce<number>((sum, rights: Rights) => sum + (rights.sessions?.together ?? 0), MAX_UNTUNED)
  expect(all).toBeLessThan(MAX_SESSIONS / 2)
})
