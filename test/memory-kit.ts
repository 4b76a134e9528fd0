// For the tests of memory: a victim in a process of its own, attackers that dial it or that it dials, and how much it holds meanwhile.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest } from '@jest/globals'
import { type Channel, connect, type Session } from '../src/beep/index.js'
import { type RawPeer, rawDial, rawServer, rawStart, soon } from '../src/beep/test-kit-peer.js'
import { ECHO } from '../src/profiles/echo.js'

export const MIB = 1_048_576

// Attacks are measured, not timed: the machine may be busy.
jest.setTimeout(30_000)

/** The victim of all attacks. */
let victim: ChildProcess
/** Where it listens. */
export let port: number
/** Another session of the victim, of which the attacks must take nothing. */
let bystander: Session
let bystanding: Channel
const asking = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
let asked = 0
const report: string[] = []

export interface End {
  readonly kind: string
  readonly by?: string
  readonly rule?: string
}
export interface Look {
  readonly end?: End
  readonly receivable?: number
  readonly received?: number
  readonly frames?: number
  readonly channels?: number
}

/** Has the victim do something. */
export function ask<T>(command: string, rest: Record<string, unknown> = {}): Promise<T> {
  const id = ++asked
  return new Promise<T>((resolve, reject) => {
    if (!victim.connected) throw new Error('The victim is dead')
    asking.set(id, { resolve: resolve as (value: unknown) => void, reject })
    victim.send({ id, command, ...rest })
  })
}

export const look = (session: number, channel: number) => ask<Look>('look', { session, channel })
export const endOf = (session: number) => ask<End>('end', { session })

beforeAll(async () => {
  // Of the heap it has not more than this, not even for a moment.
  const execArgv = ['--expose-gc', '--unhandled-rejections=strict', '--max-old-space-size=128']
  victim = fork(join('test', 'memory-victim.mjs'), ['dist'], { execArgv })
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
export async function served(): Promise<void> {
  const echoed = async () => (await bystanding.request('as ever')).text()
  expect(await soon(echoed(), 2000)).toBe('as ever')
}

let baseline = 0
/** Those who must be gone before the next attack. */
export const peers: RawPeer[] = []

beforeEach(begin)
afterEach(async () => {
  for (const peer of peers.splice(0)) peer.stream.destroy()
  // The next baseline counts nothing of this attack.
  await ask('alone')
})

/** What is held now is not counted. */
export async function begin(): Promise<void> {
  baseline = await ask<number>('memory')
}

/** The victim holds at most so many MiB more than before the attack. */
export async function within(mebibytes: number, when = ''): Promise<void> {
  const growth = ((await ask<number>('memory')) - baseline) / MIB
  report.push(`${growth.toFixed(2).padStart(7)} of ${mebibytes} MiB  ${expect.getState().currentTestName} ${when}`)
  expect(growth).toBeLessThan(mebibytes)
}

/** An attacker that has dialled and greeted, and whose session has begun in the victim. */
export async function attacker(): Promise<RawPeer> {
  const session = await ask<number>('latest')
  const peer = await rawDial(port)
  peers.push(peer)
  // What it says in small pieces is under way at once.
  ;(peer.stream as Socket).setNoDelay()
  peer.greet()
  await peer.expect(/^RPY 0 0 [\s\S]*?END\r\n/)
  await ask('after', { session })
  return peer
}

/** An attacker with channel 1 open, and the number its session has in the victim. */
export async function onChannel(uri: string): Promise<{ peer: RawPeer; session: number }> {
  const peer = await attacker()
  await rawStart(peer, 1, uri)
  return { peer, session: await ask<number>('latest') }
}

/** An attacker that the victim has dialled and asked. */
export async function asInitiator(): Promise<{ peer: RawPeer; session: number; close(): void }> {
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
export async function pour(peer: RawPeer, count: number, frame: (n: number) => string): Promise<number> {
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
export async function press(
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

export const BEEP_XML = 'Content-Type: application/beep+xml\r\n\r\n'
/** Waits until so many frames of a channel have been taken in. */
export async function arrived(session: number, channel: number, frames: number): Promise<void> {
  for (let seen: Look = {}; (seen.frames ?? 0) < frames; seen = await look(session, channel)) expect(seen.end).toBeUndefined()
}

export const WINDOW = 'rfc3081/3.1.2/window'
export const terminated = (rule: string) => ({ kind: 'terminated', by: 'us', rule })

/** Octets of payload that the victim has said on channel 0. */
export function saidOnZero(peer: RawPeer): number {
  let octets = 0
  for (const [, size] of peer.heard.matchAll(/(?:RPY|ERR|MSG) 0 \d+ [.*] \d+ (\d+)\r\n/g)) octets += Number(size)
  return octets
}
