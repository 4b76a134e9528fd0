// The profiles in starts of ours (RFC 3080 §2.3.1.2): which one is taken; and the name of the server.
import fc from 'fast-check'
import { may, must, should } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { answered, askTogether, ownChannel, profile, refused, start } from '../harness/management.js'
import { matching } from '../harness/matching.js'
import { NOWHERE, type Peer } from '../harness/peer.js'
import { type Plain, STYLES, spell } from '../harness/spelling.js'

/** URIs that nobody serves. */
const UNKNOWN = matching(/^[a-z0-9]{1,12}$/).map((name) => `http://example.org/profiles/nowhere/${name}`)

/** Ways to write another URI that is nearly the same. */
const NEARLY: Readonly<Record<string, (uri: string) => string>> = {
  'a slash behind it': (uri) => `${uri}/`,
  'a fragment': (uri) => `${uri}#`,
  'a query': (uri) => `${uri}?`,
  'the scheme in upper case': (uri) => uri.replace(/^[a-z]+/, (scheme) => scheme.toUpperCase()),
  'the last letter in the other case': (uri) => uri.replace(/[A-Za-z](?=[^A-Za-z]*$)/, otherCase),
  'the last letter encoded': (uri) => uri.replace(/[A-Za-z](?=[^A-Za-z]*$)/, (each) => `%${each.charCodeAt(0).toString(16)}`),
  'a space before it': (uri) => ` ${uri}`,
  'a space behind it': (uri) => `${uri} `,
  'the last character missing': (uri) => uri.slice(0, -1),
  'nothing but the scheme': (uri) => uri.replace(/:.*/, ':'),
}

function otherCase(letter: string): string {
  return letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()
}

/** Starts on any of some profiles, of which the target serves the one that echoes; that one has to be it. */
async function expectEcho(peer: Peer, profiles: string, attributes = ''): Promise<undefined> {
  if (peer.greeting === undefined) await peer.greet()
  const number = peer.number()
  const { keyword, element } = await peer.ask(start(number, profiles, attributes))
  if (keyword !== 'RPY' || element.name !== 'profile')
    throw new Failure(`expected ${peer.profile}; ${keyword} with <${element.name}> came (${element.attributes.code ?? ''})`)
  if (element.attributes.uri !== peer.profile) throw new Failure(`the reply names ${element.attributes.uri}, not ${peer.profile}`)
  await peer.echo(number, 0)
  return undefined
}

