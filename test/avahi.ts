// Avahi in a namespace: the foreign party of the tests of discovery, with a message bus of its own, so that each host can have one.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Namespace, Running } from './namespaces.js'

/** The programs to be named to `testInNamespaces`. */
export const AVAHI = ['avahi-daemon', 'avahi-browse', 'dbus-daemon'] as const

export interface Avahi extends AsyncDisposable {
  /** What `avahi-browse` says of a type, once it has heard all; each line is split at its semicolons. */
  list(type: string): Promise<string[][]>
  /** An `avahi-browse` that goes on; `started` has been heard. */
  watch(type: string): Running
  /** Shows a service by `avahi-publish` until it is stopped. TXT strings may have any octet but 0, and not end in a line feed. */
  publish(name: string, type: string, port: number, txt: readonly Uint8Array[]): Promise<Running>
}

const BUS = (address: string) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>${address}</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true"/>
    <allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/>
  </policy>
</busconfig>
`
const DAEMON = (hostName: string) => `[server]
host-name=${hostName}
use-ipv4=yes
use-ipv6=yes
deny-interfaces=lo
ratelimit-interval-usec=1000000
ratelimit-burst=1000
[publish]
publish-workstation=no
`

/** Starts avahi-daemon in a namespace. */
export async function avahi(host: Namespace, hostName: string): Promise<Avahi> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudy-avahi-'))
  const address = `unix:path=${join(folder, 'bus')}`
  const options = { env: { DBUS_SYSTEM_BUS_ADDRESS: address } }
  await mkdir(join(folder, 'run'))
  await writeFile(join(folder, 'bus.conf'), BUS(address))
  await writeFile(join(folder, 'avahi.conf'), DAEMON(hostName))
  const bus = host.start([
    'dbus-daemon',
    `--config-file=${join(folder, 'bus.conf')}`,
    '--nofork',
    '--nopidfile',
    '--print-address',
  ])
  await bus.line(/^unix:/)
  // The daemon's files have a fixed place, over which a mount of its own lets one run in every namespace.
  const script = `mkdir -p /run/avahi-daemon; mount --bind ${join(folder, 'run')} /run/avahi-daemon
    exec avahi-daemon -f ${join(folder, 'avahi.conf')} --no-drop-root --no-chroot --no-rlimits`
  const daemon = host.start(['unshare', '-m', 'sh', '-ec', script], options)
  await daemon.line(/Server startup complete/)
  return {
    async list(type) {
      const browser = host.start(['avahi-browse', '--resolve', '--parsable', '--no-db-lookup', '--terminate', type], options)
      await browser.ended
      return browser.lines.map((line) => line.split(';'))
    },
    watch: (type) => host.start(['avahi-browse', '--parsable', '--no-db-lookup', type], options),
    async publish(name, type, port, txt) {
      const inShell = (string: Uint8Array) =>
        `"$(printf '${[...string].map((octet) => `\\${octet.toString(8).padStart(3, '0')}`).join('')}')"`
      const service = host.start(
        ['sh', '-c', `exec avahi-publish -s "$0" ${type} ${port} ${txt.map(inShell).join(' ')}`, name],
        options,
      )
      await service.line(/^Established under name/)
      return service
    },
    async [Symbol.asyncDispose]() {
      await daemon.stop()
      await bus.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A text as avahi-browse writes names and TXT strings: octets in decimal, and characters, behind backslashes. */
export function unescaped(text: string): Buffer {
  const parts = text.match(/\\\d{3}|\\.|[^\\]+/gs) ?? []
  return Buffer.concat(
    parts.map((part) => {
      if (/^\\\d{3}$/.test(part)) return Buffer.of(Number(part.slice(1)))
      return Buffer.from(part.startsWith('\\') ? part.slice(1) : part)
    }),
  )
}
