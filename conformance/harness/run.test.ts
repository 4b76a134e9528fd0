// Targets that are no peers of BEEP, or stop to be: each is one clear verdict, in bounded time and memory.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ECHO, ownListener } from '../test-kit-own.js'
import { type Case, may, must, section, should } from './case.js'
import { parseExpectations } from './expectations.js'
import { Failure, Unsupported } from './failure.js'
import { askRaw } from './management.js'
import type { Peer } from './peer.js'
import { brief, isUnexpected, type Results } from './results.js'
import { CannotRun, type RunOptions, run } from './run.js'
import { awaited, DYING, dialled, executed, type Target } from './target.js'

const about = { title: 'a case', judges: [], quote: '', sends: 'something', expects: 'something' }
const [passes, fails, shouldFail, cannot, waits] = section('rfc3080/0', 'Trial', [
  must('passes', about, async () => 'all is well'),
  must('fails', about, async () => {
    throw new Failure('nothing is well')
  }),
  should('should', about, async () => {
    throw new Failure('it could be better')
  }),
  may('cannot', about, async () => {
    throw new Unsupported('there is no such thing here')
  }),
  must('waits', about, async (peer) => {
    await peer.channel()
    await peer.asked(77)
    return undefined
  }),
]) as [Case, Case, Case, Case, Case]

function trial(target: Target, cases: readonly Case[], options: Partial<RunOptions> = {}): Promise<Results> {
  return run({
    target,
    name: 'trial',
    profile: ECHO,
    cases,
    patience: 300,
    concurrency: 1,
    seed: 1,
    strict: false,
    tls: false,
    ...options,
  })
}

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** A target that does to each connection what `serve` does. */
async function target(serve: (socket: Socket, count: number) => void): Promise<Target> {
  let count = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.resume()
    serve(socket, count++)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return dialled('127.0.0.1', (server.address() as { port: number }).port)
}

