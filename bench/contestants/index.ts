// Who takes part. The first is the one that the others are compared with.
import type { Contestant } from '../contestant.js'
import { beep } from './beep.js'
import { net } from './net.js'
import { ws } from './ws.js'

export const CONTESTANTS: readonly Contestant[] = [beep, net, ws]

/** Whose rate is divided by that of each other. */
export const OURS = beep.name
