// Closes of ours that are not valid (RFC 3080 §2.3.1.3, §7.1).
import fc from 'fast-check'
import { must } from '../harness/case.js'
import { close, ownChannel, refused } from '../harness/management.js'
import { matching } from '../harness/matching.js'

/** Closes that are not valid. C stands for the channel, which is open. */
const INVALID: readonly [slug: string, title: string, element: (channel: number) => string, judges: readonly string[]][] = [
  ['no-code', 'no code', (channel) => `<close number='${channel}' />`, ['R3080-2.3.1.3-03']],
  ['empty-code', 'an empty code', (channel) => close(channel, ''), []],
  ['two-digits', 'a code of two digits', (channel) => close(channel, '20'), []],
  ['four-digits', 'a code of four digits', (channel) => close(channel, '2000'), []],
  ['word-code', 'a word for a code', (channel) => close(channel, 'abc'), []],
  ['signed-code', 'a code with a sign', (channel) => close(channel, '-20'), []],
  ['spaced-code', 'a code with a space in it', (channel) => close(channel, '2 0'), []],
  ['word-number', 'a word for a number', () => close('one'), []],
  ['negative-number', 'a negative number', () => close(-1), []],
  ['large-number', 'a number above the range', () => close(2147483648), []],
  ['wrapped-number', '2^32 and the number, which is the number in 32 bits', (channel) => close(String(2 ** 32 + channel)), []],
  ['wrapped-zero', '2^32, which is 0 in 32 bits', () => close('4294967296'), []],
  ['empty-number', 'an empty number', () => close(''), []],
]

export const syntax = [
  ...INVALID.map(([slug, title, element, judges]) =>
    must(
      `invalid-${slug}`,
      {
        title: `a close with ${title}`,
        judges: ['R3080-7.1-06', 'R3080-2.3.1.3-02', ...judges],
        quote: slug.endsWith('number')
          ? 'attribute indicates the channel number'
          : 'is a three-digit reply code meaningful to programs',
        sends: element(1),
        expects: 'ERR; the session and the channel live',
      },
      async (peer) => {
        const channel = await ownChannel(peer)
        const saw = await refused(peer, element(channel))
        await peer.echo(channel, 0)
        return saw
      },
    ),
  ),
  must.hold(
    'invalid-any-code',
    {
      title: 'a close with any code that is none',
      judges: ['R3080-7.1-06'],
      quote: 'is a three-digit reply code meaningful to programs',
      sends: 'a close with other than three digits',
      expects: 'ERR; the session lives',
      samples: fc.oneof(matching(/^[0-9]{0,8}$/), matching(/^[A-Za-z0-9+.:-]{1,6}$/)).filter((code) => !/^[0-9]{3}$/.test(code)),
    },
    async (peer, code) => {
      const channel = await ownChannel(peer)
      return refused(peer, close(channel, code))
    },
  ),
]
