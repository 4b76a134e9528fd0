// UPnP on our side of the process: what is asked after which refusal, and a process that crashes, hangs or talks nonsense. The real one meets real and
// hostile routers in test/nat.test.ts.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { deferred } from '../../beep/promises.js'
import type { Gateway } from './gateway.js'
import { type Call, mapWith, upnp } from './upnp.js'
import { type ChildSays, readChild } from './upnp-messages.js'

const wish = { internalPort: 10_288, externalPort: 40_000, lifetime: 7200 }
const grant = { externalAddress: '44.128.0.1', externalPort: 40_000, lifetime: 7200 }
const gateway: Gateway = { address: '192.168.1.1', localAddress: '192.168.1.2' }
const never = new AbortController().signal

/** Maps with a router that answers AddPortMapping so, one after the other. @returns the outcome and what was asked: port and lease */
async function mapAgainst(answers: readonly (number | undefined | 'ok')[], address = '44.128.0.1', asked = wish) {
  const requests: string[] = []
  let drawn = 50_000
  const call: Call = async (action, args = []) => {
    if (action === 'GetExternalIPAddress') return { kind: 'done', values: { NewExternalIPAddress: address } }
    const values = Object.fromEntries(args)
    expect(values).toMatchObject({
      NewInternalClient: '192.168.1.2',
      NewProtocol: 'TCP',
      NewInternalPort: '10288',
      NewEnabled: '1',
    })
    const answer = answers[requests.length]
    requests.push(`${values.NewExternalPort} ${values.NewLeaseDuration}`)
    return answer === 'ok' ? { kind: 'done', values: {} } : { kind: 'error', code: answer, text: 'Request failed: 500' }
  }
  const outcome = await mapWith(call, asked, '192.168.1.2', () => drawn++)
  return { outcome, requests }
}

describe('a port that is asked for', () => {
  test('is the one we had last, or our own', async () => {
    expect(await mapAgainst(['ok'])).toEqual({ outcome: { kind: 'granted', ...grant }, requests: ['40000 7200'] })
    expect((await mapAgainst(['ok'], '44.128.0.1', { ...wish, externalPort: 0 })).requests).toEqual(['10288 7200'])
  })

  test('belongs to somebody else (718): our own, then others are asked for, and not for ever', async () => {
    const found = await mapAgainst([718, 718, 'ok'])
    expect(found.requests).toEqual(['40000 7200', '10288 7200', '50000 7200'])
    expect(found.outcome).toMatchObject({ kind: 'granted', externalPort: 50_000 })
    const none = await mapAgainst(Array(20).fill(718))
    expect(none.requests).toHaveLength(5)
    expect(none.outcome).toMatchObject({ kind: 'failed', reason: 'conflict' })
  })

  test('is asked for without end when the router knows no leases (725)', async () => {
    expect(await mapAgainst([725, 'ok'])).toMatchObject({
      outcome: { kind: 'granted', lifetime: 0 },
      requests: ['40000 7200', '40000 0'],
    })
  })

  test('is our own when both must be equal (724)', async () => {
    expect((await mapAgainst([724, 'ok'])).requests).toEqual(['40000 7200', '10288 7200'])
  })

  test('is refused without a reason: other ports are tried, then a lease without end', async () => {
    const { outcome, requests } = await mapAgainst([undefined, undefined, undefined, undefined, 'ok'])
    expect(requests).toEqual(['40000 7200', '10288 7200', '50000 7200', '50001 7200', '50001 0'])
    expect(outcome).toMatchObject({ kind: 'granted', lifetime: 0 })
  })

  test('is refused for good (606): that is said with the number', async () => {
    expect(await mapAgainst([606])).toMatchObject({
      outcome: { kind: 'failed', reason: 'refused', detail: expect.stringMatching(/606/) },
      requests: ['40000 7200'],
    })
  })

  test('is not asked for while the router has no address', async () => {
    expect(await mapAgainst([], ' ')).toMatchObject({ outcome: { kind: 'failed', reason: 'no-address' }, requests: [] })
  })
})

