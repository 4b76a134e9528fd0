// Networks of their own for tests: Linux network namespaces made with Debian's iproute2, wired by veth pairs. The root namespace's interfaces are
// never touched: a pair is born with both ends inside. All of it is gone after `close()`, and what a killed test run left is cleared by the next.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Most of what a process said that is kept for an error message, in lines. */
const KEPT_LINES = 200
/** Milliseconds between the request to end and the end by force. */
const PATIENCE = 5000
/** Every namespace is called `cbPID-N-NAME`, so that those of a run that was killed are known. */
const NAME = /^cb(\d+)-\d+-/

let networks = 0

/** Runs a program to its end. @returns what it wrote @throws Error with what it complained of */
function run(program: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${[program, ...args].join(' ')}: ${stderr.trim() || error.message}`))
    })
    child.stdin?.end(input)
  })
}

/** A process in a namespace. */
export interface Running {
  readonly pid: number
  /** Its lines so far, of both outputs, oldest first; the last 200. */
  readonly lines: readonly string[]
  /**
   * The first line, said already or to come, that matches.
   * @throws Error when the process ends first or the time (in milliseconds) is over, with what it said instead
   */
  line(pattern: RegExp, patience?: number): Promise<RegExpExecArray>
  /** Forgets what was said so far, so that `line` awaits what is to come. */
  forget(): void
  /** Writes to its standard input. */
  write(text: string): void
  /** Resolves with the exit code, or the signal, once it has ended and said everything. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** Asks it to end, then forces it, and waits. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
}

/** One network namespace: a machine of its own as far as the network goes. */
export interface Namespace {
  /** As `ip netns` knows it. */
  readonly name: string
  /** Runs a program in it to its end. @returns what it wrote @throws Error with what it complained of */
  run(program: string, ...args: string[]): Promise<string>
  /** Runs a shell script in it to its end. */
  shell(script: string): Promise<string>
  /** Starts a program in it; its end comes with `stop()`, or with `close()` of the network. */
  start(command: readonly [program: string, ...args: string[]], options?: StartOptions): Running
  /** Lines for `ip -batch`: `addr add 192.0.2.1/24 dev eth0`. */
  ip(...lines: string[]): Promise<void>
  /** Takes an interface up or down, as pulling the cable does. An interface that was down has lost its IPv6 addresses and its routes. */
  up(device: string): Promise<void>
  down(device: string): Promise<void>
}

/** A host of a LAN, with the interface `eth0`. */
export interface Host extends Namespace {
  /** 10.77.0.N and fd77::N in the first LAN of a network, 10.78.0.N and fd78::N in the second. */
  readonly ipv4: string
  readonly ipv6: string
  /** Takes the interface up with its addresses and routes. */
  plugIn(): Promise<void>
  /** Takes its port out of the switch: the host notices nothing, and hears nobody. */
  detach(): Promise<void>
  attach(): Promise<void>
}

export interface Network extends AsyncDisposable {
  /** A new namespace, whose loopback interface is up. The name is for messages; up to 8 letters and digits. */
  add(name: string): Promise<Namespace>
  /** A cable between two namespaces; both ends are up, without addresses. */
  link(from: Namespace, device: string, to: Namespace, toDevice: string): Promise<void>
  /** Hosts on one Ethernet segment. IPv6 addresses hold at once, and multicast has a route. */
  lan(count: number): Promise<Host[]>
  /** Puts another interface of a host onto a LAN: the one of which `neighbour` is a host. */
  join(host: Namespace, device: string, neighbour: Host): Promise<Host>
  /** Ends every process in the namespaces and deletes them. Again is harmless. */
  close(): Promise<void>
}

/** Why namespaces cannot be made here, or undefined when they can. */
export async function namespacesMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const name = `cb${process.pid}-${networks++}-probe`
  try {
    await run('ip', ['netns', 'add', name])
    await run('ip', ['netns', 'delete', name])
    return undefined
  } catch (error) {
    return `network namespaces cannot be made: ${(error as Error).message}`
  }
}

/**
 * A network without anything in it yet.
 * @throws Error when the user is not root
 */
export async function network(): Promise<Network> {
  if (process.getuid?.() !== 0) throw new Error('Network namespaces need root: run this test as root, or leave it out')
  await sweep()
  const prefix = `cb${process.pid}-${networks++}-`
  const namespaces: Namespace[] = []
  const running = new Set<Running>()
  const lans = new Map<string, { readonly bridge: Namespace; readonly number: number; hosts: number }>()

  const add = async (name: string): Promise<Namespace> => {
    if (!/^[a-z0-9]{1,8}$/i.test(name)) throw new RangeError('A namespace is called by 1 to 8 letters and digits')
    const namespace = namespaceOf(prefix + name, running)
    await run('ip', ['netns', 'add', namespace.name])
    namespaces.push(namespace)
    await namespace.up('lo')
    // Duplicate address detection holds an IPv6 address back for a second or two, and here are no duplicates.
    await namespace.shell('for each in all default; do echo 0 > /proc/sys/net/ipv6/conf/$each/accept_dad; done')
    return namespace
  }

  const link = async (from: Namespace, device: string, to: Namespace, toDevice: string) => {
    await run('ip', ['link', 'add', device, 'netns', from.name, 'type', 'veth', 'peer', 'name', toDevice, 'netns', to.name])
    await Promise.all([from.up(device), to.up(toDevice)])
  }

  /** A host on a bridge: cable, addresses, a route for everything, so for multicast too. */
  const attach = async (host: Namespace, device: string, lan: { bridge: Namespace; number: number; hosts: number }) => {
    const port = `p${++lan.hosts}`
    const [ipv4, ipv6] = [`10.${lan.number}.0.${lan.hosts}`, `fd${lan.number}::${lan.hosts.toString(16)}`]
    await link(lan.bridge, port, host, device)
    const attached: Host = {
      ...host,
      ipv4,
      ipv6,
      plugIn: () =>
        host.ip(
          `link set ${device} up`,
          `addr replace ${ipv4}/24 brd + dev ${device}`,
          `addr replace ${ipv6}/64 dev ${device} nodad`,
          `route replace default via 10.${lan.number}.0.254 dev ${device} onlink metric ${lan.number}`,
        ),
      detach: () => lan.bridge.ip(`link set ${port} nomaster`),
      attach: () => lan.bridge.ip(`link set ${port} master br0`),
    }
    await attached.attach()
    await attached.plugIn()
    return attached
  }

  const close = async () => {
    await Promise.all([...running].map((each) => each.stop()))
    await Promise.all(namespaces.splice(0).map(({ name }) => remove(name)))
  }

  return {
    add,
    link,
    async lan(count) {
      const number = 77 + lans.size
      const bridge = await add(`sw${number}`)
      const lan = { bridge, number, hosts: 0 }
      lans.set(bridge.name, lan)
      await bridge.ip('link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0', 'link set br0 up')
      const hosts: Host[] = []
      for (let n = 1; n <= count; n++) {
        const host = await attach(await add(lans.size === 1 ? `h${n}` : `l${lans.size}h${n}`), 'eth0', lan)
        lans.set(host.name, lan)
        hosts.push(host)
      }
      return hosts
    },
    join(host, device, neighbour) {
      const lan = lans.get(neighbour.name)
      if (lan === undefined) throw new RangeError(`${neighbour.name} is no host of a LAN of this network`)
      return attach(host, device, lan)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function namespaceOf(name: string, running: Set<Running>): Namespace {
  const inside = (...command: string[]) => run('ip', ['netns', 'exec', name, ...command])
  const ip = async (...lines: string[]) => void (await run('ip', ['-n', name, '-batch', '-'], `${lines.join('\n')}\n`))
  return {
    name,
    run: inside,
    shell: (script) => inside('sh', '-ec', script),
    start(command, { env } = {}) {
      // `ip netns exec` becomes the program itself, so its process id is the program's.
      const child = spawn('ip', ['netns', 'exec', name, ...command], {
        stdio: 'pipe',
        env: { ...process.env, ...env },
      })
      const started = runningOf(child, command.join(' '))
      running.add(started)
      started.ended.then(() => running.delete(started))
      return started
    },
    ip,
    up: (device) => ip(`link set ${device} up`),
    down: (device) => ip(`link set ${device} down`),
  }
}

function runningOf(child: ChildProcess, name: string): Running {
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let end: number | NodeJS.Signals | undefined
  const wake = () => {
    for (const each of [...waiting]) each()
  }
  for (const output of [child.stdout!, child.stderr!])
    createInterface({ input: output }).on('line', (line) => {
      lines.push(line)
      wake()
      if (lines.length > KEPT_LINES) lines.shift()
    })
  child.on('error', (error) => lines.push(error.message))
  child.stdin?.on('error', () => {}) // it may end before it has read
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => {
      end = code ?? signal ?? 1
      wake()
      resolve(end)
    })
  })
  return {
    pid: child.pid ?? 0,
    lines,
    ended,
    line(pattern, patience = 10_000) {
      return new Promise((resolve, reject) => {
        const fail = (what: string) => {
          stop()
          reject(new Error(`${name} ${what} before it said ${pattern}. It said:\n${lines.join('\n')}`))
        }
        const timer = setTimeout(() => fail(`took more than ${patience} ms`), patience)
        const stop = () => {
          clearTimeout(timer)
          waiting.delete(look)
        }
        const look = () => {
          for (const line of lines) {
            const found = pattern.exec(line)
            if (found === null) continue
            stop()
            return resolve(found)
          }
          if (end !== undefined) fail(`ended (${end})`)
        }
        waiting.add(look)
        look()
      })
    },
    forget: () => void lines.splice(0),
    write: (text) => void child.stdin?.write(text),
    async stop(signal = 'SIGTERM') {
      if (end !== undefined) return end
      child.kill(signal)
      const force = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
      const code = await ended
      clearTimeout(force)
      return code
    },
  }
}

/** Deletes a namespace with the processes that are left in it: they run in ours, so they are ours. */
async function remove(name: string): Promise<void> {
  const left = await run('ip', ['netns', 'pids', name]).catch(() => '')
  for (const pid of left.split(/\s+/).map(Number)) {
    if (!(pid > 1)) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
  await run('ip', ['netns', 'delete', name]).catch(() => {})
}

/** Removes what runs that were killed have left: namespaces of ours whose process is no more. */
async function sweep(): Promise<void> {
  for (const line of (await run('ip', ['netns', 'list'])).split('\n')) {
    const [name = ''] = line.split(' ')
    const pid = Number(NAME.exec(name)?.[1])
    if (pid > 0 && !isAlive(pid)) await remove(name)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
