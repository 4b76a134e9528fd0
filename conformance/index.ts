// All cases, in the order of the RFCs.
import type { Case } from './harness/case.js'
import { payload } from './rfc3080/2.2.1.2-sequence.js'
import { messages } from './rfc3080/2.2-messages.js'
import { greeting } from './rfc3080/2.3.1.1-greeting.js'
import { starts } from './rfc3080/2.3.1.2-start.js'
import { channels } from './rfc3080/2.3-channels.js'
import { roles, sessions, styles } from './rfc3080/2-exchanges.js'
import { features } from './rfc3080/5.2-features.js'

export const CASES: readonly Case[] = [
  ...sessions,
  ...roles,
  ...styles,
  ...messages,
  ...payload,
  ...channels,
  ...greeting,
  ...starts,
  ...features,
]