describe('the process', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cloudy-upnp-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  async function withScript(name: string, code: string, patience = 5000) {
    const script = join(folder, `${name}.mjs`)
    await writeFile(script, code)
    return upnp({ gateway, script, patience })
  }

  /** A child that finds its gateway and answers each action. */
  const good = (answers: string) => `process.on('message', ({ action, args }) => {
    const answer = (${answers})[action]
    process.send(typeof answer === 'function' ? answer(args) : answer)
  })
  process.send({ kind: 'found' })`

  test('maps, checks and removes', async () => {
    const protocol = await withScript(
      'good',
      good(`{
        GetExternalIPAddress: { kind: 'done', values: { NewExternalIPAddress: '44.128.0.1' } },
        AddPortMapping: { kind: 'done', values: {} },
        DeletePortMapping: { kind: 'done', values: {} },
        GetSpecificPortMappingEntry: { kind: 'done', values: { NewInternalClient: '192.168.1.2', NewInternalPort: '10288' } },
      }`),
    )
    expect(await protocol.map(wish, never)).toEqual({ kind: 'granted', ...grant })
    expect(await protocol.check(wish, grant, never)).toEqual({ kind: 'kept' })
    const moved = { ...grant, externalAddress: '44.128.0.9' }
    expect(await protocol.check(wish, moved, never)).toMatchObject({ kind: 'lost', detail: 'the router has another address' })
    await protocol.unmap(wish, grant, never)
    await protocol.unmap(wish, undefined, never)
  })

  test.each([
    ['ours', '192.168.1.2', 10_288, true],
    ['of another host', '192.168.1.9', 10_288, false],
    ['of another program', '192.168.1.2', 4711, false],
  ])('removes a port that was asked for, and may be granted unheard, when it is %s', async (name, client, port, isRemoved) => {
    // The router's ear: the child tells it what it is asked, by the one way that is open to it.
    const router = createSocket('udp4')
    const heard: string[] = []
    const asked = deferred<void>()
    router.on('message', (action) => {
      heard.push(action.toString())
      if (heard.at(-1) === 'AddPortMapping 40000') asked.resolve()
    })
    router.bind(0, '127.0.0.1')
    await once(router, 'listening')
    const answers = {
      GetExternalIPAddress: { kind: 'done', values: { NewExternalIPAddress: '44.128.0.1' } },
      GetSpecificPortMappingEntry: { kind: 'done', values: { NewInternalClient: client, NewInternalPort: String(port) } },
      DeletePortMapping: { kind: 'done', values: {} },
    }
    const script = `import { createSocket } from 'node:dgram'
      const ear = createSocket('udp4')
      process.on('message', ({ action, args }) => {
        const { NewExternalPort = '' } = Object.fromEntries(args)
        ear.send(action + ' ' + NewExternalPort, ${router.address().port}, '127.0.0.1', () => {
          const answer = (${JSON.stringify(answers)})[action]
          if (answer !== undefined) process.send(answer)
        })
      })
      process.send({ kind: 'found' })`
    const protocol = await withScript(`unheard-${name.replaceAll(' ', '-')}`, script)
    const controller = new AbortController()
    expect(protocol.isInDoubt).toBe(false)
    const mapping = protocol.map(wish, controller.signal)
    await asked.promise
    controller.abort(new Error('enough'))
    await expect(mapping).rejects.toThrow('enough')
    expect(protocol.isInDoubt).toBe(true)
    await protocol.unmap(wish, undefined, never)
    router.close()
    const looks = ['GetExternalIPAddress ', 'AddPortMapping 40000', 'GetSpecificPortMappingEntry 40000']
    expect(heard).toEqual(isRemoved ? [...looks, 'DeletePortMapping 40000'] : looks)
  })

  test.each([
    ['forgotten', `{ kind: 'error', code: 714, text: '' }`, { kind: 'lost' }],
    ['given away', `{ kind: 'done', values: { NewInternalClient: '192.168.1.9', NewInternalPort: '10288' } }`, { kind: 'lost' }],
    ['unanswered', `{ kind: 'error', code: 501, text: '' }`, { kind: 'failed', reason: 'refused' }],
  ])('sees that the port is %s', async (name, entry, check) => {
    const address = `{ kind: 'done', values: { NewExternalIPAddress: '44.128.0.1' } }`
    const script = good(`{ GetExternalIPAddress: ${address}, GetSpecificPortMappingEntry: ${entry} }`)
    expect(await (await withScript(name.replace(' ', '-'), script)).check(wish, grant, never)).toMatchObject(check)
  })

  test.each([
    ['finds no router', `process.send({ kind: 'none', text: 'no router \\u001b[31m' })`, 'silent', /^no router$/],
    ['crashes', `throw new Error('old code')`, 'broken', /has ended/],
    ['exits before it is asked', `process.send({ kind: 'found' }, () => process.exit(0))`, 'broken', /has ended|channel|EPIPE/i],
    ['talks nonsense', `process.send({ kind: 'granted', everything: true }); setInterval(() => {}, 1000)`, 'broken', /nonsense/],
    ['answers nonsense', `${good('{}')}`, 'broken', /nonsense|ended/],
  ])('that %s is a failure with a reason', async (name, code, reason, detail) => {
    const protocol = await withScript(name.replaceAll(' ', '-'), code)
    const outcome = await protocol.map(wish, never)
    expect(outcome).toMatchObject({ kind: 'failed', reason, detail: expect.stringMatching(detail) })
  })

  test('may write nothing and start nothing, and has no environment', async () => {
    const code = `import { writeFileSync } from 'node:fs'
      import { spawnSync } from 'node:child_process'
      const attempt = (act) => { try { act(); return 'done' } catch (error) { return error.code } }
      const file = import.meta.filename + '.txt'
      const outcomes = [() => writeFileSync(file, ''), () => spawnSync('true')].map(attempt)
      process.send({ kind: 'none', text: [...outcomes, Object.keys(process.env).length].join() })`
    const outcome = await (await withScript('fenced', code)).map(wish, never)
    expect(outcome).toMatchObject({ detail: 'ERR_ACCESS_DENIED,ERR_ACCESS_DENIED,0' })
  })

  test('that hangs is ended after its time, or when nobody wants it any more', async () => {
    const hang = `process.on('SIGTERM', () => {}); while (true);`
    expect(await (await withScript('hang', hang, 300)).map(wish, never)).toMatchObject({ kind: 'failed', reason: 'silent' })
    const controller = new AbortController()
    const asked = (await withScript('hang', hang)).map(wish, controller.signal)
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })

  test('that cannot be started is a failure', async () => {
    const outcome = await upnp({ gateway, script: join(folder, 'not-there.mjs') }).map(wish, never)
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'broken' })
  })
})

test('whatever the process says is read as what it may say, or not at all', () => {
  const kinds = ['found', 'none', 'done', 'error', undefined]
  const says = fc.record(
    {
      kind: fc.constantFrom('found', 'none', 'done', 'error', 'other'),
      text: fc.oneof(fc.string(), fc.constant('x'.repeat(2000)), fc.anything()),
      code: fc.oneof(fc.integer(), fc.anything()),
      values: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.anything()),
    },
    { requiredKeys: ['kind'] },
  )
  fc.assert(fc.property(fc.oneof(says, fc.anything()), (message) => expect(kinds).toContain(readChild(message)?.kind)))
  const done: ChildSays = { kind: 'done', values: { NewExternalIPAddress: '44.128.0.1' } }
  expect(readChild({ ...done, more: 1 })).toEqual(done)
})
