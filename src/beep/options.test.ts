// Options that are nonsense are refused where they come in, with their name; what the documents allow is taken.
import { PassThrough } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { tls } from '../profiles/tls.js'
import { Engine } from './engine/engine.js'
import { attach, connect, listen, type SessionOptions } from './index.js'
import { sessionPair } from './testing.js'

const TIMES = ['greetingTimeout', 'startTimeout', 'closeTimeout', 'idleTimeout', 'releaseTimeout', 'settleTimeout']
const COUNTS = [
  'maxSessionWindow',
  'maxChannels',
  'maxUnanswered',
  'maxAnswers',
  'maxEmptyFrames',
  'maxEntityHeaders',
  'maxManagement',
]

const nonsense: [string, unknown, RegExp][] = [
  ...[...TIMES, 'maxMessage'].flatMap((name) =>
    [Number.NaN, -1, '5', null].map((value): [string, unknown, RegExp] => [
      name,
      value,
      new RegExp(`option ${name} is a number`),
    ]),
  ),
  ...[...COUNTS, 'maxWindow', 'frameSize'].flatMap((name) =>
    [Number.NaN, -1, 0.5, '5'].map((value): [string, unknown, RegExp] => [name, value, new RegExp(`limit ${name} is a whole`)]),
  ),
  ['maxWindow', 4095, /from 4096 to 2147483647; got 4095/],
  ['maxWindow', Number.POSITIVE_INFINITY, /from 4096 to 2147483647; got Infinity/],
  ['localize', ['two words'], /one token/],
  ['localize', [''], /one token/],
  ['features', ['x y'], /one token/],
  ['profiles', {}, /an array of profiles/],
  ['profiles', [{}], /has a uri/],
  ['profiles', [undefined], /has a uri/],
  ['profiles', [{ uri: '' }], /has a uri/],
  ['profiles', [{ uri: 'u:x', message: 'hi' }], /message of the profile u:x is a function/],
]

describe('options that are nonsense', () => {
  test.each(nonsense)('%s: %p', async (name, value, message) => {
    const options = { profiles: [], [name]: value } as SessionOptions & { profiles: [] }
    await expect(listen({ host: '127.0.0.1', ...options })).rejects.toThrow(message)
    await expect(connect({ host: '127.0.0.1', port: 1, ...options })).rejects.toThrow(message)
    const transport = new PassThrough()
    await expect(attach(transport, 'initiator', options)).rejects.toThrow(message)
    expect(transport.destroyed).toBe(true)
  })

  test.each([70_000, -1, 1.5, Number.NaN, '10288'])('the port %p', async (port) => {
    const message = /option port is a whole number from [01] to 65535; got /
    await expect(listen({ host: '127.0.0.1', profiles: [], port: port as number })).rejects.toThrow(message)
    await expect(connect({ host: '127.0.0.1', port: port as number })).rejects.toThrow(message)
    await expect(connect({ host: '127.0.0.1', port: 0 })).rejects.toThrow('from 1 to 65535; got 0')
  })

  test('maxSessions and a TLS listener without a key', async () => {
    await expect(listen({ host: '127.0.0.1', profiles: [], maxSessions: -1 })).rejects.toThrow('maxSessions is a number from 0')
    expect(() => tls({})).toThrow('A listener in TLS needs a key and a certificate')
  })

  test('an engine refuses them, too', () => {
    expect(() => new Engine('listener', { maxWindow: 1 })).toThrow('from 4096')
  })
})

test('what is lawful at its edges is taken', async () => {
  const most = Object.fromEntries([...TIMES, ...COUNTS, 'maxMessage'].map((name) => [name, Number.POSITIVE_INFINITY]))
  const least = { ...Object.fromEntries([...TIMES, 'maxMessage'].map((name) => [name, 0])), maxSessionWindow: 0, frameSize: 1 }
  const profiles = [{ uri: 'u:x', message: () => 'y', start: undefined as never }]
  const { initiator } = await sessionPair(
    { ...least, releaseTimeout: 5000 },
    { ...most, profiles, maxWindow: 4096, localize: ['en-GB'] },
  )
  const channel = await initiator.start('u:x')
  expect((await channel.request('x')).headers.size).toBe(0)
  initiator.terminate()
})
