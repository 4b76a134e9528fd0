// RFC 3080 §2.2 as the engine keeps it: frames, messages, sequence numbers, and that a frame which breaks a rule ends the session.
import { describe, expect, test } from '@jest/globals'
import type { Rule } from '../errors.js'
import { contentType } from '../wire/entity.js'
import { REFUSED } from '../wire/test-kit-frames.js'
import { asking, E, expectTermination, feed, L, L1, messages, type Peer, reply, text } from './test-kit.js'

const CHANNEL_UNKNOWN = 'rfc3080/2.2.1.1/channel-unknown'
const SEQNO = 'rfc3080/2.2.1.2/seqno'
const INTERLEAVED = 'rfc3080/2.2.1.1/interleaved'
const IN_USE = 'rfc3080/2.2.1.1/msgno-in-use'
const AGAIN = 'rfc3080/2.2.1.1/reply-again'
const UNASKED = 'rfc3080/2.2.1.1/reply-unasked'
const CHANGED = 'rfc3080/2.2.1.1/keyword-changed'
const NUL_AFTER = 'rfc3080/2.2.1.1/nul-after-other'
const NUL_UNFINISHED = 'rfc3080/2.2.1.1/nul-unfinished'
const NUL_NOT_EMPTY = 'rfc3080/2.2.1.1/nul-not-empty'

describe('R3080-2.2.1.1-33 what is no frame ends the session, and nothing is sent in response', () => {
  test.each(REFUSED)('%s', (_id, wire, rule) => {
    expectTermination(L1, wire, rule)
  })
})

