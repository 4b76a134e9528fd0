// What is left when something ends early: counts that must come back to nothing, credit that was withheld, closes that waited.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from '@jest/globals'
import { HIGH_WATER } from '../limits.js'
import { ask, consume, E, I, I1, L, L1, octets, reply } from './test-kit.js'

describe('credit that is less than half a window', () => {
  test('R3081-3.1.4-03 is kept, and said when that is asked for: the peer has a whole window then', () => {
    const peer = L1()
    expect(peer.engine.keepsCredit).toBe(true) // that of channel 0
    peer.engine.sayCredit()
    expect(peer.heard()).toMatchObject([{ word: 'SEQ', channel: 0, window: 4096 }])
    consume(peer.engine, peer.say('MSG', 1, 0, '\r\n'.padEnd(2000, 'x')))
    reply(peer.engine, 'RPY', 0)
    expect(peer.heard().map(({ word }) => word)).toEqual(['RPY'])
    expect(peer.engine.windows(1)).toMatchObject({ receivable: 2096, unread: 0 })
    expect(peer.engine.keepsCredit).toBe(true)
    peer.engine.sayCredit()
    expect(peer.engine.keepsCredit).toBe(false)
    expect(peer.heard()).toMatchObject([{ word: 'SEQ', channel: 1, seqno: 2000, window: 4096 }])
    peer.engine.sayCredit()
    expect(peer.heard()).toEqual([])
  })

  test('is not said again when a SEQ has said it meanwhile, nor for a channel that is closed', () => {
    const peer = L1()
    peer.engine.sayCredit()
    peer.heard()
    consume(peer.engine, peer.say('MSG', 1, 0, '\r\n'.padEnd(1000, 'x'), true))
    consume(peer.engine, peer.say('MSG', 1, 0, 'x'.repeat(1048)))
    expect(peer.heard()).toMatchObject([{ word: 'SEQ', channel: 1, seqno: 2048, window: 4096 }])
    peer.engine.sayCredit()
    expect(peer.heard()).toEqual([])
    reply(peer.engine, 'RPY', 0)
    consume(peer.engine, peer.say('MSG', 1, 1, '\r\nx'))
    reply(peer.engine, 'RPY', 1)
    peer.manage('MSG', 2, "<close number='1' code='200' />")
    peer.engine.agree(1)
    peer.heard()
    peer.engine.sayCredit()
    expect(peer.heard().filter(({ channel }) => channel === 1)).toEqual([])
  })
})

/** A session with credit to say for a channel that has been closed. */
function closed(): { peer: ReturnType<typeof I1>; channel: WeakRef<object> } {
  const peer = I1()
  const { engine } = peer
  const channel = new WeakRef(ask(engine).channel)
  peer.heard()
  consume(engine, peer.say('RPY', 1, 0, '\r\nx'))
  engine.close(1)
  peer.heard()
  peer.manage('RPY', 2, '<ok />')
  return { peer, channel }
}

test('a channel that is closed is not kept for the credit that it had', async () => {
  const { peer, channel } = closed()
  expect(peer.engine.keepsCredit).toBe(true) // that of channel 0
  setFlagsFromString('--expose-gc')
  // A WeakRef is strong until the end of the turn that made it.
  await new Promise(setImmediate)
  runInNewContext('gc')()
  expect(channel.deref()).toBeUndefined()
})

test('R3080-2.6.3-04 the rest of a MSG that is refused early no longer counts', () => {
  const peer = I1()
  const { engine } = peer
  const message = engine.send(1, 'MSG')
  engine.write(message, new Uint8Array(100_000))
  peer.heard()
  peer.say('ERR', 1, 0, '\r\n')
  peer.heard()
  expect(message.sent).toBe(true)
  expect(message.channel.waiting).toBe(0)
  expect(engine.backlog(ask(engine))).toBe(false)
  expect(100_000).toBeGreaterThan(HIGH_WATER)
})

