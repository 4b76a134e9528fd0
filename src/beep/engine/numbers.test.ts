// Message numbers of ours are given in turn and go round at 2^31.
import { expect, test } from '@jest/globals'
import { DEFAULT_LIMITS, MAX_NUMBER } from '../limits.js'
import { Exchanges, noLoad } from './exchange.js'

test('R3080-2.2.1.1-06 after 2147483647 comes 0, and no number comes again before all others have', () => {
  const exchanges = new Exchanges(noLoad(), DEFAULT_LIMITS, MAX_NUMBER - 1)
  expect(Array.from({ length: 5 }, () => exchanges.allot())).toEqual([MAX_NUMBER - 1, MAX_NUMBER, 0, 1, 2])
})
