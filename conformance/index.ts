// All cases, in the order of the RFCs.
import type { Case } from './harness/case.js'
import { payload } from './rfc3080/2.2.1.2-sequence.js'

export const CASES: readonly Case[] = [...payload]
