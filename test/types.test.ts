// The types of the package as somebody else compiles them: strictly, for Node alone, by the names of its entries, and with declarations of their own.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'

const folder = mkdtempSync(join(tmpdir(), 'cloudy-types-'))
afterAll(() => rmSync(folder, { recursive: true }))

const compilerOptions = {
  lib: ['es2023'],
  types: ['node'],
  module: 'nodenext',
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  declaration: true,
  outDir: 'out',
}

const SOURCE = `
import { connect, listen, type Message, type Profile } from 'cloudy-beep'
import { Engine } from 'cloudy-beep/engine'
import { sessionPair } from 'cloudy-beep/testing'
import { echo, tls } from 'cloudy-beep/profiles'
import { Identity, ObjectStore, type ObjectsOptions, Peer, type StoreLimits } from 'cloudy-beep/cloudy'

export const upper: Profile = { uri: 'u:upper', message: async (message) => (await message.text()).toUpperCase() }
export const headersOf = (message: Message) => message.headers
export const start = (engine: Engine) => engine.start
export const make = () => Identity.generate({ webCrypto: globalThis.crypto })
export const limits: Partial<StoreLimits> = { maxObjects: 10 }
export const store = new ObjectStore({ now: Date.now, limits })
export const told: ObjectsOptions['receive'] = () => {}
export const all = { connect, listen, sessionPair, echo, tls, Peer }
`

test('compile without the types of a browser, and what they name can be named', () => {
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(resolve('.'), join(folder, 'node_modules', 'cloudy-beep'))
  symlinkSync(resolve('node_modules', '@types'), join(folder, 'node_modules', '@types'))
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['user.ts'] }))
  writeFileSync(join(folder, 'user.ts'), SOURCE)
  const { stdout, status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder], { encoding: 'utf8' })
  expect(stdout).toBe('')
  expect(status).toBe(0)
})
