// Much of what is lawful: whatever costs a peer nothing to send must not cost the target without bound.
import { Buffer } from 'node:buffer'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { must, section, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { expectRequest, expectTaken, pipelined, plain } from '../harness/framing.js'
import { NOWHERE, type Peer } from '../harness/peer.js'

const START = `<start number='{n}'><profile uri='${NOWHERE}' /></start>`

/** The target still answers, or has ended the session: a limit is its own affair. */
async function expectAliveOrEnded(peer: Peer): Promise<string> {
  try {
    await peer.expectAlive()
    return 'it goes on'
  } catch (error) {
    if (peer.connection.ending === 'open') throw error
    return 'it ends the session'
  }
}

/** Writes as long as the session is open, a hundred pieces at a time. */
async function pour(peer: Peer, count: number, piece: (at: number) => Uint8Array): Promise<void> {
  for (let at = 0; at < count && peer.connection.ending === 'open'; at += 100) {
    peer.write(Buffer.concat(Array.from({ length: 100 }, (_, each) => piece(at + each))))
    await turn()
  }
}

export const floods = section('robustness', 'Robustness', [
  must(
    'empty-frames',
    {
      title: 'five thousand empty frames of one message',
      judges: ['RIMP-05'],
      quote: '',
      sends: 'MSG with * and no payload, again and again',
      expects: 'the target goes on, or ends the session',
    },
    async (peer) => {
      const channel = await peer.channel()
      await pour(peer, 5000, () => peer.frame(`MSG ${channel} 0 *`))
      return expectAliveOrEnded(peer)
    },
  ),
  must(
    'frames-of-one-octet',
    {
      title: 'three thousand frames of one octet',
      judges: ['RIMP-05', 'R3080-2.2.1.1-09'],
      quote: '',
      sends: 'a message of 3000 octets, a frame for each',
      expects: 'it is taken',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.send(`MSG ${channel} 0 *`, '\r\n')
      await pour(peer, 3000, () => peer.frame(`MSG ${channel} 0 *`, 'x'))
      peer.send(`MSG ${channel} 0 .`)
      return expectTaken(peer, channel, 0, 'x'.repeat(3000))
    },
  ),
  must(
    'many-messages',
    {
      title: 'a thousand messages together',
      judges: ['RIMP-07'],
      quote: '',
      sends: 'a thousand messages of three octets without waiting for replies',
      expects: 'each is answered, in order',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      await pipelined(
        peer,
        channel,
        Array.from({ length: 1000 }, () => 'x'),
      )
      return undefined
    },
  ),
  must(
    'messages-without-payload',
    {
      title: 'five thousand messages that need no window',
      judges: ['RIMP-07', 'RIMP-12'],
      quote: '',
      sends: 'MSGs without payload, each with a number of its own, and no window for the replies',
      expects: 'the target goes on, or ends the session',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.credits = false
      await pour(peer, 5000, (at) => peer.frame(`MSG ${channel} ${at} .`))
      peer.credits = true
      return expectAliveOrEnded(peer)
    },
  ),
  must(
    'answers-without-end',
    {
      title: 'five thousand answers in progress',
      judges: ['RIMP-07'],
      quote: '',
      sends: 'the beginnings of answers, each of a number of its own and without payload',
      expects: 'the target goes on, or ends the session',
      of: 'initiator',
    },
    async (peer) => {
      const { channel, msgno } = await expectRequest(peer)
      await pour(peer, 5000, (at) => peer.frame(`ANS ${channel} ${msgno} *`, '', { ansno: at }))
      return expectAliveOrEnded(peer)
    },
  ),
  must(
    'many-starts',
    {
      title: 'two hundred starts together, all to be refused',
      judges: ['RIMP-07'],
      quote: '',
      sends: 'starts of a profile that nobody has, without waiting for answers',
      expects: 'each is refused',
    },
    async (peer) => {
      await peer.channel()
      const numbers: number[] = []
      for (let count = 0; count < 200; count++) {
        const msgno = peer.next()
        numbers.push(msgno)
        await peer.message(0, msgno, `Content-Type: application/beep+xml\r\n\r\n${START.replace('{n}', String(peer.number()))}`)
      }
      for (const msgno of numbers) peer.expectError(await peer.answer(msgno))
      return undefined
    },
  ),
  must(
    'many-channels',
    {
      title: 'three hundred starts of the profile that echoes',
      judges: ['RIMP-07'],
      quote: '',
      sends: 'one start after the other, until one is refused; then a message on the last channel',
      expects: 'each is granted or refused, and the last that was granted works',
      of: 'listener',
    },
    async (peer) => {
      let last = await peer.channel()
      let open = 1
      for (; open < 300; open++) {
        const number = peer.number()
        const { keyword, element } = await peer.start(number, peer.profile)
        if (keyword === 'ERR' && element.name !== 'error') throw new Failure(`ERR with <${element.name}> came`)
        if (keyword === 'ERR') break
        last = number
      }
      await peer.echo(last, 0)
      return `${open} channels are open${open < 300 ? ', and no more are granted' : ''}`
    },
  ),
  must(
    'many-seqs',
    {
      title: 'five thousand SEQ frames that change nothing',
      judges: ['R3081-3.1.3-13'],
      quote: '',
      sends: 'the same SEQ again and again',
      expects: 'the target goes on, or ends the session',
    },
    async (peer) => {
      const channel = await peer.channel()
      const seq = Buffer.from(`SEQ ${channel} 0 ${INITIAL_WINDOW}\r\n`)
      await pour(peer, 5000, () => seq)
      return expectAliveOrEnded(peer)
    },
  ),
  must.hold(
    'deep-xml',
    {
      title: 'elements within elements on channel 0',
      judges: ['RIMP-06'],
      quote: '',
      sends: 'a MSG of any depth that fits a window',
      expects: 'it is refused, or the session ends',
      samples: fc.integer({ min: 1, max: 550 }),
    },
    async (peer, depth) => {
      await peer.greet()
      const msgno = peer.next()
      peer.manage(`MSG ${msgno}`, `${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}`)
      return refusedOrEnded(peer, msgno)
    },
  ),
  must(
    'entity-bomb',
    {
      title: 'entities that grow without end on channel 0',
      judges: ['RIMP-06'],
      quote: '',
      sends: 'a DOCTYPE with ten entities, each of ten of the one before, and a start that names the last',
      expects: 'it is refused, or the session ends; nothing is expanded',
    },
    async (peer) => {
      await peer.greet()
      const msgno = peer.next()
      const entities = Array.from({ length: 9 }, (_, at) => `<!ENTITY e${at + 1} "${`&e${at};`.repeat(10)}">`).join('')
      peer.manage(
        `MSG ${msgno}`,
        `<!DOCTYPE start [<!ENTITY e0 "0123456789">${entities}]><start number='${peer.number()}'><profile uri='${NOWHERE}'>&e9;</profile></start>`,
      )
      return refusedOrEnded(peer, msgno)
    },
  ),
  should(
    'replies-that-nobody-reads',
    {
      title: 'requests without end, and no window for their replies',
      judges: ['RIMP-12'],
      quote: '',
      sends: 'messages of 4000 octets as fast as windows allow, up to 8 MiB; never a SEQ for their replies',
      expects: 'before that the target gives no more window, or ends the session',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      peer.credits = false
      let msgno = 0
      for (let sent = 0; sent < 8 * 1024 * 1024; sent += 4002) {
        if (peer.room(channel) < 4002 && !(await moreRoom(peer, channel, 4002)))
          return peer.connection.ending === 'open'
            ? `after ${sent} octets it gives no more window`
            : `after ${sent} octets it ends the session`
        peer.send(`MSG ${channel} ${msgno++} .`, plain('x'.repeat(4000)))
      }
      throw new Failure('the target took 8 MiB of requests whose replies it cannot send')
    },
  ),
  must(
    'pause-in-reading',
    {
      title: 'a peer that does not read for a while',
      judges: ['RIMP-12', 'RIMP-11'],
      quote: '',
      sends: 'ten messages of 3000 octets, as windows allow, without reading in between',
      expects: 'when it reads again, each body comes back',
      of: 'listener',
    },
    async (peer) => {
      const channel = await peer.channel()
      const bodies = Array.from({ length: 10 }, (_, at) => String(at).repeat(3000))
      peer.connection.pause()
      await peer.message(channel, 0, plain(bodies[0]!))
      for (let turns = 0; turns < 20; turns++) await turn()
      peer.connection.resume()
      for (const [msgno, body] of bodies.entries()) if (msgno > 0) await peer.message(channel, msgno, plain(body))
      for (const [msgno, body] of bodies.entries()) await peer.echoed(channel, msgno, body)
      return undefined
    },
  ),
])

async function refusedOrEnded(peer: Peer, msgno: number): Promise<string> {
  try {
    const said = peer.expectError(await peer.answer(msgno))
    await peer.expectAlive()
    return said
  } catch (error) {
    if (peer.connection.ending === 'open') throw error
    return 'it ends the session'
  }
}

/** Whether the target opens the window: asked twice on channel 0, by which it has done what it had to do. */
async function moreRoom(peer: Peer, channel: number, least: number): Promise<boolean> {
  for (let asked = 0; asked < 3 && peer.connection.ending === 'open' && peer.room(channel) < least; asked++) {
    // Channel 0 has to go on.
    peer.seq(0, peer.received(0), INITIAL_WINDOW)
    if ((await expectAliveOrEnded(peer)) === 'it ends the session') return false
  }
  return peer.connection.ending === 'open' && peer.room(channel) >= least
}
