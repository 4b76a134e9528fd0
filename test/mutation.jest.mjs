// The tests that mutants of the wire and the engine have to survive, with their properties run less often: see `mutation.mjs`.
import { fileURLToPath } from 'node:url'
import properties from './properties.jest.mjs'

process.env.PROPERTY_RUNS ??= '0.05'

export default {
  ...properties,
  testEnvironment: fileURLToPath(new URL('./mutation-environment.cjs', import.meta.url)),
  testMatch: ['<rootDir>/test/mutation-tests.mjs'],
}
