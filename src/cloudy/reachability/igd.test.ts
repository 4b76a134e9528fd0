// Answers to UPnP searches and actions: from whom, about whom, and what is taken from them. Whatever they are, a verdict follows.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anyText } from '../../../test/any-text.js'
import { errorCodeIn, isGatewaysAnswer, MAX_VALUE, valuesOf } from './igd.js'

const GATEWAY = '192.168.1.1'
const answer = (location: string) =>
  `HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n${location}\r\nEXT:\r\n\r\n`

describe('an answer to a search', () => {
  test('of the gateway about itself is believed', () => {
    for (const location of [
      'LOCATION: http://192.168.1.1:5000/rootDesc.xml',
      'Location:http://192.168.1.1/',
      'location : http://192.168.1.1:80/x?y',
    ])
      expect(isGatewaysAnswer(answer(location), GATEWAY, GATEWAY)).toBe(true)
  })

  test.each([
    ['another host', 'LOCATION: http://192.168.1.66:5000/'],
    ['a name', 'LOCATION: http://router.example/'],
    ['a name that looks like it', 'LOCATION: http://192.168.1.1.example/'],
    ['HTTPS', 'LOCATION: https://192.168.1.1/'],
    ['a file', 'LOCATION: file://192.168.1.1/etc/passwd'],
    ['somebody else behind a name of a user', 'LOCATION: http://192.168.1.1@192.168.1.66/'],
    ['a user at the gateway', 'LOCATION: http://me:secret@192.168.1.1/'],
    ['two places', 'LOCATION: http://192.168.1.1/\r\nLOCATION: http://192.168.1.66/'],
    ['no place', 'EXT:'],
    ['nonsense', 'LOCATION: http://['],
  ])('that points to %s is not', (_what, location) => {
    expect(isGatewaysAnswer(answer(location), GATEWAY, GATEWAY)).toBe(false)
  })

  test('of anybody else is not, whatever it says', () => {
    const datagram = fc.oneof(fc.string(), fc.constant(answer('LOCATION: http://192.168.1.1/')))
    fc.assert(
      fc.property(datagram, fc.ipV4(), (text, from) => {
        fc.pre(from !== GATEWAY)
        expect(isGatewaysAnswer(text, from, GATEWAY)).toBe(false)
      }),
    )
  })

  test('of any octets ends in a verdict, and what is believed points to the gateway', () => {
    const line = fc
      .tuple(fc.constantFrom('LOCATION:', 'location :', 'ST:', '\r\n', 'http://', GATEWAY), fc.string())
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(
        fc.oneof(
          anyText(),
          fc.array(line).map((lines) => lines.join('\r\n')),
        ),
        (text) => {
          if (isGatewaysAnswer(text, GATEWAY, GATEWAY)) expect(text).toContain(GATEWAY)
        },
      ),
    )
  })
})

test('values are the texts of the answer to that action, cut and counted; anything else gives none', () => {
  const body = { 'u:GetExternalIPAddressResponse': { '@': { 'xmlns:u': 'x' }, NewExternalIPAddress: '44.128.0.1', More: ['a'] } }
  expect(valuesOf(body, 'GetExternalIPAddress')).toEqual({ NewExternalIPAddress: '44.128.0.1' })
  expect(valuesOf(body, 'AddPortMapping')).toEqual({})
  expect(valuesOf({ GetExternalIPAddressResponse: { a: 'x'.repeat(5000) } }, 'GetExternalIPAddress').a).toHaveLength(MAX_VALUE)
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`name${n}`, 'x']))
  expect(Object.keys(valuesOf({ 'u:XResponse': many }, 'X')).length).toBeLessThan(20)
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.record({ XResponse: fc.anything() })), (any) => {
      for (const value of Object.values(valuesOf(any, 'X'))) expect(typeof value).toBe('string')
    }),
  )
})

test('an error code is a number of up to four digits', () => {
  expect(errorCodeIn('<errorCode>718</errorCode>')).toBe(718)
  expect(errorCodeIn('<s:Fault>\n<errorCode> 725 </errorCode></s:Fault>')).toBe(725)
  for (const text of ['', '<errorCode></errorCode>', '<errorCode>-1</errorCode>', '<errorCode>99999</errorCode>', '718'])
    expect(errorCodeIn(text)).toBeUndefined()
  fc.assert(
    fc.property(fc.string(), (text) => expect([undefined, 'number']).toContain(errorCodeIn(text) && typeof errorCodeIn(text))),
  )
})
