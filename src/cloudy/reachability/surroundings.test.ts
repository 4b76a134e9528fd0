// Our own addresses as they are watched, also while the system cannot tell them.
import type { NetworkInterfaceInfo } from 'node:os'
import { expect, test } from '@jest/globals'
import { deferred } from '../../beep/promises.js'
import { watchAddresses } from './surroundings.js'

test('addresses that cannot be told count as unchanged, and that is told once until they can', async () => {
  const told: string[] = []
  const at = (address: string) => () => ({ eth0: [{ address, family: 'IPv4', internal: false } as NetworkInterfaceInfo] })
  const fail = (): never => {
    throw new Error('uv_interface_addresses returned EMFILE')
  }
  const answers = [fail, fail, at('192.0.2.1'), fail, fail, at('192.0.2.1'), at('192.0.2.2'), fail]
  const over = deferred<void>()
  const end = watchAddresses({
    interval: 1,
    onChange: () => told.push('changed'),
    onError: (error) => told.push((error as Error).message.slice(-6)),
    interfaces() {
      const next = answers.shift()
      if (next === undefined) over.resolve()
      return (next ?? fail)()
    },
  })
  await over.promise
  end()
  expect(told).toEqual(['EMFILE', 'EMFILE', 'changed', 'EMFILE'])
})