describe('verdicts', () => {
  test('what a case says is what the result says', async () => {
    const { cases } = await trial(ownListener(), [passes, fails, shouldFail, cannot])
    expect(cases.map(({ outcome, saw }) => [outcome, saw])).toEqual([
      ['passed', 'all is well'],
      ['failed', 'nothing is well'],
      ['weak', 'it could be better'],
      ['unsupported', 'there is no such thing here'],
    ])
    expect(cases.map((each) => isUnexpected(each, false))).toEqual([false, true, false, false])
    expect(cases.map((each) => isUnexpected(each, true))).toEqual([false, true, true, false])
  })

  test('a known deviation is expected; one that is mended is not', async () => {
    const expectations = parseExpectations(
      JSON.stringify({
        name: 'trial',
        about: 'a trial',
        deviations: { 'rfc3080/0/fails': 'it never was', 'rfc3080/0/p*': 'it was' },
      }),
    )
    const { cases } = await trial(ownListener(), [passes, fails], { expectations })
    expect(cases.map(({ known, mended }) => [known, mended])).toEqual([
      [undefined, true],
      ['it never was', undefined],
    ])
    expect(cases.map((each) => isUnexpected(each, false))).toEqual([true, false])
  })

  test('a deviation that is seen sometimes only is expected, and its absence, too', async () => {
    const deviation = { reason: 'a race', sometimes: true }
    const expectations = parseExpectations(
      JSON.stringify({
        name: 'trial',
        about: 'a trial',
        deviations: { 'rfc3080/0/fails': deviation, 'rfc3080/0/passes': deviation, 'rfc3080/0/*': 'it was' },
      }),
    )
    const { cases } = await trial(ownListener(), [passes, fails], { expectations })
    expect(cases.map(({ known, mended }) => [known, mended])).toEqual([
      [undefined, undefined],
      ['a race', undefined],
    ])
    expect(cases.map((each) => isUnexpected(each, false))).toEqual([false, false])
  })

  test.each([
    ['{}', /name and about/],
    ['[]', /name and about/],
    ['null', /not a JSON object/],
    ['{"name":"a","about":"b"}', /deviations is an object/],
    ['{"name":"a","about":"b","deviations":{"x":" "}}', /x has no reason/],
    ['{"name":"a","about":"b","deviations":{"x":null}}', /x has no reason/],
    ['{"name":"a","about":"b","deviations":{"x":{"sometimes":true}}}', /x has no reason/],
    ['{"name":"a","about":"b","deviations":{"x":{"reason":"c"}}}', /x is text, or says "sometimes": true/],
    ['{"name":"a","about":"b","timeout":0,"deviations":{}}', /timeout/],
  ])('a file of deviations that is none is refused: %s', (text, why) => {
    expect(() => parseExpectations(text)).toThrow(why)
  })

  test('brief results hold the conversations of what did not pass, and one of each section', async () => {
    const again = { ...passes, id: 'rfc3080/0/again' }
    const other = { ...passes, id: 'rfc3080/1/passes' }
    const talk = { run: async (peer: Peer) => peer.greet().then(() => undefined) }
    const cases = [{ ...passes, ...talk }, { ...again, ...talk }, { ...other, ...talk }, waits]
    const results = await trial(ownListener(), cases)
    expect(results.cases.every(({ log }) => log.length > 0)).toBe(true)
    expect(brief(results).cases.map(({ log }) => log.length > 0)).toEqual([true, false, true, true])
    expect({ ...brief(results), cases: [] }).toEqual({ ...results, cases: [] })
  })

  test('what never comes is a time-out', async () => {
    const { cases } = await trial(ownListener(), [waits])
    expect(cases[0]).toMatchObject({ outcome: 'failed', ending: 'timeout' })
    expect(cases[0]!.saw).toMatch(/a MSG of the target on channel 77; nothing of the kind came within 300 ms/)
  })

  test('a property is shrunk to its smallest failing sample', async () => {
    const [property] = section('rfc3080/0', 'Trial', [
      must.hold('small', { ...about, samples: fc.nat(1000) }, async (_, sample) => {
        if (sample >= 17) throw new Failure(`${sample} is too much`)
        return undefined
      }),
    ])
    const { cases } = await trial(ownListener(), [property!])
    expect(cases[0]).toMatchObject({ outcome: 'failed', counterexample: '17', saw: '17 is too much' })
  })

  test('a property that holds is tried on at least twenty samples', async () => {
    const [property] = section('rfc3080/0', 'Trial', [must.hold('holds', { ...about, samples: fc.nat() }, async () => undefined)])
    const { cases } = await trial(ownListener(), [property!])
    expect(cases[0]!.outcome).toBe('passed')
    expect(cases[0]!.samples).toBeGreaterThanOrEqual(20)
  })

  test('a fault of a case is never the fault of the target', async () => {
    const [broken] = section('rfc3080/0', 'Trial', [
      must('broken', about, async () => {
        throw new TypeError('undefined is not a function')
      }),
    ])
    await expect(trial(ownListener(), [broken!])).rejects.toThrow(/The case rfc3080\/0\/broken failed in itself/)
  })

  test('two cases of one section have two names', () => {
    expect(() => section('rfc3080/0', 'Trial', [passes, passes])).toThrow(/Two cases of rfc3080\/0 are called passes/)
  })
})

