// All studies, in the order in which they are printed.
import { beside } from './beside.js'
import { long, wide } from './flat.js'
import { channels, sessions } from './memory.js'
import { stream } from './stream.js'
import type { Study } from './study.js'

export const STUDIES: readonly Study[] = [sessions, channels, stream, beside, wide, long]
