// Two peers that dial each other at once: whatever the order in which either sees the two sessions begin, both keep the same one.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { CloseReason, Session } from '../beep/index.js'
import { deferred } from '../beep/promises.js'
import { Encounters, type Initiator } from './encounters.js'

function fakeSession(name: string) {
  const closed = deferred<CloseReason<Session>>()
  const session = {
    name,
    closed: closed.promise,
    released: 0,
    async release() {
      session.released += 1
      closed.resolve({ kind: 'released', by: 'us' })
    },
  }
  return session
}
type Fake = ReturnType<typeof fakeSession>

/** One end of two sessions that crossed, which sees them begin in this order. */
function end(self: string, other: string, order: readonly Initiator[], pause = 0) {
  let time = 0
  const encounters = new Encounters<Fake>({ self, now: () => time })
  const sessions = { us: fakeSession('us'), them: fakeSession('them') }
  const moves: string[] = []
  const chosen = order.map((initiator) => {
    time += pause
    return encounters.begin(other, sessions[initiator], initiator, (to) => moves.push(`${initiator} -> ${to.name}`)).name
  })
  return { stays: chosen.at(-1), chosen, moves, released: [sessions.us.released, sessions.them.released], encounters, sessions }
}

describe('sessions that cross', () => {
  test('both ends keep the one of the smaller fingerprint, and its initiator alone releases the other', () => {
    const order = fc.constantFrom<readonly Initiator[]>(['us', 'them'], ['them', 'us'])
    fc.assert(
      fc.property(order, order, (atAda, atBob) => {
        const ada = end('aaaa', 'bbbb', atAda)
        const bob = end('bbbb', 'aaaa', atBob)
        expect([ada.stays, bob.stays]).toEqual(['us', 'them'])
        expect([ada.released, bob.released]).toEqual([
          [0, 0],
          [1, 0],
        ])
      }),
    )
  })

  test('whoever was told of the one that goes hears of the one that stays', () => {
    expect(end('bbbb', 'aaaa', ['us', 'them'])).toMatchObject({ chosen: ['us', 'them'], moves: ['us -> them'] })
    expect(end('bbbb', 'aaaa', ['them', 'us'])).toMatchObject({ chosen: ['them', 'them'], moves: ['us -> them'] })
  })

  test('are two when one had been there for a while', () => {
    expect(end('bbbb', 'aaaa', ['us', 'them'], 5000)).toMatchObject({ released: [0, 0], moves: [] })
  })

  test('an old one that has ended does not count', async () => {
    const { encounters, sessions } = end('bbbb', 'aaaa', ['them'])
    await sessions.them.release()
    await new Promise((resolve) => setImmediate(resolve))
    const session = fakeSession('again')
    expect(encounters.begin('aaaa', session, 'us')).toBe(session)
    expect(session.released).toBe(0)
  })

  test('two of one initiator are two', () => {
    const { encounters } = end('bbbb', 'aaaa', ['us'])
    const session = fakeSession('again')
    expect(encounters.begin('aaaa', session, 'us')).toBe(session)
  })

  describe('where the other end knows two addresses of ours, and gives back what it reached by one', () => {
    /** Ours goes; of theirs there are two, begun in this order around ours. */
    function race(order: readonly ('first' | 'second' | 'us')[]) {
      const encounters = new Encounters<Fake>({ self: 'bbbb', now: () => 0 })
      const sessions = { first: fakeSession('first'), second: fakeSession('second'), us: fakeSession('us') }
      let friend = ''
      for (const each of order) {
        const stays = encounters.begin('aaaa', sessions[each], each === 'us' ? 'us' : 'them', (to) => {
          friend = to.name
        })
        if (each === 'us') friend = stays.name
      }
      const given = async (loser: 'first' | 'second') => {
        await sessions[loser].release()
        await new Promise((resolve) => setImmediate(resolve))
      }
      return { friend: () => friend, given }
    }

    test('our friend is in the one that stays, whichever that is and whenever it began', async () => {
      const orders = fc.shuffledSubarray(['first', 'second', 'us'] as const, { minLength: 3 })
      await fc.assert(
        fc.asyncProperty(orders, fc.constantFrom('first', 'second'), async (order, loser) => {
          const { friend, given } = race(order)
          await given(loser)
          expect(friend()).toBe(loser === 'first' ? 'second' : 'first')
        }),
      )
    })

    test('our friend is in the newest meanwhile: they got no answer by the older in time, so its end may be long in coming', () => {
      expect(race(['first', 'second', 'us']).friend()).toBe('second')
      expect(race(['first', 'us', 'second']).friend()).toBe('second')
    })
  })

  test('whose end has come do not lead to a session that began later', async () => {
    let time = 0
    const encounters = new Encounters<Fake>({ self: 'bbbb', now: () => time })
    const [theirs, later] = [fakeSession('theirs'), fakeSession('later')]
    const moves: string[] = []
    encounters.begin('aaaa', theirs, 'them')
    encounters.begin('aaaa', fakeSession('us'), 'us', (to) => moves.push(to.name))
    time = 5000
    encounters.begin('aaaa', later, 'them')
    await theirs.release()
    await new Promise((resolve) => setImmediate(resolve))
    expect(moves).toEqual(['theirs'])
  })
})
