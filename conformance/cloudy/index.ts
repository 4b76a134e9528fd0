// What judges a Cloudy peer: all cases, what must hold for there to be any, and the profile that the cases use.

import type { Case } from '../harness/case.js'
import { cards } from './cards.js'
import { exchange } from './certificates.js'
import { clearText } from './clear-text.js'
import { encodings } from './encodings.js'
import { files } from './files.js'
import { json } from './json.js'
import { lifetimes } from './lifetimes.js'
import { giving } from './objects.js'
import { queries } from './queries.js'
import { quotas } from './quotas.js'
import { tls } from './tls.js'

export { OBJECTS } from './kit/visit.js'
export { CLOUDY_SANITY } from './sanity.js'

/** Cases for a Cloudy peer, which is a listener. */
export const CLOUDY_CASES: readonly Case[] = [
  ...clearText,
  ...tls,
  ...exchange,
  ...giving,
  ...lifetimes,
  ...encodings,
  ...json,
  ...cards,
  ...queries,
  ...files,
  ...quotas,
]
