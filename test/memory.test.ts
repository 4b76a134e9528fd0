// Peers that want our memory: whatever they say, or do not say, what a session holds stays within windows and counts, others are served
// meanwhile, and nothing is left of what has ended.
import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type Channel, connect, type Session } from '../src/beep/index.js'
import { type RawPeer, rawDial, rawServer, rawStart, soon } from '../src/beep/test-kit-peer.js'
import { ECHO } from '../src/profiles/echo.js'

const BUILT = join('dist-bench', 'memory')
const MIB = 1_048_576

// What each attack may cost, in MiB. A window is 4096 octets to a peer that is not read, 256 KiB to one that is; the rest is counts.
/** Nothing is held: what is left is noise of the heap, code that was compiled meanwhile for instance. */
const NOTHING = 3
/** What has ended leaves nothing: 200 octets for each of 5000 channels would be too much. */
const LEAK = 1
/** 4096 messages of nothing, each an object or five. */
const COUNTED = 8
/** Ten times as many, which is what a session may owe. */
const TEN_TIMES = 32
/** 1 MiB of replies on a channel, the requests in its window, and what each of them costs as an object. */
const REPLIES = 8
/** 500 sessions and their sockets. */
const SESSIONS = 16

/** The victim of all attacks. */
let victim: ChildProcess
let port: number
/** Another session of the victim, of which the attacks must take nothing. */
let bystander: Session
let bystanding: Channel
const asking = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
let asked = 0
const report: string[] = []

interface End {
  readonly kind: string
  readonly by?: string
  readonly rule?: string
}
interface Look {
  readonly end?: End
  readonly receivable?: number
  readonly received?: number
  readonly frames?: number
  readonly channels?: number
}

/** Has the victim do something. */
function ask<T>(command: string, rest: Record<string, unknown> = {}): Promise<T> {
  const id = ++asked
  return new Promise<T>((resolve, reject) => {
    if (!victim.connected) throw new Error('The victim is dead')
    asking.set(id, { resolve: resolve as (value: unknown) => void, reject })
    victim.send({ id, command, ...rest })
  })
}

const look = (session: number, channel: number) => ask<Look>('look', { session, channel })
const endOf = (session: number) => ask<End>('end', { session })

beforeAll(async () => {
  // A place of its own: other tests build, too.
  await promisify(execFile)('npx', ['tsc', '-p', 'tsconfig.build.json', '--outDir', BUILT])
  // Of the heap it has not more than this, not even for a moment.
  const execArgv = ['--expose-gc', '--unhandled-rejections=strict', '--max-old-space-size=128']
  victim = fork(join('test', 'memory-victim.mjs'), [BUILT], { execArgv })
  victim.on('exit', (code, signal) => {
    const error = new Error(`The victim died: ${signal ?? code}`)
    for (const { reject } of asking.values()) reject(error)
    asking.clear()
  })
  port = await new Promise<number>((resolve, reject) => {
    asking.set(0, { resolve: resolve as (value: unknown) => void, reject })
    victim.on('message', ({ id, value }: { id: number; value: unknown }) => {
      asking.get(id)?.resolve(value)
      asking.delete(id)
    })
  })
  bystander = await connect({ host: '127.0.0.1', port })
  bystanding = await bystander.start(ECHO)
  for (let n = 0; n < 200; n++) await served()
}, 60_000)

afterAll(async () => {
  if (process.env.MEMORY_REPORT !== undefined) console.log(report.join('\n'))
  await bystander?.release()
  if (victim === undefined || victim.exitCode !== null) return
  victim.disconnect()
  await once(victim, 'exit')
})

/** The other session is served as if nothing were the matter. */
async function served(): Promise<void> {
  const echoed = async () => (await bystanding.request('as ever')).text()
  expect(await soon(echoed(), 2000)).toBe('as ever')
}

let baseline = 0
const peers: RawPeer[] = []

beforeEach(async () => {
  baseline = await ask<number>('memory')
})
afterEach(async () => {
  for (const peer of peers.splice(0)) peer.stream.destroy()
  // The next baseline counts nothing of this attack.
  await ask('alone')
})