describe('targets that are no peers of BEEP', () => {
  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['closes at once', (socket) => socket.end(), /ended the connection \(closed\)/],
    ['resets at once', (socket) => socket.resetAndDestroy(), /ended the connection|cannot connect/],
    ['says nothing', () => {}, /nothing of the kind came within 300 ms/],
    ['speaks HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /no frame begins like this: "HTTP/],
    [
      'speaks TLS',
      (socket) => socket.write(Buffer.from('15030100020246', 'hex').toString('latin1').padEnd(200, '\0')),
      /no frame begins like this/,
    ],
    ['sends garbage', (socket) => socket.write(Buffer.alloc(1000, 0xff)), /no frame begins like this/],
    [
      'stalls inside a frame',
      (socket) => socket.write('RPY 0 0 . 0 100\r\nhello'),
      /an unfinished frame: "RPY 0 0 \. 0 100\\r\\nhello"/,
    ],
    ['announces 2 GiB', (socket) => socket.write('RPY 0 0 . 0 2147483647\r\n'), /a payload of 2147483647 octets is announced/],
    [
      'sends a greeting without XML',
      (socket) => socket.write('RPY 0 0 . 0 5\r\nhelloEND\r\n'),
      /what came on channel 0 is not XML/,
    ],
    [
      'greets with an element of another kind',
      (socket) => socket.write('RPY 0 0 . 0 8\r\n\r\n<ok />END\r\n'.replace(' 8', ' 8')),
      /<ok>/,
    ],
  ])('one that %s cannot be tested', async (_, serve, saw) => {
    const failure = await trial(await target(serve), [passes]).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(CannotRun)
    expect((failure as Error).message).toMatch(saw)
  })

  test('nobody is there', async () => {
    await expect(trial(dialled('127.0.0.1', 1), [passes])).rejects.toThrow(/cannot connect to 127\.0\.0\.1:1/)
  })

  test.each<[string, string]>([
    ['frames', 'RPY 9 0 * 0 0\r\nEND\r\n'.repeat(3000)],
    ['octets', `RPY 9 0 * 0 60000\r\n${'x'.repeat(60_000)}END\r\n`],
  ])(
    'one that floods with %s is stopped',
    async (_, flood) => {
      const flooding = await target((socket) => {
        const pour = () => {
          while (!socket.destroyed && socket.write(flood));
        }
        socket.on('drain', pour)
        pour()
      })
      await expect(trial(flooding, [passes], { patience: 30_000 })).rejects.toThrow(/the target floods/)
    },
    20_000,
  )
})

test('one that floods does not end the session in good order', async () => {
  const listener = ownListener()
  let count = 0
  const flooding = await target((socket) => {
    const pour = () => {
      while (!socket.destroyed && socket.write('RPY 9 0 * 0 0\r\nEND\r\n'.repeat(3000)));
    }
    socket.on('drain', pour)
    pour()
  })
  const floods: Target = { ...listener, open: (patience) => (++count === 2 ? flooding : listener).open(patience) }
  const ends = { ...passes, run: async (peer: Peer) => peer.expectTermination() }
  const { cases } = await trial(floods, [ends], { patience: 30_000 })
  expect(cases[0]).toMatchObject({ outcome: 'failed' })
  expect(cases[0]!.saw).toMatch(/^expected the end of the session; the target floods/)
}, 20_000)

test('a refusal that is not escaped is read in time that grows with it', async () => {
  const element = "<error code='550'>".repeat(100_000)
  const payload = `Content-Type: application/beep+xml\r\n\r\n${element}`
  const refusing = await target((socket, count) => {
    const greeting = 'Content-Type: application/beep+xml\r\n\r\n<greeting />'
    socket.write(`RPY 0 0 . 0 ${greeting.length}\r\n${greeting}END\r\n`)
    if (count === 1) socket.write(`ERR 0 1 . ${greeting.length} ${payload.length}\r\n${payload}END\r\n`)
  })
  const asks = {
    ...passes,
    run: async (peer: Peer) => {
      await peer.greet()
      await askRaw(peer, '')
      return undefined
    },
  }
  const greets = { ...passes, run: async (peer: Peer) => void (await peer.greet()) }
  const { cases } = await trial(refusing, [asks], { sanity: greets, patience: 5000 })
  expect(cases[0]!.saw).toMatch(/is not XML/)
})

test('a run that is stopped gives up the case under way, and runs no other', async () => {
  const stop = new AbortController()
  const endless = { ...waits, id: 'rfc3080/0/endless', run: () => new Promise<never>(() => stop.abort()) }
  const { cases, died } = await trial(ownListener(), [passes, endless, fails], { signal: stop.signal, patience: 3_600_000 })
  expect(cases.map(({ outcome, saw }) => [outcome, saw])).toEqual([
    ['passed', 'all is well'],
    ['not-run', 'the run was stopped'],
    ['not-run', 'the run was stopped'],
  ])
  expect(died).toBeUndefined()
})

test('a run that is stopped while it waits for its first connection says so', async () => {
  const stop = new AbortController()
  const never: Target = { ...ownListener(), open: () => new Promise(() => stop.abort()) }
  await expect(trial(never, [passes], { signal: stop.signal })).rejects.toThrow('The run was stopped before its first case')
})

