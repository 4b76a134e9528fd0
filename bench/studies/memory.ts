// What idle sessions and idle channels hold on the heap, on both sides.
import { connect, type Listener, listen, type Session } from '../../src/index.js'
import { ECHO, echo } from '../../src/profiles/echo.js'
import { type Finding, heap, KIB, type Study } from './study.js'

const SESSIONS = 10_000
const CHANNELS = 100_000
/** Sessions that are begun, and starts that are asked for, at a time. */
const ABREAST = 64

export const sessions: Study = {
  name: 'sessions',
  title: `${SESSIONS.toLocaleString('en')} idle sessions, the ends in two processes`,
  serve: () => idle(),
  async measure([port], ask) {
    await (await connect({ port: port! })).release()
    const before = [await heap(), await ask('heap')] as const
    const open: Session[] = []
    await abreast(SESSIONS, async () => {
      open.push(await connect({ port: port! }))
    })
    const after = [await heap(), await ask('heap')] as const
    const each = (side: 0 | 1) => (after[side] - before[side]) / SESSIONS / KIB
    for (const session of open) session.terminate()
    return [
      { what: 'heap of an initiator’s session', value: each(0), unit: 'KiB', most: 24 },
      { what: 'heap of a listener’s session', value: each(1), unit: 'KiB', most: 24 },
    ] satisfies Finding[]
  },
}

export const channels: Study = {
  name: 'channels',
  title: `${CHANNELS.toLocaleString('en')} idle channels on one session`,
  serve: () => idle(),
  async measure([port], ask) {
    const session = await connect({ port: port! })
    await session.start(ECHO)
    const before = [await heap(), await ask('heap')] as const
    await abreast(CHANNELS - 1, async () => {
      await session.start(ECHO)
    })
    const after = [await heap(), await ask('heap')] as const
    session.terminate()
    const each = (side: 0 | 1) => (after[side] - before[side]) / CHANNELS / KIB
    return [
      { what: 'heap of a channel, where it was started', value: each(0), unit: 'KiB', most: 1.5 },
      { what: 'heap of a channel, where it was accepted', value: each(1), unit: 'KiB', most: 1.5 },
    ] satisfies Finding[]
  },
}

async function idle() {
  const listener: Listener = await listen({ port: 0, maxSessions: SESSIONS * 2, profiles: [echo] })
  return { ports: [listener.address.port], answer: heap }
}

async function abreast(count: number, once: () => Promise<void>): Promise<void> {
  let begun = 0
  const work = async () => {
    while (begun++ < count) await once()
  }
  await Promise.all(Array.from({ length: ABREAST }, work))
}
