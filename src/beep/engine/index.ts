// The engine for whoever brings a transport of their own: `cloudy-beep/engine`.
export type { Limits } from '../limits.js'
export type { Role } from './core.js'
export { Engine, type EngineState, type StartWords } from './engine.js'
export type { Event, Greeting } from './events.js'
export type { OutgoingMessage } from './outbox.js'
export type { TrafficCounts } from './traffic.js'
