// How the target is reached: dialled, awaited, or started for the purpose.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Unreachable } from './failure.js'
import type { Role } from './results.js'

/** An implementation under test. */
export interface Target {
  readonly role: Role
  /** For people: `tcp://localhost:10288`. */
  readonly place: string
  /**
   * A fresh connection to it.
   * @param patience milliseconds that it may take
   * @throws Unreachable
   */
  open(patience: number): Promise<Duplex>
  /**
   * Whether its program has ended since it was last asked, a client by a signal, in words; only where we started it.
   * @param dying milliseconds that are waited for the end of one that closed a connection because it died
   */
  lost?(dying: number): Promise<string | undefined>
  /** How its program had ended before it was started anew for the last connection, while nobody had been told: told once. */
  fell?(): string | undefined
  close(): Promise<void>
}

/** Octets kept of what a target that we start prints, to be shown when it dies. */
const MAX_OUTPUT = 4096
/** Milliseconds that a program may take until it listens or dials, at least: some have a virtual machine to start. */
const STARTING = 10_000
/** Between two attempts to reach it. */
const PAUSE = 50
/** A program that closed a connection because it died is gone this many milliseconds later. */
export const DYING = 30
/** Connections of an initiator that nobody has asked for yet. */
const MAX_WAITING = 64

/** A listener, dialled by TCP. */
export function dialled(host: string, port: number): Target {
  return {
    role: 'listener',
    place: `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`,
    open: (patience) => dial(host, port, patience),
    close: async () => {},
  }
}

/** A listener that a command starts: `{port}` in it stands for the port that it has to listen on. Started anew, on another port, when it has died. */
export async function executed(command: string): Promise<Target> {
  const program = new Program(command)
  let starting: Promise<void> | undefined
  /** Whether it has been reached since it was started: then it did listen. */
  let reached = false
  let over = false
  const start = async () => {
    // Another port each time: the last may still be taken by what became of the connections to it. Several connections of a case may want it at a time.
    starting ??= freePort().then((port) => {
      reached = false
      program.start(port)
    })
    await starting.finally(() => {
      starting = undefined
    })
  }
  return {
    role: 'listener',
    place: 'a port of its own',
    async open(patience) {
      if (over) throw new Unreachable('the target is not started any more')
      if (!program.running) await start()
      const deadline = performance.now() + Math.max(patience, STARTING)
      for (;;) {
        try {
          const socket = await dialOnce('localhost', program.port, patience)
          reached = true
          return socket
        } catch (error) {
          if (over) throw error
          // That it has ended may be told only now: what killed it was the case before.
          if (!program.running && reached) await start()
          else if (!program.running)
            throw new Unreachable(`the command ended before it listened on port ${program.port}${program.said()}`)
          else if (performance.now() > deadline)
            throw reached
              ? error
              : new Unreachable(`nothing listens on port ${program.port}, though the command runs${program.said()}`)
          else await new Promise((resolve) => setTimeout(resolve, PAUSE))
        }
      }
    },
    lost: (dying) => program.lost(dying),
    fell: () => program.fell(),
    async close() {
      // A case that was given up may yet want one more connection: for it nothing is started again.
      over = true
      await starting?.catch(() => {})
      await program.stop()
    },
  }
}

/** An initiator that is awaited on a port. With a command, which may name `{port}`, it is started for each connection. */
export async function awaited(port: number, command: string | undefined): Promise<Target> {
  const server = createServer()
  const waiting: Socket[] = []
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    if (waiting.length < MAX_WAITING) waiting.push(socket.pause())
    else socket.destroy()
    server.emit('waiting')
  })
  server.listen(port)
  await once(server, 'listening')
  const own = (server.address() as { port: number }).port
  const programs = new Set<Program>()
  /** How a program came to a bad end before it was started again, while nobody has been told. */
  let untold: string | undefined
  const fell = () => {
    const told = untold
    untold = undefined
    return told
  }
  const fallen = () => [...programs].map((program) => program.fallen()).find((end) => end !== undefined)
  return {
    role: 'initiator',
    place: `port ${own}`,
    async open(patience) {
      // What another program left behind is not what this one says.
      if (command !== undefined) for (const socket of waiting.splice(0)) socket.destroy()
      // One whose case is over has nothing more to do.
      untold = fallen() ?? untold
      await Promise.all([...programs].map((program) => program.stop()))
      programs.clear()
      if (command !== undefined) {
        const program = new Program(command)
        programs.add(program)
        program.start(own)
      }
      return nextSocket(server, waiting, Math.max(patience, STARTING))
    },
    async lost(dying) {
      await new Promise((resolve) => setTimeout(resolve, dying))
      const before = fell()
      return fallen() ?? before
    },
    fell,
    async close() {
      server.close()
      for (const socket of waiting) socket.destroy()
      await Promise.all([...programs].map((program) => program.stop()))
    },
  }
}