/** The victim holds at most so many MiB more than before the attack. */
async function within(mebibytes: number, when = ''): Promise<void> {
  const growth = ((await ask<number>('memory')) - baseline) / MIB
  report.push(`${growth.toFixed(2).padStart(7)} of ${mebibytes} MiB  ${expect.getState().currentTestName} ${when}`)
  expect(growth).toBeLessThan(mebibytes)
}

/** An attacker that has dialled and greeted. */
async function attacker(): Promise<RawPeer> {
  const peer = await rawDial(port)
  peers.push(peer)
  // What it says in small pieces is under way at once.
  ;(peer.stream as Socket).setNoDelay()
  peer.greet()
  await peer.expect(/^RPY 0 0 [\s\S]*?END\r\n/)
  return peer
}

/** An attacker with channel 1 open, and the number its session has in the victim. */
async function onChannel(uri: string): Promise<{ peer: RawPeer; session: number }> {
  const peer = await attacker()
  await rawStart(peer, 1, uri)
  return { peer, session: await ask<number>('latest') }
}

/** An attacker that the victim has dialled and asked. */
async function asInitiator(): Promise<{ peer: RawPeer; session: number; close(): void }> {
  let serve: (peer: RawPeer) => void = () => {}
  const called = new Promise<RawPeer>((resolve) => {
    serve = resolve
  })
  const server = await rawServer((peer) => serve(peer))
  const number = ask<number>('ask', { port: server.port })
  const peer = await called
  peers.push(peer)
  peer.greet(['u:x'])
  await peer.expect(/<start [\s\S]*?END\r\n/)
  peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
  await peer.expect(/MSG 1 0 [\s\S]*?END\r\n/)
  return { peer, session: await number, close: server.close }
}

/** Says frames until all are with the kernel or the victim has closed the connection. @returns how many it got rid of */
async function pour(peer: RawPeer, count: number, frame: (n: number) => string): Promise<number> {
  let n = 0
  while (n < count && !peer.closed) {
    let chunk = ''
    while (n < count && chunk.length < 65_536) chunk += frame(n++)
    const more = peer.stream.write(Buffer.from(chunk, 'latin1'))
    if (more || peer.closed) continue
    await new Promise<void>((resolve) => {
      peer.stream.once('drain', resolve)
      peer.stream.once('close', resolve)
    })
  }
  return n
}

/** Says what makes `octets` of payload on a channel, again and again, each time as soon as the window has room for it. @returns how often */
async function press(
  { peer, session }: { peer: RawPeer; session: number },
  channel: number,
  octets: number,
  count: number,
  say: (n: number) => string,
): Promise<number> {
  let due = (await look(session, channel)).received ?? 0
  for (let n = 0; n < count; n++) {
    peer.say(say(n))
    due += octets
    // Fifty looks in vain after the last octet arrived: the victim gives no more credit.
    for (let vain = 0; ; ) {
      const { end, received = 0, receivable = 0 } = await look(session, channel)
      if (end !== undefined) return n
      if (received < due) continue
      if (receivable >= octets) break
      if (++vain === 50) return n + 1
    }
  }
  return count
}

const BEEP_XML = 'Content-Type: application/beep+xml\r\n\r\n'
/** Waits until so many frames of a channel have been taken in. */
async function arrived(session: number, channel: number, frames: number): Promise<void> {
  for (let seen: Look = {}; (seen.frames ?? 0) < frames; seen = await look(session, channel)) expect(seen.end).toBeUndefined()
}

const WINDOW = 'rfc3081/3.1.2/window'
const terminated = (rule: string) => ({ kind: 'terminated', by: 'us', rule })

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

/** Octets of payload that the victim has said on channel 0. */
function saidOnZero(peer: RawPeer): number {
  let octets = 0
  for (const [, size] of peer.heard.matchAll(/(?:RPY|ERR|MSG) 0 \d+ [.*] \d+ (\d+)\r\n/g)) octets += Number(size)
  return octets
}

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
})

