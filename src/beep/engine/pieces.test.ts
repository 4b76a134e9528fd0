// A message of channel 0 is what it is however it comes: in one chunk, cut at any octet, or in two frames; its entity headers hold for all of it.
import { describe, expect, test } from '@jest/globals'
import { Engine } from './engine.js'
import { feed, heard, L, Peer, readFrames } from './test-kit.js'

const XML = '<start number="1"><profile uri="u:x" /></start>'
const ENTITIES: readonly [what: string, entity: string, code: string][] = [
  ['another type', `Content-Type: text/plain\r\n\r\n${XML}`, '500'],
  ['no headers, which is lawful, too (A28)', `\r\n${XML}`, '550'],
  ['a charset that is not read', `Content-Type: application/beep+xml; charset=utf-16\r\n\r\n${XML}`, '504'],
  ['what is lawful, and declined', `Content-Type: application/beep+xml; charset=utf-8\r\nX-A: b\r\n\r\n${XML}`, '550'],
]

/** The code with which the engine refuses a start that comes as `make` says it. */
function refusal(wire: (peer: Peer) => string, size: number): string {
  const peer = L()
  const octets = wire(peer)
  for (const event of feed(peer.engine, octets, size)) if (event.type === 'start') peer.engine.decline(1, 550, 'no')
  return /code='(\d+)'/.exec(readFrames(heard(peer.engine))[0]?.payload ?? '')?.[1] ?? 'none'
}

describe.each(ENTITIES)('%s', (_what, entity, code) => {
  test('in one chunk, and cut after so many octets', () => {
    const whole = (peer: Peer) => peer.frame('MSG', 0, 1, entity)
    expect(refusal(whole, 4096)).toBe(code)
    for (let size = 1; size < entity.length + 30; size++) expect([size, refusal(whole, size)]).toEqual([size, code])
  })

  test('in two frames, parted anywhere', () => {
    for (let at = 1; at < entity.length; at++) {
      const parted = (peer: Peer) =>
        peer.frame('MSG', 0, 1, entity.slice(0, at), true) + peer.frame('MSG', 0, 1, entity.slice(at))
      expect([at, refusal(parted, 4096)]).toEqual([at, code])
    }
  })
})

test('a greeting that is none is none in pieces, too; and what one message said holds for no other', () => {
  for (const size of [4096, 40, 1]) {
    const peer = new Peer('initiator')
    peer.engine.greet({})
    const events = feed(peer.engine, peer.frame('RPY', 0, 0, 'Content-Type: text/plain\r\n\r\n<greeting />'), size)
    expect(events.at(-1)).toMatchObject({ type: 'terminated', by: 'us' })
    const next = L()
    feed(next.engine, next.frame('MSG', 0, 1, `Content-Type: text/plain\r\n\r\n${XML}`), size)
    const [start] = feed(next.engine, next.frame('MSG', 0, 2, `Content-Type: application/beep+xml\r\n\r\n${XML}`), size)
    expect(start).toMatchObject({ type: 'start', channel: 1 })
  }
})

describe('an engine that has not greeted', () => {
  test('R3080-2.4-01 says nothing else first', () => {
    const engine = new Engine('initiator')
    expect(() => engine.close(0)).toThrow(TypeError)
    const peer = new Peer('listener')
    peer.manage('RPY', 0, '<greeting />')
    expect(() => peer.engine.start([{ uri: 'u:x' }])).toThrow(TypeError)
    peer.manage('MSG', 1, XML)
    expect(() => peer.engine.accept(1, 'u:x')).toThrow(TypeError)
    expect(() => peer.engine.decline(1, 550)).toThrow(TypeError)
    expect(heard(engine) + heard(peer.engine)).toBe('')
    peer.engine.greet({})
    peer.engine.accept(1, 'u:x')
    expect(readFrames(heard(peer.engine)).map(({ word, msgno }) => `${word} ${msgno}`)).toEqual(['RPY 0', 'RPY 1'])
  })

  test('R3080-2.4-02 and refuses the session hears nothing more of the peer', () => {
    const peer = new Peer('listener')
    peer.engine.refuseSession(421)
    expect(peer.manage('RPY', 0, '<greeting />')).toEqual([])
    expect(peer.manage('MSG', 1, XML)).toEqual([])
    expect(peer.heard().map(({ word }) => word)).toEqual(['ERR'])
    expect(peer.engine.state).toBe('released')
  })
})
