// Every command says what it does, with an example, and refuses what it cannot take.
import { describe, expect, test } from '@jest/globals'
import { Command } from 'commander'
import { Identity } from '../cloudy/identity.js'
import { addCardCommands } from './card-command.js'
import { addIdentityCommands } from './identity-command.js'
import { addObjectCommands } from './object-command.js'
import { TIME_FORM, timeArgument } from './report.js'

function program(): { readonly program: Command; readonly said: string[] } {
  const said: string[] = []
  const write = (text: string) => void said.push(text)
  const program = new Command('cloudy').exitOverride().configureOutput({ writeOut: write, writeErr: write })
  for (const add of [addIdentityCommands, addCardCommands, addObjectCommands]) add(program)
  return { program, said }
}

function leaves(command: Command, words: readonly string[] = []): string[][] {
  if (command.commands.length === 0) return [[...words]]
  return command.commands.flatMap((each) => leaves(each, [...words, each.name()]))
}

describe.each(leaves(program().program).map((words) => [words.join(' '), words] as const))('cloudy %s', (name, words) => {
  test('has help with an example of itself', async () => {
    const { program: own, said } = program()
    await expect(own.parseAsync([...words, '--help'], { from: 'user' })).rejects.toMatchObject({ exitCode: 0 })
    expect(said.join('')).toMatch(/^Usage: cloudy /)
    expect(said.join('')).toMatch(new RegExp(`\\nExample:\\n(.*\\n)*.*\\bcloudy ${name} `))
  })

  test('refuses an option that it does not have', async () => {
    const { program: own, said } = program()
    await expect(own.parseAsync([...words, '--dance'], { from: 'user' })).rejects.toMatchObject({
      code: expect.stringMatching(/unknownOption|missing/),
    })
    expect(said.join('')).toMatch(/^error: /)
  })
})

test.each([
  [['card', 'make', '--port', '0'], 'a number from 1 to 65535'],
  [['card', 'make', '--external', '203.0.113.9'], 'ADDRESS:PORT'],
  [['card', 'make', '--external', 'a.example:1'], 'ADDRESS:PORT'],
  [['card', 'make', '--availability', 'dancing'], 'available, away, busy'],
  [['card', 'verify', '--at', 'noon'], 'It is like 2026'],
  [['card', 'verify', '--at', '2026-02-30T99:00Z'], 'It is like 2026'],
  [['identity', 'revoke', '--since', '2026-02-30'], 'a date that exists'],
  [['identity', 'revoke', '--since', '2026-02-28T24:00Z'], 'a date that exists'],
  [['identity', 'revoke', '--since', '20260501'], 'ten digits, or any after @'],
  [['identity', 'revoke', '--since', '0177763680'], 'ten digits, or any after @'],
  [['identity', 'revoke', '--since', '@999999999999'], 'ten digits, or any after @'],
  [['identity', 'revoke', '--since', '@'], 'ten digits, or any after @'],
  [['identity', 'make', '--algorithm', 'RSA-1024'], 'P-256, RSA-2048, RSA-3072'],
  [['sign', '--to', 'Bob'], 'here are 3 characters'],
  [['sign', '--lifetime', '0'], 'a number from 1 to'],
  [['sign', '--lifetime', '1e3'], 'a number from 1 to'],
])('%j is refused, and why', async (words, why) => {
  const { program: own, said } = program()
  await expect(own.parseAsync(words, { from: 'user' })).rejects.toMatchObject({ code: 'commander.invalidArgument' })
  expect(said.join('')).toContain(why)
})

test.each([
  ['2024-02-29', '2024-02-29T00:00:00Z'],
  ['2026-05-01T12:34Z', '2026-05-01T12:34:00Z'],
  ['2026-05-01T12:34:56Z', '2026-05-01T12:34:56Z'],
  ['1777636800', '2026-05-01T12:00:00Z'],
  ['@20260501', '1970-08-23T11:55:01Z'],
  ['9999-01-01', '9999-01-01T00:00:00Z'],
])('%s is the time %s', (text, time) => {
  expect(new Date(timeArgument(text)).toISOString()).toBe(time.replace('Z', '.000Z'))
})

test.each([['identity', 'revoke'], ['card', 'verify'], ['verify-object']])(
  'the help of %s %s says how a time is written',
  async (...words) => {
    const { program: own, said } = program()
    await expect(own.parseAsync([...words, '--help'], { from: 'user' })).rejects.toMatchObject({ exitCode: 0 })
    expect(said.join('').replaceAll(/\s+/g, ' ')).toContain(TIME_FORM)
  },
)

test('the help of cloudy identity make says what an identity without a nickname is called', async () => {
  const { program: own, said } = program()
  await expect(own.parseAsync(['identity', 'make', '--help'], { from: 'user' })).rejects.toMatchObject({ exitCode: 0 })
  expect(said.join('').replaceAll(/\s+/g, ' ')).toContain('up to 64 characters (default: unnamed)')
  expect((await Identity.generate()).nickname).toBe('unnamed')
})

test('the help of cloudy verify-object says that an object to somebody else is valid, too', async () => {
  const { program: own, said } = program()
  await expect(own.parseAsync(['verify-object', '--help'], { from: 'user' })).rejects.toMatchObject({ exitCode: 0 })
  expect(said.join('').replaceAll(/\s+/g, ' ')).toContain(
    'An object to somebody else is valid here, too: `to` says for whom it is.',
  )
})
