// The greeting (RFC 3080 §2.3.1.1): the target's own.
import { INITIAL_WINDOW } from '../../src/beep/limits.js'
import { may, must, section, should } from '../harness/case.js'
import { Failure, Unsupported } from '../harness/failure.js'
import { expectValid, isData, profile } from '../harness/management.js'
import { longGreeting, taken } from './2.3.1.1-greeting-taken.js'

const said = [
  must(
    'independent',
    {
      title: 'the greeting of the target comes unasked',
      judges: ['R3080-2.3.1.1-02', 'R3080-2.4-01'],
      quote: 'both BEEP peers send their replies independently',
      sends: 'nothing',
      expects: 'the greeting',
    },
    async (peer) => {
      await peer.greeted()
      return undefined
    },
  ),
  must(
    'first-frame',
    {
      title: 'the first frame of the target',
      judges: ['R3080-2.3.1.1-01', 'R3080-2.3.1.1-11', 'R3080-2.4-01'],
      quote: 'immediately sending a positive reply with a message number of zero',
      sends: 'our greeting',
      expects: 'RPY 0 0 with seqno 0, and a greeting in it',
    },
    async (peer) => {
      peer.manage('RPY 0', `<greeting>${profile(peer.profile)}</greeting>`)
      if (!(await peer.connection.until(() => peer.connection.heard.length > 0))) throw new Failure('no frame came', 'timeout')
      const [first] = peer.connection.heard.filter(isData)
      await peer.greeted()
      if (first?.keyword !== 'RPY' || first.channel !== 0 || first.msgno !== 0 || first.seqno !== 0)
        throw new Failure(`${first?.keyword} ${first?.channel} ${first?.msgno} with seqno ${first?.seqno} came first`)
      return undefined
    },
  ),
  must(
    'valid',
    {
      title: 'what stands in the greeting of the target',
      judges: ['R3080-2.3.1.1-03', 'R3080-7.1-01', 'R3080-7.1-09'],
      quote: 'two optional attributes ("features" and "localize")',
      sends: 'our greeting',
      expects: 'a greeting with features, localize and profiles at most, each profile with a uri',
    },
    async (peer) => {
      const greeting = await peer.greet()
      expectValid(greeting, 'greeting')
      for (const name of ['features', 'localize'])
        if (greeting.attributes[name]?.trim() === '') throw new Failure(`${name} is there and holds no token`)
      return undefined
    },
  ),
  must(
    'profiles-are-empty',
    {
      title: 'profiles in the greeting of the target hold no initialization message',
      judges: ['R3080-2.3.1.1-08'],
      quote: 'may not contain an optional initialization message',
      sends: 'our greeting',
      expects: 'profile elements without content',
    },
    async (peer) => {
      const full = (await peer.greet()).children.find(({ text }) => text.trim() !== '')
      if (full !== undefined) throw new Failure(`the profile ${full.attributes.uri} holds ${JSON.stringify(full.text)}`)
      return `${peer.offered.length} profiles`
    },
  ),
  may(
    'offers-what-it-serves',
    {
      title: 'whether the profile that echoes is in the greeting',
      judges: ['R3080-2.3.1.1-14'],
      quote: 'one for each profile supported',
      sends: 'our greeting',
      expects: 'either: a profile may be served and not offered',
      of: 'listener',
    },
    async (peer) => {
      await peer.channel()
      return peer.offered.includes(peer.profile) ? 'it is offered' : 'it is served, and not offered'
    },
  ),
  must(
    'once',
    {
      title: 'the target greets once, and counts on from there',
      judges: ['R3080-2.3.1.1-11', 'R3080-2.3.1.1-12'],
      quote: 'with a message number of zero',
      sends: 'our greeting, and two starts',
      expects: 'one greeting; the answers go on with the sequence numbers behind it',
    },
    async (peer) => {
      await peer.greet()
      await peer.expectAlive()
      await peer.expectAlive()
      if (peer.connection.heard.some((each) => isData(each) && each.channel === 0 && each.msgno === 0 && each.keyword === 'RPY'))
        throw new Failure('a second greeting came')
      const wrong = peer.faults.find(({ requirement }) => requirement === 'R3080-2.2.1.2-03')
      if (wrong !== undefined) throw new Failure(wrong.detail)
      return undefined
    },
  ),
  should(
    'start-waits',
    {
      title: 'the target starts no channel before it has our greeting',
      judges: ['R3080-2.3.1.1-15'],
      quote: 'each BEEP peer signifies its availability',
      sends: 'as much of a long greeting as fits into the window; the rest when a SEQ has come',
      expects: 'a SEQ for the first part, no start; the start when the greeting is whole',
      of: 'initiator',
    },
    async (peer) => {
      const greeting = longGreeting(peer, 80)
      peer.send('RPY 0 0 *', greeting.subarray(0, INITIAL_WINDOW))
      const credited = () => peer.seqs.some(({ channel, ackno }) => channel === 0 && ackno > 0)
      await peer.connection.until(credited)
      const early = peer.connection.heard.filter(isData).find(({ keyword }) => keyword === 'MSG')
      if (early !== undefined) throw new Failure(`MSG ${early.channel} ${early.msgno} came before our greeting was whole`)
      if (!credited()) throw new Unsupported('it gives no credit for a greeting that is not whole')
      await peer.message(0, 0, greeting.subarray(INITIAL_WINDOW), undefined, 'RPY')
      await peer.greeted()
      await peer.asked(0)
      return undefined
    },
  ),
]

export const greeting = section('rfc3080/2.3.1.1', 'The Greeting Message', [...said, ...taken])
