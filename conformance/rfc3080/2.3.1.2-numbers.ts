// The numbers of channels in starts of ours (RFC 3080 §2.3.1.2).
import fc from 'fast-check'
import { MAX_NUMBER } from '../../src/beep/limits.js'
import { may, must } from '../harness/case.js'
import { Failure } from '../harness/failure.js'
import { answered, askTogether, ownChannel, profile, refused, start } from '../harness/management.js'
import { matching } from '../harness/matching.js'
import type { Peer } from '../harness/peer.js'

/** The nearest number at or below `number` that we may give. */
function ours(peer: Peer, number: number): number {
  const odd = peer.target === 'listener' ? 1 : 0
  return number % 2 === odd ? number : number - 1 || number + 1
}

/** What no channel number is: the range is 1..2147483647. */
const NO_NUMBERS: readonly [slug: string, title: string, number: string][] = [
  ['zero', 'the number of channel management', '0'],
  ['too-large', 'the first number above the range', '2147483648'],
  ['too-large-odd', 'the first odd number above the range', '2147483649'],
  ['wraps-to-1', '2^32 + 1, which is 1 in 32 bits', '4294967297'],
  ['wraps-to-2', '2^32 + 2, which is 2 in 32 bits', '4294967298'],
  ['wraps-64', '2^64 + 1, which is 1 in 64 bits', '18446744073709551617'],
  ['negative', 'a negative number', '-1'],
  ['empty', 'no digits', ''],
  ['word', 'a word', 'one'],
  ['fraction', 'a fraction', '1.0'],
  ['hexadecimal', 'hexadecimal notation', '0x1'],
  ['exponent', 'an exponent', '1e0'],
  ['behind', 'a letter behind the digits', '1a'],
]

