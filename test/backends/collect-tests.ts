import type { TestRunner } from '../../src/testing/driver-contract/options.ts'

export interface CollectedTest {
  /** With those of the groups it is in: `Backend > tags.list > tells every tag …`. */
  readonly name: string
  /** Rejects where the test fails. What it made is gone afterwards. */
  run(): Promise<void>
}

/** The tests of a suite, to be run by the caller: a runner that runs nothing. */
export function collectTests(suite: (runner: TestRunner) => void): readonly CollectedTest[] {
  const groups: string[] = []
  const hooks: (() => Promise<void>)[] = []
  const tests: CollectedTest[] = []
  suite({
    describe: (name, body) => {
      groups.push(name)
      body()
      groups.pop()
    },
    it: (name, body) => {
      const run = async () => {
        try {
          await body()
        } finally {
          for (const hook of hooks) await hook()
        }
      }
      tests.push({ name: [...groups, name].join(' > '), run })
    },
    afterEach: (body) => void hooks.push(body),
  })
  return tests
}
