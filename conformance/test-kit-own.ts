// Our own stack as the target of the suite, in both roles, in memory and over TCP, and what is unexpected of it: for the tests only, since the judge itself knows nothing of it.
import type { Duplex } from 'node:stream'
import { attach, connect } from '../src/beep/connect.js'
import { listen } from '../src/beep/listen.js'
import type { Profile } from '../src/beep/profile.js'
import type { Session } from '../src/beep/session.js'
import { duplexPair } from '../src/beep/testing.js'
import { echoAt } from '../src/profiles/echo.js'
import { startTls, TLS, tls } from '../src/profiles/tls.js'
import { CREDENTIALS } from './harness/credentials.js'
import { isUnexpected } from './harness/results.js'
import { run } from './harness/run.js'
import { awaited, dialled, type Target } from './harness/target.js'
import { CASES } from './index.js'

/** The profile on which it echoes. */
export const ECHO = 'http://example.org/profiles/echo'

/** What it serves. */
const SERVED: readonly Profile[] = [echoAt(ECHO), tls(CREDENTIALS)]
/** What our initiator has to say: one short message, and one that is larger than a window. */
const BODIES = ['hello', 'x'.repeat(10_000)]

/** Our listener: it serves echo, and TLS in clear text. */
export function ownListener(): Target {
  return {
    role: 'listener',
    place: 'in memory',
    async open() {
      const [ours, judges] = duplexPair()
      attach(ours, 'listener', { profiles: SERVED }).catch(() => {})
      return judges
    },
    close: async () => {},
  }
}

/** The same, on a port of its own. */
export async function ownListenerOnTcp(): Promise<Target> {
  const listener = await listen({ host: 'localhost', profiles: SERVED })
  return { ...dialled('localhost', listener.address.port), close: () => listener.close() }
}

/**
 * Our initiator, which does what any initiator under test is asked to do: tunes the session where TLS is offered, starts a channel, sends messages,
 * closes the channel, releases the session. `pipelined` sends all messages before it awaits a reply.
 */
export function ownInitiator(pipelined = false): Target {
  return {
    role: 'initiator',
    place: 'in memory',
    async open() {
      const [ours, judges] = duplexPair()
      visit(attach(ours, 'initiator', { profiles: [echoAt(ECHO)] }), pipelined).catch(() => {})
      return judges
    },
    close: async () => {},
  }
}

/** The same, which dials the judge. */
export async function ownInitiatorOnTcp(): Promise<Target> {
  const target = await awaited(0, undefined)
  const port = Number(target.place.replace(/[^0-9]/g, ''))
  return {
    ...target,
    async open(patience): Promise<Duplex> {
      visit(connect({ port, profiles: [echoAt(ECHO)] }), false).catch(() => {})
      return target.open(patience)
    },
  }
}

async function visit(opened: Promise<Session>, pipelined: boolean): Promise<void> {
  const first = await opened
  const offers = first.greeting.profiles.includes(TLS)
  await using session = offers ? await startTls(first, { verify: () => {} }) : first
  const channel = await session.start(ECHO)
  const ask = async (body: string) => (await channel.request(body)).bytes()
  if (pipelined) await Promise.all(BODIES.map(ask))
  else for (const body of BODIES) await ask(body)
  await channel.close()
  await session.release()
}

/** One section, or cases, when one is at work on them: `CONFORM=2.3.1.2 npm test -- own`. */
const pattern = process.env.CONFORM

/** Properties are for the runs in memory; over TCP it is the plain cases that tell something new. */
const ALL = CASES.filter(({ id }) => id.includes(pattern ?? ''))
export const PLAIN = ALL.filter(({ samples }) => samples === undefined)

/** What is unexpected of our own stack, by the id of its case: nothing should be. */
export async function failures(target: Target, cases = ALL): Promise<readonly string[]> {
  const results = await run({
    target,
    name: 'cloudy-beep',
    profile: ECHO,
    cases,
    patience: 5000,
    // In memory nothing is waited for, so more at a time would only make each of them late on a busy machine.
    concurrency: 1,
    seed: 1,
    strict: true,
    tls: true,
  }).finally(() => target.close())
  if (pattern !== undefined)
    for (const { outcome, id, saw, milliseconds } of results.cases)
      console.log(`${outcome} ${id} (${milliseconds} ms): ${saw}`.slice(0, 300))
  const died = results.died === undefined ? [] : [results.died]
  return [...died, ...results.cases.filter((each) => isUnexpected(each, true)).map(({ id, saw }) => `${id}: ${saw}`)]
}
