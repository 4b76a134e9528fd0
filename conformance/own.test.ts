// Our own stack passes every case as a listener, SHOULDs included, in memory and over TCP, TLS with it. As an initiator: own-initiator.test.ts.
import { describe, expect, test } from '@jest/globals'
import { failures, ownListener, ownListenerOnTcp, PLAIN } from './test-kit-own.js'
import { inFrames } from './test-kit-spoilt.js'

describe('our own stack, strict', () => {
  test('as a listener', async () => {
    expect(await failures(ownListener())).toEqual([])
  }, 120_000)

  test('as a listener on TCP', async () => {
    expect(await failures(await ownListenerOnTcp(), PLAIN)).toEqual([])
  }, 120_000)

  test('as a listener whose messages on channel 0 come in frames', async () => {
    expect(await failures(inFrames(ownListener()), PLAIN)).toEqual([])
  }, 120_000)
})
