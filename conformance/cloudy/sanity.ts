// The case that runs first and last against a Cloudy peer.
import type { Case } from '../harness/case.js'
import { objectOf } from './kit/objects.js'
import { giveAccepted } from './kit/visit.js'

export const CLOUDY_SANITY: Case = {
  id: 'cloudy/objects/sanity',
  section: 'cloudy/objects',
  sectionTitle: 'Signed objects',
  slug: 'sanity',
  level: 'MUST',
  title: 'an ordinary visit',
  judges: [],
  quote: '',
  sends: 'greetings, TLS with a certificate, the profile of objects, an object that holds',
  expects: 'its digest',
  run: (peer) => giveAccepted(peer, ({ who }) => objectOf(who)),
}
