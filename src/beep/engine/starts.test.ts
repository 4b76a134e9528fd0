// Channel management, RFC 3080 §2.3.1.2 and §2.3.1.5: the channels that the peer asks for, and what is answered to a bad request.
import { describe, expect, test } from '@jest/globals'
import { BX, channelOf, consume, E, expectTermination, L, L1, messages, octets, type Peer, reply } from './test-kit.js'

const errors = (peer: Peer): (string | undefined)[] =>
  peer.heard().map(({ word, channel, msgno, payload }) => {
    expect(channel).toBe(0)
    return `${word} ${msgno} ${/<error code='(\d+)'/.exec(payload)?.[1]}`
  })

describe('starts that the peer asks for', () => {
  const start = (number: number | string, more = '', profiles = `<profile uri='${E}' />`) =>
    `<start number='${number}'${more}>${profiles}</start>`

  test.each<[id: string, xml: string, code: number]>([
    ['R3080-2.3.1.2-02 a word', start('abc'), 501],
    ['R3080-2.3.1.2-02 a negative number', start('-1'), 501],
    ['R3080-2.3.1.2-02 nothing', start(''), 501],
    ['R3080-2.3.1.2-13 0', start(0), 501],
    ['R3080-2.3.1.2-13 beyond 2147483647', start(2147483649), 501],
    [
      'R3080-2.3.1.2-11 T56 the parity of the other side',
      "<start number='2'>\r\n   <profile uri='http://iana.org/beep/SASL/OTP' />\r\n</start>\r\n",
      501,
    ],
    ['R3080-2.3.1.2-04 no profile', "<start number='1'></start>", 501],
    ['R3080-2.3.1.2-05 a profile without uri', start(1, '', '<profile />'), 501],
    [
      'R3080-2.3.1.2-07 T37 4097 octets',
      start(1, '', `<profile uri='${E}'>${'a'.repeat(3900)}${'&lt;'.repeat(197)}</profile>`),
      501,
    ],
    ['R3080-2.3.1.2-27 no base64', start(1, '', `<profile uri='${E}' encoding='base64'>@@</profile>`), 501],
    ['R3080-2.3.1.2-06 another encoding', start(1, '', `<profile uri='${E}' encoding='quoted'>x</profile>`), 501],
    ['R3080-2.2.2.1-01 T43 unclosed', "<start number='1'>", 500],
    ['R3080-2.2.2.1-01 an attribute without quotes', '<start number=1></start>', 500],
    ['R3080-2.2.2.1-01 another character behind the end', '<ok />x', 500],
    ['R3080-2.3.1.5-03 no XML', 'hello', 500],
    ['R3080-2.3.1.5-03 an empty body', '', 500],
    ['R3080-2.3.1.5-03 ok', '<ok />', 501],
    ['R3080-2.3.1.5-03 greeting', '<greeting />', 501],
    ['R3080-2.3.1.5-03 an unknown element', '<START />', 501],
    ['R3080-6.1-01 error', "<error code='550' />", 501],
    ['R3080-6.4-03 a foreign entity', "<start number='1'><profile uri='&nbsp;' /></start>", 500],
    ['T42 DOCTYPE', `<!DOCTYPE start [<!ENTITY x SYSTEM "file:///etc/passwd">]>${start(1)}`, 500],
  ])('%s is answered with ERR, and the session goes on', (_id, xml, code) => {
    const peer = L()
    // Some of them are larger than a window.
    const wire = BX + xml
    peer.say('MSG', 0, 1, wire.slice(0, 4000), wire.length > 4000)
    if (wire.length > 4000) {
      peer.heard()
      peer.say('MSG', 0, 1, wire.slice(4000))
    }
    expect(errors(peer)).toEqual([`ERR 1 ${code}`])
    expect(peer.manage('MSG', 2, start(1))).toMatchObject([{ type: 'start', channel: 1 }])
  })

  test('R3080-2.3.1.5-03 an empty payload is answered with ERR', () => {
    const peer = L()
    peer.say('MSG', 0, 1)
    expect(errors(peer)).toEqual(['ERR 1 500'])
  })

  test('R3080-2.3.1.2-02 R3080-2.3.1.2-03 number 2147483647 and a server name', () => {
    const peer = L()
    expect(peer.manage('MSG', 1, start(2147483647, " serverName='h.example'"))).toMatchObject([
      { type: 'start', channel: 2147483647, serverName: 'h.example', profiles: [{ uri: E }] },
    ])
    expect(peer.engine.serverName).toBeUndefined()
    peer.engine.accept(2147483647, E)
    expect(peer.engine.serverName).toBe('h.example')
  })

  test('R3080-2.3.1.2-14 R3080-2.3.1.2-16 R3080-2.3.1.2-17 the server name of the first start that succeeds is fixed', () => {
    for (const [first, second, fixed] of [
      ['a', 'b', 'a'],
      [undefined, 'b', undefined],
    ]) {
      const peer = L()
      const names = ['failed', first, second].map((name) => (name === undefined ? '' : ` serverName='${name}'`))
      peer.manage('MSG', 1, start(1, names[0]))
      peer.engine.decline(1, 550)
      expect(peer.engine.serverNameFor('c')).toBe('c')
      peer.manage('MSG', 2, start(1, names[1]))
      peer.engine.accept(1, E)
      expect(peer.engine.serverNameFor('c')).toBe(fixed)
      peer.manage('MSG', 3, start(3, names[2]))
      peer.engine.accept(3, E)
      expect(peer.engine.serverName).toBe(fixed)
    }
  })

  test('R3080-2.3.1.2-12 a number in use is refused, and its channel is untouched; so is one whose start is undecided', () => {
    const peer = L1()
    peer.manage('MSG', 2, start(1))
    expect(errors(peer)).toEqual(['ERR 2 550'])
    peer.say('MSG', 1, 0, '\r\n')
    reply(peer.engine, 'RPY')
    expect(peer.heard()).toMatchObject([{ word: 'RPY', channel: 1 }])
    peer.manage('MSG', 3, start(3))
    expect(peer.manage('MSG', 4, start(3))).toEqual([])
    peer.engine.accept(3, E)
    expect(peer.heard().map(({ word, msgno }) => `${word} ${msgno}`)).toEqual(['RPY 3', 'ERR 4'])
  })

  test('R3080-2-01 R3080-2.3.1.2-19 R3080-2.3.1.2-21 T55 each profile is told, and the reply holds exactly one of them', () => {
    const peer = L()
    const xml = start(3, '', `<profile uri='u:unknown' /><profile uri='${E}' />`)
    expect(peer.manage('MSG', 1, xml)).toMatchObject([{ profiles: [{ uri: 'u:unknown' }, { uri: E }] }])
    expect(() => peer.engine.accept(3, 'u:other')).toThrow(TypeError)
    peer.engine.accept(3, E)
    expect(peer.heard()).toMatchObject([{ word: 'RPY', channel: 0, msgno: 1, payload: `${BX}<profile uri='${E}' />` }])
  })

  test('R3080-2.3.1.2-20 R3080-2.3.1.5-01 R3080-2.3.1.2-15 a start is declined with ERR', () => {
    const peer = L()
    peer.raw(`MSG 0 1 . 52 88\r\n${BX}<start number='1'><profile uri='u:none' /></start>END\r\n`)
    peer.engine.decline(1, 550)
    expect(peer.heard()).toMatchObject([{ word: 'ERR', payload: `${BX}<error code='550' />` }])
    expect(() => peer.engine.decline(1, 550)).toThrow(TypeError)
  })

  test('R3080-2.3.1.2-23 R3081-3.1.3-18 T25 the reply leaves before anything on its channel', () => {
    const peer = L()
    peer.manage('MSG', 1, start(1))
    peer.engine.accept(1, E)
    peer.engine.send(1, 'MSG', 0, 0, [octets('\r\n')])
    expect(peer.heard().map(({ word, channel }) => `${word} ${channel}`)).toEqual(['RPY 0', 'MSG 1'])
  })

  test('R3080-2.3.1.2-26 T51 a channel is accepted with an error as its content', () => {
    const peer = L()
    peer.manage('MSG', 1, start(1))
    peer.engine.accept(1, E, octets("<error code='501' />"))
    expect(peer.heard()).toMatchObject([{ word: 'RPY', payload: expect.stringContaining("<![CDATA[<error code='501' />]]>") }])
    expect(channelOf(peer.engine, 1).state).toBe('open')
  })

  test('an answer that cannot be written throws, and the start can still be answered', () => {
    const peer = L()
    peer.manage('MSG', 1, start(1, " serverName='a'"))
    expect(() => peer.engine.accept(1, E, new Uint8Array(4097).fill(97))).toThrow(RangeError)
    expect(() => peer.engine.decline(1, 550, 'no', '\0')).toThrow(TypeError)
    expect(() => peer.engine.decline(1, 999)).toThrow(RangeError)
    expect(peer.engine.serverName).toBeUndefined()
    peer.engine.decline(1, 550)
    expect(errors(peer)).toEqual(['ERR 1 550'])
  })

  test('R3080-2.3.1.2-27 base64 with white space', () => {
    const peer = L()
    const [event] = peer.raw(
      `MSG 0 1 . 52 150\r\n${BX}<start number='1'><profile uri='${E}' encoding='base64'>\r\n AAEC\r\n Aw==</profile></start>END\r\n`,
    )
    expect(event?.type === 'start' && [...event.profiles[0]!.content!]).toEqual([0, 1, 2, 3])
  })

  test('R3080-2.3.1.2-07 R3080-2.3.1.2-28 T34 T37 4096 octets of text and CDATA', () => {
    const peer = L()
    const wire = `${BX}${start(1, '', `<profile uri='${E}'>\n<![CDATA[<${'a'.repeat(4093)}>]]></profile>`)}`
    peer.say('MSG', 0, 1, wire.slice(0, 4000), true)
    peer.heard()
    const [event] = peer.say('MSG', 0, 1, wire.slice(4000))
    expect(event?.type === 'start' && event.profiles[0]?.content).toHaveLength(4096)
  })

  test('R3080-2.3.1.2-29 T53 starts are answered in their order, in whatever order they are decided', () => {
    const peer = L()
    peer.raw(peer.frame('MSG', 0, 1, BX + start(1)) + peer.frame('MSG', 0, 2, BX + start(3)))
    peer.engine.accept(3, E)
    expect(peer.engine.transmit()).toEqual([])
    peer.engine.send(3, 'MSG', 0, 0, [octets('\r\n')])
    expect(peer.engine.transmit()).toEqual([])
    peer.engine.decline(1, 550)
    expect(peer.heard().map(({ word, channel, msgno }) => `${word} ${channel} ${msgno}`)).toEqual([
      'ERR 0 1',
      'RPY 0 2',
      'MSG 3 0',
    ])
  })

  test('RIMP-07 R3081-3.1.1-04 channels beyond the limit are declined, undecided ones counted', () => {
    const peer = L({ maxChannels: 2 })
    for (const [msgno, number] of [1, 3, 5].entries()) peer.manage('MSG', msgno + 1, start(number))
    peer.engine.accept(1, E)
    peer.engine.accept(3, E)
    expect(peer.heard().map(({ word }) => word)).toEqual(['RPY', 'RPY', 'ERR'])
  })

  test('R3080-2.3-03 257 channels with channel 0, and each of them answers', () => {
    const peer = L()
    peer.raw('SEQ 0 0 1000000\r\n')
    for (let count = 0; count < 256; count++) {
      peer.manage('MSG', 1, start(2 * count + 1))
      peer.engine.accept(2 * count + 1, E)
      peer.heard()
    }
    for (let count = 0; count < 256; count++) {
      const number = 2 * count + 1
      consume(peer.engine, peer.say('MSG', number, 0, '\r\nhi'))
      reply(peer.engine, 'RPY', 0, '', 0, number)
    }
    expect(peer.heard()).toHaveLength(256)
  })

  test('R3080-2.3-01 R3080-2.3-02 only channel 0 exists at first, and it takes no message of an application', () => {
    expectTermination(L, 'MSG 1 0 . 0 1\r\nxEND\r\n', 'rfc3080/2.2.1.1/channel-unknown')
    expect(() => L().engine.send(0, 'MSG')).toThrow(RangeError)
    expect(messages(L().manage('MSG', 1, '<ok />'))).toEqual([])
  })
})