test('replies that wait when their channel is closed no longer count', () => {
  const peer = I1()
  const { engine } = peer
  engine.close(1)
  peer.heard()
  peer.say('MSG', 1, 0, '\r\n')
  engine.send(1, 'RPY', 0, 0, [octets(`\r\n${'x'.repeat(50_000)}`)])
  peer.heard()
  expect(engine.replies).toBeGreaterThan(0)
  peer.manage('RPY', 2, '<ok />')
  expect(engine.replies).toBe(0)
})

test('a release waits for the answer to a start', () => {
  const peer = I()
  peer.engine.start([{ uri: E }])
  peer.engine.close(0)
  expect(peer.heard().map(({ payload }) => /<(start|close)/.exec(payload)?.[1])).toEqual(['start'])
  peer.manage('ERR', 1, "<error code='550' />")
  expect(peer.heard().map(({ payload }) => /<(start|close)/.exec(payload)?.[1])).toEqual(['close'])
})

test('windows that were withheld from many questions are whole again when all are answered', () => {
  const peer = L()
  let asked = 0
  for (let round = 0; round < 40 && asked < 300; round++) {
    while (asked < 300 && peer.engine.windows(0).receivable > 200) {
      asked++
      peer.manage('MSG', asked, `<start number='${2 * asked - 1}'><profile uri='u:x' /></start>`)
    }
    peer.heard()
  }
  expect(peer.engine.windows(0).unread).toBeGreaterThan(0)
  for (let number = 1; number <= asked; number++) peer.engine.decline(2 * number - 1, 550)
  peer.raw('SEQ 0 0 2147483647\r\n')
  peer.heard()
  expect(peer.engine.windows(0).unread).toBe(0)
})

test('our close that waited behind one of the peer is said when that is refused', () => {
  const peer = L1()
  peer.manage('MSG', 2, "<close number='1' code='200' />")
  peer.engine.close(1)
  peer.heard()
  peer.engine.refuse(1, 550)
  const said = peer.heard().map(({ word, payload }) => `${word} ${/<(error|close)/.exec(payload)?.[1]}`)
  expect(said).toEqual(['ERR error', 'MSG close'])
})

test('R3080-2.3.1.3-06 a channel whose positive reply has not left does not exist for the peer', () => {
  const peer = L()
  peer.manage('MSG', 1, `<start number='1'><profile uri='${E}' /></start>`)
  peer.engine.accept(1, E)
  expect(peer.manage('MSG', 2, "<close number='1' code='200' />")).toEqual([])
  const said = peer.heard().map(({ word, payload }) => `${word} ${/code='(\d+)'/.exec(payload)?.[1]}`)
  expect(said).toEqual(['RPY undefined', 'ERR 553'])
})

test('A09 a SEQ for one of many channels that were closed a moment ago is ignored', () => {
  const peer = L()
  peer.raw('SEQ 0 0 2147483647\r\n')
  for (let n = 0; n < 600; n++) {
    const number = 2 * n + 1
    peer.manage('MSG', 2 * n + 1, `<start number='${number}'><profile uri='${E}' /></start>`)
    peer.engine.accept(number, E)
    peer.heard()
    peer.manage('MSG', 2 * n + 2, `<close number='${number}' code='200' />`)
    peer.engine.agree(number)
    peer.heard()
  }
  expect(peer.raw('SEQ 1 0 8192\r\n')).toEqual([{ type: 'closed', channel: 1199, by: 'peer' }])
  expect(peer.engine.state).toBe('open')
})

test('R3080-2.4-08 a crossing release whose answer would wait behind a start that nobody decides ends with the answer to ours', () => {
  const peer = I()
  peer.manage('MSG', 1, `<start number='2'><profile uri='${E}' /></start>`)
  peer.engine.close(0)
  expect(peer.heard().map(({ payload }) => /<(start|close)/.exec(payload)?.[1])).toEqual(['close'])
  peer.manage('MSG', 2, "<close number='0' code='200' />")
  expect(peer.manage('RPY', 1, '<ok />')).toMatchObject([{ type: 'closed', channel: 0 }])
  expect(peer.engine.state).toBe('released')
})
