// The times of signed objects: what has expired, what is from the future, what lives too long.
import fc from 'fast-check'
import { must, section } from '../harness/case.js'
import { somebody } from './kit/certificates.js'
import { now, objectOf } from './kit/objects.js'
import { giveAccepted, giveRefused, OBJECTS, visit } from './kit/visit.js'

const TIMES = 'An object is refused when it has expired'
const YEAR = 31_536_000
const MAX_LIFETIME = 315_360_000
/** The judge's clock and the target's may differ by so many seconds, beyond what the target tolerates. */
const CLOCKS = 300

export const lifetimes = section('cloudy/lifetimes', 'Lifetimes', [
  must.hold(
    'expired',
    {
      title: 'an object that has expired, whenever that was',
      judges: ['CLOUDY-LIFE-01'],
      quote: TIMES,
      sends: 'such an object',
      expects: 'ERR 550, and the session lives',
      samples: fc.record({
        ago: fc.integer({ min: CLOCKS, max: 20 * YEAR }),
        lifetime: fc.integer({ min: 1, max: MAX_LIFETIME }),
      }),
    },
    (peer, { ago, lifetime }) => {
      const expires = now() - ago
      return giveRefused(peer, ({ who }) => objectOf(who, { issued: expires - lifetime, expires }), [550])
    },
  ),
  must.hold(
    'from-future',
    {
      title: 'an object from the future',
      judges: ['CLOUDY-LIFE-02'],
      quote: "ahead of the receiver's clock",
      sends: 'an object that is issued later',
      expects: 'ERR 553, and the session lives',
      samples: fc.record({
        ahead: fc.integer({ min: 120 + CLOCKS, max: 1000 * YEAR }),
        lifetime: fc.integer({ min: 1, max: MAX_LIFETIME }),
      }),
    },
    (peer, { ahead, lifetime }) => {
      const issued = now() + ahead
      return giveRefused(peer, ({ who }) => objectOf(who, { issued, expires: issued + lifetime }))
    },
  ),
  must(
    'clock-ahead',
    {
      title: 'an object of somebody whose clock is a minute ahead',
      judges: ['CLOUDY-LIFE-02'],
      quote: 'seconds ahead',
      sends: 'an object that is issued in a minute',
      expects: 'its digest',
    },
    (peer) => giveAccepted(peer, ({ who }) => objectOf(who, { issued: now() + 60 })),
  ),
  must.hold(
    'lifetime-wrong',
    {
      title: 'an object that lives too long, or not at all',
      judges: ['CLOUDY-LIFE-03'],
      quote: 'at most 315,360,000',
      sends: 'such an object',
      expects: 'ERR 553, or 550 when it has expired as well, and the session lives',
      samples: fc.oneof(fc.integer({ min: MAX_LIFETIME + 1, max: 1000 * YEAR }), fc.integer({ min: -YEAR, max: 0 })),
    },
    (peer, lifetime) => {
      const issued = now()
      return giveRefused(
        peer,
        ({ who }) => objectOf(who, { issued, expires: issued + lifetime }),
        lifetime > 0 ? [553] : [550, 553],
      )
    },
  ),
  must(
    'lifetime-longest',
    {
      title: 'an object that lives as long as is allowed',
      judges: ['CLOUDY-LIFE-03'],
      quote: 'at most 315,360,000',
      sends: 'an object of ten years',
      expects: 'its digest',
    },
    async (peer) => {
      const issued = now()
      // A stranger's is not kept.
      const here = await visit(peer, somebody())
      return here.give(await here.open(OBJECTS), objectOf(here.who, { issued, expires: issued + MAX_LIFETIME }))
    },
  ),
])
