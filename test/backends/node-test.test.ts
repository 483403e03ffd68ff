// The suite under the other runner that everybody has, by way of the package as it is built.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Outcome {
  readonly exitCode: number
  /** Of the tests, as the runner sums up. */
  readonly counts: Readonly<Record<string, number>>
}

/** Runs the suite over storage in memory that says it lacks `lacks`. */
function underNodeTest(lacks: readonly string[]): Promise<Outcome> {
  const program = `
    import { afterEach, describe, it } from 'node:test'
    import { memory, Registry, silentLogger } from 'wharfage'
    import { testBackend } from 'wharfage/testing'
    let created = 0
    testBackend({ describe, it, afterEach }, {
      create: async () => {
        created++
        return new Registry({ storage: memory(), logger: silentLogger })
      },
      destroy: async () => void created--,
      lacks: ${JSON.stringify(lacks)},
    })
    process.on('exit', () => console.log('# left', created))`
  const args = ['--test-reporter=tap', '--input-type=module', '--eval', program]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT, maxBuffer: 2 ** 26 }, (error, stdout) => {
      const counts = stdout.matchAll(/^# (pass|fail|left) (\d+)$/gm)
      resolve({
        exitCode: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        counts: Object.fromEntries(Array.from(counts, ([, name, count]) => [name, Number(count)])),
      })
    })
  })
}

describe('testBackend under node:test', { timeout: 120_000 }, () => {
  it('passes what keeps the contract, and destroys all that it created', async () => {
    const { exitCode, counts } = await underNodeTest(['index check'])
    expect({ exitCode, ...counts }).toEqual({ exitCode: 0, pass: expect.any(Number), fail: 0, left: 0 })
    expect(counts.pass).toBeGreaterThan(100)
  })

  it('fails what does not', async () => {
    // It says that it cannot list blobs, and lists them.
    const { exitCode, counts } = await underNodeTest(['index check', 'blob list'])
    expect({ exitCode, ...counts }).toEqual({ exitCode: 1, pass: expect.any(Number), fail: 1, left: 0 })
  })
})
