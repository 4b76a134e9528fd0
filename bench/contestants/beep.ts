// BEEP through the public API, at its default options.
import { connect, listen } from '../../src/beep/index.js'
import { ECHO, echo } from '../../src/profiles/echo.js'
import { SINK, sink } from '../../src/profiles/sink.js'
import { type Contestant, keepAsking } from '../contestant.js'

export const beep: Contestant = {
  name: 'beep',
  async serve() {
    const listener = await listen({ host: '127.0.0.1', profiles: [echo, sink] })
    return { port: listener.address.port, close: () => listener.close() }
  },
  async open(port) {
    const session = await connect({ host: '127.0.0.1', port })
    return {
      async run(workload, meter) {
        const channel = await session.start(workload.service === 'echo' ? ECHO : SINK)
        await keepAsking(workload, meter, async (message) => {
          const reply = await channel.request(message)
          return (await reply.bytes()).length
        })
        await channel.close()
      },
      close: () => session.release(),
    }
  },
}