async function nextSocket(server: Server, waiting: Socket[], patience: number): Promise<Socket> {
  const deadline = performance.now() + patience
  for (;;) {
    // One that gave up while it waited is of no use.
    const socket = waiting.shift()
    if (socket !== undefined && !socket.destroyed) return socket
    const left = deadline - performance.now()
    if (left <= 0) throw new Unreachable(`no initiator connected within ${patience} ms`)
    await once(server, 'waiting', { signal: AbortSignal.timeout(Math.ceil(left)) }).catch(() => {})
  }
}

/** Dials; one that is refused for a moment, as by a listener that starts again, is tried again. */
async function dial(host: string, port: number, patience: number): Promise<Socket> {
  const deadline = performance.now() + patience
  for (;;) {
    try {
      return await dialOnce(host, port, patience)
    } catch (error) {
      if (performance.now() + PAUSE > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
  }
}

async function dialOnce(host: string, port: number, patience: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true })
  socket.on('error', () => {})
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer)
      socket.destroy()
      reject(new Unreachable(`cannot connect to ${host}:${port}: ${why}`))
    }
    const timer = setTimeout(() => fail(`no answer within ${patience} ms`), patience)
    socket.once('error', (error) => fail(error.message))
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(socket.pause())
    })
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A program under test, and what it printed last. */
class Program {
  readonly #command: string
  /** What stood for `{port}`. */
  port = 0
  #child: ChildProcess | undefined
  #output = ''
  #told = false
  /** How it ended before it was started again, while nobody has been told. */
  #untold: string | undefined

  constructor(command: string) {
    this.#command = command
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Starts it; it must not run. */
  start(port: number): void {
    this.#untold = this.#end() ?? this.#untold
    this.port = port
    this.#output = ''
    this.#told = false
    // A group of its own, so that a shell's children end with it.
    const child = spawn(this.#command.replaceAll('{port}', String(port)), {
      shell: true,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    const keep = (octets: Buffer) => {
      this.#output = (this.#output + octets.toString()).slice(-MAX_OUTPUT)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => keep(Buffer.from(error.message)))
  }

  said(): string {
    return this.#output === '' ? '' : `; it printed: ${JSON.stringify(this.#output.trim().slice(-500))}`
  }

  /** Tells its end once. */
  async lost(dying: number): Promise<string | undefined> {
    await new Promise((resolve) => setTimeout(resolve, dying))
    const before = this.fell()
    return this.#end() ?? before
  }

  /** Tells once how it ended before it was started again. */
  fell(): string | undefined {
    const before = this.#untold
    this.#untold = undefined
    return before
  }

  /** Tells once when it was ended by a signal, as a crash is: an exit, with whatever code, is how a client ends. */
  fallen(): string | undefined {
    const { exitCode, signalCode } = this.#child ?? {}
    return signalCode != null || (exitCode ?? 0) > 128 ? this.#end() : undefined
  }

  #end(): string | undefined {
    if (this.#told || this.#child === undefined || this.running) return undefined
    this.#told = true
    return `its program ended (${this.#child.signalCode ?? `exit code ${this.#child.exitCode}`})${this.said()}`
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || !this.running) return
    const exit = once(child, 'exit')
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      try {
        process.kill(-child.pid, signal)
      } catch {
        return
      }
      const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), 2000).unref())
      if (await Promise.race([exit.then(() => true), late])) return
    }
  }
}
