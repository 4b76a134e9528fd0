// One message of a GiB, read to its end: how far the resident memory of both sides grows.
import { Readable } from 'node:stream'
import { connect, listen } from '../../src/index.js'
import { SINK, sink } from '../../src/profiles/sink.js'
import { type Finding, MIB, residentGrowth, type Study, watchResident } from './study.js'

const SIZE = 1024 * MIB
const PIECE = 65_536

export const stream: Study = {
  name: 'stream',
  title: 'a message of 1 GiB from a stream',
  async serve() {
    const listener = await listen({ port: 0, profiles: [sink] })
    let growth = () => 0
    return {
      ports: [listener.address.port],
      async answer(question) {
        if (question === 'growth') return growth()
        growth = watchResident()
        return 0
      },
    }
  },
  async measure([port], ask) {
    const session = await connect({ port: port! })
    const channel = await session.start(SINK)
    // Everything is compiled and every buffer is there before it counts.
    await channel.request({ body: pieces(64 * MIB) })
    await ask('watch')
    const begin = performance.now()
    const growth = await residentGrowth(() => channel.request({ body: pieces(SIZE) }))
    const seconds = (performance.now() - begin) / 1000
    const theirs = await ask('growth')
    await session.release()
    return [
      { what: 'growth of the sender', value: growth / MIB, unit: 'MiB', most: 64 },
      { what: 'growth of the receiver', value: theirs / MIB, unit: 'MiB', most: 64 },
      { what: 'rate', value: SIZE / MIB / seconds, unit: 'MiB/s' },
    ] satisfies Finding[]
  },
}

function pieces(size: number): Readable {
  return Readable.from(
    (function* () {
      for (let given = 0; given < size; given += PIECE) yield Buffer.alloc(PIECE, 'a')
    })(),
  )
}
