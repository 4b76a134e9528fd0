// Peers that want our memory: whatever they say, or do not say, what a session holds stays within windows and counts, and others are
// served meanwhile.
import { describe, expect, test } from '@jest/globals'
import { type RawPeer, rawDial, rawStart } from '../src/beep/test-kit-peer.js'
import { ECHO } from '../src/profiles/echo.js'
import {
  arrived,
  asInitiator,
  ask,
  attacker,
  BEEP_XML,
  begin,
  endOf,
  look,
  onChannel,
  peers,
  port,
  pour,
  press,
  saidOnZero,
  served,
  terminated,
  WINDOW,
  within,
} from './memory-kit.js'

// What each attack may cost, in MiB. A window is 4096 octets to a peer that is not read, 1 MiB to one that is; the rest is counts.
/** Nothing is held: what is left is noise of the heap, code that was compiled meanwhile for instance. */
const NOTHING = 3
/** 4096 messages of nothing, each an object or five. */
const COUNTED = 8
/** Ten times as many, which is what a session may owe. */
const TEN_TIMES = 32
/** 1 MiB of replies on a channel, the requests in its window, and what each of them costs as an object. */
const REPLIES = 8
/** 16 MiB of replies in the session, in pieces of 1 KiB, and what each of them costs as an object. */
const SESSION = 40