const choice = [
  must(
    'reply',
    {
      title: 'the reply to a start',
      judges: ['R3080-2.3.1.2-19', 'R3080-2.3.1.2-21'],
      quote: 'the appropriate "profile" element is sent in a positive reply',
      sends: 'a start of the profile that echoes',
      expects: 'RPY with <profile> and exactly that uri',
      of: 'listener',
    },
    (peer) => expectEcho(peer, profile(peer.profile)),
  ),
  must(
    'second-profile',
    {
      title: 'a start that proposes an unknown profile before the known one',
      judges: ['R3080-2.3.1.2-19'],
      quote: 'examines each of the proposed profiles',
      sends: 'a start with a profile that nobody has, and with the one that echoes',
      expects: 'RPY with the second',
      of: 'listener',
    },
    (peer) => expectEcho(peer, profile(NOWHERE) + profile(peer.profile)),
  ),
  must.hold(
    'one-known',
    {
      title: 'any set of profiles with one known among them',
      judges: ['R3080-2.3.1.2-19', 'R3080-2.3.1.2-21'],
      quote: 'examines each of the proposed profiles',
      sends: 'a start that proposes the known profile at any place among unknown ones',
      expects: 'RPY with the known one',
      of: 'listener',
      samples: fc.tuple(fc.array(UNKNOWN, { maxLength: 6 }), fc.array(UNKNOWN, { maxLength: 6 })),
    },
    (peer, [before, after]) => expectEcho(peer, [...before, peer.profile, ...after].map((uri) => profile(uri)).join('')),
  ),
  must(
    'known-twice',
    {
      title: 'a start that proposes the same profile twice',
      judges: ['R3080-2.3.1.2-21'],
      quote: 'decides whether to use one of them',
      sends: 'a start with the profile that echoes, two times',
      expects: 'one channel with it',
      of: 'listener',
    },
    (peer) => expectEcho(peer, profile(peer.profile) + profile(peer.profile)),
  ),
  must.hold(
    'none-known',
    {
      title: 'any set of profiles of which none is known',
      judges: ['R3080-2.3.1.2-20', 'R3080-2.3.1.5-01'],
      quote: 'otherwise, an "error" element is sent in a negative reply',
      sends: 'a start that proposes unknown profiles',
      expects: 'ERR; the session lives',
      samples: fc.array(UNKNOWN, { minLength: 1, maxLength: 12 }),
    },
    async (peer, uris) => {
      await peer.greet()
      return refused(peer, start(peer.number(), uris.map((uri) => profile(uri)).join('')))
    },
  ),
  ...Object.entries(NEARLY).map(([what, change]) =>
    must(
      `nearly-${what.replaceAll(' ', '-')}`,
      {
        title: `a uri with ${what}`,
        judges: ['R3080-2.3.1.2-05'],
        quote: 'the "uri" attribute authoritatively identifies the profile',
        sends: `a start of the profile that echoes, with ${what}`,
        expects: 'ERR: it is another profile; the session lives',
      },
      async (peer) => {
        await peer.greet()
        return refused(peer, start(peer.number(), profile(change(peer.profile))))
      },
    ),
  ),
  must(
    'no-profile',
    {
      title: 'a start that proposes nothing',
      judges: ['R3080-2.3.1.2-04', 'R3080-7.1-02'],
      quote: 'one or more "profile" elements',
      sends: '<start> with a number and no profile',
      expects: 'ERR; the session lives',
    },
    async (peer) => {
      await peer.greet()
      return refused(peer, start(peer.number(), ''))
    },
  ),
  must(
    'no-uri',
    {
      title: 'a profile without a uri',
      judges: ['R3080-2.3.1.2-05'],
      quote: 'has a "uri" attribute',
      sends: '<start> with <profile />',
      expects: 'ERR; the session lives',
    },
    async (peer) => {
      await peer.greet()
      return refused(peer, start(peer.number(), '<profile />'))
    },
  ),
  must.hold(
    'in-order',
    {
      title: 'any number of starts sent together, some of them known',
      judges: ['R3080-2.3.1.2-29', 'R3080-2.3.1.2-19', 'R3080-2.3.1.2-20'],
      quote: '',
      sends: 'up to eight starts in one piece',
      expects: 'an answer for each, in that order, RPY for the known and ERR for the others',
      of: 'listener',
      samples: fc.array(fc.boolean(), { minLength: 2, maxLength: 8 }),
    },
    async (peer, known) => {
      await peer.greet()
      const numbers = known.map(() => peer.number())
      const msgnos = askTogether(peer, ...known.map((yes, at) => start(numbers[at]!, profile(yes ? peer.profile : NOWHERE))))
      for (const [at, yes] of known.entries()) {
        const next = await peer.take(({ channel, keyword }) => channel === 0 && keyword !== 'MSG', 'the next answer')
        const wanted = yes ? 'RPY' : 'ERR'
        if (next.msgno !== msgnos[at] || next.keyword !== wanted)
          throw new Failure(`expected ${wanted} 0 ${msgnos[at]}; ${next.keyword} 0 ${next.msgno} came`)
      }
      for (const [at, yes] of known.entries()) if (yes) await peer.echo(numbers[at]!, 0, `start ${at}`)
      return undefined
    },
  ),
  may(
    'not-offered',
    {
      title: 'a start of a profile that the target does not offer',
      judges: ['R3080-2.3.1.1-14'],
      quote: '',
      sends: 'a start of a profile that is not in the greeting',
      expects: 'RPY or ERR; the session lives',
    },
    async (peer) => {
      await peer.greet()
      return answered(peer, start(peer.number(), profile(NOWHERE)))
    },
  ),
  must.hold(
    'any-spelling',
    {
      title: 'a start in any spelling that XML has',
      judges: ['R3080-6.4-06', 'R3080-6.4-03', 'R3080-2.3.1.2-05'],
      quote: 'CDATA blocks, processing instructions, and so on) are allowed',
      sends: 'a start with other quotes, white space, references, comments and instructions',
      expects: 'the channel, and the echo',
      of: 'listener',
      samples: STYLES,
    },
    async (peer, style) => {
      await peer.greet()
      const number = peer.number()
      const element: Plain = {
        name: 'start',
        attributes: { number: String(number) },
        content: [peer.profile, NOWHERE].map((uri) => ({ name: 'profile', attributes: { uri } })),
      }
      const { keyword, element: reply } = await peer.ask(spell(element, style))
      if (keyword !== 'RPY' || reply.attributes.uri !== peer.profile)
        throw new Failure(`expected ${peer.profile}; ${keyword} with <${reply.name}> came (${reply.attributes.code ?? ''})`)
      await peer.echo(number, 0)
      return undefined
    },
  ),
]

