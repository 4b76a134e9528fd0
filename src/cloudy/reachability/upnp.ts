// UPnP with the default gateway (Internet Gateway Device, WANIPConnection): maps, renews, checks and removes. A process of its own speaks it, one for
// each errand, started only when it is needed and ended with it.
import { type ChildProcess, fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { abortable, deferred, within } from '../../beep/promises.js'
import { sanitise } from '../text.js'
import type { Gateway } from './gateway.js'
import { type Check, type Failure, failed, type Grant, type MappingProtocol, type Outcome, type Wish } from './protocol.js'
import { type ActionCall, type Answer, type Errand, readChild } from './upnp-messages.js'

const CHECK_INTERVAL = 300_000
/** Milliseconds that one errand may take, from the start of the process on. */
const PATIENCE = 8000
/** Ports that are tried when a router refuses one. */
const MAX_PORTS = 4
/** Where a port is drawn from then: IANA's dynamic ports. */
const DYNAMIC = [49_152, 65_536] as const
const MAX_DETAIL = 200
/** Octets that the child's heap may have, in MiB. */
const MAX_HEAP = 64
const DESCRIPTION = 'Cloudy'

/** UPnP error codes (WANIPConnection:1 §2.4.16.3, :2 §2.5.16.3). */
const CODES = {
  notInArray: 714,
  conflict: 718,
  samePorts: 724,
  permanentOnly: 725,
  noPortMaps: 728,
  otherMechanism: 729,
} as const

/** Calls one action of the gateway's service. */
export type Call = (action: string, args?: ActionCall['args']) => Promise<Answer>

export interface UpnpOptions {
  readonly gateway: Gateway
  /** The process's script, for tests. */
  readonly script?: string | undefined
  /** Milliseconds for one errand; 8000 by default. */
  readonly patience?: number | undefined
  /** Draws a port from `from` to `to` - 1. */
  readonly draw?: ((from: number, to: number) => number) | undefined
}

export function upnp({ gateway, script = scriptHere(), patience = PATIENCE, draw = randomInt }: UpnpOptions): MappingProtocol {
  const errand = <T>(signal: AbortSignal, work: (call: Call) => Promise<T | Failure>) =>
    withChild({ gateway: gateway.address, localAddress: gateway.localAddress }, { script, patience, signal }, work)
  /** The port that was asked for last and not refused: it may be granted although nobody heard of it. */
  let asked: number | undefined
  const noting =
    (call: Call): Call =>
    async (action, args) => {
      if (action !== 'AddPortMapping') return call(action, args)
      asked = Number(new Map(args).get('NewExternalPort'))
      const answer = await call(action, args)
      if (answer.kind === 'error') asked = undefined
      return answer
    }
  return {
    name: 'UPnP',
    checkInterval: CHECK_INTERVAL,
    get isInDoubt() {
      return asked !== undefined
    },
    map: (wish, signal) => errand(signal, (call) => mapWith(noting(call), wish, gateway.localAddress, draw)),
    check: (wish, grant, signal) => errand(signal, (call) => checkWith(call, wish, grant, gateway.localAddress)),
    async unmap(wish, grant, signal) {
      const granted = grant?.externalPort
      const ports = [...new Set([granted, asked])].filter((port) => port !== undefined)
      asked = undefined
      if (ports.length === 0) return
      await errand(signal, async (call) => {
        for (const port of ports) {
          const owner = ownerIn(await call('GetSpecificPortMappingEntry', mappingArgs(port)), wish, gateway.localAddress)
          // A port that was not granted may be somebody else's; one that was is ours, where the router does not tell.
          if (owner === 'us' || (owner === undefined && port === granted)) await call('DeletePortMapping', mappingArgs(port))
        }
      })
    },
  }
}

// What is said to a router

/**
 * Asks for the port, then for others when it is refused, and for a lease without end when the router knows no other. When it does not say why (nor does
 * nat-api), both are tried.
 */
export async function mapWith(
  call: Call,
  { internalPort, externalPort, lifetime }: Wish,
  localAddress: string,
  draw: (from: number, to: number) => number,
): Promise<Outcome> {
  const address = await externalAddress(call)
  if (typeof address !== 'string') return address
  let port = externalPort || internalPort
  let lease = lifetime
  let answer: Answer = { kind: 'error', text: 'nothing was asked' }
  for (let tries = 0; tries < MAX_PORTS + 1; tries++) {
    answer = await call('AddPortMapping', addArgs({ port, internalPort, localAddress, lease }))
    if (answer.kind === 'done') return { kind: 'granted', externalAddress: address, externalPort: port, lifetime: lease }
    if (answer.kind !== 'error') break
    const { code } = answer
    const conflict = code === CODES.conflict || code === CODES.otherMechanism
    if (code === CODES.permanentOnly || (code === undefined && tries === MAX_PORTS - 1)) lease = 0
    else if (code === CODES.samePorts) port = internalPort
    else if (conflict || code === undefined) port = tries === 0 && port !== internalPort ? internalPort : draw(...DYNAMIC)
    else break
  }
  return refusal(answer)
}

async function checkWith(call: Call, wish: Wish, grant: Grant, localAddress: string): Promise<Check> {
  const address = await externalAddress(call)
  if (typeof address !== 'string') return address
  if (address !== grant.externalAddress) return { kind: 'lost', detail: 'the router has another address' }
  const answer = await call('GetSpecificPortMappingEntry', mappingArgs(grant.externalPort))
  switch (ownerIn(answer, wish, localAddress)) {
    case 'us':
      return { kind: 'kept' }
    case 'nobody':
      return { kind: 'lost', detail: 'the router has forgotten the port' }
    case 'somebody':
      return { kind: 'lost', detail: 'the router has given the port to somebody else' }
    default:
      return refusal(answer)
  }
}

/** Whose a port of the router is, by its answer to GetSpecificPortMappingEntry; undefined when it does not tell. */
function ownerIn(answer: Answer, { internalPort }: Wish, localAddress: string): 'us' | 'nobody' | 'somebody' | undefined {
  if (answer.kind === 'error' && answer.code === CODES.notInArray) return 'nobody'
  if (answer.kind !== 'done') return undefined
  const { NewInternalClient: client, NewInternalPort: port } = answer.values
  return client === localAddress && Number(port) === internalPort ? 'us' : 'somebody'
}

async function externalAddress(call: Call): Promise<string | Failure> {
  const answer = await call('GetExternalIPAddress')
  if (answer.kind !== 'done') return refusal(answer)
  const address = answer.values.NewExternalIPAddress?.trim() ?? ''
  return address === '' ? failed('no-address', 'the router has no public address at the moment') : address
}

function refusal(answer: Answer): Failure {
  if (answer.kind === 'found' || answer.kind === 'done') return failed('broken', 'the process for UPnP said what was not asked')
  const detail = sanitise(answer.text, MAX_DETAIL)
  if (answer.kind !== 'error') return failed(answer.kind === 'none' ? 'silent' : 'broken', detail)
  if (answer.code === CODES.conflict || answer.code === CODES.otherMechanism)
    return failed('conflict', 'all ports that were tried belong to others')
  return failed('refused', answer.code === undefined ? detail : `the router refuses with UPnP error ${answer.code}`)
}

function mappingArgs(port: number): ActionCall['args'] {
  return [
    ['NewRemoteHost', ''],
    ['NewExternalPort', String(port)],
    ['NewProtocol', 'TCP'],
  ]
}

function addArgs(mapping: { port: number; internalPort: number; localAddress: string; lease: number }): ActionCall['args'] {
  return [
    ...mappingArgs(mapping.port),
    ['NewInternalPort', String(mapping.internalPort)],
    ['NewInternalClient', mapping.localAddress],
    ['NewEnabled', '1'],
    ['NewPortMappingDescription', DESCRIPTION],
    ['NewLeaseDuration', String(mapping.lease)],
  ]
}

// The process

/** Node's permission model, by the name that this Node has for it: the process may write nothing and start nothing. */
const PERMISSION = ['--permission', '--experimental-permission'].find((flag) => process.allowedNodeEnvironmentFlags.has(flag))
const FENCE = [`--max-old-space-size=${MAX_HEAP}`, ...(PERMISSION === undefined ? [] : [PERMISSION, '--allow-fs-read=*'])]

/** Looked for when it is needed: where everything was bundled into one file there is none, and only UPnP needs it. */
const scriptHere = () => fileURLToPath(new URL('./upnp-child.js', import.meta.url))

interface ChildOptions {
  readonly script: string
  readonly patience: number
  readonly signal: AbortSignal
}

/** Runs an errand with a child, and ends the child however the errand ends. @throws the signal's reason when it aborts */
async function withChild<T>(
  errand: Errand,
  options: ChildOptions,
  work: (call: Call) => Promise<T | Failure>,
): Promise<T | Failure> {
  const { script, patience, signal } = options
  signal.throwIfAborted()
  const child = fork(script, [JSON.stringify(errand)], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: FENCE,
    // No proxy of the environment, no secrets in it.
    env: {},
    serialization: 'json',
  })
  const conversation = converse(child)
  const errandDone = async () => {
    const found = await conversation.next()
    if (found.kind !== 'found') return refusal(found)
    return work((action, args = []) => {
      child.send({ action, args } satisfies ActionCall)
      return conversation.next()
    })
  }
  try {
    return await abortable(within(patience, 'UPnP', errandDone()), signal)
  } catch (error) {
    signal.throwIfAborted()
    const late = (error as NodeJS.ErrnoException).code === 'BEEP_ERR_TIMEOUT'
    return late
      ? failed('silent', `UPnP took longer than ${patience / 1000} s`)
      : failed('broken', sanitise((error as Error).message, MAX_DETAIL))
  } finally {
    child.kill('SIGKILL')
    await conversation.ended
  }
}

/** What the child says, one answer for each question; when it ends, an error for the question that is open. */
function converse(child: ChildProcess): { next(): Promise<Answer>; ended: Promise<void> } {
  const ended = deferred<void>()
  const waiting: ((says: Answer) => void)[] = []
  let over: Answer | undefined
  const answer = (says: Answer) => waiting.shift()?.(says)
  const end = (text: string) => {
    over = { kind: 'broken', text }
    while (waiting.length > 0) answer(over)
  }
  child.on('message', (message) => answer(readChild(message) ?? { kind: 'broken', text: 'the process for UPnP said nonsense' }))
  child.on('error', (error) => {
    end(error.message)
    // It was never there, or cannot be reached: nothing else will come.
    if (child.pid === undefined) ended.resolve()
  })
  child.on('exit', () => {
    end('the process for UPnP has ended')
    ended.resolve()
  })
  return {
    next: () => (over === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(over)),
    ended: ended.promise,
  }
}
