// The demonstration end to end, as its user runs it: the built program, two peers in processes of their own.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'

const run = promisify(execFile)

/** The output of the demonstration. */
async function demo(...options: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['dist/cli/cloudy.js', 'demo', ...options], { maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

describe('cloudy demo', () => {
  test('goes through every step', async () => {
    const said = await demo()
    const sha = /has the whole file; its SHA-256 is ([0-9a-f]{64})/.exec(said)?.[1]
    expect(sha).toBeDefined()
    expect(said).toContain(`Ada  hears the file confirmed: ${sha}`)
    for (const line of [
      /1\. Identities/,
      /Ada {2}makes a P-256 key/,
      /Bob {2}signs a calling card of \d+ octets/,
      /2\. Finding each other/,
      /Ada {2}sees “Bob” \(.+\) and believes the card/,
      /Bob {2}sees “Ada” \(.+\) and believes the card/,
      /3\. Meeting/,
      /Ada {2}has a private session, TLSv1\.3 .* TLS proved the key on the card: it is “Bob”/,
      /4\. Cards/,
      /Ada {2}receives the card of “Bob”/,
      /Bob {2}receives the card of “Ada”/,
      /Bob {2}receives a signed message from “Ada”: The weather is fine/,
      /Ada {2}sends the file: 100 % {2}12\.0 MiB/,
      /5\. Parting/,
      /Bob {2}has withdrawn the card/,
      /Done in [0-9.]+ s\./,
    ]) {
      expect(said).toMatch(line)
    }
  }, 60_000)

  test('--trace prints the sessions in the notation of RFC 3080', async () => {
    const said = await demo('--trace')
    expect(said).toMatch(/ I: RPY 0 0 \. 0 \d+\n/)
    expect(said).toMatch(/ L: <greeting><profile uri='http:\/\/iana\.org\/beep\/TLS' \/><\/greeting>END\n/)
    expect(said).toMatch(/ L: SEQ 3 \d+ \d+\n/)
    expect(said).toMatch(/ I: \.\.\. \(\d+ octets\)\n +I: END\n/)
    expect(said).toMatch(/ I: <close number='0' code='200' \/>END\n/)
  }, 60_000)

  test.each([
    ['that is interrupted could not run, and says so', 'SIGINT', { code: 2, errors: 'cloudy: It was interrupted\n' }],
    ['that is killed leaves no peer behind', 'SIGKILL', { code: null, errors: '' }],
  ] as const)(
    '%s',
    async (_, signal, expected) => {
      const running = spawn(process.execPath, ['dist/cli/cloudy.js', 'demo'], {
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      try {
        let errors = ''
        running.stderr.setEncoding('utf8').on('data', (text) => {
          errors += text
        })
        let said = ''
        for await (const text of running.stdout.setEncoding('utf8')) {
          said += text
          // Once: who is told again while it ends is gone at once, and says nothing.
          if (/Ada {2}shows the card/.test(said) && !running.killed) running.kill(signal)
        }
        // Its peers write to the same pipes, which close with the last of them.
        if (running.exitCode === null && running.signalCode === null) await once(running, 'exit')
        expect({ code: running.exitCode, errors }).toEqual(expected)
      } finally {
        try {
          process.kill(-running.pid!, 'SIGKILL')
        } catch {
          // Nobody of the group is left.
        }
      }
    },
    30_000,
  )
})
