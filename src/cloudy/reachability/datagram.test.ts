// PCP and NAT-PMP with gateways of a few lines on the loopback interface: real sockets, answers late, twice, forged or never.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from '@jest/globals'
import { ask, type DatagramOptions } from './datagram.js'
import type { Gateway } from './gateway.js'
import { natPmp } from './nat-pmp-client.js'
import { pcp } from './pcp-client.js'

const gateway: Gateway = { address: '127.0.0.1', localAddress: '127.0.0.1' }
const nonce = Uint8Array.from({ length: 12 }, (_, n) => n)
const never = new AbortController().signal
const wish = { internalPort: 10_288, externalPort: 40_000, lifetime: 7200 }
const grant = { externalAddress: '44.128.0.1', externalPort: 40_000, lifetime: 7200 }

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close()
})

/** A gateway that does this with each datagram; the test's own port, short waits. */
async function fake(
  act: (socket: Socket, datagram: Buffer, from: RemoteInfo, count: number) => void,
): Promise<Required<Pick<DatagramOptions, 'port' | 'firstWait'>>> {
  const socket = createSocket('udp4')
  sockets.push(socket)
  let count = 0
  socket.on('message', (datagram, from) => act(socket, datagram, from, ++count))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, firstWait: 20 }
}

const echo = { octets: Uint8Array.of(1, 2, 3), read: (datagram: Uint8Array) => (datagram[0] === 1 ? [...datagram] : undefined) }

/** The answer to a PCP request. */
function answerPcp(request: Buffer, { code = 0, epoch = 1000, port = 40_000, lifetime = 120 } = {}): Buffer {
  const answer = Buffer.from(request)
  answer[1]! |= 0x80
  answer[3] = code
  answer.writeUInt32BE(lifetime, 4)
  answer.writeUInt32BE(epoch, 8)
  if (answer.length > 24) {
    answer.writeUInt16BE(port, 42)
    answer.set([44, 128, 0, 1], 56)
  }
  return answer
}

/** The answer to a NAT-PMP request. */
function answerNatPmp(request: Buffer, { code = 0, epoch = 1000, address = [44, 128, 0, 1], lifetime = 3600 } = {}): Buffer {
  const address0 = request[1] === 0
  const answer = Buffer.alloc(address0 ? 12 : 16)
  answer[1] = 128 + request[1]!
  answer.writeUInt16BE(code, 2)
  answer.writeUInt32BE(epoch, 4)
  if (address0) answer.set(address, 8)
  else {
    request.copy(answer, 8, 4, 8)
    answer.writeUInt32BE(lifetime, 12)
  }
  return answer
}

