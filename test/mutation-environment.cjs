// A Node environment for jest in which nothing runs after the first test that fails: a mutant that is found is found.
const { TestEnvironment } = require('jest-environment-node')

module.exports = class extends TestEnvironment {
  #failed = false

  handleTestEvent({ name, test }) {
    if (name === 'test_done' && test.errors.length > 0) this.#failed = true
    if (name === 'test_start' && this.#failed) test.mode = 'skip'
  }
}
