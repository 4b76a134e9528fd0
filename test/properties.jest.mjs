// The tests of the wire and the engine by themselves, without a build: for the soak and for mutants.
export default {
  testEnvironment: 'node',
  rootDir: '..',
  testMatch: ['<rootDir>/src/beep/wire/**/*.test.ts', '<rootDir>/src/beep/engine/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript', explicitResourceManagement: true }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
}
