// What a driver takes from its socket, whichever way it comes, and what it leaves for the next owner: in order, nothing twice, nothing lost.
import { once } from 'node:events'
import { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from '@jest/globals'
import { Driver } from './driver.js'
import { Engine } from './engine/engine.js'

/** A driver on a socket that is fed by its `push`, as Node does when octets arrive. */
function driven(...waiting: string[]): { socket: Socket; driver: Driver; received: () => string } {
  const socket = new Socket()
  for (const octets of waiting) socket.push(octets)
  const taken: Uint8Array[] = []
  const driver = new Driver(socket, new Engine('listener'), {
    received: (octets) => void taken.push(octets),
    sending: () => {},
    wrote: () => {},
    ended: () => {},
  })
  return { socket, driver, received: () => Buffer.concat(taken).toString() }
}

/** The stream has begun to flow and given out what waited. */
async function flowing(socket: Socket): Promise<void> {
  await once(socket, 'resume')
  await new Promise(setImmediate)
}

test('what comes goes to the engine at once', async () => {
  const { socket, received } = driven()
  await flowing(socket)
  socket.push(Buffer.from('one'))
  expect(received()).toBe('one')
  socket.destroy()
})

test('behind what waits in the queue of the socket, what comes waits too', async () => {
  const { socket, received } = driven('one ')
  socket.push(Buffer.from('two '))
  await flowing(socket)
  socket.push(Buffer.from('three'))
  expect(received()).toBe('one two three')
  socket.destroy()
})

test('somebody else who listens hears the same', async () => {
  const { socket, received } = driven()
  await flowing(socket)
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  socket.push(Buffer.from('both'))
  expect([received(), Buffer.concat(heard).toString()]).toEqual(['both', 'both'])
  socket.destroy()
})

test('while it is paused, and when it has been let go, octets are for the next owner', async () => {
  const { socket, driver, received } = driven()
  await flowing(socket)
  driver.pause()
  socket.push(Buffer.from('paused '))
  const next = driver.detach()
  socket.push(Buffer.from('let go '))
  const heard: Buffer[] = []
  next.on('data', (chunk: Buffer) => heard.push(chunk)).resume()
  await flowing(socket)
  socket.push(Buffer.from('owned'))
  expect([received(), Buffer.concat(heard).toString()]).toEqual(['', 'paused let go owned'])
  socket.destroy()
})

/** What a driver and its session are to a socket: nothing once it is closed. */
async function closed(): Promise<{ socket: Socket; session: WeakRef<object> }> {
  const socket = new Socket()
  const session = {
    received: () => {},
    sending: () => {},
    wrote: () => {},
    ended: () => {},
  }
  new Driver(socket, new Engine('listener'), session)
  await flowing(socket)
  socket.destroy()
  await once(socket, 'close')
  return { socket, session: new WeakRef(session) }
}

test('a socket that is closed holds no session, and may still fail', async () => {
  const { socket, session } = await closed()
  setFlagsFromString('--expose-gc')
  // A WeakRef is strong until the end of the turn that made it.
  await new Promise(setImmediate)
  runInNewContext('gc')()
  expect(session.deref()).toBeUndefined()
  expect(() => socket.emit('error', new Error('late'))).not.toThrow()
})
