// When what has come is handled, and when what is said leaves: at once what a handler says at once, else when the turn ends, and always what was said together in one write.
import { Duplex, PassThrough } from 'node:stream'
import { expect, test } from '@jest/globals'
import { attach, type Profile } from './index.js'
import { BULK, MAX_TURN, MAX_TURNS } from './limits.js'
import { RawPeer } from './test-kit-peer.js'
import { Turn } from './turn.js'

/** A transport that keeps what is written to it, an entry for each write that is more than credit, which has a time of its own; what comes is pushed by hand and heard before `push` returns. */
class Recorder extends Duplex {
  readonly writes: string[] = []

  override _read(): void {}

  override _write(octets: Buffer, _: string, done: () => void): void {
    this.#keep(octets)
    done()
  }

  override _writev(pieces: { chunk: Buffer }[], done: () => void): void {
    this.#keep(Buffer.concat(pieces.map(({ chunk }) => chunk)))
    done()
  }

  #keep(octets: Buffer): void {
    const written = octets.toString('latin1')
    if (!/^(SEQ [0-9 ]+\r\n)+$/.test(written)) this.writes.push(written)
  }
}

const atOnce: Profile = { uri: 'u:at-once', message: () => 'now' }
const later: Profile = { uri: 'u:later', message: async (message) => message.text() }

/** A listener with a channel of each profile: 1 and 3. */
async function listener() {
  const transport = new Recorder()
  const peer = new RawPeer(new PassThrough())
  const attached = attach(transport, 'listener', { profiles: [atOnce, later] })
  transport.push(Buffer.from(peer.management('RPY 0', '<greeting />')))
  await attached
  transport.push(
    Buffer.from(
      peer.management('MSG 1', "<start number='1'><profile uri='u:at-once' /></start>") +
        peer.management('MSG 2', "<start number='3'><profile uri='u:later' /></start>"),
    ),
  )
  await turn()
  transport.writes.length = 0
  const say = (channel: number, bodies: readonly string[]) =>
    transport.push(Buffer.from(bodies.map((body, msgno) => peer.frame(`MSG ${channel} ${msgno}`, `\r\n${body}`)).join('')))
  return { transport, say }
}

/** The event loop has gone round. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function replies(written: string | undefined): number {
  return written?.match(/^RPY/gm)?.length ?? 0
}

test('what handlers say at once has left when the octets have been handled, all of it in one write', async () => {
  const { transport, say } = await listener()
  say(1, ['a', 'b', 'c'])
  expect(transport.writes.map(replies)).toEqual([3])
  await turn()
  expect(transport.writes).toHaveLength(1)
})

test('what handlers say after they waited leaves in one write when no promise is left to continue', async () => {
  const { transport, say } = await listener()
  say(3, ['a', 'b', 'c'])
  expect(transport.writes).toEqual([])
  await turn()
  expect(transport.writes.map(replies)).toEqual([3])
})

test('behind a handler that takes its time what others say at once waits for the same write', async () => {
  const { transport } = await listener()
  const frames = 'MSG 3 0 . 0 3\r\n\r\naEND\r\nMSG 1 0 . 0 3\r\n\r\nbEND\r\n'
  transport.push(Buffer.from(frames))
  await turn()
  expect(transport.writes.map(replies)).toEqual([2])
})

test('in bulk it leaves when the event loop has read what there is', async () => {
  const { transport, say } = await listener()
  const many = Array.from({ length: 700 }, () => 'x')
  say(1, many)
  expect(transport.writes).toEqual([])
  await turn()
  expect(transport.writes.map(replies)).toEqual([700])
})

test('in bulk what comes in several chunks is answered together, whatever their size', async () => {
  const { transport } = await listener()
  const credit = 'SEQ 1 0 4096\r\n'.repeat(2000)
  for (const [n, more] of [credit, '', credit].entries())
    transport.push(Buffer.from(`MSG 1 ${n} . ${3 * n} 3\r\n\r\nxEND\r\n${more}`))
  await turn()
  expect(transport.writes.map(replies)).toEqual([3])
})

test('of a stream that never lets the event loop go on it is handled all the same', async () => {
  const { transport } = await listener()
  const credit = Buffer.from('SEQ 1 0 4096\r\n'.repeat(4681))
  transport.push(Buffer.concat([Buffer.from('MSG 1 0 . 0 3\r\n\r\nxEND\r\n'), credit]))
  for (let octets = credit.length; octets < MAX_TURN; octets += credit.length) {
    expect(transport.writes).toEqual([])
    transport.push(credit)
  }
  for (let n = 0; n < 3; n++) await new Promise<void>((resolve) => process.nextTick(resolve))
  expect(transport.writes.map(replies)).toEqual([1])
})

test('what many sessions gather together has a limit', async () => {
  let [taken, sessions] = [0, 0]
  const take = () => {
    taken++
    return false
  }
  for (let octets = 0; octets < MAX_TURNS; octets += BULK) {
    expect(taken).toBe(0)
    sessions++
    new Turn({ take, write() {} }).received(BULK, false)
  }
  expect(taken).toBe(1)
  await turn()
  expect(taken).toBe(sessions)
  new Turn({ take, write() {} }).received(BULK, false)
  expect(taken).toBe(sessions)
})

test('what is asked together leaves together', async () => {
  const transport = new Recorder()
  const peer = new RawPeer(new PassThrough())
  const attached = attach(transport, 'initiator')
  transport.push(Buffer.from(peer.management('RPY 0', "<greeting><profile uri='u:x' /></greeting>")))
  const session = await attached
  const starting = session.start('u:x')
  await turn()
  transport.push(Buffer.from(peer.management('RPY 1', "<profile uri='u:x' />")))
  const channel = await starting
  await turn()
  transport.writes.length = 0
  for (const body of ['a', 'b', 'c']) channel.request(body).catch(() => {})
  await turn()
  expect(transport.writes).toHaveLength(1)
  expect(transport.writes[0]?.match(/^MSG/gm)).toHaveLength(3)
  session.terminate()
})
