// Replies that nobody takes: what is here whole stalls nobody, what is not holds window, and what holds none is counted.
import { describe, expect, test } from '@jest/globals'
import type { Message } from './index.js'
import { asking } from './test-kit-closing.js'
import { soon, turns } from './test-kit-peer.js'
import { channelTo } from './test-kit-served.js'

describe('replies that nobody takes', () => {
  test('a requester who never looks at short replies does not stall its channel', async () => {
    const { channel, initiator } = await channelTo(() => 'x'.repeat(500))
    for (let n = 0; n < 40; n++) expect(await soon(channel.request('x'))).not.toBe('pending')
    await initiator.release()
  })

  test('answers in a loop that does not look at them do not stall it either', async () => {
    const { channel, initiator } = await channelTo(async function* () {
      for (let n = 0; n < 40; n++) yield 'x'.repeat(500)
    })
    let count = 0
    const all = (async () => {
      for await (const _ of channel.send('x')) count++
    })()
    expect(await soon(all)).toBeUndefined()
    expect(count).toBe(40)
    await initiator.release()
  })

  test('an answer that was taken can be read after the loop was left', async () => {
    const { session, peer, channel } = await asking()
    const exchange = channel.send('x')
    await peer.expect(/MSG 1 0 /)
    peer.say(peer.frame('ANS 1 0 *', '\r\nbeg', 0))
    let first: Message | undefined
    for await (const answer of exchange) {
      first = answer
      break
    }
    peer.say(peer.frame('ANS 1 0', 'un', 0) + peer.frame('ANS 1 0', '\r\nmore', 1) + peer.frame('NUL 1 0'))
    expect(await soon(first!.text())).toBe('begun')
    session.terminate()
  })

  test('answers that are not taken hold window and nothing else moves it', async () => {
    const { session, peer, channel } = await asking()
    channel.send('x')
    await peer.expect(/MSG 1 0 /)
    peer.say(peer.frame('ANS 1 0', `\r\n${'a'.repeat(4094)}`, 0))
    await turns(5)
    expect(peer.heard).not.toMatch(/SEQ 1 /)
    session.terminate()
  })

  test('RIMP-07 answers without an octet cost no window, so their number is bounded', async () => {
    const { session, peer, channel } = await asking()
    channel.send('x')
    await peer.expect(/MSG 1 0 /)
    const flood = peer.frame('ANS 1 0', '', 7).repeat(1000)
    for (let n = 0; n < 100 && !peer.closed; n++) {
      peer.say(flood)
      await turns(2)
    }
    expect(await soon(session.closed)).toMatchObject({ kind: 'terminated', error: { rule: 'limits/answers' } })
  })

  test('a burst of empty answers that is taken is no flood', async () => {
    const { session, peer, channel } = await asking()
    const exchange = channel.send('x')
    await peer.expect(/MSG 1 0 /)
    const burst = peer.frame('ANS 1 0', '', 7).repeat(1000)
    const all = (async () => {
      let count = 0
      for await (const _ of exchange) count++
      return count
    })()
    for (let n = 0; n < 20; n++) {
      peer.say(burst)
      await turns(2)
    }
    peer.say(peer.frame('NUL 1 0'))
    expect(await all).toBe(20_000)
    session.terminate()
  })

  test('nor is one that comes in one piece', async () => {
    const { session, peer, channel } = await asking()
    const exchange = channel.send('x')
    await peer.expect(/MSG 1 0 /)
    peer.say(peer.frame('ANS 1 0', '', 7).repeat(20_000) + peer.frame('NUL 1 0'))
    let count = 0
    for await (const _ of exchange) count++
    expect(count).toBe(20_000)
    session.terminate()
  })
})
