/** @jest-config-loader esbuild-register */
// How jest finds and compiles the tests: unit tests beside the code, end-to-end and conformance tests in their folders.
import { availableParallelism } from 'node:os'
import type { Config } from 'jest'

const config: Config = {
  testEnvironment: 'node',
  // A third of the time tests wait for other programs and for the network: another worker for every two processors uses it. What is slow on a busy machine has not failed.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  testTimeout: 30_000,
  globalSetup: '<rootDir>/test/build.mjs',
  testMatch: [
    '<rootDir>/src/**/*.test.ts',
    '<rootDir>/test/**/*.test.ts',
    '<rootDir>/conformance/**/*.test.ts',
    '<rootDir>/bench/**/*.test.ts',
  ],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // The examples import the package by its name.
    '^cloudy-beep$': '<rootDir>/src/index.ts',
    '^cloudy-beep/engine$': '<rootDir>/src/beep/engine/index.ts',
    '^cloudy-beep/testing$': '<rootDir>/src/beep/testing.ts',
    '^cloudy-beep/(profiles|cloudy)$': '<rootDir>/src/$1/index.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/dist-bench'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript', explicitResourceManagement: true }, target: 'es2022' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
}

export default config