describe('a frame that may not stand where it does ends the session', () => {
  const one = () => asking(1)
  test.each<[id: string, make: () => Peer, wire: string, rule: Rule, before?: string[]]>([
    ['R3080-2.2.1-05 channel 2147483647 is not open', L, 'MSG 2147483647 0 . 0 0\r\nEND\r\n', CHANNEL_UNKNOWN],
    ['R3080-2.2.1.1-15 an empty frame before the number that is due', one, 'RPY 1 0 * 4294967295 0\r\nEND\r\n', SEQNO],
    ['R3080-2.2.1.1-15 an empty frame after the number that is due', one, 'RPY 1 0 * 1 0\r\nEND\r\n', SEQNO],
    [
      'R3080-2.2.1.1-21 numbers that begin anew with each answer',
      one,
      'ANS 1 0 * 0 2 0\r\naaEND\r\nANS 1 0 * 0 2 1\r\nbbEND\r\n',
      SEQNO,
    ],
    ['R3080-2.2.1.1-24 a channel that does not exist', L, 'MSG 9 0 . 0 2\r\nhiEND\r\n', CHANNEL_UNKNOWN],
    [
      'R3080-2.2.1.1-25 a MSG number whose reply has not been sent',
      L1,
      'MSG 1 0 . 0 1\r\naEND\r\nMSG 1 0 . 1 1\r\nbEND\r\n',
      IN_USE,
      ['1 MSG 0 0 a'],
    ],
    ['R3080-2.2.1.1-26 a second reply', one, 'RPY 1 0 . 0 1\r\naEND\r\nRPY 1 0 . 1 1\r\nbEND\r\n', AGAIN, ['1 RPY 0 0 a']],
    ['R3080-2.2.1.1-26 a reply after NUL', one, 'NUL 1 0 . 0 0\r\nEND\r\nANS 1 0 . 0 0 0\r\nEND\r\n', AGAIN, ['1 NUL 0 0 ']],
    ['R3080-2.2.1.1-27 a reply to what was never sent', L1, 'RPY 1 0 . 0 1\r\naEND\r\n', UNASKED],
    ['R3080-2.2.1.1-27 a reply to a number of another channel', () => asking(3), 'RPY 0 2 . 194 0\r\nEND\r\n', UNASKED],
    ['R3080-2.2.1.1-28 RPY, then ERR', one, 'RPY 1 0 * 0 1\r\naEND\r\nERR 1 0 . 1 1\r\nbEND\r\n', CHANGED],
    ['R3080-2.2.1.1-28 RPY, then ANS', one, 'RPY 1 0 * 0 1\r\naEND\r\nANS 1 0 . 1 1 0\r\nbEND\r\n', CHANGED],
    ['R3080-2.2.1.1-28 ANS, then RPY', one, 'ANS 1 0 . 0 1 0\r\naEND\r\nRPY 1 0 . 1 1\r\nbEND\r\n', CHANGED, ['1 ANS 0 0 a']],
    [
      'R3080-2.2.1.1-28 ANS, then ERR (A15)',
      one,
      'ANS 1 0 . 0 1 0\r\naEND\r\nERR 1 0 . 1 1\r\nbEND\r\n',
      CHANGED,
      ['1 ANS 0 0 a'],
    ],
    ['R3080-2.2.1.1-29 NUL after an unfinished RPY', one, 'RPY 1 0 * 0 1\r\naEND\r\nNUL 1 0 . 1 0\r\nEND\r\n', NUL_AFTER],
    ['R3080-2.2.1.1-29 NUL after an unfinished ERR', one, 'ERR 1 0 * 0 1\r\naEND\r\nNUL 1 0 . 1 0\r\nEND\r\n', NUL_AFTER],
    ['R3080-2.2.1.1-30 another MSG inside a MSG', L1, 'MSG 1 0 * 0 1\r\naEND\r\nMSG 1 1 . 1 1\r\nbEND\r\n', INTERLEAVED],
    ['R3080-2.2.1.1-31 a gap', L1, 'MSG 1 0 . 0 3\r\nabcEND\r\nMSG 1 1 . 4 1\r\nxEND\r\n', SEQNO, ['1 MSG 0 0 abc']],
    ['R3080-2.2.1.1-31 a repetition', L1, 'MSG 1 0 . 0 3\r\nabcEND\r\nMSG 1 1 . 2 1\r\nxEND\r\n', SEQNO, ['1 MSG 0 0 abc']],
    [
      'R3080-2.2.1.1-31 numbers that begin anew',
      L1,
      'MSG 1 0 . 0 3\r\nabcEND\r\nMSG 1 1 . 0 1\r\nxEND\r\n',
      SEQNO,
      ['1 MSG 0 0 abc'],
    ],
    [
      'R3080-2.2.1.1-31 a trailer that was counted',
      L1,
      'MSG 1 0 . 0 3\r\nabcEND\r\nMSG 1 1 . 8 1\r\nxEND\r\n',
      SEQNO,
      ['1 MSG 0 0 abc'],
    ],
    ['R3080-2.2.1.1-32 NUL with more to come', one, 'NUL 1 0 * 0 0\r\nEND\r\n', NUL_NOT_EMPTY],
    ['R3080-2.2.1.1-32 NUL with payload', one, 'NUL 1 0 . 0 2\r\nhiEND\r\n', NUL_NOT_EMPTY],
    ['R3080-2.2.1.1-37 NUL inside an answer (A12)', one, 'ANS 1 0 * 0 1 0\r\naEND\r\nNUL 1 0 . 1 0\r\nEND\r\n', NUL_UNFINISHED],
    ['R3080-2.2.1.2-06 the first frame of a channel at 1', L1, 'MSG 1 0 . 1 1\r\naEND\r\n', SEQNO],
    [
      'R3080-2.2.1.1-20 an answer to another MSG inside an answer',
      () => asking(2),
      'ANS 1 0 * 0 1 0\r\naEND\r\nANS 1 1 . 1 1 0\r\nbEND\r\n',
      INTERLEAVED,
    ],
    ['T11 a RPY inside a MSG of the same number', one, 'MSG 1 0 * 0 1\r\naEND\r\nRPY 1 0 . 1 1\r\nbEND\r\n', INTERLEAVED],
    [
      'T13 NUL inside an answer, behind the end of another',
      one,
      'ANS 1 0 * 0 1 0\r\naEND\r\nANS 1 0 . 1 1 1\r\nbEND\r\nNUL 1 0 . 2 0\r\nEND\r\n',
      NUL_UNFINISHED,
      ['1 ANS 0 1 b'],
    ],
    ['T18 NUL with the empty line of an entity', one, 'NUL 1 0 . 0 2\r\n\r\nEND\r\n', NUL_NOT_EMPTY],
    ['T44 a data frame for nobody is not answered', L, 'MSG 9 0 . 0 2\r\nhiEND\r\n', CHANNEL_UNKNOWN],
  ])('%s', (_id, make, wire, rule, before = []) => {
    expect(messages(expectTermination(make, wire, rule))).toEqual(before)
  })

  test('R3080-2.2.1.2-07 the error names the number that was expected and the frame that came', () => {
    const [event] = L1().raw('MSG 1 0 . 1 1\r\naEND\r\n')
    expect(event).toMatchObject({ error: { message: expect.stringContaining('expected 0, got MSG 1 0 . 1 1') } })
  })

  test('R3080-2.2.1.3-03 R3080-2.2.1.1-34 the error says which octet of the trailer was wrong', () => {
    const [event] = L1().raw('MSG 1 0 . 0 4\r\nhelloEND\r\n')
    expect(event).toMatchObject({ type: 'terminated', error: { message: expect.stringContaining('octet 1 of 5 is 0x6f') } })
  })

  test('R3080-2.2.1.3-04 a message is never complete before its trailer is verified', () => {
    const peer = L1()
    const part = peer.raw('MSG 1 0 . 0 7\r\n\r\nhello')
    expect(part).toMatchObject([{ type: 'message', last: false }])
    expect(peer.raw('XXX\r\n')).toMatchObject([{ type: 'terminated', error: { rule: 'rfc3080/2.2.1.3/trailer' } }])
  })
})

