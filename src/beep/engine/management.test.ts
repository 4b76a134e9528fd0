// Channel management, RFC 3080 §2.3.1.1, §2.3.1.2 and §2.3.1.5: greetings, and the channels that we ask for.
import { describe, expect, test } from '@jest/globals'
import type { Rule } from '../errors.js'
import { Engine } from './engine.js'
import { BX, E, expectTermination, GREETING_52, heard, I, L, octets, Peer, text } from './test-kit.js'

const POOR = 'rfc3080/2.2.2.1/poor-reply'
/** An engine that has greeted; the peer has said nothing. */
function fresh(role: 'initiator' | 'listener' = 'initiator', limits = {}): Peer {
  const peer = new Peer(role, limits)
  peer.engine.greet({ profiles: [E] })
  peer.heard()
  return peer
}
const started = (): Peer => {
  const peer = I()
  peer.engine.start([{ uri: E }])
  peer.heard()
  return peer
}
describe('greetings', () => {
  test('R3080-2.3.1.1-01 R3080-2.3.1.1-02 R3080-2.4-01 T30 each peer greets at once', () => {
    for (const role of ['initiator', 'listener'] as const) {
      const engine = new Engine(role)
      engine.greet({})
      expect(heard(engine)).toBe(`RPY 0 0 . 0 50\r\n${BX}<greeting />END\r\n`)
      expect(() => engine.greet({})).toThrow(TypeError)
      expect(() => engine.refuseSession(421)).toThrow(TypeError)
      expect(engine.transmit()).toEqual([])
    }
  })

  test.each<[id: string, wire: string, greeting: object]>([
    [
      'R3080-2.3.1.1-03 features, languages and profiles',
      `RPY 0 0 . 0 134\r\n${BX}<greeting features='x-a' localize='en'><profile uri='${E}' /></greeting>END\r\n`,
      { features: ['x-a'], localize: ['en'], profiles: [E] },
    ],
    [
      'R3080-2.3.1.1-04 R3080-2.3.1.1-05 features',
      `RPY 0 0 . 0 73\r\n${BX}<greeting features='x-foo x-bar' />END\r\n`,
      { features: ['x-foo', 'x-bar'] },
    ],
    [
      'R3080-2.3.1.1-06 languages',
      `RPY 0 0 . 0 70\r\n${BX}<greeting localize='fr-CA en' />END\r\n`,
      { localize: ['fr-CA', 'en'] },
    ],
    ['R3080-2.3.1.1-07 no languages', `RPY 0 0 . 0 50\r\n${BX}<greeting />END\r\n`, { localize: ['i-default'] }],
    ['R3080-2.3.1.1-13 no profiles', GREETING_52, { profiles: [] }],
  ])('%s', (_id, wire, greeting) => {
    const peer = fresh()
    expect(peer.raw(wire)).toMatchObject([{ type: 'greeting', greeting }])
    expect(peer.engine).toMatchObject({ state: 'open', greeting })
  })

  test('R3080-2.3.1.1-08 the profiles of our greeting have no content', () => {
    const engine = new Engine('listener')
    engine.greet({ profiles: [E], features: ['x-a'], localize: ['en'] })
    expect(heard(engine)).toContain(`<profile uri='${E}' />`)
  })

  test.each<[id: string, wire: string, rule: Rule]>([
    [
      'R3080-2.3.1.1-09 a MSG before the greeting',
      `MSG 0 1 . 0 60\r\n${BX}<close code='200' />\r\nEND\r\n`,
      'rfc3080/2.3.1.1/greeting-first',
    ],
    ['R3080-2.3.1.1-09 another number', `RPY 0 1 . 0 52\r\n${BX}<greeting />\r\nEND\r\n`, 'rfc3080/2.3.1.1/greeting-first'],
    ['R3080-2.3.1.1-09 another channel', 'RPY 1 0 . 0 0\r\nEND\r\n', 'rfc3080/2.3.1.1/greeting-first'],
    ['R3080-2.2.2.1-02 no XML', `RPY 0 0 . 0 42\r\n${BX}sureEND\r\n`, POOR],
    ['R3080-2.2.2.1-02 not a greeting', `RPY 0 0 . 0 44\r\n${BX}<ok />END\r\n`, POOR],
    ['R3080-2.2.2.1-02 a greeting in ERR', `ERR 0 0 . 0 50\r\n${BX}<greeting />END\r\n`, POOR],
    ['R3080-2.2.2.1-02 an error without code', `ERR 0 0 . 0 47\r\n${BX}<error />END\r\n`, POOR],
    ['R3080-2.2.2.1-02 DOCTYPE', `RPY 0 0 . 0 70\r\n${BX}<!DOCTYPE greeting ><greeting />END\r\n`, POOR],
    ['R3080-6.1-01 an answer for a greeting', 'ANS 0 0 . 0 0 0\r\nEND\r\n', 'rfc3080/2.3.1.1/greeting-first'],
  ])('%s', (_id, wire, rule) => {
    expectTermination(fresh, wire, rule)
  })

  test('R3080-2.3.1.1-10 T31 a greeting of 5000 octets comes in several frames, with SEQ in between', () => {
    const peer = fresh()
    const greeting = `${BX}<greeting>${' '.repeat(4931)}</greeting>`
    expect(greeting.length).toBe(4990)
    expect(peer.say('RPY', 0, 0, greeting.slice(0, 4096), true)).toEqual([])
    expect(peer.heard()).toMatchObject([{ word: 'SEQ', channel: 0, seqno: 4096 }])
    expect(peer.say('RPY', 0, 0, greeting.slice(4096))).toMatchObject([{ type: 'greeting' }])
  })

  test('T31 our own greeting larger than the window is cut likewise', () => {
    const engine = new Engine('listener')
    engine.greet({ profiles: Array.from({ length: 100 }, (_, index) => `http://example.com/beep/profile/${index}`) })
    expect(heard(engine)).toMatch(/^RPY 0 0 \* 0 4096\r\n/)
    expect(engine.transmit()).toEqual([])
    engine.receive(octets('SEQ 0 4096 4096\r\n'))
    expect(engine.nextEvent()).toBeUndefined()
    expect(heard(engine)).toMatch(/^RPY 0 0 \. 4096 \d+\r\n/)
  })

  test('R3080-2.3.1.1-11 R3080-2.3.1.1-12 the greeting counts on channel 0, and a second one ends the session', () => {
    const peer = fresh()
    expect(
      peer.raw(`RPY 0 0 . 0 52\r\n${BX}<greeting />\r\nEND\r\nRPY 0 0 . 52 52\r\n${BX}<greeting />\r\nEND\r\n`),
    ).toMatchObject([{ type: 'greeting' }, { type: 'terminated', error: { rule: 'rfc3080/2.2.1.1/reply-again' } }])
  })

  test('R3080-2.3.1.1-14 a profile that was not listed may be asked for', () => {
    const peer = I()
    peer.engine.start([{ uri: 'u:unlisted' }])
    expect(peer.heard()).toMatchObject([{ word: 'MSG', payload: expect.stringContaining("uri='u:unlisted'") }])
  })

  test('R3080-2.3.1.1-15 no start before the greeting of the peer', () => {
    expect(() => fresh().engine.start([{ uri: E }])).toThrow(TypeError)
  })

  test('R3080-2.3.1.1-16 T32 after the greetings 0 is a number like others; we begin at 1', () => {
    const peer = L()
    expect(peer.raw(`MSG 0 0 . 52 60\r\n${BX}<close code='200' />\r\nEND\r\n`)).toMatchObject([{ type: 'close', channel: 0 }])
    peer.engine.agree(0)
    expect(peer.heard()).toMatchObject([{ word: 'RPY', channel: 0, msgno: 0 }])
    const other = I()
    other.engine.start([{ uri: E }])
    expect(other.heard()).toMatchObject([{ msgno: 1, seqno: 50 }])
  })

  test('R3080-2.3.1.5-05 R3081-3.1.1-05 a listener that is not available says ERR 0 0, and that is all', () => {
    const engine = new Engine('listener')
    engine.refuseSession(421)
    expect(heard(engine)).toBe(`ERR 0 0 . 0 58\r\n${BX}<error code='421' />END\r\n`)
    engine.receive(octets(GREETING_52))
    expect(engine.nextEvent()).toBeUndefined()
    expect(engine.state).toBe('released')
  })

  test('R3080-2.3.1.5-06 R3080-2.4-02 its initiator is told the code, and the session is over', () => {
    const peer = fresh()
    expect(peer.raw(`ERR 0 0 . 0 60\r\n${BX}<error code='421' />\r\nEND\r\n`)).toMatchObject([
      { type: 'refused', error: { replyCode: 421 } },
    ])
    expect(peer.engine.state).toBe('released')
    expect(peer.engine.transmit()).toEqual([])
  })

  test('R3080-2.3.1.1-06 R3080-2.3.1.5-08 R3080-2.3.1.3-04 a text in the first language of the peer goes without its name, others do not', () => {
    for (const [localize, lang] of [
      ['en', ''],
      ['fr', " xml:lang='en'"],
      ['fr en', " xml:lang='en'"],
    ]) {
      const peer = fresh('listener')
      peer.manage('RPY', 0, `<greeting localize='${localize}' />`)
      peer.manage('MSG', 1, `<start number='1'><profile uri='${E}' /></start>`)
      peer.engine.accept(1, E)
      peer.manage('MSG', 2, `<start number='3'><profile uri='${E}' /></start>`)
      peer.engine.decline(3, 550, 'no')
      peer.engine.close(1, 200, 'bye')
      const said = peer.heard().map(({ payload }) => payload.slice(BX.length))
      expect(said.slice(1)).toEqual([`<error code='550'${lang}>no</error>`, `<close number='1' code='200'${lang}>bye</close>`])
    }
  })
})

