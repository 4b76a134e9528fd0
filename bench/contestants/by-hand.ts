// BEEP written by hand: a hundred lines that say and read what is needed, with no limit, no window and hardly a check. What no stack can beat by much.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { type Contestant, keepAsking, keepDoing } from '../contestant.js'

const HOST = '127.0.0.1'
const ECHO = 'http://example.org/echo'
const HEADERS = 'Content-Type: application/beep+xml\r\n\r\n'
const NO_HEADERS = Buffer.from('\r\n')

/** One message at a time, so that no window is used up that nobody credits: an echo of 64 octets, in clear and in TLS, and sessions in clear. */
export const hand: Contestant = {
  name: 'hand',
  takesPart: ({ service, inFlight, size, secure }) =>
    service === 'session' ? !secure : service === 'echo' && inFlight === 1 && size <= 64,
  async serve(credentials) {
    const clear = createServer({ noDelay: true }, answer)
    const secure = createTlsServer(credentials, answer)
    const ports: number[] = []
    for (const server of [clear, secure] as readonly Server[]) {
      await once(server.listen(0, HOST), 'listening')
      ports.push((server.address() as AddressInfo).port)
    }
    return {
      ports: { clear: ports[0]!, secure: ports[1]! },
      close: async () => {
        for (const server of [clear, secure]) server.close()
      },
    }
  },
  async open(ports) {
    const dial = async (secure = false): Promise<Asker> => {
      const socket = secure
        ? connectTls({ host: HOST, port: ports.secure, rejectUnauthorized: false })
        : connect({ host: HOST, port: ports.clear, noDelay: true })
      await once(socket, secure ? 'secureConnect' : 'connect')
      const asker = new Asker(socket)
      await asker.manage('RPY', '<greeting />')
      await asker.manage('MSG', `<start number='1'><profile uri='${ECHO}' /></start>`)
      return asker
    }
    return {
      async run(workload, meter) {
        if (workload.service === 'session') {
          return keepDoing(meter, async () => {
            const asker = await dial()
            await asker.manage('MSG', "<close number='1' code='200' />")
            await asker.part()
            meter.count++
          })
        }
        const asker = await dial(workload.secure)
        await keepAsking(workload, meter, async (message) => {
          const reply = await asker.ask('MSG', 1, Buffer.concat([NO_HEADERS, message]))
          return reply.length - NO_HEADERS.length
        })
        await asker.part()
      },
      close: async () => {},
    }
  },
}

/** The listener's side of a connection. */
function answer(socket: Socket): void {
  const say = speaking(socket)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => hear(chunk))
  const hear = hearing((keyword, channel, msgno, payload) => {
    if (keyword !== 'MSG') return
    if (channel === 1) return say('RPY', 1, msgno, payload)
    const { name, uri } = /<(?<name>[a-z]+)[^>]*>(?:<profile uri='(?<uri>[^']*)')?/.exec(payload.toString('latin1'))!.groups!
    if (name === 'start' && uri !== ECHO) throw new Error(`There is no profile ${uri}`)
    say('RPY', 0, msgno, Buffer.from(`${HEADERS}${name === 'start' ? `<profile uri='${ECHO}' />` : '<ok />'}`))
  })
  say('RPY', 0, 0, Buffer.from(`${HEADERS}<greeting><profile uri='${ECHO}' /></greeting>`))
}

/** The initiator's side: one question at a time. */
class Asker {
  readonly #socket: Socket
  readonly #say: ReturnType<typeof speaking>
  readonly #msgnos = [0, 0]
  #answered!: (payload: Buffer) => void

  constructor(socket: Socket) {
    this.#socket = socket
    this.#say = speaking(socket)
    const hear = hearing((_keyword, _channel, _msgno, payload) => this.#answered(payload))
    socket.on('data', (chunk: Buffer) => hear(chunk))
  }

  ask(keyword: string, channel: 0 | 1, payload: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#answered = resolve
      this.#say(keyword, channel, this.#msgnos[channel]!++, payload)
    })
  }

  /** On channel 0; the answer has to be none of `<error>`. */
  async manage(keyword: string, element: string): Promise<void> {
    const said = (await this.ask(keyword, 0, Buffer.from(HEADERS + element))).toString('latin1', HEADERS.length)
    if (!/^<(greeting|profile|ok)/.test(said)) throw new Error(said)
  }

  async part(): Promise<void> {
    await this.manage('MSG', "<close number='0' code='200' />")
    this.#socket.end()
    await once(this.#socket, 'close')
  }
}

/** Says frames, each by a write of its own. */
function speaking(socket: Socket) {
  const seqnos = [0, 0]
  return (keyword: string, channel: number, msgno: number, payload: Uint8Array): void => {
    const header = `${keyword} ${channel} ${msgno} . ${seqnos[channel]} ${payload.length}\r\n`
    seqnos[channel] = (seqnos[channel]! + payload.length) >>> 0
    const frame = Buffer.allocUnsafe(header.length + payload.length + 5)
    frame.write(header, 'latin1')
    frame.set(payload, header.length)
    frame.write('END\r\n', header.length + payload.length, 'latin1')
    socket.write(frame)
  }
}

/** Reads frames, of which every message is one. */
function hearing(each: (keyword: string, channel: number, msgno: number, payload: Buffer) => void) {
  let rest: Buffer | undefined
  return (chunk: Buffer): void => {
    let octets = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    for (;;) {
      const lineFeed = octets.indexOf(10)
      const [keyword = '', channel, msgno, , , size] = lineFeed < 0 ? [] : octets.toString('latin1', 0, lineFeed - 1).split(' ')
      const end = lineFeed + 1 + Number(size)
      if (lineFeed < 0 || octets.length < end + 5) break
      if (octets.toString('latin1', end, end + 5) !== 'END\r\n') throw new Error('A frame has no trailer')
      each(keyword, Number(channel), Number(msgno), octets.subarray(lineFeed + 1, end))
      octets = octets.subarray(end + 5)
    }
    rest = octets.length === 0 ? undefined : octets
  }
}
