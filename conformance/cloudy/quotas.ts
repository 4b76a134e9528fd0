// What a stranger may do, and how much of it: beyond that the documented code comes, and the session lives.
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import type { Peer } from '../harness/peer.js'
import { somebody } from './kit/certificates.js'
import { now, objectOf } from './kit/objects.js'
import { CERTIFICATES, FILES, JSON_TEXT, OBJECTS, type Said, SIGNED, type Visit, visit } from './kit/visit.js'

const BEYOND = 'Beyond that it is 450'
const NO = 'where the table says no it is 537'

/** A stranger, always another. */
const stranger = (peer: Peer): Promise<Visit> => visit(peer, somebody())

/**
 * Says the same thing more often than a stranger may, without waiting.
 * @param limit how often one may in a row, by the table; so many come back in a minute
 */
async function expectLimit(
  here: Visit,
  channel: number,
  limit: number,
  say: (count: number) => Promise<number>,
): Promise<string> {
  const began = performance.now()
  const asked: number[] = []
  for (let count = 0; count < 2 * limit; count++) asked.push(await say(count))
  const said: Said[] = []
  for (const msgno of asked) said.push(await here.reply(channel, msgno))
  const back = Math.ceil(((performance.now() - began) * limit) / 60_000)
  const refused = said.filter(({ code }) => code === 450).length
  const done = said.length - refused
  if (done > limit + back) throw new Failure(`${done} in a row were let through; ${limit} a minute are allowed`)
  if (done === 0) throw new Unsupported('strangers have had all that they have together')
  await here.peer.expectAlive()
  return `${done} of ${said.length} were let through`
}

export const quotas = section('cloudy/quotas', 'What a stranger may', [
  must(
    'give',
    {
      title: 'a stranger gives objects, twice as many as allowed in a minute',
      judges: ['CLOUDY-QUOTA-01', 'CLOUDY-QUOTA-02'],
      quote: BEYOND,
      sends: '40 objects in a row',
      expects: 'about 20 digests, ERR 450 for the others, and the session lives',
    },
    async (peer) => {
      const here = await stranger(peer)
      const channel = await here.open(OBJECTS)
      return expectLimit(here, channel, 20, (value) => here.send(channel, SIGNED, objectOf(here.who, { value })))
    },
  ),
  must(
    'give-what-does-not-hold',
    {
      title: 'a stranger gives what does not hold: that counts, too',
      judges: ['CLOUDY-QUOTA-01'],
      quote: BEYOND,
      sends: '40 times octets that are no object',
      expects: 'about 20 times ERR 553, ERR 450 for the others',
    },
    async (peer) => {
      const here = await stranger(peer)
      const channel = await here.open(OBJECTS)
      return expectLimit(here, channel, 20, () => here.send(channel, SIGNED, 'no object'))
    },
  ),
  must(
    'give-on-two-sessions',
    {
      title: 'a stranger gives objects on two sessions',
      judges: ['CLOUDY-QUOTA-01'],
      quote: 'keys are free',
      sends: '40 objects, the second half on another session of the same key',
      expects: 'about 20 digests in all',
    },
    async (peer) => {
      const here = await stranger(peer)
      const there = await visit(await peer.another(), here.who)
      const began = performance.now()
      let done = 0
      for (const each of [here, there]) {
        const channel = await each.open(OBJECTS)
        const asked: number[] = []
        for (let value = 0; value < 20; value++)
          asked.push(await each.send(channel, SIGNED, objectOf(here.who, { value, issued: now() - 1 })))
        for (const msgno of asked) if ((await each.reply(channel, msgno)).code === undefined) done++
      }
      const most = 20 + Math.ceil((performance.now() - began) / 3000)
      if (done > most) throw new Failure(`${done} in a row were let through; 20 a minute are allowed`)
      return `${done} of 40 were let through`
    },
  ),
  must(
    'give-octets',
    {
      title: 'a stranger gives as many octets as are allowed in an hour, and more',
      judges: ['CLOUDY-QUOTA-03'],
      quote: 'so many octets in a row',
      sends: 'six objects of 50,000 octets',
      expects: 'five digests, then ERR 450, and the session lives',
    },
    async (peer) => {
      const here = await stranger(peer)
      const channel = await here.open(OBJECTS)
      const codes: (number | undefined)[] = []
      for (let count = 0; count < 6; count++) {
        const object = objectOf(here.who, { value: `${count}${'x'.repeat(50_000)}` })
        codes.push((await here.reply(channel, await here.send(channel, SIGNED, object))).code)
      }
      if (codes.at(-1) !== 450) throw new Failure(`the codes are ${codes.map((code) => code ?? 'none').join(', ')}`)
      await peer.expectAlive()
      return `${codes.filter((code) => code === undefined).length} were let through`
    },
  ),
  must(
    'ask-for-certificates',
    {
      title: 'a stranger asks for certificates, twice as often as allowed',
      judges: ['CLOUDY-QUOTA-01'],
      quote: BEYOND,
      sends: '20 questions in a row',
      expects: 'NUL about nine times, since the start counts, ERR 450 for the others, and the session lives',
    },
    async (peer) => {
      const here = await stranger(peer)
      const channel = await here.open(CERTIFICATES, here.who.certificate)
      return expectLimit(here, channel, 10, () => here.send(channel, JSON_TEXT, '{"certificates":[]}'))
    },
  ),
  must(
    'show-certificates',
    {
      title: 'a stranger shows certificates again and again',
      judges: ['CLOUDY-QUOTA-01'],
      quote: 'A start is declined with the same codes',
      sends: '20 starts of the certificates profile',
      expects: 'ERR 450 after about ten, and the session lives',
    },
    async (peer) => {
      const here = await stranger(peer)
      const codes: (string | undefined)[] = []
      for (let count = 0; count < 20; count++) {
        const { keyword, element } = await here.start(CERTIFICATES, here.who.certificate)
        codes.push(keyword === 'RPY' ? undefined : element.attributes.code)
      }
      const other = codes.find((code) => code !== undefined && code !== '450')
      if (other !== undefined) throw new Failure(`a start is declined with ${other}`)
      if (!codes.includes('450')) throw new Failure('20 starts in a row were granted; 10 a minute are allowed')
      await peer.expectAlive()
      return `${codes.filter((code) => code === undefined).length} were let through`
    },
  ),
  must(
    'offer',
    {
      title: 'a stranger offers files, twice as many as allowed in a minute',
      judges: ['CLOUDY-QUOTA-01'],
      quote: BEYOND,
      sends: '8 offers that do not hold',
      expects: 'about four times ERR 553, ERR 450 for the others, and the session lives',
    },
    async (peer) => {
      const here = await stranger(peer)
      const channel = await here.open(FILES)
      return expectLimit(here, channel, 4, () => here.send(channel, SIGNED, objectOf(here.who)))
    },
  ),
  must.hold(
    'query',
    {
      title: 'a stranger asks for objects, or subscribes',
      judges: ['CLOUDY-QUOTA-05'],
      quote: NO,
      sends: 'any query',
      expects: 'ERR 537, and the session lives',
      samples: fc.record(
        { type: fc.constantFrom('conform/note', 'cloudy/card'), since: fc.nat(), live: fc.boolean() },
        { requiredKeys: [] },
      ),
    },
    async (peer, query) => {
      const here = await stranger(peer)
      return here.refused(await here.say(await here.open(OBJECTS), JSON_TEXT, JSON.stringify(query)), [537])
    },
  ),
])
