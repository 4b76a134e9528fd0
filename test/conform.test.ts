// `beep conform` as its user runs it: against our own programs in both roles, over TCP.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Results } from '../conformance/harness/results.js'

const BEEP = join('dist', 'cli', 'beep.js')
const ECHO = 'http://example.org/profiles/echo'
const LISTENER = `exec '${process.execPath}' ${BEEP} listen --port {port} --echo ${ECHO}`
const INITIATOR = `exec '${process.execPath}' ${BEEP} ping localhost:{port} --profile ${ECHO} --count 2`

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The judge is what `beep conform` starts; most tests go to it directly, since each program takes its time to start. */
const JUDGE = join('dist', 'judge', 'conformance', 'beep-conform.js')

function conform(...options: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [JUDGE, ...options], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

describe('beep conform', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'beep-conform-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('judges a listener that it starts, and reports in every form', async () => {
    const [json, xml, pages] = ['results.json', 'results.xml', 'pages'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ]
    const reports = ['--json', json, '--junit', xml, '--html', pages]
    const { code, stdout } = await conform(
      '--exec',
      LISTENER,
      '--profile',
      ECHO,
      '--seed',
      '7',
      '--strict',
      'rfc3080/2.2.1.2',
      'rfc3080/2.4/said',
      ...reports,
    )
    expect(stdout).toContain('✓ rfc3080/2.2.1.2/seqno-gap')
    // What is about the other role is said once, and all of it is in the JSON.
    expect(stdout.match(/.*it is about initiators.*/g)).toEqual([
      expect.stringMatching(/^ {2}\d+ cases: it is about initiators, and the target is the listener$/),
    ])
    expect(stdout).toContain('seed 7, strict')
    expect(stdout).toContain('Nothing unexpected.')
    expect(code).toBe(0)
    const results = JSON.parse(await readFile(json, 'utf8')) as Results
    expect(results.target.role).toBe('listener')
    expect(results.cases.every(({ outcome }) => outcome === 'passed' || outcome === 'unsupported')).toBe(true)
    expect(results.cases.every(({ log, outcome }) => outcome !== 'passed' || log.length > 0)).toBe(true)
    expect(await readFile(xml, 'utf8')).toContain('<testsuite name="rfc3080/2.2.1.2"')
    expect(await readFile(join(pages, 'index.html'), 'utf8')).toContain('seqno-gap')
    const merged = join(directory, 'merged')
    expect(await conform('--merge', json, json, '--html', merged)).toMatchObject({ code: 0 })
    expect(await readFile(join(merged, 'index.html'), 'utf8')).toContain('BEEP conformance')
  }, 30_000)

  test('judges an initiator that it starts for each case', async () => {
    const { code, stdout, stderr } = await conform(
      '--listen',
      '0',
      '--exec',
      INITIATOR,
      '--profile',
      ECHO,
      '--strict',
      '--junit',
      '-',
      '--case',
      'rfc3080/2.2.1.2/seqno-gap',
    )
    expect(stderr).toContain('✓ rfc3080/2.2.1.2/seqno-gap')
    expect(stdout).toMatch(/^<\?xml .*<testsuite name="rfc3080\/2\.2\.1\.2".*<\/testsuites>\n$/s)
    expect(code).toBe(0)
  }, 30_000)

  test('whoever reads the results may have had enough', async () => {
    const options = ['--profile', ECHO, '--json', '-', '--case', 'rfc3080/2.2.1.2/seqno-gap']
    const judge = spawn(process.execPath, [JUDGE, '--exec', LISTENER, ...options])
    judge.stdout.destroy()
    const stderr = await text(judge.stderr)
    if (judge.exitCode === null) await once(judge, 'exit')
    expect(stderr).not.toContain('EPIPE')
    expect(judge.exitCode).toBe(0)
  }, 30_000)

  test('says where it waits for an initiator, and stops at once when it is told to', async () => {
    const judge = spawn(process.execPath, [JUDGE, '--listen', '0', '--profile', ECHO, '--timeout', '600000'])
    judge.stderr.setEncoding('utf8')
    let stderr = ''
    for await (const text of judge.stderr as AsyncIterable<string>) {
      stderr += text
      if (/waiting for the target to connect to port [1-9][0-9]*\n$/.test(stderr)) judge.kill('SIGINT')
    }
    if (judge.exitCode === null) await once(judge, 'exit')
    expect(stderr).toMatch(/to connect to port \d+\nbeep conform: The run was stopped before its first case\n$/)
    expect(judge.exitCode).toBe(2)
  }, 30_000)

  test('a run that is stopped ends what it started, however often it is told to, and its reports are of no other run', async () => {
    const report = join(directory, 'old.json')
    await writeFile(report, 'of another run')
    // A target that listens, and says nothing; it takes a moment to end.
    const target = `process.on('SIGTERM', () => setTimeout(() => process.exit(), 200)); require('node:net').createServer(() => console.error(process.pid)).listen(Number(process.argv[1]))`
    const command = `exec '${process.execPath}' -e "${target}" {port} 2>'${join(directory, 'pid')}'`
    const judge = spawn(process.execPath, [JUDGE, '--exec', command, '--profile', ECHO, '--timeout', '600000', '--json', report])
    const stderr = text(judge.stderr)
    const pid = async () => Number(await readFile(join(directory, 'pid'), 'utf8').catch(() => ''))
    while ((await pid()) === 0) await pause(20)
    expect(await readFile(report, 'utf8')).toBe('')
    judge.kill('SIGINT')
    judge.kill('SIGHUP')
    judge.kill('SIGINT')
    await once(judge, 'exit')
    expect(await stderr).toBe('beep conform: The run was stopped before its first case\n')
    expect([judge.exitCode, judge.signalCode]).toEqual([2, null])
    const gone = await pid()
    expect(() => process.kill(gone, 0)).toThrow('ESRCH')
  }, 30_000)

  test('a transcript that waits for the target is given up when it is told to', async () => {
    const file = join(directory, 'waits.txt')
    await writeFile(file, 'L: RPY 0 0 . 0 3\nL: aEND\n')
    const judge = spawn(process.execPath, [JUDGE, '--listen', '0', '--transcript', file, '--timeout', '600000'])
    judge.stderr.setEncoding('utf8')
    let stderr = ''
    for await (const text of judge.stderr as AsyncIterable<string>) {
      stderr += text
      if (stderr.includes('waiting for the target')) judge.kill('SIGINT')
    }
    if (judge.exitCode === null) await once(judge, 'exit')
    expect(stderr).toMatch(/\nbeep conform: stopped before the transcript was played\n$/)
    expect(judge.exitCode).toBe(2)
  }, 30_000)

  test('something unexpected is exit code 1: here a deviation that is none', async () => {
    const file = join(directory, 'wrong.json')
    await writeFile(
      file,
      JSON.stringify({ name: 'ours', about: 'a trial', deviations: { 'rfc3080/2.2.1.2/seqno-gap': 'it never looks' } }),
    )
    const { code, stdout, stderr } = await conform(
      '--exec',
      LISTENER,
      '--profile',
      ECHO,
      '--target',
      file,
      '--json',
      '-',
      '--case',
      'rfc3080/2.2.1.2/seqno-gap',
    )
    // What is for programs is alone on stdout.
    expect(JSON.parse(stdout)).toMatchObject({ target: { name: 'ours' }, cases: [{ outcome: 'passed', mended: true }] })
    expect(stderr).toContain('listed as a deviation, but it passes')
    expect(code).toBe(1)
  }, 30_000)

  test.each<[string, string[], RegExp]>([
    ['no place', ['--profile', ECHO], /Say where the target is/],
    ['no profile', ['tcp://127.0.0.1:1'], /--profile URI/],
    ['nobody there', ['tcp://127.0.0.1:1', '--profile', ECHO, '--timeout', '100'], /cannot connect to 127\.0\.0\.1:1/],
    ['no such case', ['tcp://127.0.0.1:1', '--profile', ECHO, '--case', 'rfc3080/0/none'], /There is no case rfc3080\/0\/none/],
    ['no case that matches', ['tcp://127.0.0.1:1', '--profile', ECHO, 'nonesuch'], /No case matches/],
    ['a file that does not exist', ['tcp://127.0.0.1:1', '--profile', ECHO, '--target', '/nonexistent'], /nonexistent/],
    ['a merge without a page', ['--merge', 'a.json'], /--html DIRECTORY/],
    [
      'a merge and a run',
      ['--merge', 'a.json', '--html', 'x', '--json', 'y'],
      /'--merge <files\.\.\.>' cannot be used with option '--json/,
    ],
    [
      'a profile for a Cloudy peer',
      ['--cloudy', 'tcp://127.0.0.1:1', '--profile', ECHO],
      /'--cloudy' cannot be used with option '--profile/,
    ],
    ['a merge of something else', ['--merge', 'package.json', '--html', '/nonexistent'], /package\.json holds no results/],
    ['a merge of what is no JSON', ['--merge', 'README.md', '--html', '/nonexistent'], /: README\.md: .*JSON/],
    ['a merge of a directory', ['--merge', 'src', '--html', '/nonexistent'], /: src: EISDIR/],
    [
      'a merge and a place',
      ['tcp://127.0.0.1:1', '--merge', 'a.json', '--html', 'x'],
      /tcp:\/\/127.0.0.1:1 means nothing beside --merge/,
    ],
    [
      'a transcript and a report',
      ['tcp://127.0.0.1:1', '--transcript', 'a.txt', '--junit', 'x'],
      /'--transcript <file>' cannot be/,
    ],
    [
      'a transcript and a case',
      ['tcp://127.0.0.1:1', 'seqno', '--transcript', 'a.txt'],
      /seqno means nothing beside --transcript/,
    ],
    [
      'cases at a time of a program',
      ['--exec', 'true', '--profile', ECHO, '--concurrency', '2'],
      /'--concurrency <count>' cannot be/,
    ],
    ['a seed that is none', ['--seed', 'x'], /It is a number.*\n\n?\(--help says how it is used\)\n$/],
    ['two reports on stdout', ['tcp://127.0.0.1:1', '--profile', ECHO, '--json', '-', '--junit', '-'], /Only one of/],
  ])('what cannot run is exit code 2: %s', async (_, options, why) => {
    const { code, stderr } = await conform(...options)
    expect(stderr).toMatch(why)
    expect(code).toBe(2)
  })

  test('a deviation that is about no case is refused: it may be a slip of the pen', async () => {
    const file = join(directory, 'stray.json')
    const deviations = { 'rfc3080/2.2.1.2/*': 'several', 'rfc3080/nope': 'a slip' }
    await writeFile(file, JSON.stringify({ name: 'ours', about: 'a trial', deviations }))
    const { code, stderr } = await conform('tcp://127.0.0.1:1', '--profile', ECHO, '--target', file)
    expect(stderr).toContain(`${file}: there is no case rfc3080/nope; --list shows all`)
    expect(code).toBe(2)
  })

  test('what cannot be printed is said once', () => {
    const full = openSync('/dev/full', 'w')
    const { stderr, status } = spawnSync(process.execPath, [JUDGE, '--list'], {
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
    })
    closeSync(full)
    expect(stderr).toMatch(/^beep conform: ENOSPC[^\n]*\n$/)
    expect(status).toBe(2)
  })

  test('lists the cases, each with its level', () => {
    // By the name that its user types.
    const { stdout } = spawnSync(process.execPath, [BEEP, 'conform', '--list'], { encoding: 'utf8' })
    const lines = stdout.trim().split('\n')
    expect(lines.every((line) => /^(rfc308[01]|robustness)\/\S+ {2}(MUST|SHOULD|MAY)( property)? {2}\S/.test(line))).toBe(true)
    expect(lines.length).toBeGreaterThan(2)
  })

  test('plays a transcript and compares', async () => {
    const file = join(directory, 'session.txt')
    const said = (header: string, element: string) => {
      const lines = ['Content-Type: application/beep+xml', '', `${element}END`]
      const size = `${lines.join('\r\n')}`.length - 3
      return [`${header} ${size}`, ...lines]
    }
    const spoken = (side: string, lines: readonly string[]) => lines.map((line) => `${side}: ${line}`.trimEnd())
    const greeting = said('RPY 0 0 . 0', '<greeting />')
    const start = said('MSG 0 1 . 50', "<start number='1'><profile uri='http://example.org/none' /></start>")
    const refusal = said('ERR 0 1 . 123', "<error code='550'>other words</error>")
    const session = [...spoken('I', greeting), ...spoken('L', greeting), ...spoken('I', start), ...spoken('L', refusal)]
    await writeFile(file, `${session.join('\n')}\n`)
    const { stdout, code } = await conform('--exec', LISTENER, '--transcript', file)
    expect(stdout).toBe('✓ RPY 0 0 .\n✓ ERR 0 1 .\n')
    expect(code).toBe(0)

    const more = said('ANS 0 2 . 200', 'never')
    await writeFile(file, `${[...session, ...spoken('L', more)].join('\n')}\n`)
    const late = await conform('--exec', LISTENER, '--timeout', '300', '--transcript', file)
    expect(late.stdout).toMatch(/^✓ RPY 0 0 \.\n✓ ERR 0 1 \.\n✗ ANS 0 2 \.: it did not come/)
    expect(late.code).toBe(1)
    const nothing = [spoken('I', greeting), spoken('L', greeting).with(0, 'L: RPY 0 0 . 0 999')]
    for (const [lines, why] of [
      [nothing[0], /nothing to compare/],
      [nothing[1], /is a size wrong/],
    ] as const) {
      await writeFile(file, `${lines!.join('\n')}\n`)
      const none = await conform('--exec', LISTENER, '--transcript', file)
      expect([none.code, none.stdout]).toEqual([2, ''])
      expect(none.stderr).toMatch(why)
    }
  }, 30_000)
})
