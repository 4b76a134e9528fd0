// The ends of a stream in memory behave as those of a socket do.
import { once } from 'node:events'
import { expect, test } from '@jest/globals'
import { duplexPair } from './testing.js'

test('what is written arrives in order, and never inside of the call that writes it', async () => {
  const [one, other] = duplexPair()
  let heard = ''
  other.on('data', (octets: Uint8Array) => {
    heard += octets.toString()
  })
  one.write('first ')
  await once(other, 'data')
  one.write('second ')
  one.write('third')
  expect(heard).toBe('first ')
  one.end()
  await once(other, 'end')
  expect(heard).toBe('first second third')
})
