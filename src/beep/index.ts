// What the package gives to whoever wants BEEP sessions.
export type { Channel, CloseOptions, RequestOptions } from './channel.js'
export { attach, type ConnectOptions, connect, DEFAULT_PORT } from './connect.js'
export type { EndNotice, ErrorNotice, OctetsNotice, SessionNotice } from './diagnostics.js'
export type { Role } from './engine/core.js'
export type { Greeting } from './engine/events.js'
export type { TrafficCounts } from './engine/traffic.js'
export { ClosedError, type CloseReason, describeReason, ProtocolError, ReplyError, type Rule, VIOLATIONS } from './errors.js'
export type { Exchange } from './exchange.js'
export type { Limits } from './limits.js'
export { type Listener, type ListenOptions, listen } from './listen.js'
export type { Body, Entity, Message, Outgoing } from './message.js'
export {
  type CloseRequest,
  type HandlerContext,
  type Initial,
  type Profile,
  type Reply,
  type StartRequest,
  Tuning,
} from './profile.js'
export { REPLY_CODES } from './reply-code.js'
export type { Session, SessionOptions, StartOptions } from './session.js'
export { Trace } from './trace.js'
export type { Headers } from './wire/entity.js'
