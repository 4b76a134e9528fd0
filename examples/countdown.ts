// The three styles of exchange (RFC 3080 §2.1.1) are three words of the language: return is RPY, yield is ANS … NUL, throw is ERR.
import { type Profile, ReplyError } from 'cloudy-beep'
import { sessionPair } from 'cloudy-beep/testing'

const countdown: Profile = {
  uri: 'http://example.org/countdown',
  async *message(message) {
    const from = Number(await message.text())
    if (!Number.isInteger(from)) throw new ReplyError(501, 'not a number')
    for (let n = from; n > 0; n--) yield String(n)
  },
}

export async function count(from: string): Promise<string[]> {
  const { initiator } = await sessionPair({}, { profiles: [countdown] })
  const channel = await initiator.start(countdown.uri)
  const seen: string[] = []
  try {
    for await (const answer of channel.send(from)) seen.push(await answer.text())
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
    seen.push(`refused with ${error.replyCode}`)
  }
  await initiator.release()
  return seen
}
