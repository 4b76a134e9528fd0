// All cases, in the order of the RFCs.
import type { Case } from './harness/case.js'
import { payload } from './rfc3080/2.2.1.2-sequence.js'
import { messages } from './rfc3080/2.2-messages.js'
import { roles, sessions, styles } from './rfc3080/2-exchanges.js'

export const CASES: readonly Case[] = [...sessions, ...roles, ...styles, ...messages, ...payload]
