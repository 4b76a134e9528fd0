// Message numbers of ours are given in turn and go round at 2^31.
import { expect, test } from '@jest/globals'
import { DEFAULT_LIMITS, MAX_NUMBER } from '../limits.js'
import { Exchanges, noLoad } from './exchange.js'

test('R3080-2.2.1.1-06 after 2147483647 comes 0, and of 300 that nobody has replied to each has a number of its own', () => {
  const exchanges = new Exchanges(noLoad(), DEFAULT_LIMITS, MAX_NUMBER - 1)
  const numbers = Array.from({ length: 300 }, () => {
    const msgno = exchanges.allot()
    exchanges.ask(msgno, undefined)
    return msgno
  })
  expect(numbers.slice(0, 4)).toEqual([MAX_NUMBER - 1, MAX_NUMBER, 0, 1])
  expect(new Set(numbers).size).toBe(300)
})