describe('a question by UDP', () => {
  test('is sent again until it is answered; a second answer comes to nobody', async () => {
    const options = await fake((socket, datagram, from, count) => {
      if (count < 3) return
      socket.send(datagram, from.port, from.address)
      socket.send(datagram, from.port, from.address)
    })
    expect(await ask(gateway, echo, options)).toEqual([1, 2, 3])
  })

  test('what is no answer is ignored, and the wait goes on', async () => {
    const options = await fake((socket, _datagram, from) => {
      socket.send(Buffer.of(9), from.port, from.address)
      socket.send(Buffer.of(1, 7), from.port, from.address)
    })
    expect(await ask(gateway, echo, options)).toEqual([1, 7])
  })

  test('what comes from another port or address is not even read', async () => {
    const forger = createSocket('udp4')
    const stranger = createSocket('udp4')
    sockets.push(forger, stranger)
    forger.bind(0, '127.0.0.1')
    stranger.bind(0, '127.0.0.2')
    await Promise.all([once(forger, 'listening'), once(stranger, 'listening')])
    const options = await fake((socket, _datagram, from, count) => {
      forger.send(Buffer.of(1, 66), from.port, from.address)
      stranger.send(Buffer.of(1, 67), from.port, from.address)
      if (count === 2) socket.send(Buffer.of(1), from.port, from.address)
    })
    expect(await ask(gateway, echo, options)).toEqual([1])
  })

  test('silence ends after three times', async () => {
    let heard = 0
    const options = await fake((_socket, _datagram, _from, count) => {
      heard = count
    })
    expect(await ask(gateway, echo, options)).toMatchObject({ kind: 'failed', reason: 'silent' })
    expect(heard).toBe(3)
  })

  test('an answer that comes too late is nobody’s, of the next question neither', async () => {
    const late: (() => void)[] = []
    const options = await fake((socket, datagram, from, count) => {
      if (count <= 3) late.push(() => socket.send(Buffer.of(1, 99), from.port, from.address))
      else socket.send(datagram, from.port, from.address)
      if (count === 4) for (const send of late) send()
    })
    expect(await ask(gateway, echo, options)).toMatchObject({ reason: 'silent' })
    expect(await ask(gateway, echo, options)).toEqual([1, 2, 3])
  })

  test('a port where nobody listens is known at once', async () => {
    const { port } = await fake(() => {})
    sockets.pop()?.close()
    expect(await ask(gateway, echo, { port, firstWait: 30_000 })).toMatchObject({ kind: 'failed', reason: 'closed' })
  })

  test('a gateway that cannot be reached is a failure, no exception', async () => {
    const nowhere = { address: '255.255.255.255', localAddress: '127.0.0.1' }
    expect(await ask(nowhere, echo, { firstWait: 1 })).toMatchObject({ kind: 'failed' })
  })

  test('the signal ends it', async () => {
    const options = await fake(() => {})
    const controller = new AbortController()
    const asked = ask(gateway, echo, { ...options, firstWait: 30_000, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    await expect(ask(gateway, echo, { ...options, signal: controller.signal })).rejects.toThrow('enough')
  })
})

describe('PCP with a gateway', () => {
  test('maps, sees a restart by the clock, and removes with the same nonce', async () => {
    const requests: Buffer[] = []
    let epoch = 1000
    const options = await fake((socket, datagram, from) => {
      requests.push(datagram)
      socket.send(answerPcp(datagram, { epoch }), from.port, from.address)
    })
    const client = pcp({ gateway, nonce, clock: () => 5, ...options })
    expect(await client.map(wish, never)).toEqual({ kind: 'granted', ...grant, lifetime: 120 })
    expect(await client.check(wish, grant, never)).toEqual({ kind: 'kept' })
    epoch = 3
    expect(await client.check(wish, grant, never)).toMatchObject({ kind: 'lost' })
    expect(await client.check(wish, grant, never)).toEqual({ kind: 'kept' })
    await client.unmap(wish, grant, never)
    const removal = requests.at(-1)!
    expect(removal.readUInt32BE(4)).toBe(0)
    expect(removal.subarray(24, 36)).toEqual(requests[0]!.subarray(24, 36))
  })

  test('another address or port is seen within a few looks, and what is granted then is taken over', async () => {
    let port = 40_000
    const options = await fake((socket, datagram, from) => socket.send(answerPcp(datagram, { port }), from.port, from.address))
    const client = pcp({ gateway, nonce, clock: () => 5, ...options })
    const looks = async () => {
      const checks = []
      for (let n = 0; n < 5; n++) checks.push(await client.check(wish, grant, never))
      return checks
    }
    const kept = Array.from({ length: 4 }, () => ({ kind: 'kept' }))
    expect(await looks()).toEqual([...kept, { kind: 'granted', ...grant, lifetime: 120 }])
    port = 41_000
    expect(await looks()).toEqual([...kept, { kind: 'granted', ...grant, externalPort: 41_000, lifetime: 120 }])
  })

  test('an answer with another nonce is waited past', async () => {
    const options = await fake((socket, datagram, from) => {
      const forged = answerPcp(datagram, { port: 6666 })
      forged[24]! ^= 1
      socket.send(forged, from.port, from.address)
      socket.send(answerPcp(datagram), from.port, from.address)
    })
    expect(await pcp({ gateway, nonce, ...options }).map(wish, never)).toMatchObject({ externalPort: 40_000 })
  })

  test.each([
    [1, 'unsupported'],
    [2, 'refused'],
    [7, 'no-address'],
    [8, 'refused'],
    [11, 'conflict'],
    [12, 'translated'],
    [200, 'refused'],
  ])('result %i means %s', async (code, reason) => {
    const options = await fake((socket, datagram, from) => socket.send(answerPcp(datagram, { code }), from.port, from.address))
    expect(await pcp({ gateway, nonce, ...options }).map(wish, never)).toMatchObject({ kind: 'failed', reason })
  })

  test('what is granted for no time is refused, also when it is looked at', async () => {
    const options = await fake((socket, datagram, from) =>
      socket.send(answerPcp(datagram, { lifetime: 0 }), from.port, from.address),
    )
    const client = pcp({ gateway, nonce, clock: () => 5, ...options })
    const refused = { kind: 'failed', reason: 'refused', detail: 'the router grants it for no time' }
    expect(await client.map(wish, never)).toEqual(refused)
    const checks = []
    for (let n = 0; n < 5; n++) checks.push(await client.check(wish, grant, never))
    expect(checks.at(-1)).toEqual(refused)
  })

  test('a server that cannot be asked for its clock alone tells it with the refusal', async () => {
    const options = await fake((socket, datagram, from) => socket.send(answerPcp(datagram, { code: 4 }), from.port, from.address))
    expect(await pcp({ gateway, nonce, ...options }).check(wish, grant, never)).toEqual({ kind: 'kept' })
  })

  test('a gateway that knows NAT-PMP alone is not asked twice', async () => {
    const options = await fake((socket, _datagram, from, count) => {
      if (count === 1) socket.send(Buffer.of(0, 129, 0, 1, 0, 0, 0, 9), from.port, from.address)
    })
    expect(await pcp({ gateway, nonce, ...options }).map(wish, never)).toMatchObject({ kind: 'failed', reason: 'unsupported' })
  })

  test('what a server tells everybody is a reason to ask when its clock went back', async () => {
    const options = await fake((socket, datagram, from) => socket.send(answerPcp(datagram), from.port, from.address))
    const client = pcp({ gateway, nonce, clock: () => 5, ...options })
    await client.map(wish, never)
    const announcement = (epoch: number) => answerPcp(Buffer.concat([Buffer.of(2, 0), Buffer.alloc(22)]), { epoch })
    expect(client.heard?.(announcement(1000), grant)).toBe(false)
    expect(client.heard?.(announcement(0), grant)).toBe(true)
    expect(client.heard?.(Buffer.of(1, 2, 3), grant)).toBeUndefined()
  })
})

describe('NAT-PMP with a gateway', () => {
  test('maps, sees a restart by the clock and another address, and removes', async () => {
    const requests: Buffer[] = []
    let epoch = 1000
    let address = [44, 128, 0, 1]
    const options = await fake((socket, datagram, from) => {
      requests.push(datagram)
      socket.send(answerNatPmp(datagram, { epoch, address }), from.port, from.address)
    })
    const client = natPmp({ gateway, clock: () => 5, ...options })
    expect(await client.map(wish, never)).toEqual({ kind: 'granted', ...grant, lifetime: 3600 })
    expect(await client.check(wish, grant, never)).toEqual({ kind: 'kept' })
    epoch = 3
    expect(await client.check(wish, grant, never)).toMatchObject({ kind: 'lost' })
    address = [44, 128, 0, 2]
    expect(await client.check(wish, grant, never)).toMatchObject({ kind: 'lost' })
    expect(client.heard?.(answerNatPmp(Buffer.of(0, 0), { epoch: 3, address }), grant)).toBe(true)
    expect(client.heard?.(answerNatPmp(Buffer.of(0, 0), { epoch: 3 }), grant)).toBe(false)
    expect(client.heard?.(Buffer.of(1), grant)).toBeUndefined()
    await client.unmap(wish, grant, never)
    expect([...requests.at(-1)!.subarray(6)]).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('what is granted for no time is refused', async () => {
    const options = await fake((socket, datagram, from) =>
      socket.send(answerNatPmp(datagram, { lifetime: 0 }), from.port, from.address),
    )
    const refused = { kind: 'failed', reason: 'refused', detail: 'the router grants it for no time' }
    expect(await natPmp({ gateway, ...options }).map(wish, never)).toEqual(refused)
  })

  test('sees that we slept: the clock of the router went on, ours did not', async () => {
    let epoch = 1000
    let time = 100
    const options = await fake((socket, datagram, from) =>
      socket.send(answerNatPmp(datagram, { epoch }), from.port, from.address),
    )
    const client = natPmp({ gateway, clock: () => time, ...options })
    await client.map(wish, never)
    epoch += 36_060
    time += 60
    expect(await client.check(wish, grant, never)).toMatchObject({ kind: 'lost' })
    epoch += 62
    time += 60
    expect(await client.check(wish, grant, never)).toEqual({ kind: 'kept' })
  })

  test.each([
    [1, 'unsupported'],
    [2, 'refused'],
    [3, 'no-address'],
    [4, 'refused'],
    [5, 'unsupported'],
    [77, 'refused'],
  ])('result %i means %s', async (code, reason) => {
    const options = await fake((socket, datagram, from) => socket.send(answerNatPmp(datagram, { code }), from.port, from.address))
    expect(await natPmp({ gateway, ...options }).map(wish, never)).toMatchObject({ kind: 'failed', reason })
  })
})
