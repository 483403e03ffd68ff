// A named list of expectations. Every one prints its own line, so that the log of a failed run says what broke without
// a second run; a check that expected nothing has failed.
import { isDeepStrictEqual } from 'node:util'

export class Check {
  #name
  #passed = 0
  #failed = 0

  constructor(name) {
    this.#name = name
  }

  pass(what) {
    this.#passed += 1
    console.log(`PASS ${this.#name}: ${what}`)
  }

  fail(what, why) {
    this.#failed += 1
    console.log(`FAIL ${this.#name}: ${what}\n     ${String(why).trim().replaceAll('\n', '\n     ')}`)
  }

  ok(what, holds, why = 'does not hold') {
    if (holds) this.pass(what)
    else this.fail(what, why)
  }

  equal(what, got, expected) {
    this.ok(what, isDeepStrictEqual(got, expected), `expected ${text(expected)}\ngot      ${text(got)}`)
  }

  /** Runs one step; an exception fails it and the ones after it still run. Returns what the step returned. */
  async step(what, work) {
    try {
      const result = await work()
      this.pass(what)
      return result
    } catch (error) {
      this.fail(what, error instanceof Error ? error.message : error)
      return undefined
    }
  }

  /** Prints the tally and sets the exit code. */
  finish() {
    if (this.#passed + this.#failed === 0) this.fail('expects something', 'no expectation was reached')
    if (this.#failed > 0) process.exitCode = 1
    console.log(`${this.#name}: ${this.#passed} passed, ${this.#failed} failed`)
  }
}

function text(value) {
  const json = typeof value === 'string' ? value : String(JSON.stringify(value))
  return json.length > 2000 ? `${json.slice(0, 2000)}…` : json
}
