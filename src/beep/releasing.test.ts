// Releases of sessions (RFC 3080 §2.4), as users see them and as they look on the wire.
import { describe, expect, test } from '@jest/globals'
import { ECHO, echo } from '../profiles/echo.js'
import { deferred } from './promises.js'
import { asking, close, manual, serving } from './test-kit-closing.js'
import { rawPair, turns } from './test-kit-peer.js'
import { sessionPair } from './testing.js'

describe('release (§2.4)', () => {
  test('R3080-2.4-03 R3080-2.4-06 R3080-2.4-07 R3081-2-04 <ok/> is the last that is said, then the transport is closed', async () => {
    const { session, peer } = await serving({ uri: 'u:x', message: (message) => message })
    peer.say(peer.frame('MSG 1 0', '\r\nlast'))
    close(peer, 2, 0)
    await peer.end()
    expect(peer.heard).toMatch(/RPY 1 0 [\s\S]*RPY 0 2 [\s\S]*<ok \/>END\r\n$/)
    expect(await session.closed).toEqual({ kind: 'released', by: 'peer' })
  })

  test('R3081-2-05 on <ok/> we close the transport without another octet', async () => {
    const { session, peer } = await asking()
    const releasing = session.release()
    await peer.expect(/<close number='0' code='200' \/>END\r\n/)
    const before = peer.heard.length
    peer.say(peer.management('RPY 2', '<ok />'))
    await releasing
    await peer.end()
    expect(peer.heard.length).toBe(before)
    await session.release()
  })

  test('R3080-2.4-04 R3080-2.4-05 a release that is refused leaves the session up', async () => {
    const { session, peer, channel } = await asking()
    const releasing = session.release()
    await peer.expect(/<close number='0'/)
    expect(() => channel.send('late')).toThrow(expect.objectContaining({ code: 'BEEP_ERR_CLOSED' }))
    peer.say(peer.management('ERR 2', `<error code='550'>busy</error>`))
    await expect(releasing).rejects.toMatchObject({ replyCode: 550, text: 'busy' })
    channel.request('on').catch(() => {})
    await peer.expect(/MSG 1 0 /)
    session.terminate()
  })

  test('R3080-2.4-04 ours is refused with 550 while a handler never ends, and its signal tells it', async () => {
    const { asked, profile } = manual()
    const { session, peer } = await serving(profile, { settleTimeout: 30 })
    peer.say(peer.frame('MSG 1 0', '\r\nslow'))
    close(peer, 2, 0)
    await peer.expect(/ERR 0 2 [\s\S]*<error code='550'/)
    expect(asked[0]!.signal.aborted).toBe(true)
    asked[0]!.answer('at last')
    await peer.expect(/RPY 1 0 /)
    close(peer, 3, 0)
    await peer.expect(/RPY 0 3 [\s\S]*<ok \/>END/)
    await session.closed
  })

  test('R3080-2.4-09 meanwhile no channel is started, and requests of the peer are answered', async () => {
    const { session, peer } = await serving({ uri: 'u:x', message: (message) => message })
    const releasing = session.release()
    await peer.expect(/<close number='0'/)
    await expect(session.start('u:x')).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    peer.say(peer.frame('MSG 1 0', '\r\nstill'))
    await peer.expect(/RPY 1 0 /)
    peer.say(peer.management('RPY 1', '<ok />'))
    await releasing
  })

  test('nothing can be started on a session that the peer is releasing', async () => {
    const { asked, profile } = manual()
    const { session, peer } = await serving(profile)
    peer.say(peer.frame('MSG 1 0', '\r\nslow'))
    close(peer, 2, 0)
    await turns()
    await expect(session.start('u:x')).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    asked[0]!.answer('done')
    await peer.expect(/<ok \/>END/)
  })

  test('R3081-2-07 the end of the transport without a release is an abnormal end', async () => {
    const { session, peer, channel } = await asking()
    const asked = channel.request('x')
    const releasing = session.release()
    asked.catch(() => {})
    releasing.catch(() => {})
    peer.stream.end()
    await expect(asked).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    await expect(releasing).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(await session.closed).toMatchObject({ kind: 'terminated', by: 'peer' })
    expect(await channel.closed).toMatchObject({ kind: 'terminated', by: 'peer' })
  })

  test('`await using` releases', async () => {
    const { initiator, listener } = await sessionPair({}, { profiles: [echo] })
    {
      await using session = initiator
      await session.start(ECHO)
    }
    expect(await listener.closed).toEqual({ kind: 'released', by: 'peer' })
  })

  test('`await using` terminates when the peer does not answer, or refuses', async () => {
    const { session } = await asking({ releaseTimeout: 30 })
    await session[Symbol.asyncDispose]()
    expect(await session.closed).toMatchObject({ kind: 'terminated', by: 'us' })
    const other = await asking()
    const disposing = other.session[Symbol.asyncDispose]()
    await other.peer.expect(/<close number='0'/)
    other.peer.say(other.peer.management('ERR 2', `<error code='550' />`))
    await disposing
    expect(await other.session.closed).toMatchObject({ kind: 'terminated', error: { replyCode: 550 } })
  })

  test('after the end everything says so', async () => {
    const { initiator } = await sessionPair({}, { profiles: [echo] })
    const channel = await initiator.start(ECHO)
    await initiator.release()
    await initiator.release()
    initiator.terminate()
    await channel.close()
    await expect(initiator.start(ECHO)).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED', reason: { kind: 'released' } })
    await expect(channel.request('x')).rejects.toMatchObject({ code: 'BEEP_ERR_CLOSED' })
    expect(await channel.closed).toEqual({ kind: 'released', by: 'us' })
  })

  describe('while the start of a channel is undecided', () => {
    /** We are the listener; the peer has asked for a channel, and whether it gets it is decided by hand. */
    const undecided = async (settleTimeout: number) => {
      const decision = deferred<undefined>()
      const profile = { uri: 'u:x', start: () => decision.promise }
      const { session, peer } = await rawPair('listener', { settleTimeout, profiles: [profile] })
      peer.say(peer.management('MSG 1', `<start number='1'><profile uri='u:x' /></start>`))
      close(peer, 2, 0)
      await turns()
      return { session, peer, decision }
    }

    test('the release waits for it', async () => {
      const { session, peer, decision } = await undecided(0)
      decision.resolve(undefined)
      await peer.expect(/RPY 0 1 [\s\S]*RPY 0 2 [\s\S]*<ok \/>END\r\n$/)
      expect(await session.closed).toEqual({ kind: 'released', by: 'peer' })
    })

    test('R3080-2.3.1.3-23 not beyond settleTimeout', async () => {
      const { session, peer, decision } = await undecided(30)
      const refused = deferred<void>()
      setTimeout(refused.resolve, 60)
      await refused.promise
      decision.resolve(undefined)
      await peer.expect(/RPY 0 1 [\s\S]*ERR 0 2 [\s\S]*<error code='550'/)
      expect(session.channels.size).toBe(1)
      session.terminate()
    })
  })
})
