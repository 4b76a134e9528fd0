// The layers of the house: imports go downwards only, and the engine and the wire know no network.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const root = resolve('.')

/** From the bottom up; a file belongs to the first layer that matches. */
const LAYERS: readonly [name: string, pattern: RegExp][] = [
  ['0 numbers, codes and errors', /^src\/beep\/(seqno|limits|reply-code|errors)\.ts$/],
  ['1 wire', /^src\/beep\/wire\//],
  ['2 engine', /^src\/beep\/engine\//],
  ['3 sessions', /^src\/beep\//],
  ['4 profiles, and the package on top of them', /^src\/(profiles\/|index\.ts$)/],
  ['5 cloudy', /^src\/cloudy\//],
  ['6 programs', /^(src\/cli|conformance|examples|bench)\//],
]

/** What a layer may import of Node, where that is bounded. */
const NODE: readonly [pattern: RegExp, allowed: RegExp][] = [
  [/^src\/beep\/(seqno|limits|reply-code|errors)\.ts$/, /^$/],
  [/^src\/beep\/wire\//, /^node:buffer$/],
  [/^src\/beep\/engine\//, /^$/],
  [/^src\/beep\//, /^node:(net|tls|stream|diagnostics_channel|util|buffer|process)$/],
]

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name) && !/\.test\.ts$|test-kit/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
}

function imports(file: string): string[] {
  return [
    ...readFileSync(join(root, file), 'utf8').matchAll(
      /^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bawait import\('([^']+)'\)/gm,
    ),
  ].map((each) => (each[1] ?? each[2] ?? each[3])!)
}

/** What has been loaded when the file runs, of other packages: what it imports at once, and what that does. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  const text = readFileSync(join(root, file), 'utf8')
  for (const [, type, from] of text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'"]*?from\s+)?'([^']+)'/gm)) {
    if (type !== undefined || from!.startsWith('node:')) continue
    const target = from!.startsWith('.') ? relative(root, resolve(root, file, '..', from!)).replace(/\.js$/, '.ts') : from!
    if (seen.has(target)) continue
    seen.add(target)
    if (target.endsWith('.ts')) loadedWith(target, seen)
  }
  return seen
}

function packagesLoadedWith(file: string): string[] {
  return [...loadedWith(file)].filter((each) => !each.endsWith('.ts')).sort()
}

function layer(file: string): number {
  return LAYERS.findIndex(([, pattern]) => pattern.test(file))
}

const files = ['src', 'bench', 'examples', 'conformance'].flatMap(sources)

describe('layers', () => {
  test('every file belongs to a layer', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(files.filter((file) => layer(file) === -1)).toEqual([])
  })

  test('what runs where the package is installed imports only what comes with it', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object }
    const installed = ['src', 'conformance'].flatMap(sources)
    const packages = installed.flatMap(imports).filter((each) => !/^\.|^node:/.test(each))
    const names = packages.map((each) =>
      each
        .split('/')
        .slice(0, each.startsWith('@') ? 2 : 1)
        .join('/'),
    )
    expect([...new Set(names)].filter((name) => !(name in dependencies))).toEqual([])
  })

  test('what takes long to load is loaded when it is needed', () => {
    expect(packagesLoadedWith('src/cli/beep.ts')).toEqual(['commander'])
    expect(packagesLoadedWith('src/cli/cloudy.ts')).toEqual(['commander', 'qr'])
    expect(packagesLoadedWith('src/index.ts')).toEqual(['saxes'])
    expect(packagesLoadedWith('src/cloudy/index.ts')).toEqual(['bonjour-service', 'saxes', 'write-file-atomic'])
  })

  test('no import goes upwards', () => {
    const upwards = files.flatMap((file) =>
      imports(file)
        .filter((each) => each.startsWith('.'))
        .map((each) => relative(root, resolve(root, file, '..', each)).replace(/\.js$/, '.ts'))
        .filter((target) => layer(target) > layer(file))
        .map((target) => `${file} -> ${target}`),
    )
    expect(upwards).toEqual([])
  })

  test('the engine and the wire know no network', () => {
    const forbidden = files.flatMap((file) => {
      const allowed = NODE.find(([pattern]) => pattern.test(file))?.[1]
      if (allowed === undefined) return []
      return imports(file)
        .filter((each) => each.startsWith('node:') && !allowed.test(each))
        .map((each) => `${file} -> ${each}`)
    })
    expect(forbidden).toEqual([])
  })

  test('the judge does not use the engine it judges, only numbers and the notation of transcripts', () => {
    const used = sources('conformance').flatMap((file) =>
      imports(file)
        .filter((each) => each.startsWith('.'))
        .map((each) => relative(root, resolve(root, file, '..', each)).replace(/\.js$/, '.ts'))
        .filter((target) => target.startsWith('src/') && layer(target) > 0 && target !== 'src/beep/wire/transcript.ts')
        .map((target) => `${file} -> ${target}`),
    )
    expect(used).toEqual([])
  })
})
