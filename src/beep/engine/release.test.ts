// The end of sessions (RFC 3080 §2.4, RFC 3081 §2): release, releases that cross, and the end of the transport.
import { describe, expect, test } from '@jest/globals'
import { Engine } from './engine.js'
import { ask, asking, BX, drain, E, feed, heard, I, L1, type Peer, run } from './test-kit.js'

const said = (peer: Peer): string[] =>
  peer
    .heard()
    .map(
      ({ word, channel, msgno, payload }) => `${word} ${channel} ${msgno} ${channel === 0 ? payload.slice(BX.length) : payload}`,
    )
const types = (events: readonly { type: string }[]): string[] => events.map((event) => event.type)

describe('release', () => {
  test('R3080-2.4-03 R3080-2.3.1.3-05 R3081-2-04 close of channel 0, by default, and after ok nothing', () => {
    const peer = L1()
    ask(peer.engine)
    peer.heard()
    expect(peer.manage('MSG', 2, "<close code='200' />\r\n")).toMatchObject([{ type: 'close', channel: 0, code: 200 }])
    expect(peer.engine.state).toBe('releasing')
    peer.engine.agree(0)
    expect(said(peer)).toEqual([])
    peer.say('RPY', 1, 0, '\r\n')
    expect(said(peer)).toEqual(['RPY 0 2 <ok />'])
    expect(drain(peer.engine)).toEqual([{ type: 'closed', channel: 0, by: 'peer' }])
    expect(peer.engine.state).toBe('released')
  })

  test('R3080-2.4-07 R3080-2.4-06 nothing leaves after ok, nor is anything read', () => {
    const peer = L1()
    peer.manage('MSG', 2, "<close number='0' code='200' />")
    peer.engine.agree(0)
    peer.manage('MSG', 3, '<ok />')
    peer.raw('MSG 1 0 . 0 2\r\n\r\nEND\r\n')
    expect(heard(peer.engine)).toMatch(/^RPY 0 2 \. \d+ 44\r\n[\s\S]*<ok \/>END\r\n$/)
    expect(peer.engine.transmit()).toEqual([])
    expect(drain(peer.engine)).toMatchObject([{ type: 'closed', channel: 0 }])
    peer.engine.receiveEnd()
    expect(feed(peer.engine, 'garbage')).toEqual([])
  })

  test('R3080-2.4-04 R3080-2.4-05 R3080-2.4-09 it may be refused, and the session stays up', () => {
    const peer = L1()
    peer.manage('MSG', 2, "<close number='0' code='200' />")
    peer.engine.refuse(0, 550)
    expect(said(peer)).toEqual(["ERR 0 2 <error code='550' />"])
    peer.engine.close(0)
    expect(() => ask(peer.engine)).toThrow(TypeError)
    expect(() => peer.engine.start([{ uri: E }])).toThrow(TypeError)
    expect(said(peer)).toEqual(["MSG 0 1 <close number='0' code='200' />"])
    expect(peer.manage('ERR', 1, "<error code='550'>still working</error>\r\n")).toMatchObject([
      { type: 'closeRefused', channel: 0 },
    ])
    ask(peer.engine)
    expect(said(peer)).toEqual(['MSG 1 0 \r\n'])
    expect(peer.engine.state).toBe('open')
  })

  test('R3081-2-05 our release is agreed to', () => {
    const peer = I()
    peer.engine.close(0)
    expect(said(peer)).toEqual(["MSG 0 1 <close number='0' code='200' />"])
    expect(peer.raw(`RPY 0 1 . 110 46\r\n${BX}<ok />\r\nEND\r\n`)).toEqual([{ type: 'closed', channel: 0, by: 'us' }])
    expect(peer.engine).toMatchObject({ state: 'released', pending: false })
  })

  test('R3080-2.4-09 our release waits for our requests, also those of channel 0', () => {
    const peer = asking(1)
    peer.engine.start([{ uri: E }])
    peer.engine.close(0)
    expect(said(peer)).toEqual([expect.stringMatching(/^MSG 0 2 <start/)])
    peer.manage('ERR', 2, "<error code='550' />")
    expect(said(peer)).toEqual([])
    peer.say('RPY', 1, 0, '\r\n')
    expect(said(peer)).toEqual([expect.stringMatching(/^MSG 0 3 <close number='0'/)])
    peer.manage('MSG', 1, `<start number='2'><profile uri='${E}' /></start>`)
    expect(said(peer)).toEqual([expect.stringMatching(/^ERR 0 1 <error code='550'/)])
  })

  test('R3080-2.4-08 releases that cross are both answered, and the end of the transport is no surprise (A25)', () => {
    const [i, l] = [new Engine('initiator'), new Engine('listener')]
    for (const engine of [i, l]) engine.greet({})
    run(i, l)
    i.close(0)
    l.close(0)
    const { i: ofI, l: ofL } = run(i, l)
    expect([...types(ofI), ...types(ofL)]).toEqual(['crossed', 'closed', 'crossed', 'closed'])
    i.receiveEnd()
    l.receiveEnd()
    expect([i.state, l.state, i.nextEvent()]).toEqual(['released', 'released', undefined])
  })

  test('R3081-2-07 the end of the transport without a release is abnormal, and told once', () => {
    const peer = asking(1)
    peer.engine.receiveEnd()
    peer.engine.receiveEnd()
    expect(drain(peer.engine)).toEqual([{ type: 'terminated', by: 'peer', error: undefined }])
    expect(peer.engine.transmit()).toEqual([])
  })
})
