// Every command says what it does, with an example, and refuses what it cannot take.
import { describe, expect, test } from '@jest/globals'
import { Command } from 'commander'
import { addCardCommands } from './card-command.js'
import { addIdentityCommands } from './identity-command.js'
import { addObjectCommands } from './object-command.js'

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
  [['identity', 'make', '--algorithm', 'RSA-1024'], 'P-256, RSA-2048, RSA-3072'],
  [['sign', '--to', 'Bob'], 'here are 3 characters'],
  [['sign', '--lifetime', '0'], 'a number from 1 to'],
  [['sign', '--lifetime', '1e3'], 'a number from 1 to'],
])('%j is refused, and why', async (words, why) => {
  const { program: own, said } = program()
  await expect(own.parseAsync(words, { from: 'user' })).rejects.toMatchObject({ code: 'commander.invalidArgument' })
  expect(said.join('')).toContain(why)
})
