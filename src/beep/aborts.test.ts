// What stops before its time, and what is wrong from the start: signals, bodies that fail, misuse.
import { getEventListeners } from 'node:events'
import { createReadStream } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { startTls, TLS } from '../profiles/tls.js'
import { connect, ReplyError } from './index.js'
import { asking } from './test-kit-closing.js'
import { CLIENT_HELLO, rawPair, soon, turns } from './test-kit-peer.js'
import { channelTo, failing, streamOf } from './test-kit-served.js'

/** A channel whose peer answers nothing, and whose window is used up. */
async function stalled() {
  const { session, peer, channel } = await asking()
  const first = channel.send(Buffer.alloc(5000))
  await peer.expect(/MSG 1 0 \* 0 4096\r\n/)
  return { session, peer, channel, first }
}

describe('aborts', () => {
  test('a signal that has aborted already sends nothing', async () => {
    const { channel, initiator } = await channelTo((message) => message)
    const signal = AbortSignal.abort(new Error('before'))
    await expect(channel.request('x', { signal })).rejects.toThrow('before')
    await expect(initiator.start('u:x', { signal })).rejects.toThrow('before')
    await expect(channel.close({ signal })).rejects.toThrow('before')
    await expect(initiator.release({ signal })).rejects.toThrow('before')
    await initiator.release()
  })

  test('a MSG that has not left is taken back: its stream is closed, nothing of it is said, and `sent` tells', async () => {
    const { session, peer, channel } = await stalled()
    let closed = false
    const body = (async function* () {
      try {
        for (;;) yield Buffer.alloc(100_000)
      } finally {
        closed = true
      }
    })()
    const abort = new AbortController()
    const exchange = channel.send({ body }, { signal: abort.signal })
    const sent = exchange.sent
    const reply = exchange.reply()
    await turns()
    abort.abort(new Error('changed my mind'))
    await expect(soon(reply)).rejects.toThrow('changed my mind')
    await expect(soon(sent)).rejects.toThrow('changed my mind')
    await turns()
    expect(closed).toBe(true)
    peer.say('SEQ 1 4096 100000\r\n')
    await peer.expect(/MSG 1 0 \. 4096 \d+\r\n[\s\S]*END\r\n/)
    await turns()
    expect(peer.heard).not.toMatch(/MSG 1 1 /)
    session.terminate()
  })

  test('after the MSG has left, only the waiting ends; the reply is drained', async () => {
    const { session, peer, channel, first } = await stalled()
    void first
    peer.say('SEQ 1 4096 100000\r\n')
    await peer.expect(/MSG 1 0 \. 4096 /)
    const abort = new AbortController()
    const aborted = channel.request('x', { signal: abort.signal })
    const next = channel.request('y')
    await peer.expect(/MSG 1 2 /)
    abort.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    peer.say(peer.frame('RPY 1 0', '\r\nzero') + peer.frame('RPY 1 1', `\r\n${'a'.repeat(3000)}`))
    await peer.expect(/SEQ 1 /)
    peer.say(peer.frame('RPY 1 2', '\r\ntwo'))
    expect(await (await next).text()).toBe('two')
    session.terminate()
  })

  test('one long-lived signal collects no listeners', async () => {
    const { channel, initiator } = await channelTo(async (message) => {
      const text = await message.text()
      if (text === 'no') throw new ReplyError(550)
      return text
    })
    const counting = new AbortController()
    let listeners = 0
    const { signal } = counting
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }) as typeof signal.addEventListener
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }) as typeof signal.removeEventListener
    for (let n = 0; n < 20; n++) {
      await (await channel.request('x', { signal })).text()
      await channel.request('no', { signal }).catch(() => {})
      await channel.request({ body: failing('body') }, { signal }).catch(() => {})
      for await (const _ of channel.send('x', { signal })) break
    }
    await initiator.release({ signal })
    expect(listeners).toBe(0)
  })

  test('a body that fails before anything has left takes the MSG back, and the request says why', async () => {
    const { channel, initiator } = await channelTo((message) => message)
    await expect(channel.request({ body: failing('no file') })).rejects.toThrow('no file')
    await expect(channel.request({ body: streamOf(5) })).rejects.toThrow(TypeError)
    expect(await (await channel.request('x')).text()).toBe('x')
    await initiator.release()
  })

  test('a file that cannot be opened takes the MSG back, or refuses the request: the session goes on', async () => {
    const missing = () => ({ body: createReadStream('/no/such/file') })
    const { channel, initiator } = await channelTo(async (message) => ((await message.text()) === 'file' ? missing() : 'here'))
    await expect(channel.request('file')).rejects.toMatchObject({ replyCode: 451 })
    await expect(channel.request(missing())).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await (await channel.request('x')).text()).toBe('here')
    await initiator.release()
  })

  test('a start whose signal aborts when the channel has just come closes it again', async () => {
    const abort = new AbortController()
    const message = () => {
      abort.abort(new Error('just then'))
      return ''
    }
    const profile = { uri: 'u:x', message }
    const { session, peer } = await rawPair('initiator', { profiles: [profile] })
    const first = session.start('u:x')
    await peer.expect(/<start number='1'[\s\S]*END\r\n/)
    peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
    await first
    const second = session.start('u:x', { signal: abort.signal })
    await peer.expect(/<start number='3'[\s\S]*END\r\n/)
    peer.say(peer.frame('MSG 1 0', '\r\n') + peer.management('RPY 2', `<profile uri='u:x' />`))
    await expect(second).rejects.toThrow('just then')
    await peer.expect(/<close number='3' code='200' \/>END\r\n/)
    session.terminate()
  })

  test('a start whose signal aborts closes the channel that comes all the same', async () => {
    const { session, peer } = await rawPair('initiator')
    const abort = new AbortController()
    const starting = session.start('u:x', { signal: abort.signal })
    await peer.expect(/<start [\s\S]*END\r\n/)
    abort.abort(new Error('late'))
    await expect(starting).rejects.toThrow('late')
    peer.say(peer.management('RPY 1', `<profile uri='u:x' />`))
    await peer.expect(/<close number='1' code='200' \/>END\r\n/)
    session.terminate()
  })

  test('startTls that still waits for what is outstanding gives up, and all goes on', async () => {
    const { session, peer, channel } = await asking()
    const asked = channel.request('x')
    await peer.expect(/MSG 1 0 /)
    const abort = new AbortController()
    const tuning = startTls(session, { verify: () => {}, signal: abort.signal })
    await turns()
    abort.abort(new Error('enough'))
    await expect(tuning).rejects.toThrow('enough')
    peer.say(peer.frame('RPY 1 0', '\r\nstill'))
    expect(await (await asked).text()).toBe('still')
    await turns()
    expect(peer.heard).not.toContain('ready')
    session.terminate()
  })

  test.each([
    ['<ready/> has been said', ''],
    ['the handshake has begun', '<![CDATA[<proceed />]]>'],
  ])('startTls that is stopped when %s ends the session', async (_what, answer) => {
    const { session, peer } = await rawPair('initiator', {}, [TLS])
    const abort = new AbortController()
    const tuning = startTls(session, { verify: () => {}, signal: abort.signal })
    await peer.expect(/ready[\s\S]*END\r\n/)
    if (answer !== '') {
      peer.say(peer.management('RPY 1', `<profile uri='${TLS}'>${answer}</profile>`))
      await peer.expect(CLIENT_HELLO)
    }
    abort.abort(new Error('enough'))
    await expect(tuning).rejects.toThrow('enough')
    expect(await session.closed).toMatchObject({ kind: 'terminated', by: 'us', error: { message: 'enough' } })
    await peer.end()
  })

  test('a signal that has aborted already tunes nothing', async () => {
    const { session, peer } = await rawPair('initiator', {}, [TLS])
    await expect(startTls(session, { verify: () => {}, signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow(
      'before',
    )
    await turns()
    expect(peer.heard).not.toContain('ready')
    session.terminate()
  })

  test('one signal may stop any number of operations with one listener', async () => {
    const { session, channel } = await asking()
    const abort = new AbortController()
    const { signal } = abort
    const pending = Array.from({ length: 30 }, (_, n) =>
      n % 2 === 0 ? channel.request('x', { signal }) : session.start('u:x', { signal }),
    )
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    abort.abort(new Error('all'))
    for (const each of await Promise.allSettled(pending))
      expect(each).toMatchObject({ status: 'rejected', reason: { message: 'all' } })
    session.terminate()
  })
})

describe('misuse', () => {
  /** Whatever is wrong: what gives a promise rejects, and nothing throws at once. */
  test('everything that gives a promise rejects; what gives something else throws', async () => {
    const { session, channel } = await asking()
    const none = 5 as unknown as string
    const unlawful = { body: 'x', headers: { 'a b': 'c' } }
    const { signal } = (() => {
      const abort = new AbortController()
      abort.abort(new Error('before'))
      return abort
    })()
    const wrongs = [
      () => channel.request(none),
      () => channel.request(unlawful),
      () => channel.request('x', { signal }),
      () => channel.close({ code: 42 }),
      () => session.start([]),
      () => session.start('not a URI\0'),
      () => session.release({ signal }),
      () => startTls(session),
      () => connect({ port: 1, signal }),
    ]
    for (const wrong of wrongs) {
      const given = wrong()
      expect(given).toBeInstanceOf(Promise)
      await expect(given).rejects.toBeInstanceOf(Error)
    }
    expect(() => channel.send(none)).toThrow(TypeError)
    expect(() => channel.send(unlawful)).toThrow(TypeError)
    expect(() => channel.send('x', { signal })).toThrow('before')
    // Its reply never comes.
    channel.request('x').catch(() => {})
    session.terminate()
    await turns()
    for (const wrong of [() => channel.request('x'), () => session.start('u:x'), () => startTls(session, { verify: () => {} })])
      await expect(wrong()).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(() => channel.send('x')).toThrow(expect.objectContaining({ code: 'BEEP_ERR_CLOSED' }))
  })
})