describe('targets that stop', () => {
  test('one that dies is told as dead, and the other cases are not run', async () => {
    const listener = ownListener()
    let count = 0
    const dying: Target = {
      ...listener,
      async open(patience) {
        if (++count > 2) return dialled('127.0.0.1', 1).open(patience)
        return listener.open(patience)
      },
    }
    const { cases, died } = await trial(
      dying,
      [passes, passes, fails].map((each, at) => ({ ...each, id: `rfc3080/0/${at}` })),
    )
    expect(cases.map(({ outcome }) => outcome)).toEqual(['passed', 'not-run', 'not-run'])
    expect(died).toMatch(/noticed in rfc3080\/0\/1: cannot connect/)
  })

  test('one that hangs is found out, whatever the number of cases', async () => {
    const listener = ownListener()
    const silent = await target(() => {})
    let count = 0
    const hanging: Target = { ...listener, open: (patience) => (++count > 1 ? silent : listener).open(patience) }
    const cases = Array.from({ length: 50 }, (_, at) => ({ ...waits, id: `rfc3080/0/${at}` }))
    const results = await trial(hanging, cases, { patience: 100 })
    expect(results.died).toMatch(/noticed after rfc3080\/0\/2/)
    expect(results.cases.filter(({ outcome }) => outcome === 'not-run')).toHaveLength(47)
  })

  test('a program that ends is told with its last words, and started again', async () => {
    // It serves as many connections as it is told to, and then ends in the middle of the next.
    const program = `process.stdout.write('last words'); require('node:net').createServer((socket) => { socket.on('error', () => {}); socket.once('data', () => process.exit(3)) }).listen(Number(process.argv[1]))`
    const started = await executed(`exec '${process.execPath}' -e "${program}" {port}`)
    try {
      const failure = await trial(started, [passes], { patience: 5000 }).catch((error: unknown) => error)
      expect((failure as Error).message).toMatch(/its program ended \(exit code 3\); it printed: "last words"/)
      // It is reached again.
      ;(await started.open(5000)).destroy()
    } finally {
      await started.close()
    }
  })

  test('a program is not started again when all is over', async () => {
    const started = await executed(`exec '${process.execPath}' -e "setTimeout(() => {}, 1e6)" {port}`)
    const waiting = expect(started.open(5000)).rejects.toThrow(/cannot connect to|the command ended/)
    await started.close()
    await waiting
    await expect(started.open(5000)).rejects.toThrow('the target is not started any more')
  })

  test('a program that ends between two connections is started again, and its end is told all the same', async () => {
    const program = `require('node:net').createServer((socket) => { socket.on('error', () => {}); socket.once('data', () => process.exit(3)) }).listen(Number(process.argv[1]))`
    const started = await executed(`exec '${process.execPath}' -e "${program}" {port}`)
    try {
      const first = await started.open(5000)
      first.on('error', () => {})
      const closed = once(first, 'close')
      first.resume().write('x')
      await closed
      ;(await started.open(5000)).destroy()
      expect(await started.lost?.(DYING)).toBe('its program ended (exit code 3)')
      expect(await started.lost?.(DYING)).toBeUndefined()
    } finally {
      await started.close()
    }
  })

  test('a client that crashes is told; one that ends is not', async () => {
    const client = (end: string) =>
      `exec '${process.execPath}' -e "require('node:net').connect({port}, 'localhost').on('error', () => {}).on('connect', () => { ${end} })"`
    for (const [end, told] of [
      ["process.kill(process.pid, 'SIGSEGV')", /^its program ended \(SIGSEGV\)$/],
      ['process.exit(1)', undefined],
    ] as const) {
      const started = await awaited(0, client(end))
      try {
        const socket = await started.open(10_000)
        socket.on('error', () => {})
        const closed = once(socket, 'close')
        socket.resume()
        await closed
        // The next is started, and the end of the one before is told all the same.
        ;(await started.open(10_000)).destroy()
        const lost = await started.lost?.(DYING)
        if (told === undefined) expect(lost).toBeUndefined()
        else expect(lost).toMatch(told)
      } finally {
        await started.close()
      }
    }
  }, 20_000)

  test('a command that does not listen is told with its last words', async () => {
    const started = await executed('echo no such option >&2; exit 1')
    await expect(trial(started, [passes])).rejects.toThrow(
      /the command ended before it listened on port [0-9]+; it printed: "no such option"/,
    )
    await started.close()
  })
})