describe('messages', () => {
  test.each<[id: string, make: () => Peer, wire: string, expected: string[]]>([
    ['R3080-2.2-06 header, payload, trailer', L1, 'MSG 1 0 . 0 2\r\nhiEND\r\n', ['1 MSG 0 0 hi']],
    ['R3080-2.2.1-06 number 2147483647', L1, 'MSG 1 2147483647 . 0 1\r\naEND\r\n', ['1 MSG 2147483647 0 a']],
    [
      'R3080-2.2.1-12 T01 the trailer inside the payload',
      L1,
      'MSG 1 0 . 0 9\r\na\r\nEND\r\nbEND\r\n',
      ['1 MSG 0 0 a\r\nEND\r\nb'],
    ],
    [
      'R3080-2.2.1.1-08 T15 numbers in any order',
      L1,
      'MSG 1 100 . 0 1\r\naEND\r\nMSG 1 5 . 1 1\r\nbEND\r\nMSG 1 2147483647 . 2 1\r\ncEND\r\nMSG 1 0 . 3 1\r\ndEND\r\n',
      ['1 MSG 100 0 a', '1 MSG 5 0 b', '1 MSG 2147483647 0 c', '1 MSG 0 0 d'],
    ],
    ['R3080-2.2.1.1-09 more is to come', L1, 'MSG 1 0 * 0 2\r\nabEND\r\n', []],
    [
      'R3080-2.2.1.1-10 three frames are one message',
      L1,
      'MSG 1 0 * 0 2\r\nabEND\r\nMSG 1 0 * 2 2\r\ncdEND\r\nMSG 1 0 . 4 2\r\nefEND\r\n',
      ['1 MSG 0 0 abcdef'],
    ],
    [
      'R3080-2.2.1.1-14 R3080-2.2.1.1-15 T08 empty frames keep the number',
      () => asking(1),
      'RPY 1 0 * 0 20\r\n0123456789012345678\nEND\r\nRPY 1 0 * 20 0\r\nEND\r\nRPY 1 0 . 20 0\r\nEND\r\n',
      ['1 RPY 0 0 0123456789012345678\n'],
    ],
    ['R3080-2.2.1.1-14 an empty MSG', L1, 'MSG 1 0 * 0 0\r\nEND\r\nMSG 1 0 . 0 0\r\nEND\r\n', ['1 MSG 0 0 ']],
    ['R3080-2.2.1.1-14 an empty ERR', () => asking(1), 'ERR 1 0 . 0 0\r\nEND\r\n', ['1 ERR 0 0 ']],
    [
      'R3080-2.2.1.1-17 T14 an answer number is free again when its answer is complete',
      () => asking(1),
      'ANS 1 0 . 0 1 0\r\naEND\r\nANS 1 0 . 1 1 0\r\nbEND\r\n',
      ['1 ANS 0 0 a', '1 ANS 0 0 b'],
    ],
    [
      'R3080-2.2.1.1-20 T09 interleaved answers are told apart by their number',
      () => asking(1),
      'ANS 1 0 * 0 2 0\r\naaEND\r\nANS 1 0 * 2 2 1\r\nbbEND\r\nANS 1 0 . 4 2 0\r\nAAEND\r\nANS 1 0 . 6 2 1\r\nBBEND\r\nNUL 1 0 . 8 0\r\nEND\r\n',
      ['1 ANS 0 0 aaAA', '1 ANS 0 1 bbBB', '1 NUL 0 0 '],
    ],
    [
      'R3080-2.2.1.1-21 numbers advance by frames, whatever they belong to',
      () => asking(1),
      'ANS 1 0 * 0 2 0\r\naaEND\r\nANS 1 0 * 2 2 1\r\nbbEND\r\nANS 1 0 . 4 1 0\r\nAEND\r\nANS 1 0 . 5 1 1\r\nBEND\r\n',
      ['1 ANS 0 0 aaA', '1 ANS 0 1 bbB'],
    ],
    [
      'R3080-2.2.1.1-19 frames of other channels come in between',
      () => L1({}, 3),
      'MSG 1 0 * 0 1\r\naEND\r\nMSG 3 0 . 0 1\r\nxEND\r\nMSG 1 0 . 1 1\r\nbEND\r\n',
      ['3 MSG 0 0 x', '1 MSG 0 0 ab'],
    ],
    [
      'R3080-2.2.1.1-35 R3080-2.7-03 T10 both directions number for themselves',
      () => asking(1),
      'MSG 1 0 . 0 1\r\nqEND\r\nRPY 1 0 . 1 1\r\nrEND\r\n',
      ['1 MSG 0 0 q', '1 RPY 0 0 r'],
    ],
    [
      'R3080-2.2.1.1-36 NUL alone',
      () => asking(5),
      nul(5),
      ['1 NUL 0 0 ', '1 NUL 1 0 ', '1 NUL 2 0 ', '1 NUL 3 0 ', '1 NUL 4 0 '],
    ],
    [
      'R3080-2.2.1.1-38 T12 a MSG between answers',
      () => asking(1),
      'ANS 1 0 . 0 1 0\r\naEND\r\nMSG 1 7 . 1 1\r\nqEND\r\nANS 1 0 . 2 1 1\r\nbEND\r\nNUL 1 0 . 3 0\r\nEND\r\n',
      ['1 ANS 0 0 a', '1 MSG 7 0 q', '1 ANS 0 1 b', '1 NUL 0 0 '],
    ],
    [
      'R3080-2.2.1.2-01 frames of 3 and 4 octets',
      L1,
      'MSG 1 0 * 0 3\r\nabcEND\r\nMSG 1 0 . 3 4\r\ndefgEND\r\n',
      ['1 MSG 0 0 abcdefg'],
    ],
    ['R3080-2.2.1.3-01 a CR before the trailer', L1, 'MSG 1 0 . 0 4\r\nabc\rEND\r\n', ['1 MSG 0 0 abc\r']],
  ])('%s', (_id, make, wire, expected) => {
    for (const size of [wire.length, 1, 7]) expect(messages(feed(make().engine, wire, size))).toEqual(expected)
  })

  test('R3080-2.2.1.1-07 R3080-2.2.1.1-25 a MSG number is free again when its reply has been sent, and no sooner', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, 'a')
    reply(peer.engine, 'RPY')
    const second = peer.frame('MSG', 1, 0, 'b')
    expect(peer.heard()).toHaveLength(1)
    expect(messages(peer.raw(second))).toEqual(['1 MSG 0 0 b'])
    reply(peer.engine, 'RPY')
    expect(peer.say('MSG', 1, 0, 'c')).toMatchObject([{ type: 'terminated', error: { rule: IN_USE } }])
  })

  test('T16 while answers run without NUL the number of their MSG is in use', () => {
    const peer = L1()
    peer.say('MSG', 1, 0, 'a')
    reply(peer.engine, 'ANS')
    expect(peer.heard()).toMatchObject([{ word: 'ANS' }])
    expect(peer.say('MSG', 1, 0, 'b')).toMatchObject([{ type: 'terminated', error: { rule: IN_USE } }])
  })

  test('R3080-2.2.1.1-24 a channel whose start has not been answered does not exist yet, in either direction', () => {
    const peer = L()
    peer.manage('MSG', 1, `<start number='1'><profile uri='${E}' /></start>`)
    expect(peer.say('MSG', 1, 0, 'x')).toMatchObject([{ type: 'terminated', error: { rule: CHANNEL_UNKNOWN } }])
    const accepted = L()
    accepted.manage('MSG', 1, `<start number='1'><profile uri='${E}' /></start>`)
    accepted.engine.accept(1, E)
    expect(accepted.say('MSG', 1, 0, 'x')).toMatchObject([{ type: 'terminated', error: { rule: CHANNEL_UNKNOWN } }])
  })
})

