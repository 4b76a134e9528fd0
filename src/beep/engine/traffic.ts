// What passed, counted: per channel, and through each channel for its session.

/** Counts since the beginning. Octets are those of payloads, as windows count them (RFC 3081 §3.1). */
export interface TrafficCounts {
  readonly framesSent: number
  readonly framesReceived: number
  readonly messagesSent: number
  readonly messagesReceived: number
  readonly octetsSent: number
  readonly octetsReceived: number
}

export class Traffic implements TrafficCounts {
  framesSent = 0
  framesReceived = 0
  messagesSent = 0
  messagesReceived = 0
  octetsSent = 0
  octetsReceived = 0
  readonly #whole: Traffic | undefined

  /** @param whole counts everything that this counts, too */
  constructor(whole?: Traffic) {
    this.#whole = whole
  }

  /** A frame has been cut; with `last`, it ends its message. */
  sent(octets: number, last: boolean): void {
    this.framesSent++
    this.octetsSent += octets
    if (last) this.messagesSent++
    this.#whole?.sent(octets, last)
  }

  /** The header of a frame has been accepted; with `last`, the frame ends its message. */
  received(octets: number, last: boolean): void {
    this.framesReceived++
    this.octetsReceived += octets
    if (last) this.messagesReceived++
    this.#whole?.received(octets, last)
  }
}
