// The end of channels (RFC 3080 §2.3.1.3, §2.3.1.4): closes that we ask for, that the peer asks for, and that cross.
import { describe, expect, test } from '@jest/globals'
import { ask, asking, BX, channelOf, drain, E, I1, L, L1, messages, octets, type Peer, reply } from './test-kit.js'

const CLOSE_1 = "<close number='1' code='200' />"
const OK = '<ok />\r\n'
const said = (peer: Peer): string[] =>
  peer
    .heard()
    .map(
      ({ word, channel, msgno, payload }) => `${word} ${channel} ${msgno} ${channel === 0 ? payload.slice(BX.length) : payload}`,
    )
const types = (events: readonly { type: string }[]): string[] => events.map((event) => event.type)

describe('closes that we ask for', () => {
  test('R3080-2.3.1.3-01 R3080-2.3.1.3-02 close names the channel and has a code of three digits', () => {
    const peer = I1()
    peer.engine.close(1)
    expect(said(peer)).toEqual([`MSG 0 2 ${CLOSE_1}`])
    peer.engine.close(1)
    expect(said(peer)).toEqual([])
    expect(peer.manage('RPY', 2, OK)).toEqual([{ type: 'closed', channel: 1, by: 'us' }])
    expect(() => peer.engine.close(1)).toThrow(RangeError)
  })

  test('R3080-8-09 a code or language that may not be sent throws at once, also when the close has to wait', () => {
    const peer = asking(1)
    for (const code of [20, 999, 200.5]) expect(() => peer.engine.close(1, code)).toThrow(RangeError)
    expect(() => peer.engine.close(1, 200, 'bye', '\0')).toThrow(TypeError)
    expect(peer.engine.maySend(1)).toBe(true)
    expect(messages(peer.say('RPY', 1, 0, '\r\n'))).toHaveLength(1)
    expect(peer.engine.transmit()).toEqual([])
  })

  test('R3080-2.3.1.3-07 R3080-2.3.1.3-08 T46 close waits until every MSG has been acknowledged', () => {
    const peer = asking(2)
    peer.engine.close(1)
    expect(said(peer)).toEqual([])
    peer.say('RPY', 1, 0, '\r\n')
    expect(said(peer)).toEqual([])
    peer.say('ANS', 1, 1, '', true)
    expect(said(peer)).toEqual([`MSG 0 2 ${CLOSE_1}`])
    const release = asking(1)
    release.engine.close(0)
    release.say('RPY', 1, 0, '\r\n', true)
    expect(said(release)).toEqual([expect.stringMatching(/^MSG 0 2 <close number='0'/)])
  })

  test('R3080-2.3.1.3-07 a MSG that has not left whole is not acknowledged, nor is one that waits', () => {
    const peer = I1()
    const message = peer.engine.send(1, 'MSG')
    peer.engine.write(message, octets('\r\n'))
    peer.heard()
    peer.engine.close(1)
    peer.say('RPY', 1, 0, '\r\n')
    expect(said(peer)).toEqual([])
    peer.engine.end(message)
    expect(said(peer)).toEqual(['MSG 1 0 ', `MSG 0 2 ${CLOSE_1}`])
  })

  test('R3080-2.3.1.3-09 R3080-2.3.1.3-10 no MSG while we close; after a refusal everything is as before', () => {
    const peer = I1()
    peer.engine.close(1)
    expect(() => ask(peer.engine)).toThrow(TypeError)
    peer.heard()
    expect(() => ask(peer.engine)).toThrow(TypeError)
    expect(peer.manage('ERR', 2, "<error code='550'>still working</error>\r\n")).toMatchObject([
      { type: 'closeRefused', channel: 1, error: { replyCode: 550, text: 'still working' } },
    ])
    ask(peer.engine)
    expect(said(peer)).toEqual(['MSG 1 0 \r\n'])
    peer.say('RPY', 1, 0, '\r\n')
    peer.engine.close(1)
    expect(said(peer)).toEqual([`MSG 0 3 ${CLOSE_1}`])
  })

  test('R3080-2.3.1.3-11 T45 until ok comes MSGs of the peer are served', () => {
    const peer = I1()
    peer.engine.close(1)
    peer.heard()
    expect(messages(peer.raw('MSG 1 0 . 0 6\r\n\r\nlateEND\r\n'))).toEqual(['1 MSG 0 0 late'])
    reply(peer.engine, 'RPY')
    expect(said(peer)).toEqual(['RPY 1 0 \r\n'])
    expect(peer.manage('RPY', 2, '<ok></ok>')).toMatchObject([{ type: 'closed', channel: 1 }])
  })

  test('R3080-2.2.2.1-02 a reply that is none ends the session', () => {
    const peer = I1()
    peer.engine.close(1)
    peer.heard()
    expect(peer.manage('RPY', 2, '<greeting />')).toMatchObject([
      { type: 'terminated', error: { rule: 'rfc3080/2.2.2.1/poor-reply' } },
    ])
    expect(peer.engine.transmit()).toEqual([])
  })

  test('R3080-2.3.1.3-20 T26 afterwards data for the channel ends the session, SEQ is ignored', () => {
    const peer = I1()
    peer.engine.close(1)
    peer.heard()
    peer.manage('RPY', 2, OK)
    expect(peer.raw('SEQ 1 42 4096\r\n')).toEqual([])
    expect(peer.raw('MSG 1 0 . 0 1\r\nxEND\r\n')).toMatchObject([
      { type: 'terminated', error: { rule: 'rfc3080/2.2.1.1/channel-unknown' } },
    ])
  })

  test('a channel whose reply has not left is not closed before that', () => {
    const peer = L()
    for (const [msgno, number] of [1, 3].entries())
      peer.manage('MSG', msgno + 1, `<start number='${number}'><profile uri='${E}' /></start>`)
    peer.engine.accept(3, E)
    peer.engine.close(3)
    expect(said(peer)).toEqual([])
    peer.engine.decline(1, 550)
    expect(said(peer)).toEqual([
      "ERR 0 1 <error code='550' />",
      `RPY 0 2 <profile uri='${E}' />`,
      "MSG 0 1 <close number='3' code='200' />",
    ])
  })

  test('a peer that agrees while exchanges are unfinished leaves nothing behind: nothing more leaves, and a release is not held up', () => {
    const peer = I1()
    peer.say('MSG', 1, 0, '\r\n')
    peer.say('MSG', 1, 1, '\r\nhalf', true)
    const half = peer.engine.send(1, 'RPY')
    peer.engine.write(half, octets('\r\n'))
    peer.heard()
    peer.engine.close(1)
    peer.heard()
    expect(peer.manage('RPY', 2, OK)).toMatchObject([{ type: 'closed', channel: 1 }])
    peer.engine.write(half, octets('more'))
    peer.engine.end(half)
    expect(said(peer)).toEqual([])
    expect(peer.engine.outstanding).toBe(0)
    peer.manage('MSG', 1, "<close code='200' />")
    peer.engine.agree(0)
    expect(said(peer)).toEqual(['RPY 0 1 <ok />'])
  })
})

