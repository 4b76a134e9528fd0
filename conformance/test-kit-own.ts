// Our own stack as the target of the suite, in both roles, in memory: for the tests only, since the judge itself knows nothing of it.
import { attach } from '../src/beep/connect.js'
import { duplexPair } from '../src/beep/testing.js'
import { echoAt } from '../src/profiles/echo.js'
import type { Target } from './harness/target.js'

/** The profile on which it echoes. */
export const ECHO = 'http://example.org/profiles/echo'

/** Our listener: it serves echo and nothing else. */
export function ownListener(): Target {
  return {
    role: 'listener',
    place: 'in memory',
    async open() {
      const [ours, judges] = duplexPair()
      attach(ours, 'listener', { profiles: [echoAt(ECHO)] }).catch(() => {})
      return judges
    },
    close: async () => {},
  }
}

/** Our initiator, which does what any initiator under test is asked to do: starts a channel, sends messages, closes the channel, releases the session. */
export function ownInitiator(bodies: readonly string[] = ['hello', 'x'.repeat(10_000)]): Target {
  return {
    role: 'initiator',
    place: 'in memory',
    async open() {
      const [ours, judges] = duplexPair()
      visit(ours, bodies).catch(() => {})
      return judges
    },
    close: async () => {},
  }
}

async function visit(stream: Parameters<typeof attach>[0], bodies: readonly string[]): Promise<void> {
  await using session = await attach(stream, 'initiator', { profiles: [echoAt(ECHO)] })
  const channel = await session.start(ECHO)
  for (const body of bodies) await (await channel.request(body)).bytes()
  await channel.close()
  await session.release()
}
