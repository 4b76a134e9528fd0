// All tests of the wire and the engine as one file: what they share is then loaded once for each mutant, not twenty times.
import { readdirSync } from 'node:fs'

for (const folder of ['../src/beep/wire/', '../src/beep/engine/'])
  for (const file of readdirSync(new URL(folder, import.meta.url)))
    if (file.endsWith('.test.ts')) await import(`${folder}${file}`)
