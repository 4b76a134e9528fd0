// The life of a channel as data (RFC 3080 §2.3.1.3). A release is the close of channel 0 (§2.4), so one table serves both.

type Table = Readonly<Record<string, Readonly<Record<string, string>>>>

/**
 * State -> event -> next state. What is not in the table cannot happen: either the engine refuses it before it gets here, or
 * it is a violation with a name.
 */
export const CHANNEL = {
  /** Ours to close and theirs to close: nothing has been said. */
  open: { closeSent: 'closing', closeReceived: 'asked' },
  /** We said close and await the reply; MSGs of the peer are still served. */
  closing: { closeAccepted: 'closed', closeRefused: 'open', closeReceived: 'crossing' },
  /** The peer said close and the application has not decided. */
  asked: { agreed: 'settling', refused: 'open' },
  /** We agree: replies finish in both directions before `<ok/>`. */
  settling: { settled: 'closed', refused: 'open' },
  /** Both said close: each answers the other (A24). */
  crossing: { settled: 'closed', refused: 'closing', closeAccepted: 'closed', closeRefused: 'settling' },
  closed: {},
} as const satisfies Table

export type ChannelState = keyof typeof CHANNEL
export type ChannelEvent = { [State in ChannelState]: keyof (typeof CHANNEL)[State] }[ChannelState]

/** @throws TypeError for a pair that is not in the table: a command at the wrong time, never something that a peer said */
export function nextState(state: ChannelState, event: ChannelEvent): ChannelState {
  const next = (CHANNEL[state] as Partial<Record<ChannelEvent, ChannelState>>)[event]
  if (next === undefined) throw new TypeError(`A channel that is ${state} knows no ${event}`)
  return next
}
