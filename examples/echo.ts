// A listener that echoes, and an initiator that asks it: the whole of both programs.
import { connect, listen } from 'cloudy-beep'

const ECHO = 'http://example.org/echo'

export async function echo(): Promise<string> {
  await using listener = await listen({ host: 'localhost', profiles: [{ uri: ECHO, message: (message) => message }] })

  await using session = await connect({ host: 'localhost', port: listener.address.port })
  const channel = await session.start(ECHO)
  const reply = await channel.request('hello')
  return reply.text()
}
