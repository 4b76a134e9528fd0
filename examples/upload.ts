// A file as one message: neither side ever holds it whole, and the window of the channel sets the pace.
import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { connect, listen, type Profile } from 'cloudy-beep'

/** A profile that stores what it is sent at `path`. */
const storeAt = (path: string): Profile => ({
  uri: 'http://example.org/store',
  async message(message) {
    await pipeline(message.stream(), createWriteStream(path))
    return 'stored'
  },
})

export async function upload(from: string, to: string): Promise<string> {
  const store = storeAt(to)
  await using listener = await listen({ host: 'localhost', profiles: [store] })
  await using session = await connect({ host: 'localhost', port: listener.address.port })
  const channel = await session.start(store.uri)
  const reply = await channel.request({ body: createReadStream(from), contentType: 'application/octet-stream' })
  return reply.text()
}