describe('closes that the peer asks for', () => {
  test('R3080-2.3.1.4-01 R3080-2.3.1.4-02 ok agrees, with neither attributes nor content', () => {
    const peer = L1()
    expect(peer.manage('MSG', 2, CLOSE_1)).toEqual([{ type: 'close', channel: 1, code: 200, text: '' }])
    expect(said(peer)).toEqual([])
    peer.engine.agree(1)
    expect(drain(peer.engine)).toEqual([{ type: 'closed', channel: 1, by: 'peer' }])
    expect(said(peer)).toEqual(['RPY 0 2 <ok />'])
    expect(() => peer.engine.agree(1)).toThrow(RangeError)
  })

  test('R3080-2.3.1.3-06 a channel that does not exist', () => {
    const peer = L()
    peer.manage('MSG', 1, "<close number='7' code='200' />")
    expect(said(peer)).toEqual([expect.stringMatching(/^ERR 0 1 <error code='553'/)])
    expect(peer.engine.state).toBe('open')
  })

  test.each([
    ['R3080-2.3.1.3-03 no code', "<close number='1' />"],
    ['R3080-2.3.1.3-03 a code of two digits', "<close number='1' code='20' />"],
    ['R3080-2.3.1.3-03 a code that is no number', "<close number='1' code='abc' />"],
    ['R3080-2.3.1.3-06 a number that is none', "<close number='x' code='200' />"],
    ['R3080-2.3.1.3-06 a number out of range', "<close number='2147483648' code='200' />"],
  ])('%s is answered with ERR 501, and the channel stays', (_id, xml) => {
    const peer = L1()
    peer.manage('MSG', 2, xml)
    expect(said(peer)).toEqual([expect.stringMatching(/^ERR 0 2 <error code='501'/)])
    expect(channelOf(peer.engine, 1).state).toBe('open')
  })

  test('R3080-2.3.1.3-12 R3080-2.3.1.5-04 it may be refused, before or after it was agreed to', () => {
    const peer = L1()
    peer.manage('MSG', 2, CLOSE_1)
    peer.engine.refuse(1, 550)
    expect(said(peer)).toEqual(["ERR 0 2 <error code='550' />"])
    peer.say('MSG', 1, 0, '\r\n')
    peer.manage('MSG', 3, CLOSE_1)
    peer.engine.agree(1)
    expect(said(peer)).toEqual([])
    peer.engine.refuse(1, 550, 'still working', 'en')
    reply(peer.engine, 'RPY')
    expect(said(peer)).toEqual(["ERR 0 3 <error code='550' xml:lang='en'>still working</error>", 'RPY 1 0 \r\n'])
    expect(() => peer.engine.refuse(1, 550)).toThrow(TypeError)
    expect(() => peer.engine.agree(1)).toThrow(TypeError)
    ask(peer.engine)
    expect(said(peer)).toEqual(['MSG 1 0 \r\n'])
  })

  test('R3080-2.3.1.3-13 R3080-2.3.1.3-14 R3080-2.3.1.3-21 our MSGs leave and are answered before ok, and the last reply is told before the end', () => {
    const peer = L1()
    for (const body of ['a', 'b']) ask(peer.engine, body)
    peer.manage('MSG', 2, CLOSE_1)
    peer.engine.agree(1)
    expect(() => ask(peer.engine)).toThrow(TypeError)
    expect(said(peer)).toEqual(['MSG 1 0 \r\na', 'MSG 1 1 \r\nb'])
    expect(peer.say('RPY', 1, 0, '\r\n')).toMatchObject([{ type: 'message', msgno: 0 }])
    expect(said(peer)).toEqual([])
    expect(peer.say('RPY', 1, 1, '\r\nx', true)).toMatchObject([{ type: 'message', last: false }])
    expect(said(peer)).toEqual([])
    expect(peer.say('RPY', 1, 1, 'y')).toMatchObject([
      { type: 'data', last: true },
      { type: 'closed', channel: 1, by: 'peer' },
    ])
    expect(said(peer)).toEqual(['RPY 0 2 <ok />'])
  })

  test('R3080-2.3.1.3-15 R3080-2.3.1.3-16 R3081-2-03 T45 replies that are owed leave before ok, though channel 0 goes first', () => {
    const peer = L1()
    peer.raw('MSG 1 0 . 0 6\r\n\r\nslowEND\r\n')
    peer.manage('MSG', 2, CLOSE_1)
    peer.engine.agree(1)
    expect(said(peer)).toEqual([])
    const message = peer.engine.send(1, 'RPY')
    peer.engine.write(message, octets('\r\n'))
    expect(said(peer)).toEqual(['RPY 1 0 \r\n'])
    peer.engine.end(message)
    expect(said(peer)).toEqual(['RPY 1 0 ', 'RPY 0 2 <ok />'])
  })

  test('R3080-2.3.1.3-15 ok waits for the end of a request that was refused early', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n', true)
    reply(peer.engine, 'ERR')
    peer.manage('MSG', 2, CLOSE_1)
    peer.engine.agree(1)
    expect(said(peer)).toEqual(['ERR 1 0 \r\n'])
    expect(types(peer.say('MSG', 1, 0))).toEqual(['closed'])
    expect(said(peer)).toEqual(['RPY 0 2 <ok />'])
  })

  test('R3080-2.3.1.3-17 a channel of ours is closed by the peer', () => {
    const peer = L()
    peer.engine.start([{ uri: E }])
    peer.heard()
    peer.manage('RPY', 1, `<profile uri='${E}' />`)
    peer.manage('MSG', 1, "<close number='2' code='200' />")
    peer.engine.agree(2)
    expect(said(peer)).toEqual(['RPY 0 1 <ok />'])
  })

  test('R3080-2.3.1.3-18 R3080-2.2.1.2-02 T47 the number may be used again, and everything about it begins anew', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\nold')
    reply(peer.engine, 'RPY')
    peer.heard()
    peer.manage('MSG', 2, CLOSE_1)
    peer.engine.agree(1)
    peer.forget(1)
    peer.manage('MSG', 3, `<start number='1'><profile uri='${E}' /></start>`)
    peer.engine.accept(1, E)
    peer.heard()
    expect(messages(peer.raw('MSG 1 0 . 0 5\r\n\r\nnewEND\r\n'))).toEqual(['1 MSG 0 0 new'])
    ask(peer.engine)
    expect(peer.heard()).toMatchObject([{ word: 'MSG', channel: 1, msgno: 0, seqno: 0 }])
    expect(peer.raw('SEQ 1 5 4096\r\n')).toMatchObject([{ type: 'terminated', error: { rule: 'rfc3081/3.1.3/ackno' } }])
  })

  test('R3080-2.3.1.3-23 a close that is held back holds back later replies of channel 0', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, '\r\n')
    peer.manage('MSG', 2, CLOSE_1)
    peer.manage('MSG', 3, `<start number='3'><profile uri='${E}' /></start>`)
    peer.engine.accept(3, E)
    peer.engine.agree(1)
    expect(said(peer)).toEqual([])
    reply(peer.engine, 'RPY')
    expect(said(peer)).toEqual(['RPY 1 0 \r\n', 'RPY 0 2 <ok />', `RPY 0 3 <profile uri='${E}' />`])
  })

  test('a second close of the same channel is refused', () => {
    const peer = L1()
    peer.manage('MSG', 2, CLOSE_1)
    expect(peer.manage('MSG', 3, CLOSE_1)).toEqual([])
    peer.engine.agree(1)
    expect(said(peer)).toEqual(['RPY 0 2 <ok />', expect.stringMatching(/^ERR 0 3 <error code='550'/)])
  })
})