export const numbers = [
  must.hold(
    'any-number',
    {
      title: 'any number that is ours to give',
      judges: ['R3080-2.3.1.2-01', 'R3080-2.3.1.2-02'],
      quote: 'in the range 1..2147483647',
      sends: 'a start with any number of our parity, and a message on the channel',
      expects: 'the channel, and the echo',
      samples: fc.integer({ min: 1, max: MAX_NUMBER }),
    },
    async (peer, sample) => {
      const channel = await ownChannel(peer, ours(peer, sample))
      await peer.echo(channel, 0)
      return undefined
    },
  ),
  must(
    'largest-number',
    {
      title: 'the largest number that is ours to give',
      judges: ['R3080-2.3.1.2-02'],
      quote: 'in the range 1..2147483647',
      sends: 'a start with 2147483647, or 2147483646 to an initiator, and a message on the channel',
      expects: 'the channel, and the echo',
    },
    async (peer) => {
      const channel = await ownChannel(peer, ours(peer, MAX_NUMBER))
      await peer.echo(channel, 0)
      return undefined
    },
  ),
  must(
    'wrong-parity',
    {
      title: 'the number that is the other peer’s to give',
      judges: ['R3080-2.3.1.2-11', 'R3080-2.3.1.2-09', 'R3080-2.3.1.2-10'],
      quote: 'use only positive integers that are odd-numbered',
      sends: 'a start with 2 as the initiator, or with 1 as the listener',
      expects: 'ERR; the session lives',
    },
    async (peer) => refused(peer, start(peer.target === 'listener' ? 2 : 1, profile(peer.profile))),
  ),
  must.hold(
    'wrong-parity-any',
    {
      title: 'any number that is the other peer’s to give',
      judges: ['R3080-2.3.1.2-11'],
      quote: 'use only positive integers that are even-numbered',
      sends: 'a start with any number of the other parity',
      expects: 'ERR; the session lives',
      samples: fc.integer({ min: 1, max: MAX_NUMBER - 1 }),
    },
    async (peer, sample) =>
      refused(peer, start(ours(peer, sample + 1) === sample + 1 ? sample : sample + 1, profile(peer.profile))),
  ),
  ...NO_NUMBERS.map(([slug, title, number]) =>
    must(
      `number-${slug}`,
      {
        title: `a start with ${title} for a number`,
        judges: ['R3080-2.3.1.2-02', 'R3080-2.3.1.2-13'],
        quote: 'in the range 1..2147483647',
        sends: `<start number='${number}'>`,
        expects: 'ERR; the session lives',
      },
      async (peer) => refused(peer, start(number, profile(peer.profile))),
    ),
  ),
  must.hold(
    'number-any-other',
    {
      title: 'a start with anything for a number that is none',
      judges: ['R3080-2.3.1.2-02', 'R3080-2.3.1.2-13'],
      quote: 'in the range 1..2147483647',
      sends: 'a start with numbers beyond the range, negative ones, and words',
      expects: 'ERR; the session lives',
      samples: fc.oneof(
        fc.bigInt({ min: 2n ** 31n, max: 2n ** 70n }).map(String),
        fc.integer({ min: -MAX_NUMBER, max: -1 }).map(String),
        matching(/^[A-Za-z.:_/#-]{1,12}$/),
        fc
          .tuple(fc.integer({ min: 1, max: 99 }), fc.constantFrom('a', ',1', '/1', ' 1', '-', '.5', '%'))
          .map((both) => both.join('')),
      ),
    },
    async (peer, number) => refused(peer, start(number, profile(peer.profile))),
  ),
  must(
    'number-missing',
    {
      title: 'a start without a number',
      judges: ['R3080-7.1-10', 'R3080-2.3.1.2-02'],
      quote: 'The "start" element has a "number" attribute',
      sends: '<start> with the profile and no number',
      expects: 'ERR; the session lives',
    },
    async (peer) => refused(peer, `<start>${profile(peer.profile)}</start>`),
  ),
  ...(
    [
      ['zeros', 'leading zeros', (number) => `00${number}`],
      ['plus', 'a plus sign', (number) => `+${number}`],
      ['spaces', 'white space around the digits', (number) => ` ${number} `],
    ] as [string, string, (number: number) => string][]
  ).map(([slug, title, spelled]) =>
    may(
      `number-with-${slug}`,
      {
        title: `a start with ${title} in its number`,
        judges: ['R3080-2.3.1.2-02'],
        quote: '',
        sends: `<start number='${spelled(1)}'>`,
        expects: 'the channel or ERR; the session lives',
      },
      async (peer) => {
        await peer.greet()
        return answered(peer, start(spelled(peer.number()), profile(peer.profile)))
      },
    ),
  ),
  must(
    'in-use',
    {
      title: 'the number of a channel that is open',
      judges: ['R3080-2.3.1.2-12'],
      quote: 'To avoid conflict in assigning channel numbers',
      sends: 'a start with the number of an open channel, then a message on that channel',
      expects: 'ERR, and the echo',
    },
    async (peer) => {
      const channel = await ownChannel(peer)
      await peer.echo(channel, 0)
      const saw = peer.expectError(await peer.start(channel, peer.profile))
      await peer.echo(channel, 1, 'as before')
      return saw
    },
  ),
  must(
    'in-use-at-once',
    {
      title: 'two starts with one number, sent together',
      judges: ['R3080-2.3.1.2-12', 'R3080-2.3.1.2-29'],
      quote: 'To avoid conflict in assigning channel numbers',
      sends: 'both starts in one piece',
      expects: 'the channel for the first, ERR for the second; the channel works',
      of: 'listener',
    },
    async (peer) => {
      await peer.greet()
      const number = peer.number()
      const element = start(number, profile(peer.profile))
      const [one, two] = askTogether(peer, element, element)
      const first = await peer.answer(one!)
      if (first.keyword !== 'RPY') throw new Failure(`the first start was refused with ${first.element.attributes.code}`)
      const saw = peer.expectError(await peer.answer(two!))
      await peer.echo(number, 0)
      return saw
    },
  ),
]
