// Message numbers of ours go round at 2^31, past those that are still in use.
import { expect, test } from '@jest/globals'
import { DEFAULT_LIMITS, MAX_NUMBER } from '../limits.js'
import { Exchanges, noLoad } from './exchange.js'

test('R3080-2.2.1.1-06 after 2147483647 comes 0, and a number in use is passed over', () => {
  const exchanges = new Exchanges(noLoad(), DEFAULT_LIMITS, MAX_NUMBER - 1)
  exchanges.ask(0, undefined)
  exchanges.ask(2, undefined)
  expect(Array.from({ length: 5 }, () => exchanges.allot())).toEqual([MAX_NUMBER - 1, MAX_NUMBER, 1, 3, 4])
})
