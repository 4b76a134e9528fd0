// Who takes part. The first is the one that the others are compared with.
import type { Contestant } from '../contestant.js'
import { beep } from './beep.js'
import { grpc } from './grpc.js'
import { http2 } from './http2.js'
import { net, tls } from './raw.js'
import { ws } from './ws.js'
import { yamux } from './yamux.js'

export const CONTESTANTS: readonly Contestant[] = [beep, net, tls, ws, http2, yamux, grpc]

/** Whose rate is divided by that of each other. */
export const OURS = beep.name