const serverName = [
  may(
    'server-name',
    {
      title: 'a start that asks for a server by name',
      judges: ['R3080-2.3.1.2-03', 'R3080-2.3.1.2-14', 'R3080-2.3.1.2-15'],
      quote: 'the BEEP peer decides whether to operate as the indicated "serverName"',
      sends: "serverName='beep.example.org'",
      expects: 'the channel, or ERR; the session lives',
    },
    async (peer) => {
      await peer.greet()
      return answered(peer, start(peer.number(), profile(peer.profile), " serverName='beep.example.org'"))
    },
  ),
  must.hold(
    'server-name-any',
    {
      title: 'any string for the name of the server',
      judges: ['R3080-2.3.1.2-03'],
      quote: 'the "serverName" attribute, an arbitrary string',
      sends: 'a start with any serverName in any spelling',
      expects: 'the channel, or ERR that is not for the syntax; the session lives',
      samples: fc.tuple(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), STYLES),
    },
    async (peer, [name, style]) => {
      await peer.greet()
      const lawful = name.replace(/[^\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
      const attributes = { number: String(peer.number()), serverName: lawful }
      const within: Plain = { name: 'profile', attributes: { uri: peer.profile } }
      const saw = await answered(peer, spell({ name: 'start', attributes, content: [within] }, style))
      if (saw.endsWith('500')) throw new Failure('the element was refused as poorly formed')
      return saw
    },
  ),
  should(
    'server-name-later',
    {
      title: 'another server name once the first channel is there',
      judges: ['R3080-2.3.1.2-16'],
      quote: 'the first successful "start" element',
      sends: 'a start without serverName, then one with',
      expects: 'both channels: the later name means nothing',
      of: 'listener',
    },
    async (peer) => {
      await peer.channel()
      return expectEcho(peer, profile(peer.profile), " serverName='later.example.org'")
    },
  ),
  must(
    'server-name-of-failed-start',
    {
      title: 'a server name in a start that failed',
      judges: ['R3080-2.3.1.2-17'],
      quote: 'the first successful "start" element',
      sends: 'a start of an unknown profile with serverName, then a start without',
      expects: 'ERR, then the channel: the first name means nothing',
    },
    async (peer) => {
      await peer.greet()
      const failed = start(peer.number(), profile(NOWHERE), " serverName='first.example.org'")
      const saw = peer.expectError(await peer.ask(failed))
      const channel = await ownChannel(peer)
      await peer.echo(channel, 0)
      return saw
    },
  ),
]

export const profiles = [...choice, ...serverName]
