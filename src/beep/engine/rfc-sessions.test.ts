// The sessions that RFC 3080 prints, played by an engine on either side: it understands every frame, and says the same at the same place.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { type Element, parseElement } from '../wire/elements.js'
import { parseTranscript, type Side } from '../wire/transcript.js'
import { Engine } from './engine.js'
import type { Event } from './events.js'
import { BX, drain, type Frame, feed, heard, octets, readFrames, text, writeFrame } from './test-kit.js'

interface Step {
  readonly from: Side
  readonly frame: Frame
}

/** The frames of a fixture; of a session that is tuned, those before the negotiation or those after it. */
function steps(file: string, part: 'first' | 'second' = 'first'): Step[] {
  const transcript = readFileSync(new URL(`../../../fixtures/rfc3080/${file}.txt`, import.meta.url), 'utf8')
  const [first = '', second = ''] = transcript.split(/^\.\.\. .* \.\.\.$/m)
  return parseTranscript(part === 'first' ? first : second).flatMap((entry) =>
    'octets' in entry ? readFrames(text(entry.octets)).map((frame) => ({ from: entry.from, frame })) : [],
  )
}

/** Greetings of 52 octets by I and as many by L as an excerpt supposes. */
function greetings(size: number): Step[] {
  const greeting = (length: number) => `${BX}<greeting${' '.repeat(length - BX.length - 14)} />\r\n`
  const frame = (length: number) => readFrames(`RPY 0 0 . 0 ${length}\r\n${greeting(length)}END\r\n`)[0]!
  return [
    { from: 'L', frame: frame(size) },
    { from: 'I', frame: frame(52) },
  ]
}

/** What the octets of a message of channel 0 say; initialization messages without the white space that the RFC puts around them. */
function said({ payload }: Frame): Element {
  const element = parseElement(octets(payload.slice(payload.indexOf('\r\n\r\n') + 4)))
  const trim = (content: Uint8Array | undefined) => (content === undefined ? {} : { content: text(content).trim() })
  if (element.name === 'profile') return { ...element, ...trim(element.content) } as unknown as Element
  if (element.name !== 'start') return element
  return { ...element, profiles: element.profiles.map((each) => ({ ...each, ...trim(each.content) })) } as unknown as Element
}

/** Says with the engine's commands what a frame of the transcript says. */
function command(engine: Engine, { word, channel, msgno, payload }: Frame, asked: readonly Event[]): void {
  if (channel !== 0) {
    engine.send(channel, word as 'MSG', msgno, 0, [octets(payload)])
    return
  }
  const element = parseElement(octets(payload.slice(BX.length)))
  const last = asked.findLast((event) => event.type === 'start' || event.type === 'close')
  const number = last !== undefined && 'channel' in last ? last.channel : 0
  if (element.name === 'greeting') engine.greet(element)
  else if (element.name === 'start') expect(engine.start(element.profiles)).toBe(element.number)
  else if (element.name === 'profile') engine.accept(number, element.uri, element.content)
  else if (element.name === 'close') engine.close(element.number, element.code, element.text)
  else if (element.name === 'ok') engine.agree(number)
  else if (msgno === 0) engine.refuseSession(element.code)
  else if (last?.type === 'start') engine.decline(number, element.code, element.text)
  else if (last?.type === 'close') engine.refuse(number, element.code, element.text)
}

/** Plays one side. @returns what it was told */
function play(session: readonly Step[], side: Side, size: number): Event[] {
  const engine = new Engine(side === 'I' ? 'initiator' : 'listener')
  const events: Event[] = []
  for (const { from, frame } of session) {
    if (from !== side) {
      events.push(...feed(engine, writeFrame(frame), size))
      continue
    }
    command(engine, frame, events)
    const [own, ...others] = readFrames(heard(engine)).filter(({ word }) => word !== 'SEQ')
    expect(others).toEqual([])
    expect(own).toMatchObject({ word: frame.word, channel: frame.channel, msgno: frame.msgno, more: frame.more })
    if (frame.channel !== 0) expect(own?.payload).toBe(frame.payload)
    // The RFC leaves out the languages that texts are in.
    else expect({ ...said(own!), lang: undefined }).toEqual({ ...said(frame), lang: undefined })
    events.push(...drain(engine))
  }
  expect(engine.state).not.toBe('terminated')
  return events
}

const tuned = steps('3-tls', 'second')
const authenticating = [...tuned, ...steps('4.1.1-otp-challenge')]

