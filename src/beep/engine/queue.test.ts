// The queue against an array that does the same, whatever is done in whatever order.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Queue } from './queue.js'

interface Item {
  readonly number: number
}

/** What is done: so many are put in, so many are taken out, or the one at a place is removed. */
const step = fc.oneof(
  fc.record({ push: fc.integer({ min: 1, max: 80 }) }),
  fc.record({ shift: fc.integer({ min: 1, max: 80 }) }),
  fc.record({ remove: fc.nat(100) }),
  fc.constant({ clear: true }),
)

function same(queue: Queue<Item>, model: readonly Item[]): void {
  expect(queue.length).toBe(model.length)
  expect(queue.first).toBe(model[0])
  expect(queue.last).toBe(model.at(-1))
  for (const at of [1, model.length - 1, model.length]) expect(queue.at(at)).toBe(model[at])
  const late = ({ number }: Item) => number >= (model[0]?.number ?? 0) + 2
  expect(queue.find(late)).toBe(model.find(late))
  const item = model[3] ?? { number: -1 }
  expect(queue.indexOf(item)).toBe(model.indexOf(item))
}

test('first in, first out, and out of the midst', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const queue = new Queue<Item>()
      const model: Item[] = []
      let number = 0
      for (const each of steps) {
        if ('push' in each)
          for (let count = 0; count < each.push; count++) {
            model.push({ number })
            queue.push(model.at(-1)!)
            number++
          }
        else if ('shift' in each) for (let count = 0; count < each.shift; count++) expect(queue.shift()).toBe(model.shift())
        else if ('remove' in each) {
          const item = model[each.remove] ?? { number: -1 }
          expect(queue.remove(item)).toBe(model.includes(item))
          if (model.includes(item)) model.splice(each.remove, 1)
          expect(queue.remove(item)).toBe(false)
        } else expect(queue.clear()).toEqual(model.splice(0))
        same(queue, model)
      }
    }),
  )
})

test('what has been taken is not kept alive by what has not, but for a few', async () => {
  const queue = new Queue<Item>()
  const gone: WeakRef<Item>[] = []
  queue.push({ number: -1 })
  for (let number = 0; number < 1000; number++) {
    const item = { number }
    gone.push(new WeakRef(item))
    queue.push(item)
    queue.shift()
  }
  // A WeakRef holds what it was made for until the turn ends.
  await new Promise(setImmediate)
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  expect(gone.filter((each) => each.deref() !== undefined).length).toBeLessThan(70)
})
