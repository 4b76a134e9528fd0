// Targets that are broken in one way each: the case that is about it fails, and says what happened, where, by which rule.
import { Buffer } from 'node:buffer'
import { expect, test } from '@jest/globals'
import { INITIAL_WINDOW } from '../src/beep/limits.js'
import { run } from './harness/run.js'
import { CASES } from './index.js'
import { ECHO, ownInitiator, ownListener } from './test-kit-own.js'
import { type From, type Passing, type Spoiler, spoilt, written } from './test-kit-spoilt.js'

function textOf(frame: Passing): string {
  return frame.kind === 'data' ? frame.payload.toString('latin1') : ''
}

/** Whether the frame is a MSG that asks for the release of the session. */
function isRelease(frame: Passing): boolean {
  const releases = /<close(?![^>]*number=['"][1-9])/.test(textOf(frame))
  return releases && frame.kind === 'data' && frame.channel === 0 && frame.keyword === 'MSG'
}

/** Whether the frame is the ERR of the judge to a release. */
function isRefusal(frame: Passing, from: From): boolean {
  return from === 'judge' && frame.kind === 'data' && frame.keyword === 'ERR' && textOf(frame).includes('still working')
}

/** Says something in clear behind its `<proceed />` or `<ready />`. */
function goesOnBehind(element: string): Spoiler {
  return () => (frame, from) => {
    const last = from === 'target' && textOf(frame).includes(element)
    return last ? Buffer.concat([written(frame), Buffer.from('SEQ 0 100 4096\r\n')]) : written(frame)
  }
}

/** Says something in clear before the first octets of its TLS. */
const goesOnInHandshake: Spoiler = () => (frame, from) =>
  from === 'target' && frame.kind === 'garbage'
    ? Buffer.concat([Buffer.from('SEQ 0 100 4096\r\n'), frame.octets])
    : written(frame)

/** Serves no channel any more as soon as such a frame passes. */
function deafFrom(begins: (frame: Passing, from: From) => boolean): Spoiler {
  return () => {
    let deaf = false
    return (frame, from) => {
      deaf ||= begins(frame, from)
      const request = from === 'judge' && frame.kind === 'data' && frame.keyword === 'MSG' && frame.channel > 0
      return deaf && request ? '' : written(frame)
    }
  }
}

/** Has one number for all requests on its channel. */
const oneNumber: Spoiler = () => (frame, from) => {
  const asks = from === 'target' && frame.kind === 'data' && frame.keyword === 'MSG' && frame.channel > 0
  return written(asks ? { ...frame, msgno: 0 } : frame)
}

/** Refuses a frame that uses a window up. */
const oneLess: Spoiler = () => {
  const edges = new Map<number, number>()
  return (frame, from) => {
    if (from === 'target' && frame.kind === 'seq') edges.set(frame.channel, frame.ackno + frame.window)
    if (from === 'target' || frame.kind !== 'data' || frame.size === 0) return written(frame)
    return frame.seqno + frame.size === (edges.get(frame.channel) ?? INITIAL_WINDOW) ? 'end' : written(frame)
  }
}

/** Reads 16 bits of a window. */
const sixteenBits: Spoiler = () => (frame, from) =>
  written(from === 'judge' && frame.kind === 'seq' ? { ...frame, window: frame.window % 65_536 } : frame)

/** Goes when its release is refused. */
const goesWhenRefused: Spoiler = () => (frame, from) => (isRefusal(frame, from) ? 'end' : written(frame))

/** Sends no SEQ for a channel on which it has something to say. */
const seqBehindReplies: Spoiler = () => {
  const speaking = new Set<number>()
  return (frame, from) => {
    if (from === 'target' && frame.kind === 'data' && frame.channel > 0) speaking.add(frame.channel)
    return from === 'target' && frame.kind === 'seq' && speaking.has(frame.channel) ? '' : written(frame)
  }
}

/** Says credit for a channel when it is closed. */
const seqBehindOk: Spoiler = () => {
  const received = new Map<number, number>()
  return (frame, from) => {
    if (frame.kind !== 'data') return written(frame)
    if (from === 'judge') received.set(frame.channel, frame.seqno + frame.size)
    const [channel] = [...received.keys()].filter((each) => each > 0)
    const ok = channel !== undefined && textOf(frame).includes('<ok')
    return ok ? Buffer.concat([written(frame), Buffer.from(`SEQ ${channel} ${received.get(channel)} 4096\r\n`)]) : written(frame)
  }
}

/** Takes no answer with the number of the one before, while others are unfinished. */
const numberOnce: Spoiler = () => {
  const unfinished = new Set<number>()
  let before: number | undefined
  return (frame, from) => {
    if (from !== 'judge' || frame.kind !== 'data' || frame.ansno === undefined) return written(frame)
    if (frame.ansno === before && !unfinished.has(frame.ansno) && unfinished.size > 0) return 'end'
    before = frame.ansno
    if (frame.more) unfinished.add(before)
    else unfinished.delete(before)
    return written(frame)
  }
}

test.each<[what: string, role: 'listener' | 'initiator' | 'pipelining', id: string, spoiler: Spoiler, says: RegExp]>([
  [
    'says a SEQ in clear behind <proceed />',
    'listener',
    'rfc3080/3/greets-anew',
    goesOnBehind('<proceed'),
    /^SEQ 0 100 4096 came in clear behind its <proceed \/>.*no SEQ either \(RFC 3080 §3\.1\.3\.2\): say what is due before it/,
  ],
  [
    'says a SEQ in clear where its handshake is due',
    'listener',
    'rfc3080/3/greets-anew',
    goesOnInHandshake,
    /^"SEQ 0 100 4096.* came in clear behind its <proceed \/>/,
  ],
  [
    'says a SEQ in clear behind <ready />',
    'initiator',
    'rfc3080/3.1/proceeds',
    goesOnBehind('<ready'),
    /^SEQ 0 100 4096 came in clear behind its <ready \/>.*\(RFC 3080 §3\.1\.3\.1\)/,
  ],
  [
    'says a SEQ in clear where its handshake is due',
    'initiator',
    'rfc3080/3.1/proceeds',
    goesOnInHandshake,
    /^"SEQ 0 100 4096.* came in clear behind its <ready \/>/,
  ],
  [
    'uses a number that is in use',
    'pipelining',
    'rfc3080/2.2.1.1/sends-different-numbers',
    oneNumber,
    /a second MSG 1 0 came before the first had its whole reply.*\(RFC 3080 §2\.2\.1\.1, R3080-2\.2\.1\.1-06\)$/,
  ],
  [
    'uses a number that is in use',
    'pipelining',
    'rfc3080/2.4/said',
    oneNumber,
    /^the target ended .*; the target sent what no peer may send: a second MSG 1 0 came/,
  ],
  [
    'refuses the last octet of a window',
    'listener',
    'rfc3081/3.1.1/first-window-is-taken',
    oneLess,
    /our frame MSG 1 0 \. 0 4096 filled the window of channel 1 to its last octet.*\(RFC 3081 §3\.1\.2\)/,
  ],
  [
    'refuses the last octet of a window',
    'initiator',
    'rfc3081/3.1.1/first-window-is-taken',
    oneLess,
    /our frame MSG 1 0 \. 0 4096 filled the window of channel 1 to its last octet/,
  ],
  [
    'refuses the last octet of a window',
    'listener',
    'rfc3081/3/two-windows',
    oneLess,
    /inside MSG 1 0 of ours: 4096 of its 8192 octets were sent; our frame MSG 1 0 \* 0 4096 filled the window/,
  ],
  [
    'reads 16 bits of a window',
    'listener',
    'rfc3081/3.1.1/wide-window-from-the-start',
    sixteenBits,
    /on channel 1 0 octets came on our SEQ 1 0 65536, and 0 is what 16 bits hold of its window.*\(RFC 3081 §3\.1\.3\)/,
  ],
  [
    'reads 16 bits of a window',
    'initiator',
    'rfc3081/3.1.1/wide-window-from-the-start',
    sixteenBits,
    /on channel 1 0 octets came on our SEQ 1 0 65536/,
  ],
  [
    'reads 16 bits of a window',
    'listener',
    'rfc3081/3.1.4/frame-size',
    sixteenBits,
    /on channel 1 16960 octets came on our SEQ 1 0 1000000, and 16960 is what 16 bits hold/,
  ],
  [
    'goes when its release is refused',
    'initiator',
    'rfc3080/2.4/said-and-refused',
    goesWhenRefused,
    /^it ended the connection \(closed\) when its release, MSG 0 3, was refused by our ERR 0 3 with code 550.*\(RFC 3080 §2\.4\)/,
  ],
  [
    'is deaf while its release has no answer',
    'initiator',
    'rfc3080/2.4/said-and-still-serving-channels',
    deafFrom(isRelease),
    /^while its release \(MSG 0 3\) has no answer, MSG 2 0 of ours was not served/,
  ],
  [
    'is deaf after its release was refused',
    'initiator',
    'rfc3080/2.4/said-and-refused-still-serving',
    deafFrom(isRefusal),
    /^after its release \(MSG 0 3\) was refused with 550, MSG 2 0 of ours was not served/,
  ],
  [
    'says SEQ behind its replies',
    'listener',
    'rfc3081/3.1.4/seq-while-a-reply-waits',
    seqBehindReplies,
    /^no SEQ came for channel 1, on which we have room for 0 octets.*\(RFC 3081 §3\.1\.4/,
  ],
  [
    'says SEQ behind <ok />',
    'listener',
    'rfc3081/3.1.1/no-late-seq-after-ok',
    seqBehindOk,
    /^SEQ 1 1000 4096 came behind the <ok \/> \(RPY 0 2\) with which it closed channel 1/,
  ],
  [
    'takes no number of answers twice',
    'initiator',
    'rfc3080/2.2.1.1/answers-with-numbers-again',
    numberOnce,
    /after a reply that is lawful; the target ended the connection/,
  ],
])('one that %s: %s, %s', async (_, role, id, spoiler, says) => {
  const own = role === 'listener' ? ownListener() : ownInitiator(role === 'pipelining')
  const { cases } = await run({
    target: spoilt(own, spoiler),
    name: 'spoilt',
    profile: ECHO,
    cases: CASES.filter((each) => each.id === id),
    patience: 1000,
    concurrency: 1,
    seed: 1,
    strict: true,
    tls: true,
  })
  expect(cases.map(({ outcome, saw }) => [outcome, saw])).toEqual([
    [expect.stringMatching(/failed|weak/), expect.stringMatching(says)],
  ])
})