describe('starts that we ask for', () => {
  test('R3080-2.3.1.2-01 R3080-2.3.1.2-09 an initiator asks with odd numbers', () => {
    const peer = I()
    expect([1, 2, 3].map(() => peer.engine.start([{ uri: E }]))).toEqual([1, 3, 5])
    expect(peer.heard().map(({ payload }) => payload)).toEqual(
      [1, 3, 5].map((number) => `${BX}<start number='${number}'><profile uri='${E}' /></start>`),
    )
  })

  test('R3080-2.3.1.2-10 a listener asks with even numbers', () => {
    const peer = L()
    expect([1, 2, 3].map(() => peer.engine.start([{ uri: E }]))).toEqual([2, 4, 6])
  })

  test('R3080-2.3.1.2-03 R3080-2.3.1.2-08 T35 a server name and an initialization message', () => {
    const peer = I()
    peer.engine.start([{ uri: E, content: octets('<hello />') }], { serverName: 'h.example' })
    expect(peer.heard()).toMatchObject([
      { payload: `${BX}<start number='1' serverName='h.example'><profile uri='${E}'><![CDATA[<hello />]]></profile></start>` },
    ])
  })

  test('R3080-2.3.1.2-04 R3080-2.3.1.2-07 what may not be asked throws, and nothing of it is left behind', () => {
    const peer = I()
    expect(() => peer.engine.start([])).toThrow(RangeError)
    expect(() => peer.engine.start([{ uri: E, content: new Uint8Array(4097).fill(97) }])).toThrow(RangeError)
    expect(() => peer.engine.start([{ uri: 'u:\0' }])).toThrow(TypeError)
    expect(peer.engine.outstanding).toBe(0)
    peer.engine.close(0)
    expect(peer.heard()).toMatchObject([{ payload: `${BX}<close number='0' code='200' />` }])
  })

  test('R3080-2.3.1.2-24 nothing can be said on the channel before the reply', () => {
    const peer = started()
    expect(() => peer.engine.send(1, 'MSG')).toThrow(RangeError)
    expect(peer.engine.transmit()).toEqual([])
  })

  test('R3080-2.3.1.2-22 R3080-2.3.1.2-21 the reply may carry an answer to the initialization message', () => {
    const [event] = started().raw(`RPY 0 1 . 110 115\r\n${BX}<profile uri='${E}'><![CDATA[<bootrpy />]]></profile>END\r\n`)
    expect(event).toMatchObject({ type: 'started', channel: 1, uri: E })
    expect(event?.type === 'started' && text(event.content!)).toBe('<bootrpy />')
  })

  test('R3080-2.3.1.2-25 T33 the channel exists before the octets behind its reply are read', () => {
    const peer = started()
    const events = peer.raw(`RPY 0 1 . 110 86\r\n${BX}<profile uri='${E}' />\r\nEND\r\nMSG 1 0 . 0 7\r\n\r\nhelloEND\r\n`)
    expect(events).toMatchObject([
      { type: 'started', channel: 1 },
      { type: 'message', channel: 1, last: true },
    ])
  })

  test('R3080-2.3.1.5-02 R3080-2.3.1.5-09 R3080-2.3.1.3-22 a refusal: its code counts, its text may have lines', () => {
    const peer = started()
    peer.manage(
      'ERR',
      1,
      "<error code='550'>all requested profiles are\r\nunsupported &lt;close number='0' code='200' /></error>\r\n",
    )
    expect(() => peer.engine.send(1, 'MSG')).toThrow(RangeError)
    expect(peer.engine.state).toBe('open')
    const coded = started().raw(`ERR 0 1 . 110 70\r\n${BX}<error code='550'>ok 200</error>END\r\n`)
    expect(coded).toMatchObject([{ type: 'declined', channel: 1, error: { replyCode: 550, text: 'ok 200' } }])
    const unknown = started().raw(`ERR 0 1 . 110 65\r\n${BX}<error code='599'>x</error>END\r\n`)
    expect(unknown).toMatchObject([{ type: 'declined', error: { replyCode: 599 } }])
  })

  test.each<[id: string, wire: string, rule: Rule]>([
    ['R3080-2.2.2.1-02 no XML', `RPY 0 1 . 110 42\r\n${BX}sureEND\r\n`, POOR],
    ['R3080-2.2.2.1-02 R3080-2.2.2.1-03 the reply to a close', `RPY 0 1 . 110 44\r\n${BX}<ok />END\r\n`, POOR],
    ['R3080-2.2.2.1-02 an error in RPY', `RPY 0 1 . 110 58\r\n${BX}<error code='550' />END\r\n`, POOR],
    ['R3080-2.2.2.1-02 a profile in ERR', `ERR 0 1 . 110 63\r\n${BX}<profile uri='u:other' />END\r\n`, POOR],
    ['R3080-2.3.1.2-30 a profile that was not proposed', `RPY 0 1 . 110 63\r\n${BX}<profile uri='u:other' />END\r\n`, POOR],
    ['R3080-2.2.2.1-02 an entity that is not one of the five', `RPY 0 1 . 110 62\r\n${BX}<profile uri='&nbsp;' />END\r\n`, POOR],
    ['R3080-6.1-01 an answer on channel 0', 'ANS 0 1 . 110 0 0\r\nEND\r\n', 'rfc3080/6.1/one-to-many'],
    ['R3080-6.1-01 NUL on channel 0', 'NUL 0 1 . 110 0\r\nEND\r\n', 'rfc3080/6.1/one-to-many'],
  ])('%s', (_id, wire, rule) => {
    expectTermination(started, wire, rule)
  })
})