describe('frames that no session needs to hold', () => {
  test('a header that never ends', async () => {
    const peer = await attacker()
    const session = await ask<number>('latest')
    // Whole but for its end, and then nothing for a while.
    peer.say('MSG 1 0 . 0 12')
    await served()
    await within(NOTHING)
    await pour(peer, 1000, () => '1'.repeat(65_536))
    expect(await endOf(session)).toMatchObject(terminated('rfc3080/2.2.1.1/range'))
    await peer.end()
    await within(NOTHING, 'afterwards')
  })

  test('a header that never ends instead of a greeting', async () => {
    const peer = await rawDial(port)
    peers.push(peer)
    await pour(peer, 1000, () => 'RPY 0 0 . 0 '.padEnd(65_536, '1'))
    await peer.end()
    await served()
    await within(NOTHING)
  })

  test('headers that declare 2147483647 octets', async () => {
    for (let n = 0; n < 20; n++) {
      const { peer, session } = await onChannel('u:silent')
      const header = n % 2 === 0 ? 'MSG 1 0 . 0 2147483647\r\n' : 'MSG 0 2 . 0 2147483647\r\n'
      peer.say(n % 2 === 0 ? header : header.replace('. 0', `. ${(await look(session, 0)).received}`))
      await pour(peer, 100, () => 'x'.repeat(65_536))
      expect(await endOf(session)).toMatchObject(terminated(WINDOW))
    }
    await served()
    await within(NOTHING)
  })

  test.each(['MSG 1 0 *', 'MSG 0 2 *'])('100,000 frames of no octet, %s', async (head) => {
    const { peer, session } = await onChannel('u:silent')
    await pour(peer, 1000, () => peer.frame(head))
    await arrived(session, head === 'MSG 1 0 *' ? 1 : 0, 1000)
    await served()
    await within(NOTHING)
    await pour(peer, 99_000, () => peer.frame(head))
    expect(await endOf(session)).toMatchObject(terminated('limits/empty-frames'))
    await within(NOTHING, 'afterwards')
  })

  test('a million frames of one octet that nobody reads', async () => {
    const { peer, session } = await onChannel('u:silent')
    await pour(peer, 4096, (n) => peer.frame('MSG 1 0 *', '\r\n'[n] ?? 'x'))
    await arrived(session, 1, 4096)
    await served()
    await within(NOTHING)
    await pour(peer, 1_000_000, () => peer.frame('MSG 1 0 *', 'x'))
    expect(await endOf(session)).toMatchObject(terminated(WINDOW))
    await within(NOTHING, 'afterwards')
  })

  test('an entity bomb on channel 0, a hundred times', async () => {
    const peer = await attacker()
    const bomb = Array.from({ length: 10 }, (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`).join('')
    const start = `<!DOCTYPE b [<!ENTITY e0 "ha">${bomb}]><start number='1'>&e10;</start>`
    for (let n = 1; n <= 100; n++) {
      peer.say(peer.management(`MSG ${n}`, start))
      await peer.expect(new RegExp(`ERR 0 ${n} [\\s\\S]*?<error code='500'[\\s\\S]*?END\\r\\n`))
      // We took it: the window is open for the next.
      peer.say(`SEQ 0 ${saidOnZero(peer)} 4096\r\n`)
    }
    await served()
    await within(NOTHING)
  })
})

describe('messages that cost no window', () => {
  test('requests of no octet that are never answered', async () => {
    const { peer, session } = await onChannel('u:silent')
    await pour(peer, 4096, (n) => peer.frame(`MSG 1 ${n}`))
    await arrived(session, 1, 4096)
    await served()
    await within(COUNTED)
    await pour(peer, 100_000, (n) => peer.frame(`MSG 1 ${4096 + n}`))
    expect(await endOf(session)).toMatchObject(terminated('limits/unanswered'))
    await within(NOTHING, 'afterwards')
  })

  test('requests of no octet on ten channels at once', async () => {
    const { peer, session } = await onChannel('u:silent')
    for (let number = 3; number <= 21; number += 2) await rawStart(peer, number, 'u:silent', number)
    for (let number = 1; number < 20; number += 2) await pour(peer, 4096, (n) => peer.frame(`MSG ${number} ${n}`))
    await arrived(session, 19, 4096)
    await served()
    await within(TEN_TIMES)
    peer.say(peer.frame('MSG 21 0'))
    expect(await endOf(session)).toMatchObject(terminated('limits/unanswered'))
    await within(NOTHING, 'afterwards')
  })

  test('requests of nothing but entity headers, cut in two, that are never answered', async () => {
    const attack = await onChannel('u:silent')
    const { peer, session } = attack
    const headers = `${Array.from({ length: 500 }, (_, n) => `x${n}:\r\n`).join('')}\r\n`
    const request = (n: number) => peer.frame(`MSG 1 ${n} *`, headers.slice(0, -1)) + peer.frame(`MSG 1 ${n}`, '\n')
    const rounds = await press(attack, 1, headers.length, 4000, request)
    expect(rounds).toBeLessThan(10)
    await served()
    await within(NOTHING)
    await pour(peer, 10, (n) => request(rounds + n))
    expect(await endOf(session)).toMatchObject(terminated(WINDOW))
    await within(NOTHING, 'afterwards')
  })

  test('requests of no octet on channel 0', async () => {
    const { peer, session } = await onChannel('u:silent')
    await pour(peer, 4000, (n) => peer.frame(`MSG 0 ${2 + n}`))
    await arrived(session, 0, 4002)
    await served()
    await within(COUNTED)
    await pour(peer, 100_000, (n) => peer.frame(`MSG 0 ${4002 + n}`))
    expect(await endOf(session)).toMatchObject(terminated('limits/unanswered'))
    await within(NOTHING, 'afterwards')
  })

  test('fresh answer numbers without end', async () => {
    const { peer, session, close } = await asInitiator()
    await pour(peer, 1024, (n) => peer.frame('ANS 1 0 *', '', n))
    await arrived(session, 1, 1024)
    await served()
    await within(NOTHING)
    await pour(peer, 100_000, (n) => peer.frame('ANS 1 0 *', '', 1024 + n))
    expect(await endOf(session)).toMatchObject(terminated('limits/answers'))
    close()
    await within(NOTHING, 'afterwards')
  })

  test('answers of no octet that nobody reads', async () => {
    const { peer, session, close } = await asInitiator()
    await pour(peer, 4096, (n) => peer.frame('ANS 1 0', '', n))
    await arrived(session, 1, 4096)
    await served()
    await within(COUNTED)
    await pour(peer, 100_000, (n) => peer.frame('ANS 1 0', '', n))
    expect(await endOf(session)).toMatchObject(terminated('limits/answers'))
    close()
    await within(NOTHING, 'afterwards')
  })

  test('answers of nothing but an empty line that nobody reads', async () => {
    const { peer, session, close } = await asInitiator()
    await pour(peer, 2048, (n) => peer.frame('ANS 1 0', '\r\n', n))
    await arrived(session, 1, 2048)
    await served()
    await within(COUNTED)
    await pour(peer, 100_000, (n) => peer.frame('ANS 1 0', '\r\n', n))
    expect(await endOf(session)).toMatchObject(terminated(WINDOW))
    close()
    await within(NOTHING, 'afterwards')
  })
})

describe('peers that do not take what they asked for', () => {
  const request = (peer: RawPeer, msgno: number) => peer.frame(`MSG 1 ${msgno}`, `\r\n${'x'.repeat(1022)}`)

  test.each([
    ['reads nothing', 'SEQ 1 0 2147483647\r\n'],
    ['gives no credit', ''],
  ])('20,000 requests of 1 KiB from a peer that %s', async (how, first) => {
    const attack = await onChannel(ECHO)
    const { peer, session } = attack
    if (how === 'reads nothing') peer.stream.pause()
    peer.say(first)
    const four = (n: number) => [0, 1, 2, 3].map((each) => request(peer, 4 * n + each)).join('')
    const rounds = await press(attack, 1, 4096, 5000, four)
    expect(rounds).toBeLessThan(5000)
    await served()
    await within(REPLIES, `after ${4 * rounds}`)
    await pour(peer, 10_000, (n) => request(peer, 20_000 + n))
    expect(await endOf(session)).toMatchObject(terminated(WINDOW))
    await within(NOTHING, 'afterwards')
  })

  test.each([
    // The way to the peer is stuffed with 64 MiB first, or the kernel would take all the replies.
    ['reads nothing', 'u:large', (peer: RawPeer) => `SEQ 1 0 2147483647\r\n${peer.frame('MSG 1 0', '\r\n')}`],
    ['gives no credit', 'u:silent', () => ''],
  ])('10,000 starts from a peer that %s', async (how, uri, first) => {
    const attack = await onChannel(uri)
    const { peer, session } = attack
    if (how === 'reads nothing') peer.stream.pause()
    peer.say(first(peer))
    const payload = (n: number) => `${BEEP_XML}<start number='${20_001 + 2 * n}'><profile uri='u:silent' /></start>`
    const start = (n: number) => peer.frame(`MSG 0 ${10_000 + n}`, payload(n))
    const rounds = await press(attack, 0, payload(0).length, 10_000, start)
    expect(rounds).toBeLessThan(10_000)
    await served()
    await within(REPLIES, `after ${rounds}, with ${(await look(session, 0)).channels} channels`)
    await pour(peer, 10_000, (n) => start(rounds + n))
    expect(await endOf(session)).toMatchObject(terminated(WINDOW))
    await within(NOTHING, 'afterwards')
  })

  test.each([
    ['64 MiB', 'u:large', /RPY 1 0 [\s\S]{4096}/],
    ['answers without end', 'u:endless', /ANS 1 0 [\s\S]{4096}/],
  ])('%s to a peer that gives no credit', async (_what, uri, beginning) => {
    const { peer, session } = await onChannel(uri)
    peer.say(peer.frame('MSG 1 0', '\r\n'))
    await peer.expect(beginning)
    await served()
    await within(REPLIES)
    expect((await look(session, 1)).end).toBeUndefined()
    peer.stream.destroy()
    expect(await endOf(session)).toMatchObject({ kind: 'terminated', by: 'peer' })
    await within(NOTHING, 'afterwards')
  })

  test.each([
    ['64 MiB', 'u:large'],
    ['answers without end', 'u:endless'],
  ])('%s to a peer that gives all credit and reads nothing', async (_what, uri) => {
    const { peer, session } = await onChannel(uri)
    peer.stream.pause()
    peer.say(`SEQ 1 0 2147483647\r\n${peer.frame('MSG 1 0', '\r\n')}`)
    await arrived(session, 1, 1)
    await served()
    await within(REPLIES)
    expect((await look(session, 1)).end).toBeUndefined()
    peer.stream.destroy()
    expect(await endOf(session)).toMatchObject({ kind: 'terminated', by: 'peer' })
    await within(NOTHING, 'afterwards')
  })

  /** 1000 channels, each with a window of 4096 octets and never more. */
  const thousand = async (uri: string) => {
    const attack = await onChannel(uri)
    const { peer } = attack
    peer.say(`SEQ 0 ${saidOnZero(peer)} 2147483647\r\n`)
    for (let number = 3; number < 2000; number += 2) await rawStart(peer, number, uri, number)
    return attack
  }

  test('echoes that may not leave keep no more than themselves of what came with them', async () => {
    const { peer, session } = await onChannel(ECHO)
    const ballast = 'SEQ 1 0 0\r\n'.repeat(5000)
    await pour(peer, 1000, (n) => ballast + peer.frame(`MSG 1 ${n}`, '\r\nx') + ballast)
    await arrived(session, 1, 1000)
    await within(COUNTED)
  })

  test('answers without end on each of 1000 channels, to a peer that gives no credit', async () => {
    const { peer, session } = await thousand('u:endless')
    await begin()
    for (let number = 1; number < 2000; number += 2) peer.say(peer.frame(`MSG ${number} 0`, '\r\n'))
    await arrived(session, 1999, 1)
    await peer.expect(/ANS 1999 0 \* 3078 1018 3\r\n/)
    await served()
    await within(SESSION, 'begun at once')
    // An octet at a time makes none of them give more than it may.
    for (let ackno = 1; ackno <= 8; ackno++)
      for (let number = 1; number < 2000; number += 2) peer.say(`SEQ ${number} ${ackno} 4096\r\n`)
    await served()
    await within(SESSION, 'with a little credit')
    expect((await look(session, 1)).end).toBeUndefined()
  })

  test('64 MiB on each of 1000 channels, to a peer that gives no credit', async () => {
    const { peer, session } = await thousand('u:large')
    await begin()
    for (let number = 1; number < 2000; number += 2) {
      peer.say(peer.frame(`MSG ${number} 0`, '\r\n'))
      await arrived(session, number, 1)
    }
    await served()
    await within(SESSION)
    expect((await look(session, 1)).end).toBeUndefined()
  })
})
