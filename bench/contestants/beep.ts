// BEEP through the public API, at its default options.
import { type Channel, connect, listen, type Message, type Profile, type Session } from '../../src/index.js'
import { ECHO, echo } from '../../src/profiles/echo.js'
import { SINK, sink } from '../../src/profiles/sink.js'
import { type Client, type Contestant, keepAsking, keepDoing, type Meter, type Ports } from '../contestant.js'
import { ANSWERS, type Workload } from '../workloads.js'

const HOST = '127.0.0.1'
/** Octets from which on a reply is read as it comes, as from the streams of others, instead of being gathered. */
const LARGE = 65_536
const MANY = 'http://example.org/profiles/many'

/** As many answers as always, each of as many octets as the question says. */
const many: Profile = {
  uri: MANY,
  async *message(message) {
    const answer = Buffer.alloc(Number(await message.text()), 'a')
    for (let count = 0; count < ANSWERS; count++) yield answer
  },
}

const PROFILES = { echo: ECHO, session: ECHO, sink: SINK, answers: MANY } as const

export const beep: Contestant = {
  name: 'beep',
  takesPart: () => true,
  async serve(credentials) {
    const profiles = [echo, sink, many]
    const clear = await listen({ host: HOST, profiles })
    const secure = await listen({ host: HOST, profiles, tls: credentials })
    return {
      ports: { clear: clear.address.port, secure: secure.address.port },
      close: async () => {
        await clear.close()
        await secure.close()
      },
    }
  },
  open: (ports) => beepAt(ports),
}

/** A client of our own listener, or of a foreign one. */
export async function beepAt(
  ports: Ports,
  profiles: Readonly<Record<Workload['service'], string>> = PROFILES,
  host = HOST,
): Promise<Client> {
  const dial = (secure = false): Promise<Session> =>
    secure ? connect({ host, port: ports.secure, tls: { verify: () => {} } }) : connect({ host, port: ports.clear })
  return {
    async run(workload, meter) {
      const { service, secure } = workload
      const uri = profiles[service]
      if (service === 'session') return keepDoing(meter, async () => visit(await dial(secure), uri, meter))
      const session = await dial(secure)
      const channels: Channel[] = []
      for (let count = 0; count < (workload.channels ?? 1); count++) channels.push(await session.start(uri))
      const [first] = channels as [Channel]
      if (service === 'answers') await keepDoing(meter, () => question(first, workload, meter))
      else
        await keepAsking(workload, meter, async (message, lane) => {
          const reply = await channels[lane % channels.length]!.request(message)
          return workload.size < LARGE ? (await reply.bytes()).length : count(reply)
        })
      await session.release()
    },
    close: async () => {},
  }
}

async function count(reply: Message): Promise<number> {
  let octets = 0
  for await (const piece of reply) octets += piece.length
  return octets
}

async function visit(session: Session, uri: string, meter: Meter): Promise<void> {
  const channel = await session.start(uri)
  await channel.close()
  await session.release()
  meter.count++
}

async function question(channel: Channel, workload: Workload, meter: Meter): Promise<void> {
  for await (const answer of channel.send(String(workload.size))) {
    const octets = await answer.bytes()
    if (octets.length !== workload.size) throw new Error(`An answer has ${octets.length} octets instead of ${workload.size}`)
    meter.count++
  }
}