describe('sessions and channels without number', () => {
  test('500 peers that connect and say nothing', async () => {
    const silent = await Promise.all(Array.from({ length: 500 }, () => rawDial(port)))
    peers.push(...silent)
    await served()
    await within(SESSIONS)
    await Promise.all(silent.map((peer) => peer.end()))
    await within(NOTHING, 'afterwards')
  })

  test('5000 channels of a session, opened and closed again', async () => {
    const session = await connect({ host: '127.0.0.1', port })
    const round = async () => {
      const channels = await Promise.all(Array.from({ length: 100 }, () => session.start(ECHO)))
      await Promise.all(channels.map(async (channel) => (await channel.request('x')).text()))
      await Promise.all(channels.map((channel) => channel.close()))
    }
    for (let n = 0; n < 10; n++) await round()
    baseline = await ask<number>('memory')
    for (let n = 0; n < 50; n++) await round()
    await served()
    await within(LEAK)
    await session.release()
  })

  test('300 sessions, opened and released again', async () => {
    const round = async () => {
      const session = await connect({ host: '127.0.0.1', port })
      const channel = await session.start(ECHO)
      expect(await (await channel.request('x')).text()).toBe('x')
      await session.release()
    }
    for (let n = 0; n < 50; n++) await round()
    baseline = await ask<number>('memory')
    for (let n = 0; n < 30; n++) await Promise.all(Array.from({ length: 10 }, round))
    await served()
    await within(LEAK)
  })
})

describe('a peer that vanishes in the midst of', () => {
  const CLOSED = 'BEEP_ERR_CLOSED'
  const over = { closed: 'resolved', 'channel closed': 'resolved' }
  /** What the peer hears last, what it still says, and how every promise ends. */
  const operations: Record<string, { last: RegExp; says?: (peer: RawPeer) => string; ends: Record<string, string> }> = {
    connect: { last: /RPY 0 0 /, ends: { connect: CLOSED } },
    start: { last: /<start /, ends: { start: CLOSED, closed: 'resolved' } },
    request: { last: /MSG 1 0 /, ends: { request: CLOSED, ...over } },
    iteration: {
      last: /MSG 1 0 /,
      says: (peer) => peer.frame('ANS 1 0', '\r\na', 0) + peer.frame('ANS 1 0 *', '\r\nb', 1),
      ends: { iteration: CLOSED, ...over },
    },
    close: { last: /<close number='1'/, ends: { close: 'resolved', ...over } },
    release: { last: /<close number='0'/, ends: { release: CLOSED, ...over } },
    stream: { last: /MSG 1 0 \* [\s\S]{4096}/, ends: { reply: CLOSED, sent: CLOSED, ...over } },
    tune: { last: /<start /, ends: { tuned: CLOSED, closed: 'resolved' } },
    'take over': {
      last: /<start /,
      says: (peer) => peer.management('RPY 1', `<profile uri='u:tuning' />`),
      ends: { tuned: CLOSED, closed: 'resolved' },
    },
  }
  const ways: Record<string, (peer: RawPeer) => void> = {
    FIN: (peer) => peer.stream.end(),
    destroy: (peer) => peer.stream.destroy(),
  }

  test.each(Object.keys(operations).flatMap((operation) => Object.keys(ways).map((way) => [operation, way] as const)))(
    '%s, by %s: every promise settles',
    async (operation, way) => {
      const { last, says, ends } = operations[operation]!
      const server = await rawServer(async (peer) => {
        if (operation !== 'connect') {
          peer.greet(['u:x', 'u:tuning'])
          if (!['start', 'tune', 'take over'].includes(operation)) {
            await peer.expect(/<start [\s\S]*?END\r\n/)
            peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
          }
        }
        await peer.expect(last)
        if (says !== undefined) peer.say(says(peer))
        ways[way]!(peer)
      })
      expect(await ask('operation', { operation, port: server.port })).toEqual(ends)
      server.close()
      await served()
    },
  )
})
