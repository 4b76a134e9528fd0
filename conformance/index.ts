// All cases, in the order of the RFCs.
import type { Case } from './harness/case.js'
import { header } from './rfc3080/2.2.1.1-header.js'
import { replies } from './rfc3080/2.2.1.1-replies.js'
import { requests } from './rfc3080/2.2.1.1-requests.js'
import { sender } from './rfc3080/2.2.1.1-sender.js'
import { payload } from './rfc3080/2.2.1.2-sequence.js'
import { trailer } from './rfc3080/2.2.1.3-trailer.js'
import { lawful } from './rfc3080/2.2.1-lawful-frames.js'
import { unlawful } from './rfc3080/2.2.1-unlawful-headers.js'
import { poorlyFormed } from './rfc3080/2.2.2.1-poorly-formed.js'
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
  ...lawful,
  ...unlawful,
  ...header,
  ...requests,
  ...replies,
  ...sender,
  ...payload,
  ...trailer,
  ...poorlyFormed,
  ...channels,
  ...greeting,
  ...starts,
  ...features,
]
