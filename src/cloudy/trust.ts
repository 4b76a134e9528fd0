// What each kind of person may do on each profile, and how much of it: one table (docs/PROFILES.md shows it too), and the gate that enforces it.
import { ReplyError } from '../beep/index.js'
import type { Fingerprint } from './fingerprint.js'
import { type Admission, Meter, type Quota } from './meter.js'

/** What somebody is to us. Nothing is ever decided by nickname. */
export type Trust =
  /** Never met. */
  | 'stranger'
  /** TLS proved their key before. */
  | 'remembered'
  /** Somebody we vouched for has vouched for them. */
  | 'introduced'
  /** Verified by ourselves. */
  | 'vouched'
  | 'blocked'

/** What a MSG may ask for. */
export type Action =
  /** certificates: showing one's own at the start, asking for others. */
  | 'certificates'
  /** objects: giving an object. */
  | 'give'
  /** objects: a query. */
  | 'query'
  /** objects: a live subscription. */
  | 'subscribe'
  /** files: a manifest. */
  | 'offer'
  /** files: the octets of a manifest that was accepted. */
  | 'send'

/** How much of what somebody gives is kept in the store. */
export interface Keep {
  readonly objects: number
  readonly octets: number
  /** The part of the store, 0..1, beyond which it counts as full for them: the rest is for those who are trusted more. */
  readonly share: number
}

/** Sessions at a time that somebody began. Of those beyond, the one that has been silent for longest ends. */
export interface Places {
  readonly ofKey: number
  /** Of all who are trusted the same. */
  readonly together: number
  /** Seconds without a frame after which a session ends; never when it is left out. */
  readonly silence?: number
}

/** What is missing in here is not allowed. */
export interface Rights extends Readonly<Partial<Record<Action, Quota>>> {
  readonly sessions?: Places
  /** Certificates of others than ourselves are told: whom we know is nobody's business. */
  readonly others?: true
  /** What they give is kept and passed on, not only handed to the application. */
  readonly keep?: Keep
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/**
 * What one session may hold, whoever it is with. The channels are those that RFC 3080 §2.3 asks of every peer, and what comes on them unread is at
 * most 2 MiB: a file has a channel to itself, and with it the whole window.
 */
export const SESSION_LIMITS = { maxChannels: 256, maxSessionWindow: MIB } as const

/** The table. */
export const RIGHTS = {
  stranger: {
    sessions: { ofKey: 4, together: 256, silence: 600 },
    certificates: { perMinute: 10, atOnce: 1, octetsPerHour: 64 * KIB },
    give: { perMinute: 20, atOnce: 2, octetsPerHour: 256 * KIB },
    offer: { perMinute: 4, atOnce: 1, octetsPerHour: 256 * KIB },
    send: { perMinute: 4, atOnce: 1, octetsPerHour: 64 * MIB },
  },
  remembered: {
    sessions: { ofKey: 4, together: 256 },
    certificates: { perMinute: 30, atOnce: 2, octetsPerHour: MIB },
    give: { perMinute: 60, atOnce: 4, octetsPerHour: 4 * MIB },
    query: { perMinute: 30, atOnce: 2, octetsPerHour: 16 * MIB },
    subscribe: { perMinute: 6, atOnce: 4, octetsPerHour: 64 * MIB },
    offer: { perMinute: 10, atOnce: 2, octetsPerHour: MIB },
    send: { perMinute: 10, atOnce: 2, octetsPerHour: GIB },
    keep: { objects: 64, octets: MIB, share: 0.25 },
  },
  introduced: {
    sessions: { ofKey: 8, together: 512 },
    certificates: { perMinute: 60, atOnce: 4, octetsPerHour: 4 * MIB },
    give: { perMinute: 120, atOnce: 4, octetsPerHour: 16 * MIB },
    query: { perMinute: 60, atOnce: 4, octetsPerHour: 64 * MIB },
    subscribe: { perMinute: 10, atOnce: 8, octetsPerHour: 256 * MIB },
    offer: { perMinute: 20, atOnce: 4, octetsPerHour: 2 * MIB },
    send: { perMinute: 20, atOnce: 4, octetsPerHour: 4 * GIB },
    keep: { objects: 256, octets: 4 * MIB, share: 0.5 },
  },
  vouched: {
    sessions: { ofKey: 16, together: 1024 },
    certificates: { perMinute: 300, atOnce: 8, octetsPerHour: 16 * MIB },
    give: { perMinute: 600, atOnce: 16, octetsPerHour: 64 * MIB },
    query: { perMinute: 300, atOnce: 8, octetsPerHour: 256 * MIB },
    subscribe: { perMinute: 60, atOnce: 16, octetsPerHour: GIB },
    offer: { perMinute: 60, atOnce: 8, octetsPerHour: 8 * MIB },
    send: { perMinute: 60, atOnce: 8, octetsPerHour: 64 * GIB },
    others: true,
    keep: { objects: 4096, octets: 32 * MIB, share: 1 },
  },
  blocked: {},
} as const satisfies Record<Trust, Rights>

/** All who are trusted the same have, together, this many times what one of them has: keys are free. */
export const CROWD = 16

export interface GateOptions {
  /** What somebody is to us now. Asked at every MSG, so a change holds at once. */
  trustOf(fingerprint: Fingerprint): Trust
  /** Milliseconds since 1970. */
  now(): number
}

/** Decides, by the table, what a person may do. One for all profiles of a peer, since the quotas are those of the peer. */
export class Gate {
  readonly #options: GateOptions
  readonly #meter: Meter

  constructor(options: GateOptions) {
    this.#options = options
    this.#meter = new Meter({ crowd: CROWD, now: options.now })
  }

  rights(fingerprint: Fingerprint): Rights {
    return RIGHTS[this.#options.trustOf(fingerprint)]
  }

  /** Whether they may do this at all, however often they have. */
  allows(fingerprint: Fingerprint, action: Action): boolean {
    return this.rights(fingerprint)[action] !== undefined
  }

  /**
   * Lets somebody begin; what is given back has to be disposed of when they have done.
   * @param octets how large it is, where that is known
   * @throws ReplyError 537 when they may not, 450 when they may not now, 554 when they may never so much
   */
  admit(fingerprint: Fingerprint, action: Action, octets = 0): Admission {
    const trust = this.#options.trustOf(fingerprint)
    const quota = quotaOf(trust, action)
    return this.#meter.admit({ key: `${action} ${fingerprint}`, crowd: `${action} ${trust}`, quota, octets })
  }

  /** Whether they could begin now with so much. @throws ReplyError as `admit` does */
  check(fingerprint: Fingerprint, action: Action, octets: number): void {
    const trust = this.#options.trustOf(fingerprint)
    const quota = quotaOf(trust, action)
    this.#meter.check({ key: `${action} ${fingerprint}`, crowd: `${action} ${trust}`, quota, octets })
  }
}

function quotaOf(trust: Trust, action: Action): Quota {
  const rights: Rights = RIGHTS[trust]
  const quota = rights[action]
  if (quota === undefined) throw new ReplyError(537, `this is not for you here: ${action}`)
  return quota
}