describe('printed sessions', () => {
  test.each<[name: string, session: Step[], ofI: string[], ofL: string[]]>([
    ['§2.3.1.1 greetings', steps('2.3.1.1-greeting'), ['greeting'], ['greeting']],
    ['§2.4 greetings', steps('2.4-greeting'), ['greeting'], ['greeting']],
    ['§3 TLS, before', steps('3-tls'), ['greeting', 'started'], ['greeting', 'start']],
    ['§3 TLS, after', tuned, ['greeting'], ['greeting']],
    ['§3 TLS that fails, before', steps('3-tls-failed'), ['greeting', 'started'], ['greeting', 'start']],
    ['§3 TLS that fails, after', steps('3-tls-failed', 'second'), ['greeting'], ['greeting']],
    ['§2.3.1.2 a start', [...tuned, ...steps('2.3.1.2-start-accepted')], ['greeting', 'started'], ['greeting', 'start']],
    [
      '§2.3.1.2 initialization',
      [...steps('2.4-greeting'), ...steps('2.3.1.2-initialization')],
      ['greeting', 'started'],
      ['greeting', 'start'],
    ],
    ['§2.4 a release', [...greetings(264), ...steps('2.4-release')], ['greeting', 'closed'], ['greeting', 'close', 'closed']],
    [
      '§2.4 a release that is declined',
      [...greetings(264), ...steps('2.4-release-declined')],
      ['greeting', 'closeRefused'],
      ['greeting', 'close'],
    ],
    ['§2.7 the same number twice', [...tuned, ...steps('2.7-same-number')], ['greeting', 'start'], ['greeting', 'start']],
    ['§3.1.1 ready', [...steps('2.4-greeting'), ...steps('3.1.1-ready')], ['greeting', 'started'], ['greeting', 'start']],
    [
      '§3.1.1 ready that is refused',
      [...steps('2.4-greeting'), ...steps('3.1.1-ready-refused')],
      ['greeting', 'started'],
      ['greeting', 'start'],
    ],
    ['§4.1.1 one of several profiles', [...tuned, ...steps('4.1.1-profiles')], ['greeting', 'started'], ['greeting', 'start']],
    ['§4.1.1 CRAM-MD5', [...tuned, ...steps('4.1.1-cram-md5')], ['greeting', 'started'], ['greeting', 'start']],
    ['§4.1.1 too weak', [...tuned, ...steps('4.1.1-otp-too-weak')], ['greeting', 'started'], ['greeting', 'start']],
    [
      '§4.1.1 and §2.3.1.3 OTP, complete, and the close of its channel',
      [...authenticating, ...steps('4.1.1-otp-complete'), ...steps('2.3.1.3-close-accepted')],
      ['greeting', 'started', 'message', 'closed'],
      ['greeting', 'start', 'message', 'close', 'closed'],
    ],
    [
      '§4.1.1 and §2.3.1.3 OTP, rejected, and a close that is declined',
      [...authenticating, ...steps('4.1.1-otp-rejected'), ...steps('2.3.1.3-close-declined')],
      ['greeting', 'started', 'message', 'closeRefused'],
      ['greeting', 'start', 'message', 'close'],
    ],
  ])('%s', (_name, session, ofI, ofL) => {
    for (const size of [1, 10_000]) {
      expect(types(play(session, 'I', size))).toEqual(ofI)
      expect(types(play(session, 'L', size))).toEqual(ofL)
    }
  })

  test('§2.4 a listener that is not available: the session is over on both sides', () => {
    const session = steps('2.4-unavailable')
    const i = new Engine('initiator')
    i.greet({})
    heard(i)
    expect(feed(i, writeFrame(session[0]!.frame))).toMatchObject([{ type: 'refused', error: { replyCode: 421 } }])
    const l = new Engine('listener')
    l.refuseSession(421)
    heard(l)
    expect(feed(l, writeFrame(session[1]!.frame))).toEqual([])
    expect([i.state, l.state]).toEqual(['released', 'released'])
  })

  test('§2.3.1.2 a start with a number of the wrong parity is declined as printed, by the engine itself', () => {
    const [start, refusal] = steps('2.3.1.2-start-declined')
    const engine = new Engine('listener')
    for (const { from, frame } of tuned) {
      if (from === 'I') feed(engine, writeFrame(frame))
      else command(engine, frame, [])
    }
    heard(engine)
    expect(feed(engine, writeFrame(start!.frame))).toEqual([])
    const [own] = readFrames(heard(engine))
    expect(own).toMatchObject({ word: 'ERR', msgno: 1, seqno: expect.any(Number) })
    expect(said(own!)).toMatchObject({ name: 'error', code: (said(refusal!.frame) as { code: number }).code })
  })

  test.each(['2.2.1.1-empty-frame', '2.2.1.1-interleaved-answers'])(
    '%s: the frames are read, and are what is printed',
    (file) => {
      const wire = steps(file).map(({ frame }) => writeFrame(frame))
      const transcript = readFileSync(new URL(`../../../fixtures/rfc3080/${file}.txt`, import.meta.url), 'utf8')
      expect(wire.join('')).toBe(
        parseTranscript(transcript)
          .map((entry) => ('octets' in entry ? text(entry.octets) : ''))
          .join(''),
      )
    },
  )
})

/** Without the pieces that an entity cut octet by octet comes in. */
function types(events: readonly Event[]): string[] {
  return events.filter((event) => event.type !== 'data').map((event) => event.type)
}
