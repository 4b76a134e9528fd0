// Bodies that nobody wants any more: each way in which a message comes to nothing lets go of the stream it was to be made of.
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { ReplyError } from './errors.js'
import { deferred } from './promises.js'
import { rawPair, turns } from './test-kit-peer.js'
import { channelTo } from './test-kit-served.js'
import { sessionPair } from './testing.js'

/** A stream that has given something, and gives no more. */
function stuck(): PassThrough {
  const stream = new PassThrough()
  stream.write('a piece')
  return stream
}

describe('a stream is let go', () => {
  test.each([
    ['a stream', (stream: PassThrough) => stream],
    ['an entity', (stream: PassThrough) => ({ body: stream, contentType: 'text/plain' })],
  ])('that a handler gives as %s when its session is over', async (_, reply) => {
    const stream = stuck()
    const go = deferred<void>()
    const asked = deferred<void>()
    const { channel, initiator } = await channelTo(async () => {
      asked.resolve()
      await go.promise
      return reply(stream)
    })
    channel.request('x').catch(() => {})
    await asked.promise
    initiator.terminate()
    go.resolve()
    await once(stream, 'close')
  })

  test('that a handler gives at once, and ends its session with', async () => {
    const stream = stuck()
    const { channel } = await channelTo((_message, { session }) => {
      session.terminate()
      return stream
    })
    channel.request('x').catch(() => {})
    await once(stream, 'close')
  })

  test.each([
    ['a reply', (stream: PassThrough) => stream],
    [
      'an answer',
      async function* (stream: PassThrough) {
        yield stream
      },
    ],
  ])('that is being read for %s when the session ends', async (_, reply) => {
    const stream = stuck()
    const { channel, initiator } = await channelTo(() => reply(stream))
    const exchange = channel.send('x')[Symbol.asyncIterator]()
    await exchange.next()
    initiator.terminate()
    await once(stream, 'close')
  })

  test('and fails for nobody', async () => {
    const missing = createReadStream('/nonexistent')
    const closed = new Promise<void>((resolve) => missing.once('close', () => resolve()))
    const told = deferred<void>()
    const stubborn = Object.assign(stuck().iterator({ destroyOnReturn: false }), {
      return() {
        told.resolve()
        throw new Error('no')
      },
    })
    for (const body of [missing, stubborn]) {
      const { channel } = await channelTo((_message, { session }) => {
        session.terminate()
        return { body }
      })
      channel.request('x').catch(() => {})
    }
    await closed
    await told.promise
  })

  test('that is a generator: it is told to return', async () => {
    const returned = deferred<void>()
    const go = deferred<void>()
    const body = async function* () {
      try {
        yield 'a piece'
        await go.promise
        yield 'another'
      } finally {
        returned.resolve()
      }
    }
    const { channel, initiator } = await channelTo(() => ({ body: body() }))
    await channel.send('x')[Symbol.asyncIterator]().next()
    initiator.terminate()
    go.resolve()
    await returned.promise
  })

  test('of which a MSG was to be made that is refused early; the refusal is what the asker hears', async () => {
    const stream = stuck()
    const { channel } = await channelTo(() => {
      throw new ReplyError(554, 'no more')
    })
    await expect(channel.request(stream)).rejects.toMatchObject({ replyCode: 554, text: 'no more' })
    expect(stream.destroyed).toBe(true)
  })

  test('R3080-2.6.3-04 of which a MSG is made that nobody waits for, and that is refused early', async () => {
    const { session, peer } = await rawPair('initiator', {}, ['u:x'])
    const starting = session.start('u:x')
    await peer.expect(/<start [\s\S]*END/)
    peer.say(peer.management('RPY 1', "<profile uri='u:x' />"))
    const stream = stuck()
    const controller = new AbortController()
    const asking = (await starting).request(stream, { signal: controller.signal })
    await peer.expect(/MSG 1 0 \* /)
    controller.abort(new Error('enough'))
    await expect(asking).rejects.toThrow('enough')
    peer.say(peer.frame('ERR 1 0', '\r\nno'))
    await peer.expect(/MSG 1 0 \. \d+ 0\r\n/)
    await turns()
    expect(stream.destroyed).toBe(true)
    session.terminate()
  })

  test('of which a MSG was to be made on a channel that is being closed, or is closed, or with a signal that has aborted', async () => {
    const { channel } = await channelTo((message) => message)
    const late = stuck()
    await expect(channel.request(late, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
    const closing = channel.close()
    const during = stuck()
    await expect(channel.request(during)).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    await closing
    const after = stuck()
    await expect(channel.request(after)).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    await turns()
    expect([late, during, after].map(({ destroyed }) => destroyed)).toEqual([true, true, true])
  })

  test('of which a MSG was to be made that is taken back', async () => {
    const stream = new PassThrough()
    const { channel } = await channelTo((message) => message)
    const controller = new AbortController()
    const asking = channel.request(stream, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(asking).rejects.toThrow('enough')
    expect(stream.destroyed).toBe(true)
  })

  test('of which a MSG is being made when the session ends', async () => {
    const stream = stuck()
    const arrived = deferred<void>()
    const { channel, initiator } = await channelTo(async (message) => {
      arrived.resolve()
      await message.bytes()
      return ''
    })
    const asking = channel.request(stream)
    await arrived.promise
    initiator.terminate()
    await expect(asking).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(stream.destroyed).toBe(true)
  })

  test('whose entity headers are not lawful', async () => {
    const stream = stuck()
    const { channel } = await channelTo(() => ({ body: stream, headers: { 'no name': 'x' } }))
    await expect(channel.request('x')).rejects.toMatchObject({ replyCode: 451 })
    expect(stream.destroyed).toBe(true)
  })
})

test('a first answer whose stream gives nothing and fails is a refusal: the session goes on', async () => {
  const { initiator } = await sessionPair(
    {},
    {
      profiles: [
        {
          uri: 'u:x',
          async *message() {
            yield { body: failing() }
          },
        },
      ],
    },
  )
  const channel = await initiator.start('u:x')
  await expect(channel.request('x')).rejects.toMatchObject({ replyCode: 451 })
  await initiator.release()
})

// biome-ignore lint/correctness/useYield: it fails before.
async function* failing(): AsyncGenerator<string> {
  throw new Error('cannot open')
}
