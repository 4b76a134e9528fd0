// Our own stack passes every case as an initiator, SHOULDs included, in memory and over TCP, TLS with it. A file of its own, so that it runs beside own.test.ts.
import { describe, expect, test } from '@jest/globals'
import { failures, ownInitiator, ownInitiatorOnTcp, PLAIN } from './test-kit-own.js'
import { inFrames } from './test-kit-spoilt.js'

describe('our own stack, strict', () => {
  test('as an initiator', async () => {
    expect(await failures(ownInitiator())).toEqual([])
  }, 120_000)

  test('as an initiator that pipelines its requests', async () => {
    const asynchrony = PLAIN.filter(({ id }) => /^rfc3080\/2\.(1\.1|6|7)/.test(id))
    expect(await failures(ownInitiator(true), asynchrony)).toEqual([])
  }, 120_000)

  test('as an initiator whose messages on channel 0 come in frames', async () => {
    expect(await failures(inFrames(ownInitiator()), PLAIN)).toEqual([])
  }, 120_000)

  test('as an initiator on TCP', async () => {
    expect(await failures(await ownInitiatorOnTcp(), PLAIN)).toEqual([])
  }, 120_000)
})