describe('closes that cross (A24)', () => {
  const crossing = (): Peer => {
    const peer = L1()
    peer.engine.close(1)
    peer.heard()
    return peer
  }

  test('R3080-2.3.1.3-19 T45 each is answered, and the channel is closed once', () => {
    const peer = crossing()
    expect(peer.manage('MSG', 2, CLOSE_1)).toEqual([
      { type: 'crossed', channel: 1 },
      { type: 'closed', channel: 1, by: 'peer' },
    ])
    expect(said(peer)).toEqual(['RPY 0 2 <ok />'])
    expect(peer.manage('RPY', 1, OK)).toEqual([])
    expect(peer.engine.state).toBe('open')
  })

  test('the reply to our close is not taken for one about a later channel of that number', () => {
    for (const [word, xml] of [
      ['RPY', OK],
      ['ERR', "<error code='550' />"],
    ] as const) {
      const peer = crossing()
      peer.manage('MSG', 2, CLOSE_1)
      peer.manage('MSG', 3, `<start number='1'><profile uri='${E}' /></start>`)
      peer.engine.accept(1, E)
      peer.heard()
      expect(peer.manage(word, 1, xml)).toEqual([])
      expect(channelOf(peer.engine, 1).state).toBe('open')
    }
  })

  test('R3080-2.3.1.3-20 their ok before we are settled: it is closed, nothing more is said on it, and they are answered', () => {
    const peer = crossing()
    peer.say('MSG', 1, 0, '\r\n')
    peer.manage('MSG', 2, CLOSE_1)
    expect(peer.manage('RPY', 1, OK)).toEqual([{ type: 'closed', channel: 1, by: 'us' }])
    expect(() => reply(peer.engine, 'RPY')).toThrow(RangeError)
    expect(said(peer)).toEqual(['RPY 0 2 <ok />'])
  })

  test('R3080-2.3.1.3-12 theirs may be refused: ours goes on', () => {
    const refusing = (): Peer => {
      const peer = crossing()
      peer.say('MSG', 1, 0, '\r\n')
      peer.manage('MSG', 2, CLOSE_1)
      peer.engine.refuse(1, 550)
      expect(said(peer)).toEqual(["ERR 0 2 <error code='550' />"])
      expect(peer.engine.maySend(1)).toBe(false)
      reply(peer.engine, 'RPY')
      expect(said(peer)).toEqual(['RPY 1 0 \r\n'])
      return peer
    }
    expect(refusing().manage('RPY', 1, OK)).toEqual([{ type: 'closed', channel: 1, by: 'us' }])
    const refused = refusing()
    expect(types(refused.manage('ERR', 1, "<error code='550' />"))).toEqual(['closeRefused'])
    expect(refused.engine.maySend(1)).toBe(true)
    const again = refusing()
    expect(types(again.manage('MSG', 3, CLOSE_1))).toEqual(['crossed', 'closed'])
  })

  test('their refusal of ours: their own close goes on', () => {
    const peer = crossing()
    peer.say('MSG', 1, 0, '\r\n')
    peer.manage('MSG', 2, CLOSE_1)
    expect(peer.manage('ERR', 1, "<error code='550' />")).toMatchObject([{ type: 'closeRefused' }])
    reply(peer.engine, 'RPY')
    expect(said(peer)).toEqual(['RPY 1 0 \r\n', 'RPY 0 2 <ok />'])
  })

  test('a close of ours that waits behind many requests is not said when the peer was faster', () => {
    const peer = L1()
    for (let count = 0; count < 16; count++) peer.engine.start([{ uri: E }])
    peer.engine.close(1)
    peer.heard()
    expect(types(peer.manage('MSG', 2, CLOSE_1))).toEqual(['crossed', 'closed'])
    expect(said(peer)).toEqual(['RPY 0 2 <ok />'])
    peer.manage('ERR', 1, "<error code='550' />")
    expect(said(peer)).toEqual([])
  })
})
