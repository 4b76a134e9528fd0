// Closes and releases that cross (RFC 3080 §2.3.1.3, §2.4, A24): both peers ask at once, and each answers the other.
import { describe, expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { asking, close, manual, serving } from './test-kit-closing.js'
import { turns } from './test-kit-peer.js'
import { sessionPair } from './testing.js'

/** What crosses: the number of the channel, or 0 for the session. */
const CASES = [
  ['closes', 1],
  ['releases', 0],
] as const

/** A handler is at work, and both peers have said close. */
async function crossed(number: number, settleTimeout?: number) {
  const { asked, profile } = manual()
  const { session, peer, channel } = await serving(profile, { settleTimeout })
  peer.say(peer.frame('MSG 1 0', '\r\nslow'))
  await turns()
  const closing = number === 0 ? session.release() : channel.close()
  await peer.expect(new RegExp(`<close number='${number}'`))
  expect(asked[0]!.signal.aborted).toBe(false)
  close(peer, 2, number)
  return { session, peer, channel, closing, working: asked[0]!, asked }
}

describe('crossing closes', () => {
  test('R3080-2.3.1.3-19 crossing closes: both are closed once, and the session goes on', async () => {
    const { initiator, listener } = await sessionPair({}, { profiles: [echo] })
    const ours = await initiator.start(ECHO)
    const theirs = [...listener.channels.values()][0]!
    await Promise.all([ours.close(), theirs.close()])
    expect((await ours.closed).kind).toBe('released')
    expect((await theirs.closed).kind).toBe('released')
    expect(await (await (await initiator.start(ECHO)).request('on')).text()).toBe('on')
    await initiator.release()
  })

  test('R3080-2.3.1.3-19 crossing closes with requests outstanding both ways', async () => {
    const { initiator, listener } = await sessionPair({ profiles: [echo] }, { profiles: [echo] })
    const ours = await initiator.start(ECHO)
    const theirs = [...listener.channels.values()][0]!
    const replies = [ours, theirs].flatMap((each) => Array.from({ length: 20 }, () => each.request('x'.repeat(1000))))
    await Promise.all([ours.close(), theirs.close()])
    expect(await Promise.all(replies.map(async (each) => (await (await each).text()).length))).toEqual(Array(40).fill(1000))
    await initiator.release()
  })
})

describe('crossing releases', () => {
  test('R3080-2.4-08 crossing releases: both end well', async () => {
    const { initiator, listener } = await sessionPair({}, { profiles: [echo] })
    await initiator.start(ECHO)
    await Promise.all([initiator.release(), listener.release()])
    expect([(await initiator.closed).kind, (await listener.closed).kind]).toEqual(['released', 'released'])
  })

  test('R3080-2.4-08 crossing releases: the end of the transport in place of the second <ok/> is a clean end', async () => {
    const { session, peer } = await asking()
    const releasing = session.release()
    await peer.expect(/<close number='0'/)
    close(peer, 1, 0)
    await peer.expect(/<ok \/>END\r\n/)
    peer.stream.end()
    await releasing
    expect((await session.closed).kind).toBe('released')
  })
})

describe('while a handler is at work', () => {
  test.each(CASES)(
    'R3080-2.3.1.3-15 crossing %s: its signal tells it, and its reply leaves before <ok/>',
    async (_what, number) => {
      const { session, peer, closing, working } = await crossed(number)
      await turns()
      expect(working.signal.aborted).toBe(true)
      working.answer('done')
      await peer.expect(/RPY 1 0 [\s\S]*doneEND[\s\S]*RPY 0 2 [\s\S]*<ok \/>END/)
      await closing
      session.terminate()
    },
  )

  test.each(CASES)('R3080-2.3.1.3-23 crossing %s: theirs is refused after settleTimeout, ours goes on', async (_what, number) => {
    const { session, peer, closing, channel, asked } = await crossed(number, 30)
    await peer.expect(/ERR 0 2 [\s\S]*<error code='550' xml:lang='en'>still working/)
    peer.say(peer.frame('MSG 1 1', '\r\nnext'))
    asked[0]!.answer('at last')
    await peer.expect(/RPY 1 0 /)
    // Their refused close is forgotten.
    expect(asked[1]!.signal.aborted).toBe(false)
    expect(() => channel.send('x')).toThrow(/being closed/)
    peer.say(peer.management('RPY 1', '<ok />'))
    await closing
    expect(await channel.closed).toEqual({ kind: 'released', by: 'us' })
    session.terminate()
  })

  test.each(CASES)('R3080-2.3.1.3-20 crossing %s: with their <ok/> it is over, whatever we owe', async (_what, number) => {
    const { session, peer, closing, working } = await crossed(number)
    peer.say(peer.management('RPY 1', '<ok />'))
    await closing
    await peer.expect(/RPY 0 2 [\s\S]*<ok \/>END/)
    expect(working.signal.aborted).toBe(true)
    working.answer('too late')
    await turns()
    expect(peer.heard).not.toContain('RPY 1 0')
    session.terminate()
  })
})
