// Kinds of addresses, and which are on our links.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Interfaces, isOnLink, isOwn, kindOf } from './address.js'

describe('kinds of addresses', () => {
  test.each([
    ['8.8.8.8', 'public'],
    ['44.128.0.1', 'public'],
    ['2a00:1450::1', 'public'],
    ['0.0.0.0', 'unspecified'],
    ['::', 'unspecified'],
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.168.1.1', 'private'],
    ['fd77::1', 'private'],
    ['100.64.0.1', 'shared'],
    ['100.128.0.1', 'public'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['224.0.0.251', 'multicast'],
    ['ff02::fb', 'multicast'],
    ['203.0.113.1', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['2001:db8::1', 'reserved'],
    ['4000::1', 'reserved'],
    ['::ffff:192.168.1.1', 'private'],
    ['::ffff:c0a8:101', 'private'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['64:ff9b::8.8.8.8', 'public'],
    ['64:ff9b::192.168.1.1', 'private'],
    ['64:FF9B:0::7f00:1', 'loopback'],
    ['64:ff9b::', 'unspecified'],
    ['2002:808:808::1', 'public'],
    ['2002:c0a8:101::', 'private'],
    ['2002:7f00:1:2:3:4:5:6', 'loopback'],
    ['fe80::1%eth0', 'none'],
    ['host.example', 'none'],
    ['', 'none'],
  ])('%s is %s', (address, kind) => {
    expect(kindOf(address)).toBe(kind)
  })

  test('every address has one, and every text', () => {
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => expect(kindOf(address)).not.toBe('none')))
    fc.assert(fc.property(fc.string(), (text) => expect(typeof kindOf(text)).toBe('string')))
  })
})

describe('links', () => {
  const info = (address: string, cidr: string, internal = false) =>
    ({ address, cidr, internal, family: address.includes(':') ? 'IPv6' : 'IPv4', netmask: '', mac: '', scopeid: 0 }) as never
  const interfaces: Interfaces = {
    lo: [info('127.0.0.1', '127.0.0.1/8', true)],
    eth0: [info('192.168.7.2', '192.168.7.2/24'), info('fd77::2', 'fd77::2/64'), info('fe80::2', 'fe80::2/64')],
    tun0: [info('10.9.0.1', '10.9.0.1/32')],
  }

  test('an address of a network of ours is on the link; others are not, nor the loopback', () => {
    for (const address of ['192.168.7.77', 'fd77::99', 'fe80::77']) expect(isOnLink(address, interfaces)).toBe(true)
    for (const address of ['192.168.8.1', '127.0.0.1', '8.8.8.8', 'fd78::1', '10.9.0.2', 'fe80::7%eth0', 'x', ''])
      expect(isOnLink(address, interfaces)).toBe(false)
  })

  test('our own are those of our interfaces, however they are written; the loopback is another matter', () => {
    for (const address of ['192.168.7.2', '::ffff:192.168.7.2', 'fd77:0:0::2', 'FE80::2%eth0', 'fe80::2', '10.9.0.1'])
      expect([address, isOwn(address, interfaces)]).toEqual([address, true])
    for (const address of ['192.168.7.3', '127.0.0.1', 'fe80::77', '::1', 'x', '']) expect(isOwn(address, interfaces)).toBe(false)
  })
})
