// What sessions with other people's implementations taught: octets as they send them, and what they need to hear.
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { Identity } from '../cloudy/identity.js'
import { ECHO, echo } from '../profiles/echo.js'
import { startTls, TLS, tls } from '../profiles/tls.js'
import { connect, type Listener, listen } from './index.js'

const listeners: Listener[] = []
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close()
})

function frame(header: string, xml: string): string {
  const payload = `Content-Type: application/beep+xml\r\n\r\n${xml}`
  return `${header} ${payload.length}\r\n${payload}END\r\n`
}

const GREETING = frame('RPY 0 0 . 0', '<greeting />\r\n')

/** Says `octets` to a listener of ours and gives what it says in return, up to `enough`. */
async function say(port: number, octets: string, enough: RegExp): Promise<string> {
  const socket = dial(port, '127.0.0.1')
  socket.write(octets)
  let heard = ''
  for await (const chunk of socket) {
    heard += chunk
    if (enough.test(heard)) break
  }
  return heard
}

test('onSession comes before the handlers, also when greeting and start come in one chunk', async () => {
  const order: string[] = []
  const listener = await listen({
    host: '127.0.0.1',
    profiles: [{ ...echo, open: () => void order.push('open') }],
    onSession: () => void order.push('session'),
  })
  listeners.push(listener)
  const start = frame('MSG 0 1 . 52', `<start number='3'><profile uri='${ECHO}' /></start>\r\n`)
  await say(listener.address.port, GREETING + start, /RPY 0 1 [\s\S]*END\r\n/)
  expect(order).toEqual(['session', 'open'])
})

test('R3080-3.1.1-02 <ready/> goes out in CDATA, as RFC 3080 prints it: Vortex compares it unresolved', async () => {
  let heard = ''
  const server = createServer((socket) => {
    socket.write(frame('RPY 0 0 . 0', `<greeting><profile uri='${TLS}' /></greeting>`))
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      heard += chunk
      if (heard.includes('<start')) socket.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = await connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  await expect(startTls(session, { verify: () => {} })).rejects.toThrow()
  server.close()
  expect(heard).toContain(`<profile uri='${TLS}'><![CDATA[<ready />]]></profile>`)
})

test('R3080-3.1.1-03 <proceed/> goes out in CDATA, too, in answer to the start that Vortex sends', async () => {
  const identity = await Identity.generate()
  const profile = tls({ key: identity.privateKeyPem(), cert: identity.certificatePem(), clientCertificate: 'none' })
  const listener = await listen({ host: '127.0.0.1', profiles: [profile] })
  listeners.push(listener)
  const profileElement = `<profile uri='${TLS}'><![CDATA[<ready />]]></profile>`
  const start = frame('MSG 0 1 . 52', `<start number='3' serverName='127.0.0.1'>${profileElement}</start>\r\n`)
  const heard = await say(listener.address.port, GREETING + start, /RPY 0 1 [\s\S]*END\r\n/)
  expect(heard).toContain(`<profile uri='${TLS}'><![CDATA[<proceed />]]></profile>`)
})