describe('entities', () => {
  test.each<[id: string, payload: string, type: string, body: string]>([
    ['R3080-2.2-01 headers, an empty line, a body', 'Content-Type: text/plain\r\n\r\nhello', 'text/plain', 'hello'],
    ['R3080-2.2-02 R3080-2.2-03 R3080-2.2-10 no headers', '\r\nhello', 'application/octet-stream', 'hello'],
    ['R3080-2.2-04 other headers', 'Content-Transfer-Encoding: binary\r\n\r\nhi', 'application/octet-stream', 'hi'],
    ['R3080-2.2-10 neither headers nor the empty line', 'hello', 'application/octet-stream', 'hello'],
    [
      'R3080-2.2-12 base64 is handed on as it came',
      'Content-Transfer-Encoding: base64\r\n\r\naGk=',
      'application/octet-stream',
      'aGk=',
    ],
    ['R3080-2.2-11 names in capitals', 'CONTENT-TYPE:Text/Plain\r\n\r\nhi', 'Text/Plain', 'hi'],
    ['T41 a body that looks like a header', '\r\nA: b', 'application/octet-stream', 'A: b'],
  ])('%s', (_id, payload, type, body) => {
    for (const size of [1, 5, 1000]) {
      const peer = L1()
      const events = feed(peer.engine, peer.frame('MSG', 1, 0, payload), size)
      const [message] = events
      expect(message?.type === 'message' && contentType(message.headers)).toBe(type)
      expect(messages(events)).toEqual([`1 MSG 0 0 ${body}`])
    }
  })

  test('R3080-2.2-09 T40 the headers belong to the message, wherever frames cut them', () => {
    const wire = 'MSG 1 0 * 0 10\r\nContent-TyEND\r\nMSG 1 0 . 10 20\r\npe: text/plain\r\n\r\nhiEND\r\n'
    for (const size of [1, 3, wire.length]) {
      const events = feed(L1().engine, wire, size)
      expect(messages(events)).toEqual(['1 MSG 0 0 hi'])
      const [message] = events
      expect(message?.type === 'message' && contentType(message.headers)).toBe('text/plain')
    }
  })

  test('R3080-2.2-08 every octet value comes through unchanged', () => {
    const body = text(Uint8Array.from({ length: 256 }, (_, octet) => octet))
    expect(messages(L1().say('MSG', 1, 0, `\r\n${body}`))).toEqual([`1 MSG 0 0 ${body}`])
  })

  test('the limit on entity headers is the same for one chunk and for many', () => {
    const payload = `X: ${'y'.repeat(200)}\r\n\r\nhi`
    expectTermination(
      () => L1({ maxEntityHeaders: 100 }),
      `MSG 1 0 . 0 ${payload.length}\r\n${payload}END\r\n`,
      'limits/entity-headers',
    )
    const large = `X: ${'y'.repeat(17_000)}\r\n\r\nhi`
    const peer = L1({ maxEntityHeaders: 20_000 })
    let events = ''
    for (let at = 0; at < large.length; at += 2000) {
      const more = at + 2000 < large.length
      events += messages(peer.say('MSG', 1, 0, large.slice(at, at + 2000), more)).join()
      peer.heard()
    }
    expect(events).toBe('1 MSG 0 0 hi')
  })

  test('R3080-2.2-01 a message is told as soon as its headers are in, be they none', () => {
    const begun = L1().raw('MSG 1 0 . 0 5\r\n\r\n')
    expect(begun).toMatchObject([{ type: 'message', overhead: 2, last: false, octets: { length: 0 } }])
    const empty = L1().raw('MSG 1 0 . 0 2\r\n\r\nEND\r\n')
    expect(empty).toMatchObject([{ type: 'message', overhead: 2, last: true, octets: { length: 0 } }])
  })
})

function nul(count: number): string {
  return Array.from({ length: count }, (_, msgno) => `NUL 1 ${msgno} . 0 0\r\nEND\r\n`).join('')
}
