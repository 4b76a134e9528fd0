// Which gateway is the default one, by Linux's table of routes.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { findGateway, gatewayIn } from './gateway.js'

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
const route = (interfaceName: string, destination: string, gateway: string, flags: string, metric: number, mask: string) =>
  `${interfaceName}\t${destination}\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0                                            \n`
const eth0 = route('eth0', '00000000', '014DA8C0', '0003', 100, '00000000')

test('is that of the default route with the smallest metric', () => {
  const wlan0 = route('wlan0', '00000000', 'FE00000A', '0003', 600, '00000000')
  expect(gatewayIn(HEAD + eth0)).toBe('192.168.77.1')
  expect(gatewayIn(HEAD + wlan0 + eth0)).toBe('192.168.77.1')
  expect(gatewayIn(HEAD + wlan0)).toBe('10.0.0.254')
})

test('is none where routes have no gateway, are down, or lead to one network', () => {
  const tunnel = route('tun0', '00000000', '00000000', '0001', 0, '00000000')
  const down = route('eth1', '00000000', '0100000A', '0002', 0, '00000000')
  const half = route('tun0', '00000000', '0100000A', '0003', 0, '00000080')
  const link = route('eth0', '004DA8C0', '00000000', '0001', 0, '00FFFFFF')
  expect(gatewayIn(HEAD + tunnel + down + half + link)).toBeUndefined()
  expect(gatewayIn(HEAD + tunnel + down + half + link + eth0)).toBe('192.168.77.1')
  for (const table of ['', HEAD, 'nonsense\n\n\n', HEAD + eth0.replace('014DA8C0', '014DA8')])
    expect(gatewayIn(table)).toBeUndefined()
})

test('whatever the table is, there is an address or none', async () => {
  fc.assert(fc.property(fc.string(), (text) => expect(gatewayIn(HEAD + text)).toBeUndefined()))
  const found = await findGateway()
  expect(found === undefined || found.localAddress.split('.').length === 4).toBe(true)
})

test('is not known while descriptors have run out; whatever else goes wrong means that there is none', async () => {
  const failing = (code?: string) => findGateway(() => Promise.reject(Object.assign(new Error(code), { code })))
  for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']) await expect(failing(code)).rejects.toThrow(code)
  for (const code of ['ENOENT', undefined]) expect(await failing(code)).toBeUndefined()
  expect(await findGateway(async () => '127.0.0.1')).toEqual({ address: '127.0.0.1', localAddress: '127.0.0.1' })
})
