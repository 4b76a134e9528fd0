// Two engines under random commands, cut and delivered anyhow: every message in order and exactly once, windows kept, no deadlock.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { runs } from '../test-kit-runs.js'
import { compare, Side } from './test-kit-pair.js'

const SIZES = [0, 1, 5, 100, 1000, 4094, 5000, 12_000]
const BUDGETS = [1, 1000, 5000, 1_000_000]
const CHUNKS = [1, 7, 40, 300, 5000, 1_000_000]
const STYLES = ['RPY', 'ERR', 'ANS', 'ANS', 'NUL'] as const
const pick = <T>(list: readonly T[], index: number): T => list[index % list.length]!

/** What happens next: who, what, and two numbers that say which and how much. */
const COMMANDS = {
  start: (side: Side) => side.start(),
  decide: (side: Side, a: number, b: number) => side.decide(a, b % 4 > 0),
  ask: (side: Side, a: number, b: number) => side.ask(line(side, a), pick(SIZES, b), true),
  begin: (side: Side, a: number, b: number) => side.ask(line(side, a), pick(SIZES, b), false),
  reply: (side: Side, a: number, b: number) => side.reply(line(side, a), pick(STYLES, b), pick(SIZES, a >> 3), true),
  beginReply: (side: Side, a: number, b: number) => side.reply(line(side, a), pick(STYLES, b), pick(SIZES, a >> 3), false),
  write: (side: Side, a: number, b: number) => side.write(a, pick(SIZES, b)),
  end: (side: Side, a: number) => side.end(a),
  withdraw: (side: Side, a: number) => side.withdraw(line(side, a)),
  consume: (side: Side, a: number, b: number) => side.consume(line(side, a), (b % 5) / 4),
  close: (side: Side, a: number) => side.close(line(side, a)),
  decideClose: (side: Side, a: number, b: number) => side.decideClose(line(side, a), b % 3 > 0),
  transmit: (side: Side, _a: number, b: number) => side.transmit(pick(BUDGETS, b)),
  deliver: (side: Side, _a: number, b: number) => side.deliver(pick(CHUNKS, b)),
  pull: (side: Side, _a: number, b: number) => side.pull(1 + (b % 8)),
  pass: (side: Side, a: number, b: number) => {
    side.transmit(pick(BUDGETS, a))
    side.other.deliver(pick(CHUNKS, b))
    side.other.pull(10)
  },
} satisfies Record<string, (side: Side, a: number, b: number) => unknown>

function line(side: Side, index: number) {
  const open = side.open()
  return open.length === 0 ? undefined : pick(open, index)
}

type Command = keyof typeof COMMANDS
const often: Command[] = [
  'ask',
  'begin',
  'reply',
  'beginReply',
  'write',
  'end',
  'consume',
  'pass',
  'pass',
  'pass',
  'transmit',
  'deliver',
  'pull',
]
const seldom: Command[] = ['start', 'decide', 'withdraw', 'close', 'decideClose']
const command = fc.oneof(
  { arbitrary: fc.constantFrom(...often), weight: 6 },
  { arbitrary: fc.constantFrom(...seldom), weight: 1 },
)
const step = fc.tuple(command, fc.nat(1), fc.nat(100), fc.nat(100))
const limits = fc.record({
  frameSize: fc.constantFrom(0, 100, 1000),
  maxWindow: fc.constantFrom(4096, 10_000, 262_144),
  maxSessionWindow: fc.constantFrom(0, 10_000, 16_777_216),
})

function play(start: number, options: object, steps: readonly [Command, number, number, number][]): void {
  const sides = [new Side('initiator', options, start), new Side('listener', options, start)] as const
  sides[0].other = sides[1]
  sides[1].other = sides[0]
  const settle = () => {
    for (let quiet = 0, rounds = 0; quiet < 2; quiet = sides.map((side) => side.settle()).includes(true) ? 0 : quiet + 1) {
      if (++rounds > 1000) throw new Error('It never comes to rest')
    }
  }
  settle()
  // Two channels to begin with.
  for (const side of sides) side.start()
  settle()
  for (const [what, who, a, b] of steps) COMMANDS[what](sides[who]!, a, b)
  settle()
  for (const side of sides) {
    expect(side.engine).toMatchObject({ state: 'open', outstanding: 0, pending: false, unread: false })
    for (const each of side.lines.values()) {
      compare(each, side.other.lines.get(each.number))
      expect(each.closed).toBe(side.other.lines.get(each.number)?.closed)
      // What nobody closes may be used again: no refusal or crossing left it half closed.
      if (!each.closed) expect(side.engine.maySend(each.number)).toBe(true)
    }
  }
  sides[0].engine.close(0)
  settle()
  expect(sides.map(({ released, engine }) => [released, engine.state])).toEqual([
    [true, 'released'],
    [true, 'released'],
  ])
}

describe('two engines', () => {
  test('R3080-2.2.1.1-18 R3080-2.6.1-03 R3081-3.1.2-01 anything lawful, at any pace, comes through in order and once', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { minLength: 10, maxLength: 120, size: 'max' }), (options, steps) =>
        play(0, options, steps),
      ),
      runs(100),
    )
  })

  test('R3080-2.2.1.2-03 R3081-3.1-02 T06 T07 T21 the same where sequence numbers pass 2^32 or 2^31', () => {
    const near = fc
      .tuple(fc.constantFrom(2 ** 32, 2 ** 31), fc.oneof(fc.nat(20), fc.nat(20_000)))
      .map(([end, before]) => end - 1 - before)
    fc.assert(fc.property(near, limits, fc.array(step, { minLength: 10, maxLength: 120, size: 'max' }), play), runs(100))
  })
})
